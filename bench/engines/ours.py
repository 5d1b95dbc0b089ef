"""The kernel of the Glue job, as a Spark task runs it, on local files."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from bench.engines import Job
from bench.local_s3 import LocalS3
from glue_job import schema
from glue_job.convert import PartResult, PartTask, convert_part
from glue_job.plan import PART_INPUT_BYTES, plan_parts
from ndjctl.contracts import ManifestFile

_INPUT, _OUTPUT, _QUARANTINE = "input", "output", "quarantine"


def convert(job: Job) -> None:
    s3 = LocalS3({_INPUT: job.folder, _OUTPUT: job.output_dir, _QUARANTINE: job.output_dir / _QUARANTINE})
    files = [ManifestFile(_INPUT, path.name, *s3.size_and_etag(path)) for path in job.files]
    size_bytes = sum(file.size_bytes for file in files)
    root = schema.from_json(job.schema, "the schema of the bench")
    tasks = [
        PartTask(
            number=part.number,
            slices=part.slices,
            files={piece.file: files[piece.file] for piece in part.slices},
            root=root,
            output_bucket=_OUTPUT,
            key=f"part-{part.number:05}.parquet",
            quarantine_bucket=_QUARANTINE,
            bad_lines_key=f"bad-{part.number:05}.ndjson",
            metadata={"part": part.number},
        )
        for part in plan_parts(files, min(PART_INPUT_BYTES, -(-size_bytes // job.cores)), len(files))
    ]
    for result in _run(job.cores, tasks, s3):
        if result.error is not None or result.unavailable:
            raise RuntimeError(result.error or f"unavailable: {result.unavailable}")


def _run(cores: int, tasks: list[PartTask], s3: LocalS3) -> list[PartResult]:
    if cores == 1:
        return [convert_part(task, s3) for task in tasks]
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(convert_part, tasks, [s3] * len(tasks)))
