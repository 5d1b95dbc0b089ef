"""The lines of one chunk by their index, and which of them are to be read fast. Pure.

A chunk has thousands of lines of which a few are trouble. So nothing is done for a line of its own that can be done for
all of them by a call into C, and a Line is made only of the ones that are looked at.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from glue_job.fast import is_utf8
from glue_job.lines import Chunk, Line
from glue_job.long_json import has_many_values
from glue_job.long_lines import LONG_BYTES
from ndjctl.contracts import BLANK_BYTES, LINE_END


class Block:
    """is_fast: of every line, by index; not of blank ones. bodies: the lines, regular ones without their b"\\n", others
    without any blank around them. suspicions, refused: the lines that are not to be read fast because of a guess
    (glue_job.suspects), and those that pyarrow refused, or that are left of a few of which it refused one."""

    def __init__(self, chunk: Chunk, is_text: bool) -> None:
        """is_text: the chunk is known to be valid UTF-8 without a NUL byte."""
        self._offset, self._number = chunk.offset, chunk.number
        self._lines = chunk.data.removesuffix(LINE_END).split(LINE_END)
        self._starts = list(accumulate((len(line) + 1 for line in self._lines), initial=0))
        self.count = len(self._lines)
        self.suspicions: dict[int, tuple[str, str]] = {}
        self.refused: set[int] = set()
        if chunk.is_regular:
            self.bodies = self._lines
            self.is_fast = [True] * self.count
        else:
            self.bodies = [line.strip(BLANK_BYTES) for line in self._lines]
            self.is_fast = [body[:1] == b"{" and body[-1:] == b"}" for body in self.bodies]
        if not is_text:
            for index, body in enumerate(self.bodies):
                self.is_fast[index] &= b"\0" not in body and is_utf8(body)
        if len(chunk.data) >= LONG_BYTES:
            for index, body in enumerate(self.bodies):
                self.is_fast[index] &= not has_many_values(body)

    def fast_ones(self, first: int, end: int) -> list[int]:
        """Indices."""
        return [index for index in range(first, end) if self.is_fast[index]]

    def slow_ones(self, first: int, end: int) -> list[int]:
        """Indices."""
        return [index for index in range(first, end) if not self.is_fast[index]]

    def text(self, indices: Sequence[int]) -> bytes:
        """These lines, which are to be read fast, with a line end between them. indices: ascending."""
        first, end = indices[0], indices[-1] + 1
        if len(indices) == end - first:
            return LINE_END.join(self.bodies[first:end])
        return LINE_END.join([self.bodies[index] for index in indices])

    def line(self, index: int) -> Line | None:
        """None for a blank one."""
        data = self._lines[index]
        if not self.bodies[index].strip(BLANK_BYTES):
            return None
        number = None if self._number is None else self._number + index
        return Line(self._offset + self._starts[index], number, data.removesuffix(b"\r"), len(data), True)

    def index_at(self, position: int) -> int:
        """Of the line that has this byte of the chunk."""
        return bisect_right(self._starts, position) - 1

    def end_of(self, first: int, size_bytes: int, count: int) -> int:
        """Where the lines from `first` on end that have so many bytes and are so many together at most; at least one
        line is."""
        end = bisect_right(self._starts, self._starts[first] + size_bytes) - 1
        return min(max(end, first + 1), first + count, self.count)

    def suspect(self, index: int, suspicion: tuple[str, str]) -> None:
        if self.is_fast[index]:
            self.is_fast[index] = False
            self.suspicions[index] = suspicion

    def drop(self, index: int) -> None:
        """Forgets what is in a line that is done with, because it is long."""
        self._lines[index] = self.bodies[index] = b""

    def refuse(self, index: int) -> None:
        self.is_fast[index] = False
        self.refused.add(index)
