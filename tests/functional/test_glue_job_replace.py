"""An overwritten file that was converted before: its new rows take the place of exactly its old ones."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest

from glue_job import driver as driver_module
from glue_job import rewrite
from glue_job.main import JobFailed
from ndjctl import contracts
from ndjctl.contracts import (
    MANIFEST_MARK,
    OPEN_MANIFESTS_PARTITION,
    RUN_MARK,
    SOURCE_COLUMN,
    Attr,
    Manifest,
    ManifestFile,
    split_s3_uri,
)
from tests.glue_world import DATE, OUTPUT, QUARANTINE, World, glue_world


@pytest.fixture
def world() -> Iterator[World]:
    with glue_world() as made:
        yield made


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 200 bytes of input."""
    monkeypatch.setattr(driver_module, "count_parts", lambda text_bytes, *_: max(1, -(-text_bytes // 200)))


def lines(first: int, count: int, **more: Any) -> bytes:
    rows = ({"n": n, "tags": [{"k": str(n)}], **more} for n in range(first, first + count))
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


OLD = {"a": b"bad a\n" + lines(0, 10), "b": lines(100, 12) + b"bad b\n", "c": lines(200, 10)}
NEW_B = lines(500, 7, extra="x") + b"worse b\n"


def converted(world: World) -> Manifest:
    """Three files in one manifest, converted."""
    manifest = world.manifest_of(*OLD.values(), manifest_id="m1")
    assert world.run(manifest, run_id="jr_0") == 0
    assert len(world.keys(OUTPUT)) >= 4
    return manifest


def overwritten(world: World, old: Manifest, manifest_id: str = "m2", body: bytes = NEW_B) -> Manifest:
    """The manifest of file b's newer version, as the function makes it after `reprocess`."""
    file = with_replaces(world.put_file(old.files[1].key, body), "m1")
    manifest = world.put_manifest([file], manifest_id)
    replaces = {Attr.STATUS: contracts.MANIFESTED, Attr.BATCH_ID: manifest_id, Attr.REPLACES: "m1"}
    world.put_item(DATE, file.key, replaces)
    return manifest


def numbers(world: World) -> list[int]:
    return sorted(row["n"] for row in world.rows())


def expected() -> list[int]:
    return sorted([*range(10), *range(200, 210), *range(500, 507)])


def check_replaced(world: World) -> None:
    assert numbers(world) == expected()
    assert sorted(contracts.bad_line_bytes(bad) for bad in world.bad_lines()) == [b"bad a", b"worse b"]
    assert world.s3.list_multipart_uploads(Bucket=OUTPUT).get("Uploads", []) == []
    assert world.s3.list_multipart_uploads(Bucket=QUARANTINE).get("Uploads", []) == []


def part_bodies(world: World, manifest_id: str) -> dict[str, bytes]:
    keys = [key for key in world.keys(OUTPUT) if key.startswith(contracts.part_prefix(DATE, manifest_id))]
    return {key: world.body(OUTPUT, key) for key in keys}


def lock(world: World, manifest_id: str = "m1") -> dict[str, Any] | None:
    return world.item(*contracts.rewrite_lock_key(manifest_id).values())


def test_the_new_rows_take_the_place_of_exactly_the_old_ones(world: World) -> None:
    old = converted(world)
    before = part_bodies(world, "m1")
    untouched = {key for key, body in before.items() if old.files[1].uri not in sources_of(body)}
    assert untouched and len(untouched) < len(before)
    new = overwritten(world, old)
    assert world.run(new, run_id="jr_2") == 0
    check_replaced(world)

    after = part_bodies(world, "m1")
    assert after.keys() == before.keys()
    for key, body in after.items():
        if key in untouched:
            assert body == before[key]
        else:
            check_rewritten(before[key], body, old.files[1].uri)
    assert any(pq.read_metadata(io.BytesIO(body)).num_rows == 0 for body in after.values())  # held nothing else
    item = world.file_item(new.files[0])
    assert item[Attr.STATUS] == contracts.COMPLETED
    assert Attr.REPLACES not in item
    (told,) = world.report(new)["replaced"]
    assert (told["manifest_id"], told["rows"], told["bad_lines"], told["is_open"]) == ("m1", 12, 1, False)
    assert {part["key"] for part in told["parts"]} == before.keys() - untouched
    assert lock(world) is None
    check_on_record(world, new, {"jr_2"})
    # Again, as after `reprocess --manifest`: the report is written anew, and what the first run did stays in it.
    running = {Attr.STATE: contracts.RUNNING, Attr.RUN_ID: "jr_3", Attr.DATE: DATE}
    world.put_item(OPEN_MANIFESTS_PARTITION, contracts.manifest_item_key("m2"), running)
    world.put_item(DATE, new.files[0].key, {Attr.STATUS: contracts.MANIFESTED, Attr.BATCH_ID: "m2"})
    assert world.run(new, run_id="jr_3") == 0
    assert world.report(new)["run_id"] == "jr_3" and world.report(new)["replaced"][0]["rows"] == 0
    check_on_record(world, new, {"jr_2"})


def check_on_record(world: World, new: Manifest, runs: set[str] | None = None) -> None:
    """Every object of m1 that m2 took something out of is as the report of m2 says. runs: that did it."""
    (replaced,) = world.report(new)["replaced"]
    told = {(each["bucket"], each["key"]): each for each in replaced["objects"]}
    assert runs in (None, {each["by_run"] for each in told.values()})
    for (bucket, key), (by_manifest, by_run) in marks(world).items():
        if not by_manifest:
            assert (bucket, key) not in told
            continue
        head = world.s3.head_object(Bucket=bucket, Key=key)
        record = told.pop((bucket, key))
        assert (by_manifest, by_run) == ("m2", record["by_run"])
        assert (head["ETag"].strip('"'), head["ContentLength"]) == (record["etag"], record["size_bytes"])
    assert told == {}


def marks(world: World) -> dict[tuple[str, str], tuple[str, str]]:
    """(manifest that took something out, run that wrote it) of every object of m1."""
    found = {}
    for key in world.keys(QUARANTINE):
        kept = world.s3.head_object(Bucket=QUARANTINE, Key=key)["Metadata"]
        found[QUARANTINE, key] = kept.get(MANIFEST_MARK, ""), kept.get(RUN_MARK, "")
    for key in world.keys(OUTPUT):
        about = metadata_of(pq.ParquetFile(io.BytesIO(world.body(OUTPUT, key))))
        note = (about.get("removed") or [{}])[-1]
        found[OUTPUT, key] = note.get("by_manifest", ""), note.get("by_run", about["run_id"])
    return {(bucket, key): mark for (bucket, key), mark in found.items() if "-m1-" in key}


def test_a_report_says_what_each_object_was_when_it_was_written(world: World) -> None:
    told = world.report(converted(world))["parts"]
    for kind in ("", "bad_lines_"):
        written = [part for part in told if part[f"{kind}uri"]]
        assert written
        for part in written:
            bucket, key = split_s3_uri(part[f"{kind}uri"])
            head = world.s3.head_object(Bucket=bucket, Key=key)
            assert (part[f"{kind}etag"], part[f"{kind}size_bytes"]) == (head["ETag"].strip('"'), head["ContentLength"])
            assert sum(part[f"{kind}etag_part_bytes"]) == part[f"{kind}size_bytes"]
    assert {part["bad_lines_etag"] for part in told if not part["bad_lines"]} == {None}
    assert set(marks(world).values()) == {("", "jr_0")}


def sources_of(body: bytes) -> set[str]:
    return set(pq.read_table(io.BytesIO(body)).column(SOURCE_COLUMN).to_pylist())


def check_rewritten(before: bytes, after: bytes, uri: str) -> None:
    old, new = pq.ParquetFile(io.BytesIO(before)), pq.ParquetFile(io.BytesIO(after))
    rows = [row for row in old.read().to_pylist() if row[SOURCE_COLUMN] != uri]
    assert new.read().to_pylist() == rows
    assert new.schema_arrow.equals(old.schema_arrow)
    assert new.schema.equals(old.schema)
    told, was = metadata_of(new), metadata_of(old)
    (note,) = told.pop("removed")
    assert told == was
    assert note == {
        "by_manifest": "m2",
        "by_run": "jr_2",
        "files": 1,
        "sources": [uri],
        "rows": old.metadata.num_rows - len(rows),
    }
    for group in range(new.num_row_groups):
        for index in range(new.metadata.num_columns):
            mine, theirs = new.metadata.row_group(group).column(index), old.metadata.row_group(0).column(index)
            assert mine.compression == theirs.compression == "ZSTD"
            assert mine.has_dictionary_page == theirs.has_dictionary_page
            assert mine.is_stats_set == theirs.is_stats_set


def metadata_of(file: Any) -> dict[str, Any]:
    return dict(json.loads(file.metadata.metadata[contracts.PARQUET_METADATA_KEY.encode()]))


def test_doing_it_again_changes_nothing(world: World) -> None:
    new = overwritten(world, converted(world))
    assert world.run(new) == 0
    before = {bucket: world.s3.list_objects_v2(Bucket=bucket)["Contents"] for bucket in (OUTPUT, QUARANTINE)}
    old_parts = [each for each in before[OUTPUT] if "-m1-" in each["Key"]]
    # The attempt died before it closed its manifest: everything again.
    item = {Attr.STATE: contracts.RUNNING, Attr.RUN_ID: "jr_1", Attr.DATE: DATE}
    world.put_item(OPEN_MANIFESTS_PARTITION, contracts.manifest_item_key("m2"), item)
    assert world.run(new, run_id="jr_1_attempt_1") == 0
    check_replaced(world)
    after = world.s3.list_objects_v2(Bucket=OUTPUT)["Contents"]
    assert [each for each in after if "-m1-" in each["Key"]] == old_parts
    (told,) = world.report(new)["replaced"]
    assert (told["rows"], told["bad_lines"], told["parts"]) == (0, 0, [])
    check_on_record(world, new, {"jr_1"})


class Tap:
    """A client that dies at a call: before it, or after it is done."""

    def __init__(self, client: Any, plan: Plan, name: str) -> None:
        self._client, self._plan, self._name = client, plan, name

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name == "meta":
            return call
        if name == "get_paginator":
            return lambda operation: _Pages(call(operation), self._plan, f"{self._name}.{operation}")
        return lambda **arguments: self._plan.around(f"{self._name}.{name}", lambda: call(**arguments))


class _Pages:
    def __init__(self, paginator: Any, plan: Plan, name: str) -> None:
        self._paginator, self._plan, self._name = paginator, plan, name

    def paginate(self, **arguments: Any) -> Any:
        return self._plan.around(self._name, lambda: list(self._paginator.paginate(**arguments)))


class Death(BaseException):
    """The process is gone."""


class Plan:
    """at: number of the call, from 1, counted from begin() on."""

    def __init__(self, at: int = 0, is_after: bool = False) -> None:
        self.at, self.is_after = at, is_after
        self.calls: list[str] = []
        self.is_counting = self.is_dead = False

    def begin(self) -> None:
        self.is_counting = True

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        if self.is_dead:
            raise Death
        if not self.is_counting:
            return call()
        self.calls.append(name)
        is_mine = len(self.calls) == self.at
        if is_mine and not self.is_after:
            self._die()
        answer = call()
        if is_mine:
            self._die()
        return answer

    def _die(self) -> None:
        self.is_dead = True
        raise Death


def run_with(world: World, manifest: Manifest, plan: Plan, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose calls are counted from the replacing on, in one thread: so their order is always the same."""
    from glue_job import replace

    original = replace.Replacer.replace

    def counted(self: Any, files: Any) -> Any:
        plan.begin()
        return original(self, files)

    real = world.s3, world.dynamodb
    world.s3, world.dynamodb = Tap(world.s3, plan, "s3"), Tap(world.dynamodb, plan, "dynamodb")
    with monkeypatch.context() as patched:
        patched.setattr(replace, "_THREADS", 1)
        patched.setattr(replace.Replacer, "replace", counted)
        try:
            world.run(manifest, run_id=run_id)
        finally:
            world.s3, world.dynamodb = real


class Stage:
    """A world in which the same is played again and again: file b of m1 is overwritten, m2 is to be run."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.old = world.manifest_of(*OLD.values(), manifest_id="m1")
        assert world.run(self.old, run_id="jr_0") == 0
        self._objects = {
            (bucket, key): world.body(bucket, key) for bucket in (OUTPUT, QUARANTINE) for key in world.keys(bucket)
        }

    def set_up(self) -> Manifest:
        world = self.world
        for bucket in (OUTPUT, QUARANTINE):
            for key in world.keys(bucket):
                if (bucket, key) not in self._objects:
                    world.s3.delete_object(Bucket=bucket, Key=key)
        for (bucket, key), body in self._objects.items():
            world.s3.put_object(Bucket=bucket, Key=key, Body=body)
        world.run_states.clear()
        return overwritten(world, self.old)


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_death_before_and_after_every_call_of_the_replacing(
    world: World, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """step: 4 dies at every fourth of them, 1 at all."""
    monkeypatch.setattr(driver_module, "count_parts", lambda text_bytes, *_: max(1, -(-text_bytes // 500)))
    stage = Stage(world)
    plan = Plan()
    run_with(world, stage.set_up(), plan, "jr_1", monkeypatch)
    check_replaced(world)
    calls = plan.calls
    assert {"dynamodb.transact_write_items", "s3.complete_multipart_upload", "s3.delete_object"} <= set(calls)
    # After one call is before the next: the process keeps nothing anywhere else.
    points = [(at, False) for at in range(1, len(calls) + 1)] + [(len(calls), True)]
    for at, is_after in [*points[:-1:step], points[-1]]:
        new = stage.set_up()
        with pytest.raises(Death):
            run_with(world, new, Plan(at, is_after), "jr_1", monkeypatch)
        assert set(numbers(world)) >= {*range(10), *range(200, 210)}, (calls[at - 1], "rows of others are lost")
        world.run_states["jr_1"] = "FAILED"
        assert world.run(new, run_id="jr_2") == 0
        check_replaced(world)
        check_on_record(world, new)
        assert lock(world) is None
        assert world.file_item(new.files[0])[Attr.STATUS] == contracts.COMPLETED
    print(f"{len(points)} points of death in the replacing, every {step}. of them")


def test_a_file_that_fails_keeps_its_old_rows_and_what_it_replaces(world: World) -> None:
    old = converted(world)
    new = overwritten(world, old)
    world.s3.put_object(Bucket="input", Key=old.files[1].key, Body=b"yet another\n")
    assert world.run(new) == 0
    assert [n for n in numbers(world) if 100 <= n < 200] == list(range(100, 112))
    item = world.file_item(new.files[0])
    assert (item[Attr.STATUS], item[Attr.REPLACES]) == (contracts.FAILED, "m1")
    assert world.report(new)["replaced"] == []


def test_one_run_at_a_time_takes_rows_out_of_a_manifest(world: World) -> None:
    new = overwritten(world, converted(world))
    held = {Attr.HOLDER: "jr_other"}
    world.put_item(*contracts.rewrite_lock_key("m1").values(), held)
    world.run_states["jr_other"] = "RUNNING"
    slept: list[float] = []

    def ends_at_last(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            world.run_states["jr_other"] = "STOPPED"

    world.sleep = ends_at_last
    assert world.run(new) == 0
    assert len(slept) == 3
    check_replaced(world)
    assert lock(world) is None


def test_a_lock_that_stays_held_fails_the_run_and_nothing_of_it_is_seen(world: World) -> None:
    new = overwritten(world, converted(world))
    before = part_bodies(world, "m1")
    world.put_item(*contracts.rewrite_lock_key("m1").values(), {Attr.HOLDER: "jr_other"})
    world.run_states["jr_other"] = "RUNNING"
    waited: list[float] = []
    world.sleep = waited.append
    with pytest.raises(JobFailed, match=r"the rows of manifest m1 cannot be replaced: for 900 s another run, jr_other"):
        world.run(new)
    assert sum(waited) == 900
    assert part_bodies(world, "m1") == before
    assert part_bodies(world, "m2") == {}
    found = lock(world)
    assert found is not None and found[Attr.HOLDER] == "jr_other"


def test_a_manifest_that_is_open_is_left_to_its_own_run(world: World) -> None:
    old = converted(world)
    new = overwritten(world, old)
    # As `reprocess --manifest` leaves it: open, and the file is no longer its own.
    item = {Attr.STATE: contracts.READY, Attr.DATE: DATE}
    world.put_item(OPEN_MANIFESTS_PARTITION, contracts.manifest_item_key("m1"), item)
    before = part_bodies(world, "m1")
    assert world.run(new, run_id="jr_2") == 0
    assert part_bodies(world, "m1") == before
    assert [each["is_open"] for each in world.report(new)["replaced"]] == [True]
    assert world.run(old, run_id="jr_3") == 0
    check_replaced(world)


def test_two_older_manifests_and_a_file_without_one(world: World) -> None:
    first = world.manifest_of(lines(0, 5), lines(10, 5), manifest_id="m1")
    second = world.manifest_of(lines(20, 5), lines(30, 5), manifest_id="m2")
    assert world.run(first) == world.run(second) == 0
    files = [
        with_replaces(world.put_file(first.files[0].key, lines(50, 3)), "m1"),
        with_replaces(world.put_file(second.files[1].key, lines(60, 3)), "m2"),
        world.put_file("m3/c.ndjson", lines(70, 3)),
    ]
    third = world.put_manifest(files, "m3")
    assert world.run(third, run_id="jr_3") == 0
    assert numbers(world) == [*range(10, 15), *range(20, 25), *range(50, 53), *range(60, 63), *range(70, 73)]
    assert [(each["manifest_id"], each["rows"]) for each in world.report(third)["replaced"]] == [("m1", 5), ("m2", 5)]


def with_replaces(file: ManifestFile, manifest_id: str) -> ManifestFile:
    return ManifestFile(file.bucket, file.key, file.size_bytes, file.etag, manifest_id)


def test_a_manifest_does_not_replace_itself(world: World) -> None:
    file = with_replaces(world.put_file("a.ndjson", lines(0, 5)), "m1")
    manifest = world.put_manifest([file], "m1")
    with pytest.raises(JobFailed, match="the very manifest that it is part of"):
        world.run(manifest)
    assert world.keys(OUTPUT) == []


def test_a_stray_that_is_no_parquet_is_named(world: World) -> None:
    new = overwritten(world, converted(world))
    stray = contracts.part_key(DATE, "m1", 99)
    world.s3.put_object(Bucket=OUTPUT, Key=stray, Body=b"no Parquet at all")
    with pytest.raises(JobFailed, match=f"s3://output/{stray} cannot be rewritten: ArrowInvalid"):
        world.run(new)
    assert lock(world) is None
    world.s3.delete_object(Bucket=OUTPUT, Key=stray)
    assert world.run(new, run_id="jr_1_attempt_1") == 0
    check_replaced(world)


def test_what_is_written_is_counted_before_it_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    new = overwritten(world, converted(world))
    before = part_bodies(world, "m1")
    honest = rewrite._rest

    def loses_a_row(*arguments: Any) -> Any:
        table = honest(*arguments)
        return table if table is None else table.slice(1)

    monkeypatch.setattr(rewrite, "_rest", loses_a_row)
    with pytest.raises(JobFailed, match=r"without \d+ of \d+ rows was written with \d+"):
        world.run(new)
    assert part_bodies(world, "m1") == before
    assert world.s3.list_multipart_uploads(Bucket=OUTPUT).get("Uploads", []) == []


def test_a_run_whose_manifest_is_taken_meanwhile_touches_nothing_of_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = overwritten(world, converted(world))
    before = part_bodies(world, "m1")
    honest = rewrite._count

    def taken(*arguments: Any) -> int:
        item = {Attr.STATE: contracts.RUNNING, Attr.RUN_ID: "jr_9", Attr.DATE: DATE}
        world.put_item(OPEN_MANIFESTS_PARTITION, contracts.manifest_item_key("m2"), item)
        return honest(*arguments)

    monkeypatch.setattr(rewrite, "_count", taken)
    with pytest.raises(JobFailed, match="manifest m2 was taken from this run"):
        world.run(new)
    assert part_bodies(world, "m1") == before
