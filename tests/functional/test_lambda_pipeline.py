"""The function on moto's S3 and DynamoDB: its requests are valid there, and end as they do in the model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from moto import mock_aws

from lambda_handler.services import Invocation
from ndjctl.contracts import COMPLETED, FAILED, MIB, PENDING, QUARANTINED, Attr, part_key, split_s3_uri
from tests.lambda_world import DAY, Plan, World


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[None]:
    with mock_aws():
        yield


def story(world: World) -> list[dict[str, Any]]:
    """Every kind of request once or more: quarantine, duplicates, an overwrite, repair, refusal, retry, giving up."""
    first = [world.upload() for _ in range(2)]
    assert world.deliver(*first, world.upload(size=1), world.upload(size=6_000)) == []
    world.deliver(*first)
    world.deliver(world.upload(name=f"in/{DAY}-001.ndjson", fill="y"))
    world.glue.max_concurrent = 0
    world.deliver(*(world.upload() for _ in range(5)))
    assert world.statuses() == {"manifested": 6, PENDING: 1, QUARANTINED: 2}
    world.glue.max_concurrent = 10
    assert len(world.flush()["runs_started"]) == 3
    world.glue.end("jr_0", "FAILED", "no memory")
    world.later(31)
    assert [each["run_id"] for each in world.sweep()["runs_started"]] == ["jr_3"]
    world.deliver(world.upload(name=f"in/{DAY}-006.ndjson", fill="z"))
    world.deliver(world.upload(name="dateless.ndjson"))
    world.deliver(world.upload(name="dateless.ndjson", fill="y"))
    output = world.settings.output_bucket
    part = part_key(DAY, world.manifests()[0][Attr.FILE_KEY].removesuffix("#"), 0)
    world.s3.put_object(Bucket=output, Key=part, Body=b"rows")
    world.s3.create_multipart_upload(Bucket=output, Key=part)
    world.glue.end("jr_3", "TIMEOUT")
    world.work_runs()
    world.later(31)
    answer = world.sweep()
    assert answer["open"] == 0 and [each["given_up"] for each in answer["failed"]] == [True]
    assert "Contents" not in world.s3.list_objects_v2(Bucket=output, Prefix="")
    assert not world.s3.list_multipart_uploads(Bucket=output, Prefix="").get("Uploads")
    world.check()
    assert world.statuses() == {FAILED: 2, COMPLETED: 4, QUARANTINED: 2, PENDING: 2}
    items = sorted(world.items(), key=lambda item: (item[Attr.DATE_PREFIX], item[Attr.FILE_KEY]))
    (anew,) = [item for item in items if item[Attr.FILE_KEY].endswith("006.ndjson")]
    del anew[Attr.UPLOAD_TIME]  # that of the object, which moto tells by its own clock
    return items


def test_a_story_ends_the_same_on_moto_and_in_the_model() -> None:
    worlds = on_moto, in_model = World(moto=True), World()
    # The same names on both sides, so that the items can be compared whole.
    in_model.input = on_moto.input
    in_model.dynamodb.keys_per_read = 100
    told = json.dumps(story(on_moto), default=str)
    told = told.replace(on_moto.settings.manifest_bucket, in_model.settings.manifest_bucket)
    assert json.loads(told) == json.loads(json.dumps(story(in_model), default=str))
    assert on_moto.counts() == in_model.counts()
    # A query whose last page is exactly full may or may not be told that it was the last.
    calls = [{name: count for name, count in world.methods.items() if name != "dynamodb.query"} for world in worlds]
    assert calls[0] == calls[1]


def test_a_lost_manifest_is_written_again_on_condition() -> None:
    """S3's own conditions, one that holds and one that does not."""
    for body in (None, b"garbage"):
        for restored in (None, b"restored"):
            world = World(moto=True)
            world.deliver(*(world.upload() for _ in range(3)))
            (manifest,) = world.manifests()
            bucket, key = split_s3_uri(manifest[Attr.MANIFEST_PATH])
            was = world.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            world.s3.delete_object(Bucket=bucket, Key=key)
            if body is not None:
                world.s3.put_object(Bucket=bucket, Key=key, Body=body)
            world.glue.end("jr_0", "FAILED", "NoSuchKey")
            world.later(31)

            def restore(world: World = world, bucket: str = bucket, key: str = key, body: bytes = was + b"\n") -> None:
                world.s3.put_object(Bucket=bucket, Key=key, Body=body)

            probe = ["dynamodb.query", "glue.get_job_run", "glue.get_job_run", "dynamodb.get_item", "s3.get_object"]
            probe += ["dynamodb.get_item", "dynamodb.batch_get_item", "s3.put_object"]
            plan = Plan(at=len(probe), before=restore if restored else None)
            answer = world.sweep(plan)
            assert plan.calls[: len(probe)] == probe
            assert len(answer["manifests_rewritten"]) == (0 if restored else 1)
            assert world.s3.get_object(Bucket=bucket, Key=key)["Body"].read() == was + (b"\n" if restored else b"")
            world.work_runs()
            assert world.sweep()["done"] and world.statuses() == {COMPLETED: 3}


def test_a_tracked_file_has_every_attribute_of_the_contract() -> None:
    world = World(moto=True)
    record = world.upload(size=1000)
    assert world.deliver(record) == []
    (item,) = world.files().values()
    assert item == {
        Attr.DATE_PREFIX: DAY,
        Attr.FILE_KEY: f"in/{DAY}-001.ndjson",
        Attr.STATUS: PENDING,
        Attr.BUCKET: world.input,
        Attr.SIZE_BYTES: 1000,
        Attr.FILE_SIZE_MB: Decimal("0.000954"),
        Attr.ETAG: record["s3"]["object"]["eTag"],
        Attr.SEQUENCER: "1",
        Attr.UPLOAD_TIME: "2026-03-14T12:00:00.001Z",
        Attr.UPDATED_AT: "2026-03-14T12:00:00.000Z",
        Attr.ATTEMPT: 0,
        Attr.TTL: int(world.now.timestamp()) + 7 * 86400,
    }
    assert world.counts() == {"files_received": 1}


def test_a_file_outside_the_window_is_copied_whole_and_stays_at_its_source() -> None:
    world = World(moto=True)
    key = f"in/{DAY} a+b ü.ndjson"
    record = world.upload(name=key, size=6_000)
    assert record["s3"]["object"]["key"] != key
    assert world.deliver(record) == []
    item = world.files()[key]
    assert item[Attr.STATUS] == QUARANTINED
    assert item[Attr.REASON] == "too-large: 6000 bytes, normal is 2 to 5000 bytes"
    assert item[Attr.QUARANTINE_KEY] == f"{DAY}/too-large/{key}"
    copied = world.s3.get_object(Bucket=world.settings.quarantine_bucket, Key=item[Attr.QUARANTINE_KEY])["Body"].read()
    assert copied == world.s3.get_object(Bucket=world.input, Key=key)["Body"].read()
    plan = Plan()
    assert world.deliver(record, plan=plan) == []
    assert "s3.copy" not in plan.calls, "a repeated event copied the file again"
    assert world.counts() == {"files_received": 1, "files_quarantined": 1}


def test_a_key_too_long_for_the_quarantine_folder_is_quarantined_under_its_digest() -> None:
    world = World(moto=True)
    key = f"{'d' * 1005}/x.ndjson"
    assert world.deliver(world.upload(name=key, size=1)) == []
    item = world.files()[key]
    assert len(item[Attr.QUARANTINE_KEY]) < 120
    world.s3.head_object(Bucket=world.settings.quarantine_bucket, Key=item[Attr.QUARANTINE_KEY])


def test_a_stale_event_quarantines_nothing_but_enters_the_object_that_is_there() -> None:
    world = World(moto=True)
    stale = world.upload(name="a.ndjson", size=1)
    current = world.upload(name="a.ndjson", size=50)
    assert world.deliver(stale) == []
    (item,) = world.files().values()
    assert (item[Attr.STATUS], item[Attr.SIZE_BYTES]) == (PENDING, 50)
    before = world.items()
    assert world.deliver(current, stale) == []
    assert world.items() == before
    assert "Contents" not in world.s3.list_objects_v2(Bucket=world.settings.quarantine_bucket)


def test_an_event_without_size_and_etag_takes_them_from_the_object() -> None:
    world = World(moto=True)
    record = world.upload(size=77)
    for name in ("size", "eTag", "sequencer"):
        del record["s3"]["object"][name]
    assert world.deliver(record) == []
    (item,) = world.files().values()
    head = world.s3.head_object(Bucket=world.input, Key=item[Attr.FILE_KEY])
    assert (item[Attr.SIZE_BYTES], item[Attr.ETAG]) == (77, head["ETag"].strip('"'))


@pytest.mark.parametrize("size", [1, None])
def test_an_object_that_is_gone_is_done_with(size: int | None) -> None:
    world = World(moto=True)
    record = world.upload(size=1)
    record["s3"]["object"]["size"] = size
    key = record["s3"]["object"]["key"]
    world.s3.delete_object(Bucket=world.input, Key=key)
    assert world.deliver(record) == []
    assert world.files() == {}
    assert world.events("object_gone")[0]["file_key"] == key


def test_a_copy_above_the_part_size_goes_in_parts() -> None:
    """With parts of 256 MiB in life; here the limit is lowered to what S3 allows at the least."""
    from lambda_handler import quarantine

    world = World(moto=True)
    size = 11 * MIB
    record = world.upload(name="large.ndjson", size=size)
    parts: list[int] = []
    world.s3.meta.events.register("before-call.s3.UploadPartCopy", lambda **_: parts.append(1))
    inv = Invocation(world.services(Plan()), "r", lambda: 300)
    quarantine._PART_BYTES, normal = 5 * MIB, quarantine._PART_BYTES
    try:
        etag = record["s3"]["object"]["eTag"]
        target = quarantine.copy_to_quarantine(inv, world.input, "large.ndjson", etag, size, DAY, "too-large")
    finally:
        quarantine._PART_BYTES = normal
    assert len(parts) == 3
    copied = world.s3.get_object(Bucket=world.settings.quarantine_bucket, Key=target)["Body"].read()
    assert (
        len(copied) == size
        and copied[-20:] == world.s3.get_object(Bucket=world.input, Key="large.ndjson")["Body"].read()[-20:]
    )
