"""Standard input as the input of a conversion: read once, from its beginning to its end, in constant memory."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from glue_job.compression import DamagedData, codec_of, decompressed
from glue_job.convert import FileRefused, PartOutput, PartResult, measured
from glue_job.estimate import parquet_share
from glue_job.kernel import Kernel
from glue_job.limits import over_limit
from glue_job.lines import Chunk, ChunkReader, Line, count_records
from glue_job.plan import MOST_INPUT_BYTES, Part, Slice
from glue_job.publish import discard
from glue_job.reading import SliceResult
from glue_job.rounds import Work
from glue_job.sample import Sample, take_sample
from glue_job.schema import Struct
from glue_job.source import FileUnavailable
from glue_job.store import BLOCK_BYTES, Store
from ndjctl.convert.settings import Reporter, Settings
from ndjctl.convert.stores import CountingStore
from ndjctl.errors import UsageError

Read = Callable[[int], bytes]
"""Gives that many bytes, fewer only at the end. Raises OSError."""


@dataclass
class StreamFile:
    """size_bytes: what was read of it so far."""

    uri: str
    size_bytes: int = 0


class StreamSource:
    """read: the bytes. uri: what rows name as their source. folder: where unfinished output goes, None to write
    nothing."""

    def __init__(self, read: Read, uri: str, settings: Settings, folder: Path | None, reporter: Reporter) -> None:
        self._file = StreamFile(uri)
        self.files = {0: self._file}
        self._read = read
        self._settings = settings
        self._store = CountingStore(folder, lambda _count: None)
        self._reporter = reporter
        self._beginning = b""

    def sample(self) -> Sample:
        self._reporter.phase("convert")
        try:
            self._beginning = self._next()
        except FileUnavailable as reason:
            return Sample(unavailable={0: str(reason)})
        beginning = StreamFile(self._file.uri, len(self._beginning))
        sample = take_sample(_Memory(self._beginning), {0: beginning}, self._settings.declared)
        sample.extents.clear()  # nobody knows how long it is
        return sample

    def convert(self, root: Struct, sample: Sample) -> Work:
        """Writes parts of about the same size. Raises OSError for what cannot be written."""
        if sample.unavailable:
            return Work(unavailable=dict(sample.unavailable))
        work = Work()
        try:
            self._convert(root, parquet_share(sample.trial, root), codec_of(self._beginning), work)
            lost = over_limit([self._file], work.results, self._settings.max_bad_lines, self._settings.max_bad_percent)
        except FileRefused as refused:
            lost = {0: str(refused)}
        except FileUnavailable as reason:
            lost = {0: str(reason)}
        except DamagedData as reason:
            lost = {0: f"{self._file.uri}: {reason}"}
        if lost:
            discard(self._store, work.results)
            return Work(unavailable=lost)
        return work

    def line_number(self, uri: str, codec: str | None, byte_offset: int) -> int | None:
        """None: it cannot be read twice. It is known anyway, for it was read from its beginning."""
        return None

    def _convert(self, root: Struct, share: float, codec: str | None, work: Work) -> None:
        counted = _Counted(self.blocks() if codec is None else decompressed(self.blocks(), codec))
        chunks = ChunkReader(counted, 0, sys.maxsize, self._settings.max_line_bytes)
        start = position = 0
        part = _Part(self._settings, self._store, self._file, root, 0, 0)
        try:
            for chunk in chunks:
                if position - start >= min(self._settings.aimed_part_bytes / share, MOST_INPUT_BYTES):
                    result = part.finish(position, None)
                    self._keep(work, part, result)
                    share = max(result.size_bytes, 1) / (position - start)  # what was made of it tells the next one
                    start = position
                    part = _Part(self._settings, self._store, self._file, root, len(work.results), start)
                part.take(chunk)
                position = chunks.next_offset
            self._keep(work, part, part.finish(None, counted.size_bytes, chunks.next_offset))
        except BaseException:
            part.__exit__(*sys.exc_info())
            raise

    def _keep(self, work: Work, part: _Part, result: PartResult) -> None:
        work.tasks.append(part.task)
        work.results.append(result)

    def blocks(self) -> Iterator[bytes]:
        """What sample() read, and the rest, as it came. Raises FileUnavailable."""
        return chain([self._beginning] if self._beginning else [], iter(self._next, b""))

    def _next(self) -> bytes:
        # Blocks of one size, however the bytes come: the same input is cut into the same parts.
        try:
            block = self._read(BLOCK_BYTES)
        except OSError as error:
            raise FileUnavailable(f"{self._file.uri}: {error.strerror}") from error
        self._file.size_bytes += len(block)
        self._reporter.bytes_read(len(block))
        return block


class _Part:
    """One part under way. start: offset in the text of its first line."""

    def __init__(
        self, settings: Settings, store: Store, file: StreamFile, root: Struct, number: int, start: int
    ) -> None:
        self._began = time.perf_counter()
        self._piece = SliceResult(Slice(0, start, None), first_offset=start, next_offset=start)
        self.task = settings.task(Part(number, (self._piece.piece,)), {0: file}, {}, root)
        self._kernel = Kernel(root, settings.max_line_bytes)
        self._output = PartOutput(store, self.task)

    def take(self, chunk: Chunk | Line) -> None:
        self._piece.lines += count_records(chunk)
        made = self._kernel.read(chunk)
        del chunk  # a long line is not to be held while it is written
        for found in made:
            self._output.take(self._piece, found)

    def finish(self, end: int | None, text_bytes: int | None, next_offset: int = 0) -> PartResult:
        """end: offset behind its last line, or None for the end of the text, which is text_bytes long."""
        result = PartResult(self.task.number, slices=[self._piece])
        self._output.finish(result)
        self._piece.piece = Slice(0, self._piece.piece.start, end)
        self._piece.text_bytes = text_bytes
        self._piece.next_offset = next_offset if end is None else end
        result.drift, result.unknown = self._kernel.drift, self._kernel.unknown
        return measured(result, self._began)

    def __exit__(self, *about: object) -> None:
        self._output.__exit__(*about)


class _Counted:
    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self.size_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            self.size_bytes += len(block)
            yield block


class _Memory(CountingStore):
    """Reads a file that is in memory."""

    def __init__(self, content: bytes) -> None:
        super().__init__(None, lambda _count: None)
        self._content = content

    def read(self, file: object, start: int, end: int) -> bytes:
        return self._content[start:end]

    def check(self, file: object) -> None:
        return None


def standard_input() -> Read:
    """Reads this process's standard input. Raises UsageError if there is none."""
    if sys.stdin is None:
        raise UsageError("There is no standard input: it was closed.")
    file = io.FileIO(sys.stdin.fileno(), closefd=False)

    def read(count: int) -> bytes:
        buffer = bytearray(count)
        view, filled = memoryview(buffer), 0
        while filled < count and (got := file.readinto(view[filled:])):
            filled += got
        return bytes(view[:filled])

    return read
