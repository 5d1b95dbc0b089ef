"""A value is in its column exactly, or in `_rescued` exactly."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glue_job.conform import MAX_PLACES, Conformer, Drift, Place, pointer, rebuild
from glue_job.infer import Observer
from glue_job.parquet import PartWriter, arrow_schema, arrow_type, data_schema, footer_bytes, parse_footer
from glue_job.schema import Struct, from_json
from ndjctl.contracts import RESCUED_COLUMN, SOURCE_COLUMN
from tests.kernel_strategies import RECORDS, ROOTS, same


def root_of(**columns: Any) -> Struct:
    return from_json({"struct": [{"name": name, "type": column} for name, column in columns.items()]}, "test")


def struct(**columns: Any) -> dict[str, Any]:
    return {"struct": [{"name": name, "type": column} for name, column in columns.items()]}


@pytest.mark.parametrize(
    ("column", "fitting", "rescued"),
    [
        ("int64", [0, 2**63 - 1, -(2**63)], [1.0, True, "12", 2**63, -(2**63) - 1, [], {}]),
        ("double", [1.5, -0.0, 3, 2**53, 2**60, 10**22], [2**53 + 1, 10**22 + 1, True, "1.5", [], {}]),
        ("string", ["", "\0", "é"], [1, 1.5, False, ["x"], {"a": "x"}]),
        ("unknown", ["x"], [1, 1.5, False, [], {}]),
        ("bool", [True, False], [0, 1, "true", 0.0, [], {}]),
        ({"list": "int64"}, [[], [1, None]], [1, "x", {}, {"0": 1}]),
        (struct(x="int64"), [{}, {"x": None}, {"x": 1}], [[], [["x", 1]], "x", 1, True]),
    ],
)
def test_what_fits_a_column(column: Any, fitting: list[Any], rescued: list[Any]) -> None:
    conformer = Conformer(root_of(v=column))
    for value in [None, *fitting]:
        row, text = conformer.conform({"v": value})
        assert text is None
        assert same(row.get("v"), value)
    assert conformer.drift.total == 0
    for value in rescued:
        row, text = conformer.conform({"v": value})
        assert row == {}
        assert same(json.loads(text or ""), {"/v": value})
    assert conformer.drift.total == len(rescued)


def test_a_misfit_is_rescued_where_it_is_and_the_rest_stays() -> None:
    conformer = Conformer(root_of(a=struct(b={"list": struct(c="int64")}), n="string"))
    record = {
        "a": {"b": [{"c": 1}, {"c": "x", "~/": 2}, 7, None], "new": {"deep": [1, {}]}},
        "N": 5,
        "top": None,
    }
    row, text = conformer.conform(record)
    assert row == {"a": {"b": [{"c": 1}, {}, None, None]}}
    assert json.loads(text or "") == {
        "/a/b/1/c": "x",
        "/a/b/1/~0~1": 2,
        "/a/b/2": 7,
        "/a/new": {"deep": [1, {}]},
        "/N": 5,
    }
    assert conformer.drift.counts == {
        Place("/a/b/*/c", "int64", "string"): 1,
        Place("/a/b/*/~0~1", None, "integer"): 1,
        Place("/a/b/*", "struct", "integer"): 1,
        Place("/a/new", None, "object"): 1,
        Place("/N", None, "integer"): 1,
    }


def test_rescued_text_is_exact_and_readable() -> None:
    _, text = Conformer(root_of()).conform({"big": 10**40, "é": 1e-7, "one": 1.0})
    assert text == '{"/big":10000000000000000000000000000000000000000,"/one":1.0,"/é":1e-07}'


def test_pointers_are_those_of_rfc_6901() -> None:
    assert pointer((((None, "a/b"), 0), "m~n")) == "/a~1b/0/m~0n"
    assert pointer((((None, "a/b"), 0), ""), "*") == "/a~1b/*/"


def test_drift_is_bounded_and_loses_no_count() -> None:
    one, other = Drift(), Drift()
    for number in range(MAX_PLACES + 5):
        one.add(Place(f"/{number}", None, "string"))
        other.add(Place(f"/{number + 3}", None, "string"), 2)
    one.merge(other)
    assert len(one.counts) == MAX_PLACES
    assert one.total == 3 * (MAX_PLACES + 5)
    long = Conformer(root_of())
    long.conform({"k" * 100_000: 1})
    assert all(len(place.pointer) <= 300 for place in long.drift.counts)


def written(records: list[dict[str, Any]], root: Struct) -> list[dict[str, Any]]:
    """Rows through a real Parquet file."""
    sink = io.BytesIO()
    writer = PartWriter(sink, root, ["s3://b/k"], {"part": 1})
    conformer = Conformer(root)
    for record in records:
        writer.add(*conformer.conform(record), 0, 100)
    writer.close()
    body = sink.getvalue()
    footer = parse_footer(body[-footer_bytes(body) :])
    assert (footer.rows, footer.metadata) == (len(records), {"part": 1})
    table = pq.read_table(io.BytesIO(body))
    assert table.schema.equals(arrow_schema(root, {}), check_metadata=False)
    return table.to_pylist()


def assert_rebuilt(records: list[dict[str, Any]], root: Struct) -> None:
    rows = written(records, root)
    assert len(rows) == len(records)
    for record, row in zip(records, rows, strict=True):
        assert row.pop(SOURCE_COLUMN) == "s3://b/k"
        rescued = row.pop(RESCUED_COLUMN)
        assert same(rebuild(row, rescued), record), (record, row, rescued)


@settings(max_examples=150, deadline=None)
@given(st.lists(RECORDS, max_size=4), ROOTS)
def test_a_record_is_rebuilt_from_a_row_of_any_schema(records: list[dict[str, Any]], root: Struct) -> None:
    assert_rebuilt(records, root)


@settings(max_examples=150, deadline=None)
@given(st.lists(RECORDS, max_size=4))
def test_a_record_is_rebuilt_from_a_row_of_the_schema_inferred_from_it(records: list[dict[str, Any]]) -> None:
    observer = Observer()
    for record in records:
        observer.add(record)
    assert_rebuilt(records, observer.schema())


def test_the_job_s_own_columns_are_last_and_always_there() -> None:
    names = arrow_schema(root_of(z="string", a={"list": "unknown"}), {}).names
    assert names == ["z", "a", SOURCE_COLUMN, RESCUED_COLUMN]
    assert arrow_schema(root_of(), {}).names == [SOURCE_COLUMN, RESCUED_COLUMN]


def test_row_groups_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glue_job.parquet.BATCH_ROWS", 10)
    monkeypatch.setattr("glue_job.parquet.ROW_GROUP_ROWS", 30)
    sink = io.BytesIO()
    writer = PartWriter(sink, root_of(a="int64"), ["s3://b/x", "s3://b/y"], {})
    for number in range(95):
        writer.add({"a": number}, None, number % 2, 1)
    writer.close()
    file = pq.ParquetFile(io.BytesIO(sink.getvalue()))
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [30, 30, 30, 5]
    assert groups[0].column(0).statistics.max == 29
    assert groups[0].column(0).compression == "ZSTD"
    assert file.read().column("a").to_pylist() == list(range(95))
    assert file.read().column(SOURCE_COLUMN).to_pylist()[:2] == ["s3://b/x", "s3://b/y"]


@given(
    st.lists(st.integers(0, 4), max_size=12),
    st.sampled_from([3, 7, 100]),
    st.sampled_from([2, 100]),
    st.sampled_from(["_LARGE_ROW_BYTES", "_LOOSE_BYTES", "ROW_GROUP_BYTES"]),
    st.sampled_from([1, 10**9]),
)
def test_rows_and_batches_are_written_in_the_order_that_they_came_in(
    counts: list[int], row_group_rows: int, batch_rows: int, limit: str, limit_bytes: int
) -> None:
    """counts: 0 for a row, else the rows of a batch."""
    sink = io.BytesIO()
    root = root_of(a="int64", t=struct(x="string"))
    expected: list[dict[str, Any]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glue_job.parquet.ROW_GROUP_ROWS", row_group_rows)
        patch.setattr("glue_job.parquet.BATCH_ROWS", batch_rows)
        patch.setattr(f"glue_job.parquet.{limit}", limit_bytes)
        writer = PartWriter(sink, root, ["s3://b/x", "s3://b/y"], {})
        for number, count in enumerate(counts):
            uri = f"s3://b/{'xy'[number % 2]}"
            rows = [{"a": number, "t": {"x": str(index)}} for index in range(count or 1)]
            if count:
                batch = pa.RecordBatch.from_arrays(pa.array(rows, arrow_type(root)).flatten(), schema=data_schema(root))
                writer.add_batch(batch, number % 2)
            else:
                writer.add(rows[0], '{"/b":1}', number % 2, 10)
            expected += [{**row, SOURCE_COLUMN: uri, RESCUED_COLUMN: None if count else '{"/b":1}'} for row in rows]
        writer.close()
    assert writer.rows == len(expected)
    assert pq.read_table(io.BytesIO(sink.getvalue())).to_pylist() == expected


def test_texts_have_no_statistics_and_a_row_of_its_own_size_a_row_group() -> None:
    sink = io.BytesIO()
    root = root_of(at="string", key="string", few="string", text="string", n="double", l={"list": struct(s="string")})
    writer = PartWriter(sink, root, ["s3://b/k"], {})
    for number in range(200):
        row = {
            "at": f"2026-01-{1 + number % 28:02}T10:00:00.{number}Z",
            "key": f"{number * 7919:08x}",
            "few": "abc"[: 1 + number % 3],
            "text": f"value {number}",
            "n": number / 7,
            "l": [{"s": f"{number:05}"}],
        }
        writer.add(row, '{"/z":1}', 0, 100)
    large = pa.array([{"text": "x" * 25 * 2**20}], arrow_type(root)).flatten()
    writer.add_batch(pa.RecordBatch.from_arrays(large, schema=data_schema(root)), 0)
    writer.add({"n": 1.0}, None, 0, 100)
    writer.close()
    metadata = pq.ParquetFile(io.BytesIO(sink.getvalue())).metadata
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [200, 1, 1]
    columns = [groups[0].column(index) for index in range(groups[0].num_columns)]
    assert {column.path_in_schema.split(".")[0] for column in columns if column.is_stats_set} == {
        "at",
        "key",
        "few",
        "n",
        "l",
        SOURCE_COLUMN,
    }


def test_only_values_that_repeat_get_a_dictionary() -> None:
    sink = io.BytesIO()
    root = root_of(
        few="string", many="string", flag="bool", l={"list": struct(few="int64", many="double")}, none="int64"
    )
    writer = PartWriter(sink, root, ["s3://b/k"], {})
    for number in range(2_000):
        inner = [{"few": number % 3, "many": number / 7}]
        row = {"few": f"v{number % 5}", "many": f"value {number}", "flag": number % 2 == 0, "l": inner}
        writer.add(row, None, 0, 100)
    writer.close()
    group = pq.ParquetFile(io.BytesIO(sink.getvalue())).metadata.row_group(0)
    columns = [group.column(index) for index in range(group.num_columns)]
    with_dictionary = [column.path_in_schema for column in columns if column.has_dictionary_page]
    assert [path.replace(".list.item.", ".list.element.") for path in with_dictionary] == [
        "few",
        "l.list.element.few",
        "none",
        SOURCE_COLUMN,
    ]


def test_what_is_no_parquet_has_no_footer() -> None:
    with pytest.raises(ValueError, match="does not end like a Parquet file"):
        footer_bytes(b"12345678")
