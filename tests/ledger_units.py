"""What the requests to a modelled table cost, by DynamoDB's own rules: request units of a table on demand."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

from ndjctl.contracts import STATUS_INDEX, Attr
from tests.lambda_model import ModelDynamoDB

_INDEX_KEYS = (Attr.STATUS, Attr.UPLOAD_TIME)


def item_bytes(item: dict[str, Any] | None) -> int:
    """Names and values in UTF-8; a number takes about a byte for two digits, a list or map three and one an entry."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in (item or {}).items())


def _value_bytes(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return (len(content.strip("-0.")) + 1) // 2 + 1
    if kind == "L":
        return 3 + sum(1 + _value_bytes(each) for each in content)
    if kind == "M":
        return 3 + sum(1 + len(name) + _value_bytes(each) for name, each in content.items())
    return 1


class Meter(ModelDynamoDB):
    """units: read and write units so far, those of the index apart."""

    def __init__(self, tables: dict[str, tuple[str, str]]) -> None:
        super().__init__(tables)
        self.units: Counter[str] = Counter()

    def get_item(self, TableName: str, Key: Any, ConsistentRead: bool) -> Any:
        answer = super().get_item(TableName, Key, ConsistentRead)
        self.units["read"] += _reads(item_bytes(answer.get("Item")))
        return answer

    def batch_get_item(self, RequestItems: dict[str, Any]) -> Any:
        answer = super().batch_get_item(RequestItems)
        for table, request in RequestItems.items():
            for key in request["Keys"][: self.keys_per_read]:
                self.units["read"] += _reads(item_bytes(self.tables[table].get(self._key(table, key))))
        return answer

    def query(self, TableName: str, Limit: int, IndexName: str = "", **request: Any) -> Any:
        whole = dict(request)
        names = {name for items in self.tables[TableName].values() for name in items}
        whole["ExpressionAttributeNames"] = {**request["ExpressionAttributeNames"], **{f"#{n}": n for n in names}}
        whole["ProjectionExpression"] = ", ".join(f"#{name}" for name in names)
        read = sum(item_bytes(item) for item in super().query(TableName, Limit, IndexName, **whole)["Items"])
        self.units["read"] += _reads(read) * (0.5 if IndexName == STATUS_INDEX else 1)
        return super().query(TableName, Limit, IndexName, **request)

    def _apply(self, operation: str, actions: Any) -> None:
        factor = 2 if operation == "TransactWriteItems" else 1
        for action in actions:
            outcome = action()
            if outcome is None:
                self.units["write"] += factor
                continue
            table, key, after = outcome
            before = self.tables[table].get(key)
            self.units["write"] += factor * _writes(max(item_bytes(before), item_bytes(after)))
            self.units["index write"] += _index_writes(before, after)
        super()._apply(operation, actions)


def _reads(size_bytes: int) -> int:
    return max(1, math.ceil(size_bytes / 4096))


def _writes(size_bytes: int) -> int:
    return max(1, math.ceil(size_bytes / 1024))


def _index_writes(before: Any, after: Any) -> int:
    """A changed key is a delete and a put; what is not in the index costs nothing there."""
    old = before if before and all(name in before for name in _INDEX_KEYS) else None
    new = after if after and all(name in after for name in _INDEX_KEYS) else None
    if json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True):
        return 0
    if old and new and all(old[name] == new[name] for name in _INDEX_KEYS):
        return _writes(max(item_bytes(old), item_bytes(new)))
    return (_writes(item_bytes(old)) if old else 0) + (_writes(item_bytes(new)) if new else 0)
