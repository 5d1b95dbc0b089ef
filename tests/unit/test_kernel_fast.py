"""Many lines at once are what the strict reader makes of them one by one, whatever they are."""

from __future__ import annotations

import json
import random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glue_job import conform, fast, kernel
from glue_job.conform import Conformer
from glue_job.kernel import Bad, Kernel, Row
from glue_job.lines import Chunk, ChunkReader, Line, LineReader
from glue_job.parquet import arrow_type, data_schema
from glue_job.records import BadLine, parse
from glue_job.schema import Struct, from_json
from ndjctl.contracts import RESCUED_COLUMN
from tests.kernel_odd_lines import GOOD, ODD
from tests.kernel_strategies import LINES, ROOTS

Outcome = tuple[Any, ...]
"""("row", values with types, rescued) or ("bad", line, reason, detail)."""


@pytest.fixture(autouse=True)
def _always_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fast.trusted() is not None
    monkeypatch.setattr(kernel, "LEAST_BYTES", 1)
    monkeypatch.setattr(kernel, "_FEWEST_AT_ONCE_BYTES", 1)
    monkeypatch.setattr(conform, "_OBSERVED", 0)


def exact(value: Any) -> Any:
    """Comparable with its type: 1 is not 1.0 or True, 0.0 is not -0.0, and null fields are as good as absent."""
    if isinstance(value, dict):
        return {name: exact(item) for name, item in value.items() if item is not None}
    return [exact(item) for item in value] if isinstance(value, list) else (type(value).__name__, repr(value))


def as_stored(rows: list[dict[str, Any]], root: Struct) -> list[dict[str, Any]]:
    return pa.array(rows, arrow_type(root)).to_pylist()


def strictly(content: bytes, root: Struct, limit: int) -> tuple[list[Outcome], Any]:
    conformer = Conformer(root)
    outcomes: list[Outcome] = []
    for line in LineReader([content], 0, len(content), limit):
        try:
            if not line.is_whole:
                raise BadLine("line too long", f"{line.size_bytes} bytes, the limit is {limit}")
            row, rescued = conformer.conform(parse(line.data))
        except BadLine as bad:
            outcomes.append(("bad", line, bad.reason, str(bad)))
        else:
            outcomes.append(("row", exact(as_stored([row], root)[0]), rescued))
    return outcomes, conformer.drift.counts


@pytest.fixture(params=[False, True], ids=["", "with end"], autouse=True)
def _with_and_without_end(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        monkeypatch.setattr(kernel, "trusted", lambda: None if fast.trusted() is None else True)


def kernel_s(content: bytes, root: Struct, limit: int, chunk_bytes: int) -> tuple[list[Outcome], Any, int]:
    """And how many rows were read fast."""
    reader = Kernel(root, limit)
    real, strict = reader._strictly, []

    def counted(line: Line) -> Row | Bad:
        strict.append(real(line))
        return strict[-1]

    reader._strictly = counted  # type: ignore[method-assign]
    outcomes: list[Outcome] = []
    for piece in ChunkReader([content], 0, len(content), limit, chunk_bytes):
        for found in reader.read(piece):
            if isinstance(found, Bad):
                outcomes.append(("bad", found.line, found.reason.reason, str(found.reason)))
            elif isinstance(found, Row):
                outcomes.append(("row", exact(as_stored([found.row], root)[0]), found.rescued))
            else:
                outcomes += of_batch(found, root)
    rows = sum(outcome[0] == "row" for outcome in outcomes)
    return outcomes, reader.drift.counts, rows - sum(isinstance(found, Row) for found in strict)


def of_batch(batch: pa.RecordBatch, root: Struct) -> list[Outcome]:
    batch.validate(full=True)
    columns = data_schema(root)
    rescued: list[str | None] = [None] * batch.num_rows
    if batch.num_columns > len(columns):
        assert batch.schema.field(len(columns)) == pa.field(RESCUED_COLUMN, pa.string())
        rescued = batch.column(len(columns)).to_pylist()
        batch = pa.RecordBatch.from_arrays(batch.columns[:-1], names=batch.schema.names[:-1])
    assert batch.schema == columns
    return [("row", exact(row), text) for row, text in zip(batch.to_pylist(), rescued, strict=True)]


def assert_same(content: bytes, root: Struct, limit: int = 10_000, chunk_bytes: int = 10_000) -> int:
    expected, expected_drift = strictly(content, root, limit)
    outcomes, drift, fast_rows = kernel_s(content, root, limit, chunk_bytes)
    # Rows and bad lines go to two outputs, each in its order.
    for kind in ("row", "bad"):
        assert [outcome for outcome in outcomes if outcome[0] == kind] == [o for o in expected if o[0] == kind]
    assert drift == expected_drift
    return fast_rows


SCHEMA = from_json(
    {
        "struct": [
            {"name": "i", "type": "int64"},
            {"name": "d", "type": "double"},
            {"name": "s", "type": "string"},
            {"name": "b", "type": "bool"},
            {"name": "u", "type": "unknown"},
            {"name": "l", "type": {"list": "double"}},
            {
                "name": "t",
                "type": {"struct": [{"name": "x", "type": "double"}, {"name": "y", "type": {"list": "int64"}}]},
            },
            {"name": "lt", "type": {"list": {"struct": [{"name": "x", "type": {"list": "double"}}]}}},
        ]
    },
    "test",
)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd[:40].decode("latin-1"))
def test_an_odd_line_among_good_ones(odd: bytes) -> None:
    for content in (
        odd,
        b"\n".join([GOOD] * 3 + [odd] + [GOOD] * 4),
        b"\n".join([odd, GOOD, odd, odd, b'{"z":7}', odd]),
    ):
        assert_same(content, SCHEMA, limit=10**6, chunk_bytes=10**6)


def test_errors_that_make_up_for_each_other_are_seen() -> None:
    for first in ODD[:34:2]:
        for second in ODD[:34:2]:
            assert_same(b"\n".join([b"{}", first, second, b'{"i":1}']), SCHEMA)


def test_a_record_over_two_lines_and_two_on_one_do_not_make_up_for_each_other() -> None:
    broken = [
        (b'{"lt":[{},', b"{}]}"),
        (b'{"lt":[{}', b",{}]}"),
        (b'{"lt":[{}', b"{}]}"),
        (b'{"i":1,"t":', b"{}}"),
        (b"{", b"}"),
    ]
    for first, second in broken:
        for double in (b"{}{}", b"{} {}", b"{},{}", b"{} null {}"):
            for lines in (
                [first, second, double],
                [double, first, second],
                [b"{}", first, second, b"{}", double, b"{}"],
            ):
                assert_same(b"\n".join(lines), SCHEMA)


def test_good_lines_are_read_fast() -> None:
    for separator in (b"\n", b"\r\n", b"\n\n", b" \n\t"):
        assert assert_same(separator.join([GOOD] * 50), SCHEMA) == 50
    assert assert_same(b"\n".join([GOOD] * 300), SCHEMA, chunk_bytes=1_000) == 300


def test_the_lines_around_a_bad_one_are_read_fast() -> None:
    for odd in ODD[:-2]:
        fast_rows = assert_same(b"\n".join([GOOD] * 40 + [odd] + [GOOD] * 40), SCHEMA, chunk_bytes=100_000)
        assert fast_rows >= 70, odd


def test_a_new_field_in_every_line_does_not_end_in_slow_reading_of_other_lines() -> None:
    lines = [GOOD, b'{"i":1,"new":{"a":[1],"b":"x"}}', GOOD, b'{"t":{"new":null}}', GOOD] * 40
    assert assert_same(b"\n".join(lines), SCHEMA, limit=10**6, chunk_bytes=2_000) > 110


def test_objects_used_as_maps_do_not_make_columns_without_limit() -> None:
    lines = [json.dumps({"i": number, f"key {number}": {f"k{number}": number}}).encode() for number in range(400)]
    assert_same(b"\n".join(lines), SCHEMA, limit=10**6, chunk_bytes=5_000)


@pytest.mark.parametrize("seed", range(10))
def test_any_mixture_of_odd_and_good_lines(seed: int) -> None:
    choose = random.Random(seed)
    odd = [line for line in ODD if len(line) < 10_000]
    lines = [choose.choice(odd) if choose.random() < 0.1 + seed / 20 else GOOD for _ in range(300)]
    assert_same(
        choose.choice([b"\n", b"\r\n"]).join(lines), SCHEMA, limit=5_000, chunk_bytes=choose.choice([50, 3_000])
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, max_size=12), ROOTS, st.sampled_from([b"\n", b"\r\n"]), st.sampled_from([20, 200, 10_000]))
def test_any_lines_and_any_schema(lines: list[bytes], root: Struct, separator: bytes, chunk_bytes: int) -> None:
    assert_same(separator.join(lines), root, limit=300, chunk_bytes=chunk_bytes)


NEW_VALUES = st.one_of(
    st.integers(),
    st.integers(-5, 5),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.5, -0.0, 1e16, 1e22, 1.5e300, 123456789.125, 5e-324]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.sampled_from(['"', "\\", "\x7f", "\u2028", "\0\x1f\n", "\U0001f600", "/~"]),
    st.booleans(),
    st.none(),
    st.just([1]),
)
NEW_NAMES = st.sampled_from(["a/b", "a~", "z", 'q"', "é", "\n", "I", "\U0001f600"])


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(NEW_NAMES, st.sampled_from([1, 0.5, "x", True, None, {"n": 1}]), min_size=1, max_size=3),
    st.lists(st.tuples(st.dictionaries(NEW_NAMES, NEW_VALUES, max_size=3), st.booleans()), max_size=12),
    st.booleans(),
)
def test_new_plain_fields_are_rescued_alike(
    first: dict[str, Any], others: list[tuple[dict[str, Any], bool]], is_ascii: bool
) -> None:
    records = [first | {"t": first}] + [new | {"i": 1} if at_root else {"t": new} for new, at_root in others]
    lines = [json.dumps(record, ensure_ascii=is_ascii).encode() for record in records]
    # Each line once more, so that every chunk but the first is read with the first one's fields watched.
    content = b"\n".join(line for line in lines for _ in range(2))
    for chunk_bytes in (len(lines[0]) + 1, 200, 10_000):
        assert_same(content, SCHEMA, chunk_bytes=chunk_bytes)


def test_a_new_plain_field_in_every_line_is_read_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conform, "_OBSERVED", 100)
    lines = [
        json.dumps({"i": n, "s": f'"{n}"', "new": n + 0.5, "t": {"x": 0.5, "other": f"é\n{n}"}}).encode()
        for n in range(1_000)
    ]
    content = b"\n".join(lines)
    assert assert_same(content, SCHEMA, chunk_bytes=2_000) > 700
    reader, conformer = Kernel(SCHEMA, 1_000), Conformer(SCHEMA)
    for chunk in ChunkReader([content], 0, len(content), chunk_bytes=2_000):
        list(reader.read(chunk))
    for line in lines:
        conformer.conform(parse(line))
    assert reader.unknown.records == conformer.unknown.records == 100
    assert reader.drift.counts == conformer.drift.counts


def test_chunks_read_together_are_as_read_alone() -> None:
    lines = [b'{"i":%d,"new":%d}' % (n, n) for n in range(300)]
    contents = [b"\n".join(lines[at : at + 10]) + b"\n" * (at % 20 == 0) for at in range(0, 300, 10)]
    chunks = [chunk for content in contents for chunk in ChunkReader([content], 0, len(content))]
    assert all(isinstance(chunk, Chunk) for chunk in chunks)
    for head, rest in ((0, chunks), (1, chunks[1:])):
        reader = Kernel(SCHEMA, 1_000)
        outcomes = [outcome for chunk in chunks[:head] for outcome in read_alone(reader, chunk)]
        before = dict(reader.drift.counts)
        together = reader.read_together(rest)
        if head:
            assert together is not None
            outcomes += [outcome for batch in together for outcome in of_batch(batch, SCHEMA)]
            assert [batch.num_rows for batch in together] == [chunk.line_count for chunk in rest]
            assert outcomes == strictly(b"\n".join(lines), SCHEMA, 1_000)[0]
            assert sum(reader.drift.counts.values()) == 300
        else:
            assert (together, dict(reader.drift.counts)) == (None, before)


def read_alone(reader: Kernel, chunk: Chunk) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for found in reader.read(chunk):
        assert not isinstance(found, Bad)
        if isinstance(found, Row):
            outcomes.append(("row", exact(as_stored([found.row], SCHEMA)[0]), found.rescued))
        else:
            outcomes += of_batch(found, SCHEMA)
    return outcomes


def test_a_pyarrow_that_is_too_careless_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    real = fast.FastReader.read
    assert fast.trusted() is pa.__version__.startswith("10.")

    def careless(self: fast.FastReader, data: bytes, count: int) -> Any:
        return real(self, data.replace(b'"1"', b"1").replace(b'"i":1,"i"', b'"i"'), count)

    fast.trusted.cache_clear()
    try:
        monkeypatch.setattr(fast.FastReader, "read", careless)
        assert fast.trusted() is None
        assert kernel_s(GOOD + b"\n" + GOOD, SCHEMA, 1_000, 1_000)[2] == 0
    finally:
        monkeypatch.undo()
        fast.trusted.cache_clear()
