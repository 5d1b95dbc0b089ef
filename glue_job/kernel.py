"""Lines to rows, exactly as glue_job.records and glue_job.conform would one by one, but many at once where that is
proven to come to the same (see glue_job.fast). Pure.

Lines that the fast reader refuses are found by what its message says, or by halves, and only they are read strictly.
How many lines are tried at once follows how that went: a bad line costs the reading of its neighbourhood, not of its
chunk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa

from glue_job.conform import Conformer, Drift
from glue_job.fast import FastReader, Refused, Rows, is_utf8, trusted
from glue_job.infer import Observer
from glue_job.lines import CHUNK_BYTES, Chunk, Line, lines_of
from glue_job.long_json import has_many_values
from glue_job.long_lines import LONG_BYTES, read_long
from glue_job.records import BadLine, parse
from glue_job.schema import Struct
from glue_job.suspects import Suspects
from glue_job.watch import Watch
from ndjctl.contracts import BLANK_BYTES, LINE_END, BadLineReason

LEAST_BYTES = 16 * 1024
"""Fewer bytes of lines are read strictly: a fast reading costs as much as that before its first line."""

_TRIES = 3
"""Readings of a group, each without the line that the last one was refused for, before it is halved."""

_FEWEST_AT_ONCE_BYTES = 4 * LEAST_BYTES


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
    """A row of its own batch, because its line is long. line: without its data, for the same reason. sample: some of
    the record. rescued: one value, may be null."""

    line: Line
    sample: dict[str, Any]
    batch: pa.RecordBatch
    rescued: pa.Array

    @property
    def is_rescued(self) -> bool:
        return not self.rescued.null_count


class Bad(NamedTuple):
    line: Line
    reason: BadLine


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
        if not isinstance(found, Rows) or found.unproven:
            return None
        batches, first = [], 0
        for chunk in chunks:
            batches.append(found.batch.slice(first, chunk.line_count))
            first += chunk.line_count
        return batches

    def read(self, piece: Chunk | Line) -> Iterator[Found]:
        """What the lines become, in their order; nothing for blank ones. A batch is rows of which nothing is rescued,
        with the columns of glue_job.parquet.data_schema()."""
        if isinstance(piece, Line):
            yield self._strictly(piece)
            return
        found = self._read_regular(piece)
        if isinstance(found, Rows) and not found.unproven:
            del piece  # its line may be long, and is no longer needed when the row is written
            yield found.batch
            return
        is_text = found is not None or (b"\0" not in piece.data and is_utf8(piece.data))
        candidates = [self._candidate(line, is_text) for line in lines_of(piece)]
        del piece
        if isinstance(found, Rows):
            yield from self._merged(candidates, found)
            return
        if found is not None and (suspect := _suspect(found, candidates)):
            suspect.refuse()
        yield from self._lines(deque(candidates))
        self._suspects.forget()

    def _candidate(self, line: Line, is_text: bool) -> _Candidate:
        if not _is_plausible(line.data, is_text) or has_many_values(line.data):
            return _Candidate(line, False)
        suspicion = self._suspects.find(line.data)
        return _Candidate(line, suspicion is None, suspicion)

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
        return self._reader.read(data, chunk.line_count)

    # ------------------------------------------------------------------------------------------------ with trouble

    def _lines(self, lines: deque[_Candidate]) -> Iterator[Found]:
        """Takes up as many lines as seem good to be tried together. Empties `lines`."""
        while lines:
            most = 1 if self._reader is None else self._reader.max_rows
            group: list[_Candidate] = []
            size = 0
            while lines and len(group) < most and (not group or size < self._at_once_bytes):
                group.append(lines.popleft())
                size += group[-1].line.size_bytes
            left = yield from self._group(group)
            lines.extendleft(reversed(left))

    def _group(self, group: list[_Candidate], is_suspect: bool = False) -> Generator[Found, None, list[_Candidate]]:
        """Reads lines from the first on, at least one of them; those that are left. is_suspect: one of them is
        refused."""
        for _ in range(_TRIES):
            plausible = [candidate for candidate in group if candidate.is_plausible]
            size = sum(candidate.line.size_bytes for candidate in plausible)
            if self._reader is None or size < LEAST_BYTES:
                for candidate in group:
                    candidate.is_refused |= is_suspect
                    yield self._of_candidate(candidate)
                return []
            data = LINE_END.join([candidate.line.data.strip(BLANK_BYTES) for candidate in plausible])
            found = self._reader.read(data, len(plausible))
            del data
            if isinstance(found, Rows):
                self._at_once_bytes = min(CHUNK_BYTES, 2 * self._at_once_bytes)
                yield from self._merged(group, found)
                return []
            suspect = _suspect(found, plausible)
            if suspect is None:
                break
            suspect.refuse()
        self._at_once_bytes = max(_FEWEST_AT_ONCE_BYTES, self._at_once_bytes // 2)
        half = (len(group) + 1) // 2
        left = yield from self._group(group[:half], True)
        return left + group[half:]

    def _merged(self, group: list[_Candidate], rows: Rows) -> Iterator[Found]:
        """Proven rows as they are and all others strictly, in the order of the lines."""
        first = at = 0  # of the plausible lines; those from `first` up to `at` are proven and not yet given
        for candidate in group:
            if candidate.is_plausible and at not in rows.unproven:
                at += 1
                continue
            if at > first:
                yield rows.batch.slice(first, at - first)
            at += candidate.is_plausible
            first = at
            yield self._of_candidate(candidate)
        if at > first:
            yield rows.batch.slice(first, at - first)

    def _of_candidate(self, candidate: _Candidate) -> Row | LongRow | Bad:
        found = self._strictly(candidate.line)
        candidate.line = found.line
        if candidate.suspicion is not None:
            self._suspects.judge(candidate.suspicion, isinstance(found, Bad) or found.is_rescued)
        if candidate.is_refused and not isinstance(found, Bad):
            self._suspects.learn(self._conformer.misfits)
            if self._watch.add(found.record if isinstance(found, Row) else found.sample):
                self._reader = self._new_reader()
        return found

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

    def _of_long(self, line: Line) -> LongRow | None:
        """None if it has to be read like others. Raises BadLine."""
        if self._long_reader is None:
            return None
        fitting, rescued, drift, sample = read_long(line.data, self._root)
        found = self._long_reader.read(fitting, 1)
        if not isinstance(found, Rows):
            return None
        # What is unproven of it was proven when it was put together.
        self._conformer.add(drift, sample)
        return LongRow(line._replace(data=b""), sample, found.batch, _one_text(rescued))


Found: TypeAlias = Row | LongRow | Bad | pa.RecordBatch


def _one_text(text: bytearray | None) -> pa.Array:
    """As a column of one value, without a copy."""
    if text is None:
        return pa.nulls(1, pa.string())
    ends = pa.py_buffer(bytes(4) + len(text).to_bytes(4, "little"))
    return pa.Array.from_buffers(pa.string(), 1, [None, ends, pa.py_buffer(text)])


@dataclass
class _Candidate:
    """A line, and whether it is to be read fast. suspicion: a guess that it should not, by glue_job.suspects."""

    line: Line
    is_plausible: bool
    suspicion: tuple[str, str] | None = None
    is_refused: bool = False

    def refuse(self) -> None:
        self.is_plausible, self.is_refused = False, True


def _is_plausible(data: bytes, is_text: bool) -> bool:
    """What has to be proven of a line before the fast reader sees it. is_text: already known to be valid UTF-8 without
    a NUL byte."""
    data = data.strip(BLANK_BYTES)
    return data.startswith(b"{") and data.endswith(b"}") and (is_text or (b"\0" not in data and is_utf8(data)))


def _suspect(refused: Refused, lines: Sequence[_Candidate]) -> _Candidate | None:
    """The line that is probably at fault."""
    if len(lines) == 1:
        return lines[0]
    if refused.row is not None:
        return lines[refused.row] if refused.row < len(lines) else None
    if refused.value is not None:
        return next((candidate for candidate in lines if refused.value in candidate.line.data), None)
    return None
