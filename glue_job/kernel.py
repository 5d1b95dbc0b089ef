"""Lines to rows, exactly as glue_job.records and glue_job.conform would one by one, but many at once where that is
proven to come to the same (see glue_job.fast). Pure.

Lines that the fast reader refuses are found by what its message says, or by halves, and only they are read strictly.
How many lines are tried at once follows how that went: a bad line costs the reading of its neighbourhood, not of its
chunk.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa

from glue_job.block import Block
from glue_job.conform import Conformer, Drift, Place
from glue_job.fast import SHOWN_VALUE_BYTES, FastReader, Refused, Rows, is_utf8, trusted
from glue_job.infer import Observer
from glue_job.lines import CHUNK_BYTES, Chunk, Line
from glue_job.long_json import has_many_values
from glue_job.long_lines import LONG_BYTES, read_long
from glue_job.memory import give_back
from glue_job.mixture import Mixture
from glue_job.parquet import with_rescued
from glue_job.records import BadLine, parse
from glue_job.rescue import rescued
from glue_job.schema import Struct
from glue_job.suspects import Suspects
from glue_job.watch import Watch
from ndjctl.contracts import LINE_END, MIB, BadLineReason

LEAST_BYTES = 16 * 1024
"""Fewer bytes of lines are read strictly: a fast reading costs as much as that before its first line."""

_TRIES = 3
"""Readings of a group, each without the line that the last one was refused for, before it is halved."""

_LARGE_BYTES = 16 * MIB
"""A line of this size takes several times as much."""

_FEWEST_AT_ONCE_BYTES = 4 * LEAST_BYTES

_MOST_SUSPECTS = 20
"""Lines that are taken out together because they have what pyarrow named."""

_TWO_RECORDS = re.compile(rb"\}\s*\{")


class Row(NamedTuple):
    """One row as Conformer gives it, and the record that it was."""

    line: Line
    record: dict[str, Any]
    row: dict[str, Any]
    rescued: str | None

    @property
    def is_rescued(self) -> bool:
        return self.rescued is not None


class LongRow(NamedTuple):
    """A row as a batch, because its line is long. sample: some of the record."""

    sample: dict[str, Any]
    batch: pa.RecordBatch
    is_rescued: bool


class Bad(NamedTuple):
    line: Line
    reason: BadLine


Found: TypeAlias = Row | Bad | pa.RecordBatch


class Kernel:
    """Reads lines to rows of one schema. drift: as in Conformer, of all that was read. can_be_fast: False reads
    everything strictly."""

    def __init__(self, root: Struct, max_line_bytes: int, can_be_fast: bool = True) -> None:
        self._root = root
        self._max_line_bytes = max_line_bytes
        self._conformer = Conformer(root)
        self._watch = Watch(root)
        self._suspects = Suspects()
        # Without any column there would be no array to tell the number of rows.
        self._with_end = trusted() if can_be_fast and root.fields else None
        self._reader = self._new_reader()
        # Long lines are not watched for known drift: what would be read for it alone can be all of the line.
        self._long_reader = None if self._with_end is None else FastReader(root, root, self._with_end)
        self._at_once_bytes = CHUNK_BYTES

    def _new_reader(self) -> FastReader | None:
        return None if self._with_end is None else FastReader(self._root, self._watch.told, self._with_end)

    @property
    def drift(self) -> Drift:
        return self._conformer.drift

    @property
    def unknown(self) -> Observer:
        """The shape of some of the records that had fields without a column."""
        return self._conformer.unknown

    def read_together(self, chunks: Sequence[Chunk]) -> list[pa.RecordBatch] | None:
        """A batch for every chunk, as read() would give it; or None, and nothing was done, if that needs a closer look.
        chunks: regular ones."""
        data = b"".join([chunk.data if chunk.data.endswith(LINE_END) else chunk.data + LINE_END for chunk in chunks])
        found = self._read_regular(Chunk(0, None, data, sum(chunk.line_count for chunk in chunks), True))
        if not isinstance(found, Rows):
            return None
        rows, counts = self._with_rescued(found)
        if rows.unproven:
            return None
        self._count(counts)
        batches, first = [], 0
        for chunk in chunks:
            batches.append(rows.batch.slice(first, chunk.line_count))
            first += chunk.line_count
        return batches

    def read(self, piece: Chunk | Line) -> Iterator[Found]:
        """What the lines become; nothing for blank ones. Rows come in the order of their lines, and so do bad lines. A
        batch has the columns of glue_job.parquet.data_schema(), and RESCUED_COLUMN behind them if anything of its rows
        may be rescued."""
        if isinstance(piece, Line):
            yield _given(self._strictly(piece))
            return
        found = self._read_regular(piece)
        if isinstance(found, Rows):
            found = self._accepted(found)
            if not found.unproven:
                del piece  # its line may be long, and is no longer needed when the row is written
                yield found.batch
                return
        block = Block(piece, found is not None or (b"\0" not in piece.data and is_utf8(piece.data)))
        if isinstance(found, Rows):
            del piece
            yield from self._merged(block, 0, block.count, found)
            return
        for position, suspicion in self._suspects.find(piece.data, block.count):
            block.suspect(block.index_at(position), suspicion)
        del piece
        if found is not None:
            self._exclude(block, 0, block.fast_ones(0, block.count), found)
        at = 0
        while at < block.count:
            most = block.count if self._reader is None else self._reader.max_rows
            at = yield from self._some(block, at, block.end_of(at, self._at_once_bytes, most))
        self._suspects.forget()

    def _read_regular(self, chunk: Chunk) -> Rows | Refused | None:
        """A whole chunk at once; None if it cannot be tried."""
        data = chunk.data
        if (
            self._reader is None
            or self._suspects
            or not chunk.is_regular
            or len(data) < LEAST_BYTES
            or (len(data) > self._at_once_bytes and chunk.line_count > 1)
            or chunk.line_count > self._reader.max_rows
            or b"\0" in data
            or has_many_values(data)
            or not is_utf8(data)
        ):
            return None
        return self._read_fast(data, chunk.line_count)

    def _read_fast(self, data: bytes, count: int) -> Rows | Refused:
        reader = self._long_reader if count == 1 and len(data) >= LONG_BYTES else self._reader
        if reader is None:
            raise ValueError("no fast reader can be used")
        if len(data) >= _LARGE_BYTES:
            give_back()
        return reader.read(data, count)

    def _accepted(self, rows: Rows) -> Rows:
        """The rows with what is rescued of them. Only for rows that are used: what is rescued is counted."""
        complete, counts = self._with_rescued(rows)
        self._count(counts)
        return complete

    def _with_rescued(self, rows: Rows) -> tuple[Rows, list[tuple[Place, int]]]:
        if not rows.rescuable:
            return rows, []
        found = rescued(rows.rescuable, rows.unproven, self._conformer, rows.batch.num_rows)
        if not any(found.texts):
            return Rows(rows.batch, found.strict), found.counts
        return Rows(with_rescued(rows.batch, pa.array(found.texts, pa.string())), found.strict), found.counts

    def _count(self, counts: Iterable[tuple[Place, int]]) -> None:
        for place, count in counts:
            if count:
                self.drift.add(place, count)

    # ------------------------------------------------------------------------------------------------ with trouble

    def _some(self, block: Block, first: int, end: int, has_refused: bool = False) -> Generator[Found, None, int]:
        """Reads the lines [first, end) or at least one of them; where it stopped. has_refused: pyarrow refuses one of
        them."""
        for _ in range(_TRIES):
            indices = block.fast_ones(first, end)
            text = block.text(indices) if indices and self._reader is not None else b""
            size_bytes = len(text)
            if self._reader is None or size_bytes < LEAST_BYTES:
                for index in range(first, end):
                    if has_refused and block.is_fast[index]:
                        block.refuse(index)
                    yield from map(_given, self._of_line(block, index))
                return end
            found = self._read_fast(text, len(indices))
            del text
            if isinstance(found, Rows):
                if size_bytes > self._at_once_bytes // 2:  # not what was cut short by a line at fault
                    self._at_once_bytes = min(CHUNK_BYTES, self._at_once_bytes * 5 // 4)
                yield from self._merged(block, first, end, self._accepted(found))
                return end
            at = self._exclude(block, first, indices, found)
            if at is None:
                break
            if at > first:
                # Those before it are read once more, those behind it once: however many are bad, no line is read more
                # than twice.
                self._at_once_bytes = max(_FEWEST_AT_ONCE_BYTES, self._at_once_bytes // 2)
                while first < at:
                    first = yield from self._some(block, first, at)
                yield from map(_given, self._of_line(block, at))
                return at + 1
        self._at_once_bytes = max(_FEWEST_AT_ONCE_BYTES, self._at_once_bytes // 2)
        return (yield from self._some(block, first, (first + end + 1) // 2, True))

    def _exclude(self, block: Block, first: int, indices: Sequence[int], refused: Refused) -> int | None:
        """Takes out the lines that are probably at fault, of those that were read together. None if there are none;
        else the line at fault if pyarrow came to it, or `first`."""
        if len(indices) == 1:
            block.refuse(indices[0])
            return first
        if refused.row is not None:
            if refused.row >= len(indices):
                return None
            block.refuse(indices[refused.row])
            return indices[refused.row]
        looks = _TWO_RECORDS if refused.value is None else _whole_number(refused.value)
        suspects = list(islice((index for index in indices if looks.search(block.bodies[index])), _MOST_SUSPECTS))
        for index in suspects:
            block.refuse(index)
        return first if suspects else None

    def _merged(self, block: Block, first: int, end: int, rows: Rows) -> Iterator[Bad | pa.RecordBatch]:
        """Proven rows as they are and all other lines strictly. rows: of the lines to be read fast."""
        slow = block.slow_ones(first, end)
        if rows.unproven:
            indices = block.fast_ones(first, end)
            slow = sorted([*slow, *(indices[row] for row in rows.unproven)])
        mixture = Mixture(rows.batch)
        for index in slow:
            mixture.take(index - first)
            if block.is_fast[index]:
                mixture.skip()
            first = index + 1
            for found in self._of_line(block, index):
                if isinstance(found, Row):
                    mixture.add(found.row, found.rescued)
                    continue
                if isinstance(found, LongRow) and (batch := mixture.cut(self._root)) is not None:
                    yield batch
                yield _given(found)
        mixture.take(end - first)
        if (batch := mixture.batch(self._root)) is not None:
            yield batch

    def _of_line(self, block: Block, index: int) -> Iterator[Row | LongRow | Bad]:
        line = block.line(index)
        if line is None:
            return
        found = self._strictly(line)
        del line
        if index in block.suspicions:
            self._suspects.judge(block.suspicions[index], isinstance(found, Bad) or found.is_rescued)
        if index in block.refused and not isinstance(found, Bad):
            self._suspects.learn(self._conformer.misfits)
            if self._watch.add(found.record if isinstance(found, Row) else found.sample):
                self._reader = self._new_reader()
        if isinstance(found, LongRow):
            block.drop(index)
        yield found

    def _strictly(self, line: Line) -> Row | LongRow | Bad:
        try:
            if not line.is_whole:
                raise BadLine(BadLineReason.TOO_LONG, f"{line.size_bytes} bytes, the limit is {self._max_line_bytes}")
            if line.size_bytes >= LONG_BYTES and (found := self._of_long(line)):
                return found
            record = parse(line.data)
        except BadLine as bad:
            return Bad(line, bad)
        return Row(line, record, *self._conformer.conform(record))

    def _of_long(self, line: Line) -> Row | LongRow | None:
        """None if it has to be read like others. Raises BadLine."""
        if self._long_reader is None and self._root.fields:
            return None
        if line.size_bytes >= _LARGE_BYTES:
            give_back()
        record = read_long(line.data, self._root)
        found = None if self._long_reader is None else self._long_reader.read(record.fitting, 1)
        if isinstance(found, Refused):
            return None
        # What is unproven of it was proven when it was put together.
        self._conformer.add(record.drift, record.sample)
        if found is None:
            return Row(line, record.sample, {}, None if record.rescued is None else record.rescued.decode("utf-8"))
        if record.rescued is None:
            return LongRow(record.sample, found.batch, False)
        return LongRow(record.sample, with_rescued(found.batch, _one_text(record.rescued)), True)


def _given(found: Row | LongRow | Bad) -> Found:
    return found.batch if isinstance(found, LongRow) else found


def _one_text(text: bytearray) -> pa.Array:
    """As a column of one value, without a copy."""
    ends = pa.py_buffer(bytes(4) + len(text).to_bytes(4, "little"))
    return pa.Array.from_buffers(pa.string(), 1, [None, ends, pa.py_buffer(text)])


def _whole_number(value: bytes) -> re.Pattern[bytes]:
    """The number as a value; only its beginning is known of a long one."""
    behind = rb"[\s,}\]]" if len(value) < SHOWN_VALUE_BYTES else b""
    return re.compile(rb"[:,\[\s]" + re.escape(value) + behind)
