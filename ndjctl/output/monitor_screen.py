"""The screen of `ndjctl monitor`: the sections below each other on a small terminal, side by side on a large one."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ndjctl.output.monitor_lines import DIM, STRONG, Look, Section, text
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
_LEFT = ("flow", "backlog", "runs")
_FEWEST_RUNS, _MOST_RUNS = 1, 40
_ROWS_BESIDE_RUNS = 36
_FRAME = 4
"""Columns that a frame takes."""
_RULER = Console(width=80, file=StringIO())
"""Measures lines; nothing is printed on it."""


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
    most = min(_MOST_RUNS, len(snapshot.runs.value.under_way) if snapshot.runs.value else 0)
    lines = _small(snapshot, typed, frame, most)
    if frame.rows is not None and len(lines) > frame.rows:
        lines = _small(snapshot, typed, frame, max(_FEWEST_RUNS, most - (len(lines) - frame.rows)))
        lines = [*lines[: frame.rows - 1], lines[-1]]
    return Group(*lines)


def _small(snapshot: Snapshot, typed: Typed, frame: Frame, runs: int) -> list[Text]:
    """One line of the terminal each."""
    look = Look(frame.blocks, chart=max(8, min(30, frame.columns // 4 - 2)), runs=runs)
    lines = [head(snapshot)]
    for line in reasons(snapshot, typed, FEW_REASONS, frame.columns if frame.rows is not None else None):
        lines += line.wrap(_RULER, frame.columns) if frame.rows is not None else [line]
    for section in sections(snapshot, look):
        lines += _labelled(section)
    lines.append(text((frame.footer, DIM)))
    return [_cut(line, frame.blocks) for line in lines] if frame.rows is not None else lines


def _labelled(section: Section) -> list[Text]:
    labels = [section.title, *[""] * (len(section.lines) - 1)]
    style = section.style or "cyan"
    return [text((f"{label:<{_LABEL}}", style)) + line for label, line in zip(labels, section.lines, strict=True)]


def _cut(line: Text, blocks: bool) -> Text:
    """One row, cut at the end of the screen."""
    line.no_wrap, line.overflow = True, "ellipsis" if blocks else "crop"
    return line


def _large(snapshot: Snapshot, typed: Typed, frame: Frame) -> RenderableType:
    rows = frame.rows or HIGH
    look = Look(frame.blocks, chart=24, runs=max(4, rows - _ROWS_BESIDE_RUNS), is_large=True)
    found = [*sections(snapshot, look), trends(snapshot, look)]
    grid = Table.grid(expand=True, padding=(0, 1, 0, 0))
    grid.add_column(ratio=1)
    grid.add_column(ratio=1)
    left = [_framed(section, frame) for section in found if section.title in _LEFT]
    right = [_framed(section, frame) for section in found if section.title not in _LEFT]
    grid.add_row(Group(*left), Group(*right))
    why = reasons(snapshot, typed, MANY_REASONS, frame.columns - _FRAME)
    style = {"DOWN": "red", "DEGRADED": "yellow"}.get(snapshot.health.word, "")
    wrong = [_framed(Section("what is wrong, and what to type", why, style), frame, wraps=True)] if why else []
    return Group(_cut(head(snapshot), frame.blocks), *wrong, grid, _cut(text((frame.footer, DIM)), frame.blocks))


def _framed(section: Section, frame: Frame, wraps: bool = False) -> Panel:
    lines = section.lines if wraps else [_cut(line, frame.blocks) for line in section.lines]
    return Panel(
        Group(*lines),
        title=text((section.title, STRONG)),
        title_align="left",
        border_style=section.style or "dim",
        box=box.ROUNDED if frame.blocks else box.ASCII,
        padding=(0, 1),
    )
