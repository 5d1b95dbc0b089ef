"""The whole pipeline through `ndjctl run`: the real bundles on the embedded cloud, real Spark, read back by DuckDB."""

from __future__ import annotations

import bz2
import gzip
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ndjctl.aws import Cloud
from ndjctl.contracts import RESCUED_COLUMN, SOURCE_COLUMN, s3_uri, split_s3_uri
from tests.e2e.conftest import DATA, Tool, rows_of

pytestmark = pytest.mark.e2e


def same(expected: Any, found: Any) -> bool:
    """Whether a value of the source came back: numbers as numbers, and a field that the source lacks as null."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(same(expected.get(k), found.get(k)) for k in expected.keys() | found)
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(same(e, f) for e, f in zip(expected, found, strict=True))
        )
    if isinstance(expected, bool) or isinstance(found, bool) or isinstance(expected, str) or isinstance(found, str):
        return type(expected) is type(found) and expected == found
    return bool(expected == found)


def unrescued(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its rescued values back in their places."""
    record = {name: value for name, value in row.items() if name not in (SOURCE_COLUMN, RESCUED_COLUMN)}
    for pointer, value in json.loads(row[RESCUED_COLUMN] or "{}").items():
        place: Any = record
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        for part in parents:
            place = place[int(part) if isinstance(place, list) else part]
        place[int(last) if isinstance(place, list) else last] = value
    return record


def check(path: Path, rows: list[dict[str, Any]]) -> None:
    """Every record of the file against the row of the same place."""
    expected = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    found = [unrescued(row) for row in rows if row[SOURCE_COLUMN].endswith("/" + path.name)]
    assert len(found) == len(expected)
    for number, (record, row) in enumerate(zip(expected, found, strict=True)):
        assert same(record, row), f"{path.name}, record {number}: {record} came back as {row}"


def test_real_files_come_back_value_by_value_and_a_second_run_changes_nothing(
    tool: Tool, embedded: Cloud, tmp_path: Path
) -> None:
    tweets = DATA / "tweets.ndjson"
    first = tool.run(tweets)
    assert (first["files"], first["lines_in"], first["rows_out"], first["lost"]) == (1, 100, 100, 0)
    rows = rows_of(embedded, first["parquet"], tmp_path)
    check(tweets, rows)
    assert all(row[RESCUED_COLUMN] is None for row in rows), "nothing of a sampled file needs rescue"
    assert isinstance(rows[0]["user"]["followers_count"], int)

    second = tool.run(tweets)
    for field in ("rows_out", "lost", "parquet", "manifest_ids", "lines_quarantined"):
        assert second[field] == first[field]
    assert second["files_already_there"] == 1

    # Another kind of file into the same dataset: new columns are added, and what does not fit is kept in _rescued.
    events = DATA / "github_events.ndjson"
    third = tool.run(events)
    assert (third["rows_out"], third["lost"], third["duplicated"]) == (30, 0, 0)
    check(events, rows_of(embedded, third["parquet"], tmp_path))

    listed = tool("output", "ls", "--json", "--set", f"suffix={tool.suffix}").document
    assert listed["rows"] == 130
    assert {p["uri"] for d in listed["dates"] for p in d["parts"]} == {*first["parquet"], *third["parquet"]}
    head = tool("output", "head", "-n", "3", "--json", "--set", f"suffix={tool.suffix}").document
    assert len(head["rows"]) == 3


@pytest.mark.slow
def test_both_files_in_one_manifest(tool: Tool, embedded: Cloud, tmp_path: Path) -> None:
    result = tool.run(DATA / "tweets.ndjson", DATA / "github_events.ndjson")
    assert (result["files"], result["lines_in"], result["rows_out"], result["lost"]) == (2, 130, 130, 0)
    assert result["manifests"] == 1
    # The tweets' ids are numbers, the events' are text: the column takes the more frequent kind, and says so.
    assert result["rescued_fields"] == {"/id": 30}
    assert (result["rows_with_rescued_values"], result["rescued_values"]) == (30, 30)
    rows = rows_of(embedded, result["parquet"], tmp_path)
    check(DATA / "tweets.ndjson", rows)
    check(DATA / "github_events.ndjson", rows)


@pytest.mark.slow
def test_compressed_files_come_back_like_any_other(tool: Tool, embedded: Cloud, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    tweets = (DATA / "tweets.ndjson").read_bytes()
    (folder / "a.ndjson.gz").write_bytes(gzip.compress(tweets + b"no record\n"))
    (folder / "b.jsonl.bz2").write_bytes(bz2.compress(tweets))
    result = tool.run(folder)
    assert (result["files"], result["lines_in"], result["rows_out"], result["lost"]) == (2, 201, 200, 0)
    assert result["lines_quarantined"] == 1
    rows = rows_of(embedded, result["parquet"], tmp_path)
    expected = [json.loads(line) for line in tweets.splitlines()] * 2
    for record, row in zip(expected, rows, strict=True):
        assert same(record, unrescued(row))


def test_three_bad_lines_among_a_thousand(tool: Tool, embedded: Cloud, tmp_path: Path) -> None:
    bad = {100: b'{"n": 1', 500: b"[1, 2]", 900: b'{"n": "\xff"}'}
    lines = [bad.get(n, json.dumps({"n": n, "text": f"line {n}"}).encode()) for n in range(1000)]
    path = tmp_path / "dirty.ndjson"
    path.write_bytes(b"\n".join(lines) + b"\n")
    result = tool.run(path)
    assert (result["lines_in"], result["rows_out"], result["lines_quarantined"], result["lost"]) == (1000, 997, 3, 0)
    assert sum(result["quarantine_reasons"].values()) == 3
    rows = rows_of(embedded, result["parquet"], tmp_path)
    assert sorted(row["n"] for row in rows) == [n for n in range(1000) if n not in bad]

    s3, bucket = embedded.client("s3"), embedded.names.quarantine_bucket
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert len(keys) == 1
    assert "/malformed/" in keys[0]
    stored = [json.loads(line) for line in s3.get_object(Bucket=bucket, Key=keys[0])["Body"].read().splitlines()]
    offsets = {number: len(b"".join(line + b"\n" for line in lines[:number])) for number in bad}
    assert {r["byte_offset"] for r in stored} == set(offsets.values())
    assert {r["line_number"] for r in stored} == {number + 1 for number in bad}
    assert all(r["reason"] for r in stored)

    # Either output cut off: nothing is proven, and each is named with what writes it again.
    part = dict(zip(("Bucket", "Key"), split_s3_uri(result["parquet"][0]), strict=True))
    outputs = [part, {"Bucket": bucket, "Key": keys[0]}]
    for place in outputs:
        whole = s3.get_object(**place)["Body"].read()
        s3.put_object(**place, Body=whole[:-3])
    damaged = tool.run(path, code=1)["damaged"]
    assert [each["uri"] for each in damaged] == [s3_uri(place["Bucket"], place["Key"]) for place in outputs]
    assert all(f"reprocess --manifest {result['manifest_ids'][0]}" in each["command"] for each in damaged)


def test_files_outside_the_window_are_kept_and_counted_and_events_that_come_twice_change_nothing(
    tool: Tool, embedded: Cloud, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    line = b'{"a":"' + b"x" * 1000 + b'"}\n'
    for name, count in (("small", 1), ("fits", 20), ("large", 200)):
        (folder / f"2026-01-31-{name}.ndjson").write_bytes(line * count)
    window = ["--set", "size_rule.min_file_size_mb=0.01", "--set", "size_rule.max_file_size_mb=0.1"]
    result = tool.run(folder, *window)
    assert (result["files"], result["files_completed"], result["files_quarantined"]) == (3, 1, 2)
    assert (result["lines_in"], result["rows_out"], result["lost"]) == (20, 20, 0)
    bucket = embedded.names.quarantine_bucket
    kept = {e["Key"]: e["Size"] for e in embedded.client("s3").list_objects_v2(Bucket=bucket)["Contents"]}
    assert kept == {
        "2026-01-31/too-small/2026-01-31-small.ndjson": len(line),
        "2026-01-31/too-large/2026-01-31-large.ndjson": len(line) * 200,
    }
    reasons = {Path(detail["path"]).stem[11:]: detail["reason"] for detail in result["file_details"]}
    assert reasons["fits"] is None
    assert reasons["small"].startswith("too-small: 1009 bytes")
    assert reasons["large"].startswith("too-large: 201800 bytes")

    before = _file_items(embedded)
    assert len(before) == 3
    _delivered_twice(embedded, before)
    again = tool.run(folder, *window)
    assert (again["rows_out"], again["parquet"]) == (20, result["parquet"])
    assert _file_items(embedded) == before


def _delivered_twice(embedded: Cloud, keys: Iterable[str]) -> None:
    """The events of these objects come again, two times, and are taken."""
    names, s3, sqs = embedded.names, embedded.client("s3"), embedded.client("sqs")
    queue = sqs.get_queue_url(QueueName=names.queue)["QueueUrl"]
    for key in keys:
        head = s3.head_object(Bucket=names.input_bucket, Key=key)
        record = {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "eventTime": head["LastModified"].strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "s3": {
                "bucket": {"name": names.input_bucket},
                "object": {
                    "key": key,
                    "size": head["ContentLength"],
                    "eTag": head["ETag"].strip('"'),
                    "sequencer": "00",
                },
            },
        }
        for _ in range(2):
            sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"Records": [record]}))
    deadline = time.monotonic() + 60
    while _waiting(sqs, queue) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert _waiting(sqs, queue) == 0


def _file_items(embedded: Cloud) -> dict[str, Any]:
    items = embedded.client("dynamodb").scan(TableName=embedded.names.tracking_table)["Items"]
    return {item["file_key"]["S"]: item for item in items if "status" in item}


def _waiting(sqs: Any, queue: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    return sum(int(v) for v in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"].values())


def test_a_sample_of_its_own_and_the_screen(tool: Tool) -> None:
    done = tool("run", "--set", f"suffix={tool.suffix}")
    assert done.code == 0, done.err
    assert "PROVEN  6,000 lines in = 6,000 rows + 0 quarantined, 0 lost" in done.out
    assert "\x1b" not in done.out + done.err
    assert f"-m ndjctl output head --set suffix={tool.suffix}" in done.out
    head = tool("output", "head", "--set", f"suffix={tool.suffix}")
    assert "event_id" in head.out


def test_interrupted_the_pipeline_goes_on(tool: Tool, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text('{"a":1}\n')
    arguments = ["run", str(path), "--set", f"suffix={tool.suffix}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ndjctl", *arguments],
        env=tool.environment(),
        cwd=tool.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("waiting for the pipeline"):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in out + err
    assert "to look again" in err
    assert tool.run(path)["rows_out"] == 1


@pytest.mark.slow
def test_several_at_once_in_a_new_environment(tool: Tool, tmp_path: Path) -> None:
    own = Tool(tmp_path / "data", tool.home, "")
    for name in ("a", "b"):
        (tmp_path / f"{name}.ndjson").write_text(f'{{"from":"{name}"}}\n' * 5)
    try:
        with ThreadPoolExecutor(3) as pool:
            runs = list(pool.map(lambda name: own("run", "--json", tmp_path / f"{name}.ndjson"), ("a", "b", "a")))
        assert [finished.code for finished in runs] == [0, 0, 0], [finished.err for finished in runs]
        assert [finished.document["rows_out"] for finished in runs] == [5, 5, 5]
        assert own("output", "ls", "--json").document["rows"] == 10
    finally:
        own("local", "stop")


@pytest.mark.slow
def test_a_terminal_of_another_encoding_gets_escapes(tool: Tool, tmp_path: Path) -> None:
    path = tmp_path / "ü.ndjson"
    path.write_text('{"ö":1}\n')
    finished = tool("run", "--json", "--set", f"suffix={tool.suffix}", path, PYTHONIOENCODING="ascii")
    assert finished.code == 0, finished.err
    assert finished.document["rows_out"] == 1
    head = tool("output", "head", "--set", f"suffix={tool.suffix}", PYTHONIOENCODING="ascii")
    assert head.code == 0, head.err
    assert "\\xf6" in head.out


def test_the_endpoint_is_where_the_data_is(tool: Tool, embedded: Cloud, tmp_path: Path) -> None:
    path = tmp_path / "[odd] näme\n😀.ndjson"
    path.write_text('{"a":1}\r\n\r\n{"a":2}')
    result = tool.run(path)
    assert (result["env"], result["endpoint_url"]) == ("local", embedded.endpoint_url)
    assert (result["lines_in"], result["rows_out"], result["seconds"] > 0) == (2, 2, True)
    bucket, key = split_s3_uri(result["parquet"][0])
    assert embedded.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"] > 0
