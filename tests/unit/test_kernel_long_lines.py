"""A line read in pieces is what it would be if it were read at once, wherever the pieces end."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glue_job import kernel, long_json, long_lines
from glue_job.conform import Conformer
from glue_job.infer import with_new_fields
from glue_job.kernel import Bad, Kernel, Row
from glue_job.lines import ChunkReader
from glue_job.long_lines import read_long
from glue_job.parquet import arrow_type
from glue_job.records import BadLine, parse
from glue_job.schema import ListOf, Struct, from_json, to_json
from ndjctl.contracts import BadLineReason
from tests.kernel_odd_lines import GOOD, ODD
from tests.kernel_strategies import LINES, RECORDS, ROOTS
from tests.unit.test_kernel_fast import SCHEMA, as_stored, exact

PIECES = (32, 33, 35, 50, 1_000)


def at_once(line: bytes, root: Struct) -> tuple[Any, ...]:
    conformer = Conformer(root)
    try:
        row, rescued = conformer.conform(parse(line))
    except BadLine as bad:
        return "bad", bad.reason
    return exact(row), exact(json.loads(rescued) if rescued else None), conformer.drift.counts


def in_pieces(line: bytes, root: Struct, piece_bytes: int) -> tuple[Any, ...]:
    try:
        found = read_long(line, root, piece_bytes)
    except BadLine as bad:
        return "bad", bad.reason
    fitting = parse(bytes(found.fitting))
    # Nothing is left for the reader to convert but integers in double columns.
    row, none = Conformer(root).conform(fitting)
    assert none is None
    return exact(row), exact(parse(bytes(found.rescued)) if found.rescued else None), found.drift.counts


def assert_same(line: bytes, root: Struct, piece_bytes: int, with_reason: bool = True) -> None:
    expected, found = at_once(line, root), in_pieces(line, root, piece_bytes)
    if with_reason or "bad" not in (expected[0], found[0]):
        assert found == expected
    else:
        assert found[0] == expected[0]


@pytest.mark.parametrize(
    "line", [GOOD, *(odd for odd in ODD if odd.strip())], ids=lambda line: line[:40].decode("latin-1")
)
def test_an_odd_line(line: bytes) -> None:
    for piece_bytes in PIECES:
        assert_same(line, SCHEMA, piece_bytes)


# Of a line with two faults either may be named: which is met first depends on how it is read.
@settings(max_examples=300, deadline=None)
@given(LINES.filter(lambda line: bool(line.strip()) and b"\n" not in line), ROOTS, st.sampled_from(PIECES))
def test_any_line_and_any_schema(line: bytes, root: Struct, piece_bytes: int) -> None:
    assert_same(line, root, piece_bytes, with_reason=False)


@settings(max_examples=200, deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=8), ROOTS, st.sampled_from(PIECES), st.sampled_from([None, 1]))
def test_lists_and_maps_longer_than_a_piece(
    records: list[dict[str, Any]], inner: Struct, piece_bytes: int, indent: int | None
) -> None:
    line = json.dumps(
        {
            "l": records,
            "m": {f"{number}": record for number, record in enumerate(records)},
            "n": list(range(-3, 40)),
            "d": [0.5, *range(30)],
        },
        indent=indent,
    ).replace("\n", " ")
    fields = [{"name": "n", "type": {"list": "int64"}}, {"name": "d", "type": {"list": "double"}}]
    if inner.fields:
        fields.append({"name": "l", "type": to_json(ListOf(inner))})
        fields.append({"name": "m", "type": {"struct": [{"name": "1", "type": to_json(inner)}]}})
    assert_same(line.encode(), from_json({"struct": fields}, "test"), piece_bytes)


_ESCAPES = ('\\"', "\\\\", "\\n", "\\u00e9", "\\ud83d\\ude00", "\\ud83d", "\\ude00", "\\x", "\\u12")
_UNITS = ("a", "é", "😀", "u00", '"', "\t", *_ESCAPES)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(_UNITS), st.integers(1, 40)), min_size=1, max_size=5),
    st.sampled_from(["s", "i", "new"]),
    st.sampled_from(PIECES),
)
def test_strings_longer_than_a_piece(units: list[tuple[str, int]], name: str, piece_bytes: int) -> None:
    text = "".join(unit * times for unit, times in units)
    for line in (f'{{"{name}":"{text}"}}', f'{{"{text}":[1]}}'):
        assert_same(line.encode(), SCHEMA, piece_bytes, with_reason=False)


def test_a_key_that_is_there_again_in_another_piece_is_found() -> None:
    members = [f'"key {number}":{number}' for number in range(1_000)]
    again = "{" + ",".join([*members, '"key \\u0037":null']) + "}"
    for line in (again, f'{{"t":{again}}}', f'{{"l":[{again}]}}'):
        assert in_pieces(line.encode(), SCHEMA, 64) == ("bad", BadLineReason.DUPLICATE_KEY)
        assert_same(line.replace("0037", "0058").encode(), SCHEMA, 64)


def test_lists_within_lists_have_a_limit_that_no_recursion_meets() -> None:
    for depth, is_good in ((99, True), (100, False), (100_000, False)):
        line = b'{"l":' + b"[" * depth + b"1," * 50 + b"1" + b"]" * depth + b"}"
        assert_same(line, SCHEMA, 32)
        assert (at_once(line, SCHEMA)[0] != "bad") is is_good
    assert in_pieces(b'{"l":' + b"[" * 10**6, SCHEMA, 100_000) == ("bad", BadLineReason.TOO_DEEP)


def test_bad_lines_are_told_by_their_byte() -> None:
    good = b'{"l":[' + b"1.5," * 100
    cases = {
        good + b"x]}": "not valid JSON at byte 407: Expecting value",
        good + b"1 2]}": "not valid JSON at byte 409: Expecting ',' delimiter",
        good + b"1": "not valid JSON: the line ends at byte 407 in the middle of a value",
        good + b"NaN]}": "NaN is no JSON number, at byte 407",
        good + b'"\xff"]}': "invalid UTF-8 at byte 408: invalid start byte",
        good + b'"' + b"y" * 100 + b"\0" + b'"]}': "not valid JSON: NUL byte at byte 508",
        good + b'1]} {"i":1}': "more than one JSON value on the line: the first ends before the one at byte 411",
        b"[" + good + b"1]}]": "expected a JSON object at byte 1",
    }
    for line, detail in cases.items():
        with pytest.raises(BadLine) as caught:
            read_long(line, SCHEMA, 64)
        assert str(caught.value) == detail
        assert_same(line, SCHEMA, 64)


def test_records_that_would_take_too_much_memory_are_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_json, "MAX_VALUES", 100)
    commas = b'{"s":"' + b"," * 300 + b'","l":[' + b"1," * 50 + b"1]}"
    assert long_json.has_many_values(commas)
    assert_same(commas, SCHEMA, 64)  # those in the string are no values
    many = b'{"l":[' + b"1," * 150 + b"1]}"
    assert in_pieces(many, SCHEMA, 64) == ("bad", BadLineReason.TOO_LARGE)
    monkeypatch.undo()
    monkeypatch.setattr(long_lines, "MAX_RESCUED_BYTES", 1_000)
    assert in_pieces(b'{"l":[' + b"true," * 150 + b"1]}", SCHEMA, 64) == ("bad", BadLineReason.TOO_LARGE)
    assert_same(many, SCHEMA, 64)


# --------------------------------------------------------------------------------------------------------------
# In the kernel


@pytest.fixture
def _long_from_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "LONG_BYTES", 1)
    monkeypatch.setattr(kernel, "read_long", partial(read_long, piece_bytes=32))


@pytest.mark.usefixtures("_long_from_1")
@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, max_size=6), ROOTS)
def test_the_kernel_gives_the_same_rows(lines: list[bytes], root: Struct) -> None:
    content = b"\n".join(lines)
    reader, strict = Kernel(root, 10_000), Kernel(root, 10_000, can_be_fast=False)
    found = [one for chunk in ChunkReader([content], 0, len(content)) for one in reader.read(chunk)]
    expected = [one for chunk in ChunkReader([content], 0, len(content)) for one in strict.read(chunk)]
    assert [isinstance(one, Bad) for one in found] == [isinstance(one, Bad) for one in expected]
    for one, other in zip(found, expected, strict=True):
        if isinstance(one, Bad):
            assert one.line == other.line
        else:
            row, rescued = values_of(one)
            assert row == exact(as_stored([other.row], root)[0])
            assert rescued == exact(json.loads(other.rescued or "null"))
    assert reader.drift.counts == strict.drift.counts


def values_of(batch: pa.RecordBatch | Row) -> tuple[Any, Any]:
    """(the row, what is rescued) of a row that comes as a batch; without any column it cannot."""
    if isinstance(batch, Row):
        assert not batch.row
        return exact({}), exact(json.loads(batch.rescued or "null"))
    batch.validate(full=True)
    (row,) = batch.to_pylist()
    rescued = row.pop("_rescued", None)
    return exact(row), exact(json.loads(rescued or "null"))


@pytest.mark.usefixtures("_long_from_1")
def test_new_fields_get_the_columns_that_they_would_get() -> None:
    line = (
        b'{"i":1,"new":[' + b'{"a":1.5,"b":["x"]},' * 50 + b'{"a":1}],"t":{"x":1,"text":"' + b"y" * 100 + b'"}'
        b',"n":' + b"1" * 15 + b',"m":{"deep":[[' + b"true," * 20 + b"false]]}}"
    )
    schemas = []
    for reader in (Kernel(SCHEMA, 10_000), Kernel(SCHEMA, 10_000, can_be_fast=False)):
        for chunk in ChunkReader([line], 0, len(line)):
            assert len(list(reader.read(chunk))) == 1
        schemas.append(with_new_fields(SCHEMA, reader.unknown))
    assert schemas[0] == schemas[1]
    assert {field.name for field in schemas[0].fields} > {"new", "n", "m"}
    assert arrow_type(schemas[0]).num_fields == len(SCHEMA.fields) + 3


@pytest.mark.usefixtures("_long_from_1")
def test_what_the_fast_reader_would_refuse_or_read_differently_is_not_left_to_it() -> None:
    line = b'{"new":1,"l":[' + b"-0,1,-0.0," * 9 + b'-0],"lt":[' + b'{"x":[2],"o":null},' * 9 + b"{}]}"
    for chunk in ChunkReader([line], 0, len(line)):
        (found,) = Kernel(SCHEMA, 10_000).read(chunk)
        (expected,) = Kernel(SCHEMA, 10_000, can_be_fast=False).read(chunk)
        assert values_of(found)[0] == exact(as_stored([expected.row], SCHEMA)[0])
