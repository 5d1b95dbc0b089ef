"""Files of this machine as the record path wants them, with what a conversion needs besides: how much was read, what
could not be, and a place for output that nobody wants."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

from glue_job.source import FileUnavailable
from glue_job.store import NO_MARKS, Published, Sink, Target, Written
from ndjctl.folder_store import FolderStore, LocalFile


class CountingStore(FolderStore):
    """folder: where output goes, None to write nothing. on_read: told the number of bytes that were read, one call at a
    time."""

    def __init__(self, folder: Path | None, on_read: Callable[[int], None]) -> None:
        super().__init__(folder or Path())
        self._writes = folder is not None
        self._on_read = on_read
        self._lock = Lock()
        self._failed: dict[str, FileUnavailable] = {}

    def read(self, file: LocalFile, start: int, end: int) -> bytes:
        try:
            data = super().read(file, start, end)
        except FileUnavailable as reason:
            self._failed[file.uri] = reason
            raise
        with self._lock:
            self._on_read(len(data))
        return data

    def check(self, file: LocalFile) -> None:
        # A file whose bytes cannot be read looks well from outside.
        if file.uri in self._failed:
            raise self._failed[file.uri]
        super().check(file)

    def create(self, target: Target, content_type: str, marks: Mapping[str, str] = NO_MARKS) -> Sink:
        return super().create(target, content_type) if self._writes else DiscardSink(target)

    def discard(self, written: Written) -> None:
        if written.hold is not None:
            super().discard(written)


class HeldStore(FolderStore):
    """Reads back what is whole but not visible yet. held: where it is."""

    def __init__(self, held: Mapping[Target, Path]) -> None:
        super().__init__(Path())
        self._held = held

    def _path(self, target: Target) -> Path:
        return self._held[target]

    def read_back(self, published: Published, start: int, end: int) -> bytes:
        try:
            return super().read_back(published, start, end)
        except OSError as error:
            raise ValueError(error.strerror) from error


class DiscardSink(io.RawIOBase):
    """Knows how much was written to it, and nothing else. What it finishes has no hold."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self._target = target
        self.size_bytes = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size_bytes

    def write(self, data: Any) -> int:
        self.size_bytes += len(data)
        return len(data)

    def finish(self) -> Written:
        return Written(self._target, self.size_bytes, None)

    def __enter__(self) -> DiscardSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None
