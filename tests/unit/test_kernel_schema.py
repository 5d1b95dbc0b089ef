"""Types: their stored form, what a sample makes of them, and what drift may add."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glue_job import schema
from glue_job.infer import Observer, with_new_fields
from glue_job.schema import MAX_COLUMNS, MAX_DEPTH, Struct, count_columns, from_json, to_json
from ndjctl.contracts import FormatError
from tests.kernel_strategies import RECORDS, ROOTS


def observed(*records: dict[str, Any]) -> Observer:
    observer = Observer()
    for record in records:
        observer.add(record)
    return observer


def shape(root: Struct) -> Any:
    """A schema as nested dicts and lists of kinds."""

    def of(document: Any) -> Any:
        if isinstance(document, str):
            return document
        if "list" in document:
            return [of(document["list"])]
        return {field["name"]: of(field["type"]) for field in document["struct"]}

    return of(to_json(root))


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([{"b": 1, "a": "x", "c": True, "d": 1.5}], {"b": "int64", "a": "string", "c": "bool", "d": "double"}),
        ([{"a": 1}, {"a": 1}, {"a": 0.5}], {"a": "double"}),
        ([{"a": 1}, {"a": "x"}, {"a": "x"}], {"a": "string"}),
        ([{"a": True}, {"a": "x"}], {"a": "bool"}),
        ([{"a": "x"}, {"a": True}], {"a": "string"}),
        ([{"a": 1}, {"a": 2.5}, {"a": "x"}, {"a": "y"}, {"a": "z"}], {"a": "string"}),
        ([{"a": 1}, {"a": 2.5}, {"a": "x"}], {"a": "double"}),
        ([{"a": None}], {"a": "unknown"}),
        ([{"a": {}}], {"a": "unknown"}),
        ([{"a": {}}, {"a": {}}, {"a": 1}], {"a": "int64"}),
        ([{"a": {"": 1}}], {"a": "unknown"}),
        ([{"a": []}], {"a": ["unknown"]}),
        ([{"a": [None]}, {"a": [[]]}], {"a": [["unknown"]]}),
        ([{"a": [1]}, {"a": [2.5, "x"]}], {"a": ["double"]}),
        ([{"a": {"x": 1}}, {"a": {"y": [{"z": None}]}}], {"a": {"x": "int64", "y": [{"z": "unknown"}]}}),
        ([{"a": 2**64}], {"a": "int64"}),
        ([{"name": 1, "Name": "x", "NAME": True}], {"name": "int64"}),
        ([{"a": {"É": 1, "é": 2}}], {"a": {"É": "int64"}}),
        ([{"_RESCUED": 1, "_Source_File": 1, "": 1, "n\0": 1, "ok": {"_rescued": 1}}], {"ok": {"_rescued": "int64"}}),
        ([{"a.b": 1, "a/b": 1, "a": {"b": 1}}], {"a.b": "int64", "a/b": "int64", "a": {"b": "int64"}}),
        ([{"at": "2026-01-01T00:00:00Z"}], {"at": "string"}),
        ([], {}),
    ],
)
def test_inference(records: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    found = shape(observed(*records).schema())
    assert found == expected
    assert list(found) == list(expected)


def test_columns_are_as_deep_as_readers_bear() -> None:
    value: Any = 1
    for _ in range(50):
        value = {"a": [value]}
    root = observed({"deep": value, "flat": 1}).schema()
    depth, column = 0, root.fields[0].type
    while not isinstance(column, schema.Scalar):
        column = column.element if isinstance(column, schema.ListOf) else column.fields[0].type
        depth += 1
    assert depth < MAX_DEPTH
    assert from_json(to_json(root), "here") == root


def test_an_object_used_as_a_map_does_not_make_columns_without_end() -> None:
    observer = observed({"id": 1, "map": {f"k{number}": 1 for number in range(MAX_COLUMNS + 50)}}, {"later": 1})
    assert count_columns(observer.schema()) <= MAX_COLUMNS
    assert "id" in shape(observer.schema())
    pinned = observed({f"c{number}": 1 for number in range(MAX_COLUMNS - 1)}).schema()
    added = with_new_fields(pinned, observed({"x": {"y": 1, "z": 1}, "small": 1, "more": 1}))
    assert [field.name for field in added.fields[MAX_COLUMNS - 1 :]] == ["small"]


@pytest.mark.parametrize(
    ("pinned", "seen", "expected"),
    [
        ([{"b": 1}], [{"a": "x", "b": 1}], {"b": "int64", "a": "string"}),
        ([{"a": 1}], [{"a": "x"}], {"a": "int64"}),
        ([{"a": None}], [{"a": 1}], {"a": "unknown"}),
        ([{"a": {"x": 1}}], [{"a": {"y": [{"z": 1}]}}], {"a": {"x": "int64", "y": [{"z": "int64"}]}}),
        ([{"a": [{"x": 1}]}], [{"a": [{"y": 1.5}]}], {"a": [{"x": "int64", "y": "double"}]}),
        ([{"a": {"x": 1}}], [{"a": 1}, {"a": 1}, {"a": {"y": 1}}], {"a": {"x": "int64", "y": "int64"}}),
        ([{"a": 1}], [{"A": 1, "_rescued": 1, "": 1}], {"a": "int64"}),
        ([{"a": 1}], [{"n": None, "o": {}, "l": [], "s": {"n": None, "v": 1}}], {"a": "int64", "s": {"v": "int64"}}),
        ([{"a": 1}], [], {"a": "int64"}),
    ],
)
def test_drift_adds_fields_and_changes_none(
    pinned: list[dict[str, Any]], seen: list[dict[str, Any]], expected: dict[str, Any]
) -> None:
    assert shape(with_new_fields(observed(*pinned).schema(), observed(*seen))) == expected


@given(ROOTS, st.lists(RECORDS, max_size=4))
def test_adding_keeps_what_is_pinned_and_is_settled_at_once(root: Struct, records: list[dict[str, Any]]) -> None:
    seen = observed(*records)
    added = with_new_fields(root, seen)
    assert [field.name for field in added.fields[: len(root.fields)]] == [field.name for field in root.fields]
    assert with_new_fields(added, seen) == added
    assert from_json(to_json(added), "here") == added


@given(st.lists(RECORDS, max_size=4))
def test_every_inferred_schema_can_be_stored(records: list[dict[str, Any]]) -> None:
    root = observed(*records).schema()
    assert from_json(to_json(root), "here") == root


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("int64", "the root of a schema is a struct"),
        ({"struct": [{"name": "a", "type": "int32"}]}, ".a has the kind 'int32'"),
        ({"struct": [{"name": "a", "type": "string"}, {"name": "A", "type": "string"}]}, ".A is there twice"),
        ({"struct": [{"name": "_rescued", "type": "string"}]}, "'_rescued' cannot be a column's"),
        ({"struct": [{"name": "a", "type": {"struct": []}}]}, ".a is a struct without fields"),
        ({"struct": [{"name": "a", "type": {"list": {"list": 1}}}]}, ".a[][] is neither"),
        ({"struct": [{"type": "string"}]}, "None cannot be a column's"),
        ({"struct": None}, "the root is neither"),
    ],
)
def test_a_stored_schema_that_is_none_is_refused_with_its_place(document: Any, problem: str) -> None:
    with pytest.raises(FormatError) as raised:
        from_json(document, "s3://b/schema.json")
    assert problem in str(raised.value)
    assert str(raised.value).startswith("s3://b/schema.json")
