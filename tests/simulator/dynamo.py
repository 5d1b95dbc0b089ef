"""DynamoDB: tables read consistently, an index that lags, short pages, transactions, and what a request is billed."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ndjctl.contracts import STATUS_INDEX
from tests.lambda_model import client_error
from tests.simulator.expressions import BadExpression, check_placeholders, condition, hash_condition, update
from tests.simulator.tables import INDEX_ATTRIBUTES, Item, Key, Stored, Table, page_of, size_bytes

_ITEM_LIMIT_BYTES = 400 * 1024


class Billed(NamedTuple):
    """One request: its operation, what it wrote to, request units as DynamoDB bills them on demand."""

    operation: str
    table: str
    read_units: float
    write_units: int


class DynamoDB:
    """tables: {name: (hash key, range key)}; `indexed` has STATUS_INDEX with all attributes. now: seconds. lag: how
    long the index takes to show a write. page_items, keys_per_read: at most so many at once; None for no limit but the
    request's. on_write: called with (table, key, item before, item after) once a request has been applied."""

    table_type = Table

    def __init__(self, tables: dict[str, tuple[str, str]], indexed: str, now: Callable[[], float]) -> None:
        self.tables = {name: self.table_type(*keys, indexed=name == indexed) for name, keys in tables.items()}
        self.now = now
        self.lag: Callable[[], float] | None = None
        self.page_items: Callable[[], int] | None = None
        self.keys_per_read: Callable[[], int] | None = None
        self.on_write: Callable[[str, Key, Item | None, Item | None], None] | None = None
        self.bill: Callable[[Billed], None] = lambda billed: None
        self._numbers = itertools.count()

    # --- reads

    def get_item(self, TableName: str, Key: Item, ConsistentRead: bool = False, **_: Any) -> Item:
        assert ConsistentRead, "the ledger is read consistently"
        stored = self.tables[TableName].get(self._key(TableName, Key))
        self.bill(Billed("GetItem", TableName, _read_units(stored.size_bytes if stored else 0, True), 0))
        return {"Item": dict(stored.item)} if stored else {}

    def batch_get_item(self, RequestItems: dict[str, Any]) -> Item:
        found: dict[str, list[Item]] = {}
        left: dict[str, Any] = {}
        read_units = 0.0
        for name, request in RequestItems.items():
            check_placeholders(request, "ProjectionExpression")
            keys = [self._key(name, key) for key in request["Keys"]]
            if not 1 <= len(keys) <= 100 or len(set(keys)) != len(keys) or not request.get("ConsistentRead"):
                raise BadExpression("1 to 100 distinct keys, read consistently")
            served = len(keys) if self.keys_per_read is None else self.keys_per_read()
            stored = [self.tables[name].get(key) for key in keys[:served]]
            read_units += sum(_read_units(each.size_bytes if each else 0, True) for each in stored)
            found[name] = [_project(each.item, request) for each in stored if each]
            if keys[served:]:
                left[name] = {**request, "Keys": request["Keys"][served:]}
        self.bill(Billed("BatchGetItem", ",".join(RequestItems), read_units, 0))
        return {"Responses": found, "UnprocessedKeys": left}

    def query(self, TableName: str, Limit: int = 10**6, IndexName: str = "", **request: Any) -> Item:
        table = self.tables[TableName]
        check_placeholders(request, "KeyConditionExpression", "ProjectionExpression", "FilterExpression")
        name, placeholder = hash_condition(request["KeyConditionExpression"])
        wanted = request["ExpressionAttributeValues"][placeholder]["S"]
        hash_name = request.get("ExpressionAttributeNames", {}).get(name, name)
        if IndexName:
            assert IndexName == STATUS_INDEX and table.indexed and "ConsistentRead" not in request
            assert hash_name == INDEX_ATTRIBUTES[0]
            self._catch_up(table)
            partition = table.index.get(wanted)
        else:
            assert request.get("ConsistentRead"), "the ledger is read consistently"
            assert hash_name == table.hash_name
            partition = table.partitions.get(wanted)
        limit = Limit if self.page_items is None else min(Limit, self.page_items())
        page, more = page_of(partition, request.get("ExclusiveStartKey"), limit, table, bool(IndexName))
        read_units = _read_units(sum(stored.size_bytes for stored in page), not IndexName)
        self.bill(Billed("Query", IndexName or TableName, read_units, 0))
        answer: Item = {"Items": [_project(stored.item, request) for stored in page if _passes(stored.item, request)]}
        if more:
            names = (table.hash_name, table.range_name, *(INDEX_ATTRIBUTES if IndexName else ()))
            answer["LastEvaluatedKey"] = {name: page[-1].item[name] for name in names}
        return answer

    # --- writes

    def put_item(self, TableName: str, Item: Item, **request: Any) -> Item:
        self._write("PutItem", [("Put", {"TableName": TableName, "Item": Item, **request})])
        return {}

    def update_item(self, TableName: str, Key: Item, ReturnValues: str = "NONE", **request: Any) -> Item:
        self._write("UpdateItem", [("Update", {"TableName": TableName, "Key": Key, **request})])
        stored = self.tables[TableName].get(self._key(TableName, Key))
        return {"Attributes": dict(stored.item)} if stored and ReturnValues != "NONE" else {}

    def delete_item(self, TableName: str, Key: Item, **request: Any) -> Item:
        self._write("DeleteItem", [("Delete", {"TableName": TableName, "Key": Key, **request})])
        return {}

    def transact_write_items(self, TransactItems: Sequence[Item], **_: Any) -> Item:
        actions = [action for each in TransactItems for action in each.items()]
        named = {
            (body["TableName"], self._key(body["TableName"], body.get("Key") or body["Item"])) for _, body in actions
        }
        if not 1 <= len(actions) <= 100 or len(named) != len(actions):
            raise BadExpression("1 to 100 actions on distinct items")
        self._write("TransactWriteItems", actions)
        return {}

    def _write(self, operation: str, actions: Sequence[tuple[str, Item]]) -> None:
        """All of them or none."""
        plans = [self._plan(kind, body) for kind, body in actions]
        transaction = operation == "TransactWriteItems"
        for (kind, body), (_, before, after, held) in zip(actions, plans, strict=True):
            table = self.tables[body["TableName"]]
            units = -(-max(before.size_bytes if before else 1, after.size_bytes if after and held else 1) // 1024)
            units *= 2 if transaction else 1
            if table.indexed and held and kind != "ConditionCheck":
                units += _index_units(before, after)
            self.bill(Billed(f"{operation}.{kind}" if transaction else operation, body["TableName"], 0, units))
        if not all(held for *_, held in plans):
            if not transaction:
                raise client_error("ConditionalCheckFailedException", operation)
            reasons = [{"Code": "None" if held else "ConditionalCheckFailed"} for *_, held in plans]
            raise client_error("TransactionCanceledException", operation, CancellationReasons=reasons)
        for (kind, body), (key, _, after, _) in zip(actions, plans, strict=True):
            if kind != "ConditionCheck":
                self._store(body["TableName"], key, after)
        if self.on_write is not None:
            for (kind, body), (key, before, after, _) in zip(actions, plans, strict=True):
                if kind != "ConditionCheck":
                    old, new = before.item if before else None, after.item if after else None
                    self.on_write(body["TableName"], key, old, new)

    def _plan(self, kind: str, body: Item) -> tuple[Key, Stored | None, Stored | None, bool]:
        """(key, what is there, what would be, whether the condition holds)."""
        name = body["TableName"]
        check_placeholders(body, "ConditionExpression", "UpdateExpression")
        key = self._key(name, body["Item"] if kind == "Put" else body["Key"])
        before = self.tables[name].get(key)
        item = before.item if before else {}
        names, values = body.get("ExpressionAttributeNames", {}), body.get("ExpressionAttributeValues", {})
        text = body.get("ConditionExpression")
        held = text is None or condition(text)(item, names, values)
        if kind == "Put":
            after: Item | None = dict(body["Item"])
        elif kind == "Update":
            after = dict(item) if before else dict(body["Key"])
            if held:
                update(body["UpdateExpression"])(after, names, values)
        else:
            assert kind in ("Delete", "ConditionCheck")
            after = None
        if after is None:
            return key, before, None, held
        stored = Stored(after, size_bytes(after))
        if stored.size_bytes > _ITEM_LIMIT_BYTES or self.tables[name].key(after) != key:
            raise BadExpression(f"{key}: {stored.size_bytes} bytes, or another key")
        return key, before, stored, held

    def _store(self, name: str, key: Key, stored: Stored | None) -> None:
        table = self.tables[name]
        table.write(key, stored)
        if not table.indexed:
            return
        shown_at = self.now() + (self.lag() if self.lag else 0.0)
        # What is written to one item is shown in its order; of two items either may come first.
        shown_at = max(shown_at, table.shown_at.get(key, 0.0))
        if shown_at <= self.now() and not table.late:
            table.show(key, stored)
            return
        table.shown_at[key] = shown_at
        heapq.heappush(table.late, (shown_at, next(self._numbers), key, stored))

    def _catch_up(self, table: Table) -> None:
        while table.late and table.late[0][0] <= self.now():
            _, _, key, stored = heapq.heappop(table.late)
            table.show(key, stored)

    def _key(self, name: str, item: Item) -> Key:
        return self.tables[name].key(item)


def _passes(item: Item, request: Item) -> bool:
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    if not condition(request["KeyConditionExpression"])(item, names, values):
        return False
    text = request.get("FilterExpression")
    return text is None or condition(text)(item, names, values)


def _project(item: Item, request: Item) -> Item:
    text = request.get("ProjectionExpression")
    if not text:
        return dict(item)
    given = request.get("ExpressionAttributeNames", {})
    names = [given.get(each.strip(), each.strip()) for each in text.split(",")]
    return {name: item[name] for name in names if name in item}


def _read_units(read_bytes: int, consistent: bool) -> float:
    return max(-(-read_bytes // 4096), 1) * (1.0 if consistent else 0.5)


def _index_units(before: Stored | None, after: Stored | None) -> int:
    """The index holds all attributes, so every write of a file's item is one of the index too; one that changes the
    index's own key takes the old entry out and puts a new one in."""

    def place(stored: Stored | None) -> list[Any] | None:
        found = [stored.item.get(name) for name in INDEX_ATTRIBUTES] if stored else [None]
        return None if None in found else found

    def units(stored: Stored | None) -> int:
        return -(-stored.size_bytes // 1024) if stored else 0

    old, new = place(before), place(after)
    if old == new:
        return max(units(before), units(after)) if new else 0
    return (units(before) if old else 0) + (units(after) if new else 0)
