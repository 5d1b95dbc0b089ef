"""What the ledger says of today's budget, and lifting what holds runs: wholly, or up to so many dollars more.

A lift is for one UTC date. It is written on condition that runs are still held as they were seen to be, so that nobody
lifts what somebody else has just changed. The function reads it before it starts anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from ndjctl.aws import error_code
from ndjctl.budget import NOTHING_SPENT, DayBudget, day_budget_of, dpu_s_of, holds_runs
from ndjctl.contracts import Attr, Names, budget_item_key, iso_utc
from ndjctl.items import Item, plain, read_item
from ndjctl.locks import aws_time_of
from ndjctl.settings import Profile


def read_budget(dynamodb: Any, names: Names, now: datetime) -> DayBudget:
    """Of the UTC date of `now`. Raises what boto3 raises."""
    item, _ = _read(dynamodb, names, now)
    return day_budget_of(item) if item else NOTHING_SPENT


@dataclass(frozen=True)
class Lifting:
    """What became of a lift, or of taking one back. date: YYYY-MM-DD, UTC. before: as it was read. after: None where
    nothing was written: there was nothing to lift or to take back, or `changed`, somebody else came first.
    has_no_budget: the function that is deployed has none: it holds no run, whatever the ledger has of before, and
    `before` says so."""

    date: str
    before: DayBudget
    after: DayBudget | None = None
    changed: bool = False
    has_no_budget: bool = False


class Lifts:
    """Lifts of one environment. Everything raises what boto3 raises."""

    def __init__(self, dynamodb: Any, names: Names, profile: Profile) -> None:
        self._dynamodb, self._names, self._profile = dynamodb, names, profile

    def look(self, now: datetime, variables: Mapping[str, str] | None = None) -> Lifting:
        """Today's budget as it is: by AWS's date where it tells one, since that of this machine may be off. variables:
        of the function as it is deployed, None where they are not known."""
        item, metadata = _read(self._dynamodb, self._names, now)
        aws_time = aws_time_of(metadata)
        if aws_time is not None and aws_time.date() != now.date():
            now = aws_time
            item, _ = _read(self._dynamodb, self._names, now)
        day = day_budget_of(item) if item else NOTHING_SPENT
        has_no_budget = variables is not None and not holds_runs(variables)
        if has_no_budget:
            day = replace(day, held_since=None)
        return Lifting(f"{now:%Y-%m-%d}", day, has_no_budget=has_no_budget)

    def limit_of(self, seen: Lifting, usd: Decimal | None) -> Decimal | None:
        """The limit in DPU seconds that a lift sets: `usd` above what is spent or was allowed, whichever is more; None
        for a whole one. Raises UsageError for a region whose price is not known."""
        if usd is None:
            return None
        return max(seen.before.spent, seen.before.limit_now or Decimal(0)) + dpu_s_of(usd, self._profile)

    def lift(self, seen: Lifting, usd: Decimal | None, now: datetime) -> Lifting:
        """Lets runs start again; nothing happens where none is held. seen: what look() came to."""
        if seen.before.held_since is None:
            return seen
        limit = self.limit_of(seen, usd)
        names = {"#held": Attr.HELD_SINCE, "#at": Attr.LIFTED_AT, "#to": Attr.LIFTED_TO_DPU_S}
        values = {":held": {"S": iso_utc(seen.before.held_since)}, ":at": {"S": iso_utc(now)}}
        change = "SET #at = :at REMOVE #held, #to"
        if limit is not None:
            change = "SET #at = :at, #to = :to REMOVE #held"
            values[":to"] = {"N": str(limit)}
        return self._written(seen, change, "#held = :held", names, values)

    def undo(self, seen: Lifting) -> Lifting:
        """Takes a lift back: the next sweep holds runs again if the budget is spent. Nothing happens where there
        is none."""
        if seen.before.lifted_at is None:
            return seen
        names = {"#at": Attr.LIFTED_AT, "#to": Attr.LIFTED_TO_DPU_S}
        values = {":at": {"S": iso_utc(seen.before.lifted_at)}}
        return self._written(seen, "REMOVE #at, #to", "#at = :at", names, values)

    def _written(
        self, seen: Lifting, change: str, condition: str, names: dict[str, str], values: dict[str, Any]
    ) -> Lifting:
        from botocore.exceptions import ClientError

        key = {name: {"S": value} for name, value in budget_item_key(seen.date).items()}
        try:
            answer = self._dynamodb.update_item(
                TableName=self._names.tracking_table,
                Key=key,
                UpdateExpression=change,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            return Lifting(seen.date, seen.before, changed=True)
        return replace(seen, after=day_budget_of(plain(answer["Attributes"])))


def _read(dynamodb: Any, names: Names, now: datetime) -> tuple[Item | None, Mapping[str, Any]]:
    key = budget_item_key(f"{now:%Y-%m-%d}")
    return read_item(dynamodb, names.tracking_table, key[Attr.DATE_PREFIX], key[Attr.FILE_KEY])
