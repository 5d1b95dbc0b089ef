"""The text of `_rescued` from a column: for fields without a column of their own that hold a plain value, which drift
brings into every row. Pure.

glue_job.conform writes what Python's json makes of the value. That is known from what pyarrow read of it: an integer,
a bool and a string have one form each. A double that is no whole number was written with a point or an exponent, so it
is a float there too, of the same 64 bits; of any other double it cannot be known whether it was 1 or 1.0.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from json.encoder import encode_basestring
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from glue_job import schema
from glue_job.conform import Conformer, Path, Place, pointer
from glue_job.proof import indices_of
from glue_job.schema import Scalar, Struct, Type

_KINDS = {schema.BOOL: "boolean", schema.INT64: "integer", schema.DOUBLE: "number", schema.STRING: "string"}
"""The kinds of plain values, with the JSON type that glue_job.conform counts them as."""

_TEXT = {
    schema.BOOL: lambda value: "true" if value else "false",
    schema.INT64: str,
    schema.DOUBLE: repr,
    schema.STRING: encode_basestring,
}


class Leaf(NamedTuple):
    """A watched field with a plain value, within structs alone. steps: indices of the fields on the way."""

    path: Path
    steps: tuple[int, ...]
    kind: str


class Found(NamedTuple):
    """What a watched field has in every row."""

    leaf: Leaf
    values: pa.Array


def is_plain(told: Type) -> bool:
    return isinstance(told, Scalar) and told.kind in _KINDS


def leaves(root: Struct, told: Struct, path: Path = None, steps: tuple[int, ...] = ()) -> Iterator[Leaf]:
    """Of the fields that `told` has and `root` has not."""
    columns = {field.name: field.type for field in root.fields}
    for index, field in enumerate(told.fields):
        column, here, way = columns.get(field.name), (path, field.name), (*steps, index)
        if column is None:
            if isinstance(field.type, Scalar) and is_plain(field.type):
                yield Leaf(here, way, field.type.kind)
        elif isinstance(column, Struct) and isinstance(field.type, Struct) and column != field.type:
            yield from leaves(column, field.type, here, way)


def doubtful(found: Found) -> set[int]:
    """Indices of the values whose text is not known."""
    if found.leaf.kind != schema.DOUBLE:
        return set()
    is_known = pc.and_(pc.is_finite(found.values), pc.not_equal(found.values, pc.floor(found.values)))
    return set(indices_of(pc.invert(is_known)))


class Rescued(NamedTuple):
    """texts: of every row, None where nothing is rescued. counts: for Drift. strict: rows that glue_job.conform has to
    see; their text is None."""

    texts: list[str | None]
    counts: list[tuple[Place, int]]
    strict: set[int]


def rescued(all_found: Iterable[Found], strict: set[int], conformer: Conformer, rows: int) -> Rescued:
    """strict: rows that are read strictly anyway."""
    known: list[tuple[str, Place, Found]] = []
    strict = set(strict)
    for found in all_found:
        place = conformer.counted_place(found.leaf.path, _KINDS[found.leaf.kind])
        if place is None:
            strict.update(indices_of(found.values.is_valid()))
        else:
            known.append((pointer(found.leaf.path), place, found))
    texts: list[str | None] = [None] * rows
    counts: list[tuple[Place, int]] = []
    for where, place, found in sorted(known, key=lambda item: item[0]):
        key = json.dumps(where, ensure_ascii=False)
        counts.append((place, _add(texts, key, found, strict)))
    return Rescued([None if text is None else f"{text}}}" for text in texts], counts, strict)


def _add(texts: list[str | None], key: str, found: Found, strict: set[int]) -> int:
    count = 0
    text_of: Any = _TEXT[found.leaf.kind]
    for row, value in enumerate(found.values.to_pylist()):
        if value is not None and row not in strict:
            before = texts[row]
            texts[row] = f"{'{' if before is None else before + ','}{key}:{text_of(value)}"
            count += 1
    return count
