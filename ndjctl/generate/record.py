"""What was generated, so that a test can prove what a pipeline made of it: the format `ndjctl.generated`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ndjctl.contracts import FormatError, read_document

GENERATED_FORMAT = "ndjctl.generated"
GENERATED_VERSION = 1
RECORD_FILE = "_generated.json"

NEW_FIELD = "new field"
OTHER_TYPE = "other type"


@dataclass(frozen=True, order=True)
class DriftedPlace:
    """pointer: RFC 6901 of the value in its record, no list on the way. kind: NEW_FIELD or OTHER_TYPE. expected: kind
    of the column ("int64", "struct" ...), empty for a new field. found: JSON type of the value ("string" ...).

    A value of OTHER_TYPE is rescued whatever the sample of the files shows and whatever `on_drift` says (but `fail`).
    One of NEW_FIELD is rescued, or has a column of its own under `add`: it is in one of the two places.
    """

    pointer: str
    kind: str
    expected: str
    found: str


@dataclass(frozen=True)
class FileFacts:
    """One generated file. lines: all of them, none is blank. bad_lines: how many are no records, by
    ndjctl.contracts.BadLineReason. drifted: values off the shape's schema, by place; a drifted record has exactly one.
    checksum: "sha256:" and hex digits, of all bytes."""

    number: int
    size_bytes: int
    lines: int
    checksum: str
    bad_lines: Mapping[str, int] = field(default_factory=dict)
    drifted: Mapping[DriftedPlace, int] = field(default_factory=dict)

    @property
    def bad_line_count(self) -> int:
        return sum(self.bad_lines.values())

    @property
    def records(self) -> int:
        """Lines that are records: the rows that the pipeline has to make."""
        return self.lines - self.bad_line_count

    @property
    def drifted_records(self) -> int:
        return sum(self.drifted.values())

    @property
    def surely_rescued(self) -> int:
        """Values that are rescued whatever schema and policy."""
        return sum(count for place, count in self.drifted.items() if place.kind == OTHER_TYPE)

    def to_dict(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "size_bytes": self.size_bytes,
            "lines": self.lines,
            "records": self.records,
            "bad_lines": dict(self.bad_lines),
            "drifted_records": self.drifted_records,
            "drifted": [{**place.__dict__, "values": count} for place, count in self.drifted.items()],
            "checksum": self.checksum,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> FileFacts:
        """Raises KeyError, TypeError or ValueError for what is none."""
        drifted = {
            DriftedPlace(*(str(place[name]) for name in ("pointer", "kind", "expected", "found"))): int(place["values"])
            for place in document["drifted"]
        }
        bad_lines = {str(reason): int(count) for reason, count in document["bad_lines"].items()}
        numbers = {name: int(document[name]) for name in ("number", "size_bytes", "lines")}
        return cls(**numbers, checksum=str(document["checksum"]), bad_lines=bad_lines, drifted=drifted)


@dataclass(frozen=True)
class GeneratedFile:
    """name: of the file in its folder, or its key in the bucket. facts: of its content; copies share theirs."""

    name: str
    facts: FileFacts


@dataclass(frozen=True)
class Generated:
    """The record of one run. settings: what fixes the bytes, as Recipe.to_dict() has it. where: the folder, or the
    s3:// URI of the bucket. is_complete: False while files are still to come. schema_checksum: of the schema beside the
    files, as FileFacts.checksum; empty where none was written, and in records of older versions of the tool."""

    settings: Mapping[str, Any]
    tool_version: str
    where: str
    files: tuple[GeneratedFile, ...]
    is_complete: bool = True
    schema_checksum: str = ""

    def totals(self) -> FileFacts:
        """Of all files together; number is how many."""
        return total(file.facts for file in self.files)

    def to_json(self) -> bytes:
        document = {
            "format": GENERATED_FORMAT,
            "version": GENERATED_VERSION,
            "tool_version": self.tool_version,
            "complete": self.is_complete,
            "where": self.where,
            "settings": dict(self.settings),
            "schema_checksum": self.schema_checksum or None,
            "files": [{"name": file.name, **file.facts.to_dict()} for file in self.files],
        }
        return json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8")

    @classmethod
    def from_json(cls, body: bytes, where: str) -> Generated:
        """Raises FormatError, naming `where`."""
        document = read_document(body, GENERATED_FORMAT, GENERATED_VERSION, where)
        try:
            files = tuple(GeneratedFile(str(file["name"]), FileFacts.from_dict(file)) for file in document["files"])
            return cls(
                dict(document["settings"]),
                str(document["tool_version"]),
                str(document["where"]),
                files,
                bool(document["complete"]),
                str(document.get("schema_checksum") or ""),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{where} is no record of generated files: {type(error).__name__} {error}") from error


def total(files: Iterable[FileFacts]) -> FileFacts:
    """The sums over `files`; number is how many, and there is no checksum."""
    count = size_bytes = lines = 0
    bad_lines: dict[str, int] = {}
    drifted: dict[DriftedPlace, int] = {}
    for facts in files:
        count += 1
        size_bytes += facts.size_bytes
        lines += facts.lines
        for reason, number in facts.bad_lines.items():
            bad_lines[reason] = bad_lines.get(reason, 0) + number
        for place, number in facts.drifted.items():
            drifted[place] = drifted.get(place, 0) + number
    return FileFacts(count, size_bytes, lines, "", bad_lines, drifted)
