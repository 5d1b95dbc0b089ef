"""The shape of a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.drift.hands import Hands


@dataclass(frozen=True)
class Row:
    """One change by hand. resource: its id, with {n.attribute} for names and {script}, {library}, {zip} for the files
    of the code. fields: the paths that drift must name; none where the resource is gone. writes: the calls that mend
    it, as service:Operation, apart from the record of the deployment. is_alone: no other change is made beside it."""

    about: str
    resource: str
    fields: tuple[str, ...]
    writes: frozenset[str]
    edit: Callable[[Hands], Any]
    is_alone: bool = False


def row(
    about: str,
    resource: str,
    fields: str | tuple[str, ...],
    writes: str,
    edit: Callable[[Hands], Any],
    *,
    is_alone: bool = False,
) -> Row:
    """fields: one, several, or '' for a resource that is gone. writes: separated by spaces."""
    several = (fields,) if isinstance(fields, str) else fields
    return Row(about, resource, tuple(filter(None, several)), frozenset(writes.split()), edit, is_alone)
