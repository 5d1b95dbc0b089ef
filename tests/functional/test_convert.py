"""What `ndjctl convert` writes: every value, every bad line, and nothing else."""

from __future__ import annotations

import bz2
import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from glue_job import schema
from glue_job.schema import Field, Scalar, Struct
from ndjctl.contracts import RESCUED_COLUMN, SOURCE_COLUMN, bad_line_bytes, count_lines
from ndjctl.errors import UsageError
from tests.convert_world import Quiet, bad_lines, convert, convert_stream, names, report, rows, rows_of
from tests.e2e.test_run import same, unrescued
from tests.kernel_strategies import LINES

DATA = Path(__file__).resolve().parents[1] / "data"
REAL = (DATA / "tweets.ndjson", DATA / "github_events.ndjson")

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}
ID = Struct((Field("id", Scalar(schema.INT64)),))


def check(path: Path, found: list[dict[str, Any]]) -> None:
    expected = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(found) == len(expected)
    for record, row in zip(expected, found, strict=True):
        assert same(record, unrescued(row)), (record, row)


def lines_of(count: int, width: int = 50) -> bytes:
    return b"".join(json.dumps({"id": n, "text": f"{n:0{width}}"}).encode() + b"\n" for n in range(count))


def test_real_files_come_back_value_by_value(tmp_path: Path) -> None:
    outcome = convert(REAL, tmp_path / "out")
    assert outcome.ok
    assert (outcome.lines, outcome.rows, outcome.bad_lines, outcome.drift.total) == (130, 130, 0, 30)
    assert names(tmp_path / "out") == ["_report.json", "_schema.json", "part-00000.parquet"]
    for path in REAL:
        check(path, rows_of(tmp_path / "out", path))


@pytest.mark.parametrize("suffix", ["", *COMPRESSIONS])
def test_a_stream_gives_the_rows_of_the_file(tmp_path: Path, suffix: str) -> None:
    text = REAL[0].read_bytes()
    content = COMPRESSIONS[suffix](text) if suffix else text
    outcome = convert_stream(content, tmp_path / "out", piece_bytes=4000)
    assert (outcome.ok, outcome.lines, outcome.rows) == (True, 100, 100)
    assert outcome.files[0].size_bytes == len(content)
    check(REAL[0], rows_of(tmp_path / "out", "-"))


def test_a_stream_is_cut_into_parts_of_about_a_size_however_it_comes(tmp_path: Path) -> None:
    text = b"".join(
        json.dumps({"id": n, "text": f"{n * 7919 % 104729:x}" * 40}).encode() + b"\n" for n in range(60_000)
    )
    whole = convert_stream(text, tmp_path / "whole", part_bytes=100_000)
    pieces = convert_stream(text, tmp_path / "pieces", piece_bytes=65_536, part_bytes=100_000)
    convert_stream(gzip.compress(text, 1), tmp_path / "compressed", part_bytes=100_000)
    assert len(whole.parts) > 2
    assert [part.rows for part in whole.parts] == [part.rows for part in pieces.parts]
    assert all(part.size_bytes < 300_000 for part in whole.parts)
    found = rows(tmp_path / "whole")
    assert [row["id"] for row in found] == list(range(60_000))
    assert rows(tmp_path / "pieces") == rows(tmp_path / "compressed") == found


def test_compression_is_told_by_content_and_odd_ends_are_none(tmp_path: Path) -> None:
    text = b'\xef\xbb\xbf{"a":1}\r\n\r\n \t\n{"a":2}'
    for name, compress in {"plain": bytes, **COMPRESSIONS}.items():
        (tmp_path / f"{name}.ndjson").write_bytes(compress(text))
    (tmp_path / "two-streams").write_bytes(gzip.compress(text + b"\n") + gzip.compress(b'{"a":3}\n'))
    inputs = [*sorted(tmp_path.glob("*.ndjson")), tmp_path / "two-streams"]
    outcome = convert(inputs, tmp_path / "out")
    assert [file.lines for file in outcome.files] == [2, 2, 2, 2, 3]
    for path in inputs[:4]:
        assert [row["a"] for row in rows_of(tmp_path / "out", path)] == [1, 2]


def test_nothing_to_convert_is_no_row(tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("blank", b"\n \r\n\t"), ("mark", b"\xef\xbb\xbf")):
        (tmp_path / name).write_bytes(content)
        assert convert([tmp_path / name], tmp_path / "out").ok
        assert rows(tmp_path / "out") == []
        assert convert_stream(content, tmp_path / "out2").ok
        assert rows(tmp_path / "out2") == []


def test_processes_make_no_difference_to_rows_and_a_second_run_none_to_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.ndjson").write_bytes(lines_of(4_000 + number) + b"not JSON\n")
    (folder / "5.jsonl.gz").write_bytes(gzip.compress(lines_of(3_000)))
    single = convert([folder], tmp_path / "one", processes=1)
    reporter = Quiet()
    several = convert([folder], tmp_path / "two", reporter=reporter, processes=2, least_text_bytes=100_000)
    assert (len(single.parts), len(several.parts)) == (1, 2)
    assert rows(tmp_path / "one") == rows(tmp_path / "two")
    lines = [(r["source"], r["byte_offset"]) for r in bad_lines(tmp_path / "two")]
    assert lines == [(r["source"], r["byte_offset"]) for r in bad_lines(tmp_path / "one")]
    assert len(lines) == 5
    assert reporter.total_bytes is not None
    assert 0.9 < reporter.read_bytes / reporter.total_bytes < 1.2

    before = {
        name: (tmp_path / "two" / name).read_bytes() for name in names(tmp_path / "two") if name != "_report.json"
    }
    convert([folder], tmp_path / "two", processes=2, least_text_bytes=100_000)
    for name, content in before.items():
        assert (tmp_path / "two" / name).read_bytes() == content, name


def test_bad_lines_are_kept_as_the_job_keeps_them(tmp_path: Path) -> None:
    bad = {1: b'{"id":', 3: b"[]", 5: b'{"id":"\xff"}'}
    content = [bad.get(number, b'{"id":%d}' % number) for number in range(8)]
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"\n".join(content))
    outcome = convert([path], tmp_path / "out")
    assert outcome.ok
    found = bad_lines(tmp_path / "out")
    assert {record["line_number"] - 1: bad_line_bytes(record) for record in found} == bad
    assert {record["source"] for record in found} == {str(path)}
    assert sum(outcome.bad.counts.values()) == outcome.bad_lines == 3
    assert report(tmp_path / "out")["parts"][0]["bad_lines_name"] == "_malformed/part-00000.ndjson"


@given(st.lists(LINES, max_size=12), st.sampled_from([b"\n", b"\r\n"]))
@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_line_is_a_row_or_a_bad_line_of_a_file_as_of_a_stream(
    tmp_path: Path, lines: list[bytes], line_end: bytes
) -> None:
    path = tmp_path / "a"
    path.write_bytes(line_end.join(lines))
    outcome = convert([path], tmp_path / "out")
    assert outcome.ok
    expected = count_lines([path.read_bytes()])
    if not path.read_bytes().startswith((b"\x1f\x8b", b"BZh", b"\x28\xb5")):
        assert len(rows(tmp_path / "out")) + len(bad_lines(tmp_path / "out")) == outcome.lines == expected
    convert_stream(path.read_bytes(), tmp_path / "streamed")
    without_source = [{**row, SOURCE_COLUMN: ""} for row in rows(tmp_path / "out")]
    assert [{**row, SOURCE_COLUMN: ""} for row in rows(tmp_path / "streamed")] == without_source


# --------------------------------------------------------------------------------------------------------------
# Schemas and drift


def drifting(tmp_path: Path) -> Path:
    """What no sample sees is off the schema that a sample gives."""
    path = tmp_path / "drift.ndjson"
    path.write_bytes(lines_of(30_000) + b'{"id":"x","new":{"deep":[1.5]}}\n' * 3)
    return path


def test_add_offers_the_next_schema_which_then_takes_the_new_fields(tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcome = convert([drifting(tmp_path)], out)
    assert outcome.ok
    assert outcome.drift.total == 6
    assert [json.loads(row[RESCUED_COLUMN]) for row in rows(out) if row[RESCUED_COLUMN]] == [
        {"/id": "x", "/new": {"deep": [1.5]}}
    ] * 3
    following = schema.from_document((out / "_schema.next.json").read_bytes(), "next")
    again = convert([drifting(tmp_path)], out, declared=following)
    assert again.drift.total == 3
    assert rows(out)[-1]["new"] == {"deep": [1.5]}
    assert "_schema.next.json" not in names(out)
    assert schema.from_document((out / "_schema.json").read_bytes(), "it") == following


def test_add_takes_new_fields_of_the_sample_at_once_and_rescue_does_not(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b'{"id":1,"more":"x"}\n')
    assert convert([path], tmp_path / "add", declared=ID).drift.total == 0
    assert rows(tmp_path / "add")[0]["more"] == "x"
    assert convert([path], tmp_path / "rescue", declared=ID, on_drift="rescue").drift.total == 1
    assert list(rows(tmp_path / "rescue")[0]) == ["id", SOURCE_COLUMN, RESCUED_COLUMN]


@pytest.mark.parametrize("declared", [ID, None])
def test_fail_shows_nothing_and_leaves_what_was_there(tmp_path: Path, declared: Struct | None) -> None:
    out = tmp_path / "out"
    good = tmp_path / "good.ndjson"
    good.write_bytes(b'{"id":1}\n')
    convert([good], out)
    before = {name: (out / name).read_bytes() for name in names(out)}
    outcome = convert([good, drifting(tmp_path)], out, declared=declared, on_drift="fail")
    assert not outcome.ok
    assert outcome.refused is not None
    assert "/new (new field, 3 values)" in outcome.refused or "/text" in outcome.refused
    assert {name: (out / name).read_bytes() for name in names(out)} == before


# --------------------------------------------------------------------------------------------------------------
# Files that fail


def test_a_file_that_changes_or_goes_fails_alone(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.ndjson" for number in range(4)]
    for path in paths:
        path.write_bytes(lines_of(100))

    def meanwhile() -> None:
        paths[1].write_bytes(lines_of(101))
        paths[2].unlink()

    outcome = convert(paths, tmp_path / "out", meanwhile)
    assert not outcome.ok
    assert [file.status for file in outcome.files] == ["completed", "failed", "failed", "completed"]
    assert outcome.files[1].error == f"{paths[1]}: it was changed while it was being converted"
    assert outcome.files[2].error == f"{paths[2]}: it is no longer there"
    assert len(rows(tmp_path / "out")) == outcome.rows == outcome.lines == 200
    told = report(tmp_path / "out")["files"]
    assert [file["error"] is None for file in told] == [True, False, False, True]
    assert [file["rows"] for file in told] == [100, None, None, 100]


def test_damaged_data_fails_its_file_alone(tmp_path: Path) -> None:
    good, cut, wrong = tmp_path / "good", tmp_path / "cut", tmp_path / "wrong"
    good.write_bytes(lines_of(10))
    whole = gzip.compress(lines_of(3_000))
    cut.write_bytes(whole[:-500])
    wrong.write_bytes(whole[:-8] + b"\0" * 8)
    outcome = convert([cut, good, wrong], tmp_path / "out")
    assert [file.status for file in outcome.files] == ["failed", "completed", "failed"]
    assert all("gzip data is damaged or cut off" in str(file.error) for file in outcome.failed)
    assert len(rows(tmp_path / "out")) == 10


def test_when_nothing_is_left_nothing_is_written(tmp_path: Path) -> None:
    cut = gzip.compress(lines_of(3_000))[:-500]
    (tmp_path / "cut").write_bytes(cut)
    for outcome in (
        convert([tmp_path / "cut"], tmp_path / "new" / "out"),
        convert_stream(cut, tmp_path / "new" / "out"),
    ):
        assert not outcome.ok
        assert not outcome.is_published
    assert not (tmp_path / "new").exists()


def test_too_many_bad_lines_fail_the_file(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad", tmp_path / "good"
    bad.write_bytes(lines_of(8) + b"x\ny\n")
    good.write_bytes(lines_of(9) + b"x\n")
    for limit in ({"max_bad_lines": 1}, {"max_bad_percent": 10.0}):
        outcome = convert([bad, good], tmp_path / "out", **limit)
        assert [file.status for file in outcome.files] == ["failed", "completed"], limit
        assert "not valid JSON" in str(outcome.files[0].error)
        assert len(rows(tmp_path / "out")) == 9
        assert len(bad_lines(tmp_path / "out")) == 1
        assert not convert_stream(bad.read_bytes(), tmp_path / "other", **limit).is_published
    assert convert([bad, good], tmp_path / "out", max_bad_lines=2, max_bad_percent=20.0).ok


def test_a_line_beyond_the_limit_is_a_bad_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b'{"a":"' + b"x" * 2_000_000 + b'"}\n{"a":"y"}\n')
    assert convert([path], tmp_path / "out", max_line_bytes=2**20).bad_lines == 1
    assert convert([path], tmp_path / "out", max_line_bytes=2**22).bad_lines == 0
    assert convert_stream(path.read_bytes(), tmp_path / "out", max_line_bytes=2**20).bad_lines == 1


# --------------------------------------------------------------------------------------------------------------
# Dry runs


@pytest.mark.parametrize("compress", [bytes, *COMPRESSIONS.values()])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_dry_run_finds_what_a_run_does_and_writes_nothing(
    tmp_path: Path, compress: Callable[[bytes], bytes], processes: int
) -> None:
    path = tmp_path / "in" / "a.ndjson"
    path.parent.mkdir()
    path.write_bytes(compress(lines_of(20_000) + b'{"id":"x"}\n' + b"[]\n" + lines_of(5) + b"{\n"))
    chosen: dict[str, Any] = {"processes": processes, "least_text_bytes": 200_000}
    dry = convert([path], tmp_path / "out", is_dry=True, **chosen)
    assert names(tmp_path) == ["in/a.ndjson"]
    assert not dry.ok
    real = convert([path], tmp_path / "out", **chosen)
    assert [(part.name, part.rows, part.size_bytes) for part in dry.parts] == [
        (part.name, part.rows, part.size_bytes) for part in real.parts
    ]
    assert (dry.lines, dry.rows, dry.bad_lines) == (real.lines, real.rows, real.bad_lines) == (20_008, 20_006, 2)
    assert dry.drift.counts == real.drift.counts
    first = dry.bad.first["not an object"]
    assert (first.source, first.line_number, dry.bad.first["not JSON"].line_number) == (str(path), 20_002, 20_008)
    assert first.byte_offset == len(lines_of(20_000)) + len(b'{"id":"x"}\n')


def test_a_dry_run_of_a_stream(tmp_path: Path) -> None:
    outcome = convert_stream(b'{"a":1}\nx\n', None, is_dry=True)
    assert (outcome.ok, outcome.rows, outcome.bad.first["not JSON"].line_number) == (False, 1, 2)
    assert convert_stream(b'{"a":1}\n', tmp_path / "out", is_dry=True).ok
    assert not (tmp_path / "out").exists()


def test_a_dry_run_under_fail_still_tells_everything(tmp_path: Path) -> None:
    outcome = convert([drifting(tmp_path)], None, is_dry=True, declared=ID, on_drift="fail")
    assert (outcome.rows, outcome.drift.total, outcome.refused is None) == (30_003, 30_006, False)


# --------------------------------------------------------------------------------------------------------------
# What is found


def test_files_are_named_as_they_were_given_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in/deep").mkdir(parents=True)
    for name in ("b.ndjson", "a.jsonl", "deep/c.ndjson.gz", "deep/readme.txt"):
        Path("in", name).write_bytes(b'{"a":1}\n')
    outcome = convert(["./in/b.ndjson", "in", "in/deep/readme.txt"], tmp_path / "out")
    assert [file.path for file in outcome.files] == [
        "./in/b.ndjson",
        "in/a.jsonl",
        "in/deep/c.ndjson.gz",
        "in/deep/readme.txt",
    ]
    assert [row[SOURCE_COLUMN] for row in rows(tmp_path / "out")] == [file.path for file in outcome.files]


def test_an_output_folder_in_the_input_folder_is_no_input(tmp_path: Path) -> None:
    shutil.copy(REAL[1], tmp_path / "a.ndjson")
    (tmp_path / "bad.ndjson").write_bytes(b"x\n")
    for _ in range(2):
        assert [file.lines for file in convert([tmp_path], tmp_path / "out").files] == [30, 1]
    assert [file.lines for file in convert([tmp_path], tmp_path / "other").files] == [30, 1]
    with pytest.raises(UsageError, match="both input and output"):
        convert([tmp_path], tmp_path)
    with pytest.raises(UsageError, match="bad lines of an earlier conversion"):
        convert([tmp_path / "out/_malformed/part-00000.ndjson"], tmp_path / "out")


def test_odd_names_are_data(tmp_path: Path) -> None:
    path = tmp_path / "[red]\n\x1b[31m ü.ndjson"
    path.write_bytes(b'{"a":1}\nx\n')
    assert convert([path], tmp_path / "out").ok
    assert rows(tmp_path / "out")[0][SOURCE_COLUMN] == bad_lines(tmp_path / "out")[0]["source"] == str(path)
