"""The queue of manifests that wait for a run: bounded, oldest first, and not blocked by one that never starts; changes
of a run's state; what is read however much is pending."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_handler.dynamo import to_item
from lambda_handler.handler import UnknownInvocation
from lambda_handler.runs import MOST_REFUSALS, START_UNSETTLED_S
from ndjctl.contracts import FAILED, MANIFESTED, PENDING, READY, STARTED, Attr
from tests.lambda_model import client_error
from tests.lambda_world import DAY, Death, Plan, World

OTHER = "2026-03-15"


def states(world: World) -> list[str]:
    return [item[Attr.STATE] for item in world.manifests()]


def refuse(world: World, *names: str, code: str = "InvalidInputException", status: int = 400) -> None:
    """Glue refuses the manifests of these numbers, whatever room there is."""
    start = world.glue.start_job_run
    paths = [world.manifests()[int(name)][Attr.MANIFEST_PATH] for name in names]

    def refusing(JobName: str, Arguments: dict[str, str]) -> Any:
        if Arguments["--MANIFEST_PATH"] in paths:
            raise client_error(code, "StartJobRun", status)
        return start(JobName, Arguments)

    world.glue.start_job_run = refusing  # type: ignore[method-assign]


def waiting(count: int, **changes: Any) -> World:
    world = World(**changes)
    world.glue.max_concurrent = 0
    for _ in range(count):
        world.later(1)
        world.deliver(*(world.upload() for _ in range(3)))
    return world


def test_no_more_manifests_are_built_than_may_wait_and_all_are_in_the_end() -> None:
    world = waiting(9, max_waiting_manifests=4)
    assert states(world) == [READY] * 4
    assert world.statuses() == {MANIFESTED: 12, PENDING: 15}
    world.later(601)
    answer = world.sweep()
    assert answer["manifests_created"] == [] and answer["waiting"] == 4 and not answer["done"] and answer["pending"]
    world.glue.max_concurrent = 2
    for _ in range(12):
        world.work_runs()
        answer = world.sweep()
        assert states(world).count(READY) <= 4
        assert len(world.glue.in_flight()) <= 2
    assert answer["done"]
    order = [run["Arguments"]["--MANIFEST_PATH"] for run in world.glue.runs]
    assert order == sorted(order) and len(order) == 9
    world.check_at_rest()


def test_what_room_there_is_goes_to_the_oldest_files_whatever_their_date() -> None:
    world = World(max_waiting_manifests=3, max_lock_wait_s=0)
    world.glue.max_concurrent = 0
    lock = {"holder": "other", "expires_at": int(world.now.timestamp()) + 50}
    for day in (DAY, OTHER):
        world.dynamodb.tables[world.settings.lock_table]["#locks", f"{day}#"] = to_item(lock)
    for day in (DAY, OTHER, OTHER, DAY, OTHER, DAY):
        world.later(1)
        world.deliver(*(world.upload(day=day) for _ in range(3)))
    assert world.statuses() == {PENDING: 18}
    world.later(60)
    assert len(world.sweep()["manifests_created"]) == 3
    keys = sorted(file["key"][-10:-7] for item in world.manifests() for file in item[Attr.FILES])
    assert keys == [f"{number:03d}" for number in range(1, 10)], "not the nine oldest files"


def test_a_backlog_of_one_date_does_not_keep_another_date_from_its_turn() -> None:
    world = waiting(6, max_waiting_manifests=2)
    world.later(1)
    world.deliver(*(world.upload(day=OTHER) for _ in range(3)))
    world.glue.max_concurrent = 1
    for _ in range(9):
        world.work_runs()
        world.sweep()
    world.work_runs()
    assert world.sweep()["done"]
    assert world.manifest_at(world.glue.runs[-1]["Arguments"]["--MANIFEST_PATH"]).date == OTHER  # type: ignore[union-attr]
    world.check_at_rest()


def test_a_manifest_that_never_starts_does_not_block_those_behind_and_is_given_up() -> None:
    world = waiting(4)
    paths = [item[Attr.MANIFEST_PATH] for item in world.manifests()]
    refuse(world, "0")
    world.glue.max_concurrent = 1
    for _ in range(3):
        world.sweep()
        world.work_runs()
    assert [run["Arguments"]["--MANIFEST_PATH"] for run in world.glue.runs] == paths[1:]
    asked, answer = Plan(), world.sweep()
    world.sweep(asked)
    assert "glue.start_job_run" not in asked.calls, "it is tried at every sweep"
    minutes = 0
    while not answer["done"] and minutes < 24 * 60:
        world.later(60)
        minutes += 1
        answer = world.sweep()
    assert 60 <= minutes <= 150
    assert world.statuses() == {FAILED: 3, "completed": 9}
    assert all("InvalidInputException" in item[Attr.ERROR] for item in world.files().values() if Attr.ERROR in item)
    assert len(world.events("run_refused")) == MOST_REFUSALS
    assert sorted(states(world)) == ["abandoned", "done", "done", "done"]
    world.check()


def test_a_flush_tries_refused_starts_at_once() -> None:
    world = waiting(1)
    refuse(world, "0")
    world.sweep()
    del world.glue.start_job_run  # type: ignore[method-assign]
    world.glue.max_concurrent = 1
    assert world.sweep()["runs_started"] == []
    assert len(world.flush()["runs_started"]) == 1
    (manifest,) = world.manifests()
    assert manifest[Attr.STATE] == STARTED and manifest[Attr.ATTEMPT] == 1
    assert not {Attr.REFUSALS, Attr.REFUSED_AT, Attr.ERROR} & set(manifest)


def test_manifests_whose_starts_get_no_answer_leave_others_their_turn_and_are_never_given_up() -> None:
    world = waiting(6)
    refuse(world, "0", "1", "2", code="InternalServiceException", status=500)
    world.glue.max_concurrent = 10
    assert world.sweep()["runs_started"] == []
    answer = world.sweep()
    assert len(answer["runs_started"]) == 3, "those behind are blocked"
    for _ in range(200):
        world.later(60)
        world.sweep()
    assert states(world).count(READY) == 3
    tries = len(world.events("start_failed"))
    assert 3 * 15 <= tries <= 3 * 30
    del world.glue.start_job_run  # type: ignore[method-assign]
    world.settle()
    world.check_at_rest()


def test_a_start_that_is_asked_for_by_a_clock_a_minute_behind_is_not_repeated() -> None:
    world = World()
    with pytest.raises(Death):
        world.deliver(*(world.upload() for _ in range(3)), plan=Plan(die_at="glue.start_job_run"))
    world.later(61)
    assert world.sweep()["runs_started"] == []
    world.later(START_UNSETTLED_S)
    assert len(world.sweep()["runs_started"]) == 1


def test_the_run_of_an_attempt_before_is_not_taken_for_the_new_one() -> None:
    """Two quick failures; the third start is announced and its answer is lost before Glue hears of it."""
    world = World(max_attempts=3)
    world.deliver(*(world.upload() for _ in range(3)))
    for number in range(2):
        world.glue.end(f"jr_{number}", "STOPPED")
        if number == 0:
            world.sweep()
    with pytest.raises(Death):
        world.sweep(Plan(die_at="glue.start_job_run"))
    world.later(START_UNSETTLED_S + 1)
    for run in world.glue.runs:
        run["StartedOn"] = world.now
    assert [each["run_id"] for each in world.sweep()["runs_started"]] == ["jr_2"]
    assert world.manifests()[0][Attr.ATTEMPT] == 3


# --- changes of a run's state


def state_change(world: World, run_id: str, state: str = "SUCCEEDED", job: str = "job") -> dict[str, Any]:
    return {
        "detail-type": "Glue Job State Change",
        "source": "aws.glue",
        "detail": {"jobName": job, "jobRunId": run_id, "state": state, "message": ""},
    }


def test_the_end_of_a_run_is_acted_upon_and_its_slot_filled_without_a_sweep() -> None:
    world = waiting(3)
    world.glue.max_concurrent = 2
    world.sweep()
    world.deliver(world.upload())
    world.later(700)
    world.work_runs()
    plan = Plan()
    answer = world.invoke(state_change(world, "jr_0"), plan)
    assert len(answer["repaired"]) == 1 and len(answer["runs_started"]) == 1
    assert answer["manifests_created"] == [], "it did the work of a sweep"
    assert states(world).count(STARTED) == 2  # jr_1 has ended too, and its own event is under way
    assert plan.calls.count("dynamodb.query") <= 3


@pytest.mark.parametrize("state", ["FAILED", "TIMEOUT", "STOPPED"])
def test_a_run_that_failed_is_retried_by_its_event(state: str) -> None:
    world = World()
    world.deliver(*(world.upload() for _ in range(3)))
    world.glue.end("jr_0", state)
    world.later(31)
    answer = world.invoke(state_change(world, "jr_0", state))
    assert [each["run_id"] for each in answer["runs_started"]] == ["jr_1"]


def test_an_event_that_comes_twice_or_late_changes_nothing() -> None:
    world = World()
    world.deliver(*(world.upload() for _ in range(3)))
    world.work_runs()
    world.invoke(state_change(world, "jr_0"))
    items = world.items()
    for _ in range(2):
        world.invoke(state_change(world, "jr_0"))
    assert world.items() == items
    world.check_at_rest()


def test_runs_of_others_and_unknown_runs_are_none_of_ours() -> None:
    world = World()
    world.glue.add_run("foreign", {"--MANIFEST_PATH": "s3://elsewhere/manifests/x/manifest-1.json"})
    world.glue.add_run("bare", {})
    for event in (
        state_change(world, "jr_9"),
        state_change(world, "foreign"),
        state_change(world, "bare"),
        state_change(world, "x", job="theirs"),
    ):
        assert world.invoke(event)["done"]
    assert world.items() == []


@pytest.mark.parametrize("detail", [None, "x", {}, {"jobRunId": 7, "jobName": "job"}])
def test_a_state_change_of_no_run_is_refused(detail: Any) -> None:
    with pytest.raises(UnknownInvocation, match="names no run"):
        World().invoke({"detail-type": "Glue Job State Change", "detail": detail})


def test_death_around_every_call_of_a_run_s_event() -> None:
    def prepare() -> World:
        world = waiting(2)
        world.glue.max_concurrent = 1
        world.sweep()
        world.work_runs()
        return world

    probe = Plan()
    prepare().invoke(state_change(World(), "jr_0"), probe)
    assert len(probe.calls) >= 8
    for at in range(1, len(probe.calls) + 1):
        for moment in ("before", "after"):
            world, plan = prepare(), Plan(at=at)
            setattr(plan, moment, plan.die)
            with pytest.raises(Death):
                world.invoke(state_change(world, "jr_0"), plan)
            world.check()
            world.settle()
            world.check_at_rest()


# --- what is read


def backlog(world: World, count: int) -> None:
    """So many pending files, which no builder has had time for."""
    for number in range(count):
        name = f"in/{DAY}-old-{number:06d}.ndjson"
        item = {
            Attr.DATE_PREFIX: DAY,
            Attr.FILE_KEY: name,
            Attr.STATUS: PENDING,
            Attr.BUCKET: world.input,
            Attr.SIZE_BYTES: 100,
            Attr.ETAG: "e",
            Attr.UPLOAD_TIME: f"2026-03-14T11:00:00.{number:06d}Z",
        }
        world.dynamodb.put_item(world.settings.tracking_table, to_item(item))


@pytest.mark.parametrize("most_waiting", [1, 3])
def test_what_a_batch_of_messages_reads_does_not_grow_with_what_is_pending(most_waiting: int) -> None:
    calls = []
    for count in (300, 1500):
        world = World(max_waiting_manifests=most_waiting, page_items=500)
        world.glue.max_concurrent = 0
        world.dynamodb.keys_per_read = 100
        backlog(world, count)
        plan = Plan()
        world.send(json.dumps({"Records": [world.upload()]}), plan=plan)
        calls.append(plan.calls)
        assert states(world) == [READY] * most_waiting
        again = Plan()
        world.send(json.dumps({"Records": [world.upload()]}), plan=again)
        assert again.calls == ["dynamodb.put_item", "dynamodb.query", "dynamodb.query", "dynamodb.update_item"]
    assert calls[0] == calls[1]


def test_a_sweep_without_room_reads_one_pending_file() -> None:
    world = waiting(3, max_waiting_manifests=1)
    backlog(world, 50)
    plan = Plan()
    answer = world.sweep(plan)
    assert answer["pending"] == 1 and answer["cut_short"] and not answer["done"]
    assert plan.calls.count("dynamodb.query") == 3  # what is open, what can start, one of what is pending
