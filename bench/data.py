"""The sources that the bench converts: made once for a shape, a seed and a size, and kept in a folder."""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import records, source
from glue_job import schema
from glue_job.infer import Observer

EVENTS, CRLF, WIDE, TWEETS, SMALL, DRIFT, DIRTY = "events", "crlf", "wide", "tweets", "small", "drift", "dirty"

TITLES = {
    EVENTS: "nested events, one file",
    CRLF: "the same events, lines end in CR LF, one file",
    WIDE: f"a flat table of {records.WIDE_COLUMNS} columns, one file",
    TWEETS: "tweets, repeated, one file",
    SMALL: "events in files of 10 KB",
    DRIFT: f"events, one in {records.DRIFT_EVERY} off the schema, no bad line",
    DIRTY: f"events, one bad line in every {records.BAD_LINE_EVERY:,}",
}
SHAPES = tuple(TITLES)

MB = 10**6
SMALL_FILE_BYTES = 10_000
TWEETS_FILE = Path(__file__).resolve().parents[1] / "tests" / "data" / "tweets.ndjson"

_VERSION = 2
"""Of what is made: data of another version is made again."""

_SCHEMA_RECORDS = 2_000
_KEPT = "schema.json"  # written last: what has it is whole


@dataclass(frozen=True)
class Dataset:
    """One source. files: its NDJSON, in order. folder: holds them and nothing else. facts: folder for
    source.read_facts(). schema: the pinned schema as JSON, as glue_job.schema stores one; of clean records only."""

    shape: str
    folder: Path
    files: tuple[Path, ...]
    facts: Path
    schema: Any


def dataset(shape: str, size_mb: float, seed: int, data_dir: Path, tell: Callable[[str], None]) -> Dataset:
    """The source of this shape, seed and size (10**6 bytes) in `data_dir`, made if it is not there. tell: called with
    a line about what takes a while."""
    place = data_dir / f"{shape}-{size_mb:g}mb-seed{seed}-v{_VERSION}"
    if not (place / _KEPT).exists():
        tell(f"making {size_mb:g} MB of {shape} in {place}")
        data_dir.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{shape}-", dir=data_dir))
        try:
            _make(shape, int(size_mb * MB), seed, made, tell)
            shutil.rmtree(place, ignore_errors=True)
            made.rename(place)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    files = tuple(sorted((place / "data").iterdir()))
    return Dataset(shape, place / "data", files, place, json.loads((place / _KEPT).read_text(encoding="utf-8")))


def tiny(of: Dataset, folder: Path) -> Dataset:
    """A source of the same schema with the first clean records alone, to measure what an engine needs to start. Its
    facts are not there: it is not to be checked."""
    folder.mkdir(parents=True)
    path = folder / "tiny.ndjson"
    found: list[bytes] = []
    with of.files[0].open("rb") as file:
        for line in file:
            try:
                source.parse_record(line)
            except source.NoRecord:
                continue
            found.append(line)
            if len(found) == 10:
                break
    path.write_bytes(b"".join(found))
    return Dataset(of.shape, folder, (path,), folder, of.schema)


def _make(shape: str, size_bytes: int, seed: int, place: Path, tell: Callable[[str], None]) -> None:
    folder = place / "data"
    folder.mkdir()
    key = {WIDE: records.WIDE_KEY, TWEETS: "id_str"}.get(shape, records.EVENT_KEY)
    lines = _lines(shape, seed)
    if shape == SMALL:
        for number in range(max(1, size_bytes // SMALL_FILE_BYTES)):
            _write(folder / f"small-{number:06}.ndjson", lines, SMALL_FILE_BYTES)
    else:
        _write(folder / f"{shape}.ndjson", lines, size_bytes)
    tell(f"reading what is in {shape}")
    source.survey(sorted(folder.iterdir()), key, place)
    (place / _KEPT).write_text(json.dumps(_schema(shape, seed)), encoding="utf-8")


def _lines(shape: str, seed: int) -> Iterator[bytes]:
    """Lines with their ends, without end."""
    if shape == TWEETS:
        return itertools.cycle(TWEETS_FILE.read_bytes().splitlines(keepends=True))
    if shape == DRIFT:
        return records.drifting_events(seed)
    if shape == DIRTY:
        return records.dirty_events(seed)
    if shape == CRLF:
        return (line.replace(b"\n", b"\r\n") for line in _lines(EVENTS, seed))
    made = records.wide_rows(seed) if shape == WIDE else records.events(seed, shape)
    return (line.encode("utf-8") for line in made)


def _write(path: Path, lines: Iterator[bytes], size_bytes: int) -> None:
    """At least one line, and no more once the size is reached."""
    with path.open("wb") as file:
        written = 0
        for line in lines:
            written += file.write(line)
            if written >= size_bytes:
                return


def _schema(shape: str, seed: int) -> Any:
    clean: Iterable[bytes] = _lines(EVENTS if shape in (DRIFT, DIRTY) else shape, seed)
    observer = Observer()
    for line in itertools.islice(clean, _SCHEMA_RECORDS):
        observer.add(source.parse_record(line))
    return schema.to_json(observer.schema())
