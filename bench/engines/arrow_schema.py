"""The pinned schema in Arrow's words, for the engines that take one so."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

_SCALARS = {
    "bool": pa.bool_(),
    "int64": pa.int64(),
    "double": pa.float64(),
    "string": pa.string(),
    "unknown": pa.string(),
}


def arrow_schema(schema: Any) -> pa.Schema:
    """schema: as JSON, as glue_job.schema stores one."""
    return pa.schema(list(_type(schema)))


def _type(column: Any) -> pa.DataType:
    if isinstance(column, str):
        return _SCALARS[column]
    if "list" in column:
        return pa.list_(_type(column["list"]))
    return pa.struct([pa.field(field["name"], _type(field["type"])) for field in column["struct"]])
