"""What of the function's log still counts: errors of messages and of sweeps are made good each by their own."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from ndjctl.contracts import iso_utc
from ndjctl.health.checks import check
from ndjctl.health.facts import LogLines
from ndjctl.health.log_lines import event_of
from ndjctl.health.model import Checked
from ndjctl.health.reading_logs import CALLS, read_errors
from ndjctl.reading import Reading
from tests.health_world import ago, healthy

JOB_GONE = "EntityNotFoundException: An error occurred when calling the StartJobRun operation: Job j not found."
GARBAGE = "the body is not JSON"


def line(age_s: float, event: str, level: str = "ERROR", request: str = "", **fields: Any) -> tuple[datetime, str]:
    at = ago(age_s)
    told = {"level": level, "time": iso_utc(at), "request_id": request or f"r{age_s:g}", "event": event, **fields}
    return at, json.dumps(told)


def sweep(age_s: float, failed: int = 0, request: str = "") -> tuple[datetime, str]:
    return line(age_s, "sweep_done", "INFO", request, failed=failed)


def taken(age_s: float, failed: int = 0, request: str = "") -> tuple[datetime, str]:
    return line(age_s, "messages_taken", "INFO", request, messages=1, failed=failed)


class Log:
    """CloudWatch Logs of some lines. pages: how many empty ones come before the last of each request."""

    def __init__(self, *lines: tuple[datetime, str], pages: int = 0) -> None:
        self.lines = lines
        self.pages = pages
        self.calls = 0

    def filter_log_events(self, **request: Any) -> dict[str, Any]:
        self.calls += 1
        done = int(request.get("nextToken", 0))
        if done < self.pages:
            return {"events": [], "nextToken": str(done + 1)}
        wanted = request["filterPattern"].strip('"')
        found = [(int(at.timestamp() * 1000), message) for at, message in self.lines if wanted in message]
        events = [{"timestamp": at, "message": message} for at, message in found if at >= request["startTime"]]
        return {"events": events[: request["limit"]]}


def told(*lines: tuple[datetime, str]) -> LogLines:
    return read_errors(Log(*lines), "/aws/lambda/f", ago(900))


def problems(*lines: tuple[datetime, str]) -> dict[str, Checked]:
    found = check(healthy(errors=Reading(told(*lines))))
    return {each.code: each for each in found if each.verdict not in ("pass", "unknown")}


def test_a_message_that_fails_revives_no_error_of_a_sweep_that_was_made_good() -> None:
    lines = (line(300, "start_failed", error=JOB_GONE), sweep(240), line(60, "message_not_understood", error=GARBAGE))
    assert [event_of(each.message) for each in told(*lines).lines] == ["message_not_understood"]
    assert set(problems(*lines)) == {"message-not-understood"}


def test_an_error_of_a_sweep_revives_no_message_that_was_taken_since() -> None:
    lines = (line(300, "file_not_tracked", error="E: x"), taken(240), line(60, "start_failed", error=JOB_GONE))
    assert set(problems(*lines)) == {"job-missing"}


def test_each_kind_may_be_made_good() -> None:
    lines = (
        line(300, "start_failed", error=JOB_GONE),
        line(290, "file_not_tracked", error="E: x"),
        taken(280),
        sweep(240),
    )
    assert told(*lines).lines == () and problems(*lines) == {}


@pytest.mark.parametrize(
    "after",
    [(), (sweep(30, failed=1),), (taken(30),), (sweep(50, request="r60"),)],
    ids=["nothing", "a sweep that failed", "another kind", "the very invocation"],
)
def test_what_proves_nothing(after: tuple[tuple[datetime, str], ...]) -> None:
    assert set(problems(line(60, "start_failed", error=JOB_GONE), *after)) == {"job-missing"}


def test_batches_that_could_not_be_built_are_of_the_sweep() -> None:
    failed = line(60, "batching_failed", error="KeyError: 'x'", request="a"), taken(59, request="a"), taken(30)
    assert set(problems(*failed)) == {"function-errors"}
    assert problems(*failed, sweep(10)) == {}


def test_messages_that_announce_no_file_are_told_with_where_they_end() -> None:
    found = problems(sweep(90), line(60, "message_not_understood", error=GARBAGE), sweep(30))
    garbage = found.pop("message-not-understood")
    assert found == {}
    assert garbage.verdict == "warn" and not garbage.is_down
    assert "Only these messages fail" in garbage.sentence and "dead-letter queue" in garbage.sentence
    assert [each.words for each in garbage.remedies] == [("queue",), ("redrive", "dlq")]
    assert garbage.remedies[-1].hint.startswith("later")


def test_messages_that_fail_of_no_known_cause_do_not_speak_for_the_sweeps() -> None:
    found = problems(line(60, "file_not_tracked", error="KeyError: 'x'"), sweep(30))
    assert set(found) == {"function-errors"}
    failing = found["function-errors"]
    assert "dead-letter queue" in failing.sentence and "not been seen to work" not in failing.sentence
    assert [each.words for each in failing.remedies] == [("deploy",), ("queue",), ("redrive", "dlq")]


def test_the_calls_are_bounded_though_pages_are_empty() -> None:
    log = Log(line(300, "start_failed", error="E: x"), line(290, "file_not_tracked", error="E: x"), pages=9)
    assert not read_errors(log, "g", ago(900)).is_whole
    assert log.calls <= CALLS
    both = Log(line(300, "start_failed", error="E: x"), line(290, "file_not_tracked", error="E: x"), pages=1)
    assert read_errors(both, "g", ago(900)).lines
    assert both.calls <= CALLS
