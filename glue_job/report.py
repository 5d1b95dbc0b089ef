"""The run report of a manifest: what was read, what was written, and how long it took. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from glue_job.conform import Drift
from glue_job.convert import PartResult, PartTask
from glue_job.replace import Replaced
from glue_job.store import Published
from ndjctl.contracts import COMPLETED, FAILED, REPORT_FORMAT, REPORT_VERSION, Manifest

REFUSED = "refused"
"""A file that the ledger does not have under this manifest, so that the run did not touch it."""

SHOWN_PLACES = 100


@dataclass
class FileResult:
    """status: COMPLETED, FAILED or REFUSED; of the last two `error` is the reason and the counts are 0."""

    status: str
    lines: int = 0
    rows: int = 0
    bad_lines: int = 0
    error: str | None = None


@dataclass
class RunFacts:
    """What a report says besides files and parts. timings: seconds by step. times: ISO 8601 in UTC. replaced: what
    was taken out of the output of older manifests."""

    manifest_path: str
    job_name: str
    run_id: str
    dataset: str
    schema_version: int
    on_drift: str
    started_at: str
    completed_at: str
    timings: Mapping[str, float]
    versions: Mapping[str, str]
    previous_schema_version: int = 0
    next_schema_version: int | None = None
    error: str | None = None
    sample_drift: Drift = field(default_factory=Drift)
    replaced: Sequence[Replaced] = ()


def file_results(
    manifest: Manifest, unavailable: Mapping[int, str], refused: Mapping[int, str], results: Sequence[PartResult]
) -> list[FileResult]:
    """One for every file of the manifest, in its order."""
    found = []
    for index in range(len(manifest.files)):
        if index in refused:
            found.append(FileResult(REFUSED, error=refused[index]))
        elif index in unavailable:
            found.append(FileResult(FAILED, error=unavailable[index]))
        else:
            found.append(FileResult(COMPLETED))
    for piece in (piece for result in results for piece in result.slices):
        file = found[piece.piece.file]
        file.lines += piece.lines
        file.rows += piece.rows
        file.bad_lines += piece.bad_lines
    return found


class Counted(Protocol):
    status: str
    lines: int
    rows: int
    bad_lines: int


def counts_document(file: Counted) -> dict[str, int | None]:
    """What was counted in a file; null for one that is no part of the output, for nobody counted to its end."""
    is_counted = file.status == COMPLETED
    counts = {"lines": file.lines, "rows": file.rows, "bad_lines": file.bad_lines}
    return {name: count if is_counted else None for name, count in counts.items()}


def build_report(
    manifest: Manifest,
    facts: RunFacts,
    files: Sequence[FileResult],
    tasks: Sequence[PartTask],
    results: Sequence[PartResult],
    published: Sequence[Sequence[Published]],
) -> bytes:
    """The report as JSON."""
    drift = Drift()
    for result in results:
        drift.merge(result.drift)
    document = {
        "format": REPORT_FORMAT,
        "version": REPORT_VERSION,
        "manifest_id": manifest.manifest_id,
        "manifest_path": facts.manifest_path,
        "date": manifest.date,
        "job_name": facts.job_name,
        "run_id": facts.run_id,
        "started_at": facts.started_at,
        "completed_at": facts.completed_at,
        "error": facts.error,
        "totals": {
            "files": len(files),
            "files_completed": sum(file.status == COMPLETED for file in files),
            "files_failed": sum(file.status == FAILED for file in files),
            "files_refused": sum(file.status == REFUSED for file in files),
            "size_bytes": manifest.size_bytes,
            "lines": sum(file.lines for file in files),
            "rows": sum(file.rows for file in files),
            "bad_lines": sum(file.bad_lines for file in files),
            "rescued_values": drift.total,
            "parquet_bytes": sum(result.size_bytes for result in results),
        },
        "files": [
            {
                "bucket": entry.bucket,
                "key": entry.key,
                "etag": entry.etag,
                "size_bytes": entry.size_bytes,
                "status": file.status,
                **counts_document(file),
                "error": file.error,
            }
            for entry, file in zip(manifest.files, files, strict=True)
        ],
        "parts": [_part(*row) for row in zip(tasks, results, published, strict=True)],
        "replaced": [replaced.to_dict() for replaced in facts.replaced],
        "schema": {
            "dataset": facts.dataset,
            "version": facts.schema_version,
            "previous_version": facts.previous_schema_version,
            "next_version": facts.next_schema_version,
        },
        "drift": {
            "policy": facts.on_drift,
            "rescued": places_document(drift),
            "in_sample": places_document(facts.sample_drift),
        },
        "timings_s": {step: round(seconds, 3) for step, seconds in facts.timings.items()},
        "versions": dict(facts.versions),
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def _part(task: PartTask, result: PartResult, published: Sequence[Published]) -> dict[str, Any]:
    by_target = {found.target: found for found in published}
    part, bad_lines = by_target.get(task.target), by_target.get(task.bad_lines_target)
    return {
        "number": task.number,
        "key": task.target.key,
        "uri": task.target.uri,
        "etag": part.etag if part else "",
        "etag_part_bytes": list(part.part_bytes) if part else [],
        "rows": result.rows,
        "size_bytes": result.size_bytes,
        "bad_lines": result.bad_lines,
        "bad_lines_uri": task.bad_lines_target.uri if result.bad_lines else None,
        "bad_lines_etag": bad_lines.etag if bad_lines else None,
        "bad_lines_etag_part_bytes": list(bad_lines.part_bytes) if bad_lines else [],
        "bad_lines_size_bytes": bad_lines.size_bytes if bad_lines else None,
        "seconds": round(result.seconds, 3),
        "peak_memory_bytes": result.peak_memory_bytes,
    }


def places_document(drift: Drift) -> dict[str, Any]:
    """The SHOWN_PLACES most frequent places, and the rest as one number."""
    shown = drift.counts.most_common(SHOWN_PLACES)
    return {
        "values": drift.total,
        "places": [
            {"pointer": place.pointer, "expected": place.expected, "found": place.found, "values": count}
            for place, count in shown
        ],
        "values_elsewhere": drift.total - sum(count for _, count in shown),
    }


def describe_drift(drift: Drift, limit: int = 3) -> str:
    """The most frequent places as part of a sentence: /a (new field, 3 values), /b (string in int64, 1 value)."""
    counts: Counter[tuple[str, str]] = Counter()
    for place, count in drift.counts.items():
        counts[place.pointer, _what(place.expected, place.found)] += count
    shown = [
        f"{pointer or '/'} ({what}, {count} {'value' if count == 1 else 'values'})"
        for (pointer, what), count in counts.most_common(limit)
    ]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} more places" if more else "")


def _what(expected: str | None, found: str) -> str:
    return "new field" if expected is None else f"{found} in {expected}"
