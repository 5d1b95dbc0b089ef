"""ClickHouse (chDB): file() with the structure given and every setting at its strictest, to one Parquet file."""

from __future__ import annotations

import importlib
from typing import Any

from bench.engines import Job

_SCALARS = {"bool": "Bool", "int64": "Int64", "double": "Float64", "string": "String", "unknown": "String"}

_STRICT = {
    "input_format_skip_unknown_fields": 0,
    "input_format_json_ignore_unknown_keys_in_named_tuple": 0,
    "input_format_json_ignore_unnecessary_fields": 0,  # or duplicate keys pass
    "input_format_null_as_default": 0,
    "input_format_json_empty_as_default": 0,
    "input_format_json_read_bools_as_numbers": 0,
    "input_format_json_read_bools_as_strings": 0,
    "input_format_json_read_numbers_as_strings": 0,
    "input_format_json_read_objects_as_strings": 0,
    "input_format_json_read_arrays_as_strings": 0,
    "input_format_json_throw_on_bad_escape_sequence": 1,
    "input_format_allow_errors_num": 0,
    "input_format_allow_errors_ratio": 0,
    "output_format_parquet_compression_method": "'zstd'",
}
_LARGEST_INTEGER = 2**64 - 1


def _type(column: Any) -> str:
    """Nothing but a list can not be null to ClickHouse."""
    if isinstance(column, str):
        return f"Nullable({_SCALARS[column]})"
    if "list" in column:
        return f"Array({_type(column['list'])})"
    fields = (f"`{_escaped(field['name'], '`')}` {_type(field['type'])}" for field in column["struct"])
    return f"Nullable(Tuple({', '.join(fields)}))"


def _escaped(text: str, quote: str) -> str:
    return text.replace("\\", "\\\\").replace(quote, f"\\{quote}")


def _text(text: str) -> str:
    return f"'{_escaped(text, chr(39))}'"


def convert(job: Job) -> None:
    chdb: Any = importlib.import_module("chdb.session")  # its functions have no types
    columns = ", ".join(f"`{_escaped(field['name'], '`')}` {_type(field['type'])}" for field in job.schema["struct"])
    settings = _STRICT | {"max_threads": job.cores, "max_insert_threads": job.cores}
    if job.is_lenient:
        settings |= {"input_format_allow_errors_num": _LARGEST_INTEGER}
    session = chdb.Session(str(job.scratch_dir / "session"))
    try:
        session.query(
            # Names and paths can only be written into the text here; each is quoted.
            f"INSERT INTO FUNCTION file({_text(str(job.output_dir / 'part.parquet'))}, 'Parquet') "  # noqa: S608
            f"SELECT * FROM file({_text(str(job.folder / '*'))}, 'JSONEachRow', {_text(columns)}) "
            f"SETTINGS {', '.join(f'{name} = {value}' for name, value in settings.items())}"
        )
    finally:
        session.close()
