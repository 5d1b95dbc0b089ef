"""The screen of `ndjctl monitor`: the sections below each other on a small terminal, side by side on a large one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ndjctl.output.monitor import Typed
from ndjctl.output.monitor_sections import DIM, STRONG, Look, Section, head, reasons, sections, text, trends

if TYPE_CHECKING:
    from ndjctl.monitor.model import Snapshot

WIDE = 120
"""From so many columns on, sections stand side by side."""

FEW_REASONS, MANY_REASONS = 3, 6
_LABEL = 11
_LEFT = ("flow", "backlog", "runs")
_FEWEST_RUNS, _MOST_RUNS = 2, 20


@dataclass(frozen=True)
class Frame:
    """columns: of the terminal. rows: that there are; None where it may be as long as it gets. blocks: whether it takes
    block characters. footer: its last line."""

    columns: int
    rows: int | None
    blocks: bool
    footer: str


def monitor_screen(snapshot: Snapshot, typed: Typed, frame: Frame) -> RenderableType:
    """typed: a command of ours as it would be typed here."""
    if frame.columns >= WIDE:
        return _wide(snapshot, typed, frame)
    lines = list(_narrow(snapshot, typed, frame, _fitting_runs(snapshot, typed, frame)))
    if frame.rows is not None:
        lines = [*lines[: max(1, frame.rows - 1)], lines[-1]] if len(lines) > frame.rows else lines
    return Group(*lines)


def _fitting_runs(snapshot: Snapshot, typed: Typed, frame: Frame) -> int:
    """How many runs can be listed."""
    if frame.rows is None:
        return 6
    rest = len(list(_narrow(snapshot, typed, frame, 0)))
    return max(_FEWEST_RUNS, min(_MOST_RUNS, frame.rows - rest))


def _narrow(snapshot: Snapshot, typed: Typed, frame: Frame, runs: int) -> Iterator[Text]:
    yield _cut(head(snapshot))
    yield from reasons(snapshot, typed, FEW_REASONS)
    look = Look(frame.blocks, chart=max(10, min(30, frame.columns // 4)), runs=runs)
    for section in sections(snapshot, look):
        yield from _labelled(section)
    yield _cut(text((frame.footer, DIM)))


def _labelled(section: Section) -> Iterator[Text]:
    for number, line in enumerate(section.lines):
        label = section.title if number == 0 else ""
        yield _cut(text((f"{label:<{_LABEL}}", section.style or "cyan")) + line)


def _cut(line: Text) -> Text:
    """One row, cut at the end of the screen."""
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _wide(snapshot: Snapshot, typed: Typed, frame: Frame) -> RenderableType:
    chart = min(60, (frame.columns // 2 - 60) if frame.columns >= 200 else 24)
    many = Look(frame.blocks, chart=max(20, chart), runs=_MOST_RUNS if frame.rows is None else max(4, frame.rows - 30))
    found = sections(snapshot, many)
    charts = trends(snapshot, many)
    left = [section for section in found if section.title in _LEFT]
    right = [section for section in found if section.title not in _LEFT]
    grid = Table.grid(expand=True, padding=(0, 1, 0, 0))
    grid.add_column(ratio=1)
    grid.add_column(ratio=1)
    grid.add_row(Group(*(_framed(each, frame) for each in left)), Group(*(_framed(each, frame) for each in [*right, charts])))
    why = list(reasons(snapshot, typed, MANY_REASONS))
    parts: list[RenderableType] = [_cut(head(snapshot))]
    if why:
        parts.append(_framed(Section("what is wrong, and what to type", why, _worst(snapshot)), frame, wraps=True))
    return Group(*parts, grid, _cut(text((frame.footer, DIM))))


def _worst(snapshot: Snapshot) -> str:
    return {"DOWN": "red", "DEGRADED": "yellow"}.get(snapshot.health.word, "cyan")


def _framed(section: Section, frame: Frame, wraps: bool = False) -> Panel:
    lines: Sequence[Text] = section.lines if wraps else [_cut(line) for line in section.lines]
    return Panel(
        Group(*lines),
        title=text((section.title, STRONG)),
        title_align="left",
        border_style=section.style or "dim",
        box=box.ROUNDED if frame.blocks else box.ASCII,
        padding=(0, 1),
    )
