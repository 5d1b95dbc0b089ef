"""Files and folders that a user names on the command line."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ndjctl.contracts import FILE_SUFFIX
from ndjctl.convert.names import BAD_LINES_FOLDER, REPORT_FILE
from ndjctl.errors import UsageError

STDIN = "-"
"""What standard input is called."""

_COMPRESSIONS = ("", ".gz", ".bz2", ".zst")

FOLDER_SUFFIXES = tuple(f"{suffix}{compression}" for suffix in (FILE_SUFFIX, ".jsonl") for compression in _COMPRESSIONS)
"""Names that a folder's NDJSON files end in. A file named on the command line may be called anything, and whether it is
compressed is told by its content."""


def shown(path: str | Path) -> str:
    """A path on one line, whatever is in it."""
    text = str(path)
    return text if text and text.isprintable() else repr(text)


def is_folder(path: str | Path) -> bool:
    """False also for what cannot be looked at; whoever opens it says why."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116 - ten thousand of them
    except (OSError, ValueError):
        return False


def walk(folder: str | Path, leave_out: Path | None = None) -> Iterator[str]:
    """The NDJSON files of a folder and the folders in it, sorted, by the name of `folder` as it was given. leave_out: a
    folder that is not entered. Raises UsageError for a folder that cannot be read and if there is no such file."""
    is_empty = True

    def refuse(error: OSError) -> None:
        raise UsageError(f"{shown(error.filename)} cannot be read: {error.strerror}.") from error

    unwanted = _identity(leave_out) if leave_out is not None else None
    for directory, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        if BAD_LINES_FOLDER in folders and REPORT_FILE in names:
            folders.remove(BAD_LINES_FOLDER)  # what 'ndjctl convert' put aside there is no input
        if unwanted is not None:
            folders[:] = [name for name in folders if _identity(Path(directory, name)) != unwanted]
        for name in sorted(names):
            if name.endswith(FOLDER_SUFFIXES):
                is_empty = False
                yield os.path.join(directory, name)  # noqa: PTH118 - a Path would not keep the name as it was given
    if is_empty:
        raise UsageError(
            f"{shown(folder)} holds no NDJSON: no file in it ends in {FILE_SUFFIX} or .jsonl "
            f"(or these with {', '.join(_COMPRESSIONS[1:])})."
        )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_same_folder(one: str | Path, other: str | Path) -> bool:
    """Whether both are there and are the same."""
    found = _identity(Path(one))
    return found is not None and found == _identity(Path(other))
