"""What a feeding has done, on disk before it counts, so that one that dies is gone on with."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

from ndjctl.contracts import FormatError, iso_utc, parse_iso_utc, read_document
from ndjctl.errors import WorkFailed
from ndjctl.generate.record import FileFacts
from ndjctl.paths import shown

JOURNAL_FORMAT = "ndjctl.feed-journal"
JOURNAL_VERSION = 1


@dataclass(frozen=True)
class Fed:
    """An object that is there. etag: without quotes. last_modified: as S3 tells it, in UTC. is_copy: made on the server
    from another one."""

    key: str
    size_bytes: int
    etag: str
    last_modified: datetime
    is_copy: bool


class Journal:
    """A file of JSON lines that is only ever added to, and is held by one process at a time. A last line that a death
    cut short does not count. Safe for several threads.

    fed: by key. facts: of the contents that were uploaded, by number. deleted: keys that were deleted again.
    """

    def __init__(self, path: Path, marker: str) -> None:
        """Makes the file, or reads what is there. marker: of the plan. Raises WorkFailed where another process holds
        it, where it is no journal, and where it is one of another plan."""
        self.path = path
        self.fed: dict[str, Fed] = {}
        self.facts: dict[int, FileFacts] = {}
        self.deleted: set[str] = set()
        self._lock = Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise WorkFailed(f"{shown(path)} is in use: another process is feeding these files.") from error
        try:
            self._read(marker)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets another process hold it."""
        self._file.close()

    def add_fed(self, fed: Fed) -> None:
        with self._lock:
            self.fed[fed.key] = fed
            self.deleted.discard(fed.key)
            document = {**fed.__dict__, "last_modified": iso_utc(fed.last_modified)}
            self._write({"fed": document})

    def add_facts(self, facts: FileFacts) -> None:
        with self._lock:
            self.facts[facts.number] = facts
            self._write({"content": facts.to_dict()})

    def add_deleted(self, keys: list[str]) -> None:
        with self._lock:
            self.deleted.update(keys)
            self._write({"deleted": keys})

    def _write(self, document: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(document, ensure_ascii=True).encode("ascii") + b"\n")
        self._file.flush()

    def _read(self, marker: str) -> None:
        self._file.seek(0)
        body = self._file.read()
        whole = body.rfind(b"\n") + 1
        if whole < len(body):
            # What is written next must not become a part of a line that was cut short.
            self._file.truncate(whole)
            self._file.seek(0, os.SEEK_END)
        lines = body[:whole].splitlines()
        if not lines:
            self._write({"format": JOURNAL_FORMAT, "version": JOURNAL_VERSION, "marker": marker})
            return
        try:
            head = read_document(lines[0], JOURNAL_FORMAT, JOURNAL_VERSION, shown(self.path))
            for line in lines[1:]:
                self._take(json.loads(line))
        except (FormatError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise WorkFailed(f"{shown(self.path)} is no journal of a feeding, or damaged: move it away.") from error
        if head.get("marker") != marker:
            raise WorkFailed(f"{shown(self.path)} is the journal of other files: move it away.")

    def _take(self, entry: Mapping[str, Any]) -> None:
        if "fed" in entry:
            found = entry["fed"]
            moment = parse_iso_utc(str(found["last_modified"]))
            fed = Fed(str(found["key"]), int(found["size_bytes"]), str(found["etag"]), moment, bool(found["is_copy"]))
            self.fed[fed.key] = fed
            self.deleted.discard(fed.key)
        elif "content" in entry:
            facts = FileFacts.from_dict(entry["content"])
            self.facts[facts.number] = facts
        else:
            self.deleted.update(map(str, entry["deleted"]))
