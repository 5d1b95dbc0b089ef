"""A record to a row of its schema, and what does not fit to the `_rescued` column. Pure.

Strict both ways: a value is stored in its column exactly as it is or not at all. What is not stored is kept in
`_rescued`, a JSON object from RFC 6901 pointers (from the record's root) to the original values, sorted by pointer. A
null is at home everywhere and the same as an absent field.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from glue_job import schema
from glue_job.infer import Observer
from glue_job.schema import ListOf, Scalar, Struct, Type

Path = tuple[Any, Any] | None
"""Where a value is: (path of its container, field name or list index); None for the root."""

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1

MAX_PLACES = 1_000
"""Distinct places of drift that are counted by name; the rest is counted together."""

_OBSERVED = 100
"""Records that are looked at to tell the type of a field without a column, for each such place."""

NEW_PLACES = 500
"""That are remembered besides those of the schema, about. Every part sends them to the driver, which has all of them
together; what a run does not add, the next one does."""

_SHOWN_CHARACTERS = 300
"""Of a pointer, in a report: a key can be as long as a line."""

_FOUND = {dict: "object", list: "list", str: "string", int: "integer", float: "number", bool: "boolean"}


class Misfit(NamedTuple):
    """expected: the kind of the column, None where there is no column."""

    path: Path
    value: Any
    expected: str | None


Fit = Callable[[Any, Path, "list[Misfit]"], Any]
"""The value as its column stores it, or None after noting a misfit. Never called with None."""


class Place(NamedTuple):
    """A kind of drift. pointer: as RFC 6901, but with * for every list index. expected: kind of the column, None where
    there is no column. found: JSON type of the value."""

    pointer: str
    expected: str | None
    found: str


class Drift:
    """How many values were rescued, by place. Picklable and bounded."""

    def __init__(self) -> None:
        self.counts: Counter[Place] = Counter()
        self.elsewhere = 0  # beyond MAX_PLACES

    def add(self, place: Place, count: int = 1) -> None:
        if place in self.counts or len(self.counts) < MAX_PLACES:
            self.counts[place] += count
        else:
            self.elsewhere += count

    def merge(self, other: Drift) -> None:
        for place, count in other.counts.items():
            self.add(place, count)
        self.elsewhere += other.elsewhere

    @property
    def total(self) -> int:
        return sum(self.counts.values()) + self.elsewhere


class Conformer:
    """Fits records to one schema. `drift` counts what it had to rescue since it was made, `unknown` has seen records
    with fields that have no column (some of each place), and `misfits` is what of the last record did not fit."""

    def __init__(self, root: Struct) -> None:
        self.drift = Drift()
        self.unknown = Observer(2 * schema.count_columns(root) + NEW_PLACES)
        self.misfits: list[Misfit] = []
        self._fit = _struct(root)

    def conform(self, record: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
        """(row, rescued): the row has values for those of the schema's fields that are there and not null; rescued is
        a JSON object as text, or None if everything fits."""
        misfits: list[Misfit] = []
        self.misfits = misfits
        row: dict[str, Any] = self._fit(record, None, misfits)
        if not misfits:
            return row, None
        is_telling = False
        for misfit in misfits:
            place = place_of(misfit)
            self.drift.add(place)
            is_telling |= misfit.expected is None and 0 < self.drift.counts.get(place, 0) <= _OBSERVED
        if is_telling:
            self.unknown.add(record)
        rescued = {pointer(misfit.path): misfit.value for misfit in misfits}
        in_order = dict(sorted(rescued.items(), key=lambda item: item[0]))
        return row, json.dumps(in_order, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    def counted_place(self, path: Path, found: str) -> Place | None:
        """The place of a field without a column; None as long as conform() would do more with its records than count
        them. found: JSON type of the value."""
        place = _place(path, None, found)
        is_beyond = place not in self.drift.counts and len(self.drift.counts) >= MAX_PLACES
        return place if is_beyond or self.drift.counts.get(place, 0) >= _OBSERVED else None

    def add(self, drift: Drift, sample: Mapping[str, Any]) -> None:
        """Counts the drift of a record that was conformed elsewhere. sample: some of it, of every kind of place."""
        self.misfits = []
        is_telling = any(p.expected is None and self.drift.counts.get(p, 0) < _OBSERVED for p in drift.counts)
        self.drift.merge(drift)
        if is_telling:
            self.unknown.add(sample)


def place_of(misfit: Misfit) -> Place:
    """Where drift is counted."""
    return _place(misfit.path, misfit.expected, _FOUND[type(misfit.value)])


def _place(path: Path, expected: str | None, found: str) -> Place:
    return Place(pointer(path, "*")[:_SHOWN_CHARACTERS], expected, found)


def pointer(path: Path, any_index: str | None = None) -> str:
    """RFC 6901. any_index: what to write for list indices, instead of the index."""
    tokens: list[str] = []
    while path is not None:
        path, token = path
        if type(token) is int:
            tokens.append(str(token) if any_index is None else any_index)
        else:
            tokens.append(token.replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{token}" for token in reversed(tokens))


def rebuild(row: Mapping[str, Any], rescued: str | None) -> dict[str, Any]:
    """The record back from a row (without the job's own columns) and its `_rescued`. Absent fields may come back as
    null, and an integer of a double column as the float of the same value."""
    record: dict[str, Any] = _copy(row)
    for place, value in (json.loads(rescued) if rescued is not None else {}).items():
        *parents, last = (token.replace("~1", "/").replace("~0", "~") for token in place.split("/")[1:])
        container: Any = record
        for token in parents:
            container = container[int(token) if isinstance(container, list) else token]
        container[int(last) if isinstance(container, list) else last] = value
    return record


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copy(item) for name, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


# --------------------------------------------------------------------------------------------------------------
# One function for every column, made once for a schema


def fit_for(column: Type) -> Fit:
    """The function that fits values to a column of this type."""
    if isinstance(column, Struct):
        return _struct(column)
    if isinstance(column, ListOf):
        return _list(column)
    if isinstance(column, Scalar) and column.kind == schema.UNKNOWN:
        return _exactly(str, schema.UNKNOWN)
    fits = {
        schema.BOOL: _exactly(bool, schema.BOOL),
        schema.STRING: _exactly(str, schema.STRING),
        schema.INT64: _int64,
        schema.DOUBLE: _double,
    }
    return fits[column.kind]


def _exactly(python_type: type, kind: str) -> Fit:
    def fit(value: Any, path: Path, misfits: list[Misfit]) -> Any:
        if type(value) is python_type:
            return value
        misfits.append(Misfit(path, value, kind))
        return None

    return fit


def _int64(value: Any, path: Path, misfits: list[Misfit]) -> Any:
    if type(value) is int and _INT64_MIN <= value <= _INT64_MAX:
        return value
    misfits.append(Misfit(path, value, schema.INT64))
    return None


def _double(value: Any, path: Path, misfits: list[Misfit]) -> Any:
    if type(value) is float:
        return value
    if type(value) is int:
        as_float = float(value)  # records has no integer beyond the range of a double
        if int(as_float) == value:
            return as_float
    misfits.append(Misfit(path, value, schema.DOUBLE))
    return None


def _struct(column: Struct) -> Fit:
    fits = {field.name: fit_for(field.type) for field in column.fields}

    def fit(value: Any, path: Path, misfits: list[Misfit]) -> Any:
        if type(value) is not dict:
            misfits.append(Misfit(path, value, schema.STRUCT))
            return None
        row = {}
        for name, item in value.items():
            if item is None:
                continue
            field_fit = fits.get(name)
            if field_fit is None:
                misfits.append(Misfit((path, name), item, None))
                continue
            stored = field_fit(item, (path, name), misfits)
            if stored is not None:
                row[name] = stored
        return row

    return fit


def _list(column: ListOf) -> Fit:
    element_fit = fit_for(column.element)

    def fit(value: Any, path: Path, misfits: list[Misfit]) -> Any:
        if type(value) is not list:
            misfits.append(Misfit(path, value, schema.LIST))
            return None
        return [None if item is None else element_fit(item, (path, index), misfits) for index, item in enumerate(value)]

    return fit
