"""A window of a line around the place where it is wrong, with everything in it made visible, and a caret below."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_PLACE = re.compile(r"\b(ends )?at (?:or behind )?(character|byte) (\d{1,12})")
_CUT = "…"
_LEFT_PART = 0.6
"""Of the window: what is before a mistake tells more than what is behind it."""


class Window(NamedTuple):
    """text: one line. caret: how many cells of a terminal are before the place; None where nobody knows it."""

    text: str
    caret: int | None


def position(raw: bytes, detail: str) -> int | None:
    """The index of the character that is at fault, as of decoded(); behind the last one where the line ends too early.
    detail: as the job says what is wrong with a line,
    which ends with the place; what it quotes of the line comes before that."""
    found = _PLACE.findall(detail)
    if not found:
        return None
    ends, unit, number = found[-1]
    index = int(number) - (not ends)  # what is missing is behind the end
    if unit == "byte":
        return len(decoded(raw[:index]))
    return min(index, len(decoded(raw)))


def decoded(raw: bytes) -> str:
    """What is no UTF-8 becomes one character a byte, of a kind that no text has."""
    return raw.decode("utf-8", "surrogateescape")


def window(raw: bytes, detail: str, width: int) -> Window:
    """width: cells of a terminal, at least 20."""
    from rich.cells import cell_len

    text = decoded(raw)
    place = position(raw, detail)
    at = place or 0
    before, first = _taken(reversed(text[max(0, at - width) : at]), int(width * _LEFT_PART) if at else 0)
    start = at - first
    head = _CUT if start > 0 else ""
    shown = "".join(reversed(before))
    room = width - cell_len(head + shown) - 1
    after, taken = _taken(iter(text[at : at + width]), room)
    tail = _CUT if at + taken < len(text) else ""
    caret = None if place is None else cell_len(head + shown)
    return Window(head + shown + "".join(after) + tail, caret)


def _taken(characters: Iterator[str], room: int) -> tuple[list[str], int]:
    """(the visible forms of as many characters as have room, how many these are)."""
    from rich.cells import cell_len

    forms: list[str] = []
    for character in characters:
        form = visible(character)
        room -= cell_len(form)
        if room < 0:
            break
        forms.append(form)
    return forms, len(forms)


def visible(character: str) -> str:
    """A character as a screen takes it; a byte that is no UTF-8 as \\xff."""
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
