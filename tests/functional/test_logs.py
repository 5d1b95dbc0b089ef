"""`ndjctl logs` on moto: what is shown, what is not another's, and where it ends."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import boto3
import pytest

from ndjctl.cli.interrupts import Terminated
from ndjctl.contracts import RUNNING, iso_utc, s3_uri
from ndjctl.contracts.objects import manifest_key
from tests.functional.operations_world import DAY, NAMES, REGION, GlueStub, Operations, now

OURS, OTHERS, LATER = (f"jr_{letter * 64}" for letter in "abc")
MANIFEST = "20261123T100000000Z-00000001"
ERRORS = "/aws-glue/jobs/error"


class Glue(GlueStub):
    """Knows the runs of our job alone."""

    def get_job(self, JobName: str) -> dict[str, Any]:
        assert JobName == NAMES.job
        return {"Job": {}}

    def get_job_runs(self, JobName: str, MaxResults: int) -> dict[str, Any]:
        path = s3_uri(NAMES.manifest_bucket, manifest_key(DAY, MANIFEST))
        return {
            "JobRuns": [
                {
                    "Id": run_id,
                    "JobRunState": state,
                    "StartedOn": now() - timedelta(minutes=5),
                    "Arguments": {"--MANIFEST_PATH": path},
                }
                for run_id, (state, _) in self.runs.items()
            ]
        }


@pytest.fixture
def logged(operations: Operations) -> Operations:
    operations.deploy()
    operations.clients["glue"] = Glue({OURS: ("SUCCEEDED", now())}, None)
    logs = boto3.client("logs", REGION)
    put(logs, NAMES.function_log_group, "2026/11/23/[1]abc", [line("INFO", "file_tracked", file_key="a [1].ndjson")])
    put(logs, NAMES.function_log_group, "2026/11/23/[1]abc", ["START RequestId: 1\n", "odd \x1b[31mtext\n"])
    put(logs, ERRORS, OURS, [line("ERROR", "run failed", error="out of memory", run_id=OURS, job_name="j")])
    put(logs, ERRORS, OTHERS, ["another job's secret"])
    put(logs, "/aws-glue/jobs/output", f"{OURS}_attempt_1", ["spark says"])
    return operations


def line(level: str, event: str, **fields: Any) -> str:
    return json.dumps({"level": level, "time": iso_utc(now()), "request_id": "r", "event": event, **fields})


def put(logs: Any, group: str, stream: str, messages: list[str]) -> None:
    for make, names in (
        (logs.create_log_group, {"logGroupName": group}),
        (logs.create_log_stream, {"logGroupName": group, "logStreamName": stream}),
    ):
        try:
            make(**names)
        except logs.exceptions.ResourceAlreadyExistsException:
            pass
    at_ms = int((now() - timedelta(seconds=2)).timestamp() * 1000)
    events = [{"timestamp": at_ms + number, "message": message} for number, message in enumerate(messages)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_the_function_as_a_screen_and_as_a_document(logged: Operations) -> None:
    answer = logged("logs", "lambda")
    assert answer.code == 0
    assert "INFO    file_tracked file_key=a [1].ndjson" in answer.out
    assert "odd \\x1b[31mtext" in answer.out and "\x1b" not in answer.out
    document = logged("logs", "lambda", "--json").document
    assert (document["source"], document["count"], document["remarks"]) == ("lambda", 3, [])
    assert document["lines"][0]["fields"]["file_key"] == "a [1].ndjson"
    assert document["lines"][1]["message"] == "START RequestId: 1"


def test_text_is_looked_for_literally_and_the_newest_are_taken(logged: Operations) -> None:
    assert logged("logs", "lambda", "--grep", "A [1].", "--json").document["count"] == 1
    assert logged("logs", "lambda", "--grep", "a .1.", "--json").document["count"] == 0
    newest = logged("logs", "lambda", "--limit", "1", "--json").document["lines"]
    assert [each["message"] for each in newest] == ["odd \x1b[31mtext"]
    assert logged("logs", "lambda", "--since", "1s", "--json").document["count"] == 0
    lines = logged("logs", "lambda", "--ndjson").out.splitlines()
    assert [json.loads(each)["event"] for each in lines] == ["file_tracked", None, None]


def test_runs_of_other_jobs_are_not_shown(logged: Operations) -> None:
    document = logged("logs", "glue", "--json").document
    assert [each["stream"] for each in document["lines"]] == [OURS, f"{OURS}_attempt_1"]
    assert document["lines"][0]["fields"]["error"] == "out of memory"
    assert document["remarks"] == []
    assert "jr_aaaaaaaa ERROR   run failed error=out of memory" in logged("logs", "glue").out


@pytest.mark.parametrize("named", [OURS, "jr_aaa", MANIFEST[:16]])
def test_a_run_by_its_beginning_or_its_manifest(logged: Operations, named: str) -> None:
    logged.manifest(MANIFEST, RUNNING, run_id=OURS)
    document = logged("logs", "glue", "--run", named, "--json").document
    assert (document["runs"], document["count"]) == ([OURS], 2)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["glue", "--run", OTHERS], "Glue knows no run"),
        (["glue", "--run", "jr_f"], "No run of the job"),
        (["glue", "--run", " "], "--run is empty"),
        (["glue", "--run", "2026"], "No manifest has an id"),
        (["lambda", "--follow", "--limit", "3"], "--limit and --follow exclude each other"),
        (["lambda", "--grep", ""], "--grep is empty"),
        (["lambda", "--since", "yesterday"], "--since takes an age"),
    ],
)
def test_what_cannot_be_done_is_said(logged: Operations, words: list[str], told: str) -> None:
    answer = logged("logs", *words)
    assert (answer.code, answer.out) == (2, "")
    assert told in " ".join(answer.err.split())


def test_a_document_has_an_end(logged: Operations) -> None:
    answer = logged("logs", "lambda", "--follow", "--json")
    assert answer.code == 2
    assert "say --ndjson with --follow" in answer.document["error"]["message"]


def test_a_group_that_is_not_there_yet_is_told(operations: Operations) -> None:
    operations.deploy()
    operations.clients["glue"] = Glue({}, None)
    document = operations("logs", "glue", "--json").document
    assert (document["count"], len(document["remarks"])) == (0, 2)
    answer = operations("logs", "lambda", "--json")
    assert answer.code == 2 and "is not deployed" in answer.document["error"]["message"]


@pytest.mark.parametrize("words", [(), ("--run", OURS), ("--grep", "nowhere")])
def test_a_group_that_is_not_there_is_not_told_below_lines_of_another(
    logged: Operations, words: tuple[str, ...]
) -> None:
    # A run that began to write has not failed to: it wrote nothing into this group.
    boto3.client("logs", REGION).delete_log_group(logGroupName="/aws-glue/jobs/output")
    assert logged("logs", "glue", *words, "--json").document["remarks"] == []


def test_a_run_is_followed_until_it_has_ended(logged: Operations) -> None:
    answer = logged("logs", "glue", "--run", OURS, "--follow", "--ndjson")
    assert answer.code == 0
    assert [json.loads(each)["stream"] for each in answer.out.splitlines()] == [OURS, f"{OURS}_attempt_1"]


class Interrupted:
    """CloudWatch Logs, until Ctrl-C comes with the second request."""

    def __init__(self, logs: Any, by: type[BaseException]) -> None:
        self._logs = logs
        self._asked = 0
        self._by = by

    def filter_log_events(self, **request: Any) -> Any:
        self._asked += 1
        if self._asked == 2:
            raise self._by
        return self._logs.filter_log_events(**request)


def test_an_interrupt_ends_following_without_an_error(logged: Operations) -> None:
    logged.clients["logs"] = Interrupted(boto3.client("logs", REGION), KeyboardInterrupt)
    answer = logged("logs", "lambda", "--follow", "--ndjson")
    assert answer.code == 130
    assert len([json.loads(each) for each in answer.out.splitlines()]) == 3
    assert answer.err == "Stopped following.\n"


def test_a_sigterm_ends_it_as_it_ends_any_other_command(logged: Operations) -> None:
    logged.clients["logs"] = Interrupted(boto3.client("logs", REGION), Terminated)
    answer = logged("logs", "lambda", "--follow", "--ndjson")
    assert (answer.code, answer.err) == (143, "error: Interrupted.\n")
