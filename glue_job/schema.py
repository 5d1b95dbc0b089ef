"""The types a column can have, and the stored (JSON) form of a schema. Pure: no Arrow, no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ndjctl.contracts import (
    RESCUED_COLUMN,
    SCHEMA_FORMAT,
    SCHEMA_VERSION,
    SOURCE_COLUMN,
    FormatError,
    read_document,
)

BOOL = "bool"
INT64 = "int64"
DOUBLE = "double"
STRING = "string"
UNKNOWN = "unknown"
STRUCT = "struct"
LIST = "list"

SCALARS = frozenset({BOOL, INT64, DOUBLE, STRING, UNKNOWN})

MAX_DEPTH = 16
"""Levels of types under the root. Deeper values are valid records; what has no column is rescued. Readers give up
earlier than JSON does: DuckDB needs twice the time for every further list in a list, pyarrow refuses 100 levels."""

MAX_COLUMNS = 5_000
"""Leaf columns of a schema. An object used as a map would otherwise make a column of every key it ever had."""


@dataclass(frozen=True)
class Scalar:
    """kind: one of SCALARS. `unknown` means that no value has been seen yet; it is stored as a string column."""

    kind: str


@dataclass(frozen=True)
class ListOf:
    element: Type


@dataclass(frozen=True)
class Struct:
    """fields: in column order; no two names are equal when case is ignored. Only the root may have none."""

    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Field:
    name: str
    type: Type


Type = Scalar | ListOf | Struct

EMPTY = Struct(())


def kind_of(column: Type) -> str:
    """The one word for a type: its scalar kind, `struct` or `list`."""
    if isinstance(column, Scalar):
        return column.kind
    return STRUCT if isinstance(column, Struct) else LIST


def fold(name: str) -> str:
    """What two names are compared by: Athena, Glue and DuckDB do not tell case apart."""
    return name.lower()


_RESERVED = frozenset({fold(SOURCE_COLUMN), fold(RESCUED_COLUMN)})


def can_be_column(name: str, at_root: bool) -> bool:
    """Whether a field may have a column of its own. Readers know no nameless columns, a NUL ends a name in Arrow's C
    interface, and the columns the job adds are not the input's to fill."""
    return bool(name) and "\0" not in name and not (at_root and fold(name) in _RESERVED)


def count_columns(column: Type) -> int:
    """Leaf columns."""
    if isinstance(column, Struct):
        return sum(count_columns(field.type) for field in column.fields)
    return count_columns(column.element) if isinstance(column, ListOf) else 1


def to_json(column: Type) -> Any:
    """A string for a scalar, {"list": element} or {"struct": [{"name", "type"}, ...]}."""
    if isinstance(column, Scalar):
        return column.kind
    if isinstance(column, ListOf):
        return {LIST: to_json(column.element)}
    return {STRUCT: [{"name": field.name, "type": to_json(field.type)} for field in column.fields]}


def document(root: Struct, about: Mapping[str, Any]) -> dict[str, Any]:
    """The stored form of a schema. about: further facts, between the name of the format and the fields."""
    return {"format": SCHEMA_FORMAT, "version": SCHEMA_VERSION, **about, "fields": to_json(root)[STRUCT]}


def from_document(body: bytes, where: str) -> Struct:
    """The root struct of a stored schema. Raises FormatError naming `where` and the place in the document."""
    return from_json({STRUCT: read_document(body, SCHEMA_FORMAT, SCHEMA_VERSION, where).get("fields")}, where)


def from_json(document: Any, where: str) -> Struct:
    """The root struct from its JSON form. Raises FormatError naming `where` and the place in the document."""
    root = _type_from_json(document, where, "", 0)
    if not isinstance(root, Struct):
        raise FormatError(f"{where}: the root of a schema is a struct, not {kind_of(root)}")
    if count_columns(root) > MAX_COLUMNS:
        raise FormatError(f"{where}: {count_columns(root)} columns; the limit is {MAX_COLUMNS}")
    return root


def _type_from_json(document: Any, where: str, path: str, depth: int) -> Type:
    place = path or "the root"
    if depth > MAX_DEPTH:
        raise FormatError(f"{where}: {place} is nested deeper than {MAX_DEPTH} levels")
    if isinstance(document, str):
        if document not in SCALARS:
            raise FormatError(f"{where}: {place} has the kind {document!r}; known are {', '.join(sorted(SCALARS))}")
        return Scalar(document)
    if isinstance(document, dict) and len(document) == 1:
        if LIST in document:
            return ListOf(_type_from_json(document[LIST], where, f"{path}[]", depth + 1))
        if isinstance(document.get(STRUCT), list):
            return Struct(tuple(_fields_from_json(document[STRUCT], where, path, depth)))
    raise FormatError(f'{where}: {place} is neither a kind nor {{"list": ...}} nor {{"struct": [...]}}')


def _fields_from_json(documents: list[Any], where: str, path: str, depth: int) -> Iterator[Field]:
    taken: set[str] = set()
    if depth and not documents:
        raise FormatError(f"{where}: {path} is a struct without fields")
    for document in documents:
        name = document.get("name") if isinstance(document, dict) else None
        if not isinstance(name, str) or not can_be_column(name, at_root=depth == 0):
            raise FormatError(f"{where}: {path or 'the root'} has a field whose name {name!r} cannot be a column's")
        if fold(name) in taken:
            raise FormatError(f"{where}: {path}.{name} is there twice (case does not count)")
        taken.add(fold(name))
        yield Field(name, _type_from_json(document.get("type"), where, f"{path}.{name}", depth + 1))
