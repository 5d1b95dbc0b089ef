"""The job and the sweep: a manifest that is given up is nobody's to run, and one with a file that failed and was
overwritten is left to the sweep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from glue_job.output import JobFailed
from ndjctl import contracts
from ndjctl.contracts import OPEN_MANIFESTS_PARTITION, Attr
from tests.glue_world import DATE, INPUT, OUTPUT, RUN, World, glue_world

BODY = b'{"a": 1}\n{"a": 2}\n'


@pytest.fixture
def world() -> Iterator[World]:
    with glue_world() as world:
        yield world


def open_item(world: World, **attributes: str) -> None:
    world.put_item(OPEN_MANIFESTS_PARTITION, contracts.manifest_item_key("m1"), attributes)


@pytest.mark.parametrize("run_id", [RUN, "jr_1_attempt_1", "jr_2"])
def test_a_manifest_that_is_given_up_is_not_taken(world: World, run_id: str) -> None:
    manifest = world.manifest_of(BODY)
    open_item(world, state=contracts.RUNNING, run_id=RUN, given_up_at="now")
    before = world.open_item(manifest)
    assert world.run(manifest, run_id=run_id) == 0
    assert world.open_item(manifest) == before
    assert world.keys(OUTPUT) == []
    assert world.file_item(manifest.files[0])["status"] == contracts.MANIFESTED


def test_a_run_shows_nothing_once_its_manifest_is_given_up(world: World) -> None:
    """Glue told that it had ended while it went on for a moment."""
    manifest = world.manifest_of(BODY)

    def give_up(_task: Any) -> None:
        open_item(world, state=contracts.RUNNING, run_id=RUN, given_up_at="now")
        world.put_item(DATE, manifest.files[0].key, {Attr.STATUS: contracts.FAILED, Attr.BATCH_ID: "m1"})

    world.before_part = give_up
    with pytest.raises(JobFailed, match="taken from this run"):
        world.run(manifest)
    assert world.keys(OUTPUT) == []
    assert world.s3.list_multipart_uploads(Bucket=OUTPUT).get("Uploads", []) == []
    assert world.file_item(manifest.files[0])["status"] == contracts.FAILED
    assert world.open_item(manifest) is not None


def overwrite(world: World, key: str) -> None:
    """As the function records it while the file is in work."""
    etag = world.s3.put_object(Bucket=INPUT, Key=key, Body=BODY * 3)["ETag"].strip('"')
    world.dynamodb.update_item(
        TableName="tracking",
        Key={Attr.DATE_PREFIX: {"S": DATE}, Attr.FILE_KEY: {"S": key}},
        UpdateExpression=f"SET {Attr.SUPERSEDED_BY} = :etag",
        ExpressionAttributeValues={":etag": {"S": etag}},
    )


def test_a_manifest_with_a_file_that_was_overwritten_is_left_to_the_sweep(world: World) -> None:
    manifest = world.manifest_of(BODY, BODY)
    overwrite(world, manifest.files[0].key)
    assert world.run(manifest) == 0
    assert [world.file_item(file)["status"] for file in manifest.files] == [contracts.FAILED, contracts.COMPLETED]
    item = world.open_item(manifest)
    assert item is not None and item[Attr.STATE] == contracts.RUNNING
    assert world.closed_item(manifest) is None
    assert len(world.rows()) == 2
    # A second attempt of the run comes to the same.
    assert world.run(manifest, run_id="jr_1_attempt_1") == 0
    assert [world.file_item(file)["status"] for file in manifest.files] == [contracts.FAILED, contracts.COMPLETED]
    assert world.open_item(manifest) is not None and len(world.rows()) == 2


def test_a_file_that_is_complete_when_it_is_overwritten_keeps_no_manifest_open(world: World) -> None:
    manifest = world.manifest_of(BODY)
    world.after_parts = lambda: overwrite(world, manifest.files[0].key)
    assert world.run(manifest) == 0
    assert world.file_item(manifest.files[0])["status"] == contracts.COMPLETED
    assert world.closed_item(manifest) is not None
