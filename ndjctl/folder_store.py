"""Input files and output folders of this machine, as the record path wants them."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from glue_job.source import FileUnavailable
from glue_job.store import NO_MARKS, Published, Sink, Target, Written

UNFINISHED_SUFFIX = ".unfinished"
"""What names of files end in that are not whole yet; a dot stands before them."""


@dataclass(frozen=True)
class LocalFile:
    """A file as it was when it was looked at. uri: what the user calls it."""

    path: Path
    uri: str
    size_bytes: int
    modified_ns: int
    inode: int

    @staticmethod
    def of(path: Path, uri: str | None = None) -> LocalFile:
        """Raises OSError."""
        found = path.stat()
        return LocalFile(path, uri or str(path), found.st_size, found.st_mtime_ns, found.st_ino)


class FolderStore:
    """folder: where output goes; a Target's bucket names a folder below it, or is empty. Picklable."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, file: LocalFile, start: int, end: int) -> bytes:
        descriptor = self._open(file)
        try:
            blocks = []
            while start < end:
                block = os.pread(descriptor, end - start, start)
                if not block:
                    raise FileUnavailable(f"{file.uri}: it became shorter while it was read")
                blocks.append(block)
                start += len(block)
            return blocks[0] if len(blocks) == 1 else b"".join(blocks)
        except OSError as error:
            raise FileUnavailable(f"{file.uri}: {error.strerror}") from error
        finally:
            os.close(descriptor)

    def check(self, file: LocalFile) -> None:
        os.close(self._open(file))

    def _open(self, file: LocalFile) -> int:
        try:
            descriptor = os.open(file.path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except FileNotFoundError:
            raise FileUnavailable(f"{file.uri}: it is no longer there") from None
        except OSError as error:
            raise FileUnavailable(f"{file.uri}: {error.strerror}") from error
        found = os.fstat(descriptor)
        if (found.st_size, found.st_mtime_ns, found.st_ino) != (file.size_bytes, file.modified_ns, file.inode):
            os.close(descriptor)
            raise FileUnavailable(f"{file.uri}: it was changed while it was being converted")
        return descriptor

    def create(self, target: Target, content_type: str, marks: Mapping[str, str] = NO_MARKS) -> Sink:
        return FolderSink(self._path(target), target)

    def publish(self, written: Written) -> Published:
        unfinished: Path = written.hold
        unfinished.replace(self._path(written.target))
        return Published(written.target, written.size_bytes, "")

    def discard(self, written: Written) -> None:
        try:
            written.hold.unlink(missing_ok=True)
        except OSError:
            pass

    def read_back(self, published: Published, start: int, end: int) -> bytes:
        with self._path(published.target).open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            if size_bytes != published.size_bytes:
                raise ValueError(f"it has {size_bytes} bytes, {published.size_bytes} were written")
            file.seek(start)
            return file.read(end - start)

    def _path(self, target: Target) -> Path:
        return self._folder / target.bucket / target.key


class FolderSink(io.RawIOBase):
    """A file beside its place, under a name of its own until it is published."""

    def __init__(self, path: Path, target: Target) -> None:
        super().__init__()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}{UNFINISHED_SUFFIX}")
        self._file = self._unfinished.open("xb")
        self._target = target
        self.size_bytes = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size_bytes

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._file.write(data)
        self.size_bytes += len(data)
        return len(data)

    def finish(self) -> Written:
        self._file.close()
        return Written(self._target, self.size_bytes, self._unfinished)

    def __enter__(self) -> FolderSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            try:
                self._file.close()
            finally:
                self._unfinished.unlink(missing_ok=True)
