"""Which lines of a file are bad, and which records drift: exactly as many as asked for, spread over the file. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from ndjctl.generate.mix import mixed

BAD, DRIFTED = "bad", "drifted"


def spread(share: Fraction, most: int | None, entropy: int, keeps_first: bool = False) -> Iterator[int]:
    """Ascending numbers from 0 on, one at a pseudo-random place of every 1/share; `most` of them, or without end.

    keeps_first: never the first place of a window, if it has two: so at every point most of what came before was not
    chosen, if the share is no more than a third.
    """
    number = 0
    while share and (most is None or number < most):
        begin = -(-number * share.denominator // share.numerator)
        width = -(-(number + 1) * share.denominator // share.numerator) - begin
        skip = 1 if keeps_first and width > 1 else 0
        yield begin + skip + (mixed(entropy + number) * (width - skip) >> 64)
        number += 1


def special_lines(bad: Iterator[int], drifted: Iterator[int]) -> Iterator[tuple[int, str, int]]:
    """(number of the line, BAD or DRIFTED, how many of its kind came before), ascending. bad: numbers of lines.
    drifted: numbers among the lines that are not bad."""
    next_bad, bads = next(bad, None), 0
    next_drifted, drifts = next(drifted, None), 0
    while next_bad is not None or next_drifted is not None:
        if next_drifted is None or (next_bad is not None and next_bad <= next_drifted + bads):
            assert next_bad is not None  # noqa: S101 - for the type checker
            yield next_bad, BAD, bads
            bads += 1
            next_bad = next(bad, None)
        else:
            yield next_drifted + bads, DRIFTED, drifts
            drifts += 1
            next_drifted = next(drifted, None)
