"""What the function tells CloudWatch: which values, when, and what it does not cost or break."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from lambda_handler.batching import Pending, PendingFile
from lambda_handler.dynamo import to_item
from lambda_handler.handler import dispatch
from lambda_handler.services import STOP_MARGIN_S, make_client
from ndjctl.contracts import (
    FAILED_RUNS,
    GIVEN_UP_MANIFESTS,
    METRIC_NAMESPACE,
    METRICS,
    OLDEST_PENDING_AGE,
    PENDING,
    RUNNING_MANIFESTS,
    WAITING_MANIFESTS,
    Attr,
    ManifestFile,
    Names,
    iso_utc,
)
from tests.lambda_model import client_error
from tests.lambda_world import DAY, Death, Plan, World

CALL = "cloudwatch.put_metric_data"
OLDEST, WAITING, RUNNING = OLDEST_PENDING_AGE.name, WAITING_MANIFESTS.name, RUNNING_MANIFESTS.name
FAILURES, GIVEN_UP = FAILED_RUNS.name, GIVEN_UP_MANIFESTS.name
QUIET = {OLDEST: 0.0, WAITING: 0.0, RUNNING: 0.0, FAILURES: 0.0, GIVEN_UP: 0.0}


def last(world: World) -> dict[str, float]:
    return world.cloudwatch.values()[-1]


def swept(world: World) -> dict[str, float]:
    """What the next sweep tells."""
    before = len(world.cloudwatch.calls)
    world.sweep()
    assert len(world.cloudwatch.calls) == before + 1, "not one call a sweep"
    return last(world)


def run_over(world: World, run_id: str, state: str = "FAILED") -> None:
    """The run ends so, and Glue makes no further attempt."""
    world.glue.end(run_id, state)
    world.later(31)


def state_change(run_id: str) -> dict[str, Any]:
    return {"detail-type": "Glue Job State Change", "detail": {"jobName": "job", "jobRunId": run_id}}


# --- form


def test_a_sweep_tells_all_of_it_in_one_call_and_as_its_last() -> None:
    world, plan = World(stack=Names("123456789012", "x").stack), Plan()
    world.deliver(*(world.upload() for _ in range(2)))
    world.later(700)
    world.sweep(plan)  # builds, starts, and counts both in the metrics table
    assert plan.calls.count(CALL) == 1 and plan.calls[-1] == CALL
    ((namespace, data),) = world.cloudwatch.calls
    assert namespace == METRIC_NAMESPACE
    assert set(data) == {(metric.name, ("Stack=ndjson-parquet-sqs-x",)) for metric in METRICS}
    assert {name: datum["Unit"] for (name, _), datum in data.items()} == {each.name: each.unit for each in METRICS}
    assert {datum["Timestamp"] for datum in data.values()} == {world.now}


@pytest.mark.parametrize("event", [{"action": "sweep"}, {"action": "flush"}, {"action": "flush", "date": DAY}])
def test_so_does_a_sweep_that_the_tool_asks_for(event: dict[str, str]) -> None:
    world = World()
    world.invoke(event)
    assert world.cloudwatch.values() == [QUIET]


def test_messages_tell_nothing() -> None:
    world = World()
    assert world.deliver(*(world.upload() for _ in range(4)), world.upload(size=1)) == []
    assert world.cloudwatch.calls == []


def test_without_a_stack_nothing_is_published_and_no_client_made() -> None:
    world = World(stack="")
    world.cloudwatch = None
    assert world.sweep()["done"] and not world.events("metrics_not_published")


# --- how things stand


def test_manifests_that_wait_and_that_run() -> None:
    world = World(max_waiting_manifests=2)
    world.glue.max_concurrent = 0
    for _ in range(4):
        world.deliver(*(world.upload() for _ in range(3)))
    assert swept(world) | {OLDEST: 0.0} == {**QUIET, WAITING: 2.0}
    world.glue.max_concurrent = 3
    # The first two are started, the next two built, one of them started.
    assert swept(world) == {**QUIET, WAITING: 1.0, RUNNING: 3.0}
    world.work_runs()
    assert swept(world) == {**QUIET, RUNNING: 1.0}


def test_a_manifest_that_is_built_and_has_no_room_waits() -> None:
    world = World()
    world.glue.max_concurrent = 0
    world.deliver(*(world.upload() for _ in range(2)))
    world.later(601)
    told = swept(world)
    assert world.statuses() == {"manifested": 2}
    assert told == {**QUIET, WAITING: 1.0}, "its files are pending no more"


def test_a_manifest_that_a_dead_builder_left_waits() -> None:
    world = World()
    plan = Plan(die_at="s3.put_object")
    with pytest.raises(Death):
        world.deliver(*(world.upload() for _ in range(3)), plan=plan)
    assert swept(world) == {**QUIET, WAITING: 1.0}  # under the dead one's lock it cannot be repaired yet
    world.later(301)
    assert swept(world) == {**QUIET, RUNNING: 1.0}


def test_the_age_is_of_the_oldest_file_whatever_its_date() -> None:
    world = World()
    # A file of an old date is as old as its upload, and so is one without a date.
    world.deliver(world.upload(name="in/2020-01-01-x.ndjson", day="2020-01-01"))
    world.later(100)
    world.deliver(world.upload(name="in/dateless.ndjson"))
    world.later(100)
    world.deliver(world.upload(name="in/2030-01-01-y.ndjson", day="2030-01-01"))
    world.later(50)
    assert swept(world)[OLDEST] == pytest.approx(250, abs=0.01)
    world.later(351)  # the oldest is due, alone
    assert swept(world)[OLDEST] == pytest.approx(501, abs=0.01)
    assert world.statuses() == {"manifested": 1, PENDING: 2}


@pytest.mark.parametrize("name", [f"in/{DAY}-x.ndjson", "in/dateless.ndjson"])
def test_an_overwritten_file_neither_ages_nor_grows_younger(name: str) -> None:
    world = World()
    world.deliver(world.upload(name=name))
    world.later(200)
    world.deliver(world.upload(name=name, fill="y"))
    world.later(100)
    assert swept(world)[OLDEST] == pytest.approx(300, abs=0.01)  # its place in the queue is the first version's


def test_a_failed_file_that_is_overwritten_is_as_old_as_its_new_version() -> None:
    world = World(max_attempts=1)
    record = world.upload(name=f"in/{DAY}-x.ndjson")
    world.deliver(record, world.upload(), world.upload())
    run_over(world, "jr_0")
    assert swept(world)[OLDEST] == 0.0
    world.later(5_000)
    world.deliver(world.upload(name=f"in/{DAY}-x.ndjson", fill="y"))
    world.later(40)
    assert swept(world)[OLDEST] == pytest.approx(40, abs=0.01)


def test_a_clock_behind_makes_no_negative_age() -> None:
    world = World()
    world.deliver(world.upload())
    world.later(-60)
    assert swept(world)[OLDEST] == 0.0


def test_the_age_is_judged_as_that_of_a_partial_batch() -> None:
    """A file stays pending up to the limit, and no file is older that the sweep was to take."""
    world = World()
    world.deliver(world.upload())
    world.later(600)
    assert swept(world)[OLDEST] == pytest.approx(600, abs=0.01)
    world.later(1)
    assert swept(world) == {**QUIET, RUNNING: 1.0}


def test_files_that_only_a_late_index_shows_are_not_pending() -> None:
    world = World()
    world.deliver(*(world.upload() for _ in range(2)))
    world.later(500)
    world.deliver(world.upload(day="2026-03-15"))
    world.sweep()
    world.dynamodb.index_lag = 10**9  # from here on it shows nothing new
    world.later(101)
    assert swept(world)[OLDEST] == pytest.approx(101, abs=0.01)  # the two were built just now
    world.later(1)
    assert swept(world)[OLDEST] == pytest.approx(102, abs=0.01)  # and are found to be no longer pending


def test_without_room_it_costs_no_more_than_the_one_file_that_is_read() -> None:
    world = World(max_waiting_manifests=1)
    world.glue.max_concurrent = 0
    for _ in range(5):
        world.deliver(*(world.upload() for _ in range(3)))
        world.later(10)
    plan = Plan()
    world.sweep(plan)
    assert plan.calls.count("dynamodb.query") == 3  # what is open, what can start, one of what is pending
    assert last(world) == {**QUIET, WAITING: 1.0, OLDEST: pytest.approx(40, abs=0.01)}


def test_with_and_without_a_stack_a_sweep_reads_the_same() -> None:
    calls = []
    for stack in ("s", ""):
        world, plan = World(stack=stack), Plan()
        for _ in range(7):
            world.deliver(world.upload())
        world.later(601)
        world.sweep(plan)
        calls.append([call for call in plan.calls if call != CALL])
    assert calls[0] == calls[1]


times = st.integers(0, 50).map(lambda second: f"2026-03-14T11:00:{second:02d}.000Z")
dates = st.sampled_from(["2026-03-13", DAY, "2026-03-15"])


@given(st.lists(st.tuples(dates, times)), st.sets(st.integers(0, 30)), st.booleans())
def test_the_oldest_is_the_oldest_of_those_that_are_left(
    drawn: list[tuple[str, str]], gone: set[int], complete: bool
) -> None:
    by_date: dict[str, list[PendingFile]] = {}
    settled, left = set(), []
    for number, (date, upload_time) in enumerate(sorted(drawn, key=lambda each: each[1])):
        file = PendingFile(ManifestFile("b", f"k{number}", 1, "e"), date, upload_time)
        by_date.setdefault(date, []).append(file)
        if number in gone:
            settled.add(file.place)
        else:
            left.append(upload_time)
    found = Pending(by_date, complete).oldest(settled)
    if left or complete:
        assert found == min(left, default=None)
    else:
        # Whatever was left out came no earlier than what was read.
        assert found == max((upload_time for _, upload_time in drawn), default=None)


def test_what_could_not_be_read_is_left_out() -> None:
    world = World()
    world.deliver(world.upload())
    query = world.dynamodb.query

    def refusing(**request: Any) -> Any:
        if "IndexName" in request:
            raise client_error("ProvisionedThroughputExceededException", "Query")
        return query(**request)

    world.dynamodb.query = refusing
    world.sweep()
    assert last(world) == {name: value for name, value in QUIET.items() if name != OLDEST}


def test_an_upload_time_that_is_none_costs_its_own_metric_only() -> None:
    world = World(max_waiting_manifests=1)
    world.glue.max_concurrent = 0
    for _ in range(2):
        world.deliver(*(world.upload() for _ in range(3)))
    item = {**world.files()[f"in/{DAY}-004.ndjson"], Attr.FILE_KEY: "in/by-hand.ndjson", Attr.UPLOAD_TIME: "!"}
    world.dynamodb.put_item(world.settings.tracking_table, to_item(item))
    assert OLDEST not in swept(world) and last(world)[WAITING] == 1.0
    assert len(world.events("pending_age_unknown")) == 1


# --- what happened


def test_a_run_that_failed_is_told_of_once() -> None:
    world = World(max_attempts=2)
    world.deliver(*(world.upload() for _ in range(3)))
    run_over(world, "jr_0")
    assert swept(world) == {**QUIET, RUNNING: 1.0, FAILURES: 1.0}  # it runs again
    assert swept(world) == {**QUIET, RUNNING: 1.0}
    run_over(world, "jr_1", "TIMEOUT")
    assert swept(world) == {**QUIET, FAILURES: 1.0, GIVEN_UP: 1.0}
    assert swept(world) == QUIET


def test_a_run_s_event_tells_of_its_failure_alone() -> None:
    world = World(max_attempts=2)
    world.deliver(*(world.upload() for _ in range(3)))
    run_over(world, "jr_0")
    plan = Plan()
    world.invoke(state_change("jr_0"), plan)
    assert world.cloudwatch.values() == [{FAILURES: 1.0}] and plan.calls[-1] == CALL
    world.invoke(state_change("jr_0"))
    assert len(world.cloudwatch.calls) == 1, "an event that comes twice tells twice"
    assert swept(world)[FAILURES] == 0.0
    run_over(world, "jr_1")
    world.invoke(state_change("jr_1"))
    assert last(world) == {FAILURES: 1.0, GIVEN_UP: 1.0}


def test_a_run_that_did_its_work_is_no_failure() -> None:
    world = World()
    world.deliver(*(world.upload() for _ in range(3)))
    world.work_runs()
    world.invoke(state_change("jr_0"))
    assert world.cloudwatch.calls == []
    world.deliver(*(world.upload() for _ in range(3)))
    world.work_runs()
    assert swept(world) == QUIET


@pytest.mark.parametrize("how", ["lost", "unfinished"])
def test_a_run_that_vanished_or_left_its_work_undone_is_one(how: str) -> None:
    world = World()
    world.deliver(*(world.upload() for _ in range(3)))
    if how == "lost":
        world.glue.runs.clear()
        world.later(121)
    else:
        run_over(world, "jr_0", "SUCCEEDED")
    assert swept(world)[FAILURES] == 1.0


def test_two_failures_are_two() -> None:
    world = World()
    for _ in range(2):
        world.deliver(*(world.upload() for _ in range(3)))
    run_over(world, "jr_0")
    run_over(world, "jr_1")
    assert swept(world) == {**QUIET, RUNNING: 2.0, FAILURES: 2.0}


def test_a_sweep_that_fails_on_its_way_still_tells_what_had_happened() -> None:
    world = World()
    world.deliver(*(world.upload() for _ in range(3)))
    run_over(world, "jr_0")
    query, asked = world.dynamodb.query, []

    def refusing(**request: Any) -> Any:
        asked.append(request)
        if len(asked) > 1:  # the first is of what is open
            raise client_error("InternalServerError", "Query", 500)
        return query(**request)

    world.dynamodb.query = refusing
    with pytest.raises(ClientError, match="InternalServerError"):
        world.sweep()
    assert world.cloudwatch.values() == [{FAILURES: 1.0}]


# --- what it must not cost


UNREACHABLE = [
    client_error("ThrottlingException", "PutMetricData"),
    client_error("AccessDeniedException", "PutMetricData", 403),
    EndpointConnectionError(endpoint_url="https://monitoring"),
    ConnectTimeoutError(endpoint_url="https://monitoring"),
    NoCredentialsError(),
]


@pytest.mark.parametrize("error", UNREACHABLE, ids=lambda error: type(error).__name__)
def test_a_failure_to_publish_is_one_warning(error: Exception) -> None:
    answers, ledgers = [], []
    for refusal in (None, error):
        world = World()
        world.cloudwatch.refuse_with = refusal
        for _ in range(4):
            world.deliver(world.upload())
        world.later(601)
        answers.append(world.sweep())
        ledgers.append(world.items())
        assert len([line for line in world.lines if line["level"] in ("WARNING", "ERROR")]) == (refusal is not None)
    (warning,) = world.events("metrics_not_published")
    assert warning["level"] == "WARNING" and type(error).__name__ in warning["why"]
    assert answers[0] == answers[1] and ledgers[0] == ledgers[1]


def test_a_client_that_cannot_be_made_is_one_warning() -> None:
    world = World()
    services = world.services

    def without(plan: Plan) -> Any:
        made = services(plan)
        others = made.make_client
        made.make_client = lambda name: others(name) if name != "cloudwatch" else 1 / 0
        return made

    world.services = without  # type: ignore[method-assign]
    assert world.sweep()["done"] and len(world.events("metrics_not_published")) == 1


def test_short_of_time_nothing_is_published() -> None:
    world, left_s = World(), iter([300.0, *[STOP_MARGIN_S - 1] * 100])

    class Context:
        aws_request_id = "r"

        def get_remaining_time_in_millis(self) -> float:
            return 1000 * next(left_s)

    plan = Plan()
    dispatch({"action": "sweep"}, Context(), world.services(plan))
    assert CALL not in plan.calls and len(world.events("metrics_not_published")) == 1


def test_the_client_gives_up_before_the_invocation_has_to(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    config = make_client("cloudwatch").meta.config
    attempts = config.retries["total_max_attempts"]
    most_s = attempts * (config.connect_timeout + config.read_timeout) + (attempts - 1) * 1.0  # its first pause
    assert most_s < STOP_MARGIN_S


def test_the_time_is_the_invocation_s_own() -> None:
    world = World()
    world.sweep()
    first = world.cloudwatch.calls[-1][1]
    world.later(60)
    world.sweep()
    second = world.cloudwatch.calls[-1][1]
    moments = [next(iter(data.values()))["Timestamp"] for data in (first, second)]
    assert moments[1] - moments[0] == timedelta(seconds=60) and iso_utc(moments[1]) == iso_utc(world.now)
