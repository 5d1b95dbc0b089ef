"""A closed manifest opened again, so that its Parquet is written anew: with what, when not, and what keeps it apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ndjctl import contracts
from ndjctl.contracts import (
    COMPLETED,
    FAILED,
    MANIFESTED,
    OPEN_MANIFESTS_PARTITION,
    PENDING,
    READY,
    Attr,
    Manifest,
    ManifestFile,
)
from ndjctl.errors import UsageError, WorkFailed
from ndjctl.redrive.manifest import Finder, refusal
from ndjctl.redrive.moves import GONE, LOST
from ndjctl.redrive.reopen import Reopener
from tests.redrive_world import DAY, NAMES, RedriveWorld, redrive_world

ID = "20261123T100000000Z-0123abcd"
DONE_AT = f"{DAY}T12:00:00.000Z"


@pytest.fixture
def world() -> Iterator[RedriveWorld]:
    with redrive_world() as made:
        yield made


def finder(world: RedriveWorld) -> Finder:
    return Finder(world.s3, world.tracking, NAMES)


class _Glue:
    def __init__(self, run_states: dict[str, str]) -> None:
        self._run_states = run_states

    def get_job_run(self, JobName: str, RunId: str) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        if RunId not in self._run_states:
            raise ClientError({"Error": {"Code": "EntityNotFoundException", "Message": "no"}}, "GetJobRun")
        return {"JobRun": {"Id": RunId, "JobRunState": self._run_states[RunId]}}


def reopener(world: RedriveWorld) -> Reopener:
    return Reopener(world.s3, world.tracking, NAMES, lambda: _Glue(world.run_states), world.clock, world.slept_s.append)


def finished(world: RedriveWorld, count: int = 3, manifest_id: str = ID) -> list[ManifestFile]:
    """Files of a manifest that is done."""
    files = [world.put_object(f"{number}.ndjson", b'{"a":%d}\n' % number) for number in range(count)]
    for file in files:
        more = {Attr.BATCH_ID: manifest_id, Attr.RUN_ID: "jr_1", Attr.COMPLETED_AT: DONE_AT, Attr.ROWS: 1}
        world.track(file, COMPLETED, **more)
    world.put_manifest(manifest_id, *files)
    facts = {
        Attr.CREATED_AT: f"{DAY}T10:00:00.000Z",
        Attr.MANIFEST_PATH: contracts.s3_uri(NAMES.manifest_bucket, contracts.manifest_key(DAY, manifest_id)),
        Attr.FILE_COUNT: count,
        Attr.SIZE_BYTES: 8 * count,
        Attr.FENCE: 4,
        Attr.PARTS: 7,
        Attr.SEALED_AT: f"{DAY}T10:00:01.000Z",
    }
    of_the_run = {
        Attr.RUN_ID: "jr_1",
        Attr.STARTED_AT: DONE_AT,
        Attr.COMPLETED_AT: DONE_AT,
        Attr.TTL: 99,
        Attr.ATTEMPT: 2,
        Attr.ERROR: "the first attempt failed",
        Attr.GIVEN_UP_AT: DONE_AT,
    }
    world.closed_manifest(manifest_id, **facts, **of_the_run)
    return files


def object_of(manifest_id: str) -> dict[str, str]:
    return {"Bucket": NAMES.manifest_bucket, "Key": contracts.manifest_key(DAY, manifest_id)}


def lose(world: RedriveWorld, garbage: bytes | None) -> Manifest:
    """The manifest's object is deleted or overwritten. Returns what it was."""
    was = Manifest.from_json(world.s3.get_object(**object_of(ID))["Body"].read(), "there")
    world.s3.delete_object(**object_of(ID))
    if garbage is not None:
        world.s3.put_object(**object_of(ID), Body=garbage)
    return was


def list_files(world: RedriveWorld, files: list[ManifestFile]) -> None:
    listed = [{"bucket": each.bucket, "key": each.key, "size_bytes": 8, "etag": each.etag} for each in files]
    world.put({**contracts.manifest_files_item_key(ID), Attr.FILES: listed})


def open_item(world: RedriveWorld, manifest_id: str = ID) -> dict[str, Any] | None:
    return world.tracking.open_manifest(manifest_id)


def test_it_is_open_as_if_no_run_had_been(world: RedriveWorld) -> None:
    finished(world)
    found = finder(world).look(ID)
    assert (len(found.included), found.size_bytes, found.left_out, found.refused) == (3, 24, [], [])
    reopener(world).reopen(found)
    item = open_item(world)
    assert item is not None
    item.pop(Attr.UPDATED_AT)
    assert item == {
        Attr.DATE_PREFIX: OPEN_MANIFESTS_PARTITION,
        Attr.FILE_KEY: contracts.manifest_item_key(ID),
        Attr.STATE: READY,
        Attr.DATE: DAY,
        Attr.CREATED_AT: f"{DAY}T10:00:00.000Z",
        Attr.MANIFEST_PATH: f"s3://{NAMES.manifest_bucket}/manifests/{DAY}/manifest-{ID}.json",
        Attr.FILE_COUNT: 3,
        Attr.SIZE_BYTES: 24,
        Attr.FENCE: 4,
        Attr.PARTS: 7,
        Attr.SEALED_AT: f"{DAY}T10:00:01.000Z",
        Attr.ATTEMPT: 0,
    }
    assert world.tracking.closed_manifest(DAY, ID) is None
    assert set(world.statuses().values()) == {MANIFESTED}
    again = finder(world).look(ID)
    assert (again.is_open, again.state, again.included) == (True, READY, [])


def test_files_that_are_no_longer_its_own_are_left_out(world: RedriveWorld) -> None:
    files = finished(world, 4)
    world.track(files[0], FAILED, **{Attr.BATCH_ID: ID, Attr.ERROR: "boom"})
    world.track(files[1], COMPLETED, **{Attr.BATCH_ID: "m2"})
    world.track(files[2], PENDING, **{Attr.REPLACES: ID})
    world.put_object(files[2].key, b"newer\n")
    found = finder(world).look(ID)
    assert [each.file.key for each in found.included] == ["3.ndjson"]
    assert found.left_out == [
        ("0.ndjson", "it is failed: boom"),
        ("1.ndjson", "it is completed and no longer of this manifest"),
        ("2.ndjson", "it is pending and no longer of this manifest"),
    ]
    reopener(world).reopen(found)
    assert world.statuses() == {
        "0.ndjson": FAILED,
        "1.ndjson": COMPLETED,
        "2.ndjson": PENDING,
        "3.ndjson": MANIFESTED,
    }


def test_what_could_not_be_converted_again_refuses_it(world: RedriveWorld) -> None:
    files = finished(world)
    world.s3.delete_object(Bucket=NAMES.input_bucket, Key=files[0].key)
    world.put_object(files[1].key, b"newer\n")
    found = finder(world).look(ID)
    assert found.refused == [("0.ndjson", "gone"), ("1.ndjson", "newer")]
    told = refusal(ID, found.refused, lambda *words: " ".join(("ndjctl", *words)))
    assert "'0.ndjson': the object is gone; put it back" in told
    assert f"'ndjctl reprocess --manifest {ID} --accept-loss'" in told
    assert "'1.ndjson': overwritten since; 'ndjctl reprocess 1.ndjson' first" in told
    assert told.endswith("Then the same command again.")


def test_the_loss_of_what_is_gone_can_be_accepted(world: RedriveWorld) -> None:
    files = finished(world)
    world.s3.delete_object(Bucket=NAMES.input_bucket, Key=files[0].key)
    found = finder(world).look(ID, accepts_loss=True)
    assert [each.file.key for each in found.given_up] == ["0.ndjson"]
    assert (len(found.included), found.refused) == (2, [])
    reopener(world).reopen(found)
    assert world.statuses() == {"0.ndjson": FAILED, "1.ndjson": MANIFESTED, "2.ndjson": MANIFESTED}
    item = world.item("0.ndjson")
    assert (item[Attr.BATCH_ID], item[Attr.ERROR]) == (ID, LOST)
    # That it was accepted stays known, however often it is tried again.
    (entry,) = world.tracking.entries([(DAY, "0.ndjson")]).values()
    assert world.mover.redrive(entry, "").what == GONE
    assert world.item("0.ndjson")[Attr.ERROR] == LOST
    # What was overwritten has a way of its own, and is no loss to accept.
    world.put_object(files[1].key, b"newer\n")
    world.dynamodb.delete_item(
        TableName=NAMES.tracking_table,
        Key={
            Attr.DATE_PREFIX: {"S": OPEN_MANIFESTS_PARTITION},
            Attr.FILE_KEY: {"S": contracts.manifest_item_key(ID)},
        },
    )
    world.closed_manifest(ID)
    assert [each.key for each in finder(world).look(ID, accepts_loss=True).refused] == ["1.ndjson"]


def test_nothing_is_given_up_that_came_back_meanwhile_or_moved_on(world: RedriveWorld) -> None:
    files = finished(world)
    world.s3.delete_object(Bucket=NAMES.input_bucket, Key=files[0].key)
    found = finder(world).look(ID, accepts_loss=True)
    world.track(files[0], PENDING, **{Attr.REPLACES: ID})
    with pytest.raises(WorkFailed, match="changed hands meanwhile: nothing was done"):
        reopener(world).reopen(found)
    assert world.statuses()["0.ndjson"] == PENDING


@pytest.mark.parametrize(
    ("manifest_id", "kind", "problem"),
    [
        ("nope", UsageError, "There is no manifest nope in s3://"),
        ("../x", UsageError, "is no id of a manifest"),
        ("abandoned", WorkFailed, "ended abandoned and has no output: its files are failed, 'ndjctl redrive failed"),
    ],
)
def test_manifests_that_are_none(world: RedriveWorld, manifest_id: str, kind: Any, problem: str) -> None:
    world.put_manifest("abandoned")
    world.closed_manifest("abandoned", contracts.ABANDONED)
    with pytest.raises(kind, match=problem):
        finder(world).look(manifest_id)


def test_a_manifest_that_the_ledger_has_forgotten(world: RedriveWorld) -> None:
    files = [world.put_object(f"{number}.ndjson") for number in range(4)]
    world.put_manifest("forgotten", *files)
    world.s3.put_object(Bucket=NAMES.input_bucket, Key=files[2].key, Body=b"newer\n")
    report = {
        "format": contracts.REPORT_FORMAT,
        "version": contracts.REPORT_VERSION,
        "files": [
            {"key": file.key, "status": status}
            for file, status in zip(files, (COMPLETED, COMPLETED, COMPLETED, FAILED), strict=True)
        ],
    }
    place = {"Bucket": NAMES.manifest_bucket, "Key": contracts.report_key(DAY, "forgotten")}
    world.s3.put_object(**place, Body=json.dumps(report).encode())
    found = finder(world).look("forgotten")
    assert [each.file.key for each in found.included] == ["0.ndjson", "1.ndjson"]
    assert found.left_out == [("3.ndjson", "neither the ledger nor the run's report says that it was converted")]
    assert found.refused == [("2.ndjson", "unknown")]
    assert "'ndjctl backfill --prefix 2.ndjson' first" in refusal(
        "forgotten", found.refused, lambda *words: " ".join(("ndjctl", *words))
    )
    world.s3.put_object(Bucket=NAMES.input_bucket, Key=files[2].key, Body=b'{"a":1}\n')
    reopener(world).reopen(finder(world).look("forgotten"))
    item = open_item(world, "forgotten")
    assert item is not None
    assert (item[Attr.STATE], item[Attr.FILE_COUNT], Attr.PARTS in item) == (READY, 3, False)
    assert world.statuses() == dict.fromkeys(("0.ndjson", "1.ndjson", "2.ndjson"), MANIFESTED)
    entered = world.item("0.ndjson")
    assert (entered[Attr.BATCH_ID], entered[Attr.ETAG], entered[Attr.SIZE_BYTES]) == ("forgotten", files[0].etag, 8)


@pytest.mark.parametrize("garbage", [None, b"garbage", b'{"format": "ndjctl.manifest"}'])
def test_one_whose_object_is_gone_or_damaged_gets_it_back_first(world: RedriveWorld, garbage: bytes | None) -> None:
    files = finished(world)
    was, place = lose(world, garbage), object_of(ID)
    list_files(world, files)
    found = finder(world).look(ID)
    assert [each.file for each in found.included] == files
    assert found.fault == "gone" if garbage is None else found.fault.startswith("damaged (it ")
    reopener(world).reopen(found)
    written = Manifest.from_json(world.s3.get_object(**place)["Body"].read(), "there")
    assert (written.files, written.date, written.manifest_id) == (was.files, DAY, ID)
    assert written.created_at == f"{DAY}T10:00:00.000Z"
    assert open_item(world) is not None


def test_without_its_list_either_it_is_told_how_to_go_on(world: RedriveWorld) -> None:
    finished(world)
    lose(world, None)
    with pytest.raises(WorkFailed, match="is gone, and the ledger has no list of its files any more: put the object"):
        finder(world).look(ID)
    world.put_manifest("forgotten")
    world.s3.put_object(**object_of("forgotten"), Body=b"garbage")
    with pytest.raises(WorkFailed, match=r"is damaged \(.*, and the ledger has no list of its files any more"):
        finder(world).look("forgotten")


def test_an_object_that_is_back_meanwhile_stays(world: RedriveWorld) -> None:
    files = finished(world)
    lose(world, None)
    list_files(world, files)
    found = finder(world).look(ID)
    world.put_manifest(ID, *files[:2])
    with pytest.raises(WorkFailed, match="was changed meanwhile: nothing was done"):
        reopener(world).reopen(found)
    assert open_item(world) is None
    assert Manifest.from_json(world.s3.get_object(**object_of(ID))["Body"].read(), "there").files == tuple(files[:2])


def test_more_files_than_a_transaction_takes_and_a_run_that_is_quicker(world: RedriveWorld) -> None:
    finished(world, 120)
    found = finder(world).look(ID)
    late = found.included[110].entry
    assert late is not None
    # The run has it already: it was made completed again, at another time.
    world.put(world.item(late.key) | {Attr.COMPLETED_AT: f"{DAY}T15:00:00.000Z"})
    reopener(world).reopen(found)
    statuses = world.statuses()
    assert statuses.pop(late.key) == COMPLETED
    assert set(statuses.values()) == {MANIFESTED}


def test_nothing_is_done_when_anything_changed_meanwhile(world: RedriveWorld) -> None:
    files = finished(world)
    found = finder(world).look(ID)
    world.track(files[1], PENDING, **{Attr.REPLACES: ID})
    before = world.statuses()
    with pytest.raises(WorkFailed, match="changed hands meanwhile: nothing was done"):
        reopener(world).reopen(found)
    assert world.statuses() == before
    assert open_item(world) is None
    assert world.tracking.closed_manifest(DAY, ID) is not None


def test_a_run_that_is_replacing_rows_in_its_parts_keeps_it_closed(world: RedriveWorld) -> None:
    finished(world)
    world.put({**contracts.rewrite_lock_key(ID), Attr.HOLDER: "jr_9"})
    world.run_states["jr_9"] = "RUNNING"
    with pytest.raises(WorkFailed, match=f"The run jr_9 is replacing rows in the parts of manifest {ID}"):
        reopener(world).reopen(finder(world).look(ID))
    assert open_item(world) is None
    world.run_states["jr_9"] = "STOPPED"
    reopener(world).reopen(finder(world).look(ID))
    assert open_item(world) is not None
    assert world.tracking.get(contracts.rewrite_lock_key(ID)) is None
