"""A stream of bytes to its lines with their offsets, in constant memory: one by one, or many together. Pure.

A reader of the byte range [start, end) owns the lines that start in it: it begins to read one byte earlier, to see
whether a line starts at `start` itself, and reads past `end` to finish its last line. So the ranges of a file, however
cut, give each of its lines once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import methodcaller
from typing import NamedTuple

from ndjctl.contracts import BLANK_BYTES, BYTE_ORDER_MARK, LINE_END, MIB, is_blank

MAX_LINE_BYTES = 64 * MIB
"""Longest line, without its line end, that is read as a record."""

KEPT_BYTES = 1024
"""What is kept of a longer one."""

CHUNK_BYTES = 4 * MIB + MIB // 4
"""Most bytes of lines that are given together; a longer line comes alone. A little above half of what is read at a
time, so that a block is two chunks and not two and a rest of a line or two, which would cost as much as a chunk."""

_LONG_LINE_BYTES = 300
"""From this average on, a look at every line end costs less than counting in all bytes."""


class Line(NamedTuple):
    """One line that is not blank. offset: of its first byte in the file. number: from 1, blank lines included, None if
    the reader did not begin at the file's start. data: without line end and byte order mark. size_bytes: of the line
    before its b"\\n". is_whole: False if the line was longer than the limit and `data` is only its beginning."""

    offset: int
    number: int | None
    data: bytes
    size_bytes: int
    is_whole: bool


class Chunk(NamedTuple):
    """Consecutive whole lines, each with its b"\\n" except perhaps the file's last. offset: of the first byte in the
    file. number: of the first line, as in Line. line_count: lines, blank ones included. is_regular: every line begins
    with { and ends with }, directly before its b"\\n" or b"\\r\\n"; so none is blank.
    blank_count: lines that are no records."""

    offset: int
    number: int | None
    data: bytes
    line_count: int
    is_regular: bool
    blank_count: int = 0


class ChunkReader:
    """Iterates over the lines owned by [start, end): chunks, and of every line beyond the limit its beginning, in the
    order of the file.

    blocks: consecutive bytes of the file from first_byte(start) on, to the end of the file; no more of them are drawn
    than needed. After the iteration `first_offset` is where the first owned line starts (None if none does, blank ones
    count) and `next_offset` where the first line that is no longer owned would: the ranges of a file fit together if
    each one's first_offset is the next_offset of the one before.
    """

    def __init__(
        self,
        blocks: Iterable[bytes],
        start: int,
        end: int,
        max_line_bytes: int = MAX_LINE_BYTES,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> None:
        self._blocks = iter(blocks)
        self._start = start
        self._end = end
        self._max_line_bytes = max_line_bytes
        # Then no line of a chunk of several can be beyond the limit.
        self._chunk_bytes = min(chunk_bytes, max_line_bytes)
        self.first_offset: int | None = None
        self.next_offset = start

    @staticmethod
    def first_byte(start: int) -> int:
        """Where the bytes have to begin."""
        return max(start - 1, 0)

    def __iter__(self) -> Iterator[Chunk | Line]:
        found = self._find_first_line() if self._start < self._end else None
        if found is None:
            return
        self.next_offset, rest = found
        self.first_offset = self._start and self.next_offset  # a byte order mark belongs to the range
        self._end = max(self._end, self.next_offset + 1)  # so the line behind it does, too
        number = 1 if self._start == 0 else None
        for data, size, is_whole, is_blank_line in self._pieces(rest):
            offset = self.next_offset
            self.next_offset += size
            if not is_whole:
                count = 1
                if not is_blank_line:
                    kept = data.removesuffix(LINE_END)
                    yield Line(offset, number, kept.removesuffix(b"\r"), size - (len(data) - len(kept)), False)
            else:
                count, blank_count, is_regular = _look(data)
                chunk = [Chunk(offset, number, data, count, is_regular, blank_count)]
                del data  # which may be a long line; whoever gets it is done with it before the next one
                yield chunk.pop()
            if number is not None:
                number += count
            if self.next_offset >= self._end:
                return

    def _find_first_line(self) -> tuple[int, bytes] | None:
        """(offset of the first line that starts in the range, bytes from there on), or None if none does."""
        if self._start == 0:
            head = b""
            while len(head) < len(BYTE_ORDER_MARK) and (more := next(self._blocks, None)) is not None:
                head += more
            mark = len(BYTE_ORDER_MARK) if head.startswith(BYTE_ORDER_MARK) else 0
            return mark, head[mark:]
        position = self.first_byte(self._start)
        for block in self._blocks:
            cut = block.find(LINE_END) + 1
            if cut:
                return (position + cut, block[cut:]) if position + cut < self._end else None
            position += len(block)
            if position >= self._end:
                return None
        return None

    def _pieces(self, block: bytes) -> Iterator[tuple[bytes, int, bool, bool]]:
        """(whole lines, size in bytes, True, _), or (beginning of a line, and its line end; size of all of it, False,
        whether all of it is blank)."""
        open_line = _OpenLine(self._max_line_bytes)
        while True:
            position = 0
            if open_line.size_bytes:
                position = block.find(LINE_END) + 1
                if position:
                    open_line.add(block[: position - 1])
                    yield open_line.take(LINE_END)
            if position or not open_line.size_bytes:
                last = block.rfind(LINE_END) + 1
                while position < last and self.next_offset < self._end:
                    cut = self._cut(block, position, last)
                    if cut - position - 1 > self._max_line_bytes:
                        open_line.add(block[position : cut - 1])
                        yield open_line.take(LINE_END)
                    else:
                        yield block[position:cut], cut - position, True, False
                    position = cut
                if self.next_offset >= self._end:
                    return
            open_line.add(block[position:])
            more = next(self._blocks, None)
            if more is None:
                break
            block = more
        if open_line.size_bytes:
            yield open_line.take(b"")

    def _cut(self, block: bytes, position: int, last: int) -> int:
        """Where the chunk from `position` on ends: behind a line end, at most at `last`."""
        # The line that begins before the end of the range is the last one owned.
        owned = block.find(LINE_END, max(position, position + self._end - self.next_offset - 1)) + 1 or last
        limit = min(last, owned)
        if limit - position <= self._chunk_bytes:
            return limit
        return block.rfind(LINE_END, position, position + self._chunk_bytes) + 1 or block.find(LINE_END, position) + 1


class LineReader:
    """As ChunkReader, but iterates over single lines, without the blank ones."""

    def __init__(self, blocks: Iterable[bytes], start: int, end: int, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._chunks = ChunkReader(blocks, start, end, max_line_bytes)

    @staticmethod
    def first_byte(start: int) -> int:
        """Where the bytes have to begin."""
        return ChunkReader.first_byte(start)

    @property
    def first_offset(self) -> int | None:
        return self._chunks.first_offset

    @property
    def next_offset(self) -> int:
        return self._chunks.next_offset

    def __iter__(self) -> Iterator[Line]:
        for piece in self._chunks:
            if isinstance(piece, Line):
                yield piece
            else:
                yield from lines_of(piece)


def lines_of(chunk: Chunk) -> Iterator[Line]:
    """Its lines that are not blank."""
    offset, number = chunk.offset, chunk.number
    for data in chunk.data.removesuffix(LINE_END).split(LINE_END):
        if not is_blank(data):
            yield Line(offset, number, data.removesuffix(b"\r"), len(data), True)
        offset += len(data) + len(LINE_END)
        if number is not None:
            number += 1


def count_records(piece: Chunk | Line) -> int:
    """Its lines that are not blank."""
    if isinstance(piece, Line):
        return 1
    return piece.line_count - piece.blank_count


def _look(data: bytes) -> tuple[int, int, bool]:
    """(lines, blank ones of them, whether they are regular as Chunk says)."""
    end = len(data) - data.endswith(LINE_END)
    if data.find(LINE_END, 0, _LONG_LINE_BYTES) >= 0:
        count = _count(data)
        borders = data.count(b"}\n{")
        if borders != count - 1:
            borders += data.count(b"}\r\n{")
        if borders == count - 1 and _is_record(data, 0, end):
            return count, 0, True
        bodies = map(methodcaller("strip", BLANK_BYTES), data[:end].split(LINE_END))
        return count, list(bodies).count(b""), False
    find = data.find
    count = blank = start = 0
    is_regular = True
    position = find(LINE_END, 0, end)
    while position >= 0:
        count += 1
        if data[position - 1 : position + 2] != b"}\n{" and data[position - 2 : position + 2] != b"}\r\n{":
            is_regular = False
            blank += not data[start:position].strip(BLANK_BYTES)
        start = position + 1
        position = find(LINE_END, start, end)
    blank += not data[start:end].strip(BLANK_BYTES)
    return count + 1, blank, is_regular and _is_record(data, 0, end)


def _is_record(data: bytes, start: int, end: int) -> bool:
    return data[start : start + 1] == b"{" and data.endswith((b"}", b"}\r"), start, end)


def _count(data: bytes) -> int:
    return data.count(LINE_END) + (not data.endswith(LINE_END))


class _OpenLine:
    """A line whose end is not reached yet. Once it is longer than the limit only its beginning is kept."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._clear()

    def _clear(self) -> None:
        self.size_bytes = 0
        self._pieces: list[bytes] = []
        self._is_cut = False
        self._is_blank = True

    def add(self, piece: bytes) -> None:
        self.size_bytes += len(piece)
        if not self._is_cut:
            self._pieces.append(piece)
            if self.size_bytes <= self._limit_bytes:
                return
            self._is_cut = True
            self._is_blank = all(is_blank(kept) for kept in self._pieces)
            self._pieces = [b"".join(kept[:KEPT_BYTES] for kept in self._pieces)[:KEPT_BYTES]]
            return
        self._is_blank = self._is_blank and is_blank(piece)
        missing_bytes = KEPT_BYTES - len(self._pieces[0])
        if missing_bytes:
            self._pieces = [self._pieces[0] + piece[:missing_bytes]]

    def take(self, line_end: bytes) -> tuple[bytes, int, bool, bool]:
        """(the line or its beginning, with `line_end`; size in bytes of the line with it; whether it is whole; whether
        a line that is not is blank), and begins a new one."""
        data = b"".join([*self._pieces, line_end])
        taken = data, self.size_bytes + len(line_end), not self._is_cut, self._is_blank
        self._clear()
        return taken
