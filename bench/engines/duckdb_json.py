"""DuckDB: read_json with the columns given, COPY to one Parquet file."""

from __future__ import annotations

from typing import Any

import duckdb

from bench.engines import Job

_SCALARS = {"bool": "BOOLEAN", "int64": "BIGINT", "double": "DOUBLE", "string": "VARCHAR", "unknown": "VARCHAR"}
_LARGEST_OBJECT_BYTES = 64 * 2**20


def _type(column: Any) -> str:
    if isinstance(column, str):
        return _SCALARS[column]
    if "list" in column:
        return f"{_type(column['list'])}[]"
    fields = (f'"{_doubled(field["name"], chr(34))}" {_type(field["type"])}' for field in column["struct"])
    return f"STRUCT({', '.join(fields)})"


def _doubled(text: str, quote: str) -> str:
    return text.replace(quote, quote * 2)


def _text(text: str) -> str:
    return f"'{_doubled(text, chr(39))}'"


def convert(job: Job) -> None:
    columns = ", ".join(f"{_text(field['name'])}: {_text(_type(field['type']))}" for field in job.schema["struct"])
    files = ", ".join(_text(str(path)) for path in job.files)
    connection = duckdb.connect(config={"threads": job.cores, "temp_directory": str(job.scratch_dir)})
    connection.execute("SET enable_progress_bar = false")
    connection.execute(
        # Names and paths can only be written into the text here; each is quoted.
        f"COPY (SELECT * FROM read_json([{files}], format = 'newline_delimited', columns = {{{columns}}}, "  # noqa: S608
        f"ignore_errors = {str(job.is_lenient).lower()}, maximum_object_size = {_LARGEST_OBJECT_BYTES})) "
        f"TO {_text(str(job.output_dir / 'part.parquet'))} (FORMAT parquet, COMPRESSION zstd)"
    )
