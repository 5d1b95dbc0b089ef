"""What the outputs themselves hold: rows of each source in a Parquet part, quarantined lines of each source in an
object of bad lines. By ranged requests and in bounded memory."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ndjctl.contracts import MANIFEST_MARK, PARQUET_METADATA_KEY, RUN_MARK, SOURCE_COLUMN, s3_uri
from ndjctl.damage import BAD_LINES, PARQUET, Damaged, read_whole, text_column
from ndjctl.objects import BLOCK_BYTES, RangedObject
from ndjctl.quarantine.lines import line_facts
from ndjctl.reconcile.streams import Listed
from ndjctl.reconcile.unchanged import NO_MARK, Mark, part_mark

_TAIL_BYTES = 64 * 1024
_LEAST_BYTES = 12  # of any Parquet


@dataclass(frozen=True)
class Content:
    """rows: rows, or quarantined lines, by source URI; empty where `problem` says why it cannot be read. mark: what the
    object says of who wrote it."""

    listed: Listed
    rows: Counter[str] = field(default_factory=Counter)
    mark: Mark = NO_MARK
    problem: str = ""


def read_part(s3: Any, listed: Listed) -> Content:
    """The rows of a Parquet part. Raises what boto3 raises, unless it is the object that is at fault."""
    return _read(lambda: _rows_of(s3, listed), listed, PARQUET)


def read_bad_lines(s3: Any, listed: Listed) -> Content:
    """The quarantined lines of an object of bad lines. Raises as read_part()."""
    return _read(lambda: _lines_of(s3, listed), listed, BAD_LINES)


def _read(count: Callable[[], tuple[Counter[str], Mark]], listed: Listed, what: str) -> Content:
    try:
        return Content(listed, *read_whole(count, s3_uri(listed.bucket, listed.key), what))
    except Damaged as error:
        return Content(listed, problem=error.why)


def _rows_of(s3: Any, listed: Listed) -> tuple[Counter[str], Mark]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if listed.size_bytes < _LEAST_BYTES:
        raise ValueError(f"it has {listed.size_bytes} bytes")
    tail = _tail(s3, listed, _TAIL_BYTES)
    if tail[-4:] != b"PAR1":
        raise ValueError("it does not end like a Parquet file")
    footer_bytes = int.from_bytes(tail[-8:-4], "little") + 8
    if footer_bytes > len(tail):
        tail = _tail(s3, listed, footer_bytes)
    metadata = pq.read_metadata(pa.BufferReader(tail))
    column = text_column(metadata.schema, SOURCE_COLUMN)
    rows: Counter[str] = Counter()
    mixed = []
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        only = _only_source(group.column(column).statistics)
        if only is not None:
            # Smallest and largest value are the same, and there are no nulls: so are all between them.
            rows[only] += group.num_rows
        else:
            mixed.append(number)
    if mixed:
        file = io.BufferedReader(RangedObject(s3, listed.bucket, listed.key, listed.size_bytes), BLOCK_BYTES)
        reader = pq.ParquetFile(file, metadata=metadata)
        for batch in reader.iter_batches(row_groups=mixed, columns=[SOURCE_COLUMN], use_threads=False):
            for count in batch.column(0).value_counts().to_pylist():
                rows[count["values"] or ""] += count["counts"]
    return rows, _mark_in(metadata.metadata or {})


def _mark_in(metadata: Mapping[bytes, bytes]) -> Mark:
    """Of a part that somebody else wrote anew there may be none, or anything under its name."""
    try:
        return part_mark(json.loads(metadata.get(PARQUET_METADATA_KEY.encode(), b"{}")))
    except ValueError:
        return NO_MARK


def _only_source(statistics: Any) -> str | None:
    if statistics is None or not statistics.has_min_max or not statistics.has_null_count or statistics.null_count:
        return None
    return str(statistics.min) if statistics.min == statistics.max else None


def _tail(s3: Any, listed: Listed, size_bytes: int) -> bytes:
    first = max(listed.size_bytes - size_bytes, 0)
    answer = s3.get_object(
        Bucket=listed.bucket, Key=listed.key, Range=f"bytes={first}-{listed.size_bytes - 1}", IfMatch=listed.etag
    )
    return bytes(answer["Body"].read())


def _lines_of(s3: Any, listed: Listed) -> tuple[Counter[str], Mark]:
    answer = s3.get_object(Bucket=listed.bucket, Key=listed.key, IfMatch=listed.etag)
    marks = answer.get("Metadata", {})
    lines = Counter(str(facts["source"]) for facts in line_facts(answer["Body"]))
    return lines, Mark(marks.get(RUN_MARK, ""), marks.get(MANIFEST_MARK, ""))
