"""Overwrites: events of several versions of a key in any order, repeated, with and without sequencers, while the file
moves through the pipeline; and keys without a date around midnight."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambda_handler.dynamo import from_item
from ndjctl.contracts import (
    COMPLETED,
    FAILED,
    MANIFESTED,
    PENDING,
    PROCESSING,
    QUARANTINED,
    TTL_DAYS,
    Attr,
    ledger_dates,
)
from tests.lambda_model import client_error
from tests.lambda_world import DAY, Death, Plan, World

KEY = f"in/{DAY}-x.ndjson"
IN_WORK = (MANIFESTED, PROCESSING)

steps = st.lists(
    st.one_of(
        st.tuples(st.just("upload"), st.sampled_from("abc")),
        st.tuples(st.just("deliver"), st.integers(0, 5)),
        st.tuples(st.just("status"), st.sampled_from([*IN_WORK, COMPLETED, FAILED, QUARANTINED])),
    ),
    min_size=1,
    max_size=12,
)


def play(steps: list[tuple[str, Any]], order: list[int], has_sequencer: list[bool]) -> tuple[World, str]:
    """The world after the steps, and after every event was delivered in `order`; and the etag that is there."""
    world, events = World(max_files_per_manifest=100), []
    for kind, value in [("upload", "a"), *steps]:
        if kind == "upload":
            event = world.upload(name=KEY, fill=value)
            if not has_sequencer[len(events) % len(has_sequencer)]:
                event["s3"]["object"]["sequencer"] = ""
            events.append(event)
        elif kind == "deliver":
            assert world.deliver(events[value % len(events)]) == []
        elif KEY in world.files():
            item = world.dynamodb.tables[world.settings.tracking_table][DAY, KEY]
            if value in (COMPLETED, FAILED, QUARANTINED) or item[Attr.STATUS]["S"] == PENDING:
                item[Attr.STATUS] = {"S": value}
    ranked = sorted(range(len(events)), key=lambda number: (order[number % len(order)], number))
    for number in ranked:
        assert world.deliver(events[number]) == []
    return world, world.s3.head_object(world.input, KEY)["ETag"].strip('"')


def check_latest(world: World, etag: str) -> None:
    item = world.files()[KEY]
    superseded_by = item.get(Attr.SUPERSEDED_BY)
    if item[Attr.STATUS] in (PENDING, QUARANTINED):
        assert (item[Attr.ETAG], superseded_by) == (etag, None)
    elif item[Attr.ETAG] == etag:
        assert superseded_by is None
    else:
        assert superseded_by == etag, "the version that is there now is forgotten"


@given(steps, st.lists(st.integers(0, 9), min_size=1, max_size=6), st.lists(st.booleans(), min_size=1, max_size=4))
@example([("deliver", 0), ("upload", "b"), ("upload", "a")], [0, 1, 0], [True])
@example([("deliver", 0), ("status", MANIFESTED), ("upload", "b"), ("upload", "a")], [0, 0, 0], [True])
@example([("deliver", 0), ("status", MANIFESTED), ("upload", "b"), ("deliver", 1), ("status", FAILED)], [0], [True])
@settings(max_examples=150, deadline=None)
def test_the_latest_version_is_what_stands_or_what_is_recorded(
    steps: list[tuple[str, Any]], order: list[int], has_sequencer: list[bool]
) -> None:
    check_latest(*play(steps, order, has_sequencer))


@pytest.mark.parametrize("contents", ["abc", "aba", "abab", "abca"])
@pytest.mark.parametrize("status", [PENDING, *IN_WORK, COMPLETED])
def test_every_order_of_events(contents: str, status: str) -> None:
    """Enumerated: the file came to its status by its first event; the events of the others, and again of the first, in
    every order, some of them twice."""
    uploads = [("upload", fill) for fill in contents[1:]]
    for order in itertools.permutations(range(len(contents))):
        for again in range(len(contents)):
            before = [("deliver", 0), ("status", status)] if status != PENDING else [("deliver", 0)]
            world, etag = play([*before, *uploads, ("deliver", again)], list(order), [True])
            check_latest(world, etag)
            assert world.files()[KEY][Attr.STATUS] == status


@pytest.mark.parametrize("status", [PENDING, FAILED, QUARANTINED, *IN_WORK, COMPLETED])
def test_the_file_moves_around_every_call_of_an_event(status: str) -> None:
    """Between any two calls of the event's handling the file goes on to its next status, or is overwritten again."""
    following = {PENDING: MANIFESTED, MANIFESTED: PROCESSING, PROCESSING: FAILED, COMPLETED: COMPLETED}.get(
        status, PENDING
    )
    for at, moment in itertools.product(range(1, 5), ("before", "after")):
        for is_overwritten in (False, True):
            world = World(max_files_per_manifest=100)
            world.deliver(world.upload(name=KEY))
            item = world.dynamodb.tables[world.settings.tracking_table][DAY, KEY]
            item[Attr.STATUS] = {"S": status}
            newer = world.upload(name=KEY, fill="y")

            def meanwhile(world: World = world, is_overwritten: bool = is_overwritten) -> None:
                if is_overwritten:
                    world.deliver(world.upload(name=KEY, fill="z"))
                else:
                    world.dynamodb.tables[world.settings.tracking_table][DAY, KEY][Attr.STATUS] = {"S": following}

            plan = Plan(at=at)
            setattr(plan, moment, meanwhile)
            assert world.deliver(newer, plan=plan) == []
            if at > len(plan.calls):
                continue
            item = from_item(world.dynamodb.tables[world.settings.tracking_table][DAY, KEY])
            etag = world.s3.head_object(world.input, KEY)["ETag"].strip('"')
            if item[Attr.STATUS] == PENDING and not is_overwritten and item[Attr.ETAG] != etag:
                raise AssertionError((at, moment))
            assert etag in (item[Attr.ETAG], item.get(Attr.SUPERSEDED_BY)), (at, moment, is_overwritten)


def test_a_deleted_object_s_event_is_ignored_and_logged() -> None:
    world = World()
    record = world.upload(name=KEY)
    world.deliver(record)
    before = world.items()
    assert world.deliver({**record, "eventName": "ObjectRemoved:Delete"}) == []
    assert world.items() == before
    assert world.events("record_ignored")[0]["file_key"] == KEY


# --- keys without a date

NAME = "in/x.ndjson"
MIDNIGHT = datetime(2026, 3, 15, tzinfo=timezone.utc)


def at(world: World, moment: datetime, fill: str) -> dict[str, Any]:
    world.now = moment
    return world.upload(name=NAME, fill=fill, day=moment.strftime("%Y-%m-%d"))


@pytest.mark.parametrize("days", [0, 1, TTL_DAYS])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_dateless_key_that_is_overwritten_on_another_day_is_one_file(days: int, is_reversed: bool) -> None:
    world = World(max_partial_age_s=1e9)
    old = at(world, MIDNIGHT - timedelta(seconds=2), "a")
    new = at(world, MIDNIGHT + timedelta(days=days, seconds=-1), "b")
    for event in (new, old) if is_reversed else (old, new):
        assert world.deliver(event) == []
    (item,) = [item for item in world.items() if Attr.STATUS in item]
    assert item[Attr.ETAG] == new["s3"]["object"]["eTag"]
    assert item[Attr.DATE_PREFIX] == (new if is_reversed else old)["eventTime"][:10]


def test_two_versions_of_a_dateless_key_handled_at_once_around_midnight_are_one_file() -> None:
    probe, world = Plan(), World()
    world.deliver(at(world, MIDNIGHT - timedelta(seconds=1), "a"), plan=probe)
    for number, moment in itertools.product(range(1, len(probe.calls) + 1), ("before", "after")):
        for first, second in ((0, 1), (1, 0)):
            world = World()
            events = [at(world, MIDNIGHT + timedelta(seconds=each), "ab"[each]) for each in (-1, 0)]
            plan = Plan(at=number)
            setattr(plan, moment, lambda world=world, event=events[second]: world.deliver(event))
            assert world.deliver(events[first], plan=plan) == []
            (item,) = [item for item in world.items() if Attr.STATUS in item]
            assert item[Attr.ETAG] == events[1]["s3"]["object"]["eTag"]


def test_death_while_a_dateless_key_is_entered() -> None:
    probe, world = Plan(), World()
    world.deliver(at(world, MIDNIGHT, "a"), plan=probe)
    for number, moment in itertools.product(range(1, len(probe.calls) + 1), ("before", "after")):
        world = World()
        event, plan = at(world, MIDNIGHT, "a"), Plan(at=number)
        setattr(plan, moment, plan.die)
        with pytest.raises(Death):
            world.deliver(event, plan=plan)
        world.now += timedelta(days=1)
        assert world.deliver(event) == []
        assert len([item for item in world.items() if Attr.STATUS in item]) == 1


def test_a_key_with_a_date_has_one_place_and_costs_one_write() -> None:
    world, plan = World(), Plan()
    assert ledger_dates(KEY, MIDNIGHT, MIDNIGHT, TTL_DAYS) == (DAY,)
    world.deliver(world.upload(name=KEY), plan=plan)
    assert plan.calls.count("dynamodb.put_item") == 1 and "dynamodb.batch_get_item" not in plan.calls


def test_a_write_that_meets_a_transaction_is_tried_again() -> None:
    world, probe = World(), Plan()
    world.deliver(world.upload(name=KEY))
    twin = World()
    twin.deliver(twin.upload(name=KEY))
    twin.deliver(twin.upload(name=KEY, fill="y"), plan=probe)

    def conflict() -> None:
        raise client_error("TransactionConflictException", "UpdateItem")

    newer = world.upload(name=KEY, fill="y")
    number = probe.calls.index("dynamodb.update_item") + 1
    assert world.deliver(newer, plan=Plan(at=number, before=conflict)) == []
    assert world.files()[KEY][Attr.ETAG] == newer["s3"]["object"]["eTag"]
