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


@dataclass
class Input:
    """The input of one part. files: of each its pieces, (bytes, times)."""

    files: list[list[tuple[bytes, int]]]
    schema: Any = field(default_factory=lambda: EVENTS_SCHEMA)
    codecs: dict[int, str] = field(default_factory=dict)
    max_line_bytes: int = 64 * MIB


@dataclass(frozen=True)
class Measured:
    rows: int
    bad_lines: int
    rescued: int
    lines: int
    error: str | None
    unavailable: dict[str, str]
    seconds: float
    began_bytes: int
    peak_bytes: int


def measure(made: Input, folder: Path, timeout_s: float = 900) -> Measured:
    """Converts the input to `folder`/out/part.parquet in a new process."""
    folder.mkdir(parents=True, exist_ok=True)
    kept: dict[bytes, Path] = {}

    def path_of(piece: bytes) -> str:
        if piece not in kept:
            kept[piece] = folder / f"piece-{len(kept)}"
            kept[piece].write_bytes(piece)
        return str(kept[piece])

    files = [
        {
            "uri": f"file-{number:05}.ndjson",
            "pieces": [(path_of(piece), len(piece), times) for piece, times in pieces if piece],
        }
        for number, pieces in enumerate(made.files)
    ]
    spec = {"files": files, "folder": str(folder / "out"), "bucket": ""}
    return run(spec, made, folder, timeout_s)


def run(spec: dict[str, Any], made: Input, folder: Path, timeout_s: float = 900) -> Measured:
    path, result = folder / "spec.json", folder / "result.json"
    spec |= {"schema": made.schema, "codecs": made.codecs, "max_line_bytes": made.max_line_bytes}
    path.write_text(json.dumps(spec))
    subprocess.run(
        [sys.executable, "-m", "tests.memory_child", str(path), str(result)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=timeout_s,
    )
    return Measured(**json.loads(result.read_text()))


# --------------------------------------------------------------------------------------------------------------
# Long lines


def _list(item: bytes) -> Callable[[int], list[tuple[bytes, int]]]:
    """A list of this item, so many times that the line has the size."""

    def make(size_bytes: int) -> list[tuple[bytes, int]]:
        unit = (item + b",") * (65_536 // len(item))
        return [(b'{"id":7,"v":[', 1), (unit, size_bytes // len(unit)), (item + b"]}\n", 1)]

    return make


def _text(unit: bytes) -> Callable[[int], list[tuple[bytes, int]]]:
    def make(size_bytes: int) -> list[tuple[bytes, int]]:
        block = unit * (65_536 // len(unit))
        return [(b'{"id":7,"v":"', 1), (block, size_bytes // len(block)), (b'\xf0\x9f\x98\x80"}\n', 1)]

    return make


def _map(size_bytes: int) -> list[tuple[bytes, int]]:
    """An object of many keys: with the 50 bytes that each takes, a million of them in a line of 50 MB."""
    members = ",".join(f'"key-{number:030}":{number:010}'.replace(":0", ":1") for number in range(size_bytes // 48))
    return [(b'{"id":7,"v":{' + members.encode() + b"}}\n", 1)]


LONG_LINES: dict[str, tuple[Callable[[int], list[tuple[bytes, int]]], Any]] = {
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
"""Pieces of a line of a size, and the type of its field "v" that it fits (but a map, which fits none)."""

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
