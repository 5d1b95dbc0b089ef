"""Small charts of characters."""

from __future__ import annotations

from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII = "_.-:=+*#"
_FULL, _EMPTY, _ASCII_FULL, _ASCII_EMPTY = "█", "░", "#", "."


def has_blocks(encoding: str | None) -> bool:
    """Whether a stream of that encoding takes block characters."""
    try:
        (_BLOCKS + _EMPTY + "·→│╭").encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def sparkline(values: Sequence[float | None], width: int, blocks: bool) -> str:
    """At most `width` characters for the values, the oldest at the left, several values to a character by their mean;
    a blank where there are none. The highest is a full one, and 0 the lowest: a flat line of zeros stays at the
    bottom."""
    levels = _BLOCKS if blocks else _ASCII
    cells = _cells(values, width)
    top = max((cell for cell in cells if cell is not None), default=0.0)
    return "".join(" " if cell is None else levels[_level(cell, top, len(levels))] for cell in cells)


def _level(value: float, top: float, levels: int) -> int:
    if value <= 0 or top <= 0:
        return 0
    return max(1, min(levels - 1, round(value / top * (levels - 1))))


def _cells(values: Sequence[float | None], width: int) -> list[float | None]:
    count = min(width, len(values))
    found: list[float | None] = []
    for number in range(count):
        part = values[number * len(values) // count : (number + 1) * len(values) // count]
        known = [value for value in part if value is not None]
        found.append(sum(known) / len(known) if known else None)
    return found


def bar(share: float, width: int, blocks: bool) -> str:
    """A bar of `width` characters, full up to `share` (0 to 1)."""
    full = round(max(0.0, min(1.0, share)) * width)
    on, off = (_FULL, _EMPTY) if blocks else (_ASCII_FULL, _ASCII_EMPTY)
    return on * full + off * (width - full)


def tall_chart(values: Sequence[float | None], width: int, height: int, blocks: bool) -> list[str]:
    """The same as `height` lines, the highest first."""
    levels = _BLOCKS if blocks else _ASCII
    cells = _cells(values, width)
    top = max((cell for cell in cells if cell is not None), default=0.0)
    steps = len(levels)
    heights = [0 if not cell or top <= 0 else max(2, round(cell / top * height * steps)) for cell in cells]
    lines = []
    for row in range(height - 1, -1, -1):
        filled = [min(steps, max(0, each - row * steps)) for each in heights]
        bottom = [" " if cell is None else levels[0] for cell in cells] if row == 0 else [" "] * len(cells)
        lines.append("".join(levels[each - 1] if each else under for each, under in zip(filled, bottom, strict=True)))
    return lines
