"""Records with one value that does not fit the schema of their shape. Pure.

Only such values as do not change what a sample of the files shows: a number with a fraction in a column of integers
would make it one of doubles, and is none of these. A field that is new may get a column of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ndjctl.generate.record import NEW_FIELD, OTHER_TYPE, DriftedPlace
from ndjctl.generate.shape import Shape
from ndjctl.generate.values import BOOL, DOUBLE, INT64, LIST, STRING, STRUCT, Path, kind_of, kinds, pointer

_FOUND = {BOOL: "boolean", INT64: "integer", DOUBLE: "number", STRING: "string", STRUCT: "object", LIST: "list"}

_OTHER_TYPES: tuple[tuple[str, Any], ...] = (
    (INT64, "12"),
    (STRING, 12),
    (DOUBLE, True),
    (BOOL, 1),
    (INT64, 9_223_372_036_854_775_808),  # one more than 64 bits hold
    (STRING, {"value": "as an object"}),
    (DOUBLE, 9_007_199_254_740_993),  # no double is this number
    (STRUCT, "as a text"),
)

_NEW_FIELDS: tuple[tuple[str, Any], ...] = (
    ("added_text", "gold"),
    ("added_object", {"name": "B", "weights": [1, 2]}),
    ("added_number", 7),
)
_NEW_INNER = ("added_flag", True)


@dataclass(frozen=True)
class Drift:
    """path: where `value` is in a drifted record, instead of what was there, if anything was."""

    place: DriftedPlace
    path: Path
    value: Any


def drifts(shape: Shape) -> tuple[Drift, ...]:
    """Every kind of drift that this shape can have, each at another place as far as there are any. Never empty."""
    there = shape.always_there()
    found = [*_other_types(there)]
    taken = {name.lower() for base in shape.bases for name in base}
    for name, value in _NEW_FIELDS:
        path = (fresh(name, taken),)
        found.append(Drift(_place(path, NEW_FIELD, "", value), path, value))
    structs = [path for path, kind in there.items() if kind == STRUCT]
    if structs:
        within = structs[0]
        names = {path[-1].lower() for base in shape.bases for path, _ in kinds(base) if path[:-1] == within}
        inner = (*within, fresh(_NEW_INNER[0], names))
        found.append(Drift(_place(inner, NEW_FIELD, "", _NEW_INNER[1]), inner, _NEW_INNER[1]))
    return tuple(found)


def _other_types(there: Mapping[Path, str]) -> Iterator[Drift]:
    used: dict[str, int] = {}
    for kind, value in _OTHER_TYPES:
        # From the end: what tells records apart is apt to stand first.
        places = [path for path, found in there.items() if found == kind][::-1]
        if places:
            path = places[used.get(kind, 0) % len(places)]
            used[kind] = used.get(kind, 0) + 1
            yield Drift(_place(path, OTHER_TYPE, kind, value), path, value)


def _place(path: Path, kind: str, expected: str, value: Any) -> DriftedPlace:
    return DriftedPlace(pointer(path), kind, expected, _FOUND[kind_of(value)])


def fresh(name: str, taken: set[str]) -> str:
    """`name`, or the next one that is not in `taken`, where case does not count."""
    candidate, number = name, 1
    while candidate.lower() in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate
