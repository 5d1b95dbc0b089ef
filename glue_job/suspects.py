"""Guesses which lines have a value that does not fit its column, from the ones that had. Pure.

pyarrow fails on such a value, and a failure costs the reading of all lines up to it. Where a field has misfitting
values now and then, it is cheaper to look for them first. A wrong guess costs the strict reading of a line and nothing
else, so this need not know JSON: the name of the field, and what a fitting value begins with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from glue_job import schema
from glue_job.conform import Misfit

_MOST = 6
"""Fields that are looked for; each costs about a second per gigabyte."""

_PATIENCE = 2_000
"""Lines without a right guess after which a field is no longer looked for."""

_FITTING = {
    schema.INT64: rb"-?[0-9]{1,18}[ \t]*[,}]",
    schema.DOUBLE: rb"-?[0-9]",
    schema.STRING: rb'"',
    schema.UNKNOWN: rb'"',
    schema.BOOL: rb"true|false",
    schema.STRUCT: rb"\{",
    schema.LIST: rb"\[",
}


@dataclass
class _Guess:
    name: bytes  # in quotes
    fits: re.Pattern[bytes]  # what follows the name, if it is no field's or the value fits
    lines: int = 0  # since the last right guess
    balance: int = 0  # right guesses less wrong ones


class Suspects:
    """Learns from misfits and is told how good its guesses were."""

    def __init__(self) -> None:
        self._guesses: dict[tuple[str, str], _Guess] = {}

    def __bool__(self) -> bool:
        return bool(self._guesses)

    def learn(self, misfits: Iterable[Misfit]) -> None:
        """misfits: of a line that pyarrow refused."""
        for path, _, expected in misfits:
            name = None if path is None else path[1]
            if expected is None or type(name) is not str or (name, expected) in self._guesses:
                continue
            if len(self._guesses) < _MOST:
                quoted = json.dumps(name, ensure_ascii=False).encode()
                fits = re.compile(rb"\s*(?::\s*(?:null|%b)|[^:\s])" % _FITTING[expected])
                self._guesses[name, expected] = _Guess(quoted, fits)

    def find(self, lines: bytes, count: int) -> Iterator[tuple[int, tuple[str, str]]]:
        """What is suspicious about these lines: (position, key for judge()). count: of the lines."""
        for key, guess in self._guesses.items():
            guess.lines += count
            # Not one pattern for both: bytes.find() is several times as fast as re from one name to the next.
            at = lines.find(guess.name)
            while at >= 0:
                behind = at + len(guess.name)
                if guess.fits.match(lines, behind) is None:
                    yield at, key
                at = lines.find(guess.name, behind)

    def judge(self, key: tuple[str, str], was_right: bool) -> None:
        guess = self._guesses.get(key)
        if guess is None:
            return
        guess.balance += 1 if was_right else -1
        if was_right:
            guess.lines = 0

    def forget(self) -> None:
        """Drops the guesses that do not pay."""
        poor = [key for key, guess in self._guesses.items() if guess.balance < -10 or guess.lines > _PATIENCE]
        for key in poor:
            del self._guesses[key]
