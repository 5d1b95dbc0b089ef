"""The slices of a part, read ahead and handed to the kernel; and what was read of each."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from glue_job.ahead import begun_ahead, read_ahead
from glue_job.compression import decompressed, skipped
from glue_job.kernel import Bad, Found, Kernel
from glue_job.lines import Chunk, ChunkReader, Line, count_records
from glue_job.plan import Slice
from glue_job.store import BLOCK_BYTES, InputFile, Store, read_blocks
from ndjctl.contracts import MIB

TOGETHER_BYTES = MIB
"""Chunks of small files are read together up to this: a reading costs as much as a hundred lines before its first."""

_TOGETHER_LEAST = 256 * 1024
"""A chunk of this size is read alone."""


@dataclass
class SliceResult:
    """What was read of one slice. lines: those that are not blank. first_offset, next_offset: see ChunkReader.
    text_bytes: size of the file's text, known to the slice that reads to its end, else None. first_bad: the first bad
    line in words."""

    piece: Slice
    first_offset: int | None = None
    next_offset: int = 0
    text_bytes: int | None = None
    lines: int = 0
    rows: int = 0
    bad_lines: int = 0
    first_bad: str = ""

    def count_bad_line(self, bad: Bad) -> None:
        self.bad_lines += 1
        if not self.first_bad:
            line = bad.line
            where = f"byte {line.offset}" if line.number is None else f"line {line.number}"
            self.first_bad = f"{where}, {bad.reason}"


class Reading:
    """results: of every slice, in their order; complete when found() is exhausted. current: index of the file that is
    being read, for whoever catches an error."""

    def __init__(
        self,
        store: Store,
        files: Mapping[int, InputFile],
        codecs: Mapping[int, str],
        slices: Sequence[Slice],
        max_line_bytes: int,
    ) -> None:
        self._store = store
        self._files = files
        self._codecs = codecs
        self._max_line_bytes = max_line_bytes
        self.results = [SliceResult(piece, next_offset=piece.start) for piece in slices]
        self.current = slices[0].file if slices else 0

    @contextmanager
    def found(self, kernel: Kernel) -> Iterator[Iterator[tuple[SliceResult, Found]]]:
        """What the kernel makes of the lines, in their order, with the slice that they are of. Raises as
        glue_job.store and glue_job.compression do."""
        with begun_ahead(self.results, self._blocks, self._first_bytes) as begun:
            yield _found(self._chunks(begun), kernel)

    def _first_bytes(self, result: SliceResult) -> int:
        piece = result.piece
        size_bytes = self._files[piece.file].size_bytes if piece.end is None else piece.end - piece.start
        return min(size_bytes, BLOCK_BYTES)

    def _blocks(self, result: SliceResult) -> Iterator[bytes]:
        piece = result.piece
        file = self._files[piece.file]
        start = ChunkReader.first_byte(piece.start)
        codec = self._codecs.get(piece.file)
        if codec is None:
            return read_blocks(self._store, file, start, file.size_bytes if piece.end is None else piece.end)
        compressed = read_blocks(self._store, file, 0, file.size_bytes)
        content = _counted(decompressed(compressed, codec), result) if piece.end is None else None
        return skipped(content or decompressed(compressed, codec), start)

    def _chunks(
        self, begun: Iterator[tuple[SliceResult, Iterator[bytes]]]
    ) -> Iterator[tuple[SliceResult, Chunk | Line]]:
        for result, blocks in begun:
            piece = result.piece
            self.current = piece.file
            end = sys.maxsize if piece.end is None else piece.end
            is_long = (
                piece.end is None or piece.end - piece.start > BLOCK_BYTES
            )  # else there is nothing to do meanwhile
            with read_ahead(blocks) if is_long else nullcontext(blocks) as drawn:
                chunks = ChunkReader(drawn, piece.start, end, self._max_line_bytes)
                for chunk in chunks:
                    result.lines += count_records(chunk)  # not what the kernel made of it, which is compared with this
                    held = [(result, chunk)]
                    del chunk  # as in ChunkReader
                    yield held.pop()
            result.first_offset, result.next_offset = chunks.first_offset, chunks.next_offset


def _counted(blocks: Iterator[bytes], result: SliceResult) -> Iterator[bytes]:
    count = 0
    for block in blocks:
        count += len(block)
        yield block
    result.text_bytes = count


def _found(chunks: Iterator[tuple[SliceResult, Chunk | Line]], kernel: Kernel) -> Iterator[tuple[SliceResult, Found]]:
    """Small chunks are read together where the kernel can."""
    small: list[tuple[SliceResult, Chunk]] = []
    size_bytes = 0
    for result, chunk in chunks:
        if isinstance(chunk, Chunk) and chunk.is_regular and len(chunk.data) < _TOGETHER_LEAST:
            small.append((result, chunk))
            size_bytes += len(chunk.data)
            if size_bytes < TOGETHER_BYTES:
                continue
            yield from _of_small(small, kernel)
            small, size_bytes = [], 0
            continue
        yield from _of_small(small, kernel)
        small, size_bytes = [], 0
        made = kernel.read(chunk)
        del chunk
        for found in made:
            yield result, found
    yield from _of_small(small, kernel)


def _of_small(small: Sequence[tuple[SliceResult, Chunk]], kernel: Kernel) -> Iterator[tuple[SliceResult, Found]]:
    batches = kernel.read_together([chunk for _, chunk in small]) if len(small) > 1 else None
    for number, (result, chunk) in enumerate(small):
        if batches is not None:
            yield result, batches[number]
        else:
            for found in kernel.read(chunk):
                yield result, found
