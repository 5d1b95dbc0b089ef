"""Lines of a terminal's width that break between words, so that names, keys and commands stay whole."""

from __future__ import annotations

import re

_UNIT = re.compile(r"\s*(?:(?<!\S)'[^']*'[^\s']*(?!\S)|\S+)")
"""A word with the blanks before it; or a command that a sentence quotes, with its blanks."""


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns. A quoted command that fits a line is not broken; a word that does not fit one
    is left as it is, for the terminal to break: whoever copies it has it whole."""
    from rich.cells import cell_len

    lines = [""]
    for unit in _units(text, width):
        if not lines[-1] or cell_len(lines[-1]) + cell_len(unit) <= width:
            lines[-1] += unit
        else:
            lines.append(unit.lstrip())
    return lines


def _units(text: str, width: int) -> list[str]:
    from rich.cells import cell_len

    found: list[str] = []
    for unit in _UNIT.findall(text):
        found += [unit] if cell_len(unit.lstrip()) <= width else re.findall(r"\s*\S+", unit)
    return found
