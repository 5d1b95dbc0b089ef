"""Conversions in this process, and their output read by DuckDB, which shares no code with the writer."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import duckdb

from ndjctl.contracts import SOURCE_COLUMN
from ndjctl.convert.conversion import Conversion
from ndjctl.convert.files import FileSource, find_files
from ndjctl.convert.folder import OutputFolder
from ndjctl.convert.report import Outcome
from ndjctl.convert.settings import Settings
from ndjctl.convert.stream import StreamSource

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=timezone.utc)


class Quiet:
    """A reporter that adds up."""

    def __init__(self) -> None:
        self.read_bytes = 0
        self.total_bytes: int | None = None

    def phase(self, name: str, total_bytes: int | None = None) -> None:
        if name == "convert":
            self.read_bytes, self.total_bytes = 0, total_bytes

    def bytes_read(self, count: int) -> None:
        self.read_bytes += count


class Changing(FileSource):
    """Files to which something happens between the sample and the conversion."""

    meanwhile: Callable[[], None]

    def convert(self, *arguments: Any) -> Any:
        self.meanwhile()
        return super().convert(*arguments)


def convert(
    inputs: Sequence[Path | str],
    output: Path | None,
    meanwhile: Callable[[], None] = lambda: None,
    reporter: Quiet | None = None,
    **settings: Any,
) -> Outcome:
    """meanwhile: happens between the sample and the conversion."""
    chosen = Settings(**settings)
    source = Changing(
        find_files([str(path) for path in inputs], output),
        chosen,
        None if chosen.is_dry else output,
        reporter or Quiet(),
    )
    source.meanwhile = meanwhile
    return _run(source, chosen, output)


def convert_stream(content: bytes, output: Path | None, piece_bytes: int = 2**30, **settings: Any) -> Outcome:
    """piece_bytes: most that a read gives, as a pipe would."""
    chosen = Settings(**settings)
    position = 0

    def read(count: int) -> bytes:
        nonlocal position
        pieces = []
        while count and position < len(content):
            piece = content[position : position + min(count, piece_bytes)]
            position += len(piece)
            count -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    return _run(StreamSource(read, "-", chosen, None if chosen.is_dry else output, Quiet()), chosen, output)


def _run(source: Any, settings: Settings, output: Path | None) -> Outcome:
    folder = None if output is None else OutputFolder(output)
    ticks = itertools.count()
    return Conversion(source, settings, folder, Quiet(), lambda: float(next(ticks)), lambda: NOW).run()


def rows(output: Path) -> list[dict[str, Any]]:
    """All rows, in the order of the parts."""
    paths = sorted(map(str, output.glob("part-*.parquet")))
    found: list[dict[str, Any]] = []
    for path in paths:
        relation = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [path])
        columns = [column[0] for column in relation.description]
        found += [dict(zip(columns, row, strict=True)) for row in relation.fetchall()]
    return found


def rows_of(output: Path, source: Path | str) -> list[dict[str, Any]]:
    return [row for row in rows(output) if row[SOURCE_COLUMN] == str(source)]


def bad_lines(output: Path) -> list[dict[str, Any]]:
    paths = sorted((output / "_malformed").glob("*.ndjson"))
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


def names(folder: Path) -> list[str]:
    """Of all files below."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def report(output: Path) -> dict[str, Any]:
    return dict(json.loads((output / "_report.json").read_text(encoding="utf-8")))
