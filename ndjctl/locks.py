"""The locks of the ledger: who holds them, whether the holder is provably dead, and breaking one whose holder is.

Whether a lease is over is not for this machine's clock to say: it may be off, and breaking a lock under a living holder
costs that holder's work. AWS's own time counts, which every answer carries in its header Date, and a minute more. A
lease that ends later than any that a builder takes now is no builder's: it would keep its date from being built.
Nothing unsafe follows from a mistake all the same: what a builder writes is checked against holder and fence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from ndjctl.aws import error_code
from ndjctl.contracts import (
    LOCKS_PARTITION,
    TTL_DAYS,
    Attr,
    Names,
    iso_utc,
    lock_item_key,
    rewrite_lock_key,
)
from ndjctl.glue_runs import attempts_of
from ndjctl.items import Item, query_pages, read_item

BATCHING = "batching"
REWRITE = "rewrite"
UNKNOWN = "unknown"

CLOCK_MARGIN_S = 60.0
"""How far a holder's clock and AWS's may be apart."""

_AHEAD_S = 120.0
"""How much later than a whole lease from now one may end: twice that, as nothing is lost by waiting a little longer."""

_REWRITE_PREFIX = str(rewrite_lock_key("")[Attr.FILE_KEY]).removesuffix("#")


@dataclass(frozen=True)
class Lock:
    """kind: BATCHING, REWRITE, or UNKNOWN for one that a newer version may know. subject: the date, or the id of the
    manifest whose parts are rewritten. holder: a Lambda request id, or a Glue run id; empty for a free lock. taken_at,
    expires_at: by the holder's clock, None where the item does not tell. fence: how often it was taken, None if it is
    not counted."""

    kind: str
    subject: str
    sort_key: str
    holder: str
    taken_at: datetime | None
    expires_at: datetime | None
    fence: int | None

    @property
    def is_free(self) -> bool:
        return not self.holder


@dataclass(frozen=True)
class Verdict:
    """Whether the holder is provably dead. why: one clause. until: when it will be by itself, at the latest; None where
    that is not known. aws_time: what it was judged by."""

    is_dead: bool
    why: str
    until: datetime | None
    aws_time: datetime | None


@dataclass(frozen=True)
class Judged:
    lock: Lock
    verdict: Verdict


@dataclass(frozen=True)
class Breaking:
    """What became of an attempt to break a lock. lock: as it was read; None where there is none. changed: it was not
    broken, because it changed hands between reading and writing. fence: of the broken lock, None if it has none."""

    lock: Lock | None
    verdict: Verdict | None
    is_broken: bool
    changed: bool = False
    fence: int | None = None


class Locks:
    """The locks of one environment. ttl_s: how long a lease lasts, in seconds."""

    def __init__(self, dynamodb: Any, glue: Any, names: Names, ttl_s: float) -> None:
        self._dynamodb = dynamodb
        self._glue = glue
        self._names = names
        self._ttl_s = ttl_s

    def all(self) -> Iterator[Judged]:
        """Every lock, also the free ones, read page by page."""
        for items, metadata in query_pages(self._dynamodb, self._names.tracking_table, LOCKS_PARTITION):
            for item in items:
                yield self._judged(item, aws_time_of(metadata))

    def find(self, subject: str) -> Judged | None:
        """The lock of a date (YYYY-MM-DD), or of the manifest that a subject `rewrite-<id>` names."""
        sort = lock_item_key(subject)[Attr.FILE_KEY]
        item, metadata = read_item(self._dynamodb, self._names.tracking_table, LOCKS_PARTITION, sort)
        return None if item is None else self._judged(item, aws_time_of(metadata))

    def named(self, prefix: str) -> list[str]:
        """What the rewrite locks are called whose names begin so; `prefix` alone if one is called that."""
        pages = query_pages(self._dynamodb, self._names.tracking_table, LOCKS_PARTITION, prefix=prefix)
        found = [str(item[Attr.FILE_KEY]).removesuffix("#") for items, _ in pages for item in items]
        return [prefix] if prefix in found else found

    def break_(self, subject: str) -> Breaking:
        """Frees the lock of `subject` if its holder is provably dead, on condition that it is still as it was read.
        Its fence, if it has one, is kept and goes up, so that a holder that wakes up all the same can write nothing."""
        judged = self.find(subject)
        if judged is None or judged.lock.is_free:
            return Breaking(judged.lock if judged else None, None, is_broken=False)
        if not judged.verdict.is_dead:
            return Breaking(judged.lock, judged.verdict, is_broken=False)
        is_broken, fence = self._free(judged.lock)
        return Breaking(judged.lock, judged.verdict, is_broken=is_broken, changed=not is_broken, fence=fence)

    def _judged(self, item: Item, aws_time: datetime | None) -> Judged:
        lock = lock_of(item)
        return Judged(lock, self._verdict(lock, aws_time))

    def _verdict(self, lock: Lock, aws_time: datetime | None) -> Verdict:
        if lock.is_free:
            return Verdict(False, "it is free", None, aws_time)
        if lock.kind == REWRITE:
            return self._judge_run(lock)
        return judge_lease(lock, aws_time, self._ttl_s)

    def _judge_run(self, lock: Lock) -> Verdict:
        attempts, metadata = attempts_of(self._glue, self._names.job, lock.holder)
        aws_time = aws_time_of(metadata)
        if not attempts:
            return Verdict(False, f"Glue does not know the run {lock.holder}, which proves nothing", None, aws_time)
        last = attempts[-1]
        if not last.has_ended:
            return Verdict(False, f"its run {last.run_id} is {last.state}", None, aws_time)
        until = last.retry_until()
        if until is not None and (aws_time is None or aws_time <= until):
            return Verdict(False, f"its run {last.run_id} {last.state}, and Glue may try it again", until, aws_time)
        return Verdict(True, f"its run {last.run_id} ended {last.state}", None, aws_time)

    def _free(self, lock: Lock) -> tuple[bool, int | None]:
        """(whether it was still as it was read, the fence that it has now). A lock without a fence is an item that is
        there only while it is held."""
        from botocore.exceptions import ClientError

        request: dict[str, Any] = {
            "TableName": self._names.tracking_table,
            "Key": {Attr.DATE_PREFIX: {"S": LOCKS_PARTITION}, Attr.FILE_KEY: {"S": lock.sort_key}},
            "ExpressionAttributeNames": {"#holder": Attr.HOLDER, "#fence": Attr.FENCE},
            "ExpressionAttributeValues": {":holder": {"S": lock.holder}},
        }
        try:
            if lock.fence is None:
                request["ConditionExpression"] = "#holder = :holder AND attribute_not_exists(#fence)"
                self._dynamodb.delete_item(**request)
                return True, None
            request["ConditionExpression"] = "#holder = :holder AND #fence = :fence"
            request["UpdateExpression"] = "REMOVE #holder, #expires ADD #fence :one"
            request["ExpressionAttributeNames"]["#expires"] = Attr.EXPIRES_AT
            request["ExpressionAttributeValues"] |= {":fence": {"N": str(lock.fence)}, ":one": {"N": "1"}}
            answer = self._dynamodb.update_item(**request, ReturnValues="ALL_NEW")
        except ClientError as error:
            # The conflict is with a transaction that checks this very item: somebody works under the lock.
            if error_code(error) in ("ConditionalCheckFailedException", "TransactionConflictException"):
                return False, None
            raise
        return True, int(answer["Attributes"][Attr.FENCE]["N"])


def lock_of(item: Item) -> Lock:
    sort_key = str(item[Attr.FILE_KEY])
    name = sort_key.removesuffix("#")
    is_rewrite = name.startswith(_REWRITE_PREFIX)
    fence = item.get(Attr.FENCE)
    return Lock(
        kind=REWRITE if is_rewrite else BATCHING if _is_date(name) else UNKNOWN,
        subject=name.removeprefix(_REWRITE_PREFIX) if is_rewrite else name,
        sort_key=sort_key,
        holder=str(item.get(Attr.HOLDER) or ""),
        # It was given its time to live when it was taken, and nothing touches that afterwards.
        taken_at=_moment(item.get(Attr.TTL), -timedelta(days=TTL_DAYS)),
        expires_at=_moment(item.get(Attr.EXPIRES_AT)),
        fence=None if fence is None else int(fence),
    )


def judge_lease(lock: Lock, aws_time: datetime | None, ttl_s: float) -> Verdict:
    """Whether the lease of a held lock is over beyond doubt, by AWS's time, or ends when no lease of ttl_s seconds can.
    Of a kind of lock that is not known here, nobody knows how long its lease may be."""
    if lock.expires_at is None:
        return Verdict(False, "it has no expiry that could prove it", None, aws_time)
    until = lock.expires_at + timedelta(seconds=CLOCK_MARGIN_S)
    if aws_time is None:
        return Verdict(False, "AWS did not tell its time, and this machine's clock is no proof", until, None)
    if aws_time > until:
        return Verdict(True, "its lease is over", None, aws_time)
    if aws_time > lock.expires_at:
        return Verdict(False, "its lease ended less than a minute ago, and clocks may differ by that", until, aws_time)
    if lock.kind == BATCHING and lock.expires_at > aws_time + timedelta(seconds=ttl_s + _AHEAD_S):
        why = f"its lease ends at {iso_utc(lock.expires_at)}, later than any of ours can"
        return Verdict(True, why, None, aws_time)
    return Verdict(False, "its lease is not over", until, aws_time)


def aws_time_of(metadata: Mapping[str, Any]) -> datetime | None:
    """AWS's own time, to the second, of a response's metadata; None where it has none."""
    text = metadata.get("HTTPHeaders", {}).get("date")
    try:
        moment = parsedate_to_datetime(str(text))
    except ValueError:
        return None
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)


def _moment(epoch_s: Any, shift: timedelta = timedelta()) -> datetime | None:
    """None for what is no number. A time that no calendar has is the last one, or the first."""
    try:
        seconds = min(max(float(epoch_s), 0.0), _LAST_S)
    except (TypeError, ValueError):
        return None
    return datetime.fromtimestamp(seconds, timezone.utc) + shift


_LAST_S = datetime(9999, 1, 1, tzinfo=timezone.utc).timestamp()


def _is_date(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=timezone.utc)
    except ValueError:
        return False
    return len(text) == 10
