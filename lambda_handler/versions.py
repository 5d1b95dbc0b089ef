"""One version of an object and its item in the ledger: entering it as a new item, or in place of an older version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_handler import metrics
from lambda_handler.dynamo import (
    ABSENT,
    Item,
    file_key,
    key_request,
    put_request,
    size_mb,
    transact,
    try_write,
    update_request,
)
from lambda_handler.events import is_newer
from lambda_handler.quarantine import copy_to_quarantine, head
from lambda_handler.services import Invocation
from ndjctl.contracts import LEFT_BY_A_RUN, PENDING, QUARANTINED, Attr

IN_PLACE_OF = (
    Attr.DATE_PREFIX,
    Attr.FILE_KEY,
    Attr.STATUS,
    Attr.ETAG,
    Attr.SEQUENCER,
    Attr.BATCH_ID,
    Attr.SUPERSEDED_BY,
    Attr.SUPERSEDED_SEQUENCER,
)
"""What has to be known of an item to tell which of two versions is the later one, and to write in its place."""


@dataclass(frozen=True)
class Version:
    """One version of an object, all facts known. date: of its item. dates: under which the ledger can have the key, one
    unless it is dateless. sequencer: empty where only the object itself can say which version is the later one."""

    bucket: str
    key: str
    size_bytes: int
    etag: str
    sequencer: str
    date: str
    dates: tuple[str, ...]
    upload_time: str


class Moved(Exception):
    """The item changed between our read and our write: look again."""


def state_of(inv: Invocation, version: Version) -> Item:
    """Its status and what goes with that: pending, or quarantined once the object is copied. Raises ObjectGone,
    ObjectChanged, or what boto3 raises."""
    verdict = inv.settings.size_window.verdict(version.size_bytes)
    if verdict is None:
        return {Attr.STATUS: PENDING}
    # Copied first: a death before the item is written leaves a copy that the next delivery writes again, never an item
    # that promises a copy that is not there.
    window = inv.settings.size_window
    target = copy_to_quarantine(
        inv, version.bucket, version.key, version.etag, version.size_bytes, version.date, verdict
    )
    reason = f"{verdict}: {version.size_bytes} bytes, normal is {window.min_bytes} to {window.max_bytes} bytes"
    return {Attr.STATUS: QUARANTINED, Attr.REASON: reason, Attr.QUARANTINE_KEY: target}


def put_new(inv: Invocation, version: Version, state: Mapping[str, Any]) -> bool:
    """False when the ledger has the key already, under whichever of its dates."""
    table = inv.settings.tracking_table
    item = {**file_key(version.date, version.key), **_facts(inv, version), **state}
    put = put_request(table, item, {Attr.DATE_PREFIX: ABSENT})
    if len(version.dates) == 1:
        written = try_write(inv, inv.services.dynamodb.put_item, put)
    else:
        # Two versions of a dateless key around midnight, handled at once, must not become two files.
        others = [file_key(date, version.key) for date in version.dates if date != version.date]
        checks = [{"ConditionCheck": key_request(table, other, {Attr.DATE_PREFIX: ABSENT})} for other in others]
        written = not transact(inv, [{"Put": put}, *checks])
    if written:
        _count(inv, version, str(state[Attr.STATUS]))
        inv.log.info("file_tracked", file_key=version.key, date=version.date, status=state[Attr.STATUS])
    return written


def replace_item(inv: Invocation, version: Version, existing: Item) -> str:
    """Puts the version in the place of the one that the item has, and returns its status. `replaces` stays: those rows
    are still there. Raises Moved, and as state_of()."""
    state = state_of(inv, version)
    change = {**_facts(inv, version), **state}
    if existing[Attr.STATUS] == state[Attr.STATUS] == PENDING:
        change.pop(Attr.UPLOAD_TIME)  # it keeps its place in the queue
    remove = [name for name in LEFT_BY_A_RUN if name not in change]
    update_file(inv, existing, change, remove)
    _count(inv, version, str(state[Attr.STATUS]))
    inv.log.info(
        "file_replaced",
        file_key=version.key,
        date=version.date,
        was=existing[Attr.STATUS],
        status=state[Attr.STATUS],
    )
    return str(state[Attr.STATUS])


def update_file(inv: Invocation, existing: Item, change: Mapping[str, Any], remove: list[str]) -> None:
    """Writes to the item if it is still as it was read. Raises Moved."""
    # The sequencer too: an etag comes back when the same bytes are uploaded again.
    names = (Attr.STATUS, Attr.ETAG, Attr.SEQUENCER, Attr.SUPERSEDED_BY, Attr.SUPERSEDED_SEQUENCER)
    when = {name: existing.get(name, ABSENT) for name in names}
    key = file_key(existing[Attr.DATE_PREFIX], existing[Attr.FILE_KEY])
    request = update_request(inv.settings.tracking_table, key, change, when, remove)
    if not try_write(inv, inv.services.dynamodb.update_item, request):
        raise Moved


def is_latest(inv: Invocation, version: Version, than_sequencer: str) -> bool:
    """Whether the version is later than that of another event. Raises ObjectGone."""
    newer = is_newer(version.sequencer, than_sequencer)
    if newer is None:
        # Without sequencers only the object itself can say.
        return head(inv, version.bucket, version.key).etag == version.etag
    return newer


def _facts(inv: Invocation, version: Version) -> Item:
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


def _count(inv: Invocation, version: Version, status: str) -> None:
    inv.counters.add(version.date, metrics.FILES_RECEIVED, size_bytes=version.size_bytes)
    if status == QUARANTINED:
        inv.counters.add(version.date, metrics.FILES_QUARANTINED, size_bytes=version.size_bytes)
