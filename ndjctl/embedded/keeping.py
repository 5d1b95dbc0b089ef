"""What the embedded cloud keeps on disk: where, how much of it, and how all of it goes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ndjctl.embedded.environment import ACCOUNT_ID
from ndjctl.embedded.planted import FOLDER as PLANTED
from ndjctl.embedded.record import FILE_NAME as RECORD_FILE
from ndjctl.embedded.snapshots import FILE_NAME as SNAPSHOT_FILE
from ndjctl.embedded.snapshots import read_snapshot

DIRECTORIES = ("s3", "state", "glue", "tmp", "logs", PLANTED)
SERVER_LOCKS = {"services": "services.lock", "glue": "glue.lock"}
START_LOCK = "cloud.lock"
PROBE = ".writable"


def delete_all(data_dir: Path) -> None:
    """Deletes everything that is ours in the data directory, the start lock last, and the directory itself when it is
    then empty. The caller holds the start lock. Raises OSError."""
    for name in DIRECTORIES:
        path = data_dir / name
        if path.is_symlink():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
    for name in (SNAPSHOT_FILE, RECORD_FILE, *SERVER_LOCKS.values(), START_LOCK):
        (data_dir / name).unlink(missing_ok=True)
    try:
        data_dir.rmdir()
    except OSError:
        pass  # somebody else's files are in it


def clear_temporary(data_dir: Path) -> None:
    """Deletes the temporary files of an earlier start. Best effort; nothing may run."""
    for path in (data_dir / "tmp").iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def describe_kept(data_dir: Path, killed: Sequence[str]) -> str:
    """One sentence on what a restart after a kill found: killed names the processes that were."""
    if "services" not in killed:
        return "the Glue endpoint had been killed; its jobs and runs were kept on disk"
    buckets, objects = count_objects(data_dir / "s3" / ACCOUNT_ID)
    snapshot = read_snapshot(data_dir)
    rest = (
        f"tables, queues, functions and logs are as saved at {snapshot.saved_at}, and what changed after that is lost"
        if snapshot
        else "tables, queues, functions and logs had not been saved yet and are lost"
    )
    counted = f"{objects} S3 object{'' if objects == 1 else 's'} in {buckets} bucket{'' if buckets == 1 else 's'}"
    return f"the embedded cloud had been killed; kept on disk: {counted}; {rest}"


def count_objects(account_dir: Path) -> tuple[int, int]:
    """(buckets, objects) on disk in the S3 directory of an account."""
    buckets = objects = 0
    try:
        entries = [entry for entry in os.scandir(account_dir) if entry.is_dir()]
    except OSError:
        return 0, 0
    for bucket in entries:
        buckets += 1
        for _, _, names in os.walk(bucket.path):
            # Each body has a file of metadata beside it; a .tmp is a write that a kill cut short.
            objects += sum(1 for name in names if not name.endswith((".meta.json", ".tmp")))
    return buckets, objects


def last_line(log_path: Path) -> str:
    """The last line of a log that says something; empty when there is none."""
    try:
        with log_path.open("rb") as log:
            log.seek(max(0, log_path.stat().st_size - 8192))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
