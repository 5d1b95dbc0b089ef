"""How log lines look: time, level, event and fields, coloured by the level."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ndjctl.contracts import iso_utc
from ndjctl.logs.glue import base_id
from ndjctl.logs.lines import Line
from ndjctl.output.base import StreamView, one_line
from ndjctl.output.progress import counted

if TYPE_CHECKING:
    from rich.text import Text

_STYLES = {"DEBUG": "dim", "INFO": "green", "WARNING": "yellow", "ERROR": "bold red", "CRITICAL": "bold red"}
_HIDDEN = ("request_id", "job_name", "run_id", "manifest_id")
"""Fields that are the same in line after line; --json has them, and so has the console where they say something new."""
_RUN_CHARS = 11  # jr_ and eight digits


def logs_view(
    about: Mapping[str, Any],
    lines: Iterable[Line],
    *,
    names_runs: bool,
    is_live: bool,
    remarks: Callable[[], list[str]],
) -> StreamView:
    """about: members of the document: what was read. names_runs: whether each line tells its run. is_live: each line is
    written out at once. remarks: sentences, asked for after the last line."""
    counts: Counter[str] = Counter()

    def rows() -> Iterator[tuple[Any, Callable[[], Text]]]:
        for line in lines:
            counts[line.level] += 1
            yield line_document(line), lambda line=line: line_text(line, names_runs)  # type: ignore[misc]

    def heading() -> Text:
        from rich.text import Text

        run = f"{'run':<{_RUN_CHARS}} " if names_runs else ""
        return Text(f"{'time (UTC)':<23} {run}{'level':<7} what", style="bold")

    def summary() -> tuple[Mapping[str, Any], Text]:
        from rich.text import Text

        total = sum(counts.values())
        told = remarks()
        levels = {level: count for level, count in counts.items() if level}
        bad = ", ".join(f"{counts[level]:,} {level}" for level in ("WARNING", "ERROR", "CRITICAL") if counts[level])
        text = Text(f"{counted(total, 'line')}{f', {bad} among them' if bad else ''}" if total else "No lines.")
        text.stylize("bold")
        for remark in told:
            text.append(f"\n{one_line(remark)}", style="yellow not bold")
        return {"count": total, "levels": levels, "remarks": told}, text

    return StreamView(about, "lines", rows(), heading, summary, is_live=is_live, wraps=True)


def line_document(line: Line) -> dict[str, Any]:
    return {
        "time": iso_utc(line.at),
        "level": line.level or None,
        "event": line.event or None,
        "fields": dict(line.fields),
        "message": None if line.event else line.message,
        "group": line.raw.group,
        "stream": line.raw.stream,
        "event_id": line.raw.event_id,
    }


def line_text(line: Line, names_run: bool) -> Text:
    """One line, however much text it has in it: what would move the cursor is made visible."""
    from rich.text import Text

    text = Text(f"{line.at:%Y-%m-%d %H:%M:%S}.{line.at.microsecond // 1000:03d} ", style="dim")
    if names_run:
        text.append(f"{one_line(base_id(line.raw.stream)[:_RUN_CHARS]):<{_RUN_CHARS}} ", style="cyan not dim")
    style = _STYLES.get(line.level, "dim" if line.is_platform else "default")
    text.append(f"{line.level or '-':<7} ", style=f"{style} not dim" if style != "dim" else "dim")
    if not line.event:
        return text.append(one_line(line.message.replace("\t", " ")), style="dim" if line.is_platform else "not dim")
    text.append(one_line(line.event), style="bold not dim")
    for name, value in line.fields.items():
        if name not in _HIDDEN or (name == "manifest_id" and not names_run and "job_name" not in line.fields):
            text.append(f" {one_line(name)}=", style="cyan not dim")
            text.append(one_line(_told(value)), style="not dim")
    return text


def _told(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
