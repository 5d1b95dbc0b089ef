"""What is in a source, found by reading it with Python's json alone: the truth that outputs are compared with.

Knows nothing of how the lines were made, and shares no code with the kernel.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

SAMPLE_LINES = 20_000
"""Records of a source, about, that are kept to have all their values compared."""

_FACTS = "facts.json"
_KEYS = "keys.txt"
_SAMPLE = "sample.ndjson"


@dataclass(frozen=True)
class Facts:
    """Of all files of a source. key: name of the field that tells records apart (equal keys: equal records).
    bad_lines: the bytes of those lines that are no record, without line end. keys: of every record, in order.
    sample: records, chosen by the checksum of their lines, so from everywhere."""

    key: str
    size_bytes: int
    files: int
    lines: int
    bad_lines: list[bytes]
    keys: list[str]
    sample: list[dict[str, Any]]

    @property
    def records(self) -> int:
        return len(self.keys)


class NoRecord(ValueError):
    """The line is not one JSON object, or is one that two readers may read differently."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NoRecord("duplicate key")
    return found


def _constant(text: str) -> NoReturn:
    raise NoRecord(text)


def parse_record(line: bytes) -> dict[str, Any]:
    """The record in a line. Raises NoRecord."""
    try:
        text = line.decode("utf-8")
        found = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
        if "\\u" in text:
            json.dumps(found, ensure_ascii=False).encode("utf-8")  # fails for a lone surrogate
    except NoRecord:
        raise
    except ValueError as error:
        raise NoRecord(str(error)) from error
    if not isinstance(found, dict):
        raise NoRecord("not an object")
    return found


def survey(files: Sequence[Path], key: str, folder: Path) -> None:
    """Reads every line of `files` and keeps what was found in `folder`, for read_facts()."""
    size_bytes = sum(path.stat().st_size for path in files)
    lines = records = 0
    bad_lines: list[str] = []
    with (folder / _KEYS).open("w", encoding="utf-8") as keys, (folder / _SAMPLE).open("wb") as sample:
        one_in = 0
        for path in files:
            with path.open("rb") as file:
                for line in file:
                    if not line.strip():
                        continue
                    # The first line says how many there are, near enough.
                    one_in = one_in or max(1, size_bytes // len(line) // SAMPLE_LINES)
                    lines += 1
                    try:
                        record = parse_record(line)
                    except NoRecord:
                        bad_lines.append(base64.b64encode(line.rstrip(b"\r\n")).decode("ascii"))
                        continue
                    records += 1
                    keys.write(f"{record[key]}\n")
                    if zlib.crc32(line) % one_in == 0:
                        sample.write(line.rstrip(b"\r\n") + b"\n")
    facts = {"key": key, "size_bytes": size_bytes, "files": len(files), "lines": lines, "bad_lines": bad_lines}
    (folder / _FACTS).write_text(json.dumps(facts), encoding="utf-8")


def read_facts(folder: Path, sample_lines: int) -> Facts:
    """sample_lines: at most so many of the sample; they stay spread over the source."""
    facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    sample = (folder / _SAMPLE).read_bytes().splitlines()
    step = max(1, -(-len(sample) // sample_lines))
    return Facts(
        key=facts["key"],
        size_bytes=facts["size_bytes"],
        files=facts["files"],
        lines=facts["lines"],
        bad_lines=[base64.b64decode(line) for line in facts["bad_lines"]],
        keys=(folder / _KEYS).read_text(encoding="utf-8").splitlines(),
        sample=[parse_record(line) for line in sample[::step]],
    )
