"""Polars: scan_ndjson with the schema given, sunk into one Parquet file."""

from __future__ import annotations

import os
from typing import Any

from bench.engines import Job


def convert(job: Job) -> None:
    os.environ["POLARS_MAX_THREADS"] = str(job.cores)  # read when polars is imported
    import polars

    scalars = {
        "bool": polars.Boolean,
        "int64": polars.Int64,
        "double": polars.Float64,
        "string": polars.String,
        "unknown": polars.String,
    }

    def type_of(column: Any) -> Any:
        if isinstance(column, str):
            return scalars[column]
        if "list" in column:
            return polars.List(type_of(column["list"]))
        return polars.Struct([polars.Field(field["name"], type_of(field["type"])) for field in column["struct"]])

    schema = {field["name"]: type_of(field["type"]) for field in job.schema["struct"]}
    frame = polars.scan_ndjson([str(path) for path in job.files], schema=schema, ignore_errors=job.is_lenient)
    frame.sink_parquet(job.output_dir / "part.parquet", compression="zstd")
