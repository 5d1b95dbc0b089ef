"""Which batches are formed and when; locks, starts, retries and the end of runs."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from lambda_handler.batching import Limits, PendingFile, form_batches
from lambda_handler.dynamo import to_item, to_value
from lambda_handler.handler import UnknownInvocation
from lambda_handler.runs import START_UNSETTLED_S
from ndjctl.contracts import (
    FAILED,
    MANIFESTED,
    PENDING,
    READY,
    STARTED,
    Attr,
    ManifestFile,
    lock_item_key,
)
from tests.lambda_model import client_error
from tests.lambda_world import DAY, Plan, World


def pending(number: int, size: int, key_length: int = 10) -> PendingFile:
    return PendingFile(ManifestFile("b", f"{number:0{key_length}}", size, "e"), DAY, "2026-03-14T00:00:00.000Z")


files = st.lists(st.tuples(st.integers(0, 60), st.integers(10, 60)), max_size=60).map(
    lambda shapes: [pending(number, size, length) for number, (size, length) in enumerate(shapes)]
)
limits = st.builds(Limits, st.integers(1, 7), st.integers(1, 100), st.integers(70, 400))


@given(files, limits)
def test_batches_lose_nothing_and_keep_order_and_limits(files: list[PendingFile], limits: Limits) -> None:
    batches = list(form_batches(files, limits))
    assert [file for batch in batches for file in batch.files] == files
    assert all(batch.full for batch in batches[:-1])
    for batch, following in zip(batches, [*batches, None][1:], strict=True):
        assert 1 <= len(batch.files) <= limits.max_files
        total = sum(file.file.size_bytes for file in batch.files)
        room = sum(file.item_bytes for file in batch.files)
        assert len(batch.files) == 1 or (total <= limits.max_bytes and room <= limits.max_item_bytes)
        has_no_room = len(batch.files) == limits.max_files or total >= limits.max_bytes
        if following is not None:
            head = following.files[0]
            has_no_room |= total + head.file.size_bytes > limits.max_bytes
            has_no_room |= room + head.item_bytes > limits.max_item_bytes
        assert batch.full is has_no_room


def test_a_manifest_item_of_the_longest_keys_stays_under_dynamodbs_limit() -> None:
    batches = list(form_batches([pending(number, 1, 1024) for number in range(1000)], Limits(1000, 2**60)))
    assert len(batches) > 1
    item = to_item({"files": [vars(file.file) for file in batches[0].files]})
    assert len(json.dumps(item)) < 400 * 1024


def test_a_full_batch_is_built_at_once_and_the_rest_waits() -> None:
    world = World()
    world.deliver(*(world.upload() for _ in range(7)))
    assert world.statuses() == {MANIFESTED: 6, PENDING: 1}
    assert [len(item[Attr.FILES]) for item in world.manifests()] == [3, 3]
    assert {item[Attr.STATE] for item in world.manifests()} == {STARTED}
    world.check()
    assert world.counts() == {"files_received": 7, "manifests_created": 2, "runs_started": 2}


def test_a_batch_is_full_when_the_next_file_would_pass_its_size() -> None:
    world = World(max_files_per_manifest=100, max_batch_bytes=250)
    world.deliver(*(world.upload() for _ in range(3)))
    assert world.statuses() == {MANIFESTED: 2, PENDING: 1}


def test_a_file_above_the_batch_size_is_a_batch_of_its_own() -> None:
    world = World(max_batch_bytes=250)
    world.deliver(world.upload(size=400))
    assert world.statuses() == {MANIFESTED: 1}


def test_a_partial_batch_is_left_until_its_oldest_file_is_aged() -> None:
    world = World()
    world.deliver(world.upload())
    world.later(590)
    world.deliver(world.upload())
    assert world.sweep()["manifests_created"] == [] and world.sweep()["pending"] == 2
    world.later(11)
    answer = world.sweep()
    assert len(answer["manifests_created"]) == 1 and answer["pending"] == 0 and not answer["done"]
    assert world.statuses() == {MANIFESTED: 2}


def test_events_leave_an_aged_partial_batch_to_the_sweep_which_takes_all_of_it() -> None:
    world = World()
    world.deliver(world.upload())
    world.later(601)
    world.deliver(world.upload())
    assert world.statuses() == {PENDING: 2}
    assert len(world.sweep()["manifests_created"]) == 1
    assert world.statuses() == {MANIFESTED: 2}


def test_events_that_waited_longer_than_the_age_limit_make_full_manifests_but_for_one() -> None:
    """A backlog in the queue: every file of it is old when it is entered, ten at a time."""
    world = World(max_files_per_manifest=25, page_items=500)
    events = [world.upload() for _ in range(130)]
    world.later(3_600)
    for begin in range(0, len(events), 10):
        world.deliver(*events[begin : begin + 10])
    world.sweep()
    assert [len(item[Attr.FILES]) for item in world.manifests()] == [25, 25, 25, 25, 25, 5]
    assert world.statuses() == {MANIFESTED: 130}


def test_a_sweep_amid_a_backlog_makes_one_partial_manifest_of_a_date_and_no_more() -> None:
    """Aged events keep coming: a sweep takes what there is, and those after it fill batches again."""
    world = World(max_files_per_manifest=25, page_items=500)
    events = [(world.upload(), world.upload(day="2026-03-15")) for _ in range(100)]
    world.later(3_600)
    sweeps = 0
    for begin in range(0, len(events), 5):
        world.deliver(*(record for pair in events[begin : begin + 5] for record in pair))
        if begin in (30, 65):
            world.sweep()
            sweeps += 1
    world.sweep()
    sizes = sorted(len(item[Attr.FILES]) for item in world.manifests())
    assert sum(sizes) == 200
    assert sum(size < 25 for size in sizes) <= 2 * (sweeps + 1)


def test_a_flush_takes_partial_batches_of_any_age_and_one_date_each() -> None:
    world = World()
    other = "2026-03-15"
    world.deliver(world.upload(), world.upload(day=other), world.upload(), world.upload(day=other))
    assert world.statuses() == {PENDING: 4}
    assert len(world.flush(date=other)["manifests_created"]) == 1
    answer = world.flush()
    assert len(answer["manifests_created"]) == 1
    assert {item[Attr.DATE]: len(item[Attr.FILES]) for item in world.manifests()} == {DAY: 2, other: 2}
    world.work_runs()
    assert world.flush()["done"]
    world.check_at_rest()


@pytest.mark.parametrize("date", ["2026-3-1", "2026-02-30", 7, "x" * 10])
def test_a_flush_of_no_date_is_refused(date: object) -> None:
    with pytest.raises(ValueError, match=r"date|match|range"):
        World().invoke({"action": "flush", "date": date})


@pytest.mark.parametrize("event", [{}, [], None, "x", {"action": "dance"}, {"Records": [{"eventSource": "aws:s3"}]}])
def test_an_invocation_of_no_known_kind_is_refused(event: object) -> None:
    with pytest.raises(UnknownInvocation):
        World().invoke(event)


def test_an_index_that_lags_makes_no_stunted_manifests() -> None:
    """The index still shows the three files of the first batch as pending when one more comes."""
    world = World()
    world.deliver(*(world.upload() for _ in range(3)))
    late = len(world.dynamodb._writes) - 3
    world.dynamodb._indexed, world.dynamodb._index = 0, {name: {} for name in world.dynamodb.tables}
    world.dynamodb.index_lag = late
    world.deliver(world.upload())
    assert len(world.manifests()) == 1 and world.statuses() == {MANIFESTED: 3, PENDING: 1}
    assert world.flush()["manifests_created"] == []
    world.dynamodb.index_lag = 0
    world.settle()
    world.check_at_rest()


def test_more_pending_files_than_pages_are_all_read() -> None:
    world = World(page_items=1)
    world.glue.max_concurrent = 0
    for _ in range(5):
        world.deliver(world.upload(), world.upload())
    assert world.statuses() == {MANIFESTED: 9, PENDING: 1}
    world.glue.max_concurrent = 10
    assert len(world.flush()["runs_started"]) == 4


# --- locks


def hold_lock(world: World, expires_in_s: float) -> None:
    item = {**lock_item_key(DAY), Attr.HOLDER: "other", Attr.FENCE: 7}
    expires = to_value(int(world.now.timestamp() + expires_in_s))
    world.dynamodb.tables[world.settings.lock_table]["#locks", f"{DAY}#"] = {
        **to_item(item),
        Attr.EXPIRES_AT: expires,
    }


def test_a_held_lock_is_waited_for_within_bounds_and_then_left_to_the_sweep() -> None:
    world = World()
    hold_lock(world, 60)
    start = world.now
    assert world.deliver(*(world.upload() for _ in range(3))) == []
    assert 9 <= (world.now - start).total_seconds() <= 12
    assert world.statuses() == {PENDING: 3} and world.lock()[Attr.HOLDER] == "other"
    world.later(60)
    assert len(world.sweep()["manifests_created"]) == 1
    assert world.lock()[Attr.FENCE] == 8 and Attr.HOLDER not in world.lock()


def test_a_lock_that_frees_while_it_is_waited_for_is_taken() -> None:
    world = World()
    hold_lock(world, 5)
    world.deliver(*(world.upload() for _ in range(3)))
    assert world.statuses() == {MANIFESTED: 3}


def test_a_lock_whose_holder_is_in_a_transaction_is_waited_for() -> None:
    def conflict() -> None:
        raise client_error("TransactionConflictException", "UpdateItem")

    world, plan = World(), Plan()
    world.deliver(world.upload(), world.upload(), world.upload(), plan=plan)
    at = plan.calls.index("dynamodb.update_item") + 1
    world = World()
    world.deliver(*(world.upload() for _ in range(3)), plan=Plan(at=at, before=conflict))
    assert world.statuses() == {MANIFESTED: 3}


def test_the_fence_grows_over_releases() -> None:
    world = World()
    fences = []
    for _ in range(3):
        world.deliver(world.upload())
        world.flush()
        fences.append(world.lock()[Attr.FENCE])
    assert fences == [1, 2, 3]


def test_most_files_take_no_lock() -> None:
    world, plan = World(), Plan()
    world.deliver(world.upload(), plan=plan)
    assert plan.calls == ["dynamodb.put_item", "dynamodb.query", "dynamodb.update_item"]


# --- starts


def waiting(world: World, count: int) -> list[str]:
    """As many manifests that wait for a run, oldest first."""
    world.glue.max_concurrent = 0
    for _ in range(count):
        world.later(1)
        world.deliver(*(world.upload() for _ in range(3)))
    assert {item[Attr.STATE] for item in world.manifests()} == {READY}
    return [item[Attr.MANIFEST_PATH] for item in world.manifests()]


def test_refused_runs_wait_their_turn_and_start_oldest_first_as_slots_free() -> None:
    world = World()
    paths = waiting(world, 7)
    world.glue.max_concurrent = 2
    for _ in range(9):
        world.work_runs()
        answer = world.sweep()
    assert answer["done"] and answer["waiting"] == 0
    assert [run["Arguments"]["--MANIFEST_PATH"] for run in world.glue.runs] == paths
    world.check_at_rest()
    assert all(item[Attr.ATTEMPT] == 1 for item in world.manifests())


def test_a_new_manifest_does_not_overtake_one_that_waits() -> None:
    world = World()
    (oldest,) = waiting(world, 1)
    world.glue.max_concurrent = 1
    world.deliver(*(world.upload() for _ in range(3)))
    assert [run["Arguments"]["--MANIFEST_PATH"] for run in world.glue.runs] == [oldest]


def test_after_a_refusal_for_want_of_room_no_other_start_is_tried() -> None:
    world, plan = World(), Plan()
    waiting(world, 4)
    answer = world.sweep(plan)
    assert plan.calls.count("glue.start_job_run") == 1
    assert answer["waiting"] == 4 and answer["failed"] == []


def test_a_start_that_is_refused_for_another_reason_stays_visible_and_is_tried_again() -> None:
    world = World()
    world.glue.refuse_with = client_error("EntityNotFoundException", "StartJobRun")
    world.deliver(*(world.upload() for _ in range(3)))
    (manifest,) = world.manifests()
    assert manifest[Attr.STATE] == READY and "EntityNotFoundException" in manifest[Attr.ERROR]
    answer = world.sweep()
    assert [(each["given_up"], "EntityNotFoundException" in each["error"]) for each in answer["failed"]] == [
        (False, True)
    ]
    assert world.events("run_refused")
    world.glue.refuse_with = None
    world.settle()
    world.check_at_rest()
    assert Attr.ERROR not in world.manifests()[0]


@pytest.mark.parametrize("accepted", [True, False])
def test_a_start_without_an_answer_leads_to_one_run(accepted: bool) -> None:
    """The request timed out: whether Glue took it is found in the list of runs, behind others."""
    world = World()

    def lost() -> None:
        raise ReadTimeoutError(endpoint_url="glue")

    calls = Plan()
    probe = World()
    probe.deliver(*(probe.upload() for _ in range(3)), plan=calls)
    at = calls.calls.index("glue.start_job_run") + 1
    world.deliver(*(world.upload() for _ in range(3)), plan=Plan(at=at, **{"after" if accepted else "before": lost}))
    for number in range(3):
        world.glue.add_run(f"other_{number}", {"--MANIFEST_PATH": "s3://other/manifest"})
        world.glue.end(f"other_{number}", "FAILED")
    assert world.manifests()[0][Attr.STATE] == READY
    assert world.sweep()["runs_started"] == [], "it was tried again before the first try was settled"
    world.later(START_UNSETTLED_S + 1)
    assert len(world.sweep()["runs_started"]) == 1
    (manifest,) = world.manifests()
    assert (manifest[Attr.STATE], manifest[Attr.ATTEMPT]) == (STARTED, 1)
    assert len([run for run in world.glue.runs if not run["Id"].startswith("other")]) == 1


# --- the end of runs


def started(**changes: int) -> World:
    world = World(**changes)
    world.deliver(*(world.upload() for _ in range(3)))
    return world


@pytest.mark.parametrize("state", ["FAILED", "TIMEOUT", "STOPPED", "ERROR", "EXPIRED", "SUCCEEDED"])
def test_a_run_that_ends_without_its_files_done_is_retried_up_to_the_limit_then_failed(state: str) -> None:
    world = started(max_attempts=3)
    for attempt in range(1, 4):
        (manifest,) = world.manifests()
        assert (manifest[Attr.STATE], manifest[Attr.ATTEMPT]) == (STARTED, attempt)
        world.glue.end(manifest[Attr.RUN_ID], state, "worker lost")
        world.later(31)
        answer = world.sweep()
    assert answer["done"] and answer["failed"][0]["given_up"]
    assert len(world.glue.runs) == 3
    assert world.statuses() == {FAILED: 3}
    assert all(state in item[Attr.ERROR] for item in world.files().values())
    (manifest,) = world.manifests()
    assert (manifest[Attr.STATE], manifest[Attr.DATE_PREFIX]) == ("abandoned", f"#manifests-closed#{DAY}")
    assert world.counts()["files_failed"] == 3


def test_glues_own_retry_is_given_time_and_then_followed() -> None:
    world = started()
    world.glue.end("jr_0", "FAILED", "first")
    assert world.sweep()["runs_started"] == []
    world.glue.add_run("jr_0_attempt_1", world.glue.runs[0]["Arguments"])
    world.later(60)
    assert world.sweep()["repaired"] == [] and len(world.glue.runs) == 2
    world.glue.end("jr_0_attempt_1", "FAILED", "second")
    world.later(31)
    answer = world.sweep()
    assert len(answer["runs_started"]) == 1
    assert world.manifests()[0][Attr.ATTEMPT] == 2
    assert "second" in world.events("run_will_be_retried")[0]["why"]


def test_a_manifest_that_runs_under_glues_retry_is_followed_by_that_id() -> None:
    """The job records the id of its own attempt."""
    world = started()
    world.glue.end("jr_0", "FAILED")
    world.glue.add_run("jr_0_attempt_1", world.glue.runs[0]["Arguments"])
    (key,) = [key for key in world.dynamodb.tables[world.settings.tracking_table] if key[0] == "#manifests-open"]
    change = {Attr.STATE: {"S": "running"}, Attr.RUN_ID: {"S": "jr_0_attempt_1"}}
    world.dynamodb.tables[world.settings.tracking_table][key].update(change)
    world.glue.end("jr_0_attempt_1", "FAILED")
    world.later(31)
    world.glue.add_run("jr_0_attempt_2", world.glue.runs[0]["Arguments"])
    assert world.sweep()["repaired"] == []


def test_a_run_that_glue_does_not_know_counts_as_failed_after_a_while() -> None:
    world = started()
    world.glue.runs.clear()
    assert world.sweep()["runs_started"] == []
    world.later(START_UNSETTLED_S + 1)
    assert len(world.sweep()["runs_started"]) == 1


def test_a_run_in_flight_is_left_alone_and_a_late_manifest_is_closed() -> None:
    world = started()
    world.later(3600)
    assert world.sweep()["open"] == 1
    world.work_runs()
    answer = world.sweep()
    assert answer["done"] and len(answer["repaired"]) == 1
    world.check_at_rest()


def test_one_bad_manifest_does_not_keep_the_sweep_from_the_others() -> None:
    world = World()
    world.deliver(*(world.upload() for _ in range(6)))
    world.work_runs()
    calls = Plan()
    twin = World()
    twin.deliver(*(twin.upload() for _ in range(6)))
    twin.work_runs()
    twin.sweep(calls)

    def broken() -> None:
        raise client_error("InternalServiceException", "GetJobRun", 500)

    answer = world.sweep(Plan(at=calls.calls.index("glue.get_job_run") + 1, before=broken))
    assert len(answer["repaired"]) == 1 and len(answer["failed"]) == 1
    assert world.sweep()["done"]


def test_a_sweep_with_little_time_left_stops_safely_and_says_so() -> None:
    world = started()
    world.deliver(world.upload())
    answer = world.invoke({"action": "flush"}, remaining_s=5)
    assert answer["cut_short"] and not answer["done"] and answer["manifests_created"] == []
    world.settle()
    world.check_at_rest()
