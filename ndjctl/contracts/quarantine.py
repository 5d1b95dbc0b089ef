"""The quarantine: what the folders of its bucket are called, and what stays on record of what was released from it or
purged: objects of the manifest bucket, because the ledger forgets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ndjctl.contracts.formats import FormatError, read_document

MALFORMED = "malformed"
"""Folder of quarantined lines, beside the size rule's verdicts."""
ORPHANED = "orphaned"
"""Folder of objects that belonged to no output."""

PURGE_FORMAT = "ndjctl.purge"
PURGE_VERSION = 1
RELEASE_FORMAT = "ndjctl.release"
RELEASE_VERSION = 1
MENDED_FORMAT = "ndjctl.mended"
MENDED_VERSION = 1

QUARANTINE_LOG_PARTITION = "#quarantine-log"
"""Partition of the tracking table with an item for every release and purge; they have no TTL. The sort keys sort by
time."""


def quarantine_log_key(action_id: str) -> str:
    """Sort key of a release or purge. action_id: as of new_manifest_id()."""
    return f"{action_id}#"


PURGES_PREFIX = "purges/"


def purge_prefix(date: str) -> str:
    return f"{PURGES_PREFIX}{date}/"


def purge_key(date: str, purge_id: str, number: int) -> str:
    """Record of a purge, in the manifest bucket; a purge of many objects has several, in the order of their keys."""
    return f"{purge_prefix(date)}{purge_id}-{number:05d}.json"


def release_prefix(date: str) -> str:
    return f"releases/{date}/"


def release_key(date: str, release_id: str, number: int) -> str:
    """Record of a release, in the manifest bucket."""
    return f"{release_prefix(date)}{release_id}-{number:05d}.json"


def mended_key(digest: str) -> str:
    """What mended lines are to become, in the manifest bucket. digest: SHA-256 of the lines, in hex. Written once with
    If-None-Match: whoever releases the same lines again goes on with the same input object."""
    return f"mended/{digest}.json"


@dataclass(frozen=True)
class PurgedObject:
    """An object that was to be deleted, or to lose some of its lines.

    key: in the quarantine bucket. etag: that it had, without quotes: while it is there with that, it was not purged.
    size_bytes: what went. run_id: of the run that had written the manifest's output, empty where nobody knew; of
    another run's output it says nothing. lines: quarantined lines that went, by source URI; reasons: the same lines by
    reason. Both are empty for a whole file.
    """

    key: str
    etag: str
    size_bytes: int
    run_id: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Purge:
    """Written before anything of it is deleted. at: UTC, ISO. by: the caller's ARN without the account. objects: in the
    order of their keys."""

    purge_id: str
    date: str
    at: str
    by: str
    objects: tuple[PurgedObject, ...]

    def to_json(self) -> bytes:
        objects = [
            {
                "key": each.key,
                "etag": each.etag,
                "size_bytes": each.size_bytes,
                "run_id": each.run_id,
                "lines": dict(each.lines),
                "reasons": dict(each.reasons),
            }
            for each in self.objects
        ]
        return _body(PURGE_FORMAT, PURGE_VERSION, self.purge_id, self.date, self.at, self.by, objects)

    @classmethod
    def from_json(cls, body: bytes, where: str) -> Purge:
        """Raises FormatError, naming `where`."""
        document = read_document(body, PURGE_FORMAT, PURGE_VERSION, where)
        try:
            objects = tuple(
                PurgedObject(
                    str(each["key"]),
                    str(each["etag"]),
                    int(each["size_bytes"]),
                    str(each["run_id"]),
                    {str(source): int(count) for source, count in each["lines"].items()},
                    {str(reason): int(count) for reason, count in each["reasons"].items()},
                )
                for each in document["objects"]
            )
            return cls(*_about(document), objects)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FormatError(f"{where} is no record of a purge: {type(error).__name__} {error}") from error


@dataclass(frozen=True)
class ReleasedObject:
    """key: in the quarantine bucket. lines: (source URI, byte offset) of the lines of it that were released; none where
    it is the copy of a whole file."""

    key: str
    lines: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Release:
    """at: UTC, ISO. by: the caller's ARN without the account."""

    release_id: str
    date: str
    at: str
    by: str
    objects: tuple[ReleasedObject, ...]

    def to_json(self) -> bytes:
        objects = [{"key": each.key, "lines": [list(line) for line in each.lines]} for each in self.objects]
        return _body(RELEASE_FORMAT, RELEASE_VERSION, self.release_id, self.date, self.at, self.by, objects)

    @classmethod
    def from_json(cls, body: bytes, where: str) -> Release:
        """Raises FormatError, naming `where`."""
        document = read_document(body, RELEASE_FORMAT, RELEASE_VERSION, where)
        try:
            objects = tuple(
                ReleasedObject(str(each["key"]), tuple((str(source), int(offset)) for source, offset in each["lines"]))
                for each in document["objects"]
            )
            return cls(*_about(document), objects)
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{where} is no record of a release: {type(error).__name__} {error}") from error


@dataclass(frozen=True)
class Mended:
    """Mended lines on their way into the pipeline. key: of the input object that they become; date: that leads it.
    lines: records in it. at: UTC, ISO. by: the caller's ARN without the account."""

    digest: str
    key: str
    date: str
    lines: int
    at: str
    by: str

    def to_json(self) -> bytes:
        document = {"format": MENDED_FORMAT, "version": MENDED_VERSION, **self.__dict__}
        return json.dumps(document, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, body: bytes, where: str) -> Mended:
        """Raises FormatError, naming `where`."""
        document = read_document(body, MENDED_FORMAT, MENDED_VERSION, where)
        try:
            texts = {name: str(document[name]) for name in ("digest", "key", "date", "at", "by")}
            return cls(**texts, lines=int(document["lines"]))
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{where} is no record of mended lines: {type(error).__name__} {error}") from error


def _body(format_: str, version: int, id_: str, date: str, at: str, by: str, objects: list[dict[str, Any]]) -> bytes:
    about = {"format": format_, "version": version, "id": id_, "date": date, "at": at, "by": by}
    return json.dumps({**about, "objects": objects}, ensure_ascii=False).encode()


def _about(document: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return str(document["id"]), str(document["date"]), str(document["at"]), str(document["by"])
