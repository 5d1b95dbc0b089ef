"""Messages in, ledger out: decoding, duplicates, order, overwrites, partial failures."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_handler.events import BadMessage, decode, is_newer
from ndjctl.contracts import COMPLETED, FAILED, MANIFESTED, PENDING, PROCESSING, QUARANTINED, Attr
from tests.lambda_model import client_error
from tests.lambda_world import DAY, Plan, World


def record(key: str = "a.ndjson", name: str = "ObjectCreated:Put", **details: object) -> dict[str, object]:
    return {
        "eventSource": "aws:s3",
        "eventName": name,
        "eventTime": "2026-03-14T23:59:59.999Z",
        "s3": {"bucket": {"name": "b"}, "object": {"key": key, "size": 5, "eTag": "e", "sequencer": "0A", **details}},
    }


def body(*records: object) -> str:
    return json.dumps({"Records": records})


def test_decode_takes_every_kind_of_creation() -> None:
    kinds = ["Put", "Post", "Copy", "CompleteMultipartUpload"]
    decoded = decode(body(*(record(f"in/x+{kind}%2B%C3%BC.ndjson", f"ObjectCreated:{kind}") for kind in kinds)))
    assert [each.key for each in decoded.created] == [f"in/x {kind}+ü.ndjson" for kind in kinds]
    first = decoded.created[0]
    assert (first.bucket, first.size_bytes, first.etag, first.sequencer) == ("b", 5, "e", "0A")
    assert first.event_time == datetime(2026, 3, 14, 23, 59, 59, 999000, tzinfo=timezone.utc)


def test_decode_ignores_what_is_not_ours() -> None:
    decoded = decode(body(record(name="ObjectRemoved:Delete"), record("a.json"), record("a.ndjson.gz"), record("d/")))
    assert decoded.created == [] and decoded.problems == [] and len(decoded.ignored) == 4
    assert decode(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"})).created == []


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "{}", '{"Records": []}', '{"Records": {}}', "[" * 100_000])
def test_a_body_that_is_no_notification_is_refused(text: str) -> None:
    with pytest.raises(BadMessage):
        decode(text)


def test_a_bad_record_does_not_hide_the_others_of_its_body() -> None:
    bad = [{}, 7, record(""), record("%FF.ndjson"), record(size=-1), record(size="5"), {**record(), "eventTime": "now"}]
    decoded = decode(body(*bad, record("good.ndjson"), {**record(), "eventSource": "aws:sns"}))
    assert [each.key for each in decoded.created] == ["good.ndjson"]
    assert len(decoded.problems) == len(bad) + 1


@given(st.integers(0, 2**80), st.integers(0, 2**80), st.integers(0, 8), st.integers(0, 8))
def test_sequencers_compare_as_numbers_of_any_width(one: int, two: int, pad_one: int, pad_two: int) -> None:
    assert is_newer("0" * pad_one + f"{one:X}", "0" * pad_two + f"{two:x}") is (one > two)
    assert is_newer("", f"{two:x}") is None and is_newer(f"{one:x}", "") is None


def test_only_the_message_that_failed_comes_back() -> None:
    world = World()
    good = [json.dumps({"Records": [world.upload(), world.upload()]}), json.dumps({"Records": [world.upload()]})]
    half = json.dumps({"Records": [{"no": "event"}, world.upload()]})
    assert world.send(good[0], "no json", half, good[1]) == ["m1", "m2"]
    assert world.statuses() == {MANIFESTED: 3, PENDING: 1}
    assert [line["message_id"] for line in world.events("message_not_understood")] == ["m1"]


def test_an_error_on_one_file_brings_back_its_message_only() -> None:
    world = World()
    records = [world.upload() for _ in range(2)]

    def throttled() -> None:
        raise client_error("ProvisionedThroughputExceededException", "PutItem")

    assert world.deliver(*records, plan=Plan(at=1, before=throttled)) == ["m0"]
    assert list(world.files()) == [f"in/{DAY}-002.ndjson"]


def test_messages_for_which_no_time_is_left_come_back() -> None:
    world = World()
    assert world.send(json.dumps({"Records": [world.upload()]}), remaining_s=9) == ["m0"]
    assert world.files() == {}


def test_delivering_everything_again_changes_nothing() -> None:
    world = World()
    records = [*(world.upload() for _ in range(4)), world.upload(size=1)]
    world.deliver(*records)
    items, counts = world.items(), world.counts()
    for again in (records, records[::-1]):
        assert world.deliver(*again) == []
    unlocked = [item for item in items if item[Attr.DATE_PREFIX] != "#locks"]
    assert [item for item in world.items() if item[Attr.DATE_PREFIX] != "#locks"] == unlocked
    assert world.counts() == counts
    assert len(world.glue.runs) == 1


def test_one_message_twice_in_a_batch_is_one_file() -> None:
    world = World()
    record = world.upload()
    world.deliver(record, record, record)
    assert world.statuses() == {PENDING: 1}


def test_a_pending_file_takes_its_newest_version_in_any_order_of_events() -> None:
    for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        world = World()
        versions = [world.upload(name="x.ndjson", size=size, fill=str(size)) for size in (10, 20, 30)]
        for number in order:
            assert world.deliver(versions[number]) == []
        (item,) = world.files().values()
        assert (item[Attr.SIZE_BYTES], item[Attr.STATUS]) == (30, PENDING), order
        assert item[Attr.ETAG] == versions[2]["s3"]["object"]["eTag"]


def test_a_pending_file_keeps_its_place_in_the_queue_when_it_is_overwritten() -> None:
    world = World()
    world.deliver(world.upload(name="x.ndjson"))
    first = world.files()["x.ndjson"][Attr.UPLOAD_TIME]
    world.later(60)
    world.deliver(world.upload(name="x.ndjson", fill="y"))
    assert world.files()["x.ndjson"][Attr.UPLOAD_TIME] == first


def test_without_sequencers_the_object_itself_decides() -> None:
    world = World()
    old, new = (world.upload(name="x.ndjson", size=size, fill="ab"[size - 10]) for size in (10, 11))
    for event in (old, new):
        event["s3"]["object"]["sequencer"] = ""
    for event in (old, new, old):
        world.deliver(event)
        size = world.files()["x.ndjson"][Attr.SIZE_BYTES]
    assert size == 11


@pytest.mark.parametrize("status", [MANIFESTED, PROCESSING, COMPLETED])
def test_a_new_version_of_a_file_in_work_is_recorded_and_nothing_else(status: str) -> None:
    world = World()
    world.deliver(*(world.upload() for _ in range(3)))
    key = f"in/{DAY}-001.ndjson"
    set_status(world, key, status)
    before = world.files()[key]
    new = world.upload(name=key, fill="y")
    world.deliver(new, new)
    after = world.files()[key]
    etag = new["s3"]["object"]["eTag"]
    recorded = {Attr.SUPERSEDED_BY: etag, Attr.SUPERSEDED_SEQUENCER: new["s3"]["object"]["sequencer"]}
    assert after == {**before, **recorded, Attr.UPDATED_AT: after[Attr.UPDATED_AT], Attr.TTL: after[Attr.TTL]}
    assert len(world.events("file_superseded")) == 1


@pytest.mark.parametrize("status", [FAILED, QUARANTINED])
def test_a_new_version_of_a_failed_file_is_retried_as_new(status: str) -> None:
    world = World()
    world.deliver(*(world.upload() for _ in range(3)))
    key = f"in/{DAY}-001.ndjson"
    set_status(world, key, status, error={"S": "no"}, reason={"S": "no"}, attempt={"N": "2"})
    world.deliver(world.upload(name=key, fill="y"))
    item = world.files()[key]
    assert item[Attr.STATUS] == PENDING and item[Attr.ATTEMPT] == 0
    assert not {Attr.ERROR, Attr.REASON, Attr.BATCH_ID, Attr.MANIFEST_PATH, Attr.QUARANTINE_KEY} & set(item)


def test_a_pending_file_whose_new_version_is_too_large_is_quarantined() -> None:
    world = World()
    world.deliver(world.upload(name="x.ndjson"))
    world.deliver(world.upload(name="x.ndjson", size=6_000))
    (item,) = world.files().values()
    assert item[Attr.STATUS] == QUARANTINED and item[Attr.SIZE_BYTES] == 6_000
    assert world.flush()["done"]


def test_the_date_leads_the_name_or_is_that_of_the_event() -> None:
    world = World()
    world.deliver(world.upload(name="in/2025-01-02-x.ndjson"), world.upload(name="in/2025-13-02.ndjson"))
    assert {item[Attr.FILE_KEY]: item[Attr.DATE_PREFIX] for item in world.files().values()} == {
        "in/2025-01-02-x.ndjson": "2025-01-02",
        "in/2025-13-02.ndjson": DAY,
    }


def set_status(world: World, key: str, status: str, **more: dict[str, str]) -> None:
    world.dynamodb.tables[world.settings.tracking_table][DAY, key].update({Attr.STATUS: {"S": status}, **more})
