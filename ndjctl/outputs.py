"""Looks at the Parquet that is there: what parts, and their first rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from ndjctl.contracts import s3_uri
from ndjctl.convert.names import JOURNAL_FILE
from ndjctl.damage import PARQUET, Damage, Damaged, manifest_of_part, read_whole
from ndjctl.errors import UsageError
from ndjctl.objects import StoredObject, list_objects, open_parquet
from ndjctl.paths import shown
from ndjctl.proof import Part

ROOT = "parquet/"


@dataclass(frozen=True)
class DateSummary:
    """The parts of one date (YYYY-MM-DD), by name. Row counts are those of the parts' own footers; damaged: those of
    the parts that have none which can be read."""

    date: str
    parts: tuple[Part, ...]
    damaged: tuple[Damage, ...] = ()

    @property
    def rows(self) -> int:
        return sum(part.rows or 0 for part in self.parts)

    @property
    def size_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts)


@dataclass(frozen=True)
class Head:
    """The first rows of one part. uri: None when there is no part at all. damaged: parts that were passed over, because
    they cannot be read."""

    uri: str | None
    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    damaged: tuple[Damage, ...] = ()

    @property
    def is_unreadable(self) -> bool:
        """Whether there are parts, and none of them can be read."""
        return self.uri is None and bool(self.damaged)


def listing(s3: Any, bucket: str, date: str | None) -> list[DateSummary]:
    """Every part, or those of one date, with its rows. One that goes while it is looked at is left out."""
    days = []
    for day, entries in groupby(_parts(s3, bucket, date), key=lambda entry: entry.key.split("/")[1]):
        parts, damaged = list[Part](), list[Damage]()
        for entry in entries:
            uri, rows = s3_uri(bucket, entry.key), None
            try:
                rows = read_whole(partial(_rows_of, s3, bucket, entry), uri, PARQUET)
            except Damaged as error:
                if error.is_gone:
                    continue
                damaged.append(Damage(uri, error.why, manifest_of_part(entry.key)))
            parts.append(Part(uri, rows, entry.size_bytes))
        if parts:
            days.append(DateSummary(day, tuple(parts), tuple(damaged)))
    return days


def head(s3: Any, bucket: str, date: str | None, rows: int) -> Head:
    """The first rows of the newest part that has any. One that cannot be read is passed over."""
    newest = sorted(_parts(s3, bucket, date), key=lambda entry: entry.key, reverse=True)
    return _first_rows(
        (
            _File(
                s3_uri(bucket, entry.key),
                partial(open_parquet, s3, bucket, entry.key, entry.size_bytes),
                manifest_of_part(entry.key),
            )
            for entry in newest
        ),
        rows,
    )


def head_of_folder(path: Path, rows: int) -> Head:
    """The first rows of the first Parquet file that has any, of a folder on this machine (or of that one file). One of
    a folder that cannot be read as Parquet is passed over. Raises UsageError for what cannot be opened, and for a file
    that is no Parquet."""
    try:
        if path.is_dir():
            return _first_rows(
                (_File(str(file), partial(_opened, file)) for file in sorted(path.glob("*.parquet"))), rows
            )
        return _first_rows([_File(str(path), partial(_opened_as_named, path))], rows)
    except OSError as error:
        raise UsageError(f"{shown(error.filename or path)} cannot be read: {error.strerror or error}.") from error


def is_half_published(path: Path) -> bool:
    """Whether a conversion to this folder died between its first and its last part becoming visible."""
    return (path / JOURNAL_FILE).exists()


class _File(NamedTuple):
    """open: gives a pyarrow ParquetFile."""

    uri: str
    open: Callable[[], Any]
    manifest_id: str = ""


def _rows_of(s3: Any, bucket: str, entry: StoredObject) -> int:
    return int(open_parquet(s3, bucket, entry.key, entry.size_bytes).metadata.num_rows)


def _opened(file: Path) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(file.open("rb"))


def _opened_as_named(file: Path) -> Any:
    import pyarrow as pa

    try:
        return _opened(file)
    except pa.ArrowInvalid as error:
        raise UsageError(f"{shown(file)} is no Parquet.") from error


def _first_rows(files: Iterable[_File], rows: int) -> Head:
    """Of the first one that has any."""
    empty: Head | None = None
    damaged: list[Damage] = []
    for uri, opened, manifest_id in files:
        try:
            found = read_whole(partial(_head_of, uri, opened, rows), uri, PARQUET)
        except Damaged as error:
            if not error.is_gone:
                damaged.append(Damage(uri, error.why, manifest_id))
            continue
        if found.rows:
            return replace(found, damaged=tuple(damaged))
        empty = empty or found
    return replace(empty or Head(None, (), ()), damaged=tuple(damaged))


def _head_of(uri: str, opened: Callable[[], Any], rows: int) -> Head:
    file = opened()
    taken: list[dict[str, Any]] = []
    for batch in file.iter_batches(batch_size=max(rows, 1)):
        taken += batch.to_pylist()[: rows - len(taken)]
        if len(taken) >= rows:
            break
    return Head(uri, tuple(file.schema_arrow.names), tuple(taken))


def _parts(s3: Any, bucket: str, date: str | None) -> Iterator[StoredObject]:
    prefix = f"{ROOT}{date}/" if date else ROOT
    return (entry for entry in list_objects(s3, bucket, prefix) if entry.key.endswith(".parquet"))
