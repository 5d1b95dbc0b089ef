"""The pinned schema from one manifest to the next, and what drift does under each policy."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest

from glue_job.infer import Observer
from glue_job.main import JobFailed
from glue_job.pin import Pinned, SchemaStore, put_if_absent
from ndjctl import contracts
from ndjctl.contracts import FormatError
from tests.glue_world import DATE, MANIFESTS, NOW, OUTPUT, QUARANTINE, World, glue_world

LATE = b'{"a":1,"pad":"0123456789"}\n' * 3 + b'{"a":"x","late":[true]}\n' * 2
LATE_PLACES = [
    {"pointer": "/a", "expected": "int64", "found": "string", "values": 2},
    {"pointer": "/late", "expected": None, "found": "list", "values": 2},
]
FIRST_OF_LATE = b'{"a":1,"pad":"0123456789"}\n'
FIRST = b'{"id":1,"user":{"name":"a"},"tags":["x"]}\n'
DRIFTED = b'{"id":"two","user":{"name":"b","age":7},"tags":["y",3],"new":{"deep":[1.5]}}\n'


@pytest.fixture
def world() -> Iterator[World]:
    with glue_world() as made:
        yield made


def observed(*records: dict[str, Any]) -> Observer:
    observer = Observer()
    for record in records:
        observer.add(record)
    return observer


def store(world: World) -> SchemaStore:
    return SchemaStore(world.s3, MANIFESTS, "default", lambda: NOW)


def columns(world: World, manifest_id: str) -> list[str]:
    return pq.read_schema(io.BytesIO(world.body(OUTPUT, contracts.part_key(DATE, manifest_id, 0)))).names


def test_the_first_manifest_pins_its_schema(world: World) -> None:
    world.run(world.manifest_of(FIRST))
    key = contracts.schema_key("default", 1)
    document = json.loads(world.body(MANIFESTS, key))
    assert (document["format"], document["version"], document["schema_version"]) == (contracts.SCHEMA_FORMAT, 1, 1)
    assert document["fields"] == [
        {"name": "id", "type": "int64"},
        {"name": "user", "type": {"struct": [{"name": "name", "type": "string"}]}},
        {"name": "tags", "type": {"list": "string"}},
    ]
    assert document["manifest_id"] == "m1"


def test_add_pins_the_next_version_and_changes_no_column(world: World) -> None:
    world.run(world.manifest_of(FIRST))
    manifest = world.manifest_of(DRIFTED + FIRST, manifest_id="m2")
    assert world.run(manifest) == 0
    assert world.schema_versions() == [contracts.schema_key("default", 1), contracts.schema_key("default", 2)]
    assert columns(world, "m2") == ["id", "user", "tags", "new", "_source_file", "_rescued"]
    row = pq.read_table(io.BytesIO(world.body(OUTPUT, contracts.part_key(DATE, "m2", 0)))).to_pylist()[0]
    assert row["user"] == {"name": "b", "age": 7}
    assert row["new"] == {"deep": [1.5]}
    assert row["tags"] == ["y", None]
    assert json.loads(row["_rescued"]) == {"/id": "two", "/tags/1": 3}
    report = world.report(manifest)
    assert report["schema"] == {"dataset": "default", "version": 2, "previous_version": 1, "next_version": None}
    assert {place["pointer"]: place["values"] for place in report["drift"]["rescued"]["places"]} == {
        "/id": 1,
        "/tags/*": 1,
    }
    assert {place["pointer"] for place in report["drift"]["in_sample"]["places"]} == {
        "/id",
        "/tags/*",
        "/user/age",
        "/new",
    }
    # The same again finds nothing to add.
    world.run(world.manifest_of(DRIFTED, manifest_id="m3"))
    assert len(world.schema_versions()) == 2


def test_rescue_keeps_the_version_and_loses_nothing(world: World) -> None:
    world.run(world.manifest_of(FIRST))
    manifest = world.manifest_of(DRIFTED, manifest_id="m2")
    assert world.run(manifest, ON_DRIFT="rescue") == 0
    assert world.schema_versions() == [contracts.schema_key("default", 1)]
    row = pq.read_table(io.BytesIO(world.body(OUTPUT, contracts.part_key(DATE, "m2", 0)))).to_pylist()[0]
    assert json.loads(row["_rescued"]) == {"/id": "two", "/user/age": 7, "/tags/1": 3, "/new": {"deep": [1.5]}}
    assert world.report(manifest)["totals"]["rescued_values"] == 4


def test_fail_fails_before_anything_is_written(world: World) -> None:
    world.run(world.manifest_of(FIRST))
    manifest = world.manifest_of(FIRST, DRIFTED, manifest_id="m2")
    with pytest.raises(JobFailed) as raised:
        world.run(manifest, ON_DRIFT="fail")
    assert str(raised.value).startswith("schema drift: 4 places do not fit schema default version 1: ")
    assert "/user/age (new field, 1 value)" in str(raised.value)
    assert "no output was made visible" in str(raised.value)
    assert [key for key in world.keys(OUTPUT) if "m2" in key] == []
    items = [world.file_item(file) for file in manifest.files]
    assert [item["status"] for item in items] == ["failed", "failed"]
    assert items[0]["error"].startswith("schema drift: 4 places")
    assert world.report(manifest)["error"].startswith("schema drift")
    assert world.open_item(manifest) is None
    assert world.run(manifest, run_id="jr_1_attempt_1", ON_DRIFT="fail") == 0  # Glue's own retry finds it closed
    # Without drift `fail` is like the others.
    assert world.run(world.manifest_of(FIRST, manifest_id="m3"), ON_DRIFT="fail") == 0


def test_drift_beyond_the_sample_is_rescued_and_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glue_job.sample.FILE_BYTES", 20)
    monkeypatch.setattr("glue_job.sample.LEAST_FILE_BYTES", 20)
    first = world.manifest_of(LATE, manifest_id="m1")
    assert world.run(first, ON_DRIFT="rescue") == 0
    assert world.report(first)["drift"]["rescued"]["places"] == LATE_PLACES
    assert len(world.schema_versions()) == 1

    # `add` cannot add what it meets only while writing; the next manifest has the column.
    second = world.manifest_of(LATE, manifest_id="m2")
    assert world.run(second, ON_DRIFT="add") == 0
    assert world.report(second)["drift"]["rescued"]["places"] == LATE_PLACES
    assert world.report(second)["schema"] | {"dataset": ""} == {
        "dataset": "",
        "version": 1,
        "previous_version": 1,
        "next_version": 2,
    }
    third = world.manifest_of(LATE, manifest_id="m3")
    assert world.run(third, ON_DRIFT="add") == 0
    assert columns(world, "m3") == ["a", "pad", "late", "_source_file", "_rescued"]
    assert [row["late"] for row in world.rows()[-2:]] == [[True], [True]]
    assert [place["pointer"] for place in world.report(third)["drift"]["rescued"]["places"]] == ["/a"]
    assert world.report(third)["schema"]["next_version"] is None
    assert len(world.schema_versions()) == 2


def test_fail_shows_nothing_of_a_manifest_whose_drift_comes_late(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glue_job.sample.FILE_BYTES", 20)
    monkeypatch.setattr("glue_job.sample.LEAST_FILE_BYTES", 20)
    world.run(world.manifest_of(FIRST_OF_LATE, manifest_id="m1"))
    seen: list[list[str]] = []
    world.after_parts = lambda: seen.append(world.keys(OUTPUT))
    manifest = world.manifest_of(FIRST_OF_LATE, LATE + b"bad\n", manifest_id="m2")
    with pytest.raises(
        JobFailed, match=r"2 places do not fit schema default version 1: /a \(string in int64, 2 values"
    ):
        world.run(manifest, ON_DRIFT="fail")
    assert seen == [[contracts.part_key(DATE, "m1", 0)]]  # not even while it was writing
    assert world.keys(OUTPUT) == seen[0]
    assert world.keys(QUARANTINE) == []
    for bucket in (OUTPUT, QUARANTINE):
        assert world.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
    assert [world.file_item(file)["status"] for file in manifest.files] == ["failed", "failed"]


def test_drift_in_one_file_of_a_hundred_is_registered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glue_job.sample.FILE_BYTES", 20)
    monkeypatch.setattr("glue_job.sample.LEAST_FILE_BYTES", 20)
    world.slots = 7
    bodies = [b'{"a":%d,"pad":"0123456789"}\n' % n * 40 for n in range(100)]
    bodies[63] += b'{"a":63,"pad":"","extra":{"x":1.5,"y":[null]}}\n'
    files = [world.put_file(f"many/{n:03d}.ndjson", body) for n, body in enumerate(bodies)]
    manifest = world.put_manifest(files)
    assert world.run(manifest, ON_DRIFT="add") == 0
    report = world.report(manifest)
    assert (report["totals"]["rows"], report["totals"]["rescued_values"]) == (4_001, 1)
    assert (report["schema"]["version"], report["schema"]["next_version"]) == (1, 2)
    latest = store(world).latest()
    assert [field.name for field in latest.root.fields] == ["a", "pad", "extra"]
    (row,) = [row for row in world.rows() if row["_rescued"] is not None]
    assert (row["a"], json.loads(row["_rescued"])) == (63, {"/extra": {"x": 1.5, "y": [None]}})


def test_a_first_line_longer_than_the_sample_is_still_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glue_job.sample.FILE_BYTES", 20)
    monkeypatch.setattr("glue_job.sample.LEAST_FILE_BYTES", 20)
    world.run(world.manifest_of(b'{"a":"' + b"x" * 1_000 + b'","b":1}\n{"c":1}\n'))
    assert columns(world, "m1")[:2] == ["a", "b"]


def test_many_files_are_sampled_in_the_order_of_the_manifest(world: World) -> None:
    files = [world.put_file(f"many/{n:03d}.ndjson", b'{"c%d":1}\n{"z":1}\n' % n) for n in range(80)]
    manifest = world.put_manifest(files)
    assert world.run(manifest) == 0
    assert columns(world, "m1")[:3] == ["c0", "z", "c1"]
    assert columns(world, "m1")[80] == "c79"
    assert world.report(manifest)["totals"]["rows"] == 160


def test_datasets_have_schemas_of_their_own(world: World) -> None:
    world.run(world.manifest_of(FIRST), DATASET="one")
    world.run(world.manifest_of(b'{"id":"x"}\n', manifest_id="m2"), DATASET="one-more")
    assert world.schema_versions() == [contracts.schema_key("one-more", 1), contracts.schema_key("one", 1)]


def test_two_runs_that_add_at_once_agree(world: World) -> None:
    one, other = store(world), store(world)
    assert one.latest() == Pinned.nothing()
    one.extend(observed({"a": 1}), "m1", may_add=True)
    real = one.pin
    raced: list[Pinned] = []

    def pin(pinned: Pinned, manifest_id: str) -> bool:
        if not raced:  # the other run is quicker, once
            raced.append(other.extend(observed({"c": "x", "b": True}), "m2", may_add=True))
        return real(pinned, manifest_id)

    one.pin = pin  # type: ignore[method-assign]
    latest = one.extend(observed({"b": 1, "d": 1.5}), "m1", may_add=True)
    assert latest.version == 3
    assert [field.name for field in latest.root.fields] == ["a", "c", "b", "d"]
    assert [field.name for field in raced[0].root.fields] == ["a", "c", "b"]
    assert other.latest() == latest


def test_who_loses_the_first_pin_without_the_right_to_add_uses_the_winner_s(world: World) -> None:
    one, other = store(world), store(world)
    real = one.pin

    def pin(pinned: Pinned, manifest_id: str) -> bool:
        other.extend(observed({"a": 1}), "m2", may_add=False)
        return real(pinned, manifest_id)

    one.pin = pin  # type: ignore[method-assign]
    latest = one.extend(observed({"b": 1}), "m1", may_add=False)
    assert (latest.version, [field.name for field in latest.root.fields]) == (1, ["a"])


def test_a_boto3_older_than_conditional_writes_makes_them_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    members = world.s3.meta.service_model.operation_model("PutObject").input_shape.members
    monkeypatch.delitem(members, "IfNoneMatch")
    put_if_absent(world.s3, MANIFESTS, "schemas/x", b"1")
    with pytest.raises(world.s3.exceptions.ClientError, match="PreconditionFailed"):
        put_if_absent(world.s3, MANIFESTS, "schemas/x", b"2")
    assert world.body(MANIFESTS, "schemas/x") == b"1"
    world.s3.put_object(Bucket=MANIFESTS, Key="schemas/x", Body=b"3")  # the condition was for those two only


def test_a_stored_schema_of_the_future_is_refused(world: World) -> None:
    world.run(world.manifest_of(FIRST))
    key = contracts.schema_key("default", 2)
    document = json.loads(world.body(MANIFESTS, contracts.schema_key("default", 1)))
    world.s3.put_object(Bucket=MANIFESTS, Key=key, Body=json.dumps(document | {"version": 2}).encode())
    with pytest.raises(FormatError, match="version 2; this program reads 1 to 1: upgrade it"):
        store(world).latest()
    world.s3.put_object(Bucket=MANIFESTS, Key=key, Body=json.dumps(document).encode())
    with pytest.raises(FormatError, match="says that it is version 1"):
        store(world).latest()
