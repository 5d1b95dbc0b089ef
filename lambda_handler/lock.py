"""The batching lock of one date: a lease with a fence.

The lease keeps two builders of a date from getting in each other's way. Safety rests on the fence: everything that a
builder decides is written in a transaction that checks that the lock still carries its holder and fence, so a builder
that sleeps past its lease and wakes up can write nothing that matters. The fence only ever grows; release keeps it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambda_handler.dynamo import Contended, Request, error_code, key_request, to_item, try_write, update_request
from lambda_handler.services import Invocation
from ndjctl.contracts import Attr, lock_item_key


class LockLost(Exception):
    """The lease ran out and another builder took the lock; nothing was written."""


@dataclass(frozen=True)
class Lock:
    date: str
    holder: str
    fence: int

    def check(self, inv: Invocation) -> Request:
        """The transaction action that holds only while the lock is ours."""
        return {"ConditionCheck": key_request(inv.settings.lock_table, dict(lock_item_key(self.date)), self._ours())}

    def _ours(self) -> dict[str, Any]:
        return {Attr.HOLDER: self.holder, Attr.FENCE: self.fence}


@contextmanager
def held(inv: Invocation, date: str, max_wait_s: float) -> Iterator[Lock | None]:
    """The lock of `date`, released at the end; None when another holds it for longer than max_wait_s."""
    lock = _acquire(inv, date, max_wait_s)
    try:
        yield lock
    finally:
        if lock is not None:
            _release(inv, lock)


def _acquire(inv: Invocation, date: str, max_wait_s: float) -> Lock | None:
    waited_s = 0.0
    while True:
        lock = _try_acquire(inv, date)
        if lock is not None or waited_s >= max_wait_s or inv.short_of_time():
            return lock
        # Jitter, so that builders woken by the same burst do not knock in step.
        pause_s = min(max_wait_s - waited_s, 0.2 + 0.8 * inv.services.jitter())
        inv.services.sleep(pause_s)
        waited_s += pause_s


def _try_acquire(inv: Invocation, date: str) -> Lock | None:
    now_s = Decimal(repr(inv.now().timestamp()))
    expires_s = now_s + Decimal(repr(inv.settings.lock_ttl_s))
    try:
        # One conditional write both takes a free lock and takes over an expired one: of two who see the same expired
        # lease, the second finds it renewed. A request whose answer was lost is sent again by boto3 and meets its own
        # effect: what is ours already is taken again, under a new fence.
        answer = inv.services.dynamodb.update_item(
            TableName=inv.settings.lock_table,
            Key=to_item(lock_item_key(date)),
            UpdateExpression="SET #holder = :me, #expires = :expires, #ttl = :ttl ADD #fence :one",
            ConditionExpression="attribute_not_exists(#holder) OR #expires < :now OR #holder = :me",
            ExpressionAttributeNames={
                "#holder": Attr.HOLDER,
                "#expires": Attr.EXPIRES_AT,
                "#fence": Attr.FENCE,
                "#ttl": Attr.TTL,
            },
            ExpressionAttributeValues=to_item(
                {":me": inv.request_id, ":expires": expires_s, ":now": now_s, ":one": 1, ":ttl": inv.ttl()}
            ),
            ReturnValues="UPDATED_NEW",
        )
    except ClientError as error:
        # The conflict is with a transaction of the holder, which checks this very item.
        if error_code(error) in ("ConditionalCheckFailedException", "TransactionConflictException"):
            return None
        raise
    fence = int(answer["Attributes"][Attr.FENCE]["N"])
    inv.log.debug("lock_taken", date=date, fence=fence)
    return Lock(date, inv.request_id, fence)


def _release(inv: Invocation, lock: Lock) -> None:
    request = update_request(
        inv.settings.lock_table,
        dict(lock_item_key(lock.date)),
        {},
        when=lock._ours(),
        remove=(Attr.HOLDER, Attr.EXPIRES_AT),
    )
    try:
        if not try_write(inv, inv.services.dynamodb.update_item, request):
            inv.log.warning("lock_was_taken_over", date=lock.date, fence=lock.fence)
    except (ClientError, BotoCoreError, Contended) as error:
        # The lease ends by itself: the work done under it stands.
        inv.log.error("lock_not_released", error, date=lock.date, fence=lock.fence)
