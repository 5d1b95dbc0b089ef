"""python -m tests.memory_child SPEC.json RESULT.json: one part converted, in a process that does nothing else.

Its input is made of pieces of files that are repeated, so that gigabytes of it need no room and, read like any other
file, no memory either.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glue_job import schema
from glue_job.convert import PartTask, convert_part
from glue_job.plan import Slice
from glue_job.s3_store import S3Store
from glue_job.store import Store, Target
from ndjctl.contracts import ManifestFile
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


def main(spec: dict[str, Any]) -> dict[str, Any]:
    began = peak_bytes()
    store: Store
    files: dict[int, Any]
    if spec.get("s3_endpoint"):
        import boto3

        store = S3Store(boto3.client("s3", endpoint_url=spec["s3_endpoint"], region_name="us-east-1"))
        files = {index: ManifestFile(**file) for index, file in enumerate(spec["files"])}
    else:
        store = RepeatedStore(Path(spec["folder"]))
        files = {
            index: Repeated(file["uri"], tuple(map(tuple, file["pieces"]))) for index, file in enumerate(spec["files"])
        }
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


if __name__ == "__main__":
    found = main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")
