"""What a user names on the command line, as files to upload and the S3 keys they get."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from ndjctl.contracts import FILE_SUFFIX, MIB, count_lines
from ndjctl.errors import UsageError, WorkFailed
from ndjctl.objects import multipart_etag
from ndjctl.paths import is_folder, shown, walk

PART_SIZE_BYTES = 64 * MIB
"""Size of an upload's parts, and the size from which an upload has parts. The ETag depends on it."""

MAX_KEY_BYTES = 1024  # a limit of S3

_BEGINS_TEXT = (b"", *(bytes([byte]) for byte in b'{ \t\r\n\xef["'))
"""First bytes of files that are not compressed for sure, so that nobody has to ask."""


@dataclass(frozen=True)
class InputFile:
    path: Path
    key: str
    size_bytes: int


@dataclass(frozen=True)
class Inputs:
    """files: in the order given, folders sorted; two may ask for one key. empty: files of zero bytes found in folders,
    which hold no record."""

    files: tuple[InputFile, ...]
    empty: tuple[Path, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True)
class Scan:
    """A file read once. lines: records, that is lines that are not blank. etag: what S3 will call these bytes."""

    size_bytes: int
    lines: int
    etag: str


def collect(paths: Sequence[Path]) -> Inputs:
    """The files of `paths` (files and folders). Raises UsageError for what cannot be read or holds no NDJSON."""
    named: dict[Path, str] = {}
    empty: list[Path] = []
    for path in paths:
        if is_folder(path):
            for file in map(Path, walk(path)):
                _check_file(file, may_be_empty=True)
                if file.stat().st_size == 0:
                    empty.append(file)
                else:
                    named.setdefault(file, _as_key(file.relative_to(path).as_posix()))
        else:
            _check_file(path)
            named.setdefault(path, _as_key(path.name))
    if not named:
        raise UsageError(f"{shown(empty[0].parent)} holds only empty files (0 bytes): there is nothing to convert.")
    keys = _distinct(named)
    files = tuple(InputFile(path, _checked_key(key, path), path.stat().st_size) for path, key in keys.items())
    return Inputs(files, tuple(empty))


def scan(path: Path, progress: Callable[[int], None] = lambda _bytes: None) -> Scan:
    """Counts and hashes a file in one pass. progress: called with the number of bytes read since the last call."""
    digest = _Digest()
    try:
        with path.open("rb") as file:
            chunks = _read(file, digest, progress)
            first = next(chunks, b"")
            lines = count_lines(_text(first, chunks))
            for _ in chunks:
                pass  # behind what could be decompressed
    except OSError as error:
        raise WorkFailed(f"{shown(path)} cannot be read: {error.strerror}.") from error
    return Scan(digest.size_bytes, lines, digest.etag())


def _read(file: BinaryIO, digest: _Digest, progress: Callable[[int], None]) -> Iterator[bytes]:
    while chunk := file.read(MIB):  # PART_SIZE_BYTES is a multiple of it
        digest.add(chunk)
        progress(len(chunk))
        yield chunk


def _text(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """The text of a file that is read in chunks, decompressed if that is what it is. Data that is damaged ends it: the
    job says so of the file."""
    chunks = chain([first], rest)
    if first[:1] in _BEGINS_TEXT:
        yield from chunks
        return
    # Only here: it needs pyarrow, which takes a moment to load.
    from glue_job.compression import DamagedData, codec_of, decompressed

    codec = codec_of(first)
    try:
        yield from chunks if codec is None else decompressed(chunks, codec)
    except DamagedData:
        return


class _Digest:
    """What S3 calls the bytes that it was given: their MD5, or that of the MD5s of their parts."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._whole = hashlib.md5(usedforsecurity=False)
        self._part = hashlib.md5(usedforsecurity=False)
        self._parts: list[bytes] = []

    def add(self, chunk: bytes) -> None:
        """Chunks never reach over the end of a part."""
        self.size_bytes += len(chunk)
        self._whole.update(chunk)
        self._part.update(chunk)
        if self.size_bytes % PART_SIZE_BYTES == 0:
            self._parts.append(self._part.digest())
            self._part = hashlib.md5(usedforsecurity=False)

    def etag(self) -> str:
        if self.size_bytes < PART_SIZE_BYTES:
            return self._whole.hexdigest()
        parts = [*self._parts, self._part.digest()] if self.size_bytes % PART_SIZE_BYTES else self._parts
        return multipart_etag(parts)


def _as_key(name: str) -> str:
    """The pipeline takes keys of one suffix only."""
    return name if name.endswith(FILE_SUFFIX) else name + FILE_SUFFIX


def _check_file(path: Path, may_be_empty: bool = False) -> None:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # before opening: opening a pipe would wait for its writer
            raise UsageError(f"{shown(path)} is neither a file nor a folder.")
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise UsageError(f"{shown(path)} does not exist.") from error
    except OSError as error:
        raise UsageError(f"{shown(path)} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # a NUL in the name
        raise UsageError(f"{shown(path)} is not a usable file name.") from error
    if about.st_size == 0 and not may_be_empty:
        raise UsageError(f"{shown(path)} is empty (0 bytes): there is nothing to convert.")


def _distinct(named: dict[Path, str]) -> dict[Path, str]:
    """Without a file that is named twice by one name. Two files of one name stay: what keeps them apart is their
    content, which is not known yet."""
    taken: dict[tuple[str, int, int], Path] = {}
    for path, key in named.items():
        about = path.stat()
        taken.setdefault((key, about.st_dev, about.st_ino), path)
    return {path: named[path] for path in taken.values()}


def _checked_key(key: str, path: Path) -> str:
    try:
        length = len(key.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise UsageError(f"{shown(path)}: its name is not UTF-8, and S3 keys are: rename it.") from error
    if length > MAX_KEY_BYTES:
        raise UsageError(f"{shown(path)}: its name has {length} bytes, S3 takes {MAX_KEY_BYTES}: rename it.")
    return key
