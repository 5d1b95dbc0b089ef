"""Pseudo-random integers by splitmix64: integers in, integers out, the same on every Python and machine. Pure.

No cryptography, and none needed: what counts is that a seed fixes the bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15


def mixed(number: int) -> int:
    """64 bits that depend on every bit of `number`, of which the lowest 64 count."""
    number = (number + _GAMMA) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


def derived(*words: object) -> int:
    """64 bits from integers and texts, so that two uses of one seed have nothing to do with each other."""
    text = "\0".join(str(word) for word in words).encode("utf-8")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")


class Mix:
    """A stream of pseudo-random integers."""

    def __init__(self, *words: object) -> None:
        self._state = derived(*words)

    def bits(self) -> int:
        """64 of them."""
        self._state = (self._state + _GAMMA) & _MASK
        return mixed(self._state)

    def below(self, limit: int) -> int:
        """From 0 to limit - 1."""
        return self.bits() * limit >> 64

    def between(self, low: int, high: int) -> int:
        """Both included."""
        return low + self.below(high - low + 1)

    def one_in(self, count: int) -> bool:
        return self.below(count) == 0

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def skewed(self, choices: Sequence[T]) -> T:
        """The first ones far more often than the last: as words, shops and users are."""
        return choices[self.log_uniform(len(choices))]

    def sample(self, choices: Sequence[T], count: int) -> list[T]:
        """`count` different ones, in random order."""
        left = list(choices)
        return [left.pop(self.below(len(left))) for _ in range(min(count, len(left)))]

    def log_uniform(self, limit: int) -> int:
        """From 0 to limit - 1; each power of two as often as the next, so that small numbers are the most."""
        width = 1 + self.below(max(limit - 1, 1).bit_length())
        return min(self.below(1 << width), limit - 1)
