"""Reconciliations of an environment on moto, in pages of two: in order, and with one thing wrong at a time."""

from __future__ import annotations

import hashlib
import io
import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from ndjctl.contracts import (
    CLAIMING,
    COMPLETED,
    FAILED,
    MANIFEST_MARK,
    MANIFESTED,
    PENDING,
    PROCESSING,
    QUARANTINED,
    READY,
    RUN_MARK,
    RUNNING,
    STARTED,
    Attr,
    Purge,
    PurgedObject,
    bad_lines_key,
    date_prefix,
    iso_utc,
    part_key,
    report_key,
    split_s3_uri,
)
from ndjctl.errors import WorkFailed
from ndjctl.quarantine.records import QuarantineRecords
from ndjctl.reconcile import strays
from ndjctl.reconcile.check import Places, reconcile
from ndjctl.reconcile.digests import Digests
from ndjctl.reconcile.orphans import find_orphans, move_orphans
from ndjctl.reconcile.scope import scope_of
from ndjctl.reconcile.spool import Spool
from ndjctl.reconcile.streams import list_bucket
from ndjctl.reconcile.unchanged import Record
from tests.reconcile_world import DAY, PAGE, Silent, World, bad_lines

IDS = [f"20260314T12000{number}000Z-0000000{number}" for number in range(9)]
A, B, C = (f"in/{DAY}-{name}.ndjson" for name in "abc")
_numbers = itertools.count()


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture
def world() -> World:
    """Three files of two manifests, done."""
    world = World(f"w{next(_numbers)}")
    world.convert(IDS[0], {A: 10, B: 5})
    world.convert(IDS[1], {C: 7})
    return world


def test_nothing_is_found_where_nothing_is_wrong(world: World) -> None:
    result = world.reconcile()
    assert result.ok and result.findings.kept == []
    (date,) = result.findings.days
    day = result.findings.days[date]
    assert (date, day.files, day.completed, day.lines, day.rows, day.bad_lines) == (DAY, 3, 3, 25, 22, 3)
    assert (day.in_flight, day.failed, day.quarantined, day.by_report, day.parts) == (0, 0, 0, 0, 4)
    assert world.reconcile(page_items=1000).findings.days == result.findings.days
    assert world.glue.asked == 0, "of a manifest that is closed there is nothing to ask"


def test_without_a_date_what_was_uploaded_lately_counts_whatever_its_name_says(world: World) -> None:
    result = world.reconcile(None)
    assert result.findings.days[DAY].rows == 22
    assert DAY not in result.scope.dates
    assert world.found(None) == []
    world.put_input(f"{DAY}-new.ndjson")
    assert world.found(None) == [("never seen", 1, f"backfill --date {DAY}")]


def test_a_file_that_was_never_seen(world: World) -> None:
    world.put_input(f"in/{DAY}-x.ndjson")
    world.put_input(f"in/{DAY}-no file of ours.txt")
    assert world.found() == [("never seen", 1, f"backfill --date {DAY}")]
    assert world.found("2026-03-13") == []
    day = world.reconcile(grace_s=7200).findings.days[DAY]
    assert (day.in_flight, day.files) == (1, 4), "its event may still be on the way"


def test_files_without_a_date_in_the_name_are_of_the_day_of_their_event(world: World) -> None:
    today = date_prefix("x.ndjson", world.started)
    other_days = [(world.started + timedelta(days=days)).date().isoformat() for days in (-3, 1)]
    for name, date in zip("xyz", (today, *other_days), strict=True):
        world.put_file(f"in/{name}.ndjson", date, FAILED, **{Attr.ERROR: "no"})
    world.put_input("in/unseen.ndjson")
    assert world.found(today) == [("never seen", 1, f"backfill --date {today}")]
    for date in other_days:
        assert world.found(date) == []
        assert world.reconcile(date).findings.days[date].failed == 1


@pytest.mark.parametrize("status", [PENDING, MANIFESTED, PROCESSING])
def test_what_changed_a_moment_ago_is_in_flight(world: World, status: str) -> None:
    world.put_file(f"in/{DAY}-x.ndjson", status=status, **{Attr.BATCH_ID: IDS[5]})
    result = world.reconcile(grace_s=7200)
    assert result.ok and result.in_flight == 1


def test_a_file_that_is_pending_for_too_long(world: World) -> None:
    world.put_file(f"in/{DAY}-x.ndjson")
    assert world.found() == [("stuck", 1, "sweep")]


@pytest.mark.parametrize("status", [MANIFESTED, PROCESSING])
@pytest.mark.parametrize("manifest_id", [IDS[0], IDS[5], ""])
def test_a_file_whose_manifest_is_closed_or_unknown(world: World, status: str, manifest_id: str) -> None:
    world.put_file(f"in/{DAY}-x.ndjson", status=status, **{Attr.BATCH_ID: manifest_id})
    assert world.found() == [("stuck", 1, f"redrive stuck --date {DAY}")]


@pytest.mark.parametrize(
    ("state", "runs", "found"),
    [
        (CLAIMING, {}, [("stuck", 1, "sweep")]),
        (READY, {}, [("stuck", 1, "sweep")]),
        (READY, {"jr_other": "RUNNING"}, []),
        (STARTED, {"jr_2": "STARTING"}, []),
        (RUNNING, {"jr_2": "RUNNING"}, []),
        (STARTED, {"jr_2": "FAILED"}, [("stuck", 1, "sweep")]),
        (RUNNING, {"jr_2": "STOPPED"}, [("stuck", 1, "sweep")]),
        (RUNNING, {"jr_2": "FAILED", "jr_2_attempt_1": "RUNNING"}, []),
        (RUNNING, {"jr_2": "FAILED", "jr_2_attempt_1": "FAILED"}, [("stuck", 1, "sweep")]),
        (RUNNING, {}, [("stuck", 1, "sweep")]),
    ],
)
def test_a_file_of_an_open_manifest(world: World, state: str, runs: dict[str, str], found: list[Any]) -> None:
    key = f"in/{DAY}-x.ndjson"
    world.glue.runs = runs
    world.put_file(key, status=MANIFESTED, **{Attr.BATCH_ID: IDS[2]})
    times = {Attr.STARTED_AT: world.changed_at, Attr.RUN_ID: "jr_2"}
    world.put_manifest(IDS[2], [key], **{Attr.STATE: state, **times})
    world.put_part(IDS[2], 0, {key: 3})  # of a run that has not ended, or of a dead one: the next attempt sees to it
    assert world.found() == found


def test_a_manifest_that_is_open_although_its_files_are_done(world: World) -> None:
    world.glue.runs = {"jr_1": "FAILED"}
    world.drop_manifest(IDS[1])
    world.put_manifest(IDS[1], [C], **{Attr.STATE: RUNNING, Attr.STARTED_AT: world.changed_at})
    assert world.found() == [("stuck", 1, "sweep")]


def test_nothing_is_proven_while_a_manifest_is_open_even_if_its_files_are_at_rest(world: World) -> None:
    """As when the loss of the last file of a damaged manifest was accepted: old parts are there until a run ends."""
    from ndjctl.output.reconcile import reconciled_view

    def screen() -> str:
        from rich.console import Console

        result = world.reconcile(grace_s=7200)
        assert result.ok and result.in_flight == 0
        console = Console(width=400)
        with console.capture() as capture:
            console.print(reconciled_view(result, "dev", 1.0, 600, lambda *words: " ".join(words)).render())
        return capture.get()

    assert "PROVEN" in screen()
    world.drop_manifest(IDS[1])
    world.put_manifest(IDS[1], [C], **{Attr.STATE: READY})
    world.set_file(C, **{Attr.STATUS: FAILED})
    day = world.reconcile(grace_s=7200).findings.days[DAY]
    assert (day.open_manifests, day.failed, day.rows, day.parts) == (1, 1, 15, 2)
    told = screen()
    assert "PROVEN" not in told and "IN ORDER SO FAR" in told
    assert "nothing of 1 manifest that a run may still write" in told


def test_a_part_that_is_gone(world: World) -> None:
    world.s3.delete_object(Bucket=world.names.output_bucket, Key=part_key(DAY, IDS[0], 1))
    assert world.found() == [("missing", 3, f"reprocess --manifest {IDS[0]}")]
    (finding,) = world.reconcile().findings.kept
    assert [(each.subject, each.why) for each in finding.examples] == [
        ("part 00001", "the part is not there"),
        (world.uri(A), "5 rows of 10"),
        (world.uri(B), "2 rows of 5"),
    ]


@pytest.mark.parametrize(
    "body", [b"", b"PAR1", b"x" * 100, b"x" * 100 + b"\xff\xff\xff\x0fPAR1", b"x" * 90 + b"\4\0\0\0PAR1"]
)
def test_a_part_that_is_no_parquet(world: World, body: bytes) -> None:
    world.s3.put_object(Bucket=world.names.output_bucket, Key=part_key(DAY, IDS[1], 0), Body=body)
    assert world.found() == [("missing", 2, f"reprocess --manifest {IDS[1]}")]


def test_an_empty_part_that_is_gone(world: World) -> None:
    """No row is missing, but a reader of the manifest's parts would stumble over it."""
    world.put_part(IDS[1], 1, {})
    world.put_part(IDS[1], 0, {C: 7})
    assert world.found() == []
    world.s3.delete_object(Bucket=world.names.output_bucket, Key=part_key(DAY, IDS[1], 1))
    assert world.found() == [("missing", 1, f"reprocess --manifest {IDS[1]}")]


def test_rows_that_are_too_many_or_of_nobody(world: World) -> None:
    world.put_part(IDS[1], 0, {C: 4, A: 1})
    assert world.found() == [("duplicated", 2, f"reprocess --manifest {IDS[1]}")]
    (finding,) = world.reconcile().findings.kept
    assert [(each.subject, each.why) for each in finding.examples] == [
        (world.uri(A), "1 rows instead of 0 (no such file is in the manifest)"),
        (world.uri(C), "8 rows instead of 7"),
    ]


def test_one_files_surplus_does_not_hide_anothers_loss(world: World) -> None:
    world.put_part(IDS[0], 0, {A: 6, B: 1})
    remedy = f"reprocess --manifest {IDS[0]}"
    assert world.found() == [("missing", 1, remedy), ("duplicated", 1, remedy)]


def test_the_rows_of_one_file_in_parts_of_two_manifests(world: World) -> None:
    world.put_manifest(IDS[2], [B], **{Attr.PARTS: 1})
    world.set_file(B, **{Attr.BATCH_ID: IDS[2]})
    world.put_part(IDS[2], 0, {B: 5})
    world.put_bad_lines(IDS[2], 0, [B])
    assert world.found() == [("duplicated", 1, f"reprocess --manifest {IDS[0]}")]


def test_rows_of_an_older_version_stay_until_the_new_one_is_done(world: World) -> None:
    for status in (PENDING, MANIFESTED, PROCESSING, FAILED):
        world.set_file(B, **{Attr.BATCH_ID: IDS[7], Attr.REPLACES: IDS[0], Attr.STATUS: status})
        kinds = {kind for kind, _, _ in world.found()}
        assert kinds <= {"stuck"}, status
    world.put_manifest(IDS[2], [B], **{Attr.PARTS: 1})
    world.set_file(B, **{Attr.BATCH_ID: IDS[2], Attr.STATUS: COMPLETED})
    world.put_part(IDS[2], 0, {B: 5})
    world.put_bad_lines(IDS[2], 0, [B])
    assert world.found() == [("duplicated", 1, f"reprocess --manifest {IDS[0]}")]
    world.put_part(IDS[0], 0, {A: 5})
    world.put_part(IDS[0], 1, {A: 5})
    world.put_bad_lines(IDS[0], 0, [A])
    assert world.found() == []


def test_rows_of_a_file_on_its_way_are_counted_apart(world: World) -> None:
    world.set_file(B, **{Attr.BATCH_ID: None, Attr.REPLACES: IDS[0], Attr.STATUS: PENDING})
    result = world.reconcile(grace_s=7200)
    day = result.findings.days[DAY]
    assert result.ok and (day.in_flight, day.waiting) == (1, 1)
    assert (day.lines, day.rows, day.bad_lines) == (19, 17, 2)
    assert (day.moving_rows, day.moving_bad_lines) == (5, 1)


def remedies(world: World) -> list[tuple[str, str, str, str]]:
    """(first command, hint, second command, examples) of every finding."""
    return [
        (
            " ".join(each.remedy.words),
            each.remedy.hint,
            " ".join(each.remedy.then),
            "; ".join(example.why for example in each.examples),
        )
        for each in world.reconcile().findings.kept
        if each.kind == "missing"
    ]


def test_a_part_that_is_gone_and_an_input_too(world: World) -> None:
    world.s3.delete_object(Bucket=world.names.output_bucket, Key=part_key(DAY, IDS[0], 1))
    world.s3.delete_object(Bucket=world.names.input_bucket, Key=A)
    ((words, hint, then, whys),) = remedies(world)
    assert (words, then) == ("", f"reprocess --manifest {IDS[0]}")
    assert "put each object back with the same content" in hint
    assert whys.startswith("its object is gone; the part is not there")
    etag = world.put_input(A, b'{"new":1}\n')
    world.set_file(A, **{Attr.SUPERSEDED_BY: etag})
    ((words, hint, then, whys),) = remedies(world)
    assert (words, hint, then) == (f"reprocess {A}", "", f"reprocess --manifest {IDS[0]}")
    assert whys.startswith("its object was overwritten after it was converted")
    # The file that another manifest has now is no input of this one any more.
    world.set_file(A, **{Attr.BATCH_ID: None, Attr.STATUS: PENDING, Attr.REPLACES: IDS[0]})
    assert [each[:3] for each in remedies(world)] == [(f"reprocess --manifest {IDS[0]}", "", "")]


def test_nothing_of_its_manifest_is_there_and_its_object_is_gone(world: World) -> None:
    key = f"in/{DAY}-x.ndjson"
    world.put_file(key, status=COMPLETED, **{Attr.BATCH_ID: IDS[6], Attr.ROWS: 3, Attr.LINES: 3})
    world.s3.delete_object(Bucket=world.names.input_bucket, Key=key)
    ((words, hint, then, why),) = remedies(world)
    assert (words, then) == ("", f"reprocess --manifest {IDS[6]}")
    assert "put each object back" in hint and why.endswith("and its object is gone")


def test_quarantined_lines_that_are_gone_or_too_many(world: World) -> None:
    key = world.put_bad_lines(IDS[0], 0, [A])
    assert world.found() == [("missing", 1, f"reprocess --manifest {IDS[0]}")]
    world.put_bad_lines(IDS[0], 0, [A, B, B])
    assert world.found() == [("duplicated", 1, f"reprocess --manifest {IDS[0]}")]
    world.s3.delete_object(Bucket=world.names.quarantine_bucket, Key=key)
    assert world.found() == [("missing", 2, f"reprocess --manifest {IDS[0]}")]
    world.s3.put_object(Bucket=world.names.quarantine_bucket, Key=key, Body=b"what is this\n")
    assert world.found() == [("missing", 3, f"reprocess --manifest {IDS[0]}")]


def test_quarantined_lines_of_any_size_are_counted(world: World) -> None:
    key = world.put_bad_lines(IDS[0], 0, [])
    long = b'{"x": ", \\"raw\\": ' + b"y" * 3_000_000
    body = bad_lines([world.uri(A)], long) + bad_lines([world.uri(B)], b"\xff" * 100_000, raw_bytes=1, truncated=True)
    world.s3.put_object(Bucket=world.names.quarantine_bucket, Key=key, Body=body)
    assert world.found() == []


def test_a_completed_file_of_whose_manifest_nothing_is_there(world: World) -> None:
    world.put_file(f"in/{DAY}-x.ndjson", status=COMPLETED, **{Attr.BATCH_ID: IDS[6], Attr.ROWS: 3, Attr.LINES: 3})
    assert world.found() == [("missing", 1, f"reprocess --manifest {IDS[6]}")]


def test_the_ledger_lost_a_manifest_and_has_its_files(world: World) -> None:
    """Its parts hold the rows of completed files: they are no orphans."""
    world.drop_manifest(IDS[1])
    assert world.found() == []
    assert world.reconcile().findings.days[DAY].rows == 22
    world.s3.delete_object(Bucket=world.names.output_bucket, Key=part_key(DAY, IDS[1], 0))
    assert world.found() == [("missing", 1, f"reprocess --manifest {IDS[1]}")]


@pytest.mark.parametrize(
    "name",
    [
        f"part-{IDS[5]}-00000.parquet",  # of no manifest
        f"part-{IDS[0]}-00002.parquet",  # beyond the manifest's parts
        "part-x.parquet",
        "copy of a part.parquet",
        "zzz.csv",
        "folder/part.parquet",
        f"sub/part-{IDS[0]}-00000.parquet",  # a copy of the manifest's own
        f"part-{IDS[0]}/part-{IDS[0]}-00000.parquet",
        f"part-{IDS[0]}-00000.parquet.bak",
    ],
)
def test_an_object_that_belongs_to_no_output(world: World, name: str) -> None:
    body = world.s3.get_object(Bucket=world.names.output_bucket, Key=part_key(DAY, IDS[0], 0))["Body"].read()
    for other in ("_SUCCESS", ".hidden"):
        world.s3.put_object(Bucket=world.names.output_bucket, Key=f"parquet/{DAY}/{other}", Body=b"")
    assert world.found() == []
    world.s3.put_object(Bucket=world.names.output_bucket, Key=f"parquet/{DAY}/{name}", Body=body)
    assert world.found() == [("orphaned", 1, f"reconcile --remove-orphans --date {DAY}")]
    day = world.reconcile().findings.days[DAY]
    assert (day.lines, day.rows, day.bad_lines) == (25, 22, 3), "it is in none of the figures"
    assert removed(world) == 1
    assert world.found() == []


def removed(world: World, date: str | None = DAY) -> int:
    """How many orphans were moved."""
    with Spool() as spool:
        find_orphans(world.places(), scope_of(date, None, world.now), world.clock(), spool, Silent())
        return move_orphans(world.places(), world.clock(), spool, Silent()).moved


def test_bad_lines_that_belong_to_no_output(world: World) -> None:
    world.put_bad_lines(IDS[5], 0, [A])
    world.put_bad_lines(IDS[0], 7, [A])
    world.s3.put_object(Bucket=world.names.quarantine_bucket, Key=f"{DAY}/malformed/notes.txt", Body=b"x")
    name = f"sub/bad-{IDS[0]}-00000.ndjson"
    body = bad_lines([world.uri(A)])
    world.s3.put_object(Bucket=world.names.quarantine_bucket, Key=f"{DAY}/malformed/{name}", Body=body)
    assert world.found() == [("orphaned", 4, f"reconcile --remove-orphans --date {DAY}")]
    assert world.reconcile().findings.days[DAY].bad_lines == 3
    assert removed(world) == 4
    assert world.found() == []


def put_strays(world: World) -> list[str]:
    """Copies of a part outside the folders of dates; their keys. And what readers pass over."""
    bucket, part = world.names.output_bucket, part_key(DAY, IDS[0], 0)
    name = part.rsplit("/", 1)[1]
    keys = [f"parquet/{place}" for place in (name, f"2026-02-30/{name}", f"copy/x/{name}", f"copy/y/{name}")]
    for key in keys:
        world.s3.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": part})
    for key in (
        "parquet/",
        "parquet/_SUCCESS",
        "parquet/_temporary/0/x.parquet",
        "parquet/.x",
        "parquet/new/",
        "other/x",
    ):
        world.s3.put_object(Bucket=bucket, Key=key, Body=b"")
    return keys


@pytest.mark.parametrize("date", [DAY, "2026-01-01", None])
def test_what_lies_in_no_folder_of_a_date_is_found_whatever_date_is_looked_at(world: World, date: str | None) -> None:
    before = world.reconcile(date)
    assert before.ok
    keys = put_strays(world)
    result = world.reconcile(date)
    (finding,) = result.findings.kept
    assert (finding.kind, finding.date, finding.count) == ("orphaned", "", len(keys))
    assert finding.remedy.words == ("reconcile", "--remove-orphans")
    assert "it lies in no folder of a date" in finding.examples[0].why
    assert {day: counts.rows for day, counts in result.findings.days.items() if day} == {
        day: counts.rows for day, counts in before.findings.days.items()
    }
    assert removed(world, date) == len(keys)
    assert world.found(date) == []
    today = world.started.date().isoformat()
    for key in keys:
        assert world.s3.head_object(Bucket=world.names.quarantine_bucket, Key=f"{today}/orphaned/{key}")


def test_not_more_strays_are_listed_than_there_is_time_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strays, "MOST_STRAYS", 3)
    put_strays(world)
    assert world.found() == [("orphaned", 3, "reconcile --remove-orphans")]
    assert (removed(world), removed(world), removed(world)) == (3, 1, 0)


def test_what_a_manifest_that_was_given_up_left_behind(world: World) -> None:
    world.put_manifest(IDS[2], [A], **{Attr.STATE: "abandoned", Attr.PARTS: 1})
    assert world.found() == []
    world.put_part(IDS[2], 0, {A: 3})
    assert world.found() == [("orphaned", 1, f"reconcile --remove-orphans --date {DAY}")]


def test_a_manifest_that_was_given_up_keeps_the_rows_of_files_that_it_completed(world: World) -> None:
    world.drop_manifest(IDS[1])
    world.put_manifest(IDS[1], [C], **{Attr.STATE: "abandoned", Attr.PARTS: 2})
    assert world.found() == []


def test_a_newer_version_of_a_converted_file(world: World) -> None:
    etag = world.put_input(A, b'{"new":1}\n')
    assert world.found() == [("superseded", 1, f"backfill --date {DAY}")], "its event was lost"
    world.set_file(A, **{Attr.SUPERSEDED_BY: etag})
    assert world.found() == [("superseded", 1, f"reprocess --superseded --date {DAY}")]
    assert world.reconcile(grace_s=7200).findings.total == 1, "it is recorded, so it is for the operator at once"
    world.put_input(A)
    assert world.found() == [], "the converted version is there again"


@pytest.mark.parametrize("status", [PENDING, FAILED, QUARANTINED])
def test_a_newer_version_of_a_file_that_is_not_converted(world: World, status: str) -> None:
    key = f"in/{DAY}-x.ndjson"
    world.put_file(key, status=status)
    world.put_input(key, b'{"new":1}\n')
    assert world.found() == [("never seen", 1, f"backfill --date {DAY}")]


def test_failed_files_are_listed_and_no_finding(world: World) -> None:
    world.put_file(f"in/{DAY}-x.ndjson", status=FAILED, **{Attr.ERROR: "why not"})
    result = world.reconcile()
    day = result.findings.days[DAY]
    assert result.ok and day.failed == 1
    assert [(each.subject, each.why) for each in day.failed_examples] == [(world.uri(f"in/{DAY}-x.ndjson"), "why not")]


def test_the_copy_of_a_quarantined_file(world: World) -> None:
    bucket = world.names.quarantine_bucket
    for name in ("x", "y", "z", "x x", "ü"):
        key = f"in/{DAY}-{name}.ndjson"
        copy = f"{DAY}/too-small/{key}" if name != "y" else f"{DAY}/too-small/0123.ndjson"
        world.put_file(key, status=QUARANTINED, **{Attr.QUARANTINE_KEY: copy, Attr.SIZE_BYTES: 8})
        world.s3.put_object(Bucket=bucket, Key=copy, Body=b'{"a":1}\n')
    result = world.reconcile()
    assert result.ok and result.findings.days[DAY].quarantined == 5
    gone, short = f"{DAY}/too-small/in/{DAY}-x x.ndjson", f"{DAY}/too-small/in/{DAY}-z.ndjson"
    world.s3.delete_object(Bucket=bucket, Key=gone)
    world.s3.put_object(Bucket=bucket, Key=short, Body=b"{}")
    copies = [f"aws s3 cp {world.uri(key.split('/', 2)[2])} s3://{bucket}/{key}" for key in (gone, short)]
    assert sorted(world.found()) == [("missing", 1, copy) for copy in copies]


def test_objects_that_were_deleted_after_they_were_done_are_no_finding(world: World) -> None:
    for key in (A, C):
        world.s3.delete_object(Bucket=world.names.input_bucket, Key=key)
    assert world.found() == []
    assert world.reconcile().findings.days[DAY].files == 3


def test_a_date_that_the_ledger_has_forgotten_is_judged_by_the_reports(world: World) -> None:
    world.put_report(IDS[0], {A: 10, B: 5}, parts=2)
    world.put_report(IDS[1], {C: 7}, parts=2)
    for key in (A, B, C):
        world.drop_file(key)
    for manifest_id in IDS[:2]:
        world.drop_manifest(manifest_id)
    for manifest_id in IDS[:2]:
        world.s3.delete_object(
            Bucket=world.names.quarantine_bucket, Key=f"{DAY}/malformed/bad-{manifest_id}-00000.ndjson"
        )
    result = world.reconcile()
    assert result.ok, result.findings.kept
    assert (result.findings.days[DAY].by_report, result.findings.days[DAY].rows) == (3, 22)
    world.s3.delete_object(Bucket=world.names.output_bucket, Key=part_key(DAY, IDS[1], 1))
    assert world.found() == [("missing", 2, f"reprocess --manifest {IDS[1]}")]
    world.put_input(f"in/{DAY}-y.ndjson")
    assert [kind for kind, _, _ in world.found()] == ["never seen", "missing"]


def test_a_first_conversion_that_the_ledger_does_not_know(world: World) -> None:
    """After a kill of the embedded cloud: a file was converted again, and the first one's rows stayed."""
    world.put_report(IDS[3], {A: 10, B: 5})
    world.put_part(IDS[3], 0, {A: 10, B: 5})
    assert world.found() == [("orphaned", 1, f"reconcile --remove-orphans --date {DAY}")]


def test_the_pipeline_at_work_gives_no_false_findings(world: World) -> None:
    """Between the listing and the look at the ledger a file is entered, another completed, a part rewritten."""
    key = f"in/{DAY}-x.ndjson"
    world.put_file(key, status=PROCESSING, **{Attr.BATCH_ID: IDS[2]})
    world.put_manifest(IDS[2], [key], **{Attr.STATE: RUNNING, Attr.STARTED_AT: world.changed_at})
    unseen = f"in/{DAY}-y.ndjson"
    world.put_input(unseen)
    places, reads = world.places(), []
    real = places.client("s3").head_object

    class S3:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.s3, name)

        def head_object(self, **request: Any) -> Any:
            if not reads:  # the first second look
                world.set_file(key, **{Attr.STATUS: COMPLETED, Attr.ROWS: 3, Attr.LINES: 3, Attr.BAD_LINES: 0})
                world.drop_manifest(IDS[2])
                world.put_manifest(IDS[2], [key])
                world.put_part(IDS[2], 0, {key: 3})
                world.put_item(DAY, unseen, **{Attr.STATUS: PENDING, Attr.UPDATED_AT: iso_utc(world.now)})
                head = real(Bucket=world.names.input_bucket, Key=unseen)
                world.set_file(unseen, **{Attr.ETAG: head["ETag"].strip('"')})
            reads.append(request["Key"])
            return real(**request)

    busy = Places(lambda name: S3() if name == "s3" else places.client(name), world.names, places.sleep, PAGE)
    result = reconcile(busy, scope_of(DAY, None, world.now), world.clock(), Silent())
    assert reads and result.ok, result.findings.kept
    assert result.in_flight == 1


def test_a_part_that_is_rewritten_while_it_is_read_is_read_again(world: World) -> None:
    """The listing has it, then it is gone, then it is there anew: as when a run replaces the rows of one file."""
    key = part_key(DAY, IDS[0], 0)
    body = world.s3.get_object(Bucket=world.names.output_bucket, Key=key)["Body"].read()
    refused = []

    class S3:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.s3, name)

        def get_object(self, **request: Any) -> Any:
            if request["Key"] == key and not refused:
                refused.append(key)
                world.s3.put_object(Bucket=world.names.output_bucket, Key=key, Body=body)
                request["IfMatch"] = "another"
            return world.s3.get_object(**request)

    places = world.places()
    busy = Places(lambda name: S3() if name == "s3" else places.client(name), world.names, places.sleep, PAGE)
    result = reconcile(busy, scope_of(DAY, None, world.now), world.clock(), Silent())
    assert refused == [key] and result.ok, result.findings.kept


def test_what_is_wrong_is_found_on_every_page(world: World) -> None:
    """Of what only the ledger knows there is no second way to come upon it."""
    for number in range(5):
        key = f"in/{DAY}-p{number}.ndjson"
        world.put_file(key)
        world.s3.delete_object(Bucket=world.names.input_bucket, Key=key)
    for number in range(2, 7):
        key = f"in/{DAY}-q{number}.ndjson"
        counts = {Attr.LINES: 1, Attr.ROWS: 1, Attr.BAD_LINES: 0}
        world.put_file(key, status=COMPLETED, **{Attr.BATCH_ID: IDS[number], **counts})
        world.put_manifest(IDS[number], [key])
    remedies = [("missing", 2, f"reprocess --manifest {IDS[number]}") for number in range(2, 7)]
    assert world.found() == [("stuck", 5, "sweep"), *remedies]


# ------------------------------------------------------------------------------------------- what is not what it was


@pytest.fixture
def on_record(world: World) -> World:
    """The same, with reports that say what each object was."""
    world.put_report(IDS[0], {A: 10, B: 5}, parts=world.parts_on_record(IDS[0], 2), run_id="jr_1")
    world.put_report(IDS[1], {C: 7}, parts=world.parts_on_record(IDS[1], 2), run_id="jr_1")
    return world


CHANGED = [("changed", 1, f"reprocess --manifest {IDS[0]}")]


def as_written(world: World) -> tuple[int, int]:
    """(parts that are as they were written, parts) of a healthy day."""
    result = world.reconcile()
    assert result.ok, result.findings.kept
    day = result.findings.days[DAY]
    return day.parts_as_written, day.parts


def test_a_part_whose_contents_were_changed_with_equal_counts(on_record: World) -> None:
    world, bucket, key = on_record, on_record.names.output_bucket, part_key(DAY, IDS[0], 0)
    assert as_written(world) == (4, 4)
    body = world.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    flipped = bytes(byte ^ 0x55 if 10 <= number < 30 else byte for number, byte in enumerate(body))
    table = pq.read_table(io.BytesIO(body))
    nulled = table.set_column(0, "n", pa.nulls(len(table), pa.int64()))
    swapped = pa.concat_tables([table.slice(1), table.slice(1, 1)])
    bare = table.replace_schema_metadata(None)
    for changed in (flipped, *map(parquet_of, (nulled, swapped, table.drop_columns(["n"]), bare))):
        world.s3.put_object(Bucket=bucket, Key=key, Body=changed)
        assert world.found() == CHANGED
    (finding,) = world.reconcile().findings.kept
    assert finding.unit == "object"
    assert [example.subject for example in finding.examples] == [f"s3://{bucket}/{key}"]
    assert finding.examples[0].why.startswith("changed since its run wrote it: ")
    world.s3.put_object(Bucket=bucket, Key=key, Body=body)
    assert as_written(world) == (4, 4)


def test_the_same_bytes_under_another_etag_are_unchanged(on_record: World) -> None:
    """As the job sends them in pieces, and a copy or a restored backup does not."""
    world, bucket, key = on_record, on_record.names.output_bucket, part_key(DAY, IDS[0], 0)
    body = world.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    parts = world.parts_on_record(IDS[0], 2)
    for sizes in ([len(body)], [100, 200, len(body) - 300]):
        ends = list(itertools.accumulate(sizes, initial=0))
        digests = b"".join(hashlib.md5(body[start:end]).digest() for start, end in itertools.pairwise(ends))
        etag = f"{hashlib.md5(digests).hexdigest()}-{len(sizes)}"
        parts[0] |= {"etag": etag, "etag_part_bytes": sizes}
        world.put_report(IDS[0], {A: 10, B: 5}, parts=parts, run_id="jr_1")
        assert as_written(world) == (4, 4)
    world.s3.put_object(Bucket=bucket, Key=key, Body=body[:10] + b"x" + body[11:])
    (finding,) = world.reconcile().findings.kept
    assert finding.examples[0].why == "changed since its run wrote it: as many bytes, others"
    world.s3.put_object(Bucket=bucket, Key=key, Body=body)
    for about in ({"etag_part_bytes": []}, {"etag": "as of a KMS key, no digest"}, {"etag_part_bytes": [1, 2]}):
        told = [{**parts[0], **about}, parts[1]]
        world.put_report(IDS[0], {A: 10, B: 5}, parts=told, run_id="jr_1")
        assert world.found() == CHANGED
    placed = next(list_bucket(world.s3, bucket, key))
    record = Record(parts[0]["etag"], len(body), part_bytes=tuple(sizes))
    assert Digests(world.s3).agree(placed, record) is True
    assert Digests(world.s3, len(body) - 1).agree(placed, record) is None, "more than may be read"


def parquet_of(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_bad_lines_that_were_changed_with_equal_counts(on_record: World) -> None:
    for marks in (None, {}):
        on_record.put_bad_lines(IDS[0], 0, [A, B], marks=marks, raw=b"altere")
        assert on_record.found() == CHANGED
    on_record.put_bad_lines(IDS[0], 0, [A, B])
    assert as_written(on_record) == (4, 4)


def test_what_no_report_says_is_not_compared(on_record: World) -> None:
    world = on_record
    parts = world.parts_on_record(IDS[0], 2)
    for part in parts:
        part["etag"] = ""
        part.pop("bad_lines_etag", None)
    world.put_report(IDS[0], {A: 10, B: 5}, parts=parts, run_id="jr_1")
    assert as_written(world) == (2, 4)
    world.put_bad_lines(IDS[0], 0, [A, B], raw=b"altere")
    assert as_written(world) == (2, 4), "as many bytes, and no ETag to hold it against"
    world.put_bad_lines(IDS[0], 0, [A, B], raw=b"altered")
    assert world.found() == CHANGED, "another size"
    report = report_key(DAY, IDS[0])
    world.s3.put_object(Bucket=world.names.manifest_bucket, Key=report, Body=b'{"x"')
    assert as_written(world) == (2, 4)
    world.s3.delete_object(Bucket=world.names.manifest_bucket, Key=report)
    assert as_written(world) == (2, 4)


def test_what_another_attempt_wrote_is_not_held_against_this_ones_report(on_record: World) -> None:
    """As when a run is doubled, or dies between its parts and its report."""
    on_record.put_part(IDS[0], 0, {A: 5, B: 2}, run_id="jr_1_attempt_1")
    on_record.put_bad_lines(IDS[0], 0, [A, B], marks={RUN_MARK: "jr_1_attempt_1"}, raw=b"other")
    assert as_written(on_record) == (3, 4)


def test_rows_that_a_newer_version_of_their_file_replaced(on_record: World) -> None:
    """A was converted again by another manifest, whose run took its rows out of this one."""
    world = on_record
    world.put_input(A, b'{"new":1}\n')
    etag = world.s3.head_object(Bucket=world.names.input_bucket, Key=A)["ETag"].strip('"')
    counts = {Attr.LINES: 3, Attr.ROWS: 3, Attr.BAD_LINES: 0}
    world.set_file(A, **{Attr.ETAG: etag, Attr.BATCH_ID: IDS[2], **counts})
    world.put_manifest(IDS[2], [A])
    world.put_part(IDS[2], 0, {A: 3}, run_id="jr_2")
    note = {"by_manifest": IDS[2], "by_run": "jr_2", "rows": 5}
    for number, rows in enumerate(({B: 2}, {B: 3})):
        world.put_part(IDS[0], number, rows, removed=[note])
    marks = {MANIFEST_MARK: IDS[2], RUN_MARK: "jr_2"}
    world.put_bad_lines(IDS[0], 0, [B], marks=marks)
    assert as_written(world) == (2, 5), "of a run of an older version nothing is on record"
    own = world.parts_on_record(IDS[2], 1)
    objects = [
        {"bucket": place[0], "key": place[1], "etag": part[f"{kind}etag"], "size_bytes": part[f"{kind}size_bytes"]}
        for part in world.parts_on_record(IDS[0], 2)
        for kind in ("", "bad_lines_")
        if f"{kind}uri" in part
        for place in [split_s3_uri(part[f"{kind}uri"])]
    ]
    replaced = [{"manifest_id": IDS[0], "objects": [{**each, "by_run": "jr_2"} for each in objects]}]
    world.put_report(IDS[2], {A: 3}, parts=own, run_id="jr_3", replaced=replaced)
    assert as_written(world) == (4, 5), "but for the other's own part: it is of another run than its report"
    world.put_report(IDS[2], {A: 3}, parts=own, run_id="jr_2", replaced=replaced)
    assert as_written(world) == (5, 5)
    world.put_bad_lines(IDS[0], 0, [B], marks=marks, raw=b"altere")
    assert world.found() == CHANGED
    world.put_bad_lines(IDS[0], 0, [B], marks=marks)
    world.put_part(IDS[0], 1, {B: 3}, removed=[{**note, "rows": 6}])
    assert world.found() == CHANGED


# ------------------------------------------------------------------------------------------------------------- purged


def purge(world: World, *objects: PurgedObject, number: int = 0) -> None:
    record = Purge("20260314T150000000Z-0000000p", DAY, iso_utc(world.now), "user/ann", objects)
    QuarantineRecords(world.s3, world.names.manifest_bucket).put_purge(record, number)


def of_bad_lines(world: World, **more: Any) -> PurgedObject:
    """The object of bad lines of the first manifest, with one line of each of its two files."""
    key = bad_lines_key(DAY, IDS[0], 0)
    head = world.s3.head_object(Bucket=world.names.quarantine_bucket, Key=key)
    lines = {world.uri(A): 1, world.uri(B): 1}
    facts = {"run_id": "jr_1", "lines": lines, "reasons": {"not JSON": 2}, **more}
    return PurgedObject(key, head["ETag"].strip('"'), head["ContentLength"], **facts)


def test_purged_bad_lines_are_accounted_for(world: World) -> None:
    purged = of_bad_lines(world)
    purge(world, purged)
    day = world.reconcile().findings.days[DAY]
    assert (day.bad_lines, day.purged_lines) == (3, 0), "it is on record, and not deleted"
    world.s3.delete_object(Bucket=world.names.quarantine_bucket, Key=purged.key)
    assert world.found() == []
    day = world.reconcile().findings.days[DAY]
    assert (day.lines, day.rows, day.bad_lines, day.purged_lines) == (25, 22, 1, 2)
    purge(world, purged, number=1)  # as one that died and was begun again
    assert world.reconcile().findings.days[DAY].purged_lines == 2


@pytest.mark.parametrize("is_on_record", [False, True])
def test_lines_of_one_reason_that_were_purged_are_accounted_for(
    world: World, request: pytest.FixtureRequest, is_on_record: bool
) -> None:
    if is_on_record:
        request.getfixturevalue("on_record")
    purged = of_bad_lines(world, lines={world.uri(A): 1}, reasons={"not JSON": 1})
    purge(world, purged)
    world.put_bad_lines(IDS[0], 0, [B], marks={})
    assert world.found() == []
    assert world.reconcile().findings.days[DAY].purged_lines == 1


@pytest.mark.parametrize(
    "more",
    [
        {"run_id": "jr_another"},  # the output was written again since
        {"lines": {"s3://b/other.ndjson": 2}},
    ],
)
def test_another_loss_is_not_taken_for_a_purge(world: World, more: dict[str, Any]) -> None:
    purged = of_bad_lines(world, **more)
    purge(world, purged)
    world.s3.delete_object(Bucket=world.names.quarantine_bucket, Key=purged.key)
    assert world.found() == [("missing", 2, f"reprocess --manifest {IDS[0]}")]


def test_a_purged_stray_stands_for_no_line_of_the_output(world: World) -> None:
    purged = of_bad_lines(world)
    stray = purged.key.replace("/malformed/", "/malformed/sub/")
    purge(world, PurgedObject(stray, purged.etag, purged.size_bytes, "jr_1", purged.lines, purged.reasons))
    world.s3.delete_object(Bucket=world.names.quarantine_bucket, Key=purged.key)
    assert world.found() == [("missing", 2, f"reprocess --manifest {IDS[0]}")]


def test_a_purge_hides_no_line_too_many(world: World) -> None:
    purge(world, of_bad_lines(world))
    world.put_bad_lines(IDS[0], 0, [A, A, B])
    assert world.found() == [("duplicated", 1, f"reprocess --manifest {IDS[0]}")]


def test_a_quarantined_file_whose_copy_was_purged(world: World) -> None:
    key = f"in/{DAY}-large.ndjson"
    copy = f"{DAY}/too-large/{key}"
    about = {Attr.QUARANTINE_KEY: copy, Attr.SIZE_BYTES: 8}
    world.put_file(key, status=QUARANTINED, **about)
    assert [kind for kind, _, _ in world.found()] == ["missing"]
    purge(world, PurgedObject(copy, "e", 8))
    assert world.found() == []
    day = world.reconcile().findings.days[DAY]
    assert (day.quarantined, day.purged_files) == (1, 1)
    world.set_file(key, **{Attr.SIZE_BYTES: 9})
    assert [kind for kind, _, _ in world.found()] == ["missing"], "a copy of another version"


def test_a_purged_file_that_the_ledger_has_forgotten(world: World) -> None:
    key = f"in/{DAY}-large.ndjson"
    world.put_input(key)
    world.now = world.started + timedelta(days=20)
    assert ("never seen", 1, f"backfill --date {DAY}") in world.found()
    purge(world, PurgedObject(f"{DAY}/too-large/{key}", "e", 8))
    assert world.found() == []
    assert world.reconcile().findings.days[DAY].by_report == 1


def test_a_record_of_a_version_to_come_is_said(world: World) -> None:
    body = b'{"format": "ndjctl.purge", "version": 99}'
    world.s3.put_object(Bucket=world.names.manifest_bucket, Key=f"purges/{DAY}/x-00000.json", Body=body)
    with pytest.raises(WorkFailed, match="version 99; this program reads 1 to 1: upgrade it"):
        world.reconcile()
