"""One part: its slices of the input to one Parquet object, and the bad lines beside it. Runs in a Spark task."""

from __future__ import annotations

import json
import resource
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from glue_job.ahead import read_ahead
from glue_job.clients import client
from glue_job.conform import Drift
from glue_job.kernel import Bad, Kernel, Row
from glue_job.lines import MAX_LINE_BYTES, ChunkReader, Line, count_records
from glue_job.log import Log
from glue_job.parquet import PartWriter
from glue_job.plan import Slice
from glue_job.records import BadLine
from glue_job.schema import Struct
from glue_job.sink import S3Sink
from glue_job.source import BLOCK_BYTES, FileUnavailable, check_file, read_blocks
from ndjctl.contracts import ManifestFile, bad_line_record

_PARQUET_TYPE = "application/vnd.apache.parquet"
_NDJSON_TYPE = "application/x-ndjson"


@dataclass(frozen=True)
class PartTask:
    """All that a worker needs. files: the manifest's files that the slices name by their index. metadata: for the
    Parquet footer."""

    number: int
    slices: tuple[Slice, ...]
    files: Mapping[int, ManifestFile]
    root: Struct
    output_bucket: str
    key: str
    quarantine_bucket: str
    bad_lines_key: str
    metadata: Mapping[str, Any]
    max_line_bytes: int = MAX_LINE_BYTES


@dataclass
class SliceResult:
    """What was read of one slice. lines: those that are not blank. first_offset, next_offset: see LineReader."""

    piece: Slice
    first_offset: int | None = None
    next_offset: int = 0
    lines: int = 0
    rows: int = 0
    bad_lines: int = 0


@dataclass
class PartResult:
    """Either a written part; or `unavailable`: reasons by file index, nothing written; or `error`: one line, nothing
    written. bad_lines_size_bytes: 0 if no object of bad lines was written."""

    number: int
    rows: int = 0
    size_bytes: int = 0
    etag: str = ""
    bad_lines: int = 0
    bad_lines_size_bytes: int = 0
    slices: list[SliceResult] = field(default_factory=list)
    drift: Drift = field(default_factory=Drift)
    unavailable: dict[int, str] = field(default_factory=dict)
    error: str | None = None
    seconds: float = 0.0
    peak_memory_bytes: int = 0


def convert_part(task: PartTask, s3: Any = None) -> PartResult:
    """Writes the part and, if there are bad lines, their object. Never raises for what a part can meet: the driver
    decides what its failure means. s3: the client to use instead of the process's own."""
    began = time.perf_counter()
    try:
        result = _convert(task, client("s3") if s3 is None else s3)
    except Exception as error:
        # The log is where a developer looks; what is told to the user is the one line.
        Log(common={"part": task.number}).error("part failed", traceback=traceback.format_exc())
        result = PartResult(task.number, error=one_line(error))
    result.seconds = time.perf_counter() - began
    scale = 1 if sys.platform == "darwin" else 1024
    result.peak_memory_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    return result


def one_line(error: BaseException) -> str:
    """`error` as one line that starts with its kind."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _convert(task: PartTask, s3: Any) -> PartResult:
    result = PartResult(task.number)
    try:
        # The inner block ends first: rows become visible only after the bad lines beside them are.
        with S3Sink(s3, task.output_bucket, task.key, _PARQUET_TYPE) as sink, _BadLines(s3, task) as bad_lines:
            kernel = Kernel(task.root, task.max_line_bytes)
            indices = sorted({piece.file for piece in task.slices})
            writer = PartWriter(sink, task.root, [task.files[index].uri for index in indices], task.metadata)
            sources = {index: position for position, index in enumerate(indices)}
            for piece in task.slices:
                result.slices.append(_convert_slice(task, s3, piece, kernel, writer, sources[piece.file], bad_lines))
            writer.close()
            result.drift = kernel.drift
            result.rows = writer.rows
    except FileUnavailable as reason:
        unavailable = _unavailable(task, s3)
        return PartResult(task.number, unavailable=unavailable, error=None if unavailable else str(reason))
    result.size_bytes, result.etag = sink.size_bytes, sink.etag
    result.bad_lines, result.bad_lines_size_bytes = bad_lines.count, bad_lines.size_bytes
    return result


def _convert_slice(
    task: PartTask, s3: Any, piece: Slice, kernel: Kernel, writer: PartWriter, source: int, bad_lines: _BadLines
) -> SliceResult:
    file = task.files[piece.file]
    result = SliceResult(piece)
    blocks = read_blocks(s3, file, ChunkReader.first_byte(piece.start), piece.end)
    is_long = piece.end - piece.start > BLOCK_BYTES  # else there is nothing to do meanwhile
    with read_ahead(blocks) if is_long else nullcontext(blocks) as drawn:
        chunks = ChunkReader(drawn, piece.start, piece.end, task.max_line_bytes)
        for chunk in chunks:
            result.lines += count_records(chunk)  # not what the kernel made of it, which is compared with this
            for found in kernel.read(chunk):
                if isinstance(found, Bad):
                    bad_lines.add(file.uri, found.line, found.reason)
                    result.bad_lines += 1
                elif isinstance(found, Row):
                    writer.add(found.row, found.rescued, source, found.line.size_bytes)
                    result.rows += 1
                else:
                    writer.add_batch(found, source)
                    result.rows += found.num_rows
    result.first_offset, result.next_offset = chunks.first_offset, chunks.next_offset
    return result


def _unavailable(task: PartTask, s3: Any) -> dict[int, str]:
    """Every file of the part that cannot be had, so that one more round does for all of them."""
    reasons: dict[int, str] = {}
    for index, file in task.files.items():
        try:
            check_file(s3, file)
        except FileUnavailable as reason:
            reasons[index] = str(reason)
    return reasons


class _BadLines:
    """The object of a part's bad lines, which comes into being with the first of them. A `with` block like S3Sink's."""

    def __init__(self, s3: Any, task: PartTask) -> None:
        self._s3 = s3
        self._task = task
        self._sink: S3Sink | None = None
        self.count = 0

    @property
    def size_bytes(self) -> int:
        return self._sink.size_bytes if self._sink else 0

    def add(self, source: str, line: Line, bad: BadLine) -> None:
        if self._sink is None:
            self._sink = S3Sink(self._s3, self._task.quarantine_bucket, self._task.bad_lines_key, _NDJSON_TYPE)
        record = bad_line_record(source, line.offset, line.number, bad.reason, str(bad), line.data)
        if not line.is_whole:
            record["raw_bytes"] = line.size_bytes
            record["truncated"] = True
        self._sink.write(json.dumps(record, ensure_ascii=False).encode("utf-8") + b"\n")
        self.count += 1

    def __enter__(self) -> _BadLines:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._sink is not None:
            self._sink.__exit__(kind, error, trace)
