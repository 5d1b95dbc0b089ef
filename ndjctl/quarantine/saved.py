"""Quarantined lines in a file, to be mended there; and beside it where each of them comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from ndjctl.contracts import LINE_END
from ndjctl.errors import UsageError
from ndjctl.paths import shown
from ndjctl.quarantine.showing import ShownLine

ORIGIN_FORMAT = "ndjctl.saved-lines"
ORIGIN_VERSION = 1
_SUFFIX = ".origin"


class Origin(NamedTuple):
    """Where a saved line comes from. stored_in: key in the quarantine bucket."""

    stored_in: str
    source: str
    byte_offset: int


def origin_path(path: Path) -> Path:
    return path.with_name(path.name + _SUFFIX)


class SavedLines:
    """A new file, and one beside it: the first line of that says what it is, each other one is the origin of one line.
    A context manager. count: lines. Raises UsageError where they cannot be made or are there already."""

    def __init__(self, path: Path, environment: str, quarantine_bucket: str) -> None:
        self.count = 0
        self._file = _new(path)
        try:
            self._origin = _new(origin_path(path))
        except UsageError:
            self._file.close()
            path.unlink()
            raise
        about = {"format": ORIGIN_FORMAT, "version": ORIGIN_VERSION, "env": environment, "bucket": quarantine_bucket}
        self._origin.write(json.dumps(about).encode() + LINE_END)

    def put(self, each: ShownLine) -> None:
        self._file.write(each.raw + LINE_END)
        origin = Origin(each.stored_in, each.line.source, each.line.byte_offset)
        self._origin.write(json.dumps(list(origin)).encode() + LINE_END)
        self.count += 1

    def __enter__(self) -> SavedLines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._origin.close()


def read_origins(path: Path, quarantine_bucket: str) -> Iterator[Origin] | None:
    """The origins of the lines of a file, in their order; None where there is no file beside it. Raises UsageError for
    one that is of another environment, or none."""
    beside = origin_path(path)
    if not beside.exists():
        return None
    return _read(beside, quarantine_bucket)


def _read(beside: Path, quarantine_bucket: str) -> Iterator[Origin]:
    refused = f"{shown(beside)} does not say where the lines come from: put it back as 'quarantine show' wrote it"
    try:
        with beside.open("rb") as file:
            about = json.loads(file.readline())
            if about["format"] != ORIGIN_FORMAT or not 1 <= about["version"] <= ORIGIN_VERSION:
                raise ValueError
            if about["bucket"] != quarantine_bucket:
                raise UsageError(
                    f"{shown(beside)} is of the environment {about['env']!r}, whose quarantine is another bucket: name "
                    f"that with --env."
                )
            for line in file:
                stored_in, source, byte_offset = json.loads(line)
                yield Origin(str(stored_in), str(source), int(byte_offset))
    except OSError as error:
        raise UsageError(f"{shown(beside)} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{refused}, or remove it.") from error


def _new(path: Path) -> Any:
    try:
        return path.open("xb")
    except FileExistsError as error:
        raise UsageError(f"{shown(path)} is there already: name a new file.") from error
    except OSError as error:
        raise UsageError(f"{shown(path)} cannot be written ({error.strerror}): name another file.") from error
    except ValueError as error:  # a NUL in the name
        raise UsageError(f"{shown(path)} is not a usable file name.") from error
