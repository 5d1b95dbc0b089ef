"""Who may take rows out of the parts of a manifest: one run at a time, and none while the manifest itself is open.

The lock has no expiry. It is taken over from a run of which Glue says that it has ended: only then is it certain that
it writes no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from glue_job.clients import error_code
from glue_job.ledger import run_chain
from glue_job.log import Log
from ndjctl.contracts import (
    OPEN_MANIFESTS_PARTITION,
    TTL_DAYS,
    Attr,
    iso_utc,
    manifest_item_key,
    rewrite_lock_key,
)

_PAUSE_S = 5.0
_MOST_WAIT_S = 900.0
"""What the other run has to do meanwhile is a small share of what this one has done already."""

_FAILED = "ConditionalCheckFailed"


class LockBusy(Exception):
    """Another run held the lock for longer than it is worth waiting; str() is one sentence."""


class ManifestOpen(Exception):
    """The manifest is open: its own run writes its parts anew."""


class RewriteLocks:
    """has_ended: whether a run, given by its id, has provably ended."""

    def __init__(
        self,
        dynamodb: Any,
        table: str,
        run_id: str,
        has_ended: Callable[[str], bool],
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
        log: Log,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._run_id = run_id
        self._has_ended = has_ended
        self._clock = clock
        self._sleep = sleep
        self._log = log

    @contextmanager
    def held(self, manifest_id: str) -> Iterator[None]:
        """Holds the lock of a manifest. Raises ManifestOpen, LockBusy, and what boto3 raises."""
        self._acquire(manifest_id)
        try:
            yield
        finally:
            self._release(manifest_id)

    def is_held(self, manifest_id: str) -> bool:
        """Whether the lock is (still) this run's."""
        return self._holder(manifest_id) == self._run_id

    def _acquire(self, manifest_id: str) -> None:
        waited_s = 0.0
        dead: str | None = None
        while True:
            refused = self._try(manifest_id, dead)
            if not refused:
                return
            if refused[1] == _FAILED:
                raise ManifestOpen(manifest_id)
            holder, before = self._holder(manifest_id), dead
            dead = holder if holder is not None and self._is_dead(holder) else None
            if dead is not None and dead != before:
                self._log.warning("lock of a dead run is taken over", manifest=manifest_id, holder=dead)
                continue
            if waited_s >= _MOST_WAIT_S:
                raise LockBusy(
                    f"the rows of manifest {manifest_id} cannot be replaced: for {waited_s:g} s another run, "
                    f"{holder or 'a different one each time'}, was at its parts"
                )
            self._sleep(_PAUSE_S)
            waited_s += _PAUSE_S

    def _is_dead(self, holder: str) -> bool:
        return run_chain(holder) == run_chain(self._run_id) or self._has_ended(holder)

    def _try(self, manifest_id: str, dead_holder: str | None) -> list[str]:
        """Empty: the lock is ours. Else what became of its two conditions, that of the lock and that of the manifest.
        dead_holder: from whom it may be taken; None for nobody."""
        now = self._clock()
        lock: dict[str, Any] = {
            "TableName": self._table,
            "Item": {
                **_values(rewrite_lock_key(manifest_id)),
                Attr.HOLDER: {"S": self._run_id},
                Attr.UPDATED_AT: {"S": iso_utc(now)},
                Attr.TTL: {"N": str(int((now + timedelta(days=TTL_DAYS)).timestamp()))},
            },
            "ConditionExpression": f"attribute_not_exists({Attr.HOLDER})",
        }
        if dead_holder is not None:
            lock["ConditionExpression"] = f"{Attr.HOLDER} = :dead"
            lock["ExpressionAttributeValues"] = {":dead": {"S": dead_holder}}
        open_key = {Attr.DATE_PREFIX: OPEN_MANIFESTS_PARTITION, Attr.FILE_KEY: manifest_item_key(manifest_id)}
        is_closed = {
            "TableName": self._table,
            "Key": _values(open_key),
            "ConditionExpression": f"attribute_not_exists({Attr.FILE_KEY})",
        }
        try:
            self._dynamodb.transact_write_items(TransactItems=[{"Put": lock}, {"ConditionCheck": is_closed}])
        except ClientError as error:
            if error_code(error) != "TransactionCanceledException":
                raise
            if self.is_held(manifest_id):  # a request whose answer was lost is sent again and meets its own effect
                return []
            return [str(reason.get("Code")) for reason in error.response["CancellationReasons"]]
        return []

    def _holder(self, manifest_id: str) -> str | None:
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=_values(rewrite_lock_key(manifest_id)), ConsistentRead=True
        )
        holder = answer.get("Item", {}).get(Attr.HOLDER)
        return None if holder is None else str(holder["S"])

    def _release(self, manifest_id: str) -> None:
        try:
            self._dynamodb.delete_item(
                TableName=self._table,
                Key=_values(rewrite_lock_key(manifest_id)),
                ConditionExpression=f"{Attr.HOLDER} = :run",
                ExpressionAttributeValues={":run": {"S": self._run_id}},
            )
        except (ClientError, BotoCoreError) as error:
            # What was done stands; the next to come finds that this run has ended.
            self._log.warning("lock not released", manifest=manifest_id, error=str(error))


def _values(key: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {name: {"S": value} for name, value in key.items()}
