"""The bytes of one generated file, block by block, and what is in them. Pure.

A block is one `%` of Python: a template of many lines, filled with a tuple of values that slices of pools make. Lines
that are special are put into the finished block.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from math import ceil
from typing import Any

from ndjctl.generate.bad_lines import LIGHT_KINDS, Spoiler
from ndjctl.generate.columns import LINES_OF_A_FILE, Stretch
from ndjctl.generate.drift import Drift, drifts, fresh
from ndjctl.generate.fitting import Rounds, check_fits, fixed, largest
from ndjctl.generate.mix import derived, mixed
from ndjctl.generate.places import BAD, special_lines, spread
from ndjctl.generate.recipe import Recipe, RecipeError
from ndjctl.generate.record import DriftedPlace, FileFacts
from ndjctl.generate.shapes import shape_of
from ndjctl.generate.values import Template, replaced, template

_LARGEST_DRIFT = Fraction(1, 3)
"""Of the good lines: what the others show is to be the schema, wherever one looks."""

_VALUES_SLACK = 1.05
"""Lines of one template differ in length by the digits of their numbers. Measured: 1.6% in `events`, 6.5% in one line
of `flat`, less in many."""

_MARGIN_LINES = 8

BLOCK_BYTES = 64 * 1024
"""About as much as a block has. It fits into the processor's caches, and the allocator does not give its memory back to
the system after each one: twice that costs a third of the speed."""


class Generator:
    """Makes files by one recipe; built once, which takes some tenths of a second, and then used for all of them. Not
    for several threads at once. Raises RecipeError for a recipe that nothing can be made of."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.shape = shape_of(recipe)
        try:
            self.templates = [template(base) for base in self.shape.bases]
        except UnicodeEncodeError as error:
            raise RecipeError("A field's name in the schema is no valid text: UTF-8 has no lone surrogates.") from error
        self.slots = self.templates[0].columns
        assert all(each.columns == self.slots for each in self.templates)  # noqa: S101 - shapes promise it
        self._columns = sorted(set(self.slots))
        names = {name.lower() for base in self.shape.bases for name in base}
        self.spoiler = Spoiler(fresh("spoiled", names), recipe.huge_lines, recipe.max_line_bytes)
        sizes = [len(line) for line in self.sample()]
        self.mean_line_bytes = sum(sizes) / len(sizes)
        self.longest_line_bytes = max(sizes)
        self._rounds = Rounds(sizes, _VALUES_SLACK)
        self.block_lines = max(1, min(len(self.templates), int(BLOCK_BYTES / self.mean_line_bytes)))
        self._texts: dict[int, bytes] = {}
        self._variants: dict[tuple[int, int], tuple[bytes, tuple[int, ...]]] = {}
        bad, drift = recipe.bad.count, recipe.drift.count
        # The estimate that the first versions had, as far as it goes: other places were other bytes.
        is_rough = drift <= self._good_lines(self._least_lines(bad, drift), bad) * _LARGEST_DRIFT
        least = self._least_lines(bad, drift) if is_rough else self._most_sure_lines(bad, drift)
        self.bad = fixed(recipe.bad, least)
        self.drift = fixed(recipe.drift, self._good_lines(least, bad))
        check_fits(recipe.bad, lambda count: count <= self._least_lines(count, 0), "bad lines")
        check_fits(
            recipe.drift, lambda count: self._drift_fits(recipe.bad.count, count), "drifted records", _LARGEST_DRIFT
        )
        _check(self)

    @cached_property
    def drifts(self) -> tuple[Drift, ...]:
        return drifts(self.shape)

    def content(self, number: int) -> FileContent:
        """The file of that number, from 0. The same number is the same bytes."""
        return FileContent(self, number)

    def expected_bytes(self) -> int:
        """Of a file: exact within a record for a recipe with a size, about so many for one with lines."""
        recipe = self.recipe
        if recipe.size_bytes is not None:
            return recipe.size_bytes
        return round((recipe.lines or 0) * self.mean_line_bytes) + self.spoiler.huge_bytes()

    def expected_lines(self) -> int:
        """Of a file, about."""
        if self.recipe.lines is not None:
            return self.recipe.lines
        return max(1, round((self.expected_bytes() - self.spoiler.huge_bytes()) / self.mean_line_bytes))

    def text(self, base: int, count: int) -> bytes:
        """The template of so many lines from that base on; they are in one block."""
        if base % self.block_lines or count < min(self.block_lines, len(self.templates) - base):
            return b"".join(each.text for each in self.templates[base : base + count])
        if base not in self._texts:
            self._texts[base] = b"".join(each.text for each in self.templates[base : base + count])
        return self._texts[base]

    def variant(self, base: int, number: int) -> tuple[bytes, tuple[int, ...]]:
        """The template of a base with the drift `number`, and which of the base's values it takes; without the line's
        end."""
        key = (base, number)
        if key not in self._variants:
            drift = self.drifts[number]
            changed = template(replaced(self.shape.bases[base], drift.path, drift.value))
            self._variants[key] = (changed.text[:-1], _positions(self.templates[base], changed))
        return self._variants[key]

    def args(self, stretch: Stretch) -> list[Any]:
        """The values of all slots of all lines, line by line."""
        width = len(self.slots)
        args: list[Any] = [None] * (stretch.count * width)
        filled = {at: self.shape.columns[at].values(stretch, at) for at in self._columns}
        for position, at in enumerate(self.slots):
            args[position::width] = filled[at]
        return args

    def sample(self) -> Iterator[bytes]:
        """A good line of every base."""
        count = len(self.templates)
        args = self.args(Stretch(1, 0, count, 0, mixed(self.recipe.seed)))
        width = len(self.slots)
        for at, each in enumerate(self.templates):
            yield each.text % tuple(args[at * width : (at + 1) * width])

    def room_for_bad_lines(self, most: int) -> int:
        """How many bad lines of each file, instead of the recipe's, there is room for beside the drift; at most so
        many."""
        drift = self.recipe.drift.count
        return largest(most, lambda count: count <= self._least_lines(count, 0) and self._drift_fits(count, drift))

    def _drift_fits(self, bad: int, drift: int) -> bool:
        return drift <= self._good_lines(self._most_sure_lines(bad, drift), bad) * _LARGEST_DRIFT

    def _good_lines(self, least: int, bad: int) -> int:
        """Of a file with at least so many lines and so many bad ones: so many there are for sure."""
        share = self.recipe.bad.share
        # A share is met as well as whole lines can: one more than it, at most.
        return least - (bad or (int(least * share) + 1 if share else 0))

    def _least_lines(self, bad: int, drift: int) -> int:
        """Of a file with so many bad lines and drifted records: so many there are for sure."""
        recipe = self.recipe
        if recipe.lines is not None:
            return recipe.lines
        # A bad line is longer than a good one by some hundred bytes, a drifted one by some dozens.
        spoiled = bad * 2 * self.longest_line_bytes + bad * 256 + drift * 128
        size = (recipe.size_bytes or 0) - self.spoiler.huge_bytes() - spoiled
        # The bases come in turn: whole rounds of them have the mean, but for the chance of their values.
        in_rounds = int(size / (_VALUES_SLACK * self.mean_line_bytes)) - len(self.templates)
        return max(size // self.longest_line_bytes, in_rounds, 0)

    def _most_sure_lines(self, bad: int, drift: int) -> int:
        """The same, closer to what there is: only one of the kinds of bad lines is twice as long as a good one."""
        least = self._least_lines(bad, drift)
        if self.recipe.size_bytes is None:
            return least
        spoiled = ceil(bad / LIGHT_KINDS) * self.longest_line_bytes + bad * 256 + drift * 128
        return max(least, self._rounds.least_lines(self.recipe.size_bytes - self.spoiler.huge_bytes() - spoiled))


def _positions(base: Template, changed: Template) -> tuple[int, ...]:
    """Where in the base's values those of a template are that lacks some of its slots."""
    positions: list[int] = []
    at = 0
    left = len(base.columns) - len(changed.columns)
    # What is left out is one value or one struct: a stretch of slots.
    while at < len(changed.columns) and base.columns[at] == changed.columns[at]:
        at += 1
    while left and base.columns[at + left :] != changed.columns[at:]:
        at -= 1
    positions += range(at)
    positions += range(at + left, len(base.columns))
    return tuple(positions)


def _check(generator: Generator) -> None:
    recipe = generator.recipe
    if (recipe.lines is None) == (recipe.size_bytes is None):
        raise RecipeError("A file has a number of lines or a size: say one of the two.")
    if (recipe.lines or recipe.size_bytes or 0) < 1:
        raise RecipeError("A file has at least one line and one byte.")
    if generator.expected_lines() > LINES_OF_A_FILE // 2:
        raise RecipeError(f"A file has at most {LINES_OF_A_FILE // 2:,} lines.")
    if recipe.huge_lines > (recipe.bad.count or generator.expected_lines() * recipe.bad.share):
        raise RecipeError("There are more huge lines than bad lines, of which they are a part.")


class FileContent:
    """Iterates over the bytes of one file in blocks of whole lines; iterating again gives the same bytes again.
    `facts` is there when an iteration has come to its end."""

    def __init__(self, generator: Generator, number: int) -> None:
        self._generator = generator
        self._entropy = derived(generator.recipe.seed, "file", number)
        self.number = number
        self.facts: FileFacts | None = None

    def __iter__(self) -> Iterator[bytes]:
        """Raises RecipeError where what was asked for in numbers did not fit into the size."""
        self.facts = None
        tally = _Tally()
        generator, size_bytes = self._generator, self._generator.recipe.size_bytes
        specials = _Specials(self._entropy, generator)
        digest = hashlib.sha256()
        is_whole = True
        while is_whole and not self._is_enough(tally):
            stretch, base = self._next_stretch(tally)
            args = generator.args(stretch)
            block = generator.text(base, stretch.count) % tuple(args)
            special = specials.until(tally.lines + stretch.count)
            room = None if size_bytes is None else size_bytes - tally.size_bytes
            if special or (room is not None and len(block) > room):
                block, kept = self._with_specials(block, special, args, base, tally, room)
                is_whole = kept == stretch.count
                tally.lines += kept
            else:
                tally.lines += stretch.count
            tally.size_bytes += len(block)
            digest.update(block)
            if block:
                yield block
        self._finish(tally, digest.hexdigest())

    def _is_enough(self, tally: _Tally) -> bool:
        recipe = self._generator.recipe
        return tally.lines == recipe.lines if recipe.lines is not None else tally.size_bytes == recipe.size_bytes

    def _next_stretch(self, tally: _Tally) -> tuple[Stretch, int]:
        """(the next lines, not many more than are needed; which base the first of them has)."""
        generator, recipe = self._generator, self._generator.recipe
        at = self._entropy % len(generator.templates) + tally.lines  # every file begins with another base
        round_, base = divmod(at, len(generator.templates))
        if recipe.lines is not None:
            needed = recipe.lines - tally.lines
        else:
            left = (recipe.size_bytes or 0) - tally.size_bytes
            needed = int(left / generator.mean_line_bytes) + _MARGIN_LINES
        count = min(generator.block_lines - base % generator.block_lines, len(generator.templates) - base, needed)
        return Stretch(self.number, tally.lines, count, round_, mixed(self._entropy ^ mixed(tally.lines))), base

    def _with_specials(
        self,
        block: bytes,
        special: Sequence[tuple[int, str, int]],
        args: Sequence[Any],
        base: int,
        tally: _Tally,
        room: int | None,
    ) -> tuple[bytes, int]:
        """(the block with its special lines, cut where the size is reached; how many lines it has). Counts the
        special ones."""
        generator = self._generator
        lines = block.split(b"\n")
        lines.pop()
        width = len(generator.slots)
        notes: dict[int, str | DriftedPlace] = {}
        for number, kind, before in special:
            at = number - tally.lines
            if kind == BAD:
                notes[at], lines[at] = generator.spoiler.spoiled(before, lines[at])
            else:
                which = (before + self._entropy) % len(generator.drifts)
                text, positions = generator.variant(base + at, which)
                lines[at] = text % tuple(args[at * width + position] for position in positions)
                notes[at] = generator.drifts[which].place
        kept = len(lines) if room is None else _fitting(lines, room, is_first=not tally.lines)
        for at, note in notes.items():
            if at < kept:
                (tally.drifted if isinstance(note, DriftedPlace) else tally.bad_lines)[note] += 1  # type: ignore[index]
        if kept < len(lines):
            del lines[kept:]
        return b"\n".join([*lines, b""]), kept

    def _finish(self, tally: _Tally, hex_digest: str) -> None:
        recipe = self._generator.recipe
        for amount, made, what in (
            (recipe.bad, tally.bad_lines, "bad lines"),
            (recipe.drift, tally.drifted, "drifted records"),
        ):
            if amount.count and sum(made.values()) != amount.count:
                raise RecipeError(f"{amount.count:,} {what} do not fit into a file of this size: ask for fewer.")
        self.facts = FileFacts(
            self.number,
            tally.size_bytes,
            tally.lines,
            f"sha256:{hex_digest}",
            dict(sorted(tally.bad_lines.items())),
            dict(sorted(tally.drifted.items())),
        )


class _Tally:
    def __init__(self) -> None:
        self.lines = 0
        self.size_bytes = 0
        self.bad_lines: Counter[str] = Counter()
        self.drifted: Counter[DriftedPlace] = Counter()


class _Specials:
    """The special lines of one file, taken block by block."""

    def __init__(self, entropy: int, generator: Generator) -> None:
        bad, drift = generator.bad, generator.drift
        self._lines = special_lines(
            spread(bad.share, bad.count or None, mixed(entropy ^ 1)),
            spread(drift.share, drift.count or None, mixed(entropy ^ 2), keeps_first=True),
        )
        self._next = next(self._lines, None)

    def until(self, line: int) -> list[tuple[int, str, int]]:
        """Those before the line of that number which were not taken yet."""
        found = []
        while self._next is not None and self._next[0] < line:
            found.append(self._next)
            self._next = next(self._lines, None)
        return found


def _fitting(lines: Sequence[bytes], room: int, is_first: bool) -> int:
    """How many of them fit; one at least at the beginning of a file."""
    for number, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            return max(number, 1) if is_first else number
    return len(lines)
