"""When the files of a test are due. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Pace(Protocol):
    """How files come in over time."""

    def due_s(self, number: int) -> float:
        """Seconds after the start at which file `number` (from 0) is due; never less than that of the one before."""
        ...

    def describe(self) -> str:
        """'11 files a second'."""
        ...


@dataclass(frozen=True)
class AtOnce:
    """As fast as it goes."""

    def due_s(self, number: int) -> float:
        return 0.0

    def describe(self) -> str:
        return "as fast as it goes"
