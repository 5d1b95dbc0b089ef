"""Objects that are found now and acted upon after a person has said yes: kept on disk, however many they are."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import Any

from ndjctl.reconcile.streams import Listed

_IN_MEMORY_BYTES = 1024 * 1024
FIRST = 10


class Spool:
    """count, size_bytes: of everything put in. first: the first few. A context manager; its file goes with it."""

    def __init__(self) -> None:
        self._file: Any = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, mode="w+", encoding="utf-8")  # noqa: SIM115
        self.count = 0
        self.size_bytes = 0
        self.first: list[Listed] = []

    def put(self, listed: Listed, *about: str) -> None:
        """about: texts that come back with it."""
        entry = (listed.bucket, listed.key, listed.size_bytes, listed.etag, listed.modified.isoformat(), *about)
        self._file.write(json.dumps(entry) + "\n")
        self.count += 1
        self.size_bytes += listed.size_bytes
        if len(self.first) < FIRST:
            self.first.append(listed)

    def entries(self) -> Iterator[tuple[Listed, list[str]]]:
        """In the order in which they were put in."""
        self._file.seek(0)
        for line in self._file:
            bucket, key, size_bytes, etag, modified, *about = json.loads(line)
            yield Listed(bucket, key, size_bytes, etag, datetime.fromisoformat(modified)), about

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
