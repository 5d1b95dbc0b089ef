"""The job's half of the tracking table. Every write carries the condition under which it is the job's to make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from botocore.exceptions import ClientError

from glue_job.clients import error_code
from ndjctl import contracts
from ndjctl.contracts import OPEN_MANIFESTS_PARTITION, TTL_DAYS, Attr, Manifest, ManifestFile, iso_utc

_ENDED_RUN_STATES = frozenset({"SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED", "ERROR", "EXPIRED"})
_MOVABLE = (contracts.READY, contracts.STARTED, contracts.RUNNING)
_CONVERTIBLE = (contracts.MANIFESTED, contracts.PROCESSING, contracts.COMPLETED)
"""`completed` too: an attempt that died between completing its files and closing its manifest is done again whole."""

_NOT_GIVEN_UP = f"attribute_not_exists({Attr.GIVEN_UP_AT})"

_TAKE_ATTEMPTS = 5
_THREADS = 8
_ERROR_CHARACTERS = 1_000

Item = Mapping[str, Mapping[str, Any]]
"""An item as DynamoDB's low-level client has it."""


class LedgerError(Exception):
    """The ledger is not as this run may find it; str() is one sentence."""


class Outcome(Enum):
    """TAKEN: the manifest is this run's. CLOSED: there is nothing left to do. HELD: another run is at it."""

    TAKEN = "taken"
    CLOSED = "closed"
    HELD = "held"


def run_chain(run_id: str) -> str:
    """What all attempts of one Glue run share: a retry's id is the first one's with _attempt_<n> behind it."""
    return run_id.partition("_attempt_")[0]


class Ledger:
    """The items of one manifest and its files, for one run."""

    def __init__(
        self, dynamodb: Any, table: str, manifest: Manifest, run_id: str, clock: Callable[[], datetime]
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._manifest = manifest
        self._run_id = run_id
        self._clock = clock
        self._has_superseded = False

    # ------------------------------------------------------------------------------------------------ manifest

    def take(self, is_ended: Callable[[str], bool]) -> Outcome:
        """Makes the manifest this run's. is_ended: whether a run, given by its id, has provably ended.

        Raises LedgerError if the manifest is not ready to be run.
        """
        for _ in range(_TAKE_ATTEMPTS):
            item = self._open_item()
            if item is None or Attr.GIVEN_UP_AT in item:
                return Outcome.CLOSED
            state = _text(item, Attr.STATE)
            if state in (contracts.DONE, contracts.ABANDONED):
                return Outcome.CLOSED
            if state not in _MOVABLE:
                raise LedgerError(f"manifest {self._manifest.manifest_id} is not ready to run: its state is {state}")
            holder = _text(item, Attr.RUN_ID)
            if holder and run_chain(holder) != run_chain(self._run_id) and not is_ended(holder):
                return Outcome.HELD
            if self._take_from(item):
                return Outcome.TAKEN
        raise LedgerError(f"manifest {self._manifest.manifest_id} kept changing while this run tried to take it")

    def _take_from(self, item: Item) -> bool:
        now = iso_utc(self._clock())
        values = {
            ":state": {"S": contracts.RUNNING},
            ":run": {"S": self._run_id},
            ":now": {"S": now},
            ":seen_state": item[Attr.STATE],
        }
        same_holder = f"attribute_not_exists({Attr.RUN_ID})"
        if Attr.RUN_ID in item:
            same_holder = f"{Attr.RUN_ID} = :seen_run"
            values[":seen_run"] = item[Attr.RUN_ID]
        return self._update(
            self._open_key(),
            f"SET #state = :state, {Attr.RUN_ID} = :run, {Attr.STARTED_AT} = :now, {Attr.UPDATED_AT} = :now",
            f"#state = :seen_state AND {same_holder} AND {_NOT_GIVEN_UP}",
            values,
            {"#state": Attr.STATE},
        )

    def pin_parts(self, count: int) -> int:
        """The number of parts of the manifest: `count`, unless an earlier attempt decided it. Raises LedgerError if the
        manifest is no longer this run's."""
        try:
            answer = self._dynamodb.update_item(
                TableName=self._table,
                Key=self._open_key(),
                UpdateExpression=f"SET {Attr.PARTS} = if_not_exists({Attr.PARTS}, :count)",
                ConditionExpression=f"{Attr.RUN_ID} = :run AND {_NOT_GIVEN_UP}",
                ExpressionAttributeValues={":count": {"N": str(count)}, ":run": {"S": self._run_id}},
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                raise LedgerError(f"manifest {self._manifest.manifest_id} was taken from this run") from error
            raise
        return int(answer["Attributes"][Attr.PARTS]["N"])

    def is_holder(self) -> bool:
        """Whether the manifest is (still) this run's."""
        return self._is_mine(self._open_item())

    def _is_mine(self, item: Item | None) -> bool:
        return item is not None and _text(item, Attr.RUN_ID) == self._run_id and Attr.GIVEN_UP_AT not in item

    def close(self) -> bool:
        """Moves the manifest item to the finished ones. Raises LedgerError if it is no longer this run's.

        False, and it stays open, if a file of it failed and was overwritten before: the sweep enters such a file anew
        before it closes the manifest, and nobody looks at a closed one again.
        """
        if self._has_superseded:
            return False
        item = self._open_item()
        if item is None or not self._is_mine(item):
            raise LedgerError(f"manifest {self._manifest.manifest_id} was taken from this run")
        now = self._clock()
        closed = {
            **item,
            Attr.DATE_PREFIX: {"S": contracts.closed_manifests_partition(self._manifest.date)},
            Attr.STATE: {"S": contracts.DONE},
            Attr.COMPLETED_AT: {"S": iso_utc(now)},
            Attr.UPDATED_AT: {"S": iso_utc(now)},
            Attr.TTL: {"N": str(int((now + timedelta(days=TTL_DAYS)).timestamp()))},
        }
        delete = {
            "TableName": self._table,
            "Key": self._open_key(),
            "ConditionExpression": f"{Attr.RUN_ID} = :run AND {_NOT_GIVEN_UP}",
            "ExpressionAttributeValues": {":run": {"S": self._run_id}},
        }
        try:
            self._dynamodb.transact_write_items(
                TransactItems=[{"Delete": delete}, {"Put": {"TableName": self._table, "Item": closed}}]
            )
        except ClientError as error:
            if error_code(error) == "TransactionCanceledException" and not self.is_holder():
                raise LedgerError(f"manifest {self._manifest.manifest_id} was taken from this run") from error
            raise
        return True

    def _open_key(self) -> dict[str, dict[str, str]]:
        return _key(OPEN_MANIFESTS_PARTITION, contracts.manifest_item_key(self._manifest.manifest_id))

    def _open_item(self) -> Item | None:
        return self._get(self._open_key())

    # ------------------------------------------------------------------------------------------------ files

    def claim_files(self) -> dict[int, str]:
        """Makes the manifest's files `processing` under this run; reasons, by index, for those that are not to be
        converted: no item, another manifest's, or failed by an earlier attempt."""
        with ThreadPoolExecutor(_THREADS) as pool:
            reasons = pool.map(self._claim, self._manifest.files)
            return {index: reason for index, reason in enumerate(reasons) if reason is not None}

    def _claim(self, file: ManifestFile) -> str | None:
        claimed = self._update(
            self._file_key(file),
            f"SET #status = :processing, {Attr.RUN_ID} = :run, {Attr.UPDATED_AT} = :now",
            f"{Attr.BATCH_ID} = :id AND #status IN (:status0, :status1, :status2)",
            {
                ":processing": {"S": contracts.PROCESSING},
                ":run": {"S": self._run_id},
                ":now": {"S": iso_utc(self._clock())},
                ":id": {"S": self._manifest.manifest_id},
                **{f":status{number}": {"S": status} for number, status in enumerate(_CONVERTIBLE)},
            },
            {"#status": Attr.STATUS},
        )
        if claimed:
            return None
        item = self._get(self._file_key(file))
        if item is None:
            return f"{file.uri}: the ledger has no item of it"
        if _text(item, Attr.BATCH_ID) != self._manifest.manifest_id:
            return f"{file.uri}: the ledger has it under another manifest ({_text(item, Attr.BATCH_ID) or 'none'})"
        self._note(item)
        status = _text(item, Attr.STATUS)
        return f"{file.uri}: its status is already {status} ({_text(item, Attr.ERROR) or 'no reason given'})"

    def complete(self, file: ManifestFile, lines: int, rows: int, bad_lines: int) -> bool:
        """processing -> completed; False if the file is no longer this run's."""
        return self._settle(
            file,
            f"SET #status = :status, #lines = :lines, #rows = :rows, {Attr.BAD_LINES} = :bad_lines, "
            f"{Attr.COMPLETED_AT} = :now, {Attr.UPDATED_AT} = :now REMOVE #error",
            contracts.COMPLETED,
            {":lines": {"N": str(lines)}, ":rows": {"N": str(rows)}, ":bad_lines": {"N": str(bad_lines)}},
            {"#lines": Attr.LINES, "#rows": Attr.ROWS, "#error": Attr.ERROR},
        )

    def fail(self, file: ManifestFile, error: str) -> bool:
        """processing -> failed; False if the file is no longer this run's."""
        failed = self._settle(
            file,
            f"SET #status = :status, #error = :error, {Attr.UPDATED_AT} = :now",
            contracts.FAILED,
            {":error": {"S": error[:_ERROR_CHARACTERS]}},
            {"#error": Attr.ERROR},
        )
        if failed:
            # A new version of it is recorded while it is in work, and never after: then it takes the file's place.
            self._note(self._get(self._file_key(file)) or {})
        return failed

    def _note(self, item: Item) -> None:
        if Attr.SUPERSEDED_BY in item and _text(item, Attr.STATUS) == contracts.FAILED:
            self._has_superseded = True

    def _settle(
        self, file: ManifestFile, change: str, status: str, values: Mapping[str, Any], names: Mapping[str, str]
    ) -> bool:
        settled = self._update(
            self._file_key(file),
            change,
            f"{Attr.BATCH_ID} = :id AND {Attr.RUN_ID} = :run AND #status = :processing",
            {
                ":status": {"S": status},
                ":processing": {"S": contracts.PROCESSING},
                ":id": {"S": self._manifest.manifest_id},
                ":run": {"S": self._run_id},
                ":now": {"S": iso_utc(self._clock())},
                **values,
            },
            {"#status": Attr.STATUS, **names},
        )
        if settled:
            return True
        # A request whose answer was lost is sent again by boto3 and then meets its own effect.
        item = self._get(self._file_key(file)) or {}
        return _text(item, Attr.STATUS) == status and _text(item, Attr.RUN_ID) == self._run_id

    def settle(
        self, completed: Sequence[tuple[ManifestFile, int, int, int]], failed: Sequence[tuple[ManifestFile, str]]
    ) -> None:
        """complete() and fail() for all of them. Raises LedgerError, after the others are done, if one is no longer
        this run's: a next attempt then writes the parts without it."""
        with ThreadPoolExecutor(_THREADS) as pool:
            done = [*pool.map(lambda entry: self.complete(*entry), completed)]
            done += pool.map(lambda entry: self.fail(*entry), failed)
        files = [entry[0] for entry in completed] + [entry[0] for entry in failed]
        lost = [file.uri for file, is_done in zip(files, done, strict=True) if not is_done]
        if lost:
            raise LedgerError(f"{len(lost)} files were taken from this run before it ended, {lost[0]} first")

    def _file_key(self, file: ManifestFile) -> dict[str, dict[str, str]]:
        return _key(self._manifest.date, file.key)

    # ------------------------------------------------------------------------------------------------ requests

    def _get(self, key: Mapping[str, Any]) -> Item | None:
        answer = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        item: Item | None = answer.get("Item")
        return item

    def _update(
        self,
        key: Mapping[str, Any],
        change: str,
        condition: str,
        values: Mapping[str, Any],
        names: Mapping[str, str],
    ) -> bool:
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=key,
                UpdateExpression=change,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ExpressionAttributeNames=names,
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True


def glue_run_has_ended(glue: Any, job_name: str, run_id: str) -> bool:
    """Whether Glue says that a run is over, or does not know it (any more)."""
    try:
        run = glue.get_job_run(JobName=job_name, RunId=run_id)["JobRun"]
    except ClientError as error:
        if error_code(error) == "EntityNotFoundException":
            return True
        raise
    return run["JobRunState"] in _ENDED_RUN_STATES


def _key(partition: str, sort: str) -> dict[str, dict[str, str]]:
    return {Attr.DATE_PREFIX: {"S": partition}, Attr.FILE_KEY: {"S": sort}}


def _text(item: Item, name: str) -> str:
    return str(item.get(name, {}).get("S", ""))
