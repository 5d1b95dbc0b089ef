"""python -m tests.memory_child part|driver SPEC.json RESULT.json: one part converted, or what the driver does with
many, in a process that does nothing else.

Its input is made of pieces of files that are repeated, so that gigabytes of it need no room and, read like any other
file, no memory either.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from glue_job import schema
from glue_job.convert import PartResult, PartTask, convert_part
from glue_job.estimate import parquet_share
from glue_job.infer import Observer, with_new_fields
from glue_job.plan import Slice, count_parts, plan_parts
from glue_job.publish import publish
from glue_job.report import RunFacts, build_report, file_results
from glue_job.s3_store import S3Store
from glue_job.sample import take_sample
from glue_job.store import Store, Target
from glue_job.verify import verify_files, verify_parts
from ndjctl.contracts import Manifest, ManifestFile
from ndjctl.folder_store import FolderStore


@dataclass(frozen=True)
class Repeated:
    """A file that is not there as one. pieces: (path, size in bytes, times), one behind the other."""

    uri: str
    pieces: tuple[tuple[str, int, int], ...]

    @property
    def size_bytes(self) -> int:
        return sum(size_bytes * times for _, size_bytes, times in self.pieces)


class RepeatedStore(FolderStore):
    """Reads Repeated files; writes to a folder."""

    def read(self, file: Any, start: int, end: int) -> bytes:
        found = []
        begin = 0
        for path, size_bytes, times in file.pieces:
            last = begin + size_bytes * times
            if start < last and begin < end:
                with Path(path).open("rb", buffering=0) as piece:
                    while start < min(last, end):
                        at = (start - begin) % size_bytes
                        found.append(os.pread(piece.fileno(), min(size_bytes - at, min(last, end) - start), at))
                        start += len(found[-1])
            begin = last
        return b"".join(found)

    def check(self, file: Any) -> None:
        pass


def peak_bytes() -> int:
    """Most memory that this process ever had. Not ru_maxrss, which knows of the parent's before the exec."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


def part(spec: dict[str, Any]) -> dict[str, Any]:
    """Converts all the files to one part."""
    began = peak_bytes()
    store: Store
    files: dict[int, Any]
    if spec.get("s3_endpoint"):
        import boto3

        store = S3Store(boto3.client("s3", endpoint_url=spec["s3_endpoint"], region_name="us-east-1"))
        files = {index: ManifestFile(**file) for index, file in enumerate(spec["files"])}
    else:
        store, files = RepeatedStore(Path(spec["folder"])), repeated(spec)
    codecs = {int(index): codec for index, codec in spec["codecs"].items()}
    task = PartTask(
        number=0,
        slices=tuple(Slice(index, 0, None if index in codecs else file.size_bytes) for index, file in files.items()),
        files=files,
        root=schema.from_json(spec["schema"], "the schema of the test"),
        target=Target(spec["bucket"], "part.parquet"),
        bad_lines_target=Target(spec["bucket"], "bad.ndjson"),
        metadata={},
        codecs=codecs,
        max_line_bytes=spec["max_line_bytes"],
    )
    result = convert_part(task, store)
    for written in (result.written, result.bad_lines_written):
        if written is not None:
            store.publish(written)
    return {
        "rows": result.rows,
        "bad_lines": result.bad_lines,
        "rescued": result.drift.total,
        "lines": sum(piece.lines for piece in result.slices),
        "error": result.error,
        "unavailable": result.unavailable,
        "seconds": result.seconds,
        "began_bytes": began,
        "peak_bytes": peak_bytes(),
    }


def driver(spec: dict[str, Any]) -> dict[str, Any]:
    """What the driver does with the files: looks at their beginnings, plans, and, with "parts" in the spec, has so many
    written by another process, checks, publishes and reports them."""
    began, began_s = peak_bytes(), time.perf_counter()
    store, files = RepeatedStore(Path(spec["folder"])), repeated(spec)
    root = schema.from_json(spec["schema"], "the schema of the test")
    sample = take_sample(store, files, root)
    share = parquet_share(sample.trial, root)
    extents = [sample.extents[index] for index in files]
    count = spec["parts"] or count_parts(sum(extent.size_bytes for extent in extents), share, 80)
    tasks = [
        PartTask(
            number=part.number,
            slices=part.slices,
            files={piece.file: files[piece.file] for piece in part.slices},
            root=root,
            target=Target("", f"part-{part.number:05}.parquet"),
            bad_lines_target=Target("bad", f"bad-{part.number:05}.ndjson"),
            metadata={"part": part.number},
        )
        for part in plan_parts(extents, count)
    ]
    found = {"parts": len(tasks), "rows": 0, "new_fields": 0, "report_bytes": 0}
    if spec["parts"]:
        results = _elsewhere(tasks, store)
        errors = [result.error or result.unavailable for result in results if result.error or result.unavailable]
        if errors:
            raise RuntimeError(str(errors[0]))
        unknown = Observer()
        for result in results:
            unknown.merge(result.unknown)
        verify_files(files, results)
        published = publish(store, results)
        verify_parts(store, tasks, results, published)
        manifest = Manifest(
            "id", "2026-01-01", "", tuple(ManifestFile("b", file.uri, file.size_bytes, "") for file in files.values())
        )
        facts = RunFacts("", "", "", "", 1, "add", "", "", {}, {}, sample_drift=sample.drift)
        rows_of_files = file_results(manifest, {}, {}, results)
        report = build_report(manifest, facts, rows_of_files, tasks, results, published)
        found["rows"] = sum(result.rows for result in results)
        found["new_fields"] = schema.count_columns(with_new_fields(root, unknown)) - schema.count_columns(root)
        found["report_bytes"] = len(report)
    found |= {"seconds": time.perf_counter() - began_s, "began_bytes": began, "peak_bytes": peak_bytes()}
    return found


def _elsewhere(tasks: list[PartTask], store: Store) -> list[PartResult]:
    """As Spark does it: the results come back pickled."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(partial(convert_part, store=store), tasks, chunksize=10))


def repeated(spec: dict[str, Any]) -> dict[int, Repeated]:
    return {
        index: Repeated(file["uri"], tuple((path, size_bytes, times) for path, size_bytes, times in file["pieces"]))
        for index, file in enumerate(spec["files"])
    }


if __name__ == "__main__":
    made = {"part": part, "driver": driver}[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
    Path(sys.argv[3]).write_text(json.dumps(made), encoding="utf-8")
