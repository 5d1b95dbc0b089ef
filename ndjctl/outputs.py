"""Looks at the Parquet that is there: what parts, and their first rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from ndjctl.contracts import s3_uri
from ndjctl.convert.names import JOURNAL_FILE
from ndjctl.errors import UsageError
from ndjctl.objects import StoredObject, list_objects, open_parquet
from ndjctl.paths import shown
from ndjctl.proof import Part

ROOT = "parquet/"


@dataclass(frozen=True)
class DateSummary:
    """The parts of one date (YYYY-MM-DD), by name. Row counts are those of the parts' own footers."""

    date: str
    parts: tuple[Part, ...]

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def size_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts)


@dataclass(frozen=True)
class Head:
    """The first rows of one part. uri: None when there is no part at all."""

    uri: str | None
    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]


def listing(s3: Any, bucket: str, date: str | None) -> list[DateSummary]:
    """Every part, or those of one date, with its rows."""
    days = []
    for day, entries in groupby(_parts(s3, bucket, date), key=lambda entry: entry.key.split("/")[1]):
        parts = [
            Part(
                s3_uri(bucket, entry.key),
                open_parquet(s3, bucket, entry.key, entry.size_bytes).metadata.num_rows,
                entry.size_bytes,
            )
            for entry in entries
        ]
        days.append(DateSummary(day, tuple(parts)))
    return days


def head(s3: Any, bucket: str, date: str | None, rows: int) -> Head:
    """The first rows of the newest part that has any."""
    newest = sorted(_parts(s3, bucket, date), key=lambda entry: entry.key, reverse=True)
    opened = ((s3_uri(bucket, entry.key), open_parquet(s3, bucket, entry.key, entry.size_bytes)) for entry in newest)
    return _first_rows(opened, rows)


def head_of_folder(path: Path, rows: int) -> Head:
    """The first rows of the first Parquet file that has any, of a folder on this machine (or of that one file). Raises
    UsageError for what cannot be read."""
    try:
        files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        return _first_rows(((str(file), _opened(file)) for file in files), rows)
    except OSError as error:
        raise UsageError(f"{shown(error.filename or path)} cannot be read: {error.strerror or error}.") from error


def is_half_published(path: Path) -> bool:
    """Whether a conversion to this folder died between its first and its last part becoming visible."""
    return (path / JOURNAL_FILE).exists()


def _opened(file: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(file.open("rb"))
    except pa.ArrowInvalid as error:
        raise UsageError(f"{shown(file)} is no Parquet.") from error


def _first_rows(files: Iterable[tuple[str, Any]], rows: int) -> Head:
    """Of the first one that has any. files: pairs of a URI and a pyarrow ParquetFile."""
    empty: Head | None = None
    for uri, file in files:
        taken: list[dict[str, Any]] = []
        for batch in file.iter_batches(batch_size=max(rows, 1)):
            taken += batch.to_pylist()[: rows - len(taken)]
            if len(taken) >= rows:
                break
        found = Head(uri, tuple(file.schema_arrow.names), tuple(taken))
        if taken:
            return found
        empty = empty or found
    return empty or Head(None, (), ())


def _parts(s3: Any, bucket: str, date: str | None) -> Iterator[StoredObject]:
    prefix = f"{ROOT}{date}/" if date else ROOT
    return (entry for entry in list_objects(s3, bucket, prefix) if entry.key.endswith(".parquet"))
