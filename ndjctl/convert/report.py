"""What a conversion found and wrote, and the report that says so. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glue_job.conform import Drift
from glue_job.convert import PartResult, PartTask
from glue_job.report import counts_document, places_document
from glue_job.schema import EMPTY, Struct
from glue_job.store import InputFile
from glue_job.tally import BadTally
from ndjctl import __version__
from ndjctl.contracts import COMPLETED, FAILED
from ndjctl.convert.names import BAD_LINES_FOLDER, NEXT_SCHEMA_FILE, SCHEMA_FILE

REPORT_FORMAT = "ndjctl.convert-report"
REPORT_VERSION = 1


@dataclass
class FileOutcome:
    """What became of one file. path: as the user gave it. status: COMPLETED or FAILED; of a failed one the counts are 0
    and `error` is the reason, which begins with the path."""

    path: str
    size_bytes: int
    status: str
    lines: int = 0
    rows: int = 0
    bad_lines: int = 0
    error: str | None = None


@dataclass(frozen=True)
class PartOutcome:
    """name: of the file in the output folder. bad_lines_name: of the one with the bad lines, None if there are none."""

    name: str
    rows: int
    size_bytes: int
    bad_lines: int
    bad_lines_name: str | None
    seconds: float
    peak_memory_bytes: int


@dataclass
class Outcome:
    """Everything a conversion found. next_root: the schema that has a place for what was met beyond the sample, None if
    nothing was. refused: why nothing was made visible although it could be read, or None. timings: seconds by step."""

    is_dry: bool
    on_drift: str
    files: Sequence[FileOutcome]
    parts: Sequence[PartOutcome] = ()
    root: Struct = EMPTY
    next_root: Struct | None = None
    drift: Drift = field(default_factory=Drift)
    sample_drift: Drift = field(default_factory=Drift)
    bad: BadTally = field(default_factory=BadTally)
    refused: str | None = None
    started_at: str = ""
    completed_at: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)
    processes: int = 1

    @property
    def ok(self) -> bool:
        """Whether all that was asked for was done; of a dry run, whether there is nothing to look at."""
        is_done = self.refused is None and not self.failed
        return is_done and not (self.is_dry and (self.bad_lines or self.drift.total))

    @property
    def failed(self) -> list[FileOutcome]:
        return [file for file in self.files if file.status == FAILED]

    @property
    def is_published(self) -> bool:
        return not self.is_dry and self.refused is None and len(self.failed) < len(self.files)

    @property
    def lines(self) -> int:
        return sum(file.lines for file in self.files)

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def bad_lines(self) -> int:
        return sum(file.bad_lines for file in self.files)

    @property
    def size_bytes(self) -> int:
        """Of the input that was converted."""
        return sum(file.size_bytes for file in self.files if file.status == COMPLETED)

    @property
    def parquet_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts)

    @property
    def seconds(self) -> float:
        return sum(self.timings.values())


def file_outcomes(
    files: Mapping[int, InputFile], unavailable: Mapping[int, str], results: Sequence[PartResult]
) -> list[FileOutcome]:
    """One for every file, in its order."""
    found = [
        FileOutcome(
            file.uri, file.size_bytes, FAILED if index in unavailable else COMPLETED, error=unavailable.get(index)
        )
        for index, file in files.items()
    ]
    for piece in (piece for result in results for piece in result.slices):
        file = found[piece.piece.file]
        file.lines += piece.lines
        file.rows += piece.rows
        file.bad_lines += piece.bad_lines
    return found


def part_outcomes(tasks: Sequence[PartTask], results: Sequence[PartResult]) -> list[PartOutcome]:
    return [
        PartOutcome(
            task.target.key,
            result.rows,
            result.size_bytes,
            result.bad_lines,
            f"{BAD_LINES_FOLDER}/{task.bad_lines_target.key}" if result.bad_lines else None,
            round(result.seconds, 3),
            result.peak_memory_bytes,
        )
        for task, result in zip(tasks, results, strict=True)
    ]


def report_document(outcome: Outcome, output_files: Sequence[str]) -> dict[str, Any]:
    """The report as JSON. output_files: every file that belongs to this run's output, relative to its folder."""
    return {
        "format": REPORT_FORMAT,
        "version": REPORT_VERSION,
        "tool_version": __version__,
        "dry_run": outcome.is_dry,
        "ok": outcome.ok,
        "refused": outcome.refused,
        "started_at": outcome.started_at,
        "completed_at": outcome.completed_at,
        "totals": {
            "files": len(outcome.files),
            "files_completed": len(outcome.files) - len(outcome.failed),
            "files_failed": len(outcome.failed),
            "size_bytes": outcome.size_bytes,
            "lines": outcome.lines,
            "rows": outcome.rows,
            "bad_lines": outcome.bad_lines,
            "rescued_values": outcome.drift.total,
            "parts": len(outcome.parts),
            "parquet_bytes": outcome.parquet_bytes,
            "seconds": round(outcome.seconds, 3),
        },
        "files": [
            {
                "path": file.path,
                "size_bytes": file.size_bytes,
                "status": file.status,
                **counts_document(file),
                "error": file.error,
            }
            for file in outcome.files
        ],
        "parts": [
            {
                "name": part.name,
                "rows": part.rows,
                "size_bytes": part.size_bytes,
                "bad_lines": part.bad_lines,
                "bad_lines_name": part.bad_lines_name,
                "seconds": part.seconds,
                "peak_memory_bytes": part.peak_memory_bytes,
            }
            for part in outcome.parts
        ],
        "schema": {
            "file": SCHEMA_FILE if outcome.is_published else None,
            "next_file": NEXT_SCHEMA_FILE if outcome.is_published and outcome.next_root is not None else None,
        },
        "drift": {
            "policy": outcome.on_drift,
            "rescued": places_document(outcome.drift),
            "in_sample": places_document(outcome.sample_drift),
        },
        "bad_lines": [
            {
                "reason": reason,
                "lines": count,
                "first": {
                    "path": outcome.bad.first[reason].source,
                    "line_number": outcome.bad.first[reason].line_number,
                    "byte_offset": outcome.bad.first[reason].byte_offset,
                    "detail": outcome.bad.first[reason].detail,
                },
            }
            for reason, count in outcome.bad.counts.most_common()
        ],
        "processes": outcome.processes,
        "timings_s": {step: round(seconds, 3) for step, seconds in outcome.timings.items()},
        "output_files": list(output_files),
    }
