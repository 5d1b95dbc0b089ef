"""A record of the source beside the row that an engine made of it. Pure; shares no code with the kernel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

RESCUED = "_rescued"
OWN_COLUMNS = frozenset({RESCUED, "_source_file"})
"""What a row may have besides the fields of its record. RESCUED: JSON object from RFC 6901 pointers to the values that
have no place in a column."""

_SHOWN_CHARACTERS = 40


@dataclass(frozen=True)
class Place:
    """Where and how rows differ. path: field names joined with points, [] for every list element. was, became: kinds
    of value; `became` is "nowhere" where the output has no such column."""

    path: str
    was: str
    became: str


@dataclass
class Change:
    """example: as "1.7 -> 2"."""

    example: str
    count: int = 0


@dataclass
class Differences:
    changes: dict[Place, Change] = field(default_factory=dict)
    rows: int = 0  # compared
    rows_changed: int = 0

    def compare(self, record: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        """row: its columns by name, with dicts for structs."""
        self.rows += 1
        before = sum(change.count for change in self.changes.values())
        found = {name: value for name, value in row.items() if name not in OWN_COLUMNS}
        rescued = row.get(RESCUED)
        if rescued is not None:
            try:
                found = with_rescued(found, json.loads(rescued))
            except (ValueError, TypeError, LookupError, AttributeError):
                self._note(RESCUED, "JSON pointers", rescued)
        self._object("", record, found)
        self.rows_changed += before != sum(change.count for change in self.changes.values())

    def _object(self, path: str, record: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        prefix = f"{path}." if path else ""
        for name, value in record.items():
            if name in row:
                self._value(prefix + name, value, row[name])
            elif value is not None:
                self._note(prefix + name, value, None, is_nowhere=True)
        for name, value in row.items():
            if name not in record and not _is_nothing(value):
                self._note(prefix + name, None, value)

    def _value(self, path: str, was: Any, became: Any) -> None:
        if isinstance(was, dict) and isinstance(became, Mapping):
            self._object(path, was, became)
        elif isinstance(was, list) and isinstance(became, list) and len(was) == len(became):
            for one, other in zip(was, became, strict=True):
                self._value(f"{path}[]", one, other)
        elif not is_same(was, became):
            self._note(path, was, became)

    def _note(self, path: str, was: Any, became: Any, is_nowhere: bool = False) -> None:
        place = Place(path, _kind(was), "nowhere" if is_nowhere else _kind(became))
        change = self.changes.setdefault(place, Change(f"{_shown(was)} -> {_shown(became)}"))
        change.count += 1


def is_same(was: Any, became: Any) -> bool:
    """Whether a JSON value that is no container is exactly this one. A number may be held by any type of number that
    holds it exactly; null, and a struct of nothing but nulls, are the same as nothing."""
    if was is None:
        return _is_nothing(became)
    if isinstance(was, (bool, str)) or isinstance(became, bool):
        return type(was) is type(became) and bool(was == became)
    if isinstance(was, (int, float)) and isinstance(became, (int, float, Decimal)):
        # Python compares int with float exactly; a Decimal holds the digits of the source, not those of the double.
        return was == (float(became) if isinstance(was, float) else became)
    return False


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, Mapping) and all(_is_nothing(item) for item in value.values()))


def with_rescued(row: Mapping[str, Any], rescued: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the row with every value put where its pointer says. Raises LookupError for a place that is not
    there."""
    whole: dict[str, Any] = json.loads(json.dumps(row, default=str))
    for pointer, value in rescued.items():
        *parents, last = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
        container: Any = whole
        for token in parents:
            container = container[int(token) if isinstance(container, list) else token]
        container[int(last) if isinstance(container, list) else last] = value
    return whole


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return {dict: "object", list: "list", str: "text", bool: "boolean"}.get(type(value), type(value).__name__)


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:
        text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."
