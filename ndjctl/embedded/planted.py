"""Settings that a test changes on purpose, and that end with it. The calls that put them back are on disk before any is
changed, in a file that the test's process holds locked. Where that process is gone without having put them back, the
first command that opens the cloud does it."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

FOLDER = "planted"
FORMAT = "ndjctl.planted-settings"
VERSION = 1

Call = tuple[str, str, dict[str, Any]]
"""boto3's name of a service, of a method of its client, and the arguments: JSON types."""


class Planted:
    """data_dir: of the embedded cloud. One test's settings."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER
        self._path: Path | None = None
        self._file: IO[str] | None = None
        self._calls: Sequence[Call] = ()

    def begin(self, test_id: str, region: str, put_back: Sequence[Call]) -> None:
        """Before anything is changed. The lock is held until end(), or until the process dies."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / f"{test_id}-{secrets.token_hex(4)}.json"
        unfinished = path.with_suffix(".new")
        file = unfinished.open("x", encoding="utf-8")
        fcntl.flock(file, fcntl.LOCK_EX)
        document = {"format": FORMAT, "version": VERSION, "id": test_id, "region": region, "put_back": put_back}
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
        # Nobody looks at it before it is locked and whole; the lock is that of the file, whatever its name.
        unfinished.replace(path)
        self._path, self._file, self._calls = path, file, put_back

    def end(self, client: Callable[[str], Any]) -> None:
        """Puts the settings back. May be called again, and without a begin. client: by service name. Raises what boto3
        raises: then the next command that opens the cloud tries again."""
        if self._file is None or self._path is None:
            return
        try:
            _replay(self._calls, client)
            self._path.unlink(missing_ok=True)
        finally:
            self._file.close()
            self._file = self._path = None


def put_back_left(data_dir: Path, region: str, client: Callable[[str], Any], say: Callable[[str], None]) -> None:
    """Puts back what tests in the region left that are gone. Never raises because of one of them: it says so."""
    for path in sorted((data_dir / FOLDER).glob("*.json")):
        try:
            with path.open("r+", encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _put_back(path, file, region, client, say)
        except (BlockingIOError, FileNotFoundError):
            continue  # its test runs, or another command has just done it


def _put_back(path: Path, file: IO[str], region: str, client: Callable[[str], Any], say: Callable[[str], None]) -> None:
    """With the file locked."""
    text = file.read()
    if not text:
        return  # another command did it while this one waited to read
    try:
        document = json.loads(text)
        if (document["format"], document["version"]) != (FORMAT, VERSION):
            return  # of another version of the tool, which knows what to do
        test_id, where = str(document["id"]), document["region"]
        calls = [(str(service), str(method), dict(arguments)) for service, method, arguments in document["put_back"]]
    except (ValueError, KeyError, TypeError):
        say(f"{path} cannot be read: 'ndjctl deploy' puts back what a load test with --chaos has changed")
        return
    if where != region:
        return
    try:
        _replay(calls, client)
    except Exception as error:
        # Whatever it is, the command that found it has work of its own.
        say(f"the faults of the load test {test_id}, which was killed, could not be taken back: {error}")
        return
    file.truncate(0)
    path.unlink(missing_ok=True)
    say(f"the load test {test_id} was killed amid its faults: the queue and the function are as deployed again")


def _replay(calls: Sequence[Call], client: Callable[[str], Any]) -> None:
    """What is there no more needs nothing put back."""
    from botocore.exceptions import ClientError

    from ndjctl.aws import is_not_found

    for service, method, arguments in calls:
        try:
            getattr(client(service), method)(**arguments)
        except ClientError as error:
            if not is_not_found(error):
                raise
