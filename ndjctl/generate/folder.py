"""Writes generated files into a folder: each whole or not at all, and not again what is there already."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ndjctl import __version__
from ndjctl.contracts import MIB, FormatError
from ndjctl.errors import UsageError, WorkFailed
from ndjctl.folder_store import UNFINISHED_SUFFIX
from ndjctl.generate.content import Generator
from ndjctl.generate.record import RECORD_FILE, FileFacts, Generated, GeneratedFile
from ndjctl.generate.schema_of import SCHEMA_FILE, schema_document
from ndjctl.paths import shown

_SAVED_EVERY_S = 1.0


class Progress(Protocol):
    def bytes_done(self, count: int) -> None:
        """Bytes that were written, or found to be there, since the last call."""


class Waiting(Protocol):
    def __call__(self, number: int) -> None:
        """Returns when the file of that number is due."""


@dataclass(frozen=True)
class Written:
    """kept: files of the record that were there before: those that were asked for with the right bytes."""

    generated: Generated
    kept: int


def write_files(
    generator: Generator,
    folder: Path,
    names: Sequence[str],
    progress: Progress,
    wait: Waiting,
    clock: Callable[[], float],
) -> Written:
    """Writes the files `names` (file n has the content n), their record, and the schema that they follow. clock: in
    seconds.

    A file becomes visible when it is whole. Run again after a death, it goes on: what is there with the right checksum
    stays. Raises UsageError for files of another recipe and for what is not its own under one of the names, before
    anything is changed; WorkFailed where another process is writing here and where there is no room, RecipeError, and
    OSError.
    """
    with _held(folder):
        writing = _Writing(generator, folder, progress, clock)
        writing.check_schema()
        there = frozenset(name for number, name in enumerate(names) if writing.is_there(number, name))
        writing.tidy(frozenset(names))
        writing.check_room(len(names) - len(there))
        writing.write_schema()
        try:
            for number, name in enumerate(names):
                if name not in there:
                    wait(number)
                    writing.make(number, name)
        except BaseException:
            writing.save(is_complete=False)
            raise
        generated = writing.save(is_complete=True)
        return Written(generated, len(generated.files) - (len(names) - len(there)))


def lacking_room(folder: Path, names: Iterable[str], file_bytes: int) -> str:
    """Why these files do not fit where they are to go, as the beginning of a sentence; empty where they do. folder: it
    need not be there. file_bytes: of each. Raises OSError."""
    missing = sum(not os.path.lexists(folder / name) for name in names)
    return _lacking_room(folder, missing * file_bytes)


def _lacking_room(folder: Path, needed_bytes: int) -> str:
    place = next((each for each in (folder.absolute(), *folder.absolute().parents) if each.exists()), Path("/"))
    free = shutil.disk_usage(place).free
    if needed_bytes <= free:
        return ""
    return f"{shown(folder)} has room for {free / 1e9:,.1f} GB, and these files need {needed_bytes / 1e9:,.1f} GB"


def read_record(folder: Path) -> Generated | None:
    """The record of what was generated there; None if there is none. Raises UsageError for one that is damaged."""
    path = folder / RECORD_FILE
    try:
        return Generated.from_json(path.read_bytes(), shown(path))
    except FileNotFoundError:
        return None
    except FormatError as error:
        raise UsageError(f"{str(error).rstrip('.')}: move it away, or name another folder with -o.") from error


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{shown(folder)} is not a folder: name another one with -o.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise UsageError(f"{shown(folder)} cannot be made ({error.strerror}): name another folder with -o.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise WorkFailed(f"Another 'ndjctl generate' is writing to {shown(folder)}: wait for it.") from error
    finally:
        os.close(descriptor)  # and with it the lock


class _Writing:
    def __init__(self, generator: Generator, folder: Path, progress: Progress, clock: Callable[[], float]) -> None:
        self._generator = generator
        self._folder = folder
        self._progress = progress
        self._clock = clock
        self._saved_s = clock()
        self._settings = generator.recipe.to_dict()
        found = read_record(folder)
        if found is not None and dict(found.settings) != self._settings:
            raise UsageError(
                f"{shown(folder)} has files that were generated with other settings: name another folder with -o, or "
                f"remove them."
            )
        self._facts: dict[str, FileFacts] = {} if found is None else {file.name: file.facts for file in found.files}
        self._schema = json.dumps(schema_document(generator), ensure_ascii=False, indent=1).encode()
        self._schema_checksums = {_sha256(self._schema), found.schema_checksum if found is not None else ""}

    def check_schema(self) -> None:
        """Raises UsageError for a schema that neither this recipe makes nor the record knows."""
        path = self._folder / SCHEMA_FILE
        if os.path.lexists(path) and (not path.is_file() or _sha256(path.read_bytes()) not in self._schema_checksums):
            raise _not_ours(path)

    def write_schema(self) -> None:
        replace_file(self._folder / SCHEMA_FILE, self._schema)

    def tidy(self, names: frozenset[str]) -> None:
        """Removes what a run that died has left unfinished."""
        for entry in os.scandir(self._folder):
            name = entry.name
            if name.startswith(".") and name.endswith(UNFINISHED_SUFFIX):
                whole = name[1:].removesuffix(UNFINISHED_SUFFIX).rpartition(".")[0]
                if whole in names or whole in self._facts or whole in (RECORD_FILE, SCHEMA_FILE):
                    Path(entry.path).unlink(missing_ok=True)

    def check_room(self, files: int) -> None:
        """files: that are still to be made."""
        lacking = _lacking_room(self._folder, files * self._generator.expected_bytes())
        if lacking:
            raise WorkFailed(f"{lacking}: make fewer, or name another folder with -o.")

    def is_there(self, number: int, name: str) -> bool:
        """Whether the file was made before. Raises UsageError for one that has other bytes than were made."""
        path = self._folder / name
        if not os.path.lexists(path):
            return False
        facts = self._facts.get(name)
        if facts is None:
            # A run that died before it wrote its record has left the bytes that would be made. Anything else is not
            # ours.
            content = self._generator.content(number)
            facts = content.facts if _has_bytes(path, content) else None
        elif _checksum(path, facts.size_bytes) != facts.checksum:
            facts = None
        if facts is None:
            raise _not_ours(path)
        self._facts[name] = facts
        self._progress.bytes_done(facts.size_bytes)
        return True

    def make(self, number: int, name: str) -> None:
        path = self._folder / name
        unfinished = path.with_name(f".{name}.{secrets.token_hex(8)}{UNFINISHED_SUFFIX}")
        content = self._generator.content(number)
        try:
            with unfinished.open("xb") as file:
                for block in content:
                    file.write(block)
                    self._progress.bytes_done(len(block))
            if os.path.lexists(path):  # it was not when this run began
                raise _not_ours(path)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        assert content.facts is not None  # noqa: S101 - for the type checker
        self._facts[name] = content.facts
        if self._clock() - self._saved_s >= _SAVED_EVERY_S:
            self.save(is_complete=False)

    def save(self, is_complete: bool) -> Generated:
        files = tuple(GeneratedFile(name, facts) for name, facts in sorted(self._facts.items()))
        generated = Generated(self._settings, __version__, str(self._folder), files, is_complete, _sha256(self._schema))
        replace_file(self._folder / RECORD_FILE, generated.to_json())
        self._saved_s = self._clock()
        return generated


def _not_ours(path: Path) -> UsageError:
    return UsageError(
        f"{shown(path)} is not what was generated here with these settings, and is never replaced: move it away, or "
        f"name another folder with -o."
    )


def _sha256(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _has_bytes(path: Path, content: Iterable[bytes]) -> bool:
    """Whether the file has these bytes; if so the content has been iterated over to its end."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return all(file.read(len(block)) == block for block in content) and not file.read(1)


def _checksum(path: Path, size_bytes: int) -> str:
    """Empty if there is no file of that size."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size != size_bytes:
                return ""
            digest = hashlib.sha256()
            while block := file.read(MIB):
                digest.update(block)
            return f"sha256:{digest.hexdigest()}"
    except (FileNotFoundError, IsADirectoryError):
        return ""


def replace_file(path: Path, body: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}{UNFINISHED_SUFFIX}")
    try:
        unfinished.write_bytes(body)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def record_of(
    settings: Mapping[str, object], where: str, keys: Sequence[str], facts: Mapping[int, FileFacts], uniques: int
) -> Generated:
    """The record of files in a bucket, of which file n has the content n modulo `uniques`."""
    files = tuple(GeneratedFile(key, facts[number % uniques]) for number, key in enumerate(keys))
    return Generated(settings, __version__, where, files)
