"""How many special lines have room in a file. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import accumulate

from ndjctl.generate.recipe import Amount, RecipeError


def fixed(amount: Amount, lines: int) -> Amount:
    """An amount with the share that its places are found by: a number of each file is spread over the lines that there
    are for sure."""
    return Amount(amount.count, Fraction(amount.count, max(lines, 1))) if amount.count else amount


def check_fits(amount: Amount, fits: Callable[[int], bool], what: str, most: Fraction = Fraction(1)) -> None:
    """fits: whether so many of each file have room in it. most: share of the lines. Raises RecipeError, naming how many
    there is room for."""
    if amount.share > most:
        raise RecipeError(f"{float(amount.share):.3%} {what} are too many: {float(most):.0%} at most.")
    if amount.count and not fits(amount.count):
        room = largest(amount.count, fits)
        told = f"there is room for {room:,}; ask for fewer" if room else "there is room for none; ask for none"
        raise RecipeError(f"{amount.count:,} {what} do not fit into a file: {told}, or for larger files.")


def largest(most: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `most` that fits, 0 where none does. All numbers below one that fits do."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


class Rounds:
    """Lines of known lengths that come in turn, from any of them on, again and again. slack: that the chance of their
    values adds to a sum of lengths, beside one longest line."""

    def __init__(self, lengths: Sequence[int], slack: float) -> None:
        self._count = len(lengths)
        self._slack = slack
        self._longest = max(lengths)
        # Twice, so that a stretch from any of them on is a difference of two sums.
        self._sums = list(accumulate((*lengths, *lengths), initial=0))

    def least_lines(self, size_bytes: int) -> int:
        """How many of them surely fit into so many bytes, wherever it begins."""
        room = (size_bytes - self._longest) / self._slack
        if room <= 0:
            return 0
        whole, left = divmod(room, self._sums[self._count])
        return int(whole) * self._count + largest(self._count - 1, lambda lines: self._most_bytes(lines) <= left)

    def _most_bytes(self, lines: int) -> int:
        return max(self._sums[begin + lines] - self._sums[begin] for begin in range(self._count))
