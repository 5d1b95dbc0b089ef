"""Takes objects that belong to no output out of the way: into the quarantine, where they can be looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timezone
from itertools import groupby
from typing import Any

from ndjctl.aws import error_code, is_not_found
from ndjctl.proof import is_stored
from ndjctl.reconcile.check import Places, Reporter, opened, outputs_of
from ndjctl.reconcile.findings import NO_DATE
from ndjctl.reconcile.outputs import Outputs
from ndjctl.reconcile.scope import Scope
from ndjctl.reconcile.spool import Spool
from ndjctl.reconcile.strays import find_strays
from ndjctl.reconcile.streams import Listed
from ndjctl.reconcile.verdicts import Clock

_MAX_KEY_BYTES = 1024


@dataclass
class Removal:
    """found: objects, with their bytes. moved: of them, with their bytes. kept: that turned out to belong to an output
    after all, or were gone."""

    found: int = 0
    found_bytes: int = 0
    moved: int = 0
    moved_bytes: int = 0
    kept: int = 0


def find_orphans(places: Places, scope: Scope, clock: Clock, spool: Spool, reporter: Reporter) -> None:
    """Puts them into the spool with their date and manifest, both empty for what lies in no folder of a date. Raises
    CloudError and what boto3 raises."""
    with opened(places, clock) as parts:
        outputs = outputs_of(places, parts, clock, only_orphans=True)
        for date in scope.dates:
            reporter.phase(f"looking for orphans of {date}")
            for output in outputs.of_date(date):
                for orphan in output.orphans:
                    spool.put(orphan.listed, orphan.date, orphan.manifest_id)
                reporter.done(output.parts)
        reporter.phase("looking for objects outside the folders of dates")
        for stray in find_strays(places.client("s3"), places.names.output_bucket, places.page_items):
            spool.put(stray, NO_DATE, "")
            reporter.done(1)


def move_orphans(places: Places, clock: Clock, spool: Spool, reporter: Reporter) -> Removal:
    """Copies each to the quarantine bucket and deletes it, if it still is an orphan. Doing it again after a death goes
    on where that was."""
    removal = Removal(spool.count, spool.size_bytes)
    s3, bucket = places.client("s3"), places.names.quarantine_bucket
    reporter.phase("moving orphans into the quarantine")
    with opened(places, clock) as parts:
        outputs = outputs_of(places, parts, clock, only_orphans=True)
        for (date, manifest_id), entries in groupby(spool.entries(), key=lambda entry: (entry[1][0], entry[1][1])):
            is_orphan = _Now(outputs, date, manifest_id)
            for listed, _ in entries:
                target = orphan_key(date or _day_of(listed), listed.key)
                if is_orphan(listed) and _move(s3, listed, bucket, target):
                    removal.moved += 1
                    removal.moved_bytes += listed.size_bytes
                else:
                    removal.kept += 1
                reporter.done(1)
    return removal


def orphan_key(date: str, key: str) -> str:
    """Where an orphan goes in the quarantine bucket. The longest keys leave no room for the folder in front of them."""
    target = f"{date}/orphaned/{key}"
    if len(target.encode()) > _MAX_KEY_BYTES:
        return f"{date}/orphaned/{hashlib.sha256(key.encode()).hexdigest()}"
    return target


def _day_of(listed: Listed) -> str:
    """Of its last change: the same each time, so that a removal that died goes on where it was."""
    return listed.modified.astimezone(timezone.utc).date().isoformat()


class _Now:
    """Whether an object is an orphan as of now: one fresh look for all objects of a manifest."""

    def __init__(self, outputs: Outputs, date: str, manifest_id: str) -> None:
        self._look: Callable[[Listed], Any] = lambda listed: outputs.again(date, manifest_id, listed)
        self._manifest_id = manifest_id
        self._orphans: set[Listed] | None = None

    def __call__(self, listed: Listed) -> bool:
        if self._orphans is None or not self._manifest_id:
            self._orphans = {orphan.listed for orphan in self._look(listed).orphans}
        return listed in self._orphans


def _move(s3: Any, listed: Listed, bucket: str, target: str) -> bool:
    """False where the object is gone or is another one now."""
    from botocore.exceptions import ClientError

    try:
        s3.copy(
            CopySource={"Bucket": listed.bucket, "Key": listed.key},
            Bucket=bucket,
            Key=target,
            ExtraArgs={"CopySourceIfMatch": f'"{listed.etag}"'},
        )
    except ClientError as error:
        if is_not_found(error) or error_code(error) in ("412", "PreconditionFailed"):
            return False
        raise
    if not is_stored(s3, bucket, target, listed.size_bytes):
        return False
    s3.delete_object(Bucket=listed.bucket, Key=listed.key)
    return True
