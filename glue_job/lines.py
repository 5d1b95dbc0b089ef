"""A stream of bytes to lines with their offsets, in constant memory. Pure.

A reader of the byte range [start, end) owns the lines that start in it: it begins to read one byte earlier, to see
whether a line starts at `start` itself, and reads past `end` to finish its last line. So the ranges of a file, however
cut, give each of its lines once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ndjctl.contracts import BYTE_ORDER_MARK, LINE_END, MIB, is_blank

MAX_LINE_BYTES = 64 * MIB
"""Longest line, without its line end, that is read as a record."""

KEPT_BYTES = 1024
"""What is kept of a longer one."""


class Line(NamedTuple):
    """One line that is not blank. offset: of its first byte in the file. number: from 1, blank lines included, None if
    the reader did not begin at the file's start. data: without line end and byte order mark. size_bytes: of the line
    before its b"\\n". is_whole: False if the line was longer than the limit and `data` is only its beginning."""

    offset: int
    number: int | None
    data: bytes
    size_bytes: int
    is_whole: bool


class LineReader:
    """Iterates over the lines owned by [start, end).

    blocks: consecutive bytes of the file from first_byte(start) on, to the end of the file; no more of them are drawn
    than needed. After the iteration `first_offset` is where the first owned line starts (None if none does, blank ones
    count) and `next_offset` where the first line that is no longer owned would: the ranges of a file fit together if
    each one's first_offset is the next_offset of the one before.
    """

    def __init__(self, blocks: Iterable[bytes], start: int, end: int, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._blocks = iter(blocks)
        self._start = start
        self._end = end
        self._max_line_bytes = max_line_bytes
        self.first_offset: int | None = None
        self.next_offset = start

    @staticmethod
    def first_byte(start: int) -> int:
        """Where the bytes have to begin."""
        return max(start - 1, 0)

    def __iter__(self) -> Iterator[Line]:
        found = self._find_first_line() if self._start < self._end else None
        if found is None:
            return
        offset, rest = found
        self.first_offset = self._start and offset  # a byte order mark belongs to the range, not to the line
        self.next_offset = offset
        number = 1 if self._start == 0 else None
        for data, size, end_size, blank in self._raw_lines(rest):
            self.next_offset = offset + size + end_size
            if not blank:
                yield Line(offset, number, data.removesuffix(b"\r"), size, size <= self._max_line_bytes)
            offset = self.next_offset
            if offset >= self._end:
                return
            if number is not None:
                number += 1

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

    def _raw_lines(self, block: bytes) -> Iterator[tuple[bytes, int, int, bool]]:
        """(bytes, or the beginning of them; size in bytes; size of the line end; whether blank) of every line."""
        open_line = _OpenLine(self._max_line_bytes)
        while True:
            *ended, tail = block.split(LINE_END)
            for index, data in enumerate(ended):
                if index == 0 or len(data) > self._max_line_bytes:
                    open_line.add(data)
                    data, size, blank = open_line.take()
                    yield data, size, len(LINE_END), blank
                else:
                    yield data, len(data), len(LINE_END), is_blank(data)
            open_line.add(tail)
            del ended, tail  # before the next block comes in
            more = next(self._blocks, None)
            if more is None:
                break
            block = more
        if open_line.size_bytes:
            data, size, blank = open_line.take()
            yield data, size, 0, blank


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

    def take(self) -> tuple[bytes, int, bool]:
        """(the line, or its beginning; its size in bytes; whether all of it is blank), and begins a new one."""
        data = b"".join(self._pieces)
        size, blank = self.size_bytes, self._is_blank if self._is_cut else is_blank(data)
        self._clear()
        return data, size, blank
