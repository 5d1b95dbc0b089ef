"""How runs of the job look: a line each, and what they come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ndjctl.glue_runs import SUCCEEDED
from ndjctl.listing.runs import ListedRun
from ndjctl.output.base import StreamView, one_line
from ndjctl.output.progress import counted
from ndjctl.output.times import lasting, shown, told

if TYPE_CHECKING:
    from rich.text import Text

_LINE = "{:<9}  {:<20}  {:>11}  {:>8}  {:>6}  {:<28}  {}"
_RUN_CHARS = 12


def runs_view(env: str, runs: Iterable[ListedRun], next_: str) -> StreamView:
    """next_: what to type about the manifest of one, with the environment in it."""
    states: Counter[str] = Counter()
    hours = 0.0
    is_estimated = False

    def rows() -> Iterator[tuple[Any, Callable[[], Text]]]:
        nonlocal hours, is_estimated
        for run in runs:
            states[run.run.state] += 1
            hours += run.dpu_hours or 0.0
            is_estimated |= run.is_estimated
            yield run_document(run), lambda run=run: _line(run)  # type: ignore[misc]

    def heading() -> Text:
        from rich.text import Text

        words = ("state", "started", "duration", "DPU-h", "files", "manifest", "run, error")
        return Text(_LINE.format(*words), style="bold")

    def summary() -> tuple[Mapping[str, Any], Text]:
        from rich.text import Text

        total = sum(states.values())
        members = {
            "count": total,
            "states": dict(states),
            "dpu_hours": round(hours, 3),
            "dpu_hours_estimated": is_estimated,
        }
        if not total:
            return members, Text("No runs.")
        told_states = ", ".join(f"{count:,} {one_line(state)}" for state, count in states.most_common())
        about = "about " if is_estimated else ""
        text = Text(f"{counted(total, 'run')}, {about}{hours:,.1f} DPU hours: {told_states}", style="bold")
        return members, text.append(f"\nnext: {one_line(next_)}", style="dim not bold")

    return StreamView({"env": env}, "runs", rows(), heading, summary)


def run_document(each: ListedRun) -> dict[str, Any]:
    run = each.run
    return {
        "run_id": run.run_id,
        "state": run.state,
        "attempt": each.attempt,
        "manifest_id": each.manifest_id or None,
        "date": each.date or None,
        "files": each.files,
        "size_bytes": each.size_bytes,
        "started_at": told(run.started_at),
        "completed_at": told(run.completed_at),
        "execution_s": run.execution_s,
        "dpu_hours": None if each.dpu_hours is None else round(each.dpu_hours, 4),
        "dpu_hours_estimated": each.is_estimated,
        "error": run.error or None,
    }


def _line(each: ListedRun) -> Text:
    from rich.text import Text

    run = each.run
    hours = "-" if each.dpu_hours is None else f"{each.dpu_hours:,.2f}"
    short = run.run_id if len(run.run_id) <= _RUN_CHARS else f"{run.run_id[: _RUN_CHARS - 1]}…"
    line = _LINE.format(
        one_line(run.state),
        shown(run.started_at),
        lasting(run.execution_s),
        hours,
        "-" if each.files is None else f"{each.files:,}",
        one_line(each.manifest_id) or "-",
        one_line(short),
    )
    style = "green" if run.state == SUCCEEDED else "red" if run.has_failed else "cyan"
    text = Text(line)
    text.stylize(style, 0, len(one_line(run.state)))
    return text.append(f"  {one_line(run.error)}", style="red") if run.error else text
