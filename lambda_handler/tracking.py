"""Enters one object in the ledger, once, whatever is delivered twice, late or out of order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lambda_handler import metrics
from lambda_handler.dynamo import (
    ABSENT,
    Contended,
    Item,
    back_off,
    file_key,
    get_item,
    put_request,
    size_mb,
    try_write,
    update_request,
)
from lambda_handler.events import ObjectCreated, is_newer
from lambda_handler.quarantine import ObjectChanged, ObjectGone, copy_to_quarantine, head
from lambda_handler.services import Invocation
from ndjctl.contracts import (
    FAILED,
    PENDING,
    QUARANTINED,
    Attr,
    date_prefix,
    iso_utc,
)

_ROUNDS = 6
_REPLACEABLE = (PENDING, FAILED, QUARANTINED)
"""Statuses in which no run can be reading the old version, so that a new one takes its place."""

_LEFT_BY_A_RUN = (
    Attr.BATCH_ID,
    Attr.MANIFEST_PATH,
    Attr.RUN_ID,
    Attr.ERROR,
    Attr.REASON,
    Attr.QUARANTINE_KEY,
    Attr.COMPLETED_AT,
    Attr.LINES,
    Attr.ROWS,
    Attr.BAD_LINES,
    Attr.SUPERSEDED_BY,
)


@dataclass(frozen=True)
class Tracked:
    """Where a file stands in the ledger after its event."""

    date: str
    status: str


@dataclass(frozen=True)
class _Version:
    """One version of an object, all facts known."""

    bucket: str
    key: str
    size_bytes: int
    etag: str
    sequencer: str
    date: str
    upload_time: str


class _Moved(Exception):
    """The item changed between our read and our write: look again."""


def track(inv: Invocation, event: ObjectCreated) -> Tracked | None:
    """Enters the object of `event`. None when the object is gone, so that there is nothing to track.

    The event is believed as to size and etag, which saves a request a file; where it lacks them, or where the copy to
    quarantine finds another version at the key, the object as it is now counts instead: its own event, should it still
    come, is then a duplicate. Raises Contended, or what boto3 raises.
    """
    try:
        version = _version(inv, event)
        for number in range(_ROUNDS):
            try:
                return _enter(inv, version)
            except _Moved:
                back_off(inv, number)
            except ObjectChanged:
                facts = head(inv, version.bucket, version.key)
                inv.log.info("object_changed", file_key=version.key, event_etag=version.etag, etag=facts.etag)
                # The event's sequencer belongs to another version.
                version = replace(version, size_bytes=facts.size_bytes, etag=facts.etag, sequencer="")
    except ObjectGone:
        inv.log.warning("object_gone", file_key=event.key, bucket=event.bucket)
        return None
    raise Contended(f"the file's item or object changed {_ROUNDS} times while it was being entered")


def _version(inv: Invocation, event: ObjectCreated) -> _Version:
    size_bytes, etag = event.size_bytes, event.etag
    if size_bytes is None or etag is None:
        facts = head(inv, event.bucket, event.key)
        size_bytes, etag = facts.size_bytes, facts.etag
    return _Version(
        bucket=event.bucket,
        key=event.key,
        size_bytes=size_bytes,
        etag=etag,
        sequencer=event.sequencer,
        date=date_prefix(event.key, event.event_time),
        upload_time=iso_utc(event.event_time),
    )


def _enter(inv: Invocation, version: _Version) -> Tracked:
    verdict = inv.settings.size_window.verdict(version.size_bytes)
    if verdict is None and _put_new(inv, version, {Attr.STATUS: PENDING}):
        return Tracked(version.date, PENDING)
    existing = get_item(inv, file_key(version.date, version.key))
    if existing is None:
        if verdict is None:
            raise _Moved
        # Copied first: a death before the put leaves a copy that the next delivery writes again, never an item
        # that promises a copy that is not there.
        if not _put_new(inv, version, _quarantine(inv, version, verdict)):
            raise _Moved
        return Tracked(version.date, QUARANTINED)
    return _meet(inv, version, verdict, existing)


def _meet(inv: Invocation, version: _Version, verdict: str | None, existing: Item) -> Tracked:
    """The key is in the ledger already."""
    status = str(existing[Attr.STATUS])
    if existing[Attr.ETAG] == version.etag:
        inv.log.debug("file_duplicate", file_key=version.key, date=version.date, status=status)
        return Tracked(version.date, status)
    if not _supersedes(inv, version, existing):
        inv.log.info("event_stale", file_key=version.key, etag=version.etag, ledger_etag=existing[Attr.ETAG])
        return Tracked(version.date, status)
    as_read = {Attr.STATUS: status, Attr.ETAG: existing[Attr.ETAG]}
    key = file_key(version.date, version.key)
    if status not in _REPLACEABLE:
        if existing.get(Attr.SUPERSEDED_BY) != version.etag:
            change = {Attr.SUPERSEDED_BY: version.etag, Attr.UPDATED_AT: inv.now_iso()}
            _update(inv, update_request(inv.settings.tracking_table, key, change, as_read))
            inv.log.warning("file_superseded", file_key=version.key, status=status, etag=version.etag)
        return Tracked(version.date, status)
    state = {Attr.STATUS: PENDING} if verdict is None else _quarantine(inv, version, verdict)
    change = {**_facts(inv, version), **state}
    if status == PENDING and verdict is None:
        change.pop(Attr.UPLOAD_TIME)  # it keeps its place in the queue
    if not version.sequencer:
        change.pop(Attr.SEQUENCER)
    remove = [name for name in _LEFT_BY_A_RUN if name not in change]
    _update(inv, update_request(inv.settings.tracking_table, key, change, as_read, remove))
    _count(inv, version, str(state[Attr.STATUS]))
    inv.log.info("file_replaced", file_key=version.key, date=version.date, was=status, status=state[Attr.STATUS])
    return Tracked(version.date, str(state[Attr.STATUS]))


def _supersedes(inv: Invocation, version: _Version, existing: Item) -> bool:
    newer = is_newer(version.sequencer, str(existing.get(Attr.SEQUENCER, "")))
    if newer is None:
        # Without sequencers only the object itself can say which version is the later one.
        return head(inv, version.bucket, version.key).etag == version.etag
    return newer


def _put_new(inv: Invocation, version: _Version, state: Mapping[str, Any]) -> bool:
    item = {**file_key(version.date, version.key), **_facts(inv, version), **state}
    when = {Attr.DATE_PREFIX: ABSENT}
    if not try_write(inv.services.dynamodb.put_item, put_request(inv.settings.tracking_table, item, when)):
        return False
    _count(inv, version, str(state[Attr.STATUS]))
    inv.log.info("file_tracked", file_key=version.key, date=version.date, status=state[Attr.STATUS])
    return True


def _facts(inv: Invocation, version: _Version) -> Item:
    return {
        Attr.BUCKET: version.bucket,
        Attr.SIZE_BYTES: version.size_bytes,
        Attr.FILE_SIZE_MB: size_mb(version.size_bytes),
        Attr.ETAG: version.etag,
        Attr.SEQUENCER: version.sequencer,
        Attr.UPLOAD_TIME: version.upload_time,
        Attr.UPDATED_AT: inv.now_iso(),
        Attr.ATTEMPT: 0,
        Attr.TTL: inv.ttl(),
    }


def _quarantine(inv: Invocation, version: _Version, verdict: str) -> Item:
    """Copies the object and returns the attributes that say so."""
    window = inv.settings.size_window
    target = copy_to_quarantine(inv, version.bucket, version.key, version.etag, version.date, verdict)
    reason = f"{verdict}: {version.size_bytes} bytes, normal is {window.min_bytes} to {window.max_bytes} bytes"
    return {Attr.STATUS: QUARANTINED, Attr.REASON: reason, Attr.QUARANTINE_KEY: target}


def _update(inv: Invocation, request: Item) -> None:
    if not try_write(inv.services.dynamodb.update_item, request):
        raise _Moved


def _count(inv: Invocation, version: _Version, status: str) -> None:
    inv.counters.add(version.date, metrics.FILES_RECEIVED, size_bytes=version.size_bytes)
    if status == QUARANTINED:
        inv.counters.add(version.date, metrics.FILES_QUARANTINED, size_bytes=version.size_bytes)
