"""One file back to `pending`, in one conditional write: whoever else moved it meanwhile wins, and a tool that dies has
moved it or has not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from lambda_handler.dynamo import ABSENT, file_key, key_request, size_mb, update_request
from ndjctl.aws import error_code, is_not_found
from ndjctl.contracts import (
    FAILED,
    LEFT_BY_A_RUN,
    OPEN_MANIFESTS_PARTITION,
    PENDING,
    TTL_DAYS,
    Attr,
    SizeWindow,
    iso_utc,
    manifest_item_key,
    s3_uri,
)
from ndjctl.errors import CloudError
from ndjctl.redrive.tracking import Entry, Tracking

_CONFLICT_ROUNDS = 6

LOST = "its object is gone; its rows were given up when the Parquet of its manifest was written again"
"""Reason of a file whose loss was accepted."""

MOVED = "moved"
GONE = "gone"
REFUSED = "refused"
CHANGED = "changed"
SETTLED = "settled"


class Facts(NamedTuple):
    """An object as it is now. etag: without quotes."""

    size_bytes: int
    etag: str


class Moved(NamedTuple):
    """What became of one file. what: MOVED, to pending; GONE, there is no object to convert; REFUSED, it is as before,
    `why` says for what reason; CHANGED, somebody else moved it meanwhile; SETTLED, there was nothing to convert, and
    the ledger says so now. size_bytes: of the object that was entered."""

    entry: Entry
    what: str
    why: str = ""
    size_bytes: int = 0


def head(s3: Any, bucket: str, key: str) -> Facts | None:
    """None when there is no such object."""
    from botocore.exceptions import ClientError

    try:
        answer = s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if is_not_found(error):
            return None
        raise
    return Facts(int(answer["ContentLength"]), str(answer["ETag"]).strip('"'))


@dataclass
class Mover:
    """bucket: where files are whose item does not say. window: sizes that are converted."""

    s3: Any
    tracking: Tracking
    bucket: str
    window: SizeWindow
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]

    def facts(self, entry: Entry) -> Facts | None:
        return head(self.s3, entry.bucket or self.bucket, entry.key)

    def uri(self, entry: Entry) -> str:
        return s3_uri(entry.bucket or self.bucket, entry.key)

    def redrive(self, entry: Entry, replaces: str, is_closed: str = "") -> Moved:
        """To pending with the facts of the object as it is now, unless it is gone: then it is (or stays) failed, with
        that reason. replaces: for its item. is_closed: a manifest that must not be open for that, if any."""
        facts = self.facts(entry)
        if facts is None:
            why = f"{self.uri(entry)}: it is no longer there"
            if entry.error == LOST:
                return Moved(entry, GONE, LOST)  # that it was accepted must not be forgotten
            change = {Attr.STATUS: FAILED, Attr.ERROR: why, **_replacing(replaces)}
            is_done = self._write(entry, change, (), is_closed)
            return Moved(entry, GONE, why) if is_done else _changed(entry)
        return self.enter(entry, facts, replaces, is_closed)

    def enter(self, entry: Entry, facts: Facts, replaces: str, is_closed: str = "") -> Moved:
        """To pending, as the version that `facts` are of."""
        change: dict[str, Any] = {Attr.STATUS: PENDING, Attr.ATTEMPT: 0, **_replacing(replaces)}
        if facts.etag != entry.etag:
            verdict = self.window.verdict(facts.size_bytes)
            if verdict is not None:
                return Moved(entry, REFUSED, f"its newer version would be set aside as {verdict}: {facts.size_bytes} B")
            change |= {
                Attr.ETAG: facts.etag,
                Attr.SIZE_BYTES: facts.size_bytes,
                Attr.FILE_SIZE_MB: size_mb(facts.size_bytes),
                # Where none is known of this version, a late event has to look at the object itself.
                Attr.SEQUENCER: entry.superseded_by_sequencer if facts.etag == entry.superseded_by else "",
            }
        is_done = self._write(entry, change, LEFT_BY_A_RUN, is_closed)
        return Moved(entry, MOVED, size_bytes=facts.size_bytes) if is_done else _changed(entry)

    def settle(self, entry: Entry, is_closed: str) -> Moved:
        """Of a file whose converted version is the one that is there (again): no newer one is known any more."""
        if not self._write(entry, {}, (Attr.SUPERSEDED_BY, Attr.SUPERSEDED_SEQUENCER), is_closed):
            return _changed(entry)
        return Moved(entry, SETTLED, "the version that was converted is there again: it keeps its rows")

    def _write(self, entry: Entry, change: Mapping[str, Any], remove: tuple[str, ...], is_closed: str) -> bool:
        """False when the item is no longer as it was read, or the manifest is open."""
        now = self.clock()
        change = {
            **change,
            Attr.UPDATED_AT: iso_utc(now),
            Attr.TTL: int((now + timedelta(days=TTL_DAYS)).timestamp()),
        }
        as_read = {
            Attr.STATUS: entry.status,
            Attr.ETAG: entry.etag or ABSENT,
            Attr.BATCH_ID: entry.manifest_id or ABSENT,
            Attr.SUPERSEDED_BY: entry.superseded_by or ABSENT,
            # An etag comes back when the same bytes are uploaded again.
            Attr.SUPERSEDED_SEQUENCER: entry.superseded_by_sequencer or ABSENT,
        }
        update = update_request(self.tracking.table, file_key(entry.date, entry.key), change, as_read, remove)
        if not is_closed:
            return transact(self.tracking.dynamodb, [{"Update": update}], self.sleep)
        open_key = file_key(OPEN_MANIFESTS_PARTITION, manifest_item_key(is_closed))
        check = {"ConditionCheck": key_request(self.tracking.table, open_key, {Attr.FILE_KEY: ABSENT})}
        return transact(self.tracking.dynamodb, [{"Update": update}, check], self.sleep)


def transact(dynamodb: Any, actions: list[dict[str, Any]], sleep: Callable[[float], None]) -> bool:
    """All of it or nothing. False: a condition did not hold. Raises CloudError when other writers do not let it."""
    from botocore.exceptions import ClientError

    for number in range(_CONFLICT_ROUNDS):
        try:
            dynamodb.transact_write_items(TransactItems=actions)
            return True
        except ClientError as error:
            if error_code(error) != "TransactionCanceledException":
                raise
            reasons = {str(reason.get("Code")) for reason in error.response.get("CancellationReasons", [])}
            if "ConditionalCheckFailed" in reasons:
                return False
            if not reasons & {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}:
                raise
        sleep(0.1 * 2**number)
    raise CloudError("Other writers kept a file's item from being written; run the same command again.")


def _replacing(replaces: str) -> dict[str, str]:
    return {Attr.REPLACES: replaces} if replaces else {}


def _changed(entry: Entry) -> Moved:
    return Moved(entry, CHANGED, "it changed in the ledger meanwhile")
