"""Schemas as files, what differs between two of them, and which differences readers stumble over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from glue_job import schema
from glue_job.schema import ListOf, Scalar, Struct, Type
from ndjctl.contracts import FormatError
from ndjctl.errors import UsageError
from ndjctl.paths import shown

ADDED = "added"
REMOVED = "removed"
CHANGED = "changed"
RENAMED = "renamed"
REORDERED = "reordered"

_ROOT = "(top level)"


@dataclass(frozen=True)
class Difference:
    """path: as a person writes it: user.name, tags[].id. kind: one of the five above. before, after: types as
    type_text() has them, of REMOVED and ADDED only one; of RENAMED the two names, of REORDERED both empty.
    breaks_readers: whether whoever reads parts of both schemas stumbles."""

    path: str
    kind: str
    before: str = ""
    after: str = ""
    breaks_readers: bool = False


def read_schema(path: Path) -> Struct:
    """The schema in a file. Raises UsageError that says where and what is wrong."""
    try:
        return schema.from_document(path.read_bytes(), shown(path))
    except FormatError as error:
        raise UsageError(f"{str(error).rstrip('.')}.") from error
    except OSError as error:
        raise UsageError(f"{shown(path)} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # a NUL in the name
        raise UsageError(f"{shown(path)} is not a usable file name.") from error


def compare(before: Struct, after: Struct) -> list[Difference]:
    """What it takes to get from one schema to the other; empty if they are equal."""
    return list(_fields(before, after, ""))


def _fields(before: Struct, after: Struct, path: str) -> Iterator[Difference]:
    old = {field.name: field.type for field in before.fields}
    new = {field.name: field.type for field in after.fields}
    renamed = {schema.fold(name): name for name in new if name not in old}
    for name, column in old.items():
        place = join(path, name)
        if name in new:
            yield from _types(column, new[name], place)
        elif schema.fold(name) in renamed:
            other = renamed.pop(schema.fold(name))
            # Athena takes both for one column, Spark and DuckDB for two.
            yield Difference(place, RENAMED, name, other, breaks_readers=True)
            yield from _types(column, new[other], join(path, other))
        else:
            yield Difference(place, REMOVED, before=type_text(column), breaks_readers=True)
    for name in renamed.values():
        yield Difference(join(path, name), ADDED, after=type_text(new[name]))
    common = [name for name in old if name in new]
    if common != [name for name in new if name in old]:
        yield Difference(path or _ROOT, REORDERED)


def _types(before: Type, after: Type, path: str) -> Iterator[Difference]:
    if isinstance(before, Struct) and isinstance(after, Struct):
        yield from _fields(before, after, path)
    elif isinstance(before, ListOf) and isinstance(after, ListOf):
        yield from _types(before.element, after.element, f"{path}[]")
    elif before != after:
        yield Difference(path, CHANGED, type_text(before), type_text(after), _stored(before) != _stored(after))


def _stored(column: Type) -> str:
    """What kind of column a type has in Parquet."""
    kind = schema.kind_of(column)
    return schema.STRING if kind == schema.UNKNOWN else kind


def join(path: str, name: str) -> str:
    # A name that would read like a path is quoted.
    plain = name if name and not set(name) & set('."[]') and name.isprintable() else f'"{name}"'
    return f"{path}.{plain}" if path else plain


def type_text(column: Type) -> str:
    """int64, list of string, struct of 3 fields."""
    if isinstance(column, Scalar):
        return column.kind
    if isinstance(column, ListOf):
        return f"list of {type_text(column.element)}"
    count = len(column.fields)
    return f"struct of {count} field{'' if count == 1 else 's'}"
