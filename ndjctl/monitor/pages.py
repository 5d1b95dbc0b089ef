"""Queries of the ledger whose pages are counted: a refresh reads so many and no more, whatever lies there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ndjctl.contracts import STATUS_INDEX, Attr, iso_utc
from ndjctl.items import projected

RawItem = Mapping[str, Mapping[str, Any]]
"""An item as DynamoDB's low-level client has it: of ten thousands of them, a refresh needs two texts each."""

Take = Callable[[Sequence[RawItem]], None]


@dataclass
class Pages:
    """One query, read on page by page. take: given the items of each page. is_done: whether it was read to its end."""

    dynamodb: Any
    request: dict[str, Any]
    take: Take
    is_done: bool = False
    read: int = field(default=0)

    def next(self) -> None:
        """One call."""
        answer = self.dynamodb.query(**self.request)
        self.read += 1
        self.take(answer["Items"])
        last = answer.get("LastEvaluatedKey")
        if last:
            self.request = {**self.request, "ExclusiveStartKey": last}
        else:
            self.is_done = True


def read_in_turn(queries: Sequence[Pages], most_calls: int, pool: ThreadPoolExecutor) -> bool:
    """Reads a page of every query that is not done, all at once, and again, until all are done or so many calls were
    made; whether all are done. Raises what a query raises."""
    calls = 0
    while calls < most_calls:
        going = [each for each in queries if not each.is_done][: most_calls - calls]
        if not going:
            break
        calls += len(going)
        for future in [pool.submit(each.next) for each in going]:
            future.result()
    return all(each.is_done for each in queries)


def by_status(
    table: str, status: str, fields: Sequence[str], *, since: datetime | None = None, before: datetime | None = None
) -> dict[str, Any]:
    """A query of the status index by upload_time: from `since` on, the newest first; or what is older than `before`,
    the oldest first. Either is given."""
    moment, comparison = (since, ">=") if since is not None else (before, "<")
    assert moment is not None  # noqa: S101 - for the type checker
    projection, about = projected(fields)
    return {
        "TableName": table,
        "IndexName": STATUS_INDEX,
        "KeyConditionExpression": f"#status = :status AND #upload {comparison} :moment",
        "ProjectionExpression": projection,
        "ExpressionAttributeNames": {**about, "#status": Attr.STATUS, "#upload": Attr.UPLOAD_TIME},
        "ExpressionAttributeValues": {":status": {"S": status}, ":moment": {"S": iso_utc(moment)}},
        "ScanIndexForward": since is None,
    }


def of_partition(
    table: str, partition: str, fields: Sequence[str], *, since: str = "", newest_first: bool = False
) -> dict[str, Any]:
    """A query of one partition of the table. since: the least sort key."""
    projection, about = projected(fields)
    condition = "#partition = :partition" + (" AND #sort >= :since" if since else "")
    names: Mapping[str, str] = {"#partition": Attr.DATE_PREFIX, **({"#sort": Attr.FILE_KEY} if since else {})}
    values = {":partition": {"S": partition}, **({":since": {"S": since}} if since else {})}
    return {
        "TableName": table,
        "KeyConditionExpression": condition,
        "ProjectionExpression": projection,
        "ExpressionAttributeNames": {**about, **names},
        "ExpressionAttributeValues": values,
        "ScanIndexForward": not newest_first,
        "ConsistentRead": True,
    }
