"""The stored formats. Each carries `format` (its name) and `version`; readers refuse a version they do not know."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ndjctl.contracts.objects import s3_uri

MANIFEST_FORMAT = "ndjctl.manifest"
MANIFEST_VERSION = 1
REPORT_FORMAT = "ndjctl.run-report"
REPORT_VERSION = 1
SCHEMA_FORMAT = "ndjctl.schema"
SCHEMA_VERSION = 1
BAD_LINE_VERSION = 1


class BadLineReason:
    """Why a line is no record: what a quarantined line's `reason` can be. Its `detail` says where."""

    NOT_JSON = "not JSON"
    NOT_AN_OBJECT = "not an object"
    MORE_THAN_ONE = "more than one value"
    DUPLICATE_KEY = "duplicate key"
    INVALID_UTF8 = "invalid UTF-8"
    LONE_SURROGATE = "lone surrogate"
    NOT_A_NUMBER = "NaN or Infinity"
    OUT_OF_RANGE = "number out of range"
    TOO_DEEP = "nested too deep"
    TOO_LONG = "line too long"
    TOO_LARGE = "record too large"
    NUL_BYTE = "NUL byte"


SOURCE_COLUMN = "_source_file"
RESCUED_COLUMN = "_rescued"
PARQUET_METADATA_KEY = "ndjctl"
"""Key of the JSON object (manifest, part, schema version, tool version) in a part's Parquet key-value metadata."""

RUN_MARK = "ndjctl-run"
MANIFEST_MARK = "ndjctl-by-manifest"
"""S3 metadata of an object of bad lines, as a part says it in its own: which run wrote it, and of which other manifest
that run was, if it took lines out of it."""

_PIECE_BYTES = 256 * 1024


class FormatError(ValueError):
    """A stored document is not what its name promises; str() is one sentence that says what and where."""


@dataclass(frozen=True)
class ManifestFile:
    bucket: str
    key: str
    size_bytes: int
    etag: str  # without quotes
    replaces: str = ""  # id of the manifest whose output holds the rows of an older version of the file

    @property
    def uri(self) -> str:
        return s3_uri(self.bucket, self.key)


@dataclass(frozen=True)
class Manifest:
    manifest_id: str
    date: str
    created_at: str
    files: tuple[ManifestFile, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    def to_json(self) -> bytes:
        document = {
            "format": MANIFEST_FORMAT,
            "version": MANIFEST_VERSION,
            "id": self.manifest_id,
            "date": self.date,
            "created_at": self.created_at,
            "files": [_file_document(file) for file in self.files],
        }
        return json.dumps(document, ensure_ascii=False, indent=1).encode()

    @classmethod
    def from_json(cls, body: bytes, where: str) -> Manifest:
        """Raises FormatError, naming `where`."""
        document = read_document(body, MANIFEST_FORMAT, MANIFEST_VERSION, where)
        try:
            files = tuple(
                ManifestFile(
                    str(f["bucket"]), str(f["key"]), int(f["size_bytes"]), str(f["etag"]), str(f.get("replaces", ""))
                )
                for f in document["files"]
            )
            return cls(str(document["id"]), str(document["date"]), str(document["created_at"]), files)
        except (KeyError, TypeError, ValueError) as error:
            # It may quote what is there, of any length.
            raise FormatError(f"{where} is no manifest: {type(error).__name__} {str(error)[:200]}") from error


def _file_document(file: ManifestFile) -> dict[str, Any]:
    document = {"bucket": file.bucket, "key": file.key, "size_bytes": file.size_bytes, "etag": file.etag}
    return {**document, "replaces": file.replaces} if file.replaces else document


def read_document(body: bytes, expected_format: str, newest_version: int, where: str) -> dict[str, Any]:
    """The JSON object of a stored format. Raises FormatError for another format or a version of the future."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{where} is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("format") != expected_format:
        raise FormatError(f"{where} is not a document of format {expected_format}")
    version = document.get("version")
    if not isinstance(version, int) or not 1 <= version <= newest_version:
        raise FormatError(
            f"{where} has {expected_format} version {version}; this program reads 1 to {newest_version}: upgrade it"
        )
    return document


def bad_line_facts(source: str, byte_offset: int, line_number: int | None, reason: str, detail: str) -> dict[str, Any]:
    """What is said of one quarantined line, without the line itself: see bad_line_json().

    source: s3:// URI or path. byte_offset: of the line's first byte in the file. line_number: from 1, None where a
    reader in the middle of a file cannot know it. reason: one of BadLineReason. detail: one line for people, with the
    position.
    """
    return {
        "version": BAD_LINE_VERSION,
        "source": source,
        "byte_offset": byte_offset,
        "line_number": line_number,
        "reason": reason,
        "detail": detail,
    }


def bad_line_json(facts: Mapping[str, Any], raw: bytes) -> Iterator[bytes]:
    """One quarantined line as it is stored, one JSON object with a line end; in pieces, because a long line is not to
    be in memory several times. facts: of bad_line_facts(), and perhaps more. raw: the line without its line end; it is
    `raw` there, or `raw_base64` if it is not UTF-8."""
    yield json.dumps(facts, ensure_ascii=False)[:-1].encode("utf-8")
    if _is_utf8(raw):
        yield b', "raw": "'
        for start, end in _characters(raw):
            yield json.dumps(raw[start:end].decode("utf-8"), ensure_ascii=False)[1:-1].encode("utf-8")
    else:
        yield b', "raw_base64": "'
        for start in range(0, len(raw), 3 * _PIECE_BYTES):
            yield base64.b64encode(raw[start : start + 3 * _PIECE_BYTES])
    yield b'"}\n'


def _is_utf8(raw: bytes) -> bool:
    try:
        for start, end in _characters(raw):
            raw[start:end].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _characters(raw: bytes) -> Iterator[tuple[int, int]]:
    """Ranges that do not end within a character."""
    start = 0
    while start < len(raw):
        end = start + _PIECE_BYTES
        while start + 1 < end < len(raw) and raw[end] & 0xC0 == 0x80:
            end -= 1
        yield start, end
        start = end


def bad_line_bytes(record: Mapping[str, Any]) -> bytes:
    """The raw line back from its record."""
    if "raw_base64" in record:
        return base64.b64decode(record["raw_base64"])
    return str(record["raw"]).encode("utf-8")
