"""Which part of the output takes which bytes of which files. A pure function of the manifest: a second attempt plans
the same parts, so it overwrites what the first one wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ndjctl.contracts import MIB, ManifestFile

PART_INPUT_BYTES = 512 * MIB
"""Most input of a part. NDJSON becomes Parquet of about a fifth to a third of its size."""

PART_FILES = 1_000


@dataclass(frozen=True)
class Slice:
    """The lines that start in bytes [start, end) of a file. file: index into the manifest's files."""

    file: int
    start: int
    end: int


@dataclass(frozen=True)
class Part:
    """number: from 0. slices: in the order of the rows."""

    number: int
    slices: tuple[Slice, ...]

    def without(self, files: frozenset[int]) -> Part:
        """The same part without the slices of these files: its number and name stay."""
        return Part(self.number, tuple(piece for piece in self.slices if piece.file not in files))


def plan_parts(
    files: Sequence[ManifestFile], part_input_bytes: int = PART_INPUT_BYTES, part_files: int = PART_FILES
) -> tuple[Part, ...]:
    """Files larger than a part are split into equal byte ranges, a part each; the others are packed in the manifest's
    order. Every byte of every file is in exactly one slice."""
    groups: list[list[Slice]] = []
    pack: list[Slice] = []
    pack_bytes = 0
    for index, file in enumerate(files):
        if file.size_bytes > part_input_bytes:
            count = -(-file.size_bytes // part_input_bytes)
            cuts = [file.size_bytes * cut // count for cut in range(count + 1)]
            groups.extend([Slice(index, start, end)] for start, end in pairwise(cuts))
            continue
        if pack and (pack_bytes + file.size_bytes > part_input_bytes or len(pack) == part_files):
            groups.append(pack)
            pack, pack_bytes = [], 0
        pack.append(Slice(index, 0, file.size_bytes))
        pack_bytes += file.size_bytes
    if pack:
        groups.append(pack)
    return tuple(Part(number, tuple(slices)) for number, slices in enumerate(groups))
