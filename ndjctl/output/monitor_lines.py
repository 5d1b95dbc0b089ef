"""Lines of the screen of `ndjctl monitor`, and what they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from rich.console import Console
from rich.text import Text

from ndjctl.output.base import one_line
from ndjctl.reading import Reading

BAD, WARN, GOOD, DIM, STRONG = "bold red", "yellow", "green", "dim", "bold"
_LEAST_CHART = 4
"""A chart of fewer characters says nothing."""
_RULER = Console(width=80, file=StringIO())
"""Measures lines; nothing is printed on it."""


@dataclass(frozen=True)
class Section:
    """lines: figures are no wider than the look says; a key or a message may be, and is cut where the screen ends.
    style: of its title and frame, empty where nothing is the matter."""

    title: str
    lines: list[Text]
    style: str = ""


@dataclass(frozen=True)
class Look:
    """How it is drawn. blocks: whether block characters are to be had. width: columns that a line has; None for any
    number, as in a file. runs, listed: most runs, and most failures of a kind, that are listed. tall: lines of a chart
    of the flow; 0 where there is room only for one beside the figures."""

    blocks: bool
    width: int | None
    runs: int
    listed: int = 2
    tall: int = 0

    @property
    def is_large(self) -> bool:
        return self.tall > 0

    @property
    def dot(self) -> str:
        return " · " if self.blocks else " | "

    def room(self, taken: int, most: int) -> int:
        """Characters of a chart in a line whose figures take so many columns; 0 where a chart has no room."""
        room = most if self.width is None else min(most, self.width - taken)
        return room if room >= _LEAST_CHART else 0


def text(*parts: str | tuple[str, str]) -> Text:
    """A line of pieces, each with its style or none. What is data in it stays one line and is never markup."""
    line = Text()
    for part in parts:
        words, style = part if isinstance(part, tuple) else (part, "")
        line.append(one_line(words), style or None)
    return line


def wrapped(line: Text, width: int | None) -> list[Text]:
    """As many lines as it takes, broken between words."""
    if width is None or line.cell_len <= width:
        return [line]
    lines = list(line.wrap(_RULER, width))
    for each in lines:
        each.rstrip()
    return lines


def joined(pieces: Sequence[Text], look: Look, between: str | None = None) -> list[Text]:
    """The pieces in as few lines as they fit in, none of them broken unless it is wider than a line by itself. between:
    what stands between two of one line; a dot by default."""
    separator = look.dot if between is None else between
    line, lines = pieces[0], []
    for piece in pieces[1:]:
        longer = line + text(separator) + piece
        if look.width is None or longer.cell_len <= look.width:
            line = longer
        else:
            lines.append(line + text(separator.rstrip()) if separator.startswith(",") else line)
            line = piece
    return [part for each in (*lines, line) for part in wrapped(each, look.width)]


def cut(line: Text, width: int, blocks: bool) -> Text:
    """One row of at most so many columns; where something is missing at its end, that is to be seen."""
    line = line.copy()
    line.no_wrap, line.overflow = True, "crop"
    end = "…" if blocks else "..."
    if line.cell_len > width:
        line.truncate(max(0, width - len(end)), overflow="crop")
        line.append(end[:width])
    return line


def not_read(reading: Reading[Any]) -> Text:
    return text((f"not read ({reading.why}): ", WARN), (reading.sentence, WARN))


def number(count: float, is_complete: bool = True) -> str:
    return f"{'' if is_complete else 'at least '}{count:,.0f}"


def rate(per_min: float) -> str:
    return f"{per_min:,.1f}" if 0 < per_min < 10 else f"{per_min:,.0f}"
