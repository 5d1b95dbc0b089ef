"""What a user names on the command line, as files to upload and the S3 keys they get."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ndjctl.contracts import FILE_SUFFIX, MIB, count_lines
from ndjctl.errors import UsageError, WorkFailed

FOLDER_SUFFIXES = (FILE_SUFFIX, ".jsonl")
"""Names that a folder's NDJSON files end in. A file named on the command line may be called anything."""

PART_SIZE_BYTES = 64 * MIB
"""Size of an upload's parts, and the size from which an upload has parts. The ETag depends on it."""

MAX_KEY_BYTES = 1024  # a limit of S3


@dataclass(frozen=True)
class InputFile:
    path: Path
    key: str
    size_bytes: int


@dataclass(frozen=True)
class Inputs:
    """files: in the order given, folders sorted. empty: files of zero bytes found in folders, which hold no record."""

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
        if _is_folder(path):
            found = list(_walk(path))
            if not found:
                raise UsageError(
                    f"{_shown(path)} holds no NDJSON: no file in it ends in {' or '.join(FOLDER_SUFFIXES)}."
                )
            for file in found:
                if file.stat().st_size == 0:
                    empty.append(file)
                else:
                    named.setdefault(file, _as_key(file.relative_to(path).as_posix()))
        else:
            _check_file(path)
            named.setdefault(path, _as_key(path.name))
    if not named:
        raise UsageError(f"{_shown(empty[0].parent)} holds only empty files (0 bytes): there is nothing to convert.")
    keys = _distinct(named)
    files = tuple(InputFile(path, _checked_key(key, path), path.stat().st_size) for path, key in keys.items())
    return Inputs(files, tuple(empty))


def scan(path: Path, progress: Callable[[int], None] = lambda _bytes: None) -> Scan:
    """Counts and hashes a file in one pass. progress: called with the number of bytes read since the last call."""
    parts: list[bytes] = []
    whole = hashlib.md5(usedforsecurity=False)
    size = 0

    def chunks() -> Iterator[bytes]:
        nonlocal size
        part = hashlib.md5(usedforsecurity=False)
        in_part = 0
        with path.open("rb") as file:
            while chunk := file.read(MIB):  # PART_SIZE_BYTES is a multiple of it
                size += len(chunk)
                in_part += len(chunk)
                whole.update(chunk)
                part.update(chunk)
                if in_part == PART_SIZE_BYTES:
                    parts.append(part.digest())
                    part, in_part = hashlib.md5(usedforsecurity=False), 0
                progress(len(chunk))
                yield chunk
        if in_part:
            parts.append(part.digest())

    try:
        lines = count_lines(chunks())
    except OSError as error:
        raise WorkFailed(f"{_shown(path)} cannot be read: {error.strerror}.") from error
    if size < PART_SIZE_BYTES:
        return Scan(size, lines, whole.hexdigest())
    combined = hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()
    return Scan(size, lines, f"{combined}-{len(parts)}")


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False  # the check of a file tells why


def _as_key(name: str) -> str:
    """The pipeline takes keys of one suffix only."""
    return name if name.endswith(FILE_SUFFIX) else name + FILE_SUFFIX


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise UsageError(f"{_shown(Path(error.filename))} cannot be read: {error.strerror}.") from error

    for directory, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        for name in sorted(names):
            file = Path(directory) / name
            if name.endswith(FOLDER_SUFFIXES):
                _check_file(file, may_be_empty=True)
                yield file


def _check_file(path: Path, may_be_empty: bool = False) -> None:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # before opening: opening a pipe would wait for its writer
            raise UsageError(f"{_shown(path)} is neither a file nor a folder.")
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise UsageError(f"{_shown(path)} does not exist.") from error
    except OSError as error:
        raise UsageError(f"{_shown(path)} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # a NUL in the name
        raise UsageError(f"{_shown(path)} is not a usable file name.") from error
    if about.st_size == 0 and not may_be_empty:
        raise UsageError(f"{_shown(path)} is empty (0 bytes): there is nothing to convert.")


def _distinct(named: dict[Path, str]) -> dict[Path, str]:
    """Two files of one name from two places keep apart by the name of their folder."""
    taken: dict[str, Path] = {}
    keys: dict[Path, str] = {}
    for path, key in named.items():
        if key in taken and not path.samefile(taken[key]):
            key = f"{path.resolve().parent.name}/{key}"
            if key in taken:
                raise UsageError(
                    f"{_shown(path)} and {_shown(taken[key])} would both be uploaded as {key!r}: "
                    f"give the folder that holds both instead."
                )
        elif key in taken:
            continue  # the same file, named twice
        taken[key] = path
        keys[path] = key
    return keys


def _checked_key(key: str, path: Path) -> str:
    try:
        length = len(key.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise UsageError(f"{_shown(path)}: its name is not UTF-8, and S3 keys are: rename it.") from error
    if length > MAX_KEY_BYTES:
        raise UsageError(f"{_shown(path)}: its name has {length} bytes, S3 takes {MAX_KEY_BYTES}: rename it.")
    return key


def _shown(path: Path) -> str:
    """A path on one line, whatever is in it."""
    text = str(path)
    return text if text.isprintable() else repr(text)
