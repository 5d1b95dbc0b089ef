"""A manifest whose attempts are used up leaves nothing visible, however its giving up is interrupted; files that were
overwritten while they were in work are entered anew before a manifest is closed."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from lambda_handler.dynamo import to_item
from ndjctl.contracts import (
    COMPLETED,
    FAILED,
    PENDING,
    PROCESSING,
    QUARANTINED,
    Attr,
    bad_lines_key,
    part_key,
    report_key,
)
from tests.lambda_model import LAST_MODIFIED
from tests.lambda_world import DAY, Death, Plan, World

KEYS = [f"in/{DAY}-{number:03d}.ndjson" for number in (1, 2, 3)]


def change(world: World, key: str, **attributes: Any) -> None:
    world.dynamodb.tables[world.settings.tracking_table][DAY, key].update(to_item(attributes))


def dying(world: World) -> str:
    """The last attempt has published its parts and completed one file, and has died. Returns the manifest's id."""
    world.deliver(*(world.upload() for _ in range(3)))
    (manifest,) = world.manifests()
    manifest_id = manifest[Attr.FILE_KEY].removesuffix("#")
    settings = world.settings
    for number in range(5):
        world.s3.put_object(Bucket=settings.output_bucket, Key=part_key(DAY, manifest_id, number), Body=b"P")
        world.s3.put_object(Bucket=settings.quarantine_bucket, Key=bad_lines_key(DAY, manifest_id, number), Body=b"N")
    world.s3.put_object(Bucket=settings.manifest_bucket, Key=report_key(DAY, manifest_id), Body=b"{}")
    for number in range(5):
        world.s3.uploads[f"upload-{number}"] = (settings.output_bucket, part_key(DAY, manifest_id, 9))
    world.s3.put_object(Bucket=settings.output_bucket, Key=part_key(DAY, "other", 0), Body=b"P")
    world.s3.uploads["other"] = (settings.output_bucket, part_key(DAY, "other", 1))
    change(world, KEYS[0], status=COMPLETED, rows=7, lines=7, completed_at="then")
    change(world, KEYS[1], status=PROCESSING)
    world.glue.end("jr_0", "FAILED", "out of memory")
    world.later(31)
    return manifest_id


def check_given_up(world: World, manifest_id: str) -> None:
    settings = world.settings
    assert world.statuses() == {FAILED: 3}
    assert all("out of memory" in item[Attr.ERROR] for item in world.files().values())
    assert not {Attr.ROWS, Attr.LINES, Attr.COMPLETED_AT} & set(world.files()[KEYS[0]])
    (manifest,) = world.manifests()
    assert (manifest[Attr.STATE], manifest[Attr.DATE_PREFIX]) == ("abandoned", f"#manifests-closed#{DAY}")
    assert Attr.GIVEN_UP_AT not in manifest
    left = {place for place in world.s3.objects if place[0] in (settings.output_bucket, settings.quarantine_bucket)}
    assert left == {(settings.output_bucket, part_key(DAY, "other", 0))}
    assert (settings.manifest_bucket, report_key(DAY, manifest_id)) not in world.s3.objects
    assert set(world.s3.uploads) == {"other"}
    world.check()


def test_nothing_of_a_manifest_that_is_given_up_stays_visible() -> None:
    world = World(max_attempts=1)
    manifest_id = dying(world)
    answer = world.sweep()
    assert answer["done"] and answer["failed"][0]["given_up"]
    check_given_up(world, manifest_id)
    (told,) = [line for line in world.events("output_deleted") if line["bucket"] == world.settings.output_bucket]
    assert (told["objects"], told["uploads"]) == (5, 5)


def test_death_while_a_manifest_is_given_up() -> None:
    probe, world = Plan(), World(max_attempts=1)
    dying(world)
    world.sweep(probe)
    assert len(probe.calls) > 20
    for at in range(1, len(probe.calls) + 1):
        for moment in ("before", "after"):
            world, plan = World(max_attempts=1), Plan(at=at)
            manifest_id = dying(world)
            setattr(plan, moment, plan.die)
            with pytest.raises(Death):
                world.sweep(plan)
            deleted = not [key for bucket, key in world.s3.objects if bucket == world.settings.output_bucket]
            assert not deleted or COMPLETED not in world.statuses(), "output is gone that the ledger calls completed"
            world.later(1)
            assert world.sweep()["done"]
            check_given_up(world, manifest_id)


def test_two_sweeps_that_give_up_at_once() -> None:
    probe, world = Plan(), World(max_attempts=1)
    dying(world)
    world.sweep(probe)
    for at in range(1, len(probe.calls) + 1):
        world = World(max_attempts=1)
        manifest_id = dying(world)
        world.sweep(Plan(at=at, before=lambda world=world: world.sweep()))
        check_given_up(world, manifest_id)


def test_a_manifest_that_is_being_given_up_gets_no_other_run() -> None:
    world = World(max_attempts=1)
    manifest_id = dying(world)
    with pytest.raises(Death):
        world.sweep(Plan(die_at="s3.list_multipart_uploads"))
    (item,) = world.manifests()
    assert Attr.GIVEN_UP_AT in item
    runs = len(world.glue.runs)
    world.sweep()
    assert len(world.glue.runs) == runs
    check_given_up(world, manifest_id)


# --- overwritten while in work


def overwritten(world: World, size: int = 120) -> str:
    """The first of three files is overwritten while it is in work. Returns the new etag."""
    world.deliver(*(world.upload() for _ in range(3)))
    newer = world.upload(name=KEYS[0], fill="z", size=size)
    world.deliver(newer)
    return str(newer["s3"]["object"]["eTag"])


@pytest.mark.parametrize("max_attempts", [1, 2])
def test_a_failed_file_that_was_overwritten_is_entered_anew_when_its_manifest_closes(max_attempts: int) -> None:
    world = World(max_attempts=max_attempts)
    etag = overwritten(world)
    change(world, KEYS[0], status=FAILED, error="412")
    if max_attempts > 1:  # the job failed it and completed the others; it leaves the manifest to the sweep
        for key in KEYS[1:]:
            change(world, key, status=COMPLETED)
        world.glue.end("jr_0", "SUCCEEDED")
    else:
        world.glue.end("jr_0", "FAILED", "out of memory")
    world.later(31)
    answer = world.sweep()
    item = world.files()[KEYS[0]]
    assert (item[Attr.STATUS], item[Attr.ETAG], item[Attr.SIZE_BYTES]) == (PENDING, etag, 120)
    assert item[Attr.UPLOAD_TIME].startswith(LAST_MODIFIED.isoformat()[:19])
    assert not {Attr.SUPERSEDED_BY, Attr.SUPERSEDED_SEQUENCER, Attr.ERROR, Attr.BATCH_ID} & set(item)
    assert answer["repaired"] and answer["open"] == 0
    world.flush()
    assert world.files()[KEYS[0]][Attr.STATUS] == "manifested"
    world.check()


def test_a_file_that_was_completed_before_its_overwriting_was_seen_is_left_for_reprocess() -> None:
    world = World()
    etag = overwritten(world)
    world.work_runs()
    world.sweep()
    item = world.files()[KEYS[0]]
    assert (item[Attr.STATUS], item[Attr.SUPERSEDED_BY]) == (COMPLETED, etag)


def test_a_newer_version_of_another_size_is_quarantined_when_it_is_entered_anew() -> None:
    world = World(max_attempts=1)
    overwritten(world, size=6_000)
    world.glue.end("jr_0", "STOPPED")
    world.sweep()
    assert world.statuses() == {FAILED: 2, QUARANTINED: 1}
    world.check()


def test_a_file_that_was_overwritten_and_then_deleted_stays_failed() -> None:
    world = World(max_attempts=1)
    overwritten(world)
    world.s3.delete_object(world.input, KEYS[0])
    world.glue.end("jr_0", "STOPPED")
    assert world.sweep()["open"] == 0
    assert world.statuses() == {FAILED: 3}
    assert world.events("object_gone")


def test_what_a_file_replaces_is_kept_until_it_is_completed() -> None:
    """Reprocessed once, its old rows are still visible: whatever happens to it, the next run has to remove them."""
    world = World(max_attempts=1)
    world.deliver(*(world.upload() for _ in range(2)))
    change(world, KEYS[0], replaces="m0")
    world.deliver(world.upload(name=KEYS[0], fill="y"))
    world.deliver(world.upload())
    manifest = world.manifest_at(world.manifests()[0][Attr.MANIFEST_PATH])
    assert manifest is not None
    assert {file.key: file.replaces for file in manifest.files} == {
        KEYS[0]: "m0",
        KEYS[1]: "",
        f"in/{DAY}-004.ndjson": "",
    }
    world.glue.end("jr_0", "STOPPED")
    world.sweep()
    assert world.files()[KEYS[0]][Attr.REPLACES] == "m0"
    world.deliver(world.upload(name=KEYS[0], fill="x"))
    assert world.files()[KEYS[0]][Attr.REPLACES] == "m0"


def test_death_while_a_file_is_entered_anew() -> None:
    def prepare() -> World:
        world = World(max_attempts=1)
        overwritten(world)
        world.glue.end("jr_0", "STOPPED")
        return world

    probe = Plan()
    prepare().sweep(probe)
    for at in range(1, len(probe.calls) + 1):
        for moment in ("before", "after"):
            world, plan = prepare(), Plan(at=at)
            setattr(plan, moment, plan.die)
            with pytest.raises(Death):
                world.sweep(plan)
            world.later(1)
            assert world.sweep()["open"] == 0
            assert world.statuses() == {FAILED: 2, PENDING: 1}, (at, moment)
            world.check()


def test_an_event_that_comes_while_a_file_is_entered_anew() -> None:
    """The third version comes around every call of the sweep, and is what stands in the ledger in the end."""
    probe, world = Plan(), World(max_attempts=1)
    overwritten(world)
    world.glue.end("jr_0", "STOPPED")
    world.sweep(probe)
    for at in range(1, len(probe.calls) + 1):
        world = World(max_attempts=1)
        overwritten(world)
        world.glue.end("jr_0", "STOPPED")
        last: list[str] = []

        def meanwhile(world: World = world, last: list[str] = last) -> None:
            newest = world.upload(name=KEYS[0], fill="q", size=130)
            last.append(newest["s3"]["object"]["eTag"])
            world.deliver(newest)

        world.sweep(Plan(at=at, before=meanwhile))
        world.sweep()
        item = world.files()[KEYS[0]]
        assert (item[Attr.STATUS], item[Attr.ETAG]) == (PENDING, last[0]), (at, probe.calls[at - 1])
        assert Attr.SUPERSEDED_BY not in item


def test_two_sweeps_at_once_give_up_together() -> None:
    """Before each call of one the other comes, and dies after each change of the ledger: neither takes the files that
    the other has failed for the end of a run that did its work."""
    probe = Plan()
    world = World(max_attempts=1)
    dying(world)
    world.sweep(probe)
    deaths = [at for at, call in enumerate(probe.calls, 1) if call == "dynamodb.update_item"]
    for at in range(1, len(probe.calls) + 1):
        for until in deaths:
            world = World(max_attempts=1)
            manifest_id = dying(world)

            def meanwhile(world: World = world, until: int = until) -> None:
                other = Plan(at=until)
                other.after = other.die
                with suppress(Death):
                    world.sweep(other)

            world.sweep(Plan(at=at, before=meanwhile))
            world.later(1)
            world.sweep()
            check_given_up(world, manifest_id)
