"""The output folder: held by one run at a time, and changed only when everything that belongs there is whole.

What a run wrote lies beside its place under names that nobody takes for output. To make it visible a journal is written
that says what is to be renamed and removed; from then on it is done, if need be by the next run that comes here.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from glue_job.store import Target, Written
from ndjctl.contracts import FormatError, read_document
from ndjctl.convert.names import BAD_LINES_FOLDER, JOURNAL_FILE, LOCK_FILE, REPORT_FILE, is_ours, is_unfinished
from ndjctl.convert.report import REPORT_FORMAT, REPORT_VERSION
from ndjctl.convert.workers import interrupts_held_back
from ndjctl.errors import UsageError, WorkFailed
from ndjctl.folder_store import FolderStore
from ndjctl.paths import shown

_JOURNAL_FORMAT = "ndjctl.convert-commit"
_JOURNAL_VERSION = 1
_ATTEMPTS = 10


class OutputFolder:
    """Methods raise OSError for what the system refuses."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """Raises UsageError unless a conversion may write here: nothing that it could have to replace is another's."""
        self._check_folders()
        foreign = sorted(self._there() - self._listed())
        if foreign:
            more = f" (and {len(foreign) - 1} more)" if len(foreign) > 1 else ""
            raise UsageError(
                f"{shown(self.path / foreign[0])}{more} was not written by an earlier 'ndjctl convert' to this folder, "
                f"and is never replaced: move it away, or name another folder with -o."
            )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Makes the folder, keeps other runs out, and tidies up behind those that died; at the end whatever is not
        published is gone. Raises WorkFailed while another run is here, and as check()."""
        self._check_folders()
        made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        try:
            with self._locked():
                try:
                    self._recover()
                    self.check()
                    self._tidy()
                    yield
                finally:
                    self._tidy()
        finally:
            for folder in made:
                try:
                    folder.rmdir()
                except OSError:
                    break  # there is output in it

    def _check_folders(self) -> None:
        for folder in (self.path, self.path / BAD_LINES_FOLDER):
            if folder.exists() and not folder.is_dir():
                raise UsageError(f"{shown(folder)} is not a folder: name another one with -o.")

    def write(self, name: str, content: bytes) -> Written:
        """A document, whole but not visible yet."""
        with FolderStore(self.path).create(Target("", name), "application/json") as sink:
            sink.write(content)
            return sink.finish()

    def commit(self, written: Sequence[Written]) -> None:
        """Makes these visible and removes what earlier runs wrote under other names. All of it happens, if need be
        when the next run comes here, or nothing."""
        renames = {_name(found.target): str(Path(found.hold).relative_to(self.path)) for found in written}
        journal = {
            "format": _JOURNAL_FORMAT,
            "version": _JOURNAL_VERSION,
            "rename": renames,
            "remove": sorted(self._listed() - renames.keys()),
        }
        whole = self.write(JOURNAL_FILE, json.dumps(journal, ensure_ascii=False).encode())
        with interrupts_held_back():
            Path(whole.hold).replace(self.path / JOURNAL_FILE)
            self._recover()

    # ------------------------------------------------------------------------------------------------ what is there

    def _there(self) -> set[str]:
        """Files under names of ours."""
        found = {name for name in _names(self.path) if is_ours(name)}
        return found | {name for name in self._bad_lines_names() if is_ours(name)}

    def _bad_lines_names(self) -> list[str]:
        return [f"{BAD_LINES_FOLDER}/{name}" for name in _names(self.path / BAD_LINES_FOLDER)]

    def _listed(self) -> set[str]:
        """What the report that lies here says was written, itself included, and what a run that died was about to make
        visible. Raises UsageError for a document that is not ours."""
        listed = _list(self._document(REPORT_FILE, REPORT_FORMAT, REPORT_VERSION), "output_files")
        journal = self._journal()
        return {name for name in listed if is_ours(name)} | set(journal.rename) | set(journal.remove)

    def _journal(self) -> _Journal:
        document = self._document(JOURNAL_FILE, _JOURNAL_FORMAT, _JOURNAL_VERSION)
        if not document:
            return _Journal({}, [])
        rename = document.get("rename")
        remove = _list(document, "remove")
        if (
            not isinstance(rename, dict)
            or REPORT_FILE not in rename
            or not all(is_ours(name) and isinstance(held, str) and is_unfinished(held) for name, held in rename.items())
        ):
            raise UsageError(
                f"{shown(self.path / JOURNAL_FILE)} names files that are not ours: move it away, or name another "
                f"folder with -o."
            )
        return _Journal(rename, [name for name in remove if is_ours(name)])

    def _document(self, name: str, form: str, version: int) -> dict[str, Any]:
        """Empty if there is none."""
        path = self.path / name
        try:
            return read_document(path.read_bytes(), form, version, shown(path))
        except FileNotFoundError:
            return {}
        except FormatError as error:
            raise UsageError(f"{error}: move it away, or name another folder with -o.") from error

    # ------------------------------------------------------------------------------------------------ the end of a run

    def _recover(self) -> None:
        """Does what the journal says, from wherever that was interrupted."""
        journal = self._journal()
        if not journal.rename:
            return
        if (self.path / journal.rename[REPORT_FILE]).exists():
            # While this goes on no report says that what is here is whole.
            (self.path / REPORT_FILE).unlink(missing_ok=True)
        for name in sorted(journal.rename.keys() - {REPORT_FILE}, key=lambda name: (name.startswith("part-"), name)):
            self._rename(journal.rename[name], name)
        for name in journal.remove:
            (self.path / name).unlink(missing_ok=True)
        self._rename(journal.rename[REPORT_FILE], REPORT_FILE)
        (self.path / JOURNAL_FILE).unlink()

    def _rename(self, held: str, name: str) -> None:
        try:
            (self.path / held).replace(self.path / name)
        except FileNotFoundError:
            pass  # done before the interruption

    def _tidy(self) -> None:
        """Removes what is not whole; nobody else is at work here."""
        if (self.path / JOURNAL_FILE).exists():
            return  # what it names is still needed
        for name in (*_names(self.path), *self._bad_lines_names()):
            if is_unfinished(name):
                (self.path / name).unlink(missing_ok=True)
        try:
            (self.path / BAD_LINES_FOLDER).rmdir()
        except OSError:
            pass  # it is not there, or not empty

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Holds a lock that ends with this process."""
        path = self.path / LOCK_FILE
        descriptor = self._lock(path)
        try:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
            yield
        finally:
            try:
                path.unlink(missing_ok=True)
            finally:
                os.close(descriptor)

    def _lock(self, path: Path) -> int:
        for _ in range(_ATTEMPTS):
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
            except FileNotFoundError:
                continue  # a run that failed took its folder away
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    return descriptor
            except BlockingIOError:
                holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
                os.close(descriptor)
                who = f" (process {holder})" if holder.isdecimal() else ""
                raise WorkFailed(
                    f"Another 'ndjctl convert'{who} is writing to {shown(self.path)}: wait for it, or name another "
                    f"folder with -o."
                ) from None
            except FileNotFoundError:
                pass  # its last holder removed it between the two calls
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
        raise OSError(errno.EBUSY, "its lock changes hands all the time", str(path))


class _Journal(NamedTuple):
    """rename: what a file of ours is called until it is visible, by its name. remove: names."""

    rename: dict[str, str]
    remove: list[str]


def _list(document: dict[str, Any], field: str) -> list[str]:
    found = document.get(field)
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []


def _name(target: Target) -> str:
    return f"{target.bucket}/{target.key}" if target.bucket else target.key
