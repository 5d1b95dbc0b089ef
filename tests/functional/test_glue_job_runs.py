"""Attempts, faults and owners: what stays true when a run is not the only one, or not the first."""

from __future__ import annotations

import io
import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from glue_job import driver as driver_module
from glue_job import main as main_module
from glue_job.convert import convert_part
from glue_job.main import JobFailed, main
from glue_job.s3_store import S3Store
from ndjctl import contracts
from ndjctl.contracts import OPEN_MANIFESTS_PARTITION, Attr
from tests.glue_world import DATE, INPUT, MANIFESTS, OUTPUT, QUARANTINE, World, glue_world

BAD_LINES = contracts.bad_lines_key(DATE, "m1", 0)
KEYS = [contracts.part_key(DATE, "m1", number) for number in range(9)]


@pytest.fixture
def world() -> Iterator[World]:
    with glue_world() as made:
        yield made


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 64 bytes of input instead of about a gigabyte."""
    monkeypatch.setattr(driver_module, "count_parts", lambda text_bytes, *_: -(-text_bytes // 64))


def numbered(first: int, count: int) -> bytes:
    return b"".join(json.dumps({"n": number, "pad": "xxxx"}).encode() + b"\n" for number in range(first, first + count))


def numbers(world: World) -> list[int]:
    return [row["n"] for row in world.rows()]


# ------------------------------------------------------------------------------------------------ one manifest again


def test_a_finished_run_leaves_its_manifest_closed(world: World, small_parts: None) -> None:
    manifest = world.manifest_of(numbered(0, 20))
    assert world.run(manifest) == 0
    assert numbers(world) == list(range(20))
    assert len(world.keys(OUTPUT)) == 8
    assert world.open_item(manifest) is None
    closed = world.closed_item(manifest)
    assert closed is not None
    assert (closed[Attr.STATE], closed["kept"], closed[Attr.RUN_ID]) == (contracts.DONE, "as it was", "jr_1")
    assert closed[Attr.TTL] > 1_790_000_000

    before = world.s3.list_objects_v2(Bucket=OUTPUT)["Contents"]
    assert world.run(manifest, run_id="jr_2") == 0
    assert world.s3.list_objects_v2(Bucket=OUTPUT)["Contents"] == before


def test_a_second_attempt_overwrites_what_a_dead_one_left(world: World, small_parts: None) -> None:
    manifest = world.manifest_of(numbered(0, 20) + b"bad\n")

    def die(task: Any) -> None:
        if task.number == 5:
            raise SystemExit("killed")

    world.before_part = die
    with pytest.raises(SystemExit):
        world.run(manifest, run_id="jr_1")
    assert world.keys(OUTPUT) == []
    assert len(world.s3.list_multipart_uploads(Bucket=OUTPUT)["Uploads"]) == 5
    assert world.file_item(manifest.files[0])["status"] == contracts.PROCESSING
    world.s3.put_object(Bucket=OUTPUT, Key=contracts.part_key(DATE, "m1", 99), Body=b"of another plan")
    world.s3.put_object(Bucket=QUARANTINE, Key=contracts.bad_lines_key(DATE, "m1", 3), Body=b"{}")
    world.s3.create_multipart_upload(Bucket=QUARANTINE, Key=contracts.bad_lines_key(DATE, "m1", 0))
    other = world.s3.create_multipart_upload(Bucket=OUTPUT, Key=contracts.part_key(DATE, "m2", 0))["Key"]
    world.s3.put_object(Bucket=OUTPUT, Key=contracts.part_key(DATE, "m11", 0), Body=b"another manifest's")

    world.before_part = lambda _task: None
    assert world.run(manifest, run_id="jr_1_attempt_1") == 0
    found = [key for key in world.keys(OUTPUT) if "part-m1-" in key]
    assert found == KEYS[:8]
    assert contracts.part_key(DATE, "m11", 0) in world.keys(OUTPUT)
    world.s3.delete_object(Bucket=OUTPUT, Key=contracts.part_key(DATE, "m11", 0))
    assert numbers(world) == list(range(20))
    assert world.keys(QUARANTINE) == [contracts.bad_lines_key(DATE, "m1", 7)]
    assert [upload["Key"] for upload in world.s3.list_multipart_uploads(Bucket=OUTPUT)["Uploads"]] == [other]
    assert world.s3.list_multipart_uploads(Bucket=QUARANTINE).get("Uploads", []) == []
    assert world.file_item(manifest.files[0])["run_id"] == "jr_1_attempt_1"


def test_an_attempt_that_died_after_completing_files_is_done_again_whole(world: World) -> None:
    manifest = world.manifest_of(numbered(0, 3), numbered(3, 3))
    world.put_item(DATE, manifest.files[0].key, {Attr.STATUS: contracts.COMPLETED, Attr.BATCH_ID: "m1"})
    assert world.run(manifest) == 0
    assert numbers(world) == [0, 1, 2, 3, 4, 5]
    assert world.report(manifest)["totals"]["files_completed"] == 2


# ------------------------------------------------------------------------------------------------ files that change


def test_a_file_deleted_or_changed_before_the_run_fails_and_the_others_complete(world: World) -> None:
    manifest = world.manifest_of(numbered(0, 3), numbered(3, 3), numbered(6, 3), b"")
    world.s3.put_object(Bucket=INPUT, Key=manifest.files[0].key, Body=numbered(100, 3))
    world.s3.delete_object(Bucket=INPUT, Key=manifest.files[2].key)
    world.s3.delete_object(Bucket=INPUT, Key=manifest.files[3].key)
    assert world.run(manifest) == 0
    assert numbers(world) == [3, 4, 5]
    items = [world.file_item(file) for file in manifest.files]
    assert [item["status"] for item in items] == ["failed", "completed", "failed", "failed"]
    assert items[0]["error"].endswith("it was overwritten after its manifest was made (its ETag is another)")
    assert items[2]["error"] == f"{manifest.files[2].uri}: it is no longer there"
    assert world.report(manifest)["totals"]["files_failed"] == 3
    assert world.counter("files_failed") == 3
    assert world.open_item(manifest) is None


@pytest.mark.parametrize("change", ["overwritten", "deleted"])
def test_a_file_that_changes_under_way_leaves_no_row_in_any_part(world: World, small_parts: None, change: str) -> None:
    manifest = world.manifest_of(numbered(0, 3), numbered(10, 20) + b"bad\n", numbered(40, 2), numbered(50, 2))
    converted: list[int] = []

    def interfere(task: Any) -> None:
        converted.append(task.number)
        if task.number == 4 and len(converted) < 8:  # the file's second half is still to be read
            if change == "deleted":
                world.s3.delete_object(Bucket=INPUT, Key=manifest.files[1].key)
            else:
                world.s3.put_object(Bucket=INPUT, Key=manifest.files[1].key, Body=numbered(200, 20) + b"bad\n")

    world.before_part = interfere
    assert world.run(manifest) == 0
    assert sorted(numbers(world)) == [0, 1, 2, 40, 41, 50, 51]
    assert world.bad_lines() == []
    statuses = [world.file_item(file)["status"] for file in manifest.files]
    assert statuses == ["completed", "failed", "completed", "completed"]
    assert len(world.keys(OUTPUT)) == len(set(converted))
    assert world.report(manifest)["files"][1]["rows"] is None


def test_two_files_that_vanish_under_way_take_one_more_round(world: World) -> None:
    manifest = world.manifest_of(numbered(0, 3), numbered(3, 3), numbered(6, 3))
    calls: list[int] = []

    def interfere(task: Any) -> None:
        calls.append(task.number)
        for file in manifest.files[:2]:
            world.s3.delete_object(Bucket=INPUT, Key=file.key)

    world.before_part = interfere
    assert world.run(manifest) == 0
    assert numbers(world) == [6, 7, 8]
    assert len(calls) == 2


# ------------------------------------------------------------------------------------------------ owners


def test_a_live_run_keeps_its_manifest(world: World) -> None:
    manifest = world.manifest_of(numbered(0, 3))
    item = {Attr.STATE: contracts.RUNNING, Attr.RUN_ID: "jr_other"}
    world.put_item(OPEN_MANIFESTS_PARTITION, contracts.manifest_item_key("m1"), item)
    before = world.open_item(manifest)
    for state in ("STARTING", "RUNNING", "STOPPING", "WAITING"):
        world.run_states["jr_other"] = state
        assert world.run(manifest) == 0
    assert world.open_item(manifest) == before
    assert world.keys(OUTPUT) == []
    assert world.file_item(manifest.files[0])["status"] == contracts.MANIFESTED
    assert "manifest" in world.events()


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED", "ERROR", "EXPIRED", None])
def test_a_manifest_of_an_ended_run_is_taken_over(world: World, state: str | None) -> None:
    manifest = world.manifest_of(numbered(0, 3))
    item = {Attr.STATE: contracts.RUNNING, Attr.RUN_ID: "jr_other"}
    world.put_item(OPEN_MANIFESTS_PARTITION, contracts.manifest_item_key("m1"), item)
    world.put_item(DATE, manifest.files[0].key, {Attr.STATUS: contracts.PROCESSING, Attr.BATCH_ID: "m1"})
    if state is not None:
        world.run_states["jr_other"] = state
    assert world.run(manifest) == 0
    assert numbers(world) == [0, 1, 2]
    closed = world.closed_item(manifest)
    assert closed is not None
    assert closed[Attr.RUN_ID] == "jr_1"


def test_attempts_of_one_run_do_not_ask_for_each_other(world: World) -> None:
    manifest = world.manifest_of(numbered(0, 3))
    item = {Attr.STATE: contracts.RUNNING, Attr.RUN_ID: "jr_9_attempt_1"}
    world.put_item(OPEN_MANIFESTS_PARTITION, contracts.manifest_item_key("m1"), item)
    world.run_states["jr_9_attempt_1"] = "RUNNING"
    assert world.run(manifest, run_id="jr_9_attempt_2") == 0
    assert numbers(world) == [0, 1, 2]


def test_the_lambda_s_late_note_of_the_same_run_does_not_matter(world: World) -> None:
    manifest = world.manifest_of(numbered(0, 3))
    item = {Attr.STATE: contracts.STARTED, Attr.RUN_ID: "jr_1"}
    world.put_item(OPEN_MANIFESTS_PARTITION, contracts.manifest_item_key("m1"), item)
    assert world.run(manifest) == 0
    assert numbers(world) == [0, 1, 2]


def test_a_manifest_that_is_not_ready_is_refused(world: World) -> None:
    manifest = world.manifest_of(numbered(0, 3))
    world.put_item(OPEN_MANIFESTS_PARTITION, contracts.manifest_item_key("m1"), {Attr.STATE: contracts.CLAIMING})
    with pytest.raises(JobFailed, match="m1 is not ready to run: its state is claiming"):
        world.run(manifest)
    world.put_item(OPEN_MANIFESTS_PARTITION, contracts.manifest_item_key("m1"), {Attr.STATE: contracts.ABANDONED})
    assert world.run(manifest) == 0
    assert world.keys(OUTPUT) == []


def test_files_of_others_are_not_touched(world: World) -> None:
    manifest = world.manifest_of(numbered(0, 1), numbered(1, 1), numbered(2, 1), numbered(3, 1), numbered(4, 1))
    files = manifest.files
    world.dynamodb.delete_item(
        TableName="tracking", Key={Attr.DATE_PREFIX: {"S": DATE}, Attr.FILE_KEY: {"S": files[0].key}}
    )
    others = [
        {Attr.STATUS: contracts.MANIFESTED, Attr.BATCH_ID: "m2"},
        {Attr.STATUS: contracts.PENDING},
        {Attr.STATUS: contracts.FAILED, Attr.BATCH_ID: "m1", Attr.ERROR: "gone at the first attempt"},
    ]
    for file, attributes in zip(files[1:4], others, strict=True):
        world.put_item(DATE, file.key, attributes)
    before = [world.item(DATE, file.key) for file in files[:4]]
    assert world.run(manifest) == 0
    assert numbers(world) == [4]
    assert [world.item(DATE, file.key) for file in files[:4]] == before
    report = world.report(manifest)
    assert [file["status"] for file in report["files"]] == ["refused"] * 4 + ["completed"]
    reasons = [file["error"].partition(": ")[2] for file in report["files"][:4]]
    assert reasons == [
        "the ledger has no item of it",
        "the ledger has it under another manifest (m2)",
        "the ledger has it under another manifest (none)",
        "its status is already failed (gone at the first attempt)",
    ]


def test_a_file_taken_away_during_the_run_is_never_called_completed(world: World) -> None:
    manifest = world.manifest_of(numbered(0, 3), numbered(3, 3))

    def interfere(_task: Any) -> None:
        attributes = {Attr.STATUS: contracts.MANIFESTED, Attr.BATCH_ID: "m2"}
        world.put_item(DATE, manifest.files[0].key, attributes)

    world.before_part = interfere
    with pytest.raises(JobFailed, match=r"1 files were taken from this run before it ended, .*a\.ndjson first"):
        world.run(manifest)
    assert world.file_item(manifest.files[0])["batch_id"] == "m2"
    assert world.open_item(manifest) is not None
    world.before_part = lambda _task: None
    assert world.run(manifest, run_id="jr_1_attempt_1") == 0
    assert numbers(world) == [3, 4, 5]


def test_a_run_whose_manifest_was_taken_over_does_not_finish_it(world: World) -> None:
    manifest = world.manifest_of(numbered(0, 3))

    def interfere(_task: Any) -> None:
        item = {Attr.STATE: contracts.RUNNING, Attr.RUN_ID: "jr_2"}
        world.put_item(OPEN_MANIFESTS_PARTITION, contracts.manifest_item_key("m1"), item)
        attributes = {Attr.STATUS: contracts.PROCESSING, Attr.BATCH_ID: "m1", Attr.RUN_ID: "jr_2"}
        world.put_item(DATE, manifest.files[0].key, attributes)

    world.before_part = interfere
    with pytest.raises(JobFailed, match="taken from this run"):
        world.run(manifest)
    item = world.open_item(manifest)
    assert item is not None
    assert item[Attr.RUN_ID] == "jr_2"
    assert world.file_item(manifest.files[0])["status"] == contracts.PROCESSING
    assert world.keys(OUTPUT) == []
    assert world.s3.list_multipart_uploads(Bucket=OUTPUT).get("Uploads", []) == []


# ------------------------------------------------------------------------------------------------ runs that fail


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda s3: s3.delete_object(Bucket=OUTPUT, Key=KEYS[0]), "cannot be read back: NoSuchKey"),
        (lambda s3: s3.put_object(Bucket=OUTPUT, Key=KEYS[0], Body=b"x" * 99), "cannot be read back"),
        (lambda s3: drop_a_row(s3, KEYS[0]), "cannot be read back: PreconditionFailed"),
        (lambda s3: s3.delete_object(Bucket=QUARANTINE, Key=BAD_LINES), "cannot be read back: NoSuchKey"),
    ],
)
def test_an_output_that_is_not_what_its_task_reported_fails_the_run(world: World, damage: Any, problem: str) -> None:
    manifest = world.manifest_of(numbered(0, 5) + b"bad\n")
    s3, world.s3 = world.s3, _Damaging(world.s3, damage)
    with pytest.raises(JobFailed, match=problem):
        world.run(manifest)
    assert world.file_item(manifest.files[0])["status"] == contracts.PROCESSING
    assert world.open_item(manifest) is not None
    assert world.keys(OUTPUT) == world.keys(QUARANTINE) == []  # what is not completed is not left to be read
    world.s3 = s3
    assert world.run(manifest, run_id="jr_1_attempt_1") == 0
    assert numbers(world) == [0, 1, 2, 3, 4]


class _Damaging:
    """S3, where something happens right after the first part has become visible."""

    def __init__(self, s3: Any, damage: Any) -> None:
        self._s3 = s3
        self._damage = damage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def complete_multipart_upload(self, **arguments: Any) -> Any:
        answer = self._s3.complete_multipart_upload(**arguments)
        if arguments["Key"] == KEYS[0]:
            self._damage(self._s3)
        return answer


def drop_a_row(s3: Any, key: str) -> None:
    table = pq.read_table(io.BytesIO(s3.get_object(Bucket=OUTPUT, Key=key)["Body"].read()))
    sink = io.BytesIO()
    pq.write_table(table.slice(1), sink)
    s3.put_object(Bucket=OUTPUT, Key=key, Body=sink.getvalue())


def test_a_result_that_counts_a_row_too_many_fails_the_run(world: World) -> None:
    manifest = world.manifest_of(numbered(0, 5))

    def lie(result: Any) -> Any:
        result.rows += 1
        result.slices[0].rows += 1
        result.slices[0].lines += 1
        return result

    world.on_result = lie
    with pytest.raises(JobFailed, match="has 5 rows; its task wrote 6"):
        world.run(manifest)


def test_a_part_that_fails_once_is_tried_again_and_one_that_keeps_failing_fails_the_run(world: World) -> None:
    manifest = world.manifest_of(numbered(0, 3))
    failures = [True]

    def once(result: Any) -> Any:
        if failures:
            failures.pop()
            result.error = "OSError: broken"
        return result

    world.on_result = once
    assert world.run(manifest) == 0
    assert numbers(world) == [0, 1, 2]

    other = world.manifest_of(numbered(0, 3), manifest_id="m2")

    def always(result: Any) -> Any:
        result.error = "OSError: broken"
        return result

    world.on_result = always
    with pytest.raises(JobFailed, match="part 0 failed 3 times, last: OSError: broken"):
        world.run(other)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (None, "cannot be read: NoSuchKey"),
        (b"{}", "is not a document of format ndjctl.manifest"),
        (b'{"format":"ndjctl.manifest","version":9}', "version 9; this program reads 1 to 1"),
    ],
)
def test_a_manifest_that_is_none_fails_the_run(world: World, body: bytes | None, problem: str) -> None:
    manifest = world.manifest_of(numbered(0, 3))
    key = contracts.manifest_key(DATE, "m1")
    world.s3.delete_object(Bucket=MANIFESTS, Key=key)
    if body is not None:
        world.s3.put_object(Bucket=MANIFESTS, Key=key, Body=body)
    with pytest.raises(JobFailed, match=problem):
        world.run(manifest)


def test_a_manifest_cannot_lead_out_of_its_place(world: World) -> None:
    manifest = world.manifest_of(numbered(0, 3))
    document = json.loads(manifest.to_json())
    for change in ({"id": "../x"}, {"date": "2026-11-23/.."}, {"files": document["files"] * 2}):
        body = json.dumps(document | change).encode()
        world.s3.put_object(Bucket=MANIFESTS, Key=contracts.manifest_key(DATE, "m1"), Body=body)
        with pytest.raises(JobFailed, match=r"is no manifest|names a file twice"):
            world.run(manifest)


def test_an_error_of_aws_is_one_line(world: World) -> None:
    manifest = world.manifest_of(numbered(0, 3))
    with pytest.raises(JobFailed) as raised:
        world.run(manifest, TRACKING_TABLE="not-there")
    assert str(raised.value).startswith("AWS: An error occurred (ResourceNotFoundException)")
    assert "\n" not in str(raised.value)


def test_the_script_ends_as_glue_expects_it(monkeypatch: pytest.MonkeyPatch) -> None:
    script = str(Path(main_module.__file__).with_name(contracts.GLUE_SCRIPT))

    def run(ending: Any) -> None:
        monkeypatch.setattr(main_module, "main", ending)
        runpy.run_path(script, run_name="__main__")

    def fails(_argv: list[str]) -> int:
        raise JobFailed("part 3 failed 3 times")

    run(lambda _argv: 0)  # a plain end: Glue takes even SystemExit(0) for a failure
    with pytest.raises(SystemExit, match="2"):
        run(lambda _argv: 2)
    with pytest.raises(JobFailed, match="part 3 failed 3 times"):  # its text becomes the run's ErrorMessage
        run(fails)


def test_arguments_that_cannot_be_used_are_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--JOB_NAME", "j"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("missing job arguments: --MANIFEST_PATH")
    assert error.count("\n") == 1


# ------------------------------------------------------------------------------------------------ second copies


def test_a_straggler_s_second_copy_does_no_harm(world: World, small_parts: None) -> None:
    manifest = world.manifest_of(numbered(0, 20) + b"bad\n")
    store = S3Store(world.s3)
    copies: list[Any] = []

    def run_twice(result: Any) -> Any:
        copies.append(convert_part(copies_of[result.number], store))
        return result

    copies_of: dict[int, Any] = {}
    world.before_part = lambda task: copies_of.setdefault(task.number, task)
    world.on_result = run_twice
    assert world.run(manifest) == 0
    assert numbers(world) == list(range(20))
    # What the copies wrote was never visible, and can no longer become so: there is no upload left to complete.
    assert len(copies) == 8
    for bucket in (OUTPUT, QUARANTINE):
        assert world.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_the_number_of_parts_is_decided_once(world: World) -> None:
    manifest = world.manifest_of(numbered(0, 2_000))

    def die(task: Any) -> None:
        raise SystemExit("killed")

    world.before_part = die
    with pytest.raises(SystemExit):
        world.run(manifest, PART_SIZE_MB="1")
    item = world.open_item(manifest)
    assert item is not None
    assert item[Attr.PARTS] == 1
    item = {Attr.STATE: contracts.RUNNING, Attr.RUN_ID: "jr_1"}
    world.put_item(OPEN_MANIFESTS_PARTITION, contracts.manifest_item_key("m1"), item)
    world.dynamodb.update_item(
        TableName="tracking",
        Key={
            Attr.DATE_PREFIX: {"S": OPEN_MANIFESTS_PARTITION},
            Attr.FILE_KEY: {"S": contracts.manifest_item_key("m1")},
        },
        UpdateExpression="SET parts = :three",
        ExpressionAttributeValues={":three": {"N": "3"}},
    )
    world.before_part = lambda _task: None
    assert world.run(manifest, run_id="jr_1_attempt_1") == 0
    assert world.keys(OUTPUT) == KEYS[:3]
    assert numbers(world) == list(range(2_000))
