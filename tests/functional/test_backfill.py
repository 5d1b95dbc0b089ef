"""Backfill and the removal of orphans on moto, in pages of two; the events that are sent are taken by the function."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from moto import mock_aws

from lambda_handler.events import decode
from ndjctl.contracts import FAILED, QUARANTINED, Attr, part_key, size_quarantine_key
from ndjctl.errors import WorkFailed
from ndjctl.reconcile.events import send_events
from ndjctl.reconcile.missed import Searched, find_missed
from ndjctl.reconcile.orphans import Removal, find_orphans, move_orphans, orphan_key
from ndjctl.reconcile.scope import scope_of
from ndjctl.reconcile.spool import Spool
from ndjctl.reconcile.streams import Listed, list_bucket
from tests.reconcile_world import DAY, Silent, World, parquet

ID, OTHER = "20260314T120000000Z-00000000", "20260314T120005000Z-00000005"
A, B = (f"in/{DAY}-{name}.ndjson" for name in "ab")
_numbers = itertools.count()


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture
def world() -> World:
    world = World(f"b{next(_numbers)}")
    world.convert(ID, {A: 10, B: 5})
    return world


def missed(world: World, date: str | None = None, prefix: str = "", grace_s: float = 600) -> tuple[list[str], Searched]:
    with Spool() as spool:
        searched = find_missed(world.places(), date, prefix, world.clock(grace_s), spool, Silent())
        keys = [listed.key for listed, _ in spool.entries()]
        assert len(keys) == spool.count
    return sorted(keys), searched


def test_what_the_ledger_knows_is_left_alone(world: World) -> None:
    world.put_file(f"in/{DAY}-f.ndjson", status=FAILED)
    world.put_input("in/not ours.txt")
    assert missed(world) == ([], Searched(files=3))
    assert missed(world, DAY) == ([], Searched(files=3))


def test_objects_without_an_item_by_date_by_prefix_and_all(world: World) -> None:
    keys = [f"in/{DAY}-x.ndjson", "in/2026-01-01-y.ndjson", "other/z.ndjson"]
    for key in keys:
        world.put_input(key)
    assert missed(world)[0] == keys[1:2] + keys[:1] + keys[2:]
    assert missed(world, DAY)[0] == keys[:1]
    assert missed(world, "2026-01-01")[0] == keys[1:2]
    assert missed(world, world.started.date().isoformat())[0] == keys[2:]
    assert missed(world, prefix="other/")[0] == keys[2:]
    assert missed(world, prefix="in/2026-01")[0] == keys[1:2]
    assert missed(world, grace_s=7200) == ([], Searched(files=5, in_flight=3))


def test_an_item_under_the_date_of_an_earlier_version_counts(world: World) -> None:
    day = (world.started - timedelta(days=4)).date().isoformat()
    world.put_file("z.ndjson", day, FAILED)
    assert missed(world)[0] == []
    assert missed(world, world.started.date().isoformat())[0] == []


def test_a_lost_overwrite_is_missed_and_a_recorded_one_is_not(world: World) -> None:
    etag = world.put_input(A, b"new")
    assert missed(world)[0] == [A]
    world.set_file(A, **{Attr.SUPERSEDED_BY: etag})
    assert missed(world)[0] == []


def test_what_a_report_says_is_converted_is_refused_though_the_ledger_forgot_it(world: World) -> None:
    world.put_report(ID, {A: 10})
    world.drop_file(A)
    world.drop_file(B)
    assert missed(world) == ([B], Searched(files=2, by_report=1))
    world.put_input(A, b"another version")
    assert missed(world)[0] == [A, B]


def test_a_report_without_parts_is_believed_no_more(world: World) -> None:
    """The manifest was given up after all, and what it had written was removed."""
    world.put_report(ID, {A: 10})
    world.drop_file(A)
    for number in (0, 1):
        world.s3.delete_object(Bucket=world.names.output_bucket, Key=part_key(DAY, ID, number))
    assert missed(world)[0] == [A]


def test_what_was_set_aside_long_ago_is_not_entered_again(world: World) -> None:
    world.put_input(f"in/{DAY}-x.ndjson", b"{}")
    copy = size_quarantine_key(DAY, "too-small", f"in/{DAY}-x.ndjson")
    world.s3.put_object(Bucket=world.names.quarantine_bucket, Key=copy, Body=b"{}")
    world.now += timedelta(days=8)
    assert missed(world, DAY) == ([], Searched(files=3, by_report=1))
    world.s3.put_object(Bucket=world.names.quarantine_bucket, Key=copy, Body=b"{ }")
    assert missed(world, DAY)[0] == [f"in/{DAY}-x.ndjson"]


# ---------------------------------------------------------------------------------------------------- events


def test_the_events_are_those_that_s3_would_have_sent(world: World) -> None:
    keys = [
        "a+b c.ndjson",
        "in/ü%20&=?#.ndjson",
        "in/[odd]\n😀.ndjson",
        *(f"n{number:02d}.ndjson" for number in range(21)),
    ]
    for key in keys:
        world.put_input(key, key.encode())
    slept: list[float] = []
    told: list[int] = []
    with Spool() as spool:
        find_missed(world.places(), None, "", world.clock(), spool, Silent())
        sent = send_events(
            world.sqs,
            world.names.queue,
            "us-east-1",
            (listed for listed, _ in spool.entries()),
            rate_per_s=5,
            clock=lambda: sum(slept),
            sleep=slept.append,
            report=told.append,
        )
    assert (sent, told, sum(slept)) == (24, [10, 10, 4], 4.0)
    url = world.sqs.get_queue_url(QueueName=world.names.queue)["QueueUrl"]
    found = {}
    while messages := world.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            decoded = decode(message["Body"])
            assert decoded.problems == decoded.ignored == []
            (created,) = decoded.created
            found[created.key] = created
    listed = {each.key: each for each in list_bucket(world.s3, world.names.input_bucket) if each.key not in (A, B)}
    assert found.keys() == listed.keys() == set(keys)
    for key, created in found.items():
        assert (created.bucket, created.size_bytes, created.etag) == listed[key][:1] + listed[key][2:4]
        assert (created.event_time, created.sequencer) == (listed[key].modified, "")


class RefusingQueue:
    """refusals: how often each message is refused before it is taken."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.taken: list[str] = []

    def get_queue_url(self, QueueName: str) -> dict[str, str]:
        return {"QueueUrl": "u"}

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:
        self.refusals -= 1
        refused = Entries[1:] if self.refusals >= 0 else []
        self.taken += [
            json.loads(e["MessageBody"])["Records"][0]["s3"]["object"]["key"] for e in Entries if e not in refused
        ]
        return {"Failed": [{"Id": entry["Id"], "Message": "busy"} for entry in refused]}


def objects(world: World, count: int) -> list[Listed]:
    return [Listed("b", f"{number}.ndjson", 1, "e", world.started) for number in range(count)]


def test_what_the_queue_refuses_is_sent_again(world: World) -> None:
    queue = RefusingQueue(2)
    options: dict[str, Any] = {"clock": lambda: 0.0, "sleep": lambda _s: None, "report": lambda _n: None}
    assert send_events(queue, "q", "r", objects(world, 5), rate_per_s=None, **options) == 5
    assert sorted(queue.taken) == [f"{number}.ndjson" for number in range(5)]
    with pytest.raises(WorkFailed, match=r"keeps refusing events \(busy\) after 0 were sent: run the same command"):
        send_events(RefusingQueue(100), "q", "r", objects(world, 50), rate_per_s=None, **options)


# ---------------------------------------------------------------------------------------------------- orphans


def remove(world: World, before: Any = lambda: None) -> Removal:
    scope = scope_of(DAY, None, world.now)
    with Spool() as spool:
        find_orphans(world.places(), scope, world.clock(), spool, Silent())
        before()
        return move_orphans(world.places(), world.clock(), spool, Silent())


def keys_in(world: World, bucket: str) -> set[str]:
    return {listed.key for listed in list_bucket(world.s3, bucket)}


def test_orphans_go_to_the_quarantine_and_nothing_else_does(world: World) -> None:
    names = world.names
    before = keys_in(world, names.output_bucket)
    stray = [world.put_part(OTHER, 0, {A: 3}), world.put_part(OTHER, 1, {A: 3}), world.put_part(ID, 2, {A: 1})]
    stray.append(f"parquet/{DAY}/copy of a part.parquet")
    world.s3.put_object(Bucket=names.output_bucket, Key=stray[-1], Body=parquet({world.uri(A): 2}))
    bad = world.put_bad_lines(OTHER, 0, [A])
    removal = remove(world)
    assert (removal.found, removal.moved, removal.kept) == (5, 5, 0)
    assert keys_in(world, names.output_bucket) == before
    assert {orphan_key(DAY, key) for key in (*stray, bad)} <= keys_in(world, names.quarantine_bucket)
    assert bad not in keys_in(world, names.quarantine_bucket)
    assert world.found() == []
    assert remove(world).found == 0


def test_an_orphan_that_finds_its_manifest_meanwhile_stays(world: World) -> None:
    world.put_part(OTHER, 0, {A: 3})
    removal = remove(world, lambda: world.put_manifest(OTHER, [A], **{Attr.STATE: "running"}))
    assert (removal.found, removal.moved, removal.kept) == (1, 0, 1)
    assert part_key(DAY, OTHER, 0) in keys_in(world, world.names.output_bucket)


def test_an_orphan_that_is_another_object_meanwhile_stays(world: World) -> None:
    for name in ("stray", part_key(DAY, OTHER, 0).rsplit("/", 1)[1]):
        key = f"parquet/{DAY}/{name}"
        world.s3.put_object(Bucket=world.names.output_bucket, Key=key, Body=b"one")

        def overwrite(key: str = key) -> None:
            world.s3.put_object(Bucket=world.names.output_bucket, Key=key, Body=b"another")

        assert remove(world, overwrite).kept == 1
        assert remove(world).moved == 1


def test_rows_of_completed_files_are_never_moved(world: World) -> None:
    """The ledger lost the manifest, or it was given up by mistake: the files' own items say where their rows are."""
    world.drop_manifest(ID)
    assert remove(world).found == 0
    world.put_manifest(ID, [A, B], **{Attr.STATE: "abandoned", Attr.PARTS: 2})
    assert remove(world).found == 0
    for key in (A, B):
        world.set_file(key, **{Attr.STATUS: QUARANTINED, Attr.BATCH_ID: None})
    assert remove(world).moved == 3


def test_the_longest_names_fit_too() -> None:
    assert len(orphan_key(DAY, "x" * 1024).encode()) <= 1024
    assert orphan_key(DAY, "x" * 1024) != orphan_key(DAY, "y" * 1024)


def test_the_spool_gives_back_what_was_put_in(world: World) -> None:
    entries = [Listed("b", f"{number}\n😀", number, "e", world.started) for number in range(30_000)]
    with Spool() as spool:
        for listed in entries:
            spool.put(listed, DAY)
        assert [listed for listed, about in spool.entries() if about == [DAY]] == entries
        assert (spool.count, spool.size_bytes, spool.first) == (30_000, sum(range(30_000)), entries[:10])
