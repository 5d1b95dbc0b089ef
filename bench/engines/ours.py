"""The kernel of the Glue job, as a Spark task runs it, on local files."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from glue_job.memory import keep_memory

keep_memory()  # before anything imports pyarrow, as `ndjctl convert` and the job's workers have it

from bench.engines import Job  # noqa: E402
from glue_job import schema  # noqa: E402
from glue_job.convert import PartResult, PartTask, convert_part  # noqa: E402
from glue_job.plan import Extent, plan_parts  # noqa: E402
from glue_job.publish import publish  # noqa: E402
from glue_job.store import Target  # noqa: E402
from ndjctl.folder_store import FolderStore, LocalFile  # noqa: E402


def convert(job: Job) -> None:
    store = FolderStore(job.output_dir)
    files = [LocalFile.of(path, path.name) for path in job.files]
    root = schema.from_json(job.schema, "the schema of the bench")
    tasks = [
        PartTask(
            number=part.number,
            slices=part.slices,
            files={piece.file: files[piece.file] for piece in part.slices},
            root=root,
            target=Target("", f"part-{part.number:05}.parquet"),
            bad_lines_target=Target("quarantine", f"bad-{part.number:05}.ndjson"),
            metadata={"part": part.number},
        )
        for part in plan_parts([Extent(file.size_bytes) for file in files], job.cores)
    ]
    results = _run(job.cores, tasks, store)
    for result in results:
        if result.error is not None or result.unavailable:
            raise RuntimeError(result.error or f"unavailable: {result.unavailable}")
    publish(store, results)


def _run(cores: int, tasks: list[PartTask], store: FolderStore) -> list[PartResult]:
    if cores == 1:
        return [convert_part(task, store) for task in tasks]
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(convert_part, tasks, [store] * len(tasks)))
