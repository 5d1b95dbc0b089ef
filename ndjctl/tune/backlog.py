"""What waits now, counted in a bounded number of calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ndjctl.contracts import CLAIMING, OPEN_MANIFESTS_PARTITION, PENDING, READY, STATUS_INDEX, Attr, Names
from ndjctl.items import query_pages
from ndjctl.reading import attempt
from ndjctl.tune.model import Backlog

COUNT_PAGES = 40
"""Of pending files, a megabyte of the index each: some 100,000 files."""


def count_backlog(sqs: Any, dynamodb: Any, names: Names, environment: str) -> tuple[Backlog | None, tuple[str, ...]]:
    """(what waits; None where nothing of it could be counted, what AWS refused, a sentence each)."""
    parts: dict[str, Callable[[], tuple[int, bool]]] = {
        "events in the queue": lambda: _messages(sqs, names),
        "pending files": lambda: _pending(dynamodb, names),
        "files of waiting manifests": lambda: _waiting(dynamodb, names),
    }
    readings = {what: attempt(read, environment) for what, read in parts.items()}
    remarks = tuple(f"not counted: {what}: {each.sentence}" for what, each in readings.items() if not each.was_read)
    counted = [each.value for each in readings.values() if each.value is not None]
    if not counted:
        return None, remarks
    return Backlog(sum(files for files, _ in counted), bool(remarks) or any(not whole for _, whole in counted)), remarks


def _messages(sqs: Any, names: Names) -> tuple[int, bool]:
    """A message tells of one file, mostly."""
    url = sqs.get_queue_url(QueueName=names.queue)["QueueUrl"]
    wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
    return sum(int(attributes[name]) for name in wanted), True


def _pending(dynamodb: Any, names: Names) -> tuple[int, bool]:
    request: dict[str, Any] = {
        "TableName": names.tracking_table,
        "IndexName": STATUS_INDEX,
        "KeyConditionExpression": "#status = :status",
        "ExpressionAttributeNames": {"#status": Attr.STATUS},
        "ExpressionAttributeValues": {":status": {"S": PENDING}},
        "Select": "COUNT",
    }
    files = 0
    for _ in range(COUNT_PAGES):
        answer = dynamodb.query(**request)
        files += int(answer["Count"])
        if not answer.get("LastEvaluatedKey"):
            return files, True
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    return files, False


def _waiting(dynamodb: Any, names: Names) -> tuple[int, bool]:
    """Open manifests are few: no more are built than may wait."""
    fields = (Attr.DATE_PREFIX, Attr.FILE_KEY, Attr.STATE, Attr.FILE_COUNT)
    files = 0
    for items, _ in query_pages(dynamodb, names.tracking_table, OPEN_MANIFESTS_PARTITION, fields=fields):
        files += sum(int(item.get(Attr.FILE_COUNT) or 0) for item in items if item.get(Attr.STATE) in (CLAIMING, READY))
    return files, True
