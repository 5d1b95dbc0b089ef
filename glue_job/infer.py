"""What a sample of records looks like, and the schema that follows from it. Pure.

A value is counted under its kind at its place. Where kinds are mixed the majority gets the column (the first seen, if
even), except that integers and other numbers together are `double`. Nothing here decides what happens to a value: one
that does not fit its column in the end is rescued by glue_job.conform.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from glue_job import schema
from glue_job.schema import Field, ListOf, Scalar, Struct, Type

_NUMBER = "number"
_CANDIDATE = {
    bool: schema.BOOL,
    int: _NUMBER,
    float: _NUMBER,
    str: schema.STRING,
    dict: schema.STRUCT,
    list: schema.LIST,
}


class _Node:
    """What was seen at one place."""

    __slots__ = ("counts", "element", "fields", "has_float")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}  # insertion order is the order of first sight
        self.has_float = False
        self.fields: dict[str, _Node] = {}
        self.element: _Node | None = None


class Observer:
    """Sees records and remembers the shape of each place, not the values. Its memory is bounded by max_places; places
    beyond that, later seen, get no column."""

    def __init__(self, max_places: int = schema.MAX_COLUMNS) -> None:
        self._max_places = max_places
        self.root = _Node()
        self.records = 0
        self._places = 0

    def add(self, record: Mapping[str, Any]) -> None:
        self.records += 1
        self._add_fields(self.root, record, 1)

    def _add_fields(self, node: _Node, value: Mapping[str, Any], depth: int) -> None:
        for name, item in value.items():
            child = node.fields.get(name)
            if child is None:
                if self._places >= self._max_places or depth > schema.MAX_DEPTH:
                    continue
                self._places += 1
                child = node.fields[name] = _Node()
            self._add(child, item, depth)

    def _add(self, node: _Node, value: Any, depth: int) -> None:
        if value is None:
            return
        kind = _CANDIDATE[type(value)]
        node.counts[kind] = node.counts.get(kind, 0) + 1
        if kind is schema.STRUCT:
            self._add_fields(node, value, depth + 1)
        elif kind is schema.LIST and depth < schema.MAX_DEPTH:
            if node.element is None:
                node.element = _Node()
            for item in value:
                self._add(node.element, item, depth + 1)
        elif type(value) is float:
            node.has_float = True

    def merge(self, other: Observer) -> None:
        """As if what `other` saw had been added here."""
        self.records += other.records
        self._merge(self.root, other.root)

    def _merge(self, node: _Node, other: _Node) -> None:
        for kind, count in other.counts.items():
            node.counts[kind] = node.counts.get(kind, 0) + count
        node.has_float |= other.has_float
        for name, found in other.fields.items():
            child = node.fields.get(name)
            if child is None:
                if self._places >= self._max_places:
                    continue
                self._places += 1
                child = node.fields[name] = _Node()
            self._merge(child, found)
        if other.element is not None:
            if node.element is None:
                node.element = _Node()
            self._merge(node.element, other.element)

    def schema(self) -> Struct:
        """The schema of what was seen so far; without fields if nothing was."""
        return Struct(tuple(_fields(self.root, at_root=True)))


def _fields(node: _Node, at_root: bool) -> Iterator[Field]:
    taken: set[str] = set()
    for name, child in node.fields.items():
        if schema.can_be_column(name, at_root) and schema.fold(name) not in taken:
            taken.add(schema.fold(name))
            yield Field(name, _type(child))


def _type(node: _Node) -> Type:
    # max() keeps the first of equals, which is the first seen.
    for kind in sorted(node.counts, key=lambda kind: -node.counts[kind]):
        if kind == schema.STRUCT:
            fields = tuple(_fields(node, at_root=False))
            if fields:
                return Struct(fields)
        elif kind == schema.LIST:
            if node.element is not None:
                return ListOf(_type(node.element))
        elif kind == _NUMBER:
            return Scalar(schema.DOUBLE if node.has_float else schema.INT64)
        else:
            return Scalar(kind)
    return Scalar(schema.UNKNOWN)


def with_new_fields(pinned: Struct, seen: Observer) -> Struct:
    """`pinned` and, behind its fields at every level, the fields it lacks. What `pinned` has is never changed. A place
    of which no value is known yet (null, {} and [] only) is not added: its type would be a guess for ever."""
    return _Addition(schema.MAX_COLUMNS - schema.count_columns(pinned)).struct(pinned, seen.root, at_root=True)


class _Addition:
    def __init__(self, room: int) -> None:
        self.room = room  # columns

    def struct(self, pinned: Struct, node: _Node, at_root: bool) -> Struct:
        fields = [
            Field(field.name, self.type(field.type, node.fields[field.name])) if field.name in node.fields else field
            for field in pinned.fields
        ]
        taken = {schema.fold(field.name) for field in fields}
        for field in _fields(node, at_root):
            known = _known_part(field.type)
            if known is None or schema.fold(field.name) in taken or schema.count_columns(known) > self.room:
                continue
            taken.add(schema.fold(field.name))
            self.room -= schema.count_columns(known)
            fields.append(Field(field.name, known))
        return Struct(tuple(fields))

    def type(self, pinned: Type, node: _Node) -> Type:
        if isinstance(pinned, Struct):
            return self.struct(pinned, node, at_root=False)
        if isinstance(pinned, ListOf) and node.element is not None:
            return ListOf(self.type(pinned.element, node.element))
        return pinned


def _known_part(column: Type) -> Type | None:
    """`column` without its unknown parts; None if nothing is left."""
    if isinstance(column, ListOf):
        element = _known_part(column.element)
        return None if element is None else ListOf(element)
    if isinstance(column, Struct):
        parts = [(field.name, _known_part(field.type)) for field in column.fields]
        fields = tuple(Field(name, part) for name, part in parts if part is not None)
        return Struct(fields) if fields else None
    return None if column.kind == schema.UNKNOWN else column
