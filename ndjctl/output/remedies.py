"""How remedies look: a command a line that can be typed as it stands, and what to know about it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ndjctl.health.model import Remedy
from ndjctl.output.base import one_line
from ndjctl.output.shell import quoted

if TYPE_CHECKING:
    from rich.console import RenderableType

Typed = Callable[[Remedy], str]
"""A remedy as it is typed; empty where it is no command."""

INDENT = "      "
_CONTINUED = " \\"


def remedy_document(remedy: Remedy, typed: Typed) -> dict[str, Any]:
    return {"command": typed(remedy) or None, "hint": remedy.hint or None}


def remedy_lines(remedies: Iterable[Remedy], typed: Typed, width: int) -> Iterator[RenderableType]:
    """width: columns. A longer command is continued behind backslashes, as a shell takes it."""
    from rich.text import Text

    for remedy in remedies:
        command = typed(remedy)
        for number, line in enumerate(command_lines(command, width - len(INDENT) - 2)):
            yield Text(f"{INDENT}{'$ ' if number == 0 else '  '}{line}", style="bold", no_wrap=True, overflow="ignore")
        if remedy.hint:
            yield indented(remedy.hint, width, "dim", 8 if command else 6)


def command_lines(command: str, width: int) -> list[str]:
    """The command in lines of at most `width` columns, where its words let it, joined by backslashes."""
    lines: list[str] = []
    for piece in _pieces(command):
        if lines and len(lines[-1]) + 1 + len(piece) + len(_CONTINUED) <= width:
            lines[-1] += f" {piece}"
            continue
        if lines:
            lines[-1] += _CONTINUED
        lines.append(piece)
    return lines


def _pieces(command: str) -> Iterator[str]:
    """Its words as they are typed, an option together with its value."""
    option = ""
    for word in shlex.split(command):
        typed = quoted(word)
        if word.startswith("-"):
            if option:
                yield option
            option = typed
            continue
        yield f"{option} {typed}" if option else typed
        option = ""
    if option:
        yield option


def indented(text: str, width: int, style: str = "", indent: int = len(INDENT)) -> RenderableType:
    """A paragraph within so many columns."""
    from rich.constrain import Constrain
    from rich.padding import Padding
    from rich.text import Text

    return Constrain(Padding(Text(one_line(text), style=style), (0, 0, 0, indent), expand=False), width)


_CLIPPED_CHARS = 240


def clipped(text: str) -> str:
    """One line of evidence for a screen: the middle of a long one is left out, for keys may have 1,024 bytes. --json
    has all of it."""
    line = one_line(text)
    kept = (_CLIPPED_CHARS - 3) // 2
    return line if len(line) <= _CLIPPED_CHARS else f"{line[:kept]}...{line[-kept:]}"
