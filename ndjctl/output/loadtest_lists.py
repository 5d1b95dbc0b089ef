"""How the list of load tests looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ndjctl import __version__
from ndjctl.loadtest.journal import REPORTED, Journal
from ndjctl.loadtest.reporting import judged, report_of
from ndjctl.loadtest.results import Report
from ndjctl.loadtest.spending import is_over_budget
from ndjctl.loadtest.verdict import PASS
from ndjctl.output.base import StreamView, one_line
from ndjctl.output.progress import counted, size
from ndjctl.output.shell import quoted, typeable
from ndjctl.output.times import lasting

if TYPE_CHECKING:
    from rich.text import Text

_LINE = "{:<21} {:>5} {:<7} {:>7} {:>10} {:>11} {:>11}"
"""78 columns, so that a terminal of 80 holds it; why is on a line of its own."""


def tests_view(
    env: str, unfinished: Sequence[Journal], reports: Iterable[Report], compare: str, resume: str
) -> StreamView:
    """unfinished: on this machine. reports: the newest first. compare, resume: what to type, without the ids."""
    counts = {"passed": 0, "failed": 0, "unfinished": 0}
    newest: list[str] = []

    def rows() -> Iterator[tuple[Any, Callable[[], Text]]]:
        open_ids = {journal.test_id for journal in unfinished}
        for journal in unfinished:
            counts["unfinished"] += 1
            document = _unfinished_document(journal, __version__)
            yield document, lambda document=document: _line(document)  # type: ignore[misc]
        for report in reports:
            if report["id"] in open_ids:
                continue
            counts["passed" if report["verdict"] == PASS else "failed"] += 1
            if len(newest) < 2:
                newest.append(str(report["id"]))
            document = _document(report)
            yield document, lambda document=document: _line(document)  # type: ignore[misc]

    def heading() -> Text:
        from rich.text import Text

        words = ("test", "phase", "verdict", "files", "each", "time", "p95")
        return Text(_LINE.format(*words).rstrip(), style="bold")

    def summary() -> tuple[Mapping[str, Any], Text]:
        from rich.text import Text

        total = sum(counts.values())
        if not total:
            return counts, Text("No load tests.")
        told = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        text = Text(f"{counted(total, 'load test')}: {told}", style="bold")
        next_ = ""
        if unfinished:
            next_ = f"{resume} {quoted(unfinished[0].test_id)}"
        elif len(newest) == 2:
            next_ = f"{compare} {quoted(newest[1])} {quoted(newest[0])}"
        return counts, text.append(f"\nnext: {typeable(next_)}", style="dim not bold") if next_ else text

    return StreamView({"env": env}, "tests", rows(), heading, summary, wraps=True)


def _document(report: Report, unfinished: str | None = None) -> dict[str, Any]:
    """unfinished: why the test is listed as such though it has a verdict."""
    return {
        "id": report["id"],
        "phase": report["phase"],
        "verdict": report["verdict"],
        "reasons": list(report["reasons"]),
        "unfinished": unfinished,
        "files": report["settings"]["files"],
        "file_size_bytes": report["settings"]["file_size_bytes"],
        "begun_at": report["begun_at"],
        "seconds": report["seconds"],
        "latency_s": report["latency_s"],
        "cost_usd": report["cost"]["total_usd"],
        "configuration": report["configuration"]["hash"],
    }


def _unfinished_document(journal: Journal, version: str) -> dict[str, Any]:
    settings = journal.settings
    if journal.has(REPORTED):
        state = "stopped at its budget" if is_over_budget(journal) else "kept"
        state = f"{state}, not cleaned up yet" if journal.noted("kept") else "not cleaned up yet"
        return _document(report_of(journal, judged(journal), version), state)
    state = f"not finished: {list(journal.stages)[-1]}"
    return {
        "id": journal.test_id,
        "phase": settings.phase,
        "verdict": None,
        "reasons": [state],
        "unfinished": state,
        "files": settings.files,
        "file_size_bytes": settings.file_size_bytes,
        "begun_at": journal.noted("begun_at"),
        "seconds": None,
        "latency_s": None,
        "cost_usd": None,
        "configuration": journal.of("planned")["configuration"]["hash"],
    }


def _line(row: Mapping[str, Any]) -> Text:
    from rich.text import Text

    verdict = row["verdict"] or "-"
    latency = row["latency_s"] or {}
    line = _LINE.format(
        one_line(str(row["id"])),
        row["phase"],
        verdict,
        f"{row['files']:,}",
        size(row["file_size_bytes"]),
        lasting(row["seconds"]),
        lasting(latency.get("p95")),
    )
    text = Text(line.rstrip())
    start = line.index(verdict, len(str(row["id"])))
    style = "green" if verdict == PASS else "yellow" if row["verdict"] is None else "red"
    text.stylize(style, start, start + len(verdict))
    # What it is told by first: that something is left to do, and else why it failed.
    told = [row["unfinished"]] if row["unfinished"] else []
    told += [reason for reason in row["reasons"][:1] if reason not in told]
    if told:
        text.append(f"\n  {one_line('; '.join(map(str, told)))}", style="dim")
    return text
