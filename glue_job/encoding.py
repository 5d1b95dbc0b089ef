"""Which columns are worth a dictionary: those whose values repeat. Pure.

A dictionary for values that hardly repeat is built, found to be too large and thrown away, in every row group: a third
of the time of writing, and a larger file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

SAMPLE_ROWS = 10_000

_MOST_DISTINCT = 0.3
"""Share of the sample's values that may be distinct."""

_LONGEST_KEY_BYTES = 256
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_LOOKED_AT = 100


def dictionary_columns(sample: pa.Table) -> list[str]:
    """Paths as pyarrow's ParquetWriter takes them; those within lists in the spellings of all its versions."""
    return [
        path
        for name, column in zip(sample.column_names, sample.columns, strict=True)
        for paths, values in _leaves(column.combine_chunks(), [name])
        if _repeats(values)
        for path in paths
    ]


def statistics_columns(sample: pa.Table) -> list[str]:
    """As dictionary_columns(): those in which a reader can tell by the least and the greatest value of a row group that
    it need not look there. Of texts of any length those are of no use; and they take the writer six times the memory of
    the longest, which may be a whole line."""
    return [
        path
        for name, column in zip(sample.column_names, sample.columns, strict=True)
        for paths, values in _leaves(column.combine_chunks(), [name])
        if not pa.types.is_string(values.type) or _has_order(values.drop_null())
        for path in paths
    ]


def _has_order(texts: pa.Array) -> bool:
    """Whether they are names of few things, of one length as keys are, or dates."""
    if not len(texts):
        return False
    lengths = pc.min_max(pc.binary_length(texts)).as_py()
    if lengths["max"] > _LONGEST_KEY_BYTES:
        return False
    is_date = all(_DATE.match(text) for text in texts.slice(0, _LOOKED_AT).to_pylist())
    return lengths["min"] == lengths["max"] or is_date or _repeats(texts)


def _leaves(array: pa.Array, paths: list[str]) -> Iterator[tuple[list[str], pa.Array]]:
    if isinstance(array, pa.ChunkedArray):  # what combine_chunks() gives of no rows, in some versions
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.nulls(0, array.type)
    if pa.types.is_struct(array.type):
        for index, field in enumerate(array.type):
            yield from _leaves(array.field(index), [f"{path}.{field.name}" for path in paths])
    elif pa.types.is_list(array.type):
        inner = [f"{path}.list.{name}" for path in paths for name in ("element", "item")]
        yield from _leaves(array.flatten(), inner)
    else:
        yield paths, array


def _repeats(values: pa.Array) -> bool:
    if pa.types.is_boolean(values.type):
        return False  # a bit each as they are
    count = len(values) - values.null_count
    return count == 0 or bool(pc.count_distinct(values).as_py() < count * _MOST_DISTINCT)
