"""DataFusion: read_json with the schema given, write_parquet."""

from __future__ import annotations

from datafusion import SessionConfig, SessionContext

from bench.engines import Job
from bench.engines.arrow_schema import arrow_schema


def convert(job: Job) -> None:
    context = SessionContext(SessionConfig().with_target_partitions(job.cores))
    frame = context.read_json(job.folder, schema=arrow_schema(job.schema), file_extension=".ndjson")
    frame.write_parquet(job.output_dir, compression="zstd")
