"""`ndjctl files`, `queue` and `runs`: all pages, every filter, text as text."""

from __future__ import annotations

import json
import os
import sys
import tracemalloc
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ndjctl import contracts
from ndjctl.contracts import COMPLETED, FAILED, PENDING, PROCESSING, QUARANTINED, Attr, iso_utc, manifest_key, s3_uri
from ndjctl.ledger import Ledger
from ndjctl.listing.files import FileFilter, list_files
from ndjctl.listing.queues import look_at_queue
from ndjctl.listing.runs import RunFilter, list_runs, manifest_of
from ndjctl.output.base import JsonOutput
from ndjctl.output.files import files_view
from ndjctl.output.runs import runs_view
from ndjctl.redrive.choice import Choice
from tests.functional.operations_world import DAY, NAMES, Operations, now
from tests.redrive_world import event

EVERY_RUN = RunFilter()
ODD = f"in/{DAY}-[bold]a\n\x1b[31m😀.ndjson"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ndjctl.redrive.dlq._WAIT_S", 0)


def put(world: Operations, key: str, status: str, *, date: str = DAY, age_s: float = 60, **more: Any) -> None:
    about = {Attr.STATUS: status, Attr.SIZE_BYTES: 1_000, Attr.UPLOAD_TIME: iso_utc(now() - timedelta(seconds=age_s))}
    world.put(date, key, **{**about, **more})


@pytest.fixture
def filled(operations: Operations) -> Operations:
    operations.deploy()
    put(operations, "in/a.ndjson", PENDING, age_s=30)
    put(operations, "in/b.ndjson", PENDING, age_s=9_000)
    put(operations, f"in/{DAY}-c.ndjson", FAILED, age_s=50, **{Attr.ERROR: "s3://b/in: out of memory"})
    put(operations, ODD, FAILED, date="2026-11-22", age_s=60, **{Attr.ERROR: "it is [red]gone[/red]\n"})
    put(operations, "x/d.ndjson", QUARANTINED, **{Attr.REASON: "too-large: 9 bytes", Attr.QUARANTINE_KEY: "q"})
    counts = {Attr.LINES: 10, Attr.ROWS: 8, Attr.BAD_LINES: 2, Attr.BATCH_ID: "m1", Attr.SUPERSEDED_BY: "e2"}
    put(operations, "x/e.ndjson", COMPLETED, **counts)
    put(operations, "x/f.ndjson", PROCESSING)
    return operations


def keys(document: dict[str, Any]) -> list[str]:
    return [file["key"].removesuffix(".ndjson")[-1] for file in document["files"]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "bafe😀cd"),
        (["--status", "failed"], "😀c"),
        (["--date", DAY], "cabdef"),
        (["--date", DAY, "--status", "pending"], "ab"),
        (["--reason", "OUT OF mem"], "c"),
        (["--reason", "too-large*"], "d"),
        (["--older-than", "1h"], "b"),
        (["--age", "45s", "--status", "failed"], "😀c"),
        (["--since", "45s"], "a"),
        (["--since", "10h", "--older-than", "1h"], "b"),
        (["--date", DAY, "--since", "55s"], "ca"),
        (["--key", "x/"], "fed"),
        (["--key", "x/", "--date", DAY], "def"),
        (["--key", "nothing"], ""),
    ],
)
def test_filters_of_files(filled: Operations, words: list[str], expected: str) -> None:
    document = filled("files", *words, "--json").document
    assert sorted(keys(document)) == sorted(expected)
    if "--date" in words:
        assert "".join(keys(document)) == expected, "in the order of the keys"
    assert document["count"] == sum(document["statuses"].values()) == len(expected)
    lines = [json.loads(line) for line in filled("files", *words, "--ndjson").out.splitlines()]
    assert lines == document["files"]


def test_the_screen_of_files(filled: Operations) -> None:
    out = filled("files").out.splitlines()
    assert out[0].split() == ["status", "uploaded", "size", "file"]
    assert len(out) == 10
    (odd,) = (line for line in out if "bold" in line)
    assert rf"in/{DAY}-[bold]a\n\x1b[31m😀.ndjson  it is [red]gone[/red]\n" in odd
    assert "x/e.ndjson  overwritten since; 2 lines quarantined" in "\n".join(out)
    assert out[-2] == "7 files, 6.8 KiB: 2 pending, 1 processing, 1 completed, 2 failed, 1 quarantined"
    assert out[-1].endswith("explain --env dev KEY")
    assert "No files." in filled("files", "--key", "nothing").out


def test_what_a_document_of_a_file_has(filled: Operations) -> None:
    (found,) = filled("files", "--status", "completed", "--json").document["files"]
    assert (found["lines"], found["rows"], found["bad_lines"], found["manifest_id"]) == (10, 8, 2, "m1")
    assert (found["superseded_by_etag"], found["reason"], found["date"]) == ("e2", None, DAY)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["files", "--status", "broken"], "--status takes one of pending"),
        (["files", "--date", "yesterday"], "--date takes YYYY-MM-DD"),
        (["files", "--since", "1h", "--older-than", "2h"], "no file can be of both"),
        (["files", "--older-than", "soon"], "--older-than takes an age"),
        (["files", "--json", "--ndjson"], "exclude each other"),
        (["queue", "--peek", "-1"], "--peek"),
        (["runs", "--status", "done"], "--status takes one of STARTING"),
        (["runs", "--since", "2999-01-01"], "still to come"),
    ],
)
def test_what_is_asked_for_wrongly(operations: Operations, words: list[str], problem: str) -> None:
    operations.deploy()
    answer = operations(*words)
    assert answer.code == 2 and problem in answer.err


@pytest.mark.parametrize("command", ["files", "queue"])
def test_what_is_not_deployed(operations: Operations, command: str) -> None:
    answer = operations(command)
    assert answer.code == 2 and "is not deployed, or not whole (" in answer.err


def test_all_pages_are_read(operations: Operations) -> None:
    operations.deploy()
    # Moto pages at a megabyte as DynamoDB does: 300 items of 4,000 bytes are two.
    for number in range(300):
        put(operations, f"in/{number:04d}.ndjson", FAILED, **{Attr.ERROR: "x" * 4_000})
    pages = Counting(operations.dynamodb)
    found = list(list_files(pages, NAMES.tracking_table, FileFilter(status=FAILED)))
    assert (len({file.key for file in found}), len(found)) == (300, 300)
    assert pages.queries >= 2
    assert operations("files", "--status", "failed", "--json").document["count"] == 300
    by_date = list(list_files(operations.dynamodb, NAMES.tracking_table, FileFilter(choice=Choice(date=DAY))))
    assert [file.key for file in by_date] == sorted(file.key for file in found)


class Counting:
    """DynamoDB, with the queries counted."""

    def __init__(self, dynamodb: Any) -> None:
        self._dynamodb = dynamodb
        self.queries = 0

    def query(self, **request: Any) -> Any:
        self.queries += 1
        return self._dynamodb.query(**request)


def test_rows_come_as_pages_are_read() -> None:
    class Endless:
        """A ledger without an end; asked for more than two pages it fails."""

        pages = 0

        def query(self, **request: Any) -> dict[str, Any]:
            self.pages += 1
            assert self.pages <= 2, "nobody asked for a third page"
            item = {Attr.FILE_KEY: {"S": "k"}, Attr.STATUS: {"S": FAILED}, Attr.DATE_PREFIX: {"S": DAY}}
            return {"Items": [item] * 3, "LastEvaluatedKey": {"k": {"S": "k"}}}

    found = list_files(Endless(), "t", FileFilter(status=FAILED))
    assert [next(found).key for _ in range(5)] == ["k"] * 5


class Pages:
    """A ledger of so many pages of 500 files."""

    def __init__(self, pages: int) -> None:
        self._left = pages

    def query(self, **request: Any) -> dict[str, Any]:
        self._left -= 1
        items = [
            {
                Attr.DATE_PREFIX: {"S": DAY},
                Attr.FILE_KEY: {"S": f"in/{self._left}-{number}-{'k' * 100}.ndjson"},
                Attr.STATUS: {"S": FAILED},
                Attr.UPLOAD_TIME: {"S": f"{DAY}T10:00:00.000Z"},
                Attr.ERROR: {"S": f"{self._left}-{number} {'e' * 200}"},
            }
            for number in range(500)
        ]
        return {"Items": items, **({"LastEvaluatedKey": {"k": {"S": "k"}}} if self._left else {})}


def test_the_memory_of_a_list_does_not_grow_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def peak_bytes(pages: int) -> int:
        with Path(os.devnull).open("w") as nowhere:
            monkeypatch.setattr(sys, "stdout", nowhere)
            tracemalloc.start()
            try:
                found = list_files(Pages(pages), "t", FileFilter(status=FAILED))
                JsonOutput().stream(files_view("dev", found, "next"))
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
                monkeypatch.undo()

    peak_bytes(1)
    assert peak_bytes(30) < peak_bytes(3) * 1.2


# ------------------------------------------------------------------------------------------------------------ queue


def test_the_queues_and_their_dead_letters(operations: Operations) -> None:
    operations.deploy()
    empty = operations("queue", "--json").document
    assert (empty["queue"]["messages"], empty["dead_letters"], empty["count"]) == (0, [], 0)
    assert empty["queue"]["settings"]["visibility_timeout_s"] == 30
    url = operations.sqs.get_queue_url(QueueName=NAMES.dead_letter_queue)["QueueUrl"]
    for body in (event("in/[x]\n.ndjson"), "garbage", event("b.ndjson")):
        operations.sqs.send_message(QueueUrl=url, MessageBody=body)
    for _ in range(2):  # in view again
        document = operations("queue", "--json").document
        assert document["dead_letter_queue"]["messages"] == 3
        assert {each["begins"] or each["objects"][0]["key"] for each in document["dead_letters"]} == {
            "in/[x]\n.ndjson",
            "garbage",
            "b.ndjson",
        }
        assert all(each["reason"] for each in document["dead_letters"])
    assert operations("queue", "--json", "--peek", "1").document["count"] == 1
    assert len(operations("queue", "--ndjson", "--peek", "2").out.splitlines()) == 2
    unseen = operations("queue", "--json", "--peek", "0").document
    assert (unseen["count"], unseen["dead_letter_queue"]["visible"]) == (0, 3)
    out = operations("queue").out
    assert r"in/[x]\n.ndjson  never entered in the ledger" in out
    assert "redrive dlq --env dev" in out
    assert "about 3 waiting, 0 in flight, 0 delayed" in out


class Watch:
    """CloudWatch with these values of the age, or an error."""

    def __init__(self, *ages: float, error: Exception | None = None) -> None:
        self._ages, self._error = ages, error

    def get_metric_statistics(self, **request: Any) -> dict[str, Any]:
        if self._error:
            raise self._error
        assert request["Dimensions"] == [{"Name": "QueueName", "Value": NAMES.queue}]
        points = [
            {"Timestamp": datetime(2026, 11, 23, 10, minute, tzinfo=timezone.utc), "Maximum": age}
            for minute, age in enumerate(self._ages)
        ]
        return {"Datapoints": points[::-1]}


def test_the_age_is_what_cloudwatch_says_last(operations: Operations) -> None:
    operations.deploy()

    def age(watch: Watch) -> Any:
        return look_at_queue(operations.sqs, watch, NAMES.queue, now(), "dev").age

    assert age(Watch(5, 9, 7)).value == 7
    assert age(Watch()).value is None
    from botocore.exceptions import ClientError

    refused = age(Watch(error=ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetMetricStatistics")))
    assert (refused.why, refused.value) == ("denied", None)


# ------------------------------------------------------------------------------------------------------------- runs


class Runs:
    """Glue with so many runs, the newest first, in pages of three."""

    def __init__(self, count: int, **more: Any) -> None:
        self._runs = [self._run(number) | more for number in range(count)]
        self.pages = 0

    @staticmethod
    def _run(number: int) -> dict[str, Any]:
        path = s3_uri(NAMES.manifest_bucket, manifest_key(DAY, f"m{number}"))
        return {
            "Id": f"jr_{number}",
            "JobRunState": "FAILED" if number % 4 == 1 else "SUCCEEDED",
            "StartedOn": datetime(2026, 11, 23, 12, tzinfo=timezone.utc) - timedelta(hours=number),
            "ExecutionTime": 1_800,
            "MaxCapacity": 10.0,
            "Attempt": 0,
            "Arguments": {"--MANIFEST_PATH": path},
            "ErrorMessage": "[bold]out of memory\n" if number % 4 == 1 else None,
        }

    def get_job_runs(self, JobName: str, MaxResults: int, NextToken: str = "0") -> dict[str, Any]:
        assert JobName == NAMES.job
        self.pages += 1
        start = int(NextToken)
        end = start + 3
        return {"JobRuns": self._runs[start:end]} | ({"NextToken": str(end)} if end < len(self._runs) else {})


def listed(world: Operations, glue: Runs, wanted: RunFilter = EVERY_RUN) -> list[Any]:
    ledger = Ledger(world.dynamodb, NAMES.tracking_table, lambda _s: None)
    return list(list_runs(glue, NAMES.job, ledger, wanted))


def test_runs_with_their_manifests(operations: Operations) -> None:
    operations.deploy()
    operations.manifest("m0", contracts.DONE, files=4)
    operations.manifest("m1", contracts.RUNNING, files=7)
    runs = listed(operations, Runs(8))
    assert [run.run.run_id for run in runs] == [f"jr_{number}" for number in range(8)]
    assert [(run.files, run.date) for run in runs[:3]] == [(4, DAY), (7, DAY), (None, DAY)]
    assert (runs[0].dpu_hours, runs[0].is_estimated) == (5.0, True)
    told = listed(operations, Runs(1, DPUSeconds=7_200.0))[0]
    assert (told.dpu_hours, told.is_estimated) == (2.0, False)
    assert listed(operations, Runs(1, Arguments={"--other": "x"}))[0].manifest_id == ""


def test_filters_of_runs(operations: Operations) -> None:
    operations.deploy()

    def ids(wanted: RunFilter) -> str:
        return "".join(run.run.run_id[-1] for run in listed(operations, Runs(9), wanted))

    assert ids(RunFilter(state="FAILED")) == "15"
    assert ids(RunFilter(manifest="m7")) == "7"
    assert ids(RunFilter(date="2026-01-01")) == ""
    glue = Runs(300)
    since = datetime(2026, 11, 23, 8, tzinfo=timezone.utc)
    assert len(listed(operations, glue, RunFilter(since=since))) == 5
    assert glue.pages == 3, "what is before it is not read"


def test_the_document_and_the_screen_of_runs(operations: Operations) -> None:
    operations.deploy()
    view = runs_view("dev", listed(operations, Runs(5)), "next one")
    rows = [(document, str(line())) for document, line in view.rows]
    assert rows[1][0]["error"] == "[bold]out of memory\n"
    assert rows[1][1].splitlines()[1].endswith(r": [bold]out of memory\n  (jr_1)")
    assert [row["cause"] for row, _ in rows] == [None, "out-of-memory", None, None, None]
    assert all(len(line.splitlines()[0]) <= 80 for _, line in rows)
    members, text = view.summary()
    assert members == {
        "count": 5,
        "states": {"SUCCEEDED": 4, "FAILED": 1},
        "dpu_hours": 25.0,
        "dpu_hours_estimated": True,
    }
    assert str(text) == "5 runs, about 25.00 DPU hours: 4 SUCCEEDED, 1 FAILED\nnext: next one"
    json.dumps([row[0] for row in rows])


@pytest.mark.parametrize("path", ["", "s3://b/other/x", "s3://b/manifests/d/manifest-x", "nonsense"])
def test_arguments_that_name_no_manifest(path: str) -> None:
    assert manifest_of({"--MANIFEST_PATH": path}) == ("", "")
