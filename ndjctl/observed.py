"""What was observed of some lines: the schema that follows, and what is to be known about it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from glue_job import schema
from glue_job.infer import Observer
from glue_job.schema import ListOf, Scalar, Struct, Type
from ndjctl.schemas import join, type_text

_LISTED_NAMES = 5


@dataclass
class Inference:
    """records: that were looked at. bad_lines: that were passed over. failed: reasons, of files that could not be read.
    is_all: whether every line was read, or the beginning of every file."""

    observer: Observer = field(default_factory=Observer)
    files: int = 0
    bad_lines: int = 0
    failed: list[str] = field(default_factory=list)
    is_all: bool = False

    @property
    def root(self) -> Struct:
        return self.observer.schema()

    @property
    def records(self) -> int:
        return self.observer.records


@dataclass(frozen=True)
class FieldAbout:
    """A field and what was seen of it. depth: of the tree, from 0. path: see ndjctl.schemas. values: that are not null,
    of `of` records (or objects, or list items) that could have had it. remarks: what a reader should know."""

    depth: int
    path: str
    name: str
    type: str
    values: int
    of: int
    remarks: tuple[str, ...]


def describe(root: Struct, observer: Observer) -> list[FieldAbout]:
    """Every field of the schema that follows from what was observed, parents before their children."""
    return list(_fields(root, observer.root, observer.records, 0, ""))


def _fields(column: Struct, node: Any, of: int, depth: int, path: str) -> Iterator[FieldAbout]:

    others: dict[str, list[str]] = {}
    named = {field.name for field in column.fields}
    for name in node.fields:
        if name not in named:
            others.setdefault(schema.fold(name), []).append(name)
    for entry in column.fields:
        child = node.fields[entry.name]
        values = sum(child.counts.values())
        place = join(path, entry.name)
        remarks = [*_remarks(entry.type, child), *_other_cases(others.get(schema.fold(entry.name), []))]
        yield FieldAbout(depth, place, entry.name, type_text(entry.type), values, of, tuple(remarks))
        yield from _children(entry.type, child, depth + 1, place)


def _children(column: Type, node: Any, depth: int, path: str) -> Iterator[FieldAbout]:
    if isinstance(column, Struct):
        yield from _fields(column, node, node.counts.get(schema.STRUCT, 0), depth, path)
    elif isinstance(column, ListOf) and node.element is not None:
        remarks = tuple(_remarks(column.element, node.element, "empty lists or null"))
        if remarks or not isinstance(column.element, Scalar):
            values = sum(node.element.counts.values())
            yield FieldAbout(depth, f"{path}[]", "[]", type_text(column.element), values, values, remarks)
            yield from _children(column.element, node.element, depth + 1, f"{path}[]")


def _remarks(column: Type, node: Any, nothing: str = "null") -> Iterator[str]:
    """nothing: what it is called when no value was seen."""
    kind = schema.kind_of(column)
    seen = {_shown_kind(name, node): count for name, count in node.counts.items()}
    if kind == schema.UNKNOWN:
        empty = ", ".join(f"empty {name}" for name in seen) or nothing
        yield f"only {empty} seen: stored as string"
    elif len(seen) > 1:
        rescued = ", ".join(f"{count:,} x {name}" for name, count in seen.items() if name != kind)
        yield f"mixed types: {rescued} would go to _rescued"


def _shown_kind(kind: str, node: Any) -> str:
    if kind != "number":
        return kind
    return schema.DOUBLE if node.has_float else schema.INT64


def _other_cases(names: list[str]) -> Iterator[str]:
    if names:
        listed = ", ".join(names[:_LISTED_NAMES]) + (" ..." if len(names) > _LISTED_NAMES else "")
        yield f"also as {listed}, which would go to _rescued (readers do not tell case apart)"


def left_out(observer: Observer) -> list[str]:
    """Paths of fields that can have no column, the first ones: their names are empty, have a NUL or are ours."""

    return [join("", name) or '""' for name in observer.root.fields if not schema.can_be_column(name, at_root=True)][
        :100
    ]
