"""The screen of `ndjctl monitor`: the sections below each other on a small terminal, side by side on a large one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ndjctl.output.monitor_lines import DIM, STRONG, Look, Section, cut, text, wrapped
from ndjctl.output.monitor_sections import head, reasons, sections, trends
from ndjctl.output.remedies import Typed

if TYPE_CHECKING:
    from ndjctl.monitor.model import Snapshot

WIDE = 120
"""From so many columns on, sections stand side by side."""

HIGH = 40
"""And from so many rows on."""

FEW_REASONS, MANY_REASONS = 3, 4
_LABEL = 11
_LEFT = ("flow", "backlog", "queue", "runs")
_FEWEST_RUNS, _FEW_RUNS, _MOST_RUNS = 1, 4, 40
_LOWEST, _TALLEST = 2, 4
"""Lines of a chart of the flow on a large screen."""
_REASONS_SHARE = 3
"""What is wrong takes no more than the third of a screen."""
_FRAME = 4
"""Columns that a frame takes."""
_FRAME_ROWS = 2


@dataclass(frozen=True)
class Frame:
    """columns: of the terminal. rows: that there are; None where it may be as long as it gets, as in a file. blocks:
    whether it takes block characters. footer: its last line."""

    columns: int
    rows: int | None
    blocks: bool
    footer: str

    @property
    def is_large(self) -> bool:
        return self.columns >= WIDE and self.rows is not None and self.rows >= HIGH


def monitor_screen(snapshot: Snapshot, typed: Typed, frame: Frame) -> RenderableType:
    """The whole of it; no more rows than there are."""
    if frame.is_large:
        return _large(snapshot, typed, frame)
    return Group(*_small(snapshot, typed, frame))


def _small(snapshot: Snapshot, typed: Typed, frame: Frame) -> list[Text]:
    """One line of the terminal each."""
    top = [head(snapshot, frame.columns), *_reasons(snapshot, typed, frame, FEW_REASONS, frame.columns)]
    foot = text((frame.footer, DIM))
    width = max(1, frame.columns - _LABEL)
    if frame.rows is None:
        look = Look(frame.blocks, width=None, runs=_MOST_RUNS)
        return [*top, *(line for section in sections(snapshot, look) for line in _labelled(section)), foot]
    body = frame.rows - len(top) - 1
    look = Look(frame.blocks, width, runs=_MOST_RUNS)
    found = [line for section in _fitting(snapshot, look, body) for line in _labelled(section)]
    lines = [*top, *found][: frame.rows - 1]
    return [cut(line, frame.columns, frame.blocks) for line in (*lines, foot)]


def _fitting(snapshot: Snapshot, look: Look, rows: int) -> list[Section]:
    """As many runs as there is room for; where there is none for one, fewer of what failed is listed."""
    most = min(look.runs, len(snapshot.runs.value.under_way) if snapshot.runs.value else 0)
    for listed in range(look.listed, -1, -1):
        look = replace(look, runs=most, listed=listed)
        found = sections(snapshot, look)
        over = sum(len(section.lines) for section in found) - rows
        if over <= 0:
            return found
        if over <= most - _FEWEST_RUNS:
            return sections(snapshot, replace(look, runs=most - over))
    return sections(snapshot, replace(look, runs=_FEWEST_RUNS))


def _reasons(snapshot: Snapshot, typed: Typed, frame: Frame, most: int, width: int) -> list[Text]:
    """What is wrong, broken into lines of the screen, the worst first; fewer of them where they are long."""
    if frame.rows is None:
        return reasons(snapshot, typed, most, None)
    for count in range(most, 0, -1):
        told = reasons(snapshot, typed, count, width)
        lines = [part for line in told for part in wrapped(line, width)]
        if len(lines) <= frame.rows // _REASONS_SHARE:
            break
    return lines


def _labelled(section: Section) -> list[Text]:
    labels = [section.title, *[""] * (len(section.lines) - 1)]
    style = section.style or "cyan"
    return [text((f"{label:<{_LABEL}}", style)) + line for label, line in zip(labels, section.lines, strict=True)]


def _large(snapshot: Snapshot, typed: Typed, frame: Frame) -> RenderableType:
    rows = frame.rows or HIGH
    why = _reasons(snapshot, typed, frame, MANY_REASONS, frame.columns - _FRAME)
    style = {"DOWN": "red", "DEGRADED": "yellow"}.get(snapshot.health.word, "")
    wrong = [_framed(Section("what is wrong, and what to type", why, style), frame, frame.columns)] if why else []
    body = rows - 2 - (len(why) + _FRAME_ROWS if why else 0)
    left = (frame.columns - 1) // 2
    right = frame.columns - 1 - left
    look = Look(frame.blocks, left - _FRAME, runs=_MOST_RUNS, tall=_TALLEST)
    grid = Table.grid()
    grid.add_column(width=left + 1)
    grid.add_column(width=right)
    grid.add_row(
        Group(*(_framed(section, frame, left) for section in _left(snapshot, look, body))),
        Group(*(_framed(section, frame, right) for section in _right(snapshot, look, body))),
    )
    first, last = (
        cut(line, frame.columns, frame.blocks) for line in (head(snapshot, frame.columns), text((frame.footer, DIM)))
    )
    return Group(first, *wrong, grid, last)


def _left(snapshot: Snapshot, look: Look, rows: int) -> list[Section]:
    """With as many runs as there is room for, and lower charts where that is for few."""
    under_way = len(snapshot.runs.value.under_way) if snapshot.runs.value else 0
    runs = look.runs
    for tall in range(_TALLEST, _LOWEST - 1, -1):
        look = replace(look, tall=tall)
        found = [section for section in sections(snapshot, look) if section.title in _LEFT]
        over = _height(found) - rows
        if over <= 0:
            return found
        runs = min(look.runs, under_way) - over
        if runs >= _FEW_RUNS:
            break
    look = replace(look, runs=max(_FEWEST_RUNS, runs))
    return [section for section in sections(snapshot, look) if section.title in _LEFT]


def _right(snapshot: Snapshot, look: Look, rows: int) -> list[Section]:
    """With less of what failed, and then of CloudWatch, where there is no room for all."""
    last = trends(snapshot, look)
    for listed in range(look.listed, -1, -1):
        found = [each for each in sections(snapshot, replace(look, listed=listed)) if each.title not in _LEFT]
        over = _height([*found, last]) - rows
        if over <= 0:
            return [*found, last]
    return [*found, replace(last, lines=last.lines[: max(1, len(last.lines) - over)])]


def _height(found: list[Section]) -> int:
    return sum(len(section.lines) + _FRAME_ROWS for section in found)


def _framed(section: Section, frame: Frame, width: int) -> Panel:
    return Panel(
        Group(*(cut(line, width - _FRAME, frame.blocks) for line in section.lines)),
        title=text((section.title, STRONG)),
        title_align="left",
        border_style=section.style or "dim",
        box=box.ROUNDED if frame.blocks else box.ASCII,
        padding=(0, 1),
        width=width,
    )
