"""What is an object's own fault and what a cloud's, and the places of rescued values."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError, ResponseStreamingError
from hypothesis import given
from hypothesis import strategies as st

from glue_job.conform import pointer
from ndjctl.damage import PARQUET, Damaged, damage_told, manifest_of_part, read_whole, text_column
from ndjctl.proof import _place
from ndjctl.quarantine.lines import line_facts, stored_lines, whole_lines

URI = "s3://b/k"
LINE = {
    "version": 1,
    "source": "s3://b/a",
    "byte_offset": 3,
    "line_number": 1,
    "reason": "r",
    "detail": "d",
    "raw": "x",
}


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObject")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("odd\nthing."), "it cannot be read as Parquet (odd thing)"),
        (OSError("ZSTD failed"), "it cannot be read as Parquet (ZSTD failed)"),
        (pa.ArrowNotImplementedError("encrypted"), "it cannot be read as Parquet (encrypted)"),
        (MemoryError(), "it cannot be read as Parquet (there is not enough memory for it)"),
        (
            pa.ArrowMemoryError("malloc of 9"),
            "it cannot be read as Parquet (there is not enough memory for it: malloc of 9)",
        ),
        (ValueError("x" * 999), f"it cannot be read as Parquet ({'x' * 200})"),
        (refused("NoSuchKey"), "it changed or went while it was read (NoSuchKey)"),
        (refused("InvalidRange"), "it changed or went while it was read (InvalidRange)"),
    ],
)
def test_what_is_the_objects_fault(error: Exception, told: str) -> None:
    with pytest.raises(Damaged) as raised, damage_told(URI, PARQUET):
        raise error
    assert (raised.value.why, str(raised.value)) == (told, f"{URI}: {told}.")
    assert raised.value.is_gone == ("NoSuchKey" in told)


@pytest.mark.parametrize(
    "error",
    [
        refused("AccessDenied"),
        refused("SlowDown"),
        refused("NoSuchBucket"),
        ReadTimeoutError(endpoint_url="x"),
        PermissionError(13, "no", "f"),
        TypeError("ours"),
    ],
)
def test_what_is_not_passes_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, damage_told(URI, PARQUET):
        raise error
    assert raised.value is error


def test_a_body_that_broke_off_is_read_again() -> None:
    answers: list[Any] = [ResponseStreamingError(error="cut"), ResponseStreamingError(error="cut"), 7]

    def read() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return int(answer)

    assert read_whole(read, URI, PARQUET) == 7
    answers += [ResponseStreamingError(error="cut")] * 3
    with pytest.raises(ResponseStreamingError):
        read_whole(read, URI, PARQUET)


def test_columns_that_a_part_has_to_have() -> None:
    text = pa.dictionary(pa.int32(), pa.string())

    def number(fields: list[tuple[str, pa.DataType]]) -> int:
        sink = io.BytesIO()
        pq.write_table(pa.schema(fields).empty_table(), sink)
        return text_column(pq.read_metadata(sink).schema, "a")

    inner = pa.struct([("a", pa.string())])
    assert number([("n", inner), ("b", pa.string()), ("a", text)]) == 2
    assert number([("a", pa.large_string())]) == 0
    for fields, told in (
        ([("b", text), ("n", inner)], "it has no column a"),
        ([("a", inner)], "it has no column a"),
        ([("a", text), ("a", text)], "it has 2 columns a"),
        ([("a", pa.int64())], "its column a is of type INT64, and not of text"),
        ([("a", pa.binary())], "its column a is of type BYTE_ARRAY, and not of text"),
    ):
        with pytest.raises(ValueError, match=told):
            number(fields)


def test_the_manifest_in_the_name_of_a_part() -> None:
    assert manifest_of_part("parquet/2026-01-02/part-20260102T000000000Z-ab-00001.parquet") == "20260102T000000000Z-ab"
    for key in (
        "parquet/2026-01-02/copy.parquet",
        "parquet/part-x-00000.parquet",
        "parquet/2026-01-02/s/part-x-00000.parquet",
    ):
        assert manifest_of_part(key) == ""


def test_of_bad_lines_it_is_said_which_one_is_wrong() -> None:
    good = json.dumps(LINE).encode() + b"\n"
    for bad, told in (
        (b"garbage", "line 2: no JSON at character 1: Expecting value"),
        (good[:60], "line 2: no JSON at character "),
        (b"[]", "line 2: without a source"),
        (b'{"version":1}', "line 2: without a source"),
        (b"\xff\xfe[\x00]\x00", "line 2: not UTF-8 at byte 1"),
        (b"[" * 15_000, "line 2: "),
    ):
        for read in (line_facts, stored_lines, whole_lines):
            with pytest.raises(ValueError, match=r"^line 2: ") as raised:
                list(read(io.BytesIO(good + bad)))  # type: ignore[operator]
            assert told in str(raised.value)


def test_a_line_that_is_cut_within_its_raw_is_damage_though_all_is_said_of_it() -> None:
    whole = json.dumps(LINE).encode() + b"\n"
    assert [facts["source"] for facts in line_facts(io.BytesIO(whole * 2))] == [LINE["source"]] * 2
    for cut in range(1, 4):
        for read in (line_facts, stored_lines):
            with pytest.raises(ValueError, match="line 2: it is cut off"):
                list(read(io.BytesIO(whole + whole[:-cut])))


@pytest.mark.parametrize(
    "line",
    [{**LINE, "byte_offset": [1]}, {**LINE, "line_number": float("inf")}, {**LINE, "raw": None, "raw_base64": 5}],
)
def test_values_of_a_wrong_type_are_damage_too(line: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^line 1: "):
        list(whole_lines(io.BytesIO(json.dumps(line).encode())))


def test_a_line_without_its_raw_is_no_whole_one() -> None:
    line = {name: value for name, value in LINE.items() if name != "raw"}
    with pytest.raises(ValueError, match="line 1: without the line itself"):
        list(whole_lines(io.BytesIO(json.dumps(line).encode())))


names = st.sampled_from(["a", "0", "1", "~", "x/y", ""])
types = st.recursive(
    st.just(pa.int64()),
    lambda inner: st.one_of(
        inner.map(pa.list_),
        st.dictionaries(names, inner, min_size=1, max_size=3).map(lambda d: pa.struct(list(d.items()))),
    ),
    max_leaves=8,
)


@given(st.data(), st.dictionaries(names, types, min_size=1, max_size=3))
def test_an_index_is_told_from_a_field_that_is_named_by_digits(data: st.DataObject, fields: dict[str, Any]) -> None:
    """A path to any place, in the schema or one step beyond it, as the job writes its pointer."""
    kind: Any = pa.struct(list(fields.items()))
    path: Any = None
    while pa.types.is_nested(kind):
        if pa.types.is_list(kind):
            path, kind = (path, data.draw(st.integers(0, 11))), kind.value_type
        else:
            name = data.draw(names)
            index = kind.get_field_index(name)
            path, kind = (path, name), kind.field(index).type if index >= 0 else pa.int64()
        if data.draw(st.booleans()):
            break
    assert _place(pointer(path), pa.struct(list(fields.items()))) == pointer(path, "*")


def test_the_module_of_damage_needs_no_parquet(tmp_path: Path) -> None:
    """Quarantined lines are read without pyarrow, which the plain installation lacks."""
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from ndjctl.damage import *\n"
        "try:\n with damage_told('s3://b/k', BAD_LINES): raise ValueError('x')\n"
        "except Damaged as e: print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("s3://b/k: it cannot be read as quarantined lines (x).\n", "")
