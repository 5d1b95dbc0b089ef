"""Size quarantine of large files: copied in parts, tried with enough time, nothing unfinished left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from moto import mock_aws

from lambda_handler import quarantine
from lambda_handler.handler import dispatch
from lambda_handler.quarantine import NoTimeToCopy, ObjectChanged, copy_to_quarantine
from lambda_handler.services import Invocation
from ndjctl.contracts import MIB, size_quarantine_key
from tests.lambda_world import DAY, Plan, World

KEY = "large.ndjson"
SIZE_BYTES = 11 * MIB
GIB = 1024 * MIB


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """With parts of the least size that S3 takes, so that eleven megabytes are three of them."""
    monkeypatch.setattr(quarantine, "_PART_BYTES", 5 * MIB)
    return World(moto=True)


def copy(world: World, etag: str, remaining_s: float = 300) -> str:
    inv = Invocation(world.services(Plan()), "r", lambda: remaining_s)
    return copy_to_quarantine(inv, world.input, KEY, etag, SIZE_BYTES, DAY, "too-large")


def unfinished(world: World) -> list[str]:
    uploads = world.s3.list_multipart_uploads(Bucket=world.settings.quarantine_bucket).get("Uploads", [])
    return [upload["Key"] for upload in uploads]


def upload(world: World) -> str:
    return str(world.upload(name=KEY, size=SIZE_BYTES)["s3"]["object"]["eTag"])


def test_a_copy_that_failed_half_way_leaves_no_unfinished_upload(world: World) -> None:
    etag = upload(world)

    def broken(params: dict[str, Any], **_: Any) -> None:
        if params["query_string"].get("partNumber") == 2 or "partNumber=2" in params["url"]:
            raise ClientError({"Error": {"Code": "SlowDown", "Message": "x"}}, "UploadPartCopy")

    world.s3.meta.events.register("before-call.s3.UploadPartCopy", broken, unique_id="broken")
    try:
        with pytest.raises(ClientError):
            copy(world, etag)
    finally:
        world.s3.meta.events.unregister("before-call.s3.UploadPartCopy", unique_id="broken")
    assert unfinished(world) == []
    assert copy(world, etag) == copy(world, etag)


def test_what_a_killed_copy_left_is_dropped_by_the_next_and_that_of_others_is_not(world: World) -> None:
    etag = upload(world)
    bucket, target = world.settings.quarantine_bucket, size_quarantine_key(DAY, "too-large", KEY)
    for key in (target, target, f"{target}.other.ndjson"):
        world.s3.create_multipart_upload(Bucket=bucket, Key=key)
    assert copy(world, etag) == target
    assert unfinished(world) == [f"{target}.other.ndjson"]
    assert world.s3.head_object(Bucket=bucket, Key=target)["ContentLength"] == SIZE_BYTES


def test_a_version_that_is_overwritten_under_way_is_not_copied(world: World) -> None:
    etag = upload(world)
    world.upload(name=KEY, size=SIZE_BYTES, fill="y")
    with pytest.raises(ObjectChanged):
        copy(world, etag)
    assert unfinished(world) == []


@pytest.mark.parametrize(
    ("size_bytes", "left_s", "given_s", "is_tried"),
    [
        (5 * GIB, 300, 300, True),
        (5 * GIB, 40, 300, True),
        (5 * GIB, 30, 300, False),
        (40 * GIB, 290, 300, True),
        (40 * GIB, 200, 300, False),
        (400 * GIB, 299, 300, True),  # it never fits: all the time there is must do
        (400 * GIB, 150, 300, False),
    ],
)
def test_a_copy_is_begun_only_with_time_to_end_it(
    size_bytes: int, left_s: float, given_s: float, is_tried: bool
) -> None:
    left = iter([given_s])
    inv = Invocation(World().services(Plan()), "r", lambda: next(left, left_s))
    if is_tried:
        quarantine._check_time(inv, size_bytes)
    else:
        with pytest.raises(NoTimeToCopy):
            quarantine._check_time(inv, size_bytes)


def test_the_parts_of_the_largest_objects_are_within_the_limits_of_s3() -> None:
    config = quarantine._transfer_config()
    assert isinstance(config, TransferConfig)
    assert 5 * MIB <= config.multipart_chunksize <= 5 * GIB and config.multipart_threshold <= 5 * GIB
    assert 50 * GIB / config.multipart_chunksize <= 10_000


def test_a_message_whose_copy_does_not_fit_comes_back_alone() -> None:
    world = World(max_files_per_manifest=100)
    large = world.upload(size=100)
    large["s3"]["object"]["size"] = 30 * GIB
    small = world.upload()
    left = iter([300.0])
    messages = [json.dumps({"Records": [each]}) for each in (large, small)]
    context = SimpleNamespace(aws_request_id="r", get_remaining_time_in_millis=lambda: next(left, 100) * 1000)
    event = {
        "Records": [
            {"messageId": f"m{number}", "eventSource": "aws:sqs", "body": body} for number, body in enumerate(messages)
        ]
    }
    answer = dispatch(event, context, world.services(Plan()))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert len(world.files()) == 1
