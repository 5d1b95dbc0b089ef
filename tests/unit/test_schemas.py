"""What differs between two schemas, who stumbles over it, and what is to be known about an inferred one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from glue_job import schema
from glue_job.infer import Observer, with_new_fields
from glue_job.schema import Field, ListOf, Scalar, Struct, Type
from ndjctl.observed import describe, left_out
from ndjctl.schemas import ADDED, CHANGED, REMOVED, RENAMED, REORDERED, Difference, compare, join, type_text
from tests.kernel_strategies import RECORDS, ROOTS

INT, DOUBLE, STRING, UNKNOWN = (Scalar(kind) for kind in (schema.INT64, schema.DOUBLE, schema.STRING, schema.UNKNOWN))


def struct(**fields: Type) -> Struct:
    return Struct(tuple(Field(name, column) for name, column in fields.items()))


def observed(*records: dict[str, Any]) -> Observer:
    observer = Observer()
    for record in records:
        observer.add(record)
    return observer


@given(ROOTS, ROOTS)
def test_only_equal_schemas_do_not_differ(one: Struct, other: Struct) -> None:
    assert compare(one, one) == []
    assert (compare(one, other) == []) == (one == other)


@given(ROOTS, RECORDS)
def test_what_a_run_adds_never_breaks_readers(root: Struct, record: dict[str, Any]) -> None:
    differences = compare(root, with_new_fields(root, observed(record)))
    assert {found.kind for found in differences} <= {ADDED}
    assert not any(found.breaks_readers for found in differences)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (struct(a=INT), struct(a=INT, b=STRING), [Difference("b", ADDED, after="string")]),
        (struct(a=INT, b=INT), struct(a=INT), [Difference("b", REMOVED, "int64", breaks_readers=True)]),
        (struct(a=INT), struct(a=DOUBLE), [Difference("a", CHANGED, "int64", "double", True)]),
        (struct(a=UNKNOWN), struct(a=STRING), [Difference("a", CHANGED, "unknown", "string", False)]),
        (struct(a=UNKNOWN), struct(a=INT), [Difference("a", CHANGED, "unknown", "int64", True)]),
        (struct(a=INT), struct(A=INT), [Difference("a", RENAMED, "a", "A", True)]),
        (struct(a=INT, b=INT), struct(b=INT, a=INT), [Difference("(top level)", REORDERED)]),
        (
            struct(u=struct(x=INT), l=ListOf(struct(y=INT))),
            struct(u=struct(x=STRING), l=ListOf(struct(y=INT, z=ListOf(INT)))),
            [Difference("u.x", CHANGED, "int64", "string", True), Difference("l[].z", ADDED, after="list of int64")],
        ),
        (struct(a=ListOf(INT)), struct(a=INT), [Difference("a", CHANGED, "list of int64", "int64", True)]),
        (struct(a=struct(b=INT)), struct(a=STRING), [Difference("a", CHANGED, "struct of 1 field", "string", True)]),
        (
            struct(User=struct(x=INT)),
            struct(user=struct(x=DOUBLE)),
            [Difference("User", RENAMED, "User", "user", True), Difference("user.x", CHANGED, "int64", "double", True)],
        ),
        (struct(), struct(a=INT), [Difference("a", ADDED, after="int64")]),
    ],
)
def test_differences_and_who_stumbles(before: Struct, after: Struct, expected: list[Difference]) -> None:
    assert compare(before, after) == expected


def test_a_name_that_reads_like_a_path_is_quoted() -> None:
    assert join("", "a") == "a"
    assert join("a", "b.c") == 'a."b.c"'
    assert join("a", "") == 'a.""'
    assert type_text(struct(a=INT, b=INT)) == "struct of 2 fields"


def test_a_schema_comes_back_from_its_document() -> None:
    root = struct(a=INT, u=struct(x=ListOf(UNKNOWN)))
    body = json.dumps(schema.document(root, {"anything": "else", "versions": [1]})).encode()
    assert schema.from_document(body, "here") == root


def about(*records: dict[str, Any]) -> dict[str, Any]:
    observer = observed(*records)
    return {found.path: found for found in describe(observer.schema(), observer)}


def test_an_inferred_field_says_how_often_it_is_there() -> None:
    found = about({"a": 1, "u": {"x": 1}}, {"a": None, "u": {}}, {})
    assert (found["a"].values, found["a"].of) == (1, 3)
    assert (found["u"].values, found["u.x"].values, found["u.x"].of) == (2, 1, 2)
    assert [found[path].depth for path in ("a", "u", "u.x")] == [0, 0, 1]


def test_remarks_name_what_does_not_agree() -> None:
    found = about({"m": 1, "n": None, "e": [], "l": [1, "x"]}, {"m": "one", "n": None, "l": [2.5]}, {"m": 2})
    assert found["m"].remarks == ("mixed types: 1 x string would go to _rescued",)
    assert found["n"].remarks == ("only null seen: stored as string",)
    assert found["e[]"].remarks == ("only empty lists or null seen: stored as string",)
    assert found["l[]"].type == "double"
    assert found["l[]"].remarks == ("mixed types: 1 x string would go to _rescued",)
    assert about({"d": 1}, {"d": 1.5})["d"].remarks == ()


def test_remarks_name_fields_that_have_no_column() -> None:
    found = about({"Id": 1, "ID": 2, "id": 3})
    assert list(found) == ["Id"]
    assert "also as ID, id" in found["Id"].remarks[0]
    assert left_out(observed({"": 1, "_rescued": 2, "a": 3})) == ['""', "_rescued"]


@given(RECORDS)
def test_any_record_can_be_described(record: dict[str, Any]) -> None:
    observer = observed(record, {}, record)
    described = describe(observer.schema(), observer)
    assert sum(found.depth == 0 for found in described) == len(observer.schema().fields)
    assert all(found.values <= found.of for found in described)
