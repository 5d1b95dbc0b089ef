"""Which part of the output takes which bytes of which files. Pure.

The files of a manifest are taken as one long text and cut into parts of the same size, wherever in a file that is: so
no part is a straggler, whatever the sizes of the files. How many parts there are is decided once for a manifest and
kept in its ledger item: a second attempt plans the same parts, so it overwrites what the first one wrote.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from ndjctl.contracts import MIB

PART_BYTES = 256 * MIB
"""Size of a Parquet part that is aimed at."""

LEAST_PART_BYTES = 128 * MIB
MOST_PART_BYTES = 512 * MIB
"""Between these, the number of parts is chosen so that all executors end together."""

MOST_INPUT_BYTES = 4096 * MIB
"""Of a part, however well it compresses: a part that fails is done again whole."""

_UNCUT_SHARE = 1 / 16
"""Of a part: a smaller file is not cut in two, because each piece is a request."""

_GAIN = 0.05
"""Share of the time that another number of parts has to save before it is preferred to that of the aimed-at size."""


@dataclass(frozen=True)
class Extent:
    """size_bytes: of a file's text. is_exact: False if that is an estimate (compressed files)."""

    size_bytes: int
    is_exact: bool = True


@dataclass(frozen=True)
class Slice:
    """The lines that start in bytes [start, end) of a file's text. file: index into the manifest's files. end: None for
    wherever the text ends."""

    file: int
    start: int
    end: int | None


@dataclass(frozen=True)
class Part:
    """number: from 0. slices: in the order of the rows."""

    number: int
    slices: tuple[Slice, ...]

    def without(self, files: frozenset[int]) -> Part:
        """The same part without the slices of these files: its number and name stay."""
        return Part(self.number, tuple(piece for piece in self.slices if piece.file not in files))


def count_parts(text_bytes: int, parquet_share: float, slots: int, part_bytes: int = PART_BYTES) -> int:
    """How many parts `text_bytes` of NDJSON are to become, at least 1. parquet_share: size of the Parquet as a share of
    the text's. slots: tasks that run at once. part_bytes: size of a part that is aimed at."""
    parquet_bytes = text_bytes * parquet_share
    least_bytes, most_bytes = min(LEAST_PART_BYTES, part_bytes), max(MOST_PART_BYTES, part_bytes)
    fewest = max(1, _ceil(parquet_bytes / most_bytes), _ceil(text_bytes / MOST_INPUT_BYTES))
    most = max(fewest, int(parquet_bytes / least_bytes))
    aimed = min(max(round(parquet_bytes / part_bytes), fewest), most)
    # Whole rounds of all slots; or, where there is less than a round, as many slots as have enough to do.
    full = list(range(_ceil(fewest / slots) * slots, most + 1, slots)) or [most]
    best = min(full, key=lambda count: (_rounds_time(count, slots), abs(count - aimed)))
    return best if _rounds_time(best, slots) < _rounds_time(aimed, slots) * (1 - _GAIN) else aimed


def _rounds_time(count: int, slots: int) -> float:
    """Time that `count` equal parts take, as a share of what one part of everything would."""
    return _ceil(count / slots) / count


def _ceil(number: float) -> int:
    return -int(-number // 1)


def plan_parts(files: Sequence[Extent], count: int) -> tuple[Part, ...]:
    """The files cut into `count` parts. Every byte of every file is in exactly one slice; a part may have none."""
    ends = list(accumulate(file.size_bytes for file in files))
    total = ends[-1] if ends else 0
    uncut_bytes = total / count * _UNCUT_SHARE
    cuts = [_snapped(total * number // count, files, ends, uncut_bytes) for number in range(1, count)]
    parts: list[list[Slice]] = [[] for _ in range(count)]
    for index, (file, end) in enumerate(zip(files, ends, strict=True)):
        begin = end - file.size_bytes
        inner = sorted(set(cuts[bisect_right(cuts, begin) : bisect_left(cuts, end)]))
        for start, stop in pairwise([begin, *inner, end]):
            is_open = stop == end and not file.is_exact
            piece = Slice(index, start - begin, None if is_open else stop - begin)
            parts[bisect_right(cuts, start)].append(piece)
    return tuple(Part(number, tuple(slices)) for number, slices in enumerate(parts))


def _snapped(cut: int, files: Sequence[Extent], ends: Sequence[int], uncut_bytes: float) -> int:
    """The cut, moved to the nearer end of a file that is too small to be cut."""
    index = bisect_left(ends, cut)
    if index == len(ends) or files[index].size_bytes > uncut_bytes:
        return cut
    begin = ends[index] - files[index].size_bytes
    return begin if cut - begin < ends[index] - cut else ends[index]
