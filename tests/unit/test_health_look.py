"""One look makes a bounded number of calls, whatever there is, and a refusal costs its own part."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Lock
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ndjctl.contracts import iso_utc
from ndjctl.health.checks import check
from ndjctl.health.facts import Facts
from ndjctl.health.looking import MOST_CALLS, look
from tests.health_world import DAY, NAMES, NOW, PROFILE, ago

_DATE = {"ResponseMetadata": {"HTTPHeaders": {"date": "Fri, 27 Nov 2026 12:00:00 GMT"}}}
_LINE = json.dumps({"level": "ERROR", "event": "invocation_failed", "time": iso_utc(ago(60)), "error": "E: x"})


def _items(request: dict[str, Any]) -> dict[str, Any]:
    """A full page of whatever is asked for, and always another one behind it."""
    values = [value["S"] for value in request["ExpressionAttributeValues"].values()]
    item = {"date_prefix": {"S": values[0] if values[0].startswith("#") else DAY}, "file_key": {"S": "a.ndjson#"}}
    return {"Items": [item] * 100, "LastEvaluatedKey": item, **_DATE}


def _objects(_request: dict[str, Any]) -> dict[str, Any]:
    # Without a date in its name a file may be under many dates, so that most is to be looked up.
    entry = {"ETag": '"e"', "Size": 5, "LastModified": ago(7_000)}
    contents = [{"Key": f"in/{number:04d}.ndjson", **entry} for number in range(1000)]
    return {"IsTruncated": True, "NextContinuationToken": "t", "Contents": contents}


ANSWERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "get_caller_identity": lambda _: _DATE,
    "get_queue_url": lambda _: {"QueueUrl": "http://q"},
    "get_queue_attributes": lambda _: {"Attributes": {"ApproximateNumberOfMessages": "7"}},
    "get_function": lambda _: {"Configuration": {"Version": "1", "LastModified": "2026-11-26T00:00:00.000+0000"}},
    "list_event_source_mappings": lambda _: {"EventSourceMappings": [{"UUID": "u"}] * 100, "NextMarker": "n"},
    "get_bucket_notification_configuration": lambda _: {"QueueConfigurations": []},
    "describe_rule": lambda _: {"State": "ENABLED"},
    "list_targets_by_rule": lambda _: {"Targets": [], "NextToken": "n"},
    "get_job": lambda _: {"Job": {"Command": {"Name": "glueetl"}}},
    "get_job_runs": lambda _: {"JobRuns": [{"Id": "jr_1", "JobRunState": "RUNNING"}] * 200, "NextToken": "n"},
    "describe_table": lambda _: {"Table": {}},
    "head_bucket": lambda _: {},
    "query": _items,
    "get_item": lambda _: {},
    "batch_get_item": lambda _: {"Responses": {}, "UnprocessedKeys": {}},
    "filter_log_events": lambda _: {
        "events": [{"timestamp": int(ago(60).timestamp() * 1000), "message": _LINE}] * 100,
        "nextToken": "n",
    },
    "get_metric_data": lambda _: {"MetricDataResults": [], "NextToken": "n"},
    "list_objects_v2": _objects,
}


class Endless:
    """Every service of an environment in which nothing ends. refused: operations that AWS refuses, with its code."""

    def __init__(self, refused: dict[str, str]) -> None:
        self.meta = SimpleNamespace(region_name="us-east-1")
        self.calls: Counter[str] = Counter()
        self._refused = refused
        self._lock = Lock()

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        def call(**request: Any) -> dict[str, Any]:
            with self._lock:
                self.calls[operation] += 1
            if operation in self._refused:
                error = {"Error": {"Code": self._refused[operation], "Message": "no"}}
                raise ClientError(error | _DATE, operation)  # type: ignore[arg-type]
            return ANSWERS[operation](request)

        return call


def looked(**refused: str) -> tuple[Facts, Counter[str]]:
    service = Endless(refused)
    with ThreadPoolExecutor(8) as pool:
        facts = look(lambda _service: service, NAMES, PROFILE, NOW + timedelta(seconds=0.5), pool)
    return facts, service.calls


def test_the_number_of_calls_is_bounded_though_nothing_ends() -> None:
    facts, calls = looked()
    assert all(reading.was_read for reading in facts.readings.values()), facts.readings
    assert 30 <= sum(calls.values()) <= MOST_CALLS <= 52
    assert facts.open_manifests.value is not None and not facts.open_manifests.value.is_whole
    assert facts.sample.value is not None and len(facts.sample.value.lost) == 100
    assert facts.errors.value is not None and not facts.errors.value.is_whole
    assert check(facts)


def test_objects_that_may_not_be_in_the_ledger_yet_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    contents = [
        {"Key": f"{DAY}-{n}.ndjson", "ETag": '"e"', "Size": 5, "LastModified": ago(age_s)}
        for n, age_s in enumerate((10, 20, 7_000, 900_000))
    ]
    monkeypatch.setitem(ANSWERS, "list_objects_v2", lambda _: {"Contents": contents})
    sample = looked()[0].sample.value
    assert sample is not None
    assert (sample.looked_at, sample.too_young, sample.is_whole) == (1, 2, True)


@pytest.mark.parametrize("operation", sorted(set(ANSWERS) - {"get_caller_identity"}))
def test_a_refused_call_costs_what_it_is_for(operation: str) -> None:
    facts, _ = looked(**{operation: "AccessDeniedException"})
    denied = {name for name, reading in facts.readings.items() if reading.why == "denied"}
    assert 1 <= len(denied) <= 8
    assert all(reading.was_read for name, reading in facts.readings.items() if name not in denied)
    (permissions,) = [each for each in check(facts) if each.code == "permissions"]
    assert permissions.verdict == "warn"


def test_aws_tells_its_time_with_a_refusal_too() -> None:
    facts, _ = looked(get_caller_identity="RequestTimeTooSkewed")
    assert facts.clock.value is not None and facts.clock.value.skew_s == 0


def test_a_bug_is_raised() -> None:
    service = Endless({})
    with ThreadPoolExecutor(4) as pool, pytest.raises(KeyError):
        ANSWERS_BEFORE = ANSWERS.pop("get_job")
        try:
            look(lambda _service: service, NAMES, PROFILE, NOW, pool)
        finally:
            ANSWERS["get_job"] = ANSWERS_BEFORE
