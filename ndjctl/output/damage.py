"""How outputs that cannot be read look: each with what is wrong, and once for each manifest what writes them again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ndjctl.damage import Damage
from ndjctl.output.base import one_line
from ndjctl.output.progress import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

Mend = Callable[[Damage], str]
"""What is typed to mend it; empty where no command does."""

LISTED = 10
"""Objects, and commands, that the console names; --json has them all."""


def damage_document(damaged: Sequence[Damage], mend: Mend) -> list[dict[str, Any]]:
    return [{"uri": each.uri, "why": each.why, "command": mend(each) or None} for each in damaged]


def damage_lines(damaged: Sequence[Damage], mend: Mend) -> list[RenderableType]:
    from rich.text import Text

    told = [one_line(f"damaged: {each.uri}: {each.why}") for each in damaged[:LISTED]]
    if len(damaged) > LISTED:
        told.append(f"damaged: and {len(damaged) - LISTED:,} more (see --json)")
    commands = list(dict.fromkeys(filter(None, map(mend, damaged))))
    told += [f"mend: {command}" for command in commands[:LISTED]]
    if len(commands) > LISTED:
        told.append(f"mend: and {counted(len(commands) - LISTED, 'more command')} (see --json)")
    return [Text(line, style="red") for line in told]


def passed_over(damaged: Sequence[Damage], mend: Mend) -> list[str]:
    """Lines for stderr, about parts that are not shown."""
    told = [f"{each.uri} is passed over: {_clause(each, mend)}" for each in damaged[:LISTED]]
    if len(damaged) > LISTED:
        told.append(f"{counted(len(damaged) - LISTED, 'more part')} passed over: 'output ls' lists them")
    return told


def none_readable(damaged: Sequence[Damage], mend: Mend) -> str:
    """A sentence about the first of them, where there is no other that can be read."""
    first = damaged[0]
    others = f"; {counted(len(damaged) - 1, 'other part')} cannot be read either" if len(damaged) > 1 else ""
    return f"{one_line(first.uri)}: {_clause(first, mend)}{others}."


def _clause(damage: Damage, mend: Mend) -> str:
    command = mend(damage)
    if not command:
        return f"{damage.why}; what wrote it has to write it again"
    return f"{damage.why}; '{command}' {'writes it again' if damage.manifest_id else 'says what it is'}"
