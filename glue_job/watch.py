"""The fields that a careless reader is told of: those of the schema, and of the drift that was met. Pure.

pyarrow can be told to fail on a field that it does not know, which loses the rest of a chunk, or to make up a column
for it, which costs memory and stack without limit. So fields that were met outside the schema are added to what it is
told, up to a limit: rows that have one are then found by that, without failing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glue_job import schema
from glue_job.schema import Field, ListOf, Scalar, Struct, Type

NOTHING = "nothing"
"""Kind of a watched place of which only null was met."""

MAX_WATCHED = 100
"""Places. Data with more of them uses objects as maps, which are no columns."""

_SCALARS = {bool: schema.BOOL, int: schema.INT64, float: schema.DOUBLE, str: schema.STRING}


class Watch:
    """told: the schema and the watched fields behind its fields, at every level; NOTHING is a kind in it. Where the
    schema has a field its type is never changed but by fields behind its own."""

    def __init__(self, root: Struct) -> None:
        self.told = root
        self._room = MAX_WATCHED

    def add(self, record: Mapping[str, Any]) -> bool:
        """Watches what the record has and `told` has not; whether that changed anything."""
        before = self.told
        if self._room > 0:
            self.told = self._struct(self.told, record, 1)
        return self.told is not before

    def _struct(self, told: Struct, value: Mapping[str, Any], depth: int) -> Struct:
        known = {field.name: field for field in told.fields}
        changed: dict[str, Field] = {}
        for name, item in value.items():
            if name in known:
                column = self._merged(known[name].type, item, depth + 1)
                if column is not known[name].type:
                    changed[name] = Field(name, column)
            elif self._room > 0 and "\0" not in name and depth <= schema.MAX_DEPTH:
                self._room -= 1
                changed[name] = Field(name, self._type(item, depth + 1))
        if not changed:
            return told
        fields = [changed.pop(field.name, field) for field in told.fields]
        return Struct((*fields, *changed.values()))

    def _merged(self, told: Type, value: Any, depth: int) -> Type:
        """`told` unless it can be completed by what the value has."""
        if value is None:
            return told
        if isinstance(told, Scalar):
            found = self._type(value, depth) if told.kind == NOTHING else told
            return told if found == told else found
        if isinstance(told, Struct):
            return self._struct(told, value, depth) if type(value) is dict else told
        if type(value) is not list:
            return told
        element = told.element
        for item in value:
            element = self._merged(element, item, depth + 1)
        return told if element is told.element else ListOf(element)

    def _type(self, value: Any, depth: int) -> Type:
        nothing = Scalar(NOTHING)
        if type(value) is dict:
            # A struct without fields is nothing that pyarrow can be told of everywhere.
            found = self._struct(Struct(()), value, depth)
            return found if found.fields else nothing
        if type(value) is list:
            return self._merged(ListOf(nothing), value, depth) if depth <= schema.MAX_DEPTH else nothing
        return nothing if value is None else Scalar(_SCALARS[type(value)])
