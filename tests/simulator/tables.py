"""What the model of DynamoDB holds: items by their keys, sorted when asked for, and an index that is shown late."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Any, NamedTuple

Key = tuple[str, str]
Item = dict[str, Any]

INDEX_ATTRIBUTES = ("status", "upload_time")
_SORTED_AT_MOST = 20_000
"""Partitions above this are sorted when they are read, which of the large ones nobody should do."""


def size_bytes(item: Item | None) -> int:
    """As DynamoDB counts it: UTF-8 names and values, numbers by their digits, lists and maps with their overhead."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items()) if item else 0


def _value_bytes(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return len(content) // 2 + 2
    if kind == "L":
        return 3 + sum(1 + _value_bytes(each) for each in content)
    if kind == "M":
        return 3 + len(content) + size_bytes(content)
    return 1


class Stored(NamedTuple):
    item: Item
    size_bytes: int


class Partition:
    """Items by sort key, in its order when it is asked for."""

    def __init__(self) -> None:
        self.entries: dict[Any, Stored] = {}
        self._order: list[Any] | None = None

    def put(self, sort: Any, stored: Stored) -> None:
        if sort not in self.entries and self._order is not None:
            if len(self._order) < _SORTED_AT_MOST:
                insort(self._order, sort)
            else:
                self._order = None
        self.entries[sort] = stored

    def remove(self, sort: Any) -> None:
        if self.entries.pop(sort, None) is not None and self._order is not None:
            del self._order[bisect_left(self._order, sort)]

    def order(self) -> list[Any]:
        if self._order is None:
            self._order = sorted(self.entries)
        return self._order


class Table:
    def __init__(self, hash_name: str, range_name: str, indexed: bool) -> None:
        self.hash_name, self.range_name, self.indexed = hash_name, range_name, indexed
        self.partitions: dict[str, Partition] = {}
        self.index: dict[str, Partition] = {}
        self.places: dict[Key, tuple[str, tuple[str, str, str]]] = {}
        self.late: list[tuple[float, int, Key, Stored | None]] = []
        self.shown_at: dict[Key, float] = {}

    def key(self, item: Item) -> Key:
        return item[self.hash_name]["S"], item[self.range_name]["S"]

    def get(self, key: Key) -> Stored | None:
        partition = self.partitions.get(key[0])
        return partition.entries.get(key[1]) if partition else None

    def write(self, key: Key, stored: Stored | None) -> None:
        partition = self.partitions.setdefault(key[0], Partition())
        if stored is None:
            partition.remove(key[1])
        else:
            partition.put(key[1], stored)

    def show(self, key: Key, stored: Stored | None) -> None:
        """Brings the index up to one write."""
        place = self.places.pop(key, None)
        if place is not None:
            self.index[place[0]].remove(place[1])
        if stored is not None and all(name in stored.item for name in INDEX_ATTRIBUTES):
            status, upload_time = (stored.item[name]["S"] for name in INDEX_ATTRIBUTES)
            place = (status, (upload_time, *key))
            self.index.setdefault(status, Partition()).put(place[1], stored)
            self.places[key] = place

    def items(self) -> Iterator[Item]:
        for partition in self.partitions.values():
            for stored in partition.entries.values():
                yield stored.item


def page_of(
    partition: Partition | None, after: Item | None, limit: int, table: Table, index: bool
) -> tuple[list[Stored], bool]:
    if partition is None:
        return [], False
    order = partition.order()
    start = 0
    if after is not None:
        key = table.key(after)
        start = bisect_right(order, (after[INDEX_ATTRIBUTES[1]]["S"], *key) if index else key[1])
    sorts = order[start : start + limit]
    # A page that its limit ended has a key to go on from, whether or not there is more.
    return [partition.entries[sort] for sort in sorts], len(sorts) == limit and limit > 0
