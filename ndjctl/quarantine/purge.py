"""Deletes from the quarantine, after it is on record what goes: so that what is missing later is known to be purged.

A record is written before anything that it names is deleted. A death in between leaves objects that are there with the
ETag of the record, which then says nothing; doing it again deletes them.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, islice
from typing import Any

from ndjctl.aws import error_code, is_not_found
from ndjctl.contracts import (
    LOCKS_PARTITION,
    MALFORMED,
    OPEN_MANIFESTS_PARTITION,
    Attr,
    Names,
    Purge,
    PurgedObject,
    closed_manifests_partition,
    iso_utc,
    manifest_item_key,
    rewrite_lock_key,
)
from ndjctl.items import plain
from ndjctl.ledger import Ledger
from ndjctl.quarantine.lines import kept_lines, stored_lines
from ndjctl.quarantine.log import Logged
from ndjctl.quarantine.places import manifest_id_of, place_of
from ndjctl.quarantine.purge_look import IS_CHANGED, Changed, body_of
from ndjctl.quarantine.records import OBJECTS_PER_RECORD, QuarantineRecords
from ndjctl.reconcile.spool import Spool
from ndjctl.reconcile.streams import Listed
from ndjctl.reconcile.unseen import heads
from ndjctl.redrive.choice import Choice

Progress = Callable[[int], None]

_MOST_LEFT = 1_000
_IN_MEMORY_BYTES = 16 * 1024 * 1024
_OPEN = "its manifest is open: a run may still write it"
_REWRITTEN = "a run is replacing rows of its manifest"
_CHANGED = "it changed or went since it was looked at"


@dataclass
class PurgeOutcome:
    """objects: deleted, or written again without some of their lines. lines: bad lines that went. files: other objects.
    left: (key, why), bounded; left_count: of all."""

    objects: int = 0
    lines: int = 0
    files: int = 0
    size_bytes: int = 0
    left_count: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)

    def leave(self, key: str, why: str) -> None:
        self.left_count += 1
        if len(self.left) < _MOST_LEFT:
            self.left.append((key, why))


@dataclass(frozen=True)
class _Doomed:
    """An object and what of it goes. is_whole: all of it."""

    listed: Listed
    purged: PurgedObject
    is_whole: bool


class Purger:
    """readers: threads that read objects."""

    def __init__(
        self, s3: Any, names: Names, ledger: Ledger, clock: Callable[[], datetime], readers: ThreadPoolExecutor
    ) -> None:
        self._s3 = s3
        self._names = names
        self._ledger = ledger
        self._clock = clock
        self._readers = readers
        self._records = QuarantineRecords(s3, names.manifest_bucket)

    def purge(self, logged: Logged, choice: Choice, spool: Spool, progress: Progress) -> PurgeOutcome:
        """Deletes what is in the spool. Raises what boto3 raises; what is deleted until then is on record."""
        outcome = PurgeOutcome()
        for date, entries in groupby(spool.entries(), key=lambda entry: entry[1][0]):
            listed = (entry[0] for entry in entries)
            number = 0
            while chunk := list(islice(listed, OBJECTS_PER_RECORD)):
                doomed = list(self._doomed(date, chunk, choice, outcome))
                if doomed:
                    objects = tuple(each.purged for each in doomed)
                    record = Purge(logged.action_id, date, iso_utc(self._clock()), logged.by, objects)
                    self._records.put_purge(record, number)
                    self._carry_out(doomed, choice, outcome)
                    number += 1
                progress(len(chunk))
        return outcome

    def _doomed(self, date: str, chunk: Sequence[Listed], choice: Choice, outcome: PurgeOutcome) -> Iterator[_Doomed]:
        """What of the chunk is to go now: as it was seen, and of a manifest that nobody writes."""
        there = heads(self._s3, self._readers, chunk)
        runs, busy = self._manifests(date, chunk)
        fit = []
        for listed in chunk:
            manifest_id = manifest_id_of(listed.key)
            now = there.get(listed)
            if now is None or now.etag != listed.etag:
                outcome.leave(listed.key, _CHANGED)
            elif manifest_id in busy:
                outcome.leave(listed.key, busy[manifest_id])
            else:
                fit.append((listed, runs.get(manifest_id, "")))
        for listed, doomed in self._readers.map(lambda one: (one[0], self._measured(one[0], one[1], choice)), fit):
            if doomed is None:
                outcome.leave(listed.key, _CHANGED)
            else:
                yield doomed

    def _measured(self, listed: Listed, run_id: str, choice: Choice) -> _Doomed | None:
        place = place_of(listed.key)
        if place is None or place.kind != MALFORMED:
            return _Doomed(listed, PurgedObject(listed.key, listed.etag, listed.size_bytes), True)
        sources: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        reason_bytes: Counter[str] = Counter()
        kept = 0
        try:
            for line in stored_lines(body_of(self._s3, listed)):
                if choice.takes_reason(line.reason):
                    sources[line.source] += 1
                    reasons[line.reason] += 1
                    reason_bytes[line.reason] += line.stored_bytes
                else:
                    kept += 1
        except (Changed, ValueError):
            return None
        counts = dict(sources), dict(reasons), dict(reason_bytes)
        purged = PurgedObject(listed.key, listed.etag, sum(reason_bytes.values()), run_id, *counts)
        return _Doomed(listed, purged, not kept)

    def _manifests(self, date: str, chunk: Iterable[Listed]) -> tuple[dict[str, str], dict[str, str]]:
        """(the runs that wrote the output of closed manifests, why the objects of others stay), by manifest id."""
        found = {manifest_id_of(listed.key) for listed in chunk} - {""}
        keys: dict[tuple[str, str], tuple[str, str]] = {}
        for manifest_id in found:
            lock = rewrite_lock_key(manifest_id)
            keys[OPEN_MANIFESTS_PARTITION, manifest_item_key(manifest_id)] = manifest_id, _OPEN
            keys[closed_manifests_partition(date), manifest_item_key(manifest_id)] = manifest_id, ""
            keys[LOCKS_PARTITION, lock[Attr.FILE_KEY]] = manifest_id, _REWRITTEN
        runs: dict[str, str] = {}
        busy: dict[str, str] = {}
        wanted = (Attr.DATE_PREFIX, Attr.FILE_KEY, Attr.RUN_ID, Attr.HOLDER)
        for item in map(plain, self._ledger.items(keys, wanted)):
            manifest_id, why = keys[str(item[Attr.DATE_PREFIX]), str(item[Attr.FILE_KEY])]
            if why == _REWRITTEN and not item.get(Attr.HOLDER):
                continue  # a lock that was broken or released may stay as an item that nobody holds
            if why:
                busy[manifest_id] = why
            else:
                runs[manifest_id] = str(item.get(Attr.RUN_ID) or "")
        return runs, busy

    def _carry_out(self, doomed: Sequence[_Doomed], choice: Choice, outcome: PurgeOutcome) -> None:
        whole = [each for each in doomed if each.is_whole]
        failed = self._delete(whole)
        for each in whole:
            self._settle(each, failed.get(each.listed.key, ""), outcome)
        parts = [each for each in doomed if not each.is_whole]
        rewritten = self._readers.map(lambda one: self._rewrite(one, choice), parts)
        for each, why in zip(parts, rewritten, strict=True):
            self._settle(each, why, outcome)

    @staticmethod
    def _settle(each: _Doomed, why: str, outcome: PurgeOutcome) -> None:
        """why: it is left; empty where it went."""
        if why:
            outcome.leave(each.listed.key, why)
            return
        lines = sum(each.purged.lines.values())
        outcome.objects += 1
        outcome.lines += lines
        outcome.files += not lines
        outcome.size_bytes += each.purged.size_bytes

    def _delete(self, whole: Sequence[_Doomed]) -> dict[str, str]:
        """Why some are left, by key."""
        if not whole:
            return {}
        keys = [{"Key": each.listed.key} for each in whole]
        answer = self._s3.delete_objects(Bucket=self._names.quarantine_bucket, Delete={"Objects": keys, "Quiet": True})
        return {
            str(error["Key"]): str(error.get("Message") or error.get("Code") or "S3 kept it")
            for error in answer.get("Errors", [])
        }

    def _rewrite(self, each: _Doomed, choice: Choice) -> str:
        """Writes the object without the lines that go; why that was not done, or empty."""
        from botocore.exceptions import ClientError

        listed = each.listed
        with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as rest:
            try:
                for line, stored in kept_lines(body_of(self._s3, listed)):
                    if not choice.takes_reason(line.reason):
                        rest.write(stored)
                rest.seek(0)
                self._s3.put_object(
                    Bucket=listed.bucket,
                    Key=listed.key,
                    Body=rest,
                    ContentType="application/x-ndjson",
                    IfMatch=f'"{listed.etag}"',
                )
            except Changed:
                return _CHANGED
            except ClientError as error:
                if not is_not_found(error) and error_code(error) not in IS_CHANGED:
                    raise
                return _CHANGED
        return ""
