"""Arbitrary records and schemas. Few names, so that records and schemas meet often."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from glue_job import schema
from glue_job.schema import Field, ListOf, Scalar, Struct, Type

NAMES = st.sampled_from(["a", "b", "c", "A", "_rescued", "_SOURCE_FILE", "x/y", "~", "a.b", "", "0", "é", "\0", "*"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
INTEGERS = st.one_of(
    st.integers(-5, 5),
    st.sampled_from([2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**308]),
    st.integers(),
)
SCALARS = st.one_of(st.none(), st.booleans(), INTEGERS, st.floats(allow_nan=False, allow_infinity=False), TEXTS)


def _containers(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.lists(children, max_size=3), st.dictionaries(NAMES, children, max_size=3))


VALUES = st.recursive(SCALARS, _containers, max_leaves=10)
RECORDS = st.dictionaries(NAMES, VALUES, max_size=5)


def _struct(children: st.SearchStrategy[Type], least: int, at_root: bool) -> st.SearchStrategy[Type]:
    names = st.lists(
        NAMES.filter(lambda name: schema.can_be_column(name, at_root)),
        min_size=least,
        max_size=4,
        unique_by=schema.fold,
    )
    return names.flatmap(lambda found: st.tuples(*[children for _ in found]).map(lambda types: _joined(found, types)))


def _joined(names: list[str], types: tuple[Type, ...]) -> Struct:
    return Struct(tuple(Field(name, column) for name, column in zip(names, types, strict=True)))


TYPES: st.SearchStrategy[Type] = st.recursive(
    st.sampled_from(sorted(schema.SCALARS)).map(Scalar),
    lambda children: st.one_of(children.map(ListOf), _struct(children, 1, at_root=False)),
    max_leaves=6,
)
ROOTS = _struct(TYPES, 0, at_root=True)


def same(left: Any, right: Any) -> bool:
    """Equal with types, except that an absent field is a null one and that an integer equals a float of its value."""
    if isinstance(left, dict) and isinstance(right, dict):
        names = left.keys() | right.keys()
        return all(same(left.get(name), right.get(name)) for name in names)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, (int, float)) and isinstance(right, (int, float)) and type(left) is not type(right):
        return not isinstance(left, bool) and not isinstance(right, bool) and int(left) == int(right) == left == right
    return type(left) is type(right) and left == right


# --------------------------------------------------------------------------------------------------------------
# Lines: JSON of all kinds, and what is nearly JSON

_LITERALS = st.sampled_from(
    [
        "0",
        "-0",
        "-0.0",
        "1.0",
        "1e2",
        "1E-2",
        "01",
        "NaN",
        "-NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "-1e400",
        "1e-400",
        "0.1",
        "9007199254740993",
        "9007199254740993.0",
        "-9007199254740993",
        "9223372036854775808",
        "tru",
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '"\\ud83d\\ude00"',
        '"\\u0000"',
        '"}\\n{"',
        '"2026-01-01"',
        '"1"',
        '"a\tb"',
        '"},{"',
        "1" + "0" * 310,
    ]
)


def _object_text(members: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{json.dumps(name, ensure_ascii=len(text) % 2 == 0)}:{text}" for name, text in members) + "}"


_VALUE_TEXTS = st.recursive(
    st.one_of(SCALARS.map(json.dumps), _LITERALS),
    lambda texts: st.one_of(
        st.lists(texts, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
        st.lists(st.tuples(NAMES, texts), max_size=3).map(_object_text),
    ),
    max_leaves=8,
)
_RECORD_TEXTS = st.lists(st.tuples(NAMES, _VALUE_TEXTS), max_size=4).map(_object_text)
_SPOILS = st.sampled_from(
    [
        b"{}",
        b" ",
        b"\n",
        b"\r",
        b"\0",
        b"\xff",
        b"\xed\xa0\x80",
        b",",
        b"null",
        b"}",
        b"{",
        b"]",
        b"},{",
        b'"',
        b"\xef\xbb\xbf",
        b"\t",
    ]
)


def _spoiled(line: bytes, at: int, length: int, spoil: bytes) -> bytes:
    at = at % (len(line) + 1)
    return line[:at] + spoil + line[at + length :]


_RECORD_LINES = st.one_of(RECORDS.map(lambda record: json.dumps(record).encode()), _RECORD_TEXTS.map(str.encode))
LINES: st.SearchStrategy[bytes] = st.one_of(
    _RECORD_LINES,
    st.builds(_spoiled, _RECORD_LINES, st.integers(0, 200), st.integers(0, 3), _SPOILS),
    st.lists(_RECORD_LINES, min_size=2, max_size=3).map(b" ".join),
    _VALUE_TEXTS.map(str.encode),
    st.binary(max_size=10),
)
