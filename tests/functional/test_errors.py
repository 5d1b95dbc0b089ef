"""`ndjctl errors`: every page of every place, grouped by cause; and `doctor` where there is little to look at."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ndjctl.contracts import iso_utc
from ndjctl.health.errors_found import EXAMPLES, MOST_GROUPS, OTHERS, Found, find_errors
from tests.functional.operations_world import DAY, NAMES, Operations, now

OOM = "java.lang.OutOfMemoryError: Java heap space"


def run(number: int, state: str, started: datetime, error: str = "") -> dict[str, Any]:
    ended = {"CompletedOn": started + timedelta(minutes=5)} if state != "RUNNING" else {}
    return {"Id": f"jr_{number}", "JobRunState": state, "StartedOn": started, "ErrorMessage": error, **ended}


def paged(name: str, token: str, pages: list[list[Any]], asked: list[int]) -> Callable[..., dict[str, Any]]:
    """An operation that answers a page at a time. asked: gets the number of each page."""

    def call(**request: Any) -> dict[str, Any]:
        number = int(request.get(token, 0))
        asked.append(number)
        more = {token: str(number + 1)} if number + 1 < len(pages) else {}
        return {name: pages[number], **more}

    return call


def found_in(
    operations: Operations, since: datetime, runs: list[list[Any]], lines: list[list[Any]] | None = None
) -> tuple[Found, list[int]]:
    """What is found with these pages of runs and of the function's log; the rest is moto's."""
    asked: list[int] = []

    def filtered(**request: Any) -> dict[str, Any]:
        pages = lines or [[]]
        pattern = request["filterPattern"].strip('"')
        wanted = [[each for each in page if pattern in each["message"]] for page in pages]
        return paged("events", "nextToken", wanted, [])(**request)

    services = {
        "glue": SimpleNamespace(get_job_runs=paged("JobRuns", "NextToken", runs, asked)),
        "logs": SimpleNamespace(filter_log_events=filtered),
        "dynamodb": operations.dynamodb,
        "s3": operations.s3,
    }
    return find_errors(services.__getitem__, NAMES, "dev", since), asked


class Nothing:
    """A service in which what is asked for is not there."""

    def __init__(self, code: str) -> None:
        self._code = code
        self.meta = SimpleNamespace(region_name="us-east-1")

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def refuse(**_request: Any) -> Any:
            raise ClientError({"Error": {"Code": self._code, "Message": "no"}}, operation)

        return refuse


@pytest.fixture
def without_glue(operations: Operations) -> Operations:
    """moto's Glue needs a module more than the tests have."""
    operations.clients["glue"] = Nothing("EntityNotFoundException")
    return operations


def line(message: str, at: datetime) -> dict[str, Any]:
    return {"timestamp": int(at.timestamp() * 1000), "message": message}


def ours(event: str, error: str, at: datetime, request_id: str = "r") -> dict[str, Any]:
    fields = {"level": "ERROR", "time": iso_utc(at), "request_id": request_id, "event": event, "error": error}
    return line(json.dumps(fields), at)


def test_runs_are_read_page_by_page_until_they_are_too_old(operations: Operations) -> None:
    operations.deploy()
    since = now() - timedelta(hours=2)
    pages = [
        [run(1, "SUCCEEDED", now()), run(2, "FAILED", now() - timedelta(minutes=10), OOM)],
        [run(3, "TIMEOUT", now() - timedelta(hours=1)), run(4, "FAILED", now() - timedelta(hours=1), OOM)],
        # It began before that, and failed since.
        [run(5, "FAILED", since - timedelta(minutes=2), OOM), run(6, "FAILED", since - timedelta(hours=1), OOM)],
        [run(7, "FAILED", since - timedelta(days=1), OOM)],
    ]
    found, asked = found_in(operations, since, pages)
    assert {(group.cause.code, group.count) for group in found.groups} == {("out-of-memory", 3), ("run-timed-out", 1)}
    assert asked == [0, 1, 2]
    (oom,) = [group for group in found.groups if group.cause.code == "out-of-memory"]
    assert [example.subject for example in oom.examples] == ["jr_2", "jr_4", "jr_5"]
    assert oom.first is not None and oom.last is not None and oom.first < oom.last
    assert found.not_read == {}


def test_a_run_that_goes_on_for_long_keeps_the_search_going(operations: Operations) -> None:
    operations.deploy()
    since = now() - timedelta(hours=2)
    pages = [
        [run(1, "RUNNING", since - timedelta(hours=1))],
        [run(2, "FAILED", since - timedelta(minutes=1), OOM)],
    ]
    found, asked = found_in(operations, since, pages)
    assert (found.total, asked) == (1, [0, 1])


def test_an_error_that_our_code_and_lambda_both_write_is_one(operations: Operations) -> None:
    operations.deploy()
    request_id = "11111111-2222-3333-4444-555555555555"
    at = now()
    lines = [
        [
            ours("invocation_failed", "ValueError: x 17", at, request_id),
            line(f"[ERROR] ValueError: x 17 RequestId: {request_id}\nTraceback (most recent call last):", at),
            ours("file_not_tracked", "ClientError: AccessDeniedException", at, request_id),
        ],
        [
            ours("invocation_failed", "ValueError: x 18", at, "r-2"),
            ours("file_failed", "E: the ledger tells of it", at),
            line("INFO no ERROR at all", at),
            line("2026 1-2 Task timed out after 300.00 seconds", at),
        ],
    ]
    found, _ = found_in(operations, now() - timedelta(hours=1), [[]], lines)
    counts = {(group.cause.code, group.pattern): group.count for group in found.groups}
    assert counts == {
        ("unknown", "ValueError: x <n>"): 2,
        ("access-denied", ""): 1,
        ("function-timed-out", ""): 1,
    }


def test_files_and_manifests_of_all_pages_grouped_without_their_names(operations: Operations) -> None:
    operations.deploy()
    updated = {"upload_time": iso_utc(now()), "updated_at": iso_utc(now())}
    for number in range(400):  # of 4,000 bytes each: more than a page of DynamoDB
        error = f"s3://b/{number}.ndjson: took {number} s" + " " * 4_000
        operations.put(DAY, f"{number}.ndjson", status="failed", error=error, **updated)
    long_ago = iso_utc(now() - timedelta(days=3))
    operations.put(DAY, "old.ndjson", status="failed", error="old", upload_time=long_ago, updated_at=long_ago)
    operations.manifest("20261123T100000000Z-00000001", "abandoned", error=f"run jr_1 ended FAILED: {OOM}")
    operations.manifest("20261123T100000000Z-00000002", "ready", error="odd")
    operations.manifest("20261123T100000000Z-00000003", "done")
    found, _ = found_in(operations, now() - timedelta(hours=1), [[]])
    assert (found.groups[0].where, found.groups[0].count) == ("files", 400)
    assert {(group.where, group.cause.code, group.count) for group in found.groups[1:]} == {
        ("manifests", "unknown", 1),
        ("manifests", "out-of-memory", 1),
    }
    assert found.groups[0].pattern == "<uri>: took <n> s"
    assert len(found.groups[0].examples) == EXAMPLES


def test_what_is_kept_is_bounded_however_many_kinds_there_are(operations: Operations) -> None:
    operations.deploy()
    words = [f"{chr(97 + n // 676)}{chr(97 + n // 26 % 26)}{chr(97 + n % 26)}" for n in range(MOST_GROUPS + 300)]
    runs = [[run(n, "FAILED", now(), f"odd {word}") for n, word in enumerate(words)]]
    found, _ = found_in(operations, now() - timedelta(hours=1), runs)
    assert len(found.groups) == MOST_GROUPS + 1
    assert found.total == MOST_GROUPS + 300
    assert {group.pattern: group.count for group in found.groups}[OTHERS] == 300


def test_a_place_that_is_refused_costs_itself_only(without_glue: Operations) -> None:
    without_glue.deploy()
    without_glue.put(DAY, "a.ndjson", status="failed", error=OOM, upload_time=iso_utc(now()), updated_at=iso_utc(now()))
    document = without_glue("errors", "--json").document
    assert {each["where"] for each in document["not_read"]} == {"runs", "function"}
    assert [(group["where"], group["cause"], group["count"]) for group in document["groups"]] == [
        ("files", "out-of-memory", 1)
    ]
    (group,) = document["groups"]
    assert group["examples"][0]["subject"] == "a.ndjson"
    assert [remedy["command"] for remedy in group["remedies"]] == [
        "ndjctl deploy --env dev --set job.worker_type=G.2X",
        "ndjctl redrive failed --env dev",
    ]
    out = without_glue("errors").out
    assert f"not read: Glue runs: the job {NAMES.job} is not there" in out
    assert "AWS refused" not in out and "EntityNotFound" not in out
    assert out.splitlines().count("      $ ndjctl deploy --env dev") == 1
    assert all(
        [each["command"] for each in place["remedies"]] == ["ndjctl deploy --env dev"] for place in document["not_read"]
    )
    assert "$ ndjctl deploy --env dev --set job.worker_type=G.2X" in out
    assert out.splitlines()[-1].startswith("1 failure, 1 cause in dev since ")


def test_a_place_that_may_not_be_read_is_refused_and_no_deployment_mends_it(operations: Operations) -> None:
    operations.clients["glue"] = Nothing("AccessDeniedException")
    operations.deploy()
    (place,) = [each for each in operations("errors", "--json").document["not_read"] if each["where"] == "runs"]
    assert "AWS refused get_job_runs" in place["why"] and place["remedies"] == []
    assert "not read: Glue runs: AWS refused get_job_runs" in operations("errors").out


def test_a_bucket_that_is_not_there_is_named(without_glue: Operations) -> None:
    without_glue.deploy()
    without_glue.s3.delete_bucket(Bucket=NAMES.manifest_bucket)
    assert f"or the bucket {NAMES.manifest_bucket}, is not there" in without_glue("errors").out


def test_nothing_failed(without_glue: Operations) -> None:
    without_glue.deploy()
    answer = without_glue("errors", "--since", "2h")
    assert answer.code == 0
    assert answer.out.splitlines()[-1].startswith("Nothing failed in dev since ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("errors", "--since", "soon"), "--since takes an age"),
        (("errors", "--since", "2999-01-01"), "is still to come"),
        (("doctor", "--grace", "-1"), "--grace"),
        (("doctor", "extra"), "extra"),
    ],
)
def test_what_cannot_be_meant_is_refused(without_glue: Operations, words: tuple[str, ...], said: str) -> None:
    answer = without_glue(*words)
    assert answer.code == 2
    assert said in answer.err


def test_an_environment_that_is_not_deployed(without_glue: Operations) -> None:
    answer = without_glue("errors")
    assert answer.code == 2
    assert "The environment dev is not deployed: run 'ndjctl deploy --env dev' first." in answer.err
    answer = without_glue("doctor", "--json")
    assert answer.code == 1
    document = answer.document
    assert (document["ok"], document["headline"]) == (False, "DOWN")
    (deployment,) = [each for each in document["checks"] if each["verdict"] == "fail"]
    assert deployment["code"] == "deployment"
    assert [each["command"] for each in deployment["remedies"]] == ["ndjctl deploy --env dev"]


def test_half_an_environment_is_told_part_by_part(without_glue: Operations) -> None:
    without_glue.deploy()
    key = f"{DAY}-[bold]emoji😀\n{'k' * 900}.ndjson"
    without_glue.put(DAY, key, status="failed", error=OOM, upload_time=iso_utc(now()), updated_at=iso_utc(now()))
    answer = without_glue("doctor", "--quick", "--json")
    verdicts = {each["code"]: each["verdict"] for each in answer.document["checks"]}
    assert answer.code == 1
    assert {code for code, verdict in verdicts.items() if verdict == "fail"} >= {"function", "job", "out-of-memory"}
    out = without_glue("doctor", "--quick").out
    assert r"[bold]emoji😀\n" in out
    assert max(map(len, out.splitlines())) <= 160
    assert "\x1b" not in out
