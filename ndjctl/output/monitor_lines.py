"""Lines of the screen of `ndjctl monitor`, and what they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.text import Text

from ndjctl.output.base import one_line
from ndjctl.reading import Reading

BAD, WARN, GOOD, DIM, STRONG = "bold red", "yellow", "green", "dim", "bold"


@dataclass(frozen=True)
class Section:
    """lines: of any width; they are cut where the screen ends. style: of its title and frame, empty where nothing is
    the matter."""

    title: str
    lines: list[Text]
    style: str = ""


@dataclass(frozen=True)
class Look:
    """How it is drawn. blocks: whether block characters are to be had. chart: characters of a sparkline. runs: most
    runs that are listed. is_large: whether there is room for large charts and everything about a run."""

    blocks: bool
    chart: int
    runs: int
    is_large: bool = False

    @property
    def dot(self) -> str:
        return " · " if self.blocks else " | "


def text(*parts: str | tuple[str, str]) -> Text:
    """A line of pieces, each with its style or none. What is data in it stays one line and is never markup."""
    line = Text()
    for part in parts:
        words, style = part if isinstance(part, tuple) else (part, "")
        line.append(one_line(words), style or None)
    return line


def not_read(reading: Reading[Any]) -> Text:
    return text((f"not read ({reading.why}): ", WARN), (reading.sentence, WARN))


def number(count: float, is_complete: bool = True) -> str:
    return f"{'' if is_complete else 'at least '}{count:,.0f}"


def rate(per_min: float) -> str:
    return f"{per_min:,.1f}" if 0 < per_min < 10 else f"{per_min:,.0f}"
