"""Mended lines, from a file on this machine into the pipeline: as a new input object that is named by its content, so
that the same lines are entered once, however often they are released.

    what they are to become is put on record -> the object -> its item, pending -> the quarantined lines are marked

A death anywhere is gone on from by doing it again. The event of the object may be quicker than we are: then the
function has entered it, and if it has set it aside for its size, which is that of a few lines, it is released with an
exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from ndjctl.aws import error_code, is_not_found
from ndjctl.contracts import (
    COMPLETED,
    FILE_SUFFIX,
    QUARANTINED,
    FormatError,
    Mended,
    Names,
    Release,
    ReleasedObject,
    iso_utc,
    mended_key,
)
from ndjctl.errors import WorkFailed
from ndjctl.paths import shown
from ndjctl.quarantine.entering import Entering
from ndjctl.quarantine.log import Logged
from ndjctl.quarantine.mended_file import MendedFile, opened, pairs
from ndjctl.quarantine.places import place_of
from ndjctl.quarantine.records import QuarantineRecords
from ndjctl.reconcile.reports import Reports
from ndjctl.reconcile.streams import Listed
from ndjctl.redrive.moves import MOVED, Facts, Mover, head
from ndjctl.redrive.tracking import Entry, Tracking

_LINES_PER_RECORD = 10_000
_DIGEST_CHARS = 16

Entered = Literal["entered", "there before", "released from the size rule"]


@dataclass
class MendedOutcome:
    """marked, marked_before: quarantined lines that are on record as released now, and that were already."""

    key: str
    date: str
    entered: Entered
    status: str
    marked: int = 0
    marked_before: int = 0


class MendedLines:
    """clock: aware."""

    def __init__(
        self,
        s3: Any,
        names: Names,
        tracking: Tracking,
        mover: Mover,
        entering: Entering,
        reports: Reports,
        clock: Callable[[], datetime],
    ) -> None:
        self._s3 = s3
        self._names = names
        self._tracking = tracking
        self._mover = mover
        self._entering = entering
        self._reports = reports
        self._clock = clock
        self._records = QuarantineRecords(s3, names.manifest_bucket)

    def known(self, file: MendedFile) -> Mended | None:
        """What these lines became when they were released before, or were begun to be."""
        return self._read(mended_key(file.digest))

    def release(self, file: MendedFile, logged: Logged) -> MendedOutcome:
        """Raises WorkFailed where the file changed since it was looked at, and what boto3 raises."""
        mended = self._begun(file, logged)
        outcome = self._enter(file, mended, logged)
        for release, number in self._releases(file, mended, logged.by):
            lines = sum(len(each.lines) for each in release.objects)
            if self._records.has_release(release, number):
                outcome.marked_before += lines
            else:
                self._records.put_release(release, number)
                outcome.marked += lines
        return outcome

    def done(self, file: MendedFile) -> MendedOutcome | None:
        """What became of these lines, where nothing of it is left to be done; else None. Raises what boto3 raises."""
        mended = self.known(file)
        if mended is None:
            return None
        entry = self._entry(mended)
        status = entry.status if entry is not None else COMPLETED if self._is_converted(file, mended) else ""
        if status in ("", QUARANTINED):
            return None
        outcome = MendedOutcome(mended.key, mended.date, "there before", status)
        for release, number in self._releases(file, mended, ""):
            if not self._records.has_release(release, number):
                return None
            outcome.marked_before += sum(len(each.lines) for each in release.objects)
        return outcome

    def _begun(self, file: MendedFile, logged: Logged) -> Mended:
        """The record of what they become: the one that is there, or ours."""
        from botocore.exceptions import ClientError

        place = mended_key(file.digest)
        now = self._clock().astimezone(timezone.utc)
        date = f"{now:%Y-%m-%d}"
        key = f"{date}-mended-{file.digest[:_DIGEST_CHARS]}{FILE_SUFFIX}"
        ours = Mended(file.digest, key, date, file.lines, iso_utc(now), logged.by)
        there = self._read(place)
        if there is not None:
            return there
        try:
            self._s3.put_object(Bucket=self._names.manifest_bucket, Key=place, Body=ours.to_json(), IfNoneMatch="*")
            return ours
        except ClientError as error:
            if error_code(error) not in _THERE:
                raise
        return self._read(place) or ours

    def _enter(self, file: MendedFile, mended: Mended, logged: Logged) -> MendedOutcome:
        entry = self._entry(mended)
        if entry is None:
            # The ledger forgets, and their rows would be doubled.
            if self._is_converted(file, mended):
                return MendedOutcome(mended.key, mended.date, "there before", COMPLETED)
            facts = self._uploaded(file, mended.key)
            if self._entering.enter(self._names.input_bucket, mended.key, facts, mended.date):
                return MendedOutcome(mended.key, mended.date, "entered", "pending")
            entry = self._entry(mended)
        if entry is not None and entry.status == QUARANTINED:
            facts = self._mover.facts(entry) or Facts(entry.size_bytes, entry.etag)
            moved = self._mover.enter(entry, facts, replaces="")
            if moved.what == MOVED:
                self._mark_copy(entry, logged)
                return MendedOutcome(mended.key, mended.date, "released from the size rule", "pending")
            entry = self._entry(mended)
        status = entry.status if entry is not None else "unknown"
        return MendedOutcome(mended.key, mended.date, "there before", status)

    def _is_converted(self, file: MendedFile, mended: Mended) -> bool:
        """By the report of a run."""
        before = Listed(self._names.input_bucket, mended.key, file.size_bytes, "", self._clock())
        return bool(self._reports.converted_on(before, (mended.date,)))

    def _entry(self, mended: Mended) -> Entry | None:
        return self._tracking.entries([(mended.date, mended.key)]).get((mended.date, mended.key))

    def _uploaded(self, file: MendedFile, key: str) -> Facts:
        """The object, put there unless it is. S3 checks that it is what was looked at."""
        from botocore.exceptions import ClientError

        bucket = self._names.input_bucket
        with opened(file.path) as body:
            try:
                answer = self._s3.put_object(
                    Bucket=bucket,
                    Key=key,
                    Body=body,
                    ContentType="application/x-ndjson",
                    ContentMD5=file.md5,
                    IfNoneMatch="*",
                )
                return Facts(file.size_bytes, str(answer["ETag"]).strip('"'))
            except ClientError as error:
                if error_code(error) in ("BadDigest", "InvalidDigest"):
                    raise WorkFailed(f"{shown(file.path)} changed while it was uploaded: run it again.") from error
                if error_code(error) not in _THERE:
                    raise
        found = head(self._s3, bucket, key)
        if found is None:
            raise WorkFailed(f"s3://{bucket}/{key} was there and is gone: run the same command again.")
        return found

    def _mark_copy(self, entry: Entry, logged: Logged) -> None:
        objects = (ReleasedObject(entry.quarantine_key),)
        self._records.put_release(Release(logged.action_id, entry.date, iso_utc(self._clock()), logged.by, objects), 0)

    def _releases(self, file: MendedFile, mended: Mended, by: str) -> Iterator[tuple[Release, int]]:
        """The records, with their numbers, of which quarantined lines they are. The same names each time: what is on
        record is known again."""
        if not file.marked:
            return
        release_id = f"mended-{mended.digest[:_DIGEST_CHARS]}"
        by_date: dict[str, dict[str, list[tuple[str, int]]]] = {}
        numbers: dict[str, int] = {}
        count = 0

        def made(date: str) -> tuple[Release, int]:
            objects = tuple(ReleasedObject(key, tuple(lines)) for key, lines in by_date.pop(date).items())
            number = numbers.get(date, 0)
            numbers[date] = number + 1
            return Release(release_id, date, iso_utc(self._clock()), by, objects), number

        for origin, is_mended in pairs(file.path, self._names.quarantine_bucket) or ():
            place = place_of(origin.stored_in)
            if not is_mended or place is None:
                continue
            count += 1
            waiting = by_date.setdefault(place.date, {})
            waiting.setdefault(origin.stored_in, []).append((origin.source, origin.byte_offset))
            if count % _LINES_PER_RECORD == 0:
                yield made(place.date)
        for date in list(by_date):
            yield made(date)

    def _read(self, key: str) -> Mended | None:
        from botocore.exceptions import ClientError

        bucket = self._names.manifest_bucket
        try:
            body = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            return Mended.from_json(body, f"s3://{bucket}/{key}")
        except ClientError as error:
            if is_not_found(error):
                return None
            raise
        except FormatError as error:
            raise WorkFailed(f"{str(error).rstrip('.')}.") from error


_THERE = ("412", "PreconditionFailed", "ConditionalRequestConflict", "409")
