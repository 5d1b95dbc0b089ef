"""Rows to one Parquet file, in bounded memory; and what a finished file's footer says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from glue_job import schema
from glue_job.encoding import SAMPLE_ROWS, dictionary_columns, statistics_columns
from glue_job.memory import give_back
from glue_job.schema import ListOf, Struct, Type
from ndjctl.contracts import MIB, PARQUET_METADATA_KEY, RESCUED_COLUMN, SOURCE_COLUMN

BATCH_ROWS = 10_000
BATCH_INPUT_BYTES = 4 * MIB
ROW_GROUP_ROWS = 128 * 1024
ROW_GROUP_BYTES = 128 * MIB
"""Of Arrow memory, which is what the writer holds at most. Whichever limit comes first ends a row group."""

_SMALL_BATCH_BYTES = 128 * 1024
"""Row groups of smaller batches than this on average are put together before they are written: every chunk of every
column costs the writer some time."""

_LARGE_ROW_BYTES = 24 * MIB
"""From this size on a row has a row group of its own: the writer takes several times the memory of a value."""

_SAMPLE_BYTES = 16 * MIB

_ARRAY_BYTES = 1_000
"""What an array takes about besides its values, which in a batch of few rows is more than those."""

_LOOSE_BYTES = 16 * MIB
"""Of that, in one row group: then its latest batches become one."""

_FEW_ROWS = 500
_MEASURED_EVERY = 16

_SCALARS = {
    schema.BOOL: pa.bool_(),
    schema.INT64: pa.int64(),
    schema.DOUBLE: pa.float64(),
    schema.STRING: pa.string(),
    schema.UNKNOWN: pa.string(),
}


def arrow_type(column: Type) -> pa.DataType:
    if isinstance(column, Struct):
        return pa.struct([pa.field(field.name, arrow_type(field.type)) for field in column.fields])
    if isinstance(column, ListOf):
        return pa.list_(arrow_type(column.element))
    return _SCALARS[column.kind]


def data_schema(root: Struct) -> pa.Schema:
    """The data columns alone."""
    return pa.schema([pa.field(field.name, arrow_type(field.type)) for field in root.fields])


def arrow_schema(root: Struct, metadata: Mapping[str, Any]) -> pa.Schema:
    """The data columns, then SOURCE_COLUMN and RESCUED_COLUMN. metadata: JSON object, kept in the file's footer."""
    fields = list(data_schema(root))
    fields.append(pa.field(SOURCE_COLUMN, pa.dictionary(pa.int32(), pa.string())))
    fields.append(pa.field(RESCUED_COLUMN, pa.string()))
    return pa.schema(fields, metadata={PARQUET_METADATA_KEY: json.dumps(metadata, sort_keys=True)})


def with_rescued(batch: pa.RecordBatch, rescued: pa.Array) -> pa.RecordBatch:
    """The batch with RESCUED_COLUMN behind its columns."""
    fields = [*batch.schema, pa.field(RESCUED_COLUMN, pa.string())]
    return pa.RecordBatch.from_arrays([*batch.columns, rescued], schema=pa.schema(fields))


class PartWriter:
    """Takes rows as glue_job.conform makes them, and batches of rows. sink: binary file object. sources: the URIs that
    rows come from.

    close() writes what is left and the footer; without it there is no Parquet file. rows: written so far, those still
    in memory included.
    """

    def __init__(self, sink: Any, root: Struct, sources: Sequence[str], metadata: Mapping[str, Any]) -> None:
        self._schema = arrow_schema(root, metadata)
        self._data_schema = data_schema(root)
        self._row_type = arrow_type(root)
        self._batch_bytes = schema.count_columns(root) * _ARRAY_BYTES
        self._sources = pa.array(sources, pa.string())
        self._sink = sink
        self._writer: Any = None  # made when there are rows to choose encodings by
        self._rows: list[dict[str, Any]] = []
        self._rescued: list[str | None] = []
        self._row_sources: list[int] = []
        self._input_bytes = 0
        self._runs: list[_Run] = []
        self._group = _RowGroup()
        self.rows = 0

    def add(self, row: dict[str, Any], rescued: str | None, source: int, input_bytes: int) -> None:
        """source: index into `sources`. input_bytes: size of the line, by which memory is judged."""
        self._rows.append(row)
        self._rescued.append(rescued)
        self._row_sources.append(source)
        self._input_bytes += input_bytes
        self.rows += 1
        if not self._runs or self._runs[-1].place != len(self._group.batches) - 1:
            self._runs.append(_Run(self._group.place(), len(self._rows) - 1))
        if len(self._rows) >= BATCH_ROWS or self._input_bytes >= BATCH_INPUT_BYTES:
            self._end_rows()
            self._end_full_row_group()

    def add_batch(self, batch: pa.RecordBatch, source: int) -> None:
        """Rows of one source. batch: the schema's columns, as data_schema() has them, and RESCUED_COLUMN behind them if
        anything is rescued."""
        self.rows += batch.num_rows
        if batch.num_columns > len(self._data_schema):
            rescued = batch.column(len(self._data_schema))
            batch = pa.RecordBatch.from_arrays(batch.columns[:-1], schema=self._data_schema)
        else:
            rescued = pa.nulls(batch.num_rows, pa.string())
        sources = pa.repeat(pa.scalar(source, pa.int32()), batch.num_rows)
        # Only of a row that comes alone is it known that it may be large.
        size_bytes = batch.nbytes + rescued.nbytes if batch.num_rows == 1 else None
        if size_bytes is not None and size_bytes >= _LARGE_ROW_BYTES:
            self._end_row_group()
            self._group.put(self._group.place(), batch, rescued, sources, size_bytes)
            give_back()  # what the reading of the line has freed
            self._end_row_group()
            return
        self._group.put(self._group.place(), batch, rescued, sources, size_bytes)
        self._end_full_row_group()

    def _end_rows(self) -> None:
        """Puts the rows where they belong among the batches. They are made columns together, because to make columns of
        a few costs as much as of many."""
        columns = pa.array(self._rows, self._row_type).flatten()
        batch = pa.RecordBatch.from_arrays(columns, schema=self._data_schema)
        rescued, sources = pa.array(self._rescued, pa.string()), pa.array(self._row_sources, pa.int32())
        ends = [*(run.first for run in self._runs[1:]), len(self._rows)]
        for run, end in zip(self._runs, ends, strict=True):
            first, count = run.first, end - run.first
            self._group.put(
                run.place, batch.slice(first, count), rescued.slice(first, count), sources.slice(first, count)
            )
        self._rows, self._rescued, self._row_sources, self._runs, self._input_bytes = [], [], [], [], 0

    def _end_full_row_group(self) -> None:
        group = self._group
        if group.loose * self._batch_bytes >= _LOOSE_BYTES:
            if self._rows:
                self._end_rows()
            group.put_together(self._data_schema)
        if group.rows + len(self._rows) >= ROW_GROUP_ROWS or group.size_bytes + self._input_bytes >= ROW_GROUP_BYTES:
            self._end_row_group()

    def _end_row_group(self) -> None:
        if self._rows:
            self._end_rows()
        group, self._group = self._group, _RowGroup()
        if not group.rows:
            return
        data = pa.Table.from_batches(group.batches, self._data_schema)
        if group.size_bytes < len(group.batches) * _SMALL_BATCH_BYTES:
            data = data.combine_chunks()
        sources = pa.DictionaryArray.from_arrays(pa.concat_arrays(group.sources), self._sources)
        rescued = group.rescued[0] if len(group.rescued) == 1 else pa.concat_arrays(group.rescued)
        columns = [*data.columns, sources, rescued]
        rows = group.rows
        del group, data
        self._write(pa.Table.from_arrays(columns, schema=self._schema), rows)

    def _write(self, table: pa.Table, rows: int) -> None:
        if self._writer is None:
            sample = _small_sample(table.select(self._data_schema.names))
            self._writer = pq.ParquetWriter(
                self._sink,
                self._schema,
                version="2.6",
                compression="zstd",
                write_statistics=[*statistics_columns(sample), SOURCE_COLUMN],
                use_dictionary=[*dictionary_columns(sample), SOURCE_COLUMN],
            )
        if rows:
            self._writer.write_table(table, row_group_size=rows)

    def close(self) -> None:
        self._end_row_group()
        if self._writer is None:
            self._write(self._schema.empty_table(), 0)
        self._writer.close()


def _small_sample(table: pa.Table) -> pa.Table:
    """Some of the first rows. A row that is larger than a sample is passed over."""
    for first in range(min(table.num_rows, SAMPLE_ROWS)):
        count = min(SAMPLE_ROWS, table.num_rows - first)
        while count:
            sample = table.slice(first, count)
            if sample.nbytes <= _SAMPLE_BYTES:
                return sample
            count //= 2
    return table.slice(0, 0)


class _Run(NamedTuple):
    """Rows that are not columns yet. place: in the row group. first: index of the first one."""

    place: int
    first: int


class _RowGroup:
    """What the next row group is made of: one entry of each list for a batch, empty until it is put in its place."""

    def __init__(self) -> None:
        self.batches: list[pa.RecordBatch | None] = []
        self.rescued: list[pa.Array | None] = []
        self.sources: list[pa.Array | None] = []
        self.rows = 0
        self.size_bytes = 0.0
        self._row_bytes = 0.0
        self._unmeasured = 0
        self._whole = 0

    @property
    def loose(self) -> int:
        """Batches since the last ones were put together."""
        return len(self.batches) - self._whole

    def put_together(self, data_schema: pa.Schema) -> None:
        """Makes one of the loose batches, which are all in their places."""
        latest = slice(self._whole, None)
        (batch,) = pa.Table.from_batches(self.batches[latest], data_schema).combine_chunks().to_batches()
        self.batches[latest] = [batch]
        self.rescued[latest] = [pa.concat_arrays(self.rescued[latest])]
        self.sources[latest] = [pa.concat_arrays(self.sources[latest])]
        self._whole = len(self.batches)

    def place(self) -> int:
        """A new place behind the others."""
        self.batches.append(None)
        self.rescued.append(None)
        self.sources.append(None)
        return len(self.batches) - 1

    def put(
        self, place: int, batch: pa.RecordBatch, rescued: pa.Array, sources: pa.Array, size_bytes: int | None = None
    ) -> None:
        """size_bytes: of all of it, if that is known."""
        self.batches[place], self.rescued[place], self.sources[place] = batch, rescued, sources
        self.rows += len(rescued)
        self.size_bytes += self._size(batch) + rescued.nbytes if size_bytes is None else size_bytes

    def _size(self, batch: pa.RecordBatch) -> float:
        """Of a few rows it is an estimate, by the batch that was measured last: to measure them takes longer than to
        read them."""
        self._unmeasured += 1
        if batch.num_rows > _FEW_ROWS or self._unmeasured >= _MEASURED_EVERY or not self._row_bytes:
            self._unmeasured = 0
            self._row_bytes = batch.nbytes / max(batch.num_rows, 1)
        return float(self._row_bytes * batch.num_rows)


class Footer(NamedTuple):
    """metadata: the JSON object that the file was written with; empty if it carries none."""

    rows: int
    metadata: dict[str, Any]


def footer_bytes(tail: bytes) -> int:
    """Size of the footer at the end of a Parquet file, of which `tail` is at least the last 8 bytes.

    Raises ValueError if it is no Parquet.
    """
    if tail[-4:] != b"PAR1":
        raise ValueError("it does not end like a Parquet file")
    return int.from_bytes(tail[-8:-4], "little") + 8


def parse_footer(footer: bytes) -> Footer:
    """footer: the last footer_bytes() of a file. Raises ValueError."""
    found = pq.read_metadata(pa.BufferReader(footer))
    metadata = json.loads((found.metadata or {}).get(PARQUET_METADATA_KEY.encode(), b"{}"))
    return Footer(found.num_rows, metadata)
