"""Which columns are worth a dictionary: those whose values repeat. Pure.

A dictionary for values that hardly repeat is built, found to be too large and thrown away, in every row group: a third
of the time of writing, and a larger file.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

SAMPLE_ROWS = 10_000

_MOST_DISTINCT = 0.3
"""Share of the sample's values that may be distinct."""

_TEXT_BYTES = 1024
"""Average length of strings from which on they are texts."""


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
    """As dictionary_columns(): those in which a reader may look for a value. Texts are none, and least and greatest of
    them take the writer four times the memory of one."""
    return [
        path
        for name, column in zip(sample.column_names, sample.columns, strict=True)
        for paths, values in _leaves(column.combine_chunks(), [name])
        if not pa.types.is_string(values.type) or values.nbytes <= len(values) * _TEXT_BYTES
        for path in paths
    ]


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
