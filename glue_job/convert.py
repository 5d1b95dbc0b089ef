"""One part: its slices of the input to one Parquet object, and the bad lines beside it. Runs in a Spark task, or in a
process of `ndjctl convert`."""

from __future__ import annotations

import resource
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from glue_job.clients import client
from glue_job.compression import DamagedData
from glue_job.conform import Drift
from glue_job.infer import Observer
from glue_job.kernel import Bad, Found, Kernel, Row
from glue_job.lines import MAX_LINE_BYTES, Line
from glue_job.log import Log
from glue_job.long_lines import LONG_BYTES
from glue_job.parquet import PartWriter
from glue_job.plan import Slice
from glue_job.reading import Reading, SliceResult
from glue_job.records import BadLine
from glue_job.s3_store import S3Store
from glue_job.schema import Struct
from glue_job.source import FileUnavailable
from glue_job.store import InputFile, Sink, Store, Target, Written
from glue_job.tally import BadTally
from ndjctl.contracts import RUN_MARK, bad_line_facts, bad_line_json

PARQUET_TYPE = "application/vnd.apache.parquet"
NDJSON_TYPE = "application/x-ndjson"


@dataclass(frozen=True)
class PartTask:
    """All that a worker needs. files: the input files that the slices name by their index; codecs: of those that are
    compressed. metadata: for the Parquet footer. max_bad_lines: of one file; one more fails the file, None for no
    limit."""

    number: int
    slices: tuple[Slice, ...]
    files: Mapping[int, InputFile]
    root: Struct
    target: Target
    bad_lines_target: Target
    metadata: Mapping[str, Any]
    codecs: Mapping[int, str] = field(default_factory=dict)
    max_line_bytes: int = MAX_LINE_BYTES
    max_bad_lines: int | None = None


@dataclass
class PartResult:
    """Either a part: `written`, with `bad_lines_written` beside it if there are bad lines, both not visible yet; or
    `unavailable`: reasons by file index, nothing written; or `error`: one line, nothing written. unknown: the shape of
    some of the records that had fields without a column. bad: the bad lines by reason."""

    number: int
    rows: int = 0
    bad_lines: int = 0
    written: Written | None = None
    bad_lines_written: Written | None = None
    slices: list[SliceResult] = field(default_factory=list)
    drift: Drift = field(default_factory=Drift)
    unknown: Observer = field(default_factory=Observer)
    bad: BadTally = field(default_factory=BadTally)
    unavailable: dict[int, str] = field(default_factory=dict)
    error: str | None = None
    seconds: float = 0.0
    peak_memory_bytes: int = 0

    @property
    def size_bytes(self) -> int:
        return self.written.size_bytes if self.written else 0

    @property
    def bad_lines_size_bytes(self) -> int:
        return self.bad_lines_written.size_bytes if self.bad_lines_written else 0


def convert_part(task: PartTask, store: Store | None = None) -> PartResult:
    """As write_part(), but never raises for what a part can meet: the driver decides what its failure means. store: S3
    by the process's own client if None."""
    began = time.perf_counter()
    try:
        return write_part(task, S3Store(client("s3")) if store is None else store)
    except Exception as error:
        # The log is where a developer looks; what is told to the user is the one line.
        Log(common={"part": task.number}).error("part failed", traceback=traceback.format_exc())
        return measured(PartResult(task.number, error=one_line(error)), began)


def write_part(task: PartTask, store: Store) -> PartResult:
    """Writes the part and, if there are bad lines, their object. Raises what the store's sinks raise."""
    began = time.perf_counter()
    return measured(_convert(task, store), began)


def measured(result: PartResult, began: float) -> PartResult:
    """`result` with the time since `began` (of time.perf_counter()) and this process's memory."""
    result.seconds = time.perf_counter() - began
    scale = 1 if sys.platform == "darwin" else 1024
    result.peak_memory_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    return result


def one_line(error: BaseException) -> str:
    """`error` as one line that starts with its kind."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _convert(task: PartTask, store: Store) -> PartResult:
    result = PartResult(task.number)
    kernel = Kernel(task.root, task.max_line_bytes)
    reading = Reading(store, task.files, task.codecs, task.slices, task.max_line_bytes)
    try:
        with PartOutput(store, task) as output:
            with reading.found(kernel) as all_found:
                for piece, found in all_found:
                    output.take(piece, found)
            output.finish(result)
    except FileRefused as refused:
        return PartResult(task.number, unavailable={refused.index: str(refused)})
    except FileUnavailable as reason:
        unavailable = _unavailable(task, store)
        return PartResult(task.number, unavailable=unavailable, error=None if unavailable else str(reason))
    except DamagedData as reason:
        index = reading.current
        return PartResult(task.number, unavailable={index: f"{task.files[index].uri}: {reason}"})
    result.slices = reading.results
    result.drift, result.unknown = kernel.drift, kernel.unknown
    return result


class FileRefused(Exception):
    """A file whose bad lines are too many; str() is one sentence. index: its."""

    def __init__(self, index: int, text: str) -> None:
        super().__init__(text)
        self.index = index


class PartOutput:
    """The object of a part and, from the first bad line on, the one of its bad lines. A context manager; left by an
    exception it leaves nothing."""

    def __init__(self, store: Store, task: PartTask) -> None:
        self._task = task
        indices = sorted({piece.file for piece in task.slices})
        self._places = {index: position for position, index in enumerate(indices)}
        self._sink = store.create(task.target, PARQUET_TYPE)
        self._bad_lines = _BadLines(store, task)
        self._writer = PartWriter(self._sink, task.root, [task.files[index].uri for index in indices], task.metadata)

    def take(self, piece: SliceResult, found: Found) -> None:
        """Writes what was found in one of the task's slices, and counts it there. Raises FileRefused."""
        file = piece.piece.file
        if isinstance(found, Bad):
            self._bad_lines.add(self._task.files[file].uri, found.line, found.reason)
            piece.count_bad_line(found)
            _check_limit(self._task, piece)
        elif isinstance(found, Row):
            self._writer.add(found.row, found.rescued, self._places[file], found.line.size_bytes)
            piece.rows += 1
        else:
            self._writer.add_batch(found, self._places[file])
            piece.rows += found.num_rows

    def finish(self, result: PartResult) -> None:
        """Makes the objects whole and says in `result` what they are."""
        self._writer.close()
        result.bad_lines_written = self._bad_lines.finish()
        result.written = self._sink.finish()
        result.rows, result.bad_lines, result.bad = self._writer.rows, self._bad_lines.count, self._bad_lines.tally

    def __enter__(self) -> PartOutput:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            self._bad_lines.__exit__(kind, error, trace)
        finally:
            self._sink.__exit__(kind, error, trace)


def _check_limit(task: PartTask, piece: SliceResult) -> None:
    if task.max_bad_lines is not None and piece.bad_lines > task.max_bad_lines:
        file = task.files[piece.piece.file]
        text = f"{file.uri}: more than {task.max_bad_lines} bad lines, which is the limit; the first: {piece.first_bad}"
        raise FileRefused(piece.piece.file, text)


def _unavailable(task: PartTask, store: Store) -> dict[int, str]:
    """Every file of the part that cannot be had, so that one more round does for all of them."""
    reasons: dict[int, str] = {}
    for index, file in task.files.items():
        try:
            store.check(file)
        except FileUnavailable as reason:
            reasons[index] = str(reason)
    return reasons


class _BadLines:
    """The object of a part's bad lines, which comes into being with the first of them. A `with` block like a sink's."""

    def __init__(self, store: Store, task: PartTask) -> None:
        self._store = store
        self._task = task
        self._sink: Sink | None = None
        self.count = 0
        self.tally = BadTally()

    def add(self, source: str, line: Line, bad: BadLine) -> None:
        if self._sink is None:
            marks = {RUN_MARK: str(self._task.metadata.get("run_id") or "")}
            self._sink = self._store.create(self._task.bad_lines_target, NDJSON_TYPE, marks)
        facts = bad_line_facts(source, line.offset, line.number, bad.reason, str(bad))
        if not line.is_whole:
            facts["raw_bytes"] = line.size_bytes
            facts["truncated"] = True
        if len(line.data) < LONG_BYTES:
            self._sink.write(b"".join(bad_line_json(facts, line.data)))
        else:
            for piece in bad_line_json(facts, line.data):
                self._sink.write(piece)
        self.count += 1
        self.tally.add(source, line, bad)

    def finish(self) -> Written | None:
        return self._sink.finish() if self._sink else None

    def __enter__(self) -> _BadLines:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._sink is not None:
            self._sink.__exit__(kind, error, trace)
