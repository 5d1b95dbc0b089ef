"""Where the values of slots come from: for many records at once, in a few calls that run at the speed of C. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

POOL = 4096
"""Values that a pool has. Each file and block begins at another place in each pool, so that their combinations do not
repeat."""

LINES_OF_A_FILE = 10**9
"""Most lines of a file whose numbers do not run into those of the next one."""

_SECONDS_OF_A_DAY = 86_400


@dataclass(frozen=True)
class Stretch:
    """Consecutive lines of one file. first: number of the first one in its file, from 0. round: how often all bases
    were begun before. entropy: 64 bits that depend on the seed, the file and the line."""

    file: int
    first: int
    count: int
    round: int
    entropy: int


class Column(Protocol):
    def values(self, stretch: Stretch, index: int) -> Sequence[Any]:
        """One for each line of the stretch. index: of this column among those of its shape."""
        ...


class Running:
    """Integers that no other line of these files has, from `begin` on."""

    def __init__(self, begin: int = 0) -> None:
        self._begin = begin

    def values(self, stretch: Stretch, index: int) -> Sequence[int]:
        first = self._begin + stretch.file * LINES_OF_A_FILE + stretch.first
        return range(first, first + stretch.count)


class Pool:
    """values: POOL of them, as the bytes that %b takes: it is twice as fast as %d."""

    def __init__(self, values: Sequence[bytes]) -> None:
        self._size = len(values)
        self._twice = [*values, *values]  # so that a slice never has to go round

    def values(self, stretch: Stretch, index: int) -> Sequence[bytes]:
        # Other bits for each column, by a multiplication that is prime to 2**64.
        at = (stretch.entropy * (2 * index + 0x9E3779B1) >> 17) % self._size
        return self._twice[at : at + stretch.count]


class Clock:
    """HH:MM:SS, a second later with each round of bases, which have their milliseconds themselves."""

    def __init__(self, seconds_before: int) -> None:
        self._before = seconds_before

    def values(self, stretch: Stretch, index: int) -> Sequence[bytes]:
        second = (self._before + 61 * stretch.file + stretch.round) % _SECONDS_OF_A_DAY
        text = b"%02d:%02d:%02d" % (second // 3600, second // 60 % 60, second % 60)
        return [text] * stretch.count
