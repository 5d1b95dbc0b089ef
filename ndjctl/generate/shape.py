"""What a shape of records is made of. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ndjctl.generate.columns import Column
from ndjctl.generate.values import Path, kinds


@dataclass(frozen=True)
class Shape:
    """bases: records that differ in their nesting, nulls and texts; a file is these in turn, each time with other
    values in their slots. All of them have the same slots in the same order. columns: where the slots' values come
    from. At most columns.POOL bases."""

    name: str
    bases: Sequence[dict[str, Any]]
    columns: Sequence[Column]

    def always_there(self) -> dict[Path, str]:
        """The places, reached without a list, that have a value of one kind in every base; by their kinds, in the order
        of the first base."""
        found = dict(kinds(self.bases[0]))
        for base in self.bases[1:]:
            here = dict(kinds(base))
            found = {path: kind for path, kind in found.items() if kind and here.get(path) == kind}
        return {path: kind for path, kind in found.items() if kind}
