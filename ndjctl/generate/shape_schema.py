"""A shape of one's own: records that fit a stored schema, as `ndjctl schema infer` writes one. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from glue_job import schema
from glue_job.schema import ListOf, Scalar, Struct, Type
from ndjctl.contracts import FormatError
from ndjctl.generate.columns import Column, Running
from ndjctl.generate.mix import Mix
from ndjctl.generate.recipe import RecipeError
from ndjctl.generate.shape import Shape
from ndjctl.generate.values import Path, Slot
from ndjctl.generate.words import decimal, decimals, integers, phrase, tokens

_MOST_BASES = 512
_LEAST_BASES = 8
_VALUES_OF_BASES = 20_000
"""About as many values as all bases have together: a schema has up to 5,000 columns."""

_MOST_SLOTS = 12


def from_schema(seed: int, document: Mapping[str, Any]) -> Shape:
    """document: the stored form of a schema. Raises RecipeError if it is none, or has no field."""
    try:
        root = schema.from_json({schema.STRUCT: document.get("fields")}, "the schema")
    except FormatError as error:
        raise RecipeError(f"{str(error).rstrip('.')}.") from error
    if not root.fields:
        raise RecipeError("The schema has no field: there is nothing to make records of.")
    slots, columns = _slots(seed, root)
    mix = Mix(seed, "schema")
    count = max(_LEAST_BASES, min(_MOST_BASES, _VALUES_OF_BASES // schema.count_columns(root)))
    return Shape("schema", [_struct(mix, root, (), slots) for _ in range(count)], columns)


def _scalars(root: Struct, within: Path = ()) -> Iterator[tuple[Path, str]]:
    """Those that are reached without a list, the ones nearest to the root first."""
    inner: list[tuple[Path, Struct]] = []
    for field in root.fields:
        path = (*within, field.name)
        if isinstance(field.type, Struct):
            inner.append((path, field.type))
        elif isinstance(field.type, Scalar):
            yield path, field.type.kind
    for path, struct in inner:
        yield from _scalars(struct, path)


def _slots(seed: int, root: Struct) -> tuple[dict[Path, Slot], list[Column]]:
    """The first scalars of each kind that has slots, one kind after the other; one of them tells every record apart,
    if there is a text or an integer."""
    columns: list[Column] = [Running()]
    slots: dict[Path, Slot] = {}
    has_number = False
    for number, (path, kind) in enumerate(_scalars(root)):
        if len(slots) == _MOST_SLOTS:
            break
        mix = Mix(seed, "schema", number)
        at = (len(columns),)
        if kind == schema.STRING:
            slots[path] = Slot(kind, b'"%b-%d"', (*at, 0))
            columns.append(tokens(mix))
            has_number = True
        elif kind == schema.INT64:
            slots[path] = Slot(kind, b"%b", at) if has_number else Slot(kind, b"%d", (0,))
            columns += [integers(mix, 1 << 40)] if has_number else []
            has_number = True
        elif kind == schema.DOUBLE:
            slots[path] = Slot(kind, b"%b", at)
            columns.append(decimals(mix, 4, 6))
    return slots, columns


def _struct(mix: Mix, struct: Struct, path: Path, slots: Mapping[Path, Slot]) -> dict[str, Any]:
    return {field.name: _value(mix, field.type, (*path, field.name), slots) for field in struct.fields}


def _value(mix: Mix, type_: Type, path: Path, slots: Mapping[Path, Slot]) -> Any:
    if path in slots:
        return slots[path]
    if isinstance(type_, Struct):
        value = _struct(mix, type_, path, slots)
        is_needed = any(slot[: len(path)] == path for slot in slots)
        return None if not is_needed and mix.one_in(6) else value
    if isinstance(type_, ListOf):
        # "*" keeps the places in a list apart from those of the slots, which are in none.
        return [_value(mix, type_.element, (*path, "*", ""), slots) for _ in range(_length(mix, type_))]
    if type_.kind == schema.UNKNOWN or mix.one_in(4):
        return None
    if type_.kind == schema.BOOL:
        return mix.one_in(2)
    if type_.kind == schema.INT64:
        return mix.log_uniform(1 << 40)
    return decimal(mix, 4, 6) if type_.kind == schema.DOUBLE else phrase(mix, mix.between(1, 6))


def _length(mix: Mix, type_: ListOf) -> int:
    is_unknown = isinstance(type_.element, Scalar) and type_.element.kind == schema.UNKNOWN
    return 0 if is_unknown else mix.log_uniform(4)
