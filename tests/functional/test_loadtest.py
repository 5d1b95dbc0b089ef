"""Whole load tests on moto: PASS and nothing left behind, FAIL with its reason for each planted failure, and a process
that dies in any stage."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ndjctl.errors import UsageError, WorkFailed
from ndjctl.loadtest.journal import Journal, opened
from ndjctl.loadtest.model import LoadSettings, Thresholds, input_key
from ndjctl.loadtest.results import Results
from ndjctl.loadtest.running import carry_on
from ndjctl.loadtest.spending import spend_more
from ndjctl.output.loadtest import verdict_view
from ndjctl.output.loadtest_lists import tests_view as list_view
from tests.functional.operations_world import NAMES, Operations
from tests.loadtest_world import LoadWorld, Plan

SETTINGS = LoadSettings(
    phase=1,
    files=6,
    file_size_bytes=20_000,
    unique_files=2,
    bad_lines="3",
    thresholds=Thresholds(max_cost_ratio=None),
)


@pytest.fixture
def load(operations: Operations, tmp_path: Path) -> LoadWorld:
    return LoadWorld(tmp_path / "loadtests", operations, SETTINGS)


def test_a_test_passes_and_leaves_nothing_behind(load: LoadWorld) -> None:
    journal = load.begin()
    report = carry_on(load.world(), journal)
    assert (report["verdict"], report["reasons"]) == ("PASS", [])
    assert report["counts"] == {"completed": 6}
    assert report["lines"]["bad_lines"] == 18 and report["lines"]["lost"] == report["lines"]["duplicated"] == 0
    assert report["latency_s"]["p95"] == pytest.approx(5, abs=0.1)
    assert report["dpu_hours"] == pytest.approx(60 / 3600, abs=1e-6)
    assert (report["runs"]["count"], report["manifests"], report["most_runs_at_once"]) == (1, 1, 1)
    assert load.told.phases == ["feeding", "following", "proving", "cleaning up"]
    assert load.everything() == load.before
    assert report["cleanup"]["inputs"] == 6 and report["cleanup"]["manifests"] == 1
    kept = Results(load.operations.s3, NAMES).get(journal.test_id)
    assert kept["verdict"] == "PASS" and kept["cleanup"] == report["cleanup"]
    assert load.reports[-1] == report
    assert journal.is_over


FAILURES: dict[str, tuple[Plan, dict[str, Any], str]] = {
    "lost event": (Plan(lost_events=1), {}, "no event came of 1 file, the first"),
    "duplicated part": (Plan(copies=True), {}, "lines more than once"),
    "lost part": (Plan(torn=True), {}, "lines lost"),
    "failing job": (Plan(failing=2), {}, "boom"),
    "too slow": (Plan(late_s=3_000), {}, "p95 from upload to Parquet 50.1 min, allowed 30.0 min"),
    "over budget": (Plan(dpu_s=360_000), {"max_cost_usd": 1.0}, "the budget is $1.00"),
    "over the estimate": (Plan(dpu_s=360_000), {"max_cost_ratio": 1.5}, "times the estimate"),
    "dead letter": (Plan(dead_letters=2), {}, "2 new messages in the dead-letter queue, 0 about the test's own"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_planted_failure_fails_the_test_with_its_reason(load: LoadWorld, name: str) -> None:
    planted, thresholds, words = FAILURES[name]
    load.planted = planted
    load.settings = replace(SETTINGS, thresholds=replace(SETTINGS.thresholds, **thresholds))
    report = carry_on(load.world(), load.begin())
    assert report["verdict"] == "FAIL"
    assert any(words in reason for reason in report["reasons"]), report["reasons"]
    left = load.everything()
    if name == "duplicated part":  # it belongs to no manifest: a reconciliation calls it an orphan
        left = {key: value for key, value in left.items() if "x-" not in key}
    assert left == load.before


class _Killed(BaseException):
    """As kill -9 does: nothing is caught, nothing is tidied."""


def _killing(name: str, journal: Journal, monkeypatch: pytest.MonkeyPatch, *, before: bool) -> None:
    """The process dies when the stage would be written down, or just after that."""
    real: Callable[..., None] = Journal.done

    def done(self: Journal, stage: str, result: Any) -> None:
        if stage == name and before:
            raise _Killed
        real(self, stage, result)
        if stage == name:
            raise _Killed

    monkeypatch.setattr(Journal, "done", done)


@pytest.mark.parametrize("before", [True, False], ids=["before it is noted", "after"])
@pytest.mark.parametrize("stage", ["fed", "followed", "proven", "reported", "cleaned"])
def test_a_test_that_died_goes_on_to_the_same_verdict(load: LoadWorld, stage: str, before: bool) -> None:
    journal = load.begin()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(_Killed):
        _killing(stage, journal, patch, before=before)
        carry_on(load.world(), journal)
    report = carry_on(load.world(), opened(journal.folder))
    assert (report["verdict"], report["counts"], report["lines"]["lost"]) == ("PASS", {"completed": 6}, 0)
    assert load.everything() == load.before
    assert len(load.runs) == 1


@pytest.mark.parametrize("call", range(6))
def test_a_cleanup_that_died_at_any_call_is_done_by_the_next(load: LoadWorld, call: int) -> None:
    journal = load.begin()
    carry_on(load.world(), journal, keep=True)
    s3, count = load.operations.s3, 0

    class Dying:
        def __getattr__(self, name: str) -> Any:
            def counted(**arguments: Any) -> Any:
                nonlocal count
                if name.startswith("delete"):
                    if count == call:
                        raise _Killed
                    count += 1
                return getattr(s3, name)(**arguments)

            return counted if name.startswith("delete") else getattr(s3, name)

    load.operations.s3 = Dying()
    try:
        carry_on(load.world(), journal)
    except _Killed:
        load.operations.s3 = s3
        carry_on(load.world(), opened(journal.folder))
    load.operations.s3 = s3
    assert load.everything() == load.before


def test_a_cleanup_in_two_tries_says_at_least(load: LoadWorld) -> None:
    journal = load.begin()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(_Killed):
        _killing("cleaned", journal, patch, before=True)
        carry_on(load.world(), journal)
    report = carry_on(load.world(), opened(journal.folder))
    assert (report["cleanup"]["inputs"], report["cleanup"]["is_least"]) == (6, True)
    assert "at least 6 inputs, 0 parts" in _screen(report)


def _screen(report: dict[str, Any]) -> str:
    screen = Console(width=160, record=True, file=io.StringIO())
    screen.print(verdict_view(report, {"html": "h", "json": "j"}, None).render())
    return screen.export_text()


def test_a_kept_test_is_listed_with_its_verdict(load: LoadWorld) -> None:
    journal = load.begin()
    report = carry_on(load.world(), journal, keep=True)
    view = list_view("dev", [opened(journal.folder)], [report], "compare", "resume")
    ((document, line),) = list(view.rows)
    assert (document["verdict"], document["reasons"]) == ("PASS", [])
    assert document["unfinished"] == "kept, not cleaned up yet"
    assert (document["seconds"], document["latency_s"]) == (report["seconds"], report["latency_s"])
    first, second = str(line()).splitlines()
    assert "PASS" in first and first.endswith("5 s") and second == "  kept, not cleaned up yet"


def test_a_test_that_was_stopped_at_its_budget_is_listed_with_its_reason(stopped: tuple[LoadWorld, Journal]) -> None:
    ((document, line),) = list(list_view("dev", [stopped[1]], [], "compare", "resume").rows)
    assert document["verdict"] == "FAIL" and document["unfinished"] == "stopped at its budget, not cleaned up yet"
    assert "; the test was stopped: its cost passed the budget of $1.00" in str(line())


def test_a_sum_that_is_not_one_has_no_equals_sign(load: LoadWorld) -> None:
    assert " = " in _screen(carry_on(load.world(), load.begin()))


def test_more_rows_than_lines_are_no_sum(load: LoadWorld) -> None:
    load.planted = Plan(copies=True)
    shown = _screen(carry_on(load.world(), load.begin()))
    assert " = " not in shown and "18 quarantined found" in shown


def test_a_kept_test_is_cleaned_up_later(load: LoadWorld) -> None:
    journal = load.begin()
    report = carry_on(load.world(), journal, keep=True)
    assert report["cleanup"] is None and not journal.is_over
    assert sum(key.startswith(NAMES.output_bucket) for key in load.everything()) == 2
    carry_on(load.world(), opened(journal.folder))
    assert load.everything() == load.before


@pytest.fixture
def stopped(load: LoadWorld) -> tuple[LoadWorld, Journal]:
    """A test that was stopped at its budget of $1 when half of its files were Parquet, for $4.40."""
    load.planted = Plan(lost_events=3, dpu_s=36_000)
    load.settings = replace(SETTINGS, thresholds=replace(SETTINGS.thresholds, max_cost_usd=1.0))
    journal = load.begin()
    report = carry_on(load.world(), journal)
    assert report["verdict"] == "FAIL" and report["cleanup"] is None
    assert report["reasons"][0] == "the test was stopped: its cost passed the budget of $1.00"
    assert report["counts"] == {"completed": 3, "unseen": 3}
    assert report["cost"]["total_usd"] == pytest.approx(4.40, abs=0.01)
    return load, opened(journal.folder)


def test_a_test_that_was_stopped_at_its_budget_goes_on_with_a_larger_one(stopped: tuple[LoadWorld, Journal]) -> None:
    load, journal = stopped
    with pytest.raises(UsageError, match=r"has cost \$4\.40.*above that"):
        spend_more(journal, 2.0)
    spend_more(journal, 10.0)
    load.planted = Plan(found=True)
    report = carry_on(load.world(), opened(journal.folder))
    assert (report["verdict"], report["counts"], report["runs"]["count"]) == ("PASS", {"completed": 6}, 2)
    assert load.everything() == load.before
    with pytest.raises(UsageError, match="was not stopped at its budget"):
        spend_more(opened(journal.folder), 20.0)


def test_what_was_not_converted_when_it_was_stopped_is_not_lost(stopped: tuple[LoadWorld, Journal]) -> None:
    load, _ = stopped
    report = load.reports[-1]
    assert "3 files are not converted yet" in report["reasons"]
    assert not [reason for reason in report["reasons"] if "lost" in reason]
    assert report["lines"]["lost"] == 0 and 0 < report["lines"]["lines_in"] == report["lines"]["rows"] + 9


def test_a_stopped_test_is_counted_when_its_runs_have_ended(load: LoadWorld) -> None:
    """The run goes on for a minute after the budget is passed: files, rows and cost are those of its end."""
    load.planted = Plan(lost_events=3, dpu_s=36_000)
    load.settings = replace(SETTINGS, thresholds=replace(SETTINGS.thresholds, max_cost_usd=1.0))
    journal = load.begin()
    convert, at_rest = load._convert, list[dict[str, Any]]()

    def begin(listed: list[dict[str, Any]]) -> None:
        convert(listed)
        load.runs[-1] |= {"JobRunState": "RUNNING", "CompletedOn": None, "ends_at": load.now() + timedelta(minutes=1)}
        for each in listed:
            item = load.operations.get(journal.date, each["Key"])
            assert item is not None
            at_rest.append({"partition": journal.date, "sort": each["Key"], **_without_keys(item)})
            load.operations.put(**at_rest[-1], status="processing")

    def runs(**_: Any) -> dict[str, Any]:
        for run in load.runs:
            if run["JobRunState"] == "RUNNING" and load.now() >= run["ends_at"]:
                run |= {"JobRunState": "SUCCEEDED", "CompletedOn": load.now(), "DPUSeconds": 40_000.0}
                for item in at_rest:
                    load.operations.put(**item, status="completed")
        return {"JobRuns": [dict(run) for run in load.runs]}

    load._convert, load.get_job_runs = begin, runs  # type: ignore[method-assign]
    report = carry_on(load.world(), journal)
    assert report["counts"] == {"completed": 3, "unseen": 3}
    assert "3 files are not converted yet" in report["reasons"] and report["lines"]["lost"] == 0
    assert report["dpu_hours"] == pytest.approx(40_000 / 3600, abs=1e-4)
    with pytest.raises(UsageError, match=r"has cost \$4\.8889: it goes on"):
        spend_more(opened(journal.folder), 4.5)


@pytest.mark.parametrize("stage", ["fed", "followed"])
def test_a_test_whose_environment_was_reset_ends_with_that(load: LoadWorld, stage: str) -> None:
    journal = load.begin()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(_Killed):
        _killing(stage, journal, patch, before=False)
        carry_on(load.world(), journal)
    _reset(load)
    begun_at = load.now()
    report = carry_on(load.world(), opened(journal.folder))
    assert (report["verdict"], report["counts"]) == ("FAIL", {"gone": 6})
    assert report["reasons"][0].startswith("the test was stopped: its files are gone from the input bucket and from")
    assert not [reason for reason in report["reasons"] if "lost" in reason or "not converted" in reason]
    assert (load.now() - begun_at).total_seconds() < 30, "nothing is waited for"
    assert opened(journal.folder).is_over and load.everything() == load.before


def _reset(load: LoadWorld) -> None:
    s3 = load.operations.s3
    for key in load.everything():
        bucket, _, name = key.partition("/")
        if bucket.startswith("ndjson-"):
            s3.delete_object(Bucket=bucket, Key=name)
        else:
            where = {"date_prefix": {"S": bucket}, "file_key": {"S": name}}
            load.operations.dynamodb.delete_item(TableName=NAMES.tracking_table, Key=where)


@pytest.mark.parametrize("there", ["an input", "an item"])
def test_a_test_of_which_anything_is_there_goes_on(load: LoadWorld, there: str) -> None:
    journal = load.begin()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(_Killed):
        _killing("fed", journal, patch, before=False)
        carry_on(load.world(), journal)
    key = input_key(journal.date, journal.test_id, 5)
    body = load.operations.s3.get_object(Bucket=NAMES.input_bucket, Key=key)["Body"].read()
    _reset(load)
    if there == "an input":
        load.operations.s3.put_object(Bucket=NAMES.input_bucket, Key=key, Body=body)
    else:
        load.operations.put(journal.date, key, status="completed")
    report = carry_on(load.world(), opened(journal.folder))
    assert "gone" not in report["counts"] and report["counts"]["completed"] == 1


def test_without_a_larger_budget_it_is_cleaned_up(stopped: tuple[LoadWorld, Journal]) -> None:
    load, journal = stopped
    report = carry_on(load.world(), journal)
    assert report["verdict"] == "FAIL" and journal.is_over
    assert load.everything() == load.before


def test_what_is_others_stays(load: LoadWorld) -> None:
    """A manifest with a file of somebody else in it, and a schema that another's files needed."""
    s3 = load.operations.s3
    journal = load.begin()
    stranger = f"{journal.date}-of-others.ndjson"
    s3.put_object(Bucket=NAMES.input_bucket, Key=stranger, Body=b"{}\n")
    load.planted = Plan()
    original = load._number
    load._number = lambda key: 0 if key == stranger else original(key)  # type: ignore[method-assign]
    report = carry_on(load.world(), journal)
    assert report["verdict"] == "PASS"
    left = load.everything()
    assert f"{NAMES.input_bucket}/{stranger}" in left
    assert [key for key in left if key.startswith(f"{NAMES.input_bucket}/")] == [f"{NAMES.input_bucket}/{stranger}"]
    assert sum(key.startswith(f"{NAMES.output_bucket}/") for key in left) == 2
    assert "1 manifests with files of others" in report["cleanup"]["kept"][0]
    assert sum(key.startswith(f"{journal.date}/{journal.date}-loadtest-") for key in left) == 6


def _event(bucket: str, *keys: str, name: str = "ObjectCreated:Put") -> str:
    records = [
        {
            "eventSource": "aws:s3",
            "eventName": name,
            "eventTime": "2026-11-27T19:00:00.000Z",
            "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 1, "eTag": "e"}},
        }
        for key in keys
    ]
    return json.dumps({"Records": records})


def test_its_own_dead_letters_go_with_it_and_no_others(load: LoadWorld) -> None:
    journal = load.begin()
    sqs, bucket = load.operations.sqs, NAMES.input_bucket
    url = sqs.get_queue_url(QueueName=NAMES.dead_letter_queue)["QueueUrl"]
    own = [input_key(journal.date, journal.test_id, number) for number in range(6)]
    like_it = own[0].replace(journal.test_id, "20261126T100000Z-aaaa")
    others = [
        "x",
        _event(bucket, like_it),
        _event(bucket, own[0], f"{journal.date}-of-others.ndjson"),
        _event("another-bucket", own[0]),
        _event(bucket, own[0], name="ObjectRemoved:Delete"),
    ]
    for body in [*others, *(_event(bucket, key) for key in own), _event(bucket, *own)]:
        sqs.send_message(QueueUrl=url, MessageBody=body)
    report = carry_on(load.world(), journal)
    assert report["verdict"] == "FAIL", "they came while it ran"
    assert (report["dead_letters"], report["own_dead_letters"]) == (12, 7)
    assert report["cleanup"]["dead_letters"] == 7
    left = [
        message["Body"]
        for _ in range(3)
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    ]
    assert sorted(left) == sorted(others), "all others are there, and in view"


def test_a_test_is_not_cleaned_up_while_its_manifests_are_open(load: LoadWorld) -> None:
    journal = load.begin()
    carry_on(load.world(), journal, keep=True)
    key = next(key for key in load.everything() if key.startswith(f"{journal.date}/{journal.date}-loadtest-"))
    date, _, sort = key.partition("/")
    item = load.operations.get(date, sort)
    assert item is not None
    load.operations.put(**{"partition": date, "sort": sort, **_without_keys(item), "status": "processing"})
    with pytest.raises(WorkFailed, match="1 files of the test are still under way"):
        carry_on(load.world(), opened(journal.folder))
    assert not opened(journal.folder).is_over
    load.operations.put(**{"partition": date, "sort": sort, **_without_keys(item), "status": "completed"})
    carry_on(load.world(), opened(journal.folder))
    assert load.everything() == load.before


def _without_keys(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in ("date_prefix", "file_key", "status")}
