"""What a run makes of files: rows, quarantined lines, report. Through S3 and DynamoDB by moto and real Parquet."""

from __future__ import annotations

import base64
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from glue_job import parquet
from glue_job.conform import rebuild
from glue_job.convert import PartResult, PartTask, convert_part
from glue_job.infer import Observer
from glue_job.plan import Slice
from glue_job.publish import publish
from glue_job.s3_store import S3Store
from glue_job.store import Target
from ndjctl import contracts
from ndjctl.contracts import BYTE_ORDER_MARK, RESCUED_COLUMN, SOURCE_COLUMN, ManifestFile
from tests.glue_world import DATE, INPUT, OUTPUT, QUARANTINE, RUN, World, glue_world
from tests.kernel_strategies import same

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture
def world() -> Iterator[World]:
    with glue_world() as made:
        yield made


def test_three_bad_lines_among_a_thousand(world: World) -> None:
    lines = [json.dumps({"n": number, "text": f"line {number}"}).encode() for number in range(1_000)]
    lines[10] = b'{"n":10,"text":"cut'
    lines[500] = b'{"n":1}{"n":2}'
    lines[999] = b'{"n":999,"text":"\xff\xfe"}'
    body = b"\n".join(lines)
    manifest = world.manifest_of(body)
    assert world.run(manifest) == 0

    rows = world.rows()
    assert [row["n"] for row in rows] == [number for number in range(1_000) if number not in (10, 500, 999)]
    bad = world.bad_lines()
    assert [entry["line_number"] for entry in bad] == [11, 501, 1_000]
    for entry in bad:
        raw = contracts.bad_line_bytes(entry)
        assert body[entry["byte_offset"] :].startswith(raw)
        assert raw == lines[entry["line_number"] - 1]
        assert entry["source"] == manifest.files[0].uri
    assert [entry["detail"] for entry in bad] == [
        "not valid JSON at character 16: Unterminated string starting at",
        "more than one JSON value on the line: the first ends before the one at character 8",
        "invalid UTF-8 at byte 18: invalid start byte",
    ]
    assert "raw_base64" in bad[2]

    item = world.file_item(manifest.files[0])
    assert (item["status"], item["lines"], item["rows"], item["bad_lines"]) == ("completed", 1_000, 997, 3)
    assert item["run_id"] == RUN
    assert world.report(manifest)["totals"]["bad_lines"] == 3
    assert world.counter("rows_written") == 997
    assert world.counter("lines_quarantined") == 3
    assert world.counter("files_completed") == 1


@pytest.mark.parametrize("names", [("tweets",), ("github_events",), ("tweets", "github_events")])
def test_real_data_read_by_another_reader_is_what_the_source_says(
    world: World, names: tuple[str, ...], tmp_path: Path
) -> None:
    bodies = [(DATA / f"{name}.ndjson").read_bytes() for name in names]
    manifest = world.manifest_of(*bodies)
    assert world.run(manifest) == 0
    assert world.bad_lines() == []
    path = tmp_path / "part.parquet"
    path.write_bytes(world.body(OUTPUT, contracts.part_key(DATE, "m1", 0)))

    answer = duckdb.sql(f"from read_parquet('{path}')")
    columns = [column[0] for column in answer.description]
    rows = [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]
    expected = [
        (file.uri, json.loads(line))
        for file, body in zip(manifest.files, bodies, strict=True)
        for line in body.splitlines()
    ]
    assert len(rows) == len(expected)
    for row, (uri, record) in zip(rows, expected, strict=True):
        assert row.pop(SOURCE_COLUMN) == uri
        rescued = row.pop(RESCUED_COLUMN)
        if len(names) == 1:
            assert rescued is None
        assert same(rebuild(row, rescued), record)


def test_nested_values_are_columns_that_can_be_asked_for(world: World, tmp_path: Path) -> None:
    manifest = world.manifest_of((DATA / "tweets.ndjson").read_bytes())
    world.run(manifest)
    path = tmp_path / "part.parquet"
    path.write_bytes(world.body(OUTPUT, contracts.part_key(DATE, "m1", 0)))
    source = [json.loads(line) for line in (DATA / "tweets.ndjson").read_bytes().splitlines()]
    answer = duckdb.sql(
        f"select sum(user.followers_count), count(*) filter (retweet_count > 0), sum(len(entities.hashtags)) "
        f"from read_parquet('{path}')"
    ).fetchall()
    assert answer[0] == (
        sum(record["user"]["followers_count"] for record in source),
        sum(record["retweet_count"] > 0 for record in source),
        sum(len(record["entities"]["hashtags"]) for record in source),
    )


def test_line_ends_marks_and_blanks(world: World) -> None:
    manifest = world.manifest_of(
        BYTE_ORDER_MARK + b'{"a":1}\r\n\r\n{"a":2}\r\n',
        b'{"a":3}\n \t \n{"a":4}',
        b"\n\n",
        b"[]\n" + BYTE_ORDER_MARK + b'{"a":5}\n{"a":6}',
    )
    assert world.run(manifest) == 0
    assert [row["a"] for row in world.rows()] == [1, 2, 3, 4, 6]
    assert [(entry["byte_offset"], entry["line_number"]) for entry in world.bad_lines()] == [(0, 1), (3, 2)]
    report = world.report(manifest)
    assert [(file["lines"], file["rows"], file["bad_lines"]) for file in report["files"]] == [
        (2, 2, 0),
        (2, 2, 0),
        (0, 0, 0),
        (3, 1, 2),
    ]
    for file in report["files"]:
        assert file["lines"] == contracts.count_lines([world.body(INPUT, file["key"])])


def test_a_part_of_nothing_but_bad_lines_is_written_all_the_same(world: World) -> None:
    manifest = world.manifest_of(b"nope\n{}}\n")
    assert world.run(manifest) == 0
    table = pq.read_table(io.BytesIO(world.body(OUTPUT, contracts.part_key(DATE, "m1", 0))))
    assert (table.num_rows, table.column_names) == (0, [SOURCE_COLUMN, RESCUED_COLUMN])
    assert len(world.bad_lines()) == 2
    assert world.schema_versions() == []  # nothing was seen, so nothing is pinned for ever
    assert world.file_item(manifest.files[0])["status"] == "completed"


def test_the_part_says_what_it_is_made_of(world: World) -> None:
    manifest = world.manifest_of(b'{"a":1}\n', b'{"a":2}\n')
    world.run(manifest)
    found = pq.read_metadata(io.BytesIO(world.body(OUTPUT, contracts.part_key(DATE, "m1", 0))))
    metadata = json.loads(found.metadata[contracts.PARQUET_METADATA_KEY.encode()])
    assert {name: metadata[name] for name in ("manifest", "part", "dataset", "schema_version")} == {
        "manifest": "m1",
        "part": 0,
        "dataset": "default",
        "schema_version": 1,
    }
    report = world.report(manifest)
    assert report["format"] == contracts.REPORT_FORMAT
    assert report["schema"] == {"dataset": "default", "version": 1, "previous_version": 0, "next_version": None}
    assert report["parts"][0]["rows"] == 2
    assert report["parts"][0]["size_bytes"] == len(world.body(OUTPUT, report["parts"][0]["key"]))
    assert set(report["timings_s"]) == {
        "claim",
        "sample",
        "schema",
        "spark",
        "plan",
        "convert",
        "publish",
        "verify",
    }


def test_keys_are_data(world: World) -> None:
    key = "a b/+é%2F'\"$(x)&=;.ndjson"
    manifest = world.put_manifest([world.put_file(key, b'{"a":1}\nbad\n')])
    assert world.run(manifest) == 0
    assert world.rows()[0][SOURCE_COLUMN] == f"s3://{INPUT}/{key}"
    assert world.bad_lines()[0]["source"] == f"s3://{INPUT}/{key}"
    assert world.file_item(manifest.files[0])["status"] == "completed"


# --------------------------------------------------------------------------------------------------------------
# One part at a time


def convert(world: World, task: PartTask) -> PartResult:
    """The part, made visible."""
    result = convert_part(task, S3Store(world.s3))
    publish(S3Store(world.s3), [result])
    return result


def task_of(world: World, file: ManifestFile, number: int, start: int, end: int, **more: Any) -> PartTask:
    observer = Observer()
    observer.add({"n": 1, "t": "x"})
    return PartTask(
        number=number,
        slices=(Slice(0, start, end),),
        files={0: file},
        root=observer.schema(),
        target=Target(OUTPUT, f"part-{number}"),
        bad_lines_target=Target(QUARANTINE, f"bad-{number}"),
        metadata={},
        **more,
    )


def test_a_file_cut_at_any_byte_gives_the_same_rows(world: World) -> None:
    body = BYTE_ORDER_MARK + '{"n":1,"t":"é"}\r\n\n{"n":2}\nbad\n{"n":3,"x":[1]}\n  \n{"n":4}'.encode()
    file = world.put_file("cut.ndjson", body)

    def read(parts: list[tuple[int, int]]) -> tuple[list[Any], list[int], int]:
        rows: list[Any] = []
        offsets: list[int] = []
        lines = 0
        for number, (start, end) in enumerate(parts):
            result = convert(world, task_of(world, file, number, start, end))
            assert result.error is None
            lines += result.slices[0].lines
            rows += pq.read_table(io.BytesIO(world.body(OUTPUT, f"part-{number}"))).to_pylist()
            if result.bad_lines:
                offsets += [json.loads(x)["byte_offset"] for x in world.body(QUARANTINE, f"bad-{number}").splitlines()]
        return rows, offsets, lines

    whole = read([(0, len(body))])
    assert (len(whole[0]), whole[1], whole[2]) == (4, [body.index(b"bad")], 5)
    for cut in range(1, len(body)):
        assert read([(0, cut), (cut, len(body))]) == whole, cut


def test_a_line_beyond_the_limit_is_quarantined_by_its_beginning(world: World) -> None:
    body = b'{"n":1}\n{"t":"' + "é".encode() * 3_000 + b'"}\n{"n":2}\n'
    file = world.put_file("long.ndjson", body)
    result = convert(world, task_of(world, file, 0, 0, len(body), max_line_bytes=2_000))
    assert (result.rows, result.bad_lines) == (2, 1)
    entry = json.loads(world.body(QUARANTINE, "bad-0"))
    assert (entry["reason"], entry["detail"]) == ("line too long", "6008 bytes, the limit is 2000")
    assert (entry["raw_bytes"], entry["truncated"], entry["byte_offset"], entry["line_number"]) == (6_008, True, 8, 2)
    kept = contracts.bad_line_bytes(entry)
    assert len(kept) == 1_024
    assert body[8:].startswith(kept)


def test_a_large_part_is_streamed_in_row_groups(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 4 * 1024 * 1024)
    noise = [base64.b64encode(random.Random(number).randbytes(3_000)).decode() for number in range(64)]
    lines = [json.dumps({"n": number, "t": noise[number % 64][number % 50 :] + str(number)}) for number in range(4_000)]
    body = "\n".join(lines).encode()
    file = world.put_file("large.ndjson", body)
    result = convert(world, task_of(world, file, 0, 0, len(body)))
    assert (result.error, result.rows) == (None, 4_000)
    read = pq.ParquetFile(io.BytesIO(world.body(OUTPUT, "part-0")))
    assert read.metadata.num_row_groups >= 3
    assert read.read().column("t").to_pylist() == [json.loads(line)["t"] for line in lines]
    assert world.s3.list_multipart_uploads(Bucket=OUTPUT).get("Uploads", []) == []


def test_a_task_that_fails_leaves_nothing_and_says_why_in_one_line(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = world.put_file("x.ndjson", b'{"n":1}\nbad\n')
    monkeypatch.setattr(parquet.PartWriter, "close", lambda _self: 1 / 0)
    result = convert(world, task_of(world, file, 0, 0, file.size_bytes))
    assert result.error == "ZeroDivisionError: division by zero"
    assert world.keys(OUTPUT) == world.keys(QUARANTINE) == []
    assert json.loads(capsys.readouterr().err)["event"] == "part failed"
