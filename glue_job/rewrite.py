"""One stored object again without what came from some files: a Parquet part without their rows, an object of bad lines
without theirs. Written out of sight, a row group or a line at a time.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from glue_job.convert import NDJSON_TYPE, PARQUET_TYPE
from glue_job.parquet import Footer, footer_bytes, parse_footer
from glue_job.ranged import RangedFile
from glue_job.store import Published, Sink, Store, Written
from ndjctl.contracts import MANIFEST_MARK, PARQUET_METADATA_KEY, RUN_MARK, SOURCE_COLUMN

_HEAD_ENDS = (b', "raw": "', b', "raw_base64": "')
"""What follows the facts of a quarantined line. Within a text of those the quotes would have a backslash before."""

_BLOCK_BYTES = 1024 * 1024


class RewriteFailed(Exception):
    """What was written is not what it should be; str() is one sentence."""


class Rewritten(NamedTuple):
    """An object without some of its rows (or lines). written: whole, not visible yet; None if nothing is left and there
    is to be no object. footer: what a part's says, None for bad lines. by_run: the run that took them out."""

    published: Published
    before: int
    removed: int
    written: Written | None
    footer: Footer | None
    by_run: str

    @property
    def after(self) -> int:
        return self.before - self.removed


class Before(NamedTuple):
    """An object that has nothing to remove, because an earlier run of the same manifest, by_run, wrote it so."""

    published: Published
    by_run: str


def without_rows(
    store: Store, part: Published, sources: frozenset[str], note: Mapping[str, Any]
) -> Rewritten | Before | None:
    """The part without the rows of `sources` (URIs), None or Before if it has none of them. note: added to the metadata
    of the part, with the number of rows: `by_manifest` and `by_run` say who did it. Schema, compression, encodings and
    row groups stay as they are; a part without any row left is one of no rows. Raises RewriteFailed, and as the store
    and pyarrow do."""
    file = RangedFile(store, part)
    parquet = pq.ParquetFile(file)
    counts = [_count(parquet, group, sources) for group in range(parquet.num_row_groups)]
    removed = sum(counts)
    if not removed:
        earlier = _notes(parquet.schema_arrow.metadata)
        is_ours = bool(earlier) and earlier[-1].get("by_manifest") == note["by_manifest"]
        return Before(part, str(earlier[-1].get("by_run") or "")) if is_ours else None
    rows = parquet.metadata.num_rows
    metadata = _noted(parquet.schema_arrow.metadata, {**note, "rows": removed})
    expected = Footer(rows - removed, metadata)
    with store.create(part.target, PARQUET_TYPE) as sink:
        tail = _Tail(sink)
        writer = _writer(tail, parquet, metadata)
        for group, count in enumerate(counts):
            table = _rest(file, parquet, group, count, sources)
            if table is not None:
                writer.write_table(table, row_group_size=table.num_rows)
            del table
        tail.keep()
        writer.close()
        found = parse_footer(tail.kept[-footer_bytes(tail.kept) :])
        if found != expected:
            raise RewriteFailed(
                f"{part.target.uri} without {removed} of {rows} rows was written with {found.rows}, or as another"
            )
        return Rewritten(part, rows, removed, sink.finish(), expected, note["by_run"])


def _count(parquet: Any, group: int, sources: frozenset[str]) -> int:
    """Rows of `sources` in a row group."""
    about = parquet.metadata.row_group(group)
    for index in range(about.num_columns):
        column = about.column(index)
        if column.path_in_schema == SOURCE_COLUMN:
            seen = column.statistics
            if seen is not None and seen.has_min_max and not any(seen.min <= uri <= seen.max for uri in sources):
                return 0
            return _true(_is_of(parquet.read_row_group(group, columns=[SOURCE_COLUMN]).column(0), sources))
    raise RewriteFailed(f"a part has no column {SOURCE_COLUMN}: whose rows it has is not known")


def _is_of(column: pa.ChunkedArray, sources: frozenset[str]) -> pa.ChunkedArray:
    """Where the source is one of `sources`. Never null."""
    wanted = pa.array(sorted(sources), pa.string())
    chunks = []
    for chunk in column.chunks:
        if isinstance(chunk, pa.DictionaryArray):  # whose values are few; and not every version compares them itself
            found = pc.is_in(chunk.dictionary, value_set=wanted).take(chunk.indices)
        else:
            found = pc.is_in(chunk, value_set=wanted)
        chunks.append(found.fill_null(False))
    return pa.chunked_array(chunks, pa.bool_())


def _true(mask: pa.ChunkedArray) -> int:
    return int(pc.sum(mask).as_py() or 0)


def _rest(file: RangedFile, parquet: Any, group: int, count: int, sources: frozenset[str]) -> pa.Table | None:
    """A row group without the `count` rows of `sources`; None if that leaves nothing."""
    about = parquet.metadata.row_group(group)
    if count == about.num_rows:
        return None
    file.hold(*_range(about))
    table = parquet.read_row_group(group)
    return table.filter(pc.invert(_is_of(table.column(SOURCE_COLUMN), sources))) if count else table


def _range(about: Any) -> tuple[int, int]:
    """Where a row group's pages are in the file."""
    columns = [about.column(index) for index in range(about.num_columns)]
    starts = [
        min(offset for offset in (column.dictionary_page_offset, column.data_page_offset) if offset)
        for column in columns
    ]
    return min(starts), max(start + column.total_compressed_size for start, column in zip(starts, columns, strict=True))


def _noted(metadata: Mapping[bytes, bytes] | None, note: Mapping[str, Any]) -> dict[str, Any]:
    """The part's own JSON object, with the note behind those of earlier times."""
    return {**_own(metadata), "removed": [*_notes(metadata), dict(note)]}


def _own(metadata: Mapping[bytes, bytes] | None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((metadata or {}).get(PARQUET_METADATA_KEY.encode(), b"{}"))
    return found


def _notes(metadata: Mapping[bytes, bytes] | None) -> list[dict[str, Any]]:
    """Of what was taken out of the part so far, the oldest first."""
    return list(_own(metadata).get("removed", []))


def _writer(sink: Any, parquet: Any, metadata: Mapping[str, Any]) -> Any:
    """A writer that encodes as the one of the part did: as its first row group says."""
    about = parquet.metadata.row_group(0)
    columns = [about.column(index) for index in range(about.num_columns)]
    described = parquet.schema_arrow
    text = json.dumps(metadata, sort_keys=True).encode()
    return pq.ParquetWriter(
        sink,
        described.with_metadata({**(described.metadata or {}), PARQUET_METADATA_KEY.encode(): text}),
        version="2.6",
        compression=columns[0].compression.lower(),
        write_statistics=_paths(column for column in columns if column.is_stats_set),
        use_dictionary=_paths(column for column in columns if column.has_dictionary_page),
    )


def _paths(columns: Iterator[Any]) -> list[str]:
    """Columns as the writer knows them: what lists hold is called `element` or `item`, by its version."""
    paths = [column.path_in_schema for column in columns]
    spelled = [path.replace(".list.element", ".list.item") for path in paths]
    return [*paths, *(path for path in spelled if path not in paths)] + [
        other for path in paths if (other := path.replace(".list.item", ".list.element")) not in paths
    ]


class _Tail(io.RawIOBase):
    """A sink that remembers what is written to it from keep() on: the footer."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink
        self._is_kept = False
        self._size_bytes = 0
        self.kept = b""

    def keep(self) -> None:
        self._is_kept = True

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size_bytes

    def write(self, data: Any) -> int:
        if self._is_kept:
            self.kept += bytes(data)
        count = self._sink.write(data)
        self._size_bytes += count
        return count


def without_bad_lines(
    store: Store, stored: Published, sources: frozenset[str], note: Mapping[str, Any]
) -> Rewritten | None:
    """The object of bad lines without those of `sources`, None if it has none of them. note: as of without_rows(), in
    its marks. Raises as the store does, and ValueError for what is no such object."""
    kept = removed = 0
    for line in _lines(store, stored):
        is_removed = _source(line) in sources
        removed += is_removed
        kept += not is_removed
    if not removed:
        return None
    if not kept:
        return Rewritten(stored, removed, removed, None, None, note["by_run"])
    marks = {MANIFEST_MARK: note["by_manifest"], RUN_MARK: note["by_run"]}
    with store.create(stored.target, NDJSON_TYPE, marks) as sink:
        for line in _lines(store, stored):
            if _source(line) not in sources:
                sink.write(line + b"\n")
        return Rewritten(stored, kept + removed, removed, sink.finish(), None, note["by_run"])


def _lines(store: Store, stored: Published) -> Iterator[bytes]:
    rest: list[bytes] = []
    for start in range(0, stored.size_bytes, _BLOCK_BYTES):
        block = store.read_back(stored, start, min(start + _BLOCK_BYTES, stored.size_bytes))
        first, *others = block.split(b"\n")
        rest.append(first)
        for following in others:
            yield from _not_empty(b"".join(rest))
            rest = [following]
    yield from _not_empty(b"".join(rest))


def _not_empty(line: bytes) -> Sequence[bytes]:
    return (line,) if line else ()


def _source(line: bytes) -> str:
    """Of a quarantined line, without looking at the line itself, which may be long."""
    ends = [end for end in (line.find(mark) for mark in _HEAD_ENDS) if end >= 0]
    record = json.loads(line[: min(ends)] + b"}" if ends else line)
    return str(record["source"])
