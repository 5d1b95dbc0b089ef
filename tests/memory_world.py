"""Inputs that could make a task take too much memory, and what a process of its own takes for them."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import records
from glue_job import schema
from glue_job.infer import Observer

ROOT = Path(__file__).resolve().parents[1]
MB = 10**6
MIB = 2**20
LIMIT_BYTES = 512 * MIB

EVENTS = [line.encode() for line in itertools.islice(records.events(1), 4_000)]


def schema_of(lines: Iterable[bytes]) -> Any:
    """As inferred from these lines, as JSON."""
    observer = Observer()
    for line in lines:
        observer.add(json.loads(line))
    return schema.to_json(observer.schema())


EVENTS_SCHEMA = schema_of(EVENTS)


Pieces = list[tuple[bytes, int]]
"""What a file is made of: bytes, and how many times."""


@dataclass
class Input:
    """The input of one part, or of a driver."""

    files: list[Pieces]
    schema: Any = field(default_factory=lambda: EVENTS_SCHEMA)
    codecs: dict[int, str] = field(default_factory=dict)
    max_line_bytes: int = 64 * MIB


@dataclass(frozen=True)
class Measured:
    """As tests.memory_child says."""

    rows: int
    bad_lines: int
    rescued: int
    lines: int
    error: str | None
    unavailable: dict[str, str]
    seconds: float
    began_bytes: int
    peak_bytes: int


def measure(made: Input, folder: Path) -> Measured:
    """Converts the input to `folder`/out/part.parquet in a new process."""
    return Measured(**run("part", made, folder, {"files": pieces_of(made, folder), "folder": str(folder / "out")}))


def measure_driver(made: Input, folder: Path, parts: int) -> dict[str, Any]:
    """parts: 0 to plan them and no more."""
    return run(
        "driver", made, folder, {"files": pieces_of(made, folder), "folder": str(folder / "out"), "parts": parts}
    )


def pieces_of(made: Input, folder: Path) -> list[dict[str, Any]]:
    folder.mkdir(parents=True, exist_ok=True)
    kept: dict[bytes, str] = {}
    files = []
    for number, pieces in enumerate(made.files):
        found = []
        for piece, times in pieces:
            if piece not in kept:
                kept[piece] = str(folder / f"piece-{len(kept)}")
                Path(kept[piece]).write_bytes(piece)
            if piece and times:
                found.append((kept[piece], len(piece), times))
        files.append({"uri": f"file-{number:05}.ndjson", "pieces": found})
    return files


def run(what: str, made: Input, folder: Path, spec: dict[str, Any], **environment: str) -> dict[str, Any]:
    path, result = folder / "spec.json", folder / "result.json"
    spec |= {"schema": made.schema, "codecs": made.codecs, "max_line_bytes": made.max_line_bytes}
    path.write_text(json.dumps({"bucket": ""} | spec))
    subprocess.run(
        [sys.executable, "-m", "tests.memory_child", what, str(path), str(result)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        check=True,
        timeout=3_600,
    )
    return dict(json.loads(result.read_text()))


# --------------------------------------------------------------------------------------------------------------
# Long lines


def _list(item: bytes) -> Callable[[int], Pieces]:
    """A list of this item, so many times that the line has the size."""

    def make(size_bytes: int) -> Pieces:
        unit = (item + b",") * (65_536 // len(item))
        return [(b'{"id":7,"v":[', 1), (unit, size_bytes // len(unit)), (item + b"]}\n", 1)]

    return make


def _text(unit: bytes) -> Callable[[int], Pieces]:
    def make(size_bytes: int) -> Pieces:
        block = unit * (65_536 // len(unit))
        return [(b'{"id":7,"v":"', 1), (block, size_bytes // len(block)), (b'\xf0\x9f\x98\x80"}\n', 1)]

    return make


def _map(size_bytes: int) -> Pieces:
    """An object of many keys: with the 50 bytes that each takes, a million of them in a line of 50 MB."""
    members = ",".join(f'"key-{number:030}":{number:010}'.replace(":0", ":1") for number in range(size_bytes // 48))
    return [(b'{"id":7,"v":{' + members.encode() + b"}}\n", 1)]


LONG_LINES: dict[str, tuple[Callable[[int], Pieces], Any]] = {
    "text": (_text(b"abcdefg "), "string"),
    "escaped text": (_text(b'a\\"b\\n\\u00e9 '), "string"),
    "integers": (_list(b"1234"), {"list": "int64"}),
    "digits": (_list(b"7"), {"list": "int64"}),
    "floats": (_list(b"0.25"), {"list": "double"}),
    "texts": (_list(b'"ab"'), {"list": "string"}),
    "objects": (_list(b'{"a":1}'), {"list": {"struct": [{"name": "a", "type": "int64"}]}}),
    "empty objects": (_list(b"{}"), {"list": {"struct": [{"name": "a", "type": "int64"}]}}),
    "lists": (_list(b"[1,2]"), {"list": {"list": "int64"}}),
    "map": (_map, {"struct": [{"name": "key", "type": "int64"}]}),
    "nulls": (_list(b"null"), {"list": "int64"}),
}
"""Of a line of a size its pieces, and the type of its field "v" that it fits (but a map, which fits none)."""

NORMAL = b"".join(b'{"id":%d,"v":null}\n' % number for number in range(1_000))
OTHER_TYPE = {"text": "int64", "escaped text": "int64", "map": "string"}


def long_line(name: str, fit: str, size_bytes: int) -> Input:
    """A file with one long line among normal ones. fit: `fits`, `misfits` (the column has another type), `items
    misfit` (a list column of another element type), or `unseen` (no column)."""
    make, column = LONG_LINES[name]
    fields = [{"name": "id", "type": "int64"}]
    if fit == "fits":
        fields.append({"name": "v", "type": column})
    elif fit == "misfits":
        fields.append({"name": "v", "type": OTHER_TYPE.get(name, "string")})
    elif fit == "items misfit":
        fields.append({"name": "v", "type": {"list": "bool"}})
    return Input([[(NORMAL, 1), *make(size_bytes), (NORMAL, 1)]], {"struct": fields})
