"""JSON values with places that differ from record to record, and their text as templates of bytes. Pure.

A record is a dict of dicts, lists, texts, integers, booleans and None, as json.dumps() takes them, besides Decimal for
numbers with a fraction (no float: its text is nobody's to promise) and Slot for what differs. A template is filled in
with `template % values`, which is the fastest thing that Python does with bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

BOOL, INT64, DOUBLE, STRING, STRUCT, LIST = "bool", "int64", "double", "string", "struct", "list"
"""Kinds of columns, as ndjctl schemas have them."""


@dataclass(frozen=True)
class Decimal:
    """text: a JSON number with a fraction."""

    text: str


@dataclass(frozen=True)
class Slot:
    """A value that is filled in. kind: STRING, INT64 or DOUBLE. spec: its JSON text, where each conversion of bytes
    (%b, or %d for a running number) takes the next value. columns: which columns these values come from, by index."""

    kind: str
    spec: bytes
    columns: tuple[int, ...]


@dataclass(frozen=True)
class Template:
    """text: of one line, with its end. columns: of the values that it takes, in order."""

    text: bytes
    columns: tuple[int, ...]


def template(record: Mapping[str, Any]) -> Template:
    """One line, without blanks between its tokens."""
    pieces: list[bytes] = []
    columns: list[int] = []
    _write(record, pieces, columns)
    pieces.append(b"\n")
    return Template(b"".join(pieces), tuple(columns))


def _write(value: Any, pieces: list[bytes], columns: list[int]) -> None:
    if isinstance(value, Slot):
        pieces.append(value.spec)
        columns.extend(value.columns)
    elif isinstance(value, Mapping):
        begin = b"{"
        for name, item in value.items():
            pieces += (begin, constant(name), b":")
            _write(item, pieces, columns)
            begin = b","
        pieces.append(b"}" if value else b"{}")
    elif isinstance(value, list):
        begin = b"["
        for item in value:
            pieces.append(begin)
            _write(item, pieces, columns)
            begin = b","
        pieces.append(b"]" if value else b"[]")
    elif isinstance(value, Decimal):
        pieces.append(value.text.encode("ascii"))
    else:
        pieces.append(constant(value))


def constant(value: Any) -> bytes:
    """JSON text as it has to stand in a template."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8").replace(b"%", b"%%")


Path = tuple[str, ...]
"""Names of fields from the root on, without a list on the way."""


def kind_of(value: Any) -> str:
    """Empty for null."""
    if isinstance(value, Slot):
        return value.kind
    if value is None:
        return ""
    for type_, kind in ((bool, BOOL), (int, INT64), (Decimal, DOUBLE), (str, STRING), (list, LIST)):
        if isinstance(value, type_):
            return kind
    return STRUCT


def kinds(record: Mapping[str, Any], within: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every place of a record that is reached without a list, and the kind of value there."""
    for name, value in record.items():
        kind = kind_of(value)
        yield (*within, name), kind
        if kind == STRUCT:
            yield from kinds(value, (*within, name))


def replaced(record: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """A copy with another value at `path`, where a field is added if it is not there."""
    copy = dict(record)
    copy[path[0]] = value if len(path) == 1 else replaced(record[path[0]], path[1:], value)
    return copy


def pointer(path: Path) -> str:
    """RFC 6901."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in path)
