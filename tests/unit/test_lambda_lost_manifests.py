"""A manifest whose object is gone, or is no manifest any more: the sweep writes it again from the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lambda_handler.dynamo import to_item
from ndjctl.contracts import (
    ABANDONED,
    COMPLETED,
    DONE,
    FAILED,
    MANIFEST_FILES_PARTITION,
    Attr,
    Manifest,
    manifest_key,
    part_key,
    report_key,
    split_s3_uri,
)
from tests.lambda_model import client_error
from tests.lambda_world import DAY, Death, Plan, World

KEYS = [f"in/{DAY}-{number:03d}.ndjson" for number in (1, 2, 3)]
NEWER = b'{"format": "ndjctl.manifest", "version": 99, "id": "x"}'
OTHERS = Manifest("another", DAY, "2026-03-14T12:00:00.000Z", ()).to_json()
DAMAGES: dict[str, bytes | None] = {
    "gone": None,
    "empty": b"",
    "garbage": b"\x00\xff garbage",
    "nested": b"[" * 100_000,
    "cut off": b'{"format": "ndjctl.manifest", "vers',
    "of the future": NEWER,
    "another's": OTHERS,
}


def place(world: World) -> tuple[str, str]:
    (manifest,) = world.manifests()
    return split_s3_uri(manifest[Attr.MANIFEST_PATH])


def damage(world: World, body: bytes | None) -> bytes:
    """Returns what was there."""
    was: bytes = world.s3.objects.pop(place(world))
    if body is not None:
        world.s3.objects[place(world)] = body
    return was


def failed_on_it(body: bytes | None, **changes: Any) -> tuple[World, bytes]:
    """A world whose only manifest had a run that met the damage. And what its object was."""
    world = World(**changes)
    world.deliver(*(world.upload() for _ in range(3)))
    was = damage(world, body)
    world.glue.end("jr_0", "FAILED", "manifest cannot be read")
    world.later(31)
    return world, was


def change(world: World, key: str, **attributes: Any) -> None:
    world.dynamodb.tables[world.settings.tracking_table][DAY, key].update(to_item(attributes))


def forget(world: World, *keys: tuple[str, str]) -> None:
    for key in keys:
        del world.dynamodb.tables[world.settings.tracking_table][key]


def forget_list(world: World) -> None:
    (manifest,) = world.manifests()
    forget(world, (MANIFEST_FILES_PARTITION, manifest[Attr.FILE_KEY]))


@pytest.mark.parametrize("body", DAMAGES.values(), ids=DAMAGES.keys())
def test_the_object_is_what_it_was_and_the_manifest_comes_to_rest(body: bytes | None) -> None:
    world, was = failed_on_it(body)
    answer = world.sweep()
    ((bucket, key), manifest_id) = place(world), world.manifests()[0][Attr.FILE_KEY].removesuffix("#")
    assert world.s3.objects[bucket, key] == was
    (told,) = answer["manifests_rewritten"]
    assert told["manifest_id"] == manifest_id and ("gone" in told["why"]) == (body is None)
    assert [each["run_id"] for each in answer["runs_started"]] == ["jr_1"] and answer["failed"] == []
    (logged,) = world.events("manifest_rewritten")
    assert (logged["level"], logged["files"], logged["why"]) == ("WARNING", 3, told["why"])
    world.work_runs()
    assert world.sweep()["manifests_rewritten"] == []
    assert world.statuses() == {COMPLETED: 3}
    world.check_at_rest(runs_per_manifest=2)


def test_the_end_of_the_run_that_met_it_is_enough() -> None:
    world, was = failed_on_it(None)
    detail = {"jobName": world.settings.glue_job_name, "jobRunId": "jr_0", "state": "FAILED"}
    answer = world.invoke({"detail-type": "Glue Job State Change", "source": "aws.glue", "detail": detail})
    assert world.s3.objects[place(world)] == was and len(answer["manifests_rewritten"]) == 1
    assert len(answer["runs_started"]) == 1


def test_a_run_that_is_under_way_is_left_alone() -> None:
    world = World()
    world.deliver(*(world.upload() for _ in range(3)))
    damage(world, None)
    assert world.sweep()["manifests_rewritten"] == []
    assert place(world) not in world.s3.objects


def test_an_object_that_cannot_be_asked_for_is_not_taken_for_gone() -> None:
    world, was = failed_on_it(b"garbage")

    def refused(**_: Any) -> None:
        raise client_error("AccessDenied", "GetObject", 403)

    world.s3.get_object = refused
    (failed,) = world.sweep()["failed"]
    assert "AccessDenied" in failed["error"] and world.s3.objects[place(world)] == b"garbage"
    del world.s3.get_object
    world.sweep()
    assert world.s3.objects[place(world)] == was


def test_attempts_that_are_used_up_fail_its_files() -> None:
    world, was = failed_on_it(None, max_attempts=1)
    answer = world.sweep()
    assert answer["done"] and answer["failed"][0]["given_up"] and len(answer["manifests_rewritten"]) == 1
    assert world.statuses() == {FAILED: 3}
    assert all("manifest cannot be read" in item[Attr.ERROR] for item in world.files().values())
    assert world.s3.objects[place(world)] == was


def test_a_manifest_whose_files_are_all_done_is_closed() -> None:
    """The last run completed them, and died before it closed the manifest."""
    world, was = failed_on_it(None)
    for key in KEYS:
        change(world, key, status=COMPLETED)
    answer = world.sweep()
    assert answer["done"] and world.manifests()[0][Attr.STATE] == DONE and len(world.glue.runs) == 1
    assert world.s3.objects[place(world)] == was


def test_files_that_went_elsewhere_are_in_the_object_and_stay_elsewhere() -> None:
    """The job refuses what is not its manifest's by the ledger; the parts it plans are those of the first attempt."""
    world, was = failed_on_it(None)
    change(world, KEYS[0], batch_id="another", status=COMPLETED)
    world.sweep()
    assert world.s3.objects[place(world)] == was
    world.glue.end("jr_1", "STOPPED")
    world.sweep()
    assert world.statuses() == {COMPLETED: 1, FAILED: 2}


# --- the list is dropped for its age


def test_without_its_list_the_files_themselves_tell() -> None:
    world, was = failed_on_it(None)
    change(world, KEYS[2], replaces="m0", status=COMPLETED)
    world.deliver(*(world.upload() for _ in range(3)))  # of another manifest
    first = world.manifests()[0]
    bucket, key = split_s3_uri(first[Attr.MANIFEST_PATH])
    forget(world, (MANIFEST_FILES_PARTITION, first[Attr.FILE_KEY]))
    world.sweep()
    written = Manifest.from_json(world.s3.objects[bucket, key], "there")
    before = Manifest.from_json(was, "there")
    assert [file.key for file in written.files] == KEYS and written.files[:2] == before.files[:2]
    assert [file.replaces for file in written.files] == ["", "", "m0"]
    assert (written.manifest_id, written.date, written.created_at) == (before.manifest_id, DAY, before.created_at)


def test_without_its_list_files_of_which_too_little_is_known_fail() -> None:
    """And the others with them: what is visible is the output of the whole manifest, or nothing of it."""
    world, _ = failed_on_it(None)
    forget_list(world)
    table = world.dynamodb.tables[world.settings.tracking_table]
    for name in (Attr.BUCKET, Attr.SIZE_BYTES):
        del table[DAY, KEYS[0]][name]
    change(world, KEYS[1], status=COMPLETED)
    manifest_id = world.manifests()[0][Attr.FILE_KEY].removesuffix("#")
    for bucket, key in (("output", part_key(DAY, manifest_id, 0)), ("manifest", report_key(DAY, manifest_id))):
        world.s3.put_object(Bucket=getattr(world.settings, f"{bucket}_bucket"), Key=key, Body=b"P")
    answer = world.sweep()
    assert answer["done"] and answer["failed"][0]["given_up"]
    assert world.statuses() == {FAILED: 3}
    assert {item[Attr.ERROR] for item in world.files().values()} == {"its manifest is gone"}
    assert world.manifests()[0][Attr.STATE] == ABANDONED
    left = (world.settings.output_bucket, world.settings.manifest_bucket)
    assert not [key for bucket, key in world.s3.objects if bucket in left]


@pytest.mark.parametrize("listed", [True, False])
def test_a_manifest_of_which_the_ledger_knows_no_file_is_abandoned(listed: bool) -> None:
    world, _ = failed_on_it(None)
    manifest_id = world.manifests()[0][Attr.FILE_KEY].removesuffix("#")
    world.s3.put_object(Bucket=world.settings.output_bucket, Key=part_key(DAY, manifest_id, 0), Body=b"P")
    forget(world, *((DAY, key) for key in KEYS))
    if not listed:
        forget_list(world)
    answer = world.sweep()
    (failed,) = answer["failed"]
    assert answer["done"] and failed["given_up"]
    assert failed["error"] == "its object is gone, and the ledger has no files of it any more"
    (manifest,) = world.manifests()
    assert (manifest[Attr.STATE], manifest[Attr.ERROR]) == (ABANDONED, failed["error"])
    assert not [key for bucket, key in world.s3.objects if bucket == world.settings.output_bucket]


def test_what_a_report_calls_converted_is_kept_when_the_ledger_has_forgotten_it() -> None:
    world, _ = failed_on_it(None)
    settings = world.settings
    manifest_id = world.manifests()[0][Attr.FILE_KEY].removesuffix("#")
    world.s3.put_object(Bucket=settings.output_bucket, Key=part_key(DAY, manifest_id, 0), Body=b"P")
    world.s3.put_object(Bucket=settings.manifest_bucket, Key=report_key(DAY, manifest_id), Body=b"{}")
    forget(world, *((DAY, key) for key in KEYS))
    answer = world.sweep()
    assert answer["done"] and answer["failed"] == [] and world.manifests()[0][Attr.STATE] == DONE
    assert (settings.output_bucket, part_key(DAY, manifest_id, 0)) in world.s3.objects


# --- death, and others at the same time


@pytest.mark.parametrize("body", [None, b"garbage"], ids=["gone", "garbage"])
@pytest.mark.parametrize("max_attempts", [1, 2])
def test_death_around_every_call(body: bytes | None, max_attempts: int) -> None:
    probe = Plan()
    failed_on_it(body, max_attempts=max_attempts)[0].sweep(probe)
    assert "s3.put_object" in probe.calls
    for at in range(1, len(probe.calls) + 1):
        for moment in ("before", "after"):
            (world, was), plan = failed_on_it(body, max_attempts=max_attempts), Plan(at=at)
            setattr(plan, moment, plan.die)
            with pytest.raises(Death):
                world.sweep(plan)
            world.settle()
            assert world.s3.objects[place(world)] == was, (at, moment)
            assert world.statuses() == {FAILED if max_attempts == 1 else COMPLETED: 3}, (at, moment)
            world.check()


@pytest.mark.parametrize("without_list", [False, True])
@pytest.mark.parametrize("body", [None, b"garbage"], ids=["gone", "garbage"])
def test_two_sweeps_at_once(body: bytes | None, without_list: bool) -> None:
    """The other does all its work before each call of the one; so does its run."""

    def make() -> World:
        world, _ = failed_on_it(body)
        if without_list:
            forget_list(world)
        return world

    def both(world: World) -> Callable[[], None]:
        def meanwhile() -> None:
            world.sweep()
            world.work_runs()
            change(world, KEYS[0], lines=1)
            world.sweep()

        return meanwhile

    probe = Plan()
    make().sweep(probe)
    for at in range(1, len(probe.calls) + 1):
        world = make()
        world.sweep(Plan(at=at, before=both(world)))
        world.settle()
        assert world.statuses() == {COMPLETED: 3}, (at, probe.calls[at - 1])
        assert len(world.manifests()) == 1 and len(world.glue.runs) == 2


def test_what_was_put_back_meanwhile_is_kept() -> None:
    """Somebody restores the object, in another spelling, between the look and the repair."""
    for body in (None, b"garbage"):
        world, was = failed_on_it(body)
        restored = was + b"\n"
        plan = Plan(die_at="")
        target = place(world)

        def restore(world: World = world, target: tuple[str, str] = target, restored: bytes = restored) -> None:
            world.s3.objects[target] = restored

        probe = Plan()
        failed_on_it(body)[0].sweep(probe)
        plan.at, plan.before = probe.calls.index("s3.put_object") + 1, restore
        answer = world.sweep(plan)
        assert world.s3.objects[target] == restored and answer["manifests_rewritten"] == []
        assert len(answer["runs_started"]) == 1


def test_an_object_that_others_keep_changing_is_left_to_the_next_sweep() -> None:
    world, _ = failed_on_it(None)

    def taken(**_: Any) -> None:
        raise client_error("ConditionalRequestConflict", "PutObject", 409)

    world.s3.put_object = taken
    (failed,) = world.sweep()["failed"]
    assert failed["error"].startswith("Contended: ") and not failed["given_up"]
    assert manifest_key(DAY, failed["manifest_id"]) in failed["error"]
