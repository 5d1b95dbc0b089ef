"""Enters one object in the ledger, once, whatever is delivered twice, late or out of order.

What becomes of an event, by what the ledger has of its key:

    nothing                          entered
    the same etag                    a duplicate; uploaded again, its sequencer is kept
    another, of a later event        stale, logged
    another: pending, failed,        replaced in place: no run can be reading the older version
      quarantined
    another: manifested, processing  recorded as what supersedes it. If the run then fails the file, enter_anew() takes
                                     the newer version before the manifest is closed
    another: completed               recorded; `ndjctl reprocess` replaces its rows
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lambda_handler.dynamo import Contended, Item, back_off, file_key, get_item, get_items
from lambda_handler.events import ObjectCreated, later_sequencer
from lambda_handler.quarantine import ObjectChanged, ObjectGone, head
from lambda_handler.services import Invocation
from lambda_handler.versions import (
    IN_PLACE_OF,
    Moved,
    Version,
    is_latest,
    put_new,
    replace_item,
    state_of,
    update_file,
)
from ndjctl.contracts import (
    FAILED,
    PENDING,
    QUARANTINED,
    TTL_DAYS,
    Attr,
    date_prefix,
    iso_utc,
    ledger_dates,
)

_ROUNDS = 6
_REPLACEABLE = (PENDING, FAILED, QUARANTINED)
"""Statuses in which no run can be reading the old version, so that a new one takes its place."""


@dataclass(frozen=True)
class Tracked:
    """Where a file stands in the ledger after its event."""

    date: str
    status: str


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
            except Moved:
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


def _version(inv: Invocation, event: ObjectCreated) -> Version:
    size_bytes, etag, sequencer = event.size_bytes, event.etag, event.sequencer
    if size_bytes is None or etag is None:
        facts = head(inv, event.bucket, event.key)
        # They may be those of a later version than the event's.
        size_bytes, etag, sequencer = facts.size_bytes, facts.etag, ""
    return Version(
        bucket=event.bucket,
        key=event.key,
        size_bytes=size_bytes,
        etag=etag,
        sequencer=sequencer,
        date=date_prefix(event.key, event.event_time),
        dates=ledger_dates(event.key, event.event_time, inv.now(), TTL_DAYS),
        upload_time=iso_utc(event.event_time),
    )


def _enter(inv: Invocation, version: Version) -> Tracked:
    is_normal = inv.settings.size_window.verdict(version.size_bytes) is None
    tried = is_normal and len(version.dates) == 1
    if tried and put_new(inv, version, {Attr.STATUS: PENDING}):
        return Tracked(version.date, PENDING)
    existing = _existing(inv, version)
    if existing is not None:
        return _meet(inv, replace(version, date=str(existing[Attr.DATE_PREFIX])), existing)
    if tried:
        raise Moved
    state = state_of(inv, version)
    if not put_new(inv, version, state):
        raise Moved
    return Tracked(version.date, str(state[Attr.STATUS]))


def _existing(inv: Invocation, version: Version) -> Item | None:
    """The key's item, under whichever date it was entered."""
    found = get_items(inv, [file_key(date, version.key) for date in version.dates], IN_PLACE_OF)
    return max(found, key=lambda item: str(item[Attr.DATE_PREFIX]), default=None)


def _meet(inv: Invocation, version: Version, existing: Item) -> Tracked:
    """The key is in the ledger already."""
    status = str(existing[Attr.STATUS])
    if existing[Attr.ETAG] == version.etag:
        inv.log.debug("file_duplicate", file_key=version.key, date=version.date, status=status)
        _uploaded_again(inv, version, existing)
        return Tracked(version.date, status)
    known = _latest_sequencer(existing)
    is_known = existing.get(Attr.SUPERSEDED_BY) == version.etag
    if not is_known and not is_latest(inv, version, known):
        inv.log.info("event_stale", file_key=version.key, etag=version.etag, ledger_etag=existing[Attr.ETAG])
        return Tracked(version.date, status)
    if is_known:
        version = replace(version, sequencer=later_sequencer(version.sequencer, known))
    if status in _REPLACEABLE:
        return Tracked(version.date, replace_item(inv, version, existing))
    if not is_known or version.sequencer != known:
        change = {
            Attr.SUPERSEDED_BY: version.etag,
            Attr.SUPERSEDED_SEQUENCER: version.sequencer,
            Attr.UPDATED_AT: inv.now_iso(),
            # An item about to be dropped for its age must not take this with it.
            Attr.TTL: inv.ttl(),
        }
        update_file(inv, existing, change, [])
        inv.log.warning(
            "file_superseded",
            file_key=version.key,
            manifest_id=existing.get(Attr.BATCH_ID, ""),
            status=status,
            etag=version.etag,
        )
    return Tracked(version.date, status)


def _latest_sequencer(existing: Item) -> str:
    name = Attr.SUPERSEDED_SEQUENCER if Attr.SUPERSEDED_BY in existing else Attr.SEQUENCER
    return str(existing.get(name, ""))


def _uploaded_again(inv: Invocation, version: Version, existing: Item) -> None:
    """The item's own version. Where it came a second time, events from between the two uploads are stale: the later
    sequencer is kept, or that it is unknown, and what superseded the first one is superseded in turn."""
    change = {}
    sequencer = str(existing.get(Attr.SEQUENCER, ""))
    if later_sequencer(version.sequencer, sequencer) != sequencer:
        change[Attr.SEQUENCER] = later_sequencer(version.sequencer, sequencer)
    remove = []
    if Attr.SUPERSEDED_BY in existing and is_latest(inv, version, _latest_sequencer(existing)):
        remove = [Attr.SUPERSEDED_BY, Attr.SUPERSEDED_SEQUENCER]
    if change or remove:
        update_file(inv, existing, {**change, Attr.UPDATED_AT: inv.now_iso()}, remove)


def enter_anew(inv: Invocation, date: str, key: str) -> Tracked | None:
    """Enters what is at the key now in place of a file that failed and was overwritten while it was in work. None when
    there is nothing to do any more. Raises Contended, or what boto3 raises."""
    for number in range(_ROUNDS):
        existing = get_item(inv, file_key(date, key))
        if existing is None or existing[Attr.STATUS] != FAILED or Attr.SUPERSEDED_BY not in existing:
            return None
        try:
            facts = head(inv, existing[Attr.BUCKET], key)
            version = Version(
                bucket=existing[Attr.BUCKET],
                key=key,
                size_bytes=facts.size_bytes,
                etag=facts.etag,
                sequencer="",
                date=date,
                dates=(date,),
                upload_time=iso_utc(facts.last_modified),
            )
            return Tracked(date, replace_item(inv, version, existing))
        except ObjectGone:
            inv.log.warning("object_gone", file_key=key, bucket=existing[Attr.BUCKET])
            return None
        except (Moved, ObjectChanged):
            back_off(inv, number)
    raise Contended(f"the file's item or object changed {_ROUNDS} times while it was being entered anew")
