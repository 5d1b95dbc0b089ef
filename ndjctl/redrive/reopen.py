"""A closed manifest becomes open again, so that its parts are written anew under the same names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lambda_handler.dynamo import ABSENT, file_key, key_request, put_request, size_mb, update_request
from ndjctl.contracts import (
    FAILED,
    MANIFESTED,
    OPEN_MANIFESTS_PARTITION,
    READY,
    TTL_DAYS,
    Attr,
    Names,
    closed_manifests_partition,
    iso_utc,
    manifest_item_key,
    manifest_key,
    rewrite_lock_key,
    s3_uri,
)
from ndjctl.errors import WorkFailed
from ndjctl.glue_runs import attempts_of
from ndjctl.items import Item
from ndjctl.redrive.manifest import Included, Reopening
from ndjctl.redrive.moves import LOST, transact
from ndjctl.redrive.stored import put_back
from ndjctl.redrive.tracking import Tracking

_WITH_THE_MANIFEST = 90
"""Files that are changed in the very transaction that opens the manifest; DynamoDB takes 100 actions."""

_KEPT = (
    Attr.DATE,
    Attr.CREATED_AT,
    Attr.MANIFEST_PATH,
    Attr.FILES,  # of items from before their lists were items of their own
    Attr.FILE_COUNT,
    Attr.SIZE_BYTES,
    Attr.FENCE,
    Attr.PARTS,
    Attr.SEALED_AT,
)
"""What an open manifest keeps of the closed one: nothing of any run."""


@dataclass
class Reopener:
    """glue: called for the client only when a run has to be looked up."""

    s3: Any
    tracking: Tracking
    names: Names
    glue: Callable[[], Any]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]

    def reopen(self, found: Reopening) -> None:
        """Raises WorkFailed when something has changed since it was looked at, or a run is at its parts."""
        self._check_lock(found.manifest_id)
        if found.stored is not None and found.stored.fault:
            put_back(self.s3, self.names, found.stored)
        now = self.clock()
        actions = [*self._opening(found, now), self._unlocked(found.manifest_id)]
        lost = {Attr.STATUS: FAILED, Attr.ERROR: LOST}
        files = [self._changed(found, each, lost, now) for each in found.given_up]
        files += [self._changed(found, each, {Attr.STATUS: MANIFESTED}, now) for each in found.included]
        if not transact(self.tracking.dynamodb, [*actions, *files[:_WITH_THE_MANIFEST]], self.sleep):
            raise WorkFailed(
                f"Manifest {found.manifest_id}, one of its files or its parts changed hands meanwhile: nothing was "
                f"done; run the same command again."
            )
        for action in files[_WITH_THE_MANIFEST:]:
            # One that the run has met already is past this state, and its item no longer as it was read.
            transact(self.tracking.dynamodb, [action], self.sleep)

    def _opening(self, found: Reopening, now: datetime) -> list[dict[str, Any]]:
        key = file_key(OPEN_MANIFESTS_PARTITION, manifest_item_key(found.manifest_id))
        if found.closed is None:
            kept: Item = {
                Attr.DATE: found.date,
                Attr.CREATED_AT: iso_utc(now),
                Attr.MANIFEST_PATH: s3_uri(self.names.manifest_bucket, manifest_key(found.date, found.manifest_id)),
                Attr.FILE_COUNT: len(found.included),
                Attr.SIZE_BYTES: found.size_bytes,
                Attr.SEALED_AT: iso_utc(now),
            }
        else:
            kept = {name: found.closed[name] for name in _KEPT if name in found.closed}
        item = {**key, **kept, Attr.STATE: READY, Attr.ATTEMPT: 0, Attr.UPDATED_AT: iso_utc(now)}
        actions = [{"Put": put_request(self.tracking.table, item, {Attr.FILE_KEY: ABSENT})}]
        closed_key = file_key(closed_manifests_partition(found.date), manifest_item_key(found.manifest_id))
        if found.closed is None:
            actions.append({"ConditionCheck": key_request(self.tracking.table, closed_key, {Attr.FILE_KEY: ABSENT})})
        else:
            as_read = {name: found.closed.get(name, ABSENT) for name in (Attr.STATE, Attr.COMPLETED_AT, Attr.RUN_ID)}
            actions.append({"Delete": key_request(self.tracking.table, closed_key, as_read)})
        return actions

    def _changed(self, found: Reopening, each: Included, status: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        change = {
            **status,
            Attr.UPDATED_AT: iso_utc(now),
            Attr.TTL: int((now + timedelta(days=TTL_DAYS)).timestamp()),
        }
        key = file_key(found.date, each.file.key)
        if each.entry is not None:
            entry = each.entry
            as_read = {
                Attr.STATUS: entry.status,
                Attr.BATCH_ID: found.manifest_id,
                Attr.COMPLETED_AT: entry.completed_at or ABSENT,
            }
            return {"Update": update_request(self.tracking.table, key, change, as_read)}
        file = each.file
        item = {
            **key,
            **change,
            Attr.BUCKET: file.bucket,
            Attr.SIZE_BYTES: file.size_bytes,
            Attr.FILE_SIZE_MB: size_mb(file.size_bytes),
            Attr.ETAG: file.etag,
            Attr.SEQUENCER: "",
            Attr.UPLOAD_TIME: iso_utc(now),
            Attr.ATTEMPT: 0,
            Attr.BATCH_ID: found.manifest_id,
            Attr.MANIFEST_PATH: s3_uri(self.names.manifest_bucket, manifest_key(found.date, found.manifest_id)),
        }
        return {"Put": put_request(self.tracking.table, item, {Attr.FILE_KEY: ABSENT})}

    def _unlocked(self, manifest_id: str) -> dict[str, Any]:
        key = dict(rewrite_lock_key(manifest_id))
        return {"ConditionCheck": key_request(self.tracking.table, key, {Attr.HOLDER: ABSENT})}

    def _check_lock(self, manifest_id: str) -> None:
        """A lock that a dead run left is removed. Raises WorkFailed while a run lives that has it."""
        key = dict(rewrite_lock_key(manifest_id))
        item = self.tracking.get(key)
        holder = str(item.get(Attr.HOLDER, "")) if item else ""
        if not holder:
            return
        attempts, _ = attempts_of(self.glue(), self.names.job, holder)
        if attempts and not attempts[-1].has_ended:
            raise WorkFailed(
                f"The run {holder} is replacing rows in the parts of manifest {manifest_id}: try again when it has "
                f"ended."
            )
        self.tracking.dynamodb.delete_item(**key_request(self.tracking.table, key, {Attr.HOLDER: holder}))
