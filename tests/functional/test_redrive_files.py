"""Failed, stuck and superseded files back to pending: which, with what facts, and what stays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from ndjctl import contracts
from ndjctl.contracts import COMPLETED, FAILED, MANIFESTED, PENDING, PROCESSING, Attr, part_key
from ndjctl.errors import UsageError
from ndjctl.redrive.choice import Choice
from ndjctl.redrive.files import FailedFiles, StuckFiles
from ndjctl.redrive.newer import NamedFiles, SupersededFiles, dates_of, sized
from ndjctl.redrive.pacing import Pacer
from ndjctl.redrive.tracking import Entry, Tracking
from ndjctl.redrive.work import Outcome, Preview, look, move_all
from tests.redrive_world import DAY, EVERYTHING, NAMES, NOW, RedriveWorld, redrive_world

LEFT = {Attr.BATCH_ID: "m1", Attr.RUN_ID: "jr_1", Attr.MANIFEST_PATH: "s3://x/y"}


@pytest.fixture
def world() -> Iterator[RedriveWorld]:
    with redrive_world() as made:
        yield made


def nothing(_count: int) -> None: ...


def typed(*words: str) -> str:
    return " ".join(("ndjctl", *words, "--env", "dev"))


def seen(files: Any) -> Preview:
    return look(files.pages(), Preview(), nothing)


def moved(files: Any) -> Outcome:
    return move_all(files.pages(), files.move, Pacer(None, lambda: 0.0, lambda _s: None), nothing)


def failed(world: RedriveWorld, choice: Choice = EVERYTHING) -> FailedFiles:
    return FailedFiles(world.tracking, world.mover, choice)


def stuck(world: RedriveWorld, choice: Choice = EVERYTHING) -> StuckFiles:
    return StuckFiles(world.tracking, world.mover, NAMES, choice)


# ------------------------------------------------------------------------------------------------ failed


def test_a_failed_file_is_entered_again_without_what_its_attempt_left(world: RedriveWorld) -> None:
    file = world.put_object("a.ndjson")
    world.track(file, FAILED, **LEFT, **{Attr.ERROR: "boom", Attr.REPLACES: "m0", Attr.SUPERSEDED_BY: "e9"})
    preview = seen(failed(world))
    assert (preview.files, preview.size_bytes, dict(preview.reasons.counts)) == (1, 8, {"boom": 1})
    outcome = moved(failed(world))
    assert (outcome.moved, outcome.size_bytes, outcome.left, outcome.is_whole) == (1, 8, [], True)
    item = world.item("a.ndjson")
    assert item[Attr.TTL] > NOW.timestamp() + 6 * 86_400
    assert {name: value for name, value in item.items() if name not in (Attr.TTL, Attr.UPDATED_AT)} == {
        Attr.DATE_PREFIX: DAY,
        Attr.FILE_KEY: "a.ndjson",
        Attr.STATUS: PENDING,
        Attr.BUCKET: NAMES.input_bucket,
        Attr.SIZE_BYTES: 8,
        Attr.FILE_SIZE_MB: item[Attr.FILE_SIZE_MB],
        Attr.ETAG: file.etag,
        Attr.SEQUENCER: "01",
        Attr.UPLOAD_TIME: f"{DAY}T10:00:00.000Z",
        Attr.ATTEMPT: 0,
        Attr.REPLACES: "m0",
    }
    assert seen(failed(world)).files == 0


def test_what_the_object_is_now_counts(world: RedriveWorld) -> None:
    for key in ("newer", "gone", "large"):
        world.track(world.put_object(f"{key}.ndjson"), FAILED, **LEFT, **{Attr.ERROR: "old reason"})
    newer = world.put_object("newer.ndjson", b'{"a":22}\n')
    world.s3.delete_object(Bucket=NAMES.input_bucket, Key="gone.ndjson")
    world.put_object("large.ndjson", b"x" * 6_000)
    outcome = moved(failed(world))
    assert outcome.moved == 1
    assert not outcome.is_whole
    told = {each.entry.key: (each.what, each.why) for each in outcome.left}
    assert told == {
        "gone.ndjson": ("gone", f"s3://{NAMES.input_bucket}/gone.ndjson: it is no longer there"),
        "large.ndjson": ("refused", "its newer version would be set aside as too-large: 6000 B"),
    }
    item = world.item("newer.ndjson")
    assert (item[Attr.STATUS], item[Attr.ETAG], item[Attr.SIZE_BYTES]) == (PENDING, newer.etag, 9)
    assert item[Attr.SEQUENCER] == ""
    gone = world.item("gone.ndjson")
    assert (gone[Attr.STATUS], gone[Attr.ERROR]) == (FAILED, told["gone.ndjson"][1])
    assert world.item("large.ndjson")[Attr.ERROR] == "old reason"


@pytest.mark.parametrize(
    ("reason", "date", "keys"),
    [
        ("memory", None, ["a", "b"]),
        ("MEMORY", None, ["a", "b"]),
        ("run * ended TIMEOUT*", None, ["c"]),
        ("TIMEOUT*", None, []),
        (None, "2026-11-22", ["b"]),
        ("memory", "2026-11-22", ["b"]),
        ("s3://[x]", None, []),
        (None, None, ["a", "b", "c"]),
    ],
)
def test_reasons_and_dates(world: RedriveWorld, reason: str | None, date: str | None, keys: list[str]) -> None:
    errors = {"a": "out of Memory", "b": "no memory left", "c": "run jr_1 ended TIMEOUT: no message"}
    for key, error in errors.items():
        day = "2026-11-22" if key == "b" else DAY
        world.track(world.put_object(f"{key}.ndjson"), FAILED, day, **LEFT, **{Attr.ERROR: error})
    choice = Choice(reason, date)
    assert seen(failed(world, choice)).files == len(keys)
    assert moved(failed(world, choice)).moved == len(keys)
    statuses = world.statuses() | world.statuses("2026-11-22")
    assert [key for key in "abc" if statuses[f"{key}.ndjson"] == PENDING] == keys


def test_killed_half_way_and_run_again_nothing_is_lost_and_none_is_moved_twice(
    world: RedriveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(25):
        world.track(world.put_object(f"{number:02}.ndjson"), FAILED, **LEFT, **{Attr.ERROR: "boom"})
    small_pages(world, monkeypatch, 4)
    entered: list[str] = []

    class Killed(BaseException): ...

    def move(candidate: Any) -> Any:
        if len(entered) == 11:
            raise Killed
        entered.append(candidate.entry.key)
        return failed(world).move(candidate)

    files = failed(world)
    monkeypatch.setattr("ndjctl.redrive.work._THREADS", 1)
    with pytest.raises(Killed):
        move_all(files.pages(), move, Pacer(None, lambda: 0.0, lambda _s: None), nothing)
    assert sum(status == PENDING for status in world.statuses().values()) == 11
    # Meanwhile one that was moved is converted: it must not be touched again.
    world.track(world.put_object("00.ndjson"), COMPLETED, **{Attr.BATCH_ID: "m2"})
    before = world.item("00.ndjson")
    assert moved(failed(world)).moved == 14
    assert moved(failed(world)).moved == 0
    assert world.item("00.ndjson") == before
    assert sum(status == PENDING for status in world.statuses().values()) == 24


def small_pages(world: RedriveWorld, monkeypatch: pytest.MonkeyPatch, items: int) -> None:
    honest = world.dynamodb.query
    monkeypatch.setattr(world.dynamodb, "query", lambda **request: honest(**request, Limit=items))


def test_a_file_that_moved_on_since_it_was_read_is_left_alone(world: RedriveWorld) -> None:
    file = world.put_object("a.ndjson")
    world.track(file, FAILED, **LEFT, **{Attr.ERROR: "boom"})
    (page,) = failed(world).pages()
    world.track(file, PENDING, **{Attr.REPLACES: "m0"})
    before = world.item("a.ndjson")
    result = failed(world).move(page[0])
    assert result.what == "changed"
    assert world.item("a.ndjson") == before


def test_not_faster_than_was_asked_for(world: RedriveWorld) -> None:
    for number in range(6):
        world.track(world.put_object(f"{number}.ndjson"), FAILED, **LEFT, **{Attr.ERROR: "boom"})
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    pacer = Pacer(2.0, lambda: now[0], sleep)
    files = failed(world)
    assert move_all(files.pages(), files.move, pacer, nothing).moved == 6
    assert now[0] == pytest.approx(2.5)


# ------------------------------------------------------------------------------------------------ stuck


def test_only_files_whose_manifest_nobody_works_on_are_stuck(world: RedriveWorld) -> None:
    for key, status, manifest_id in (
        ("waits", MANIFESTED, "open"),
        ("runs", PROCESSING, "open"),
        ("done", MANIFESTED, "done"),
        ("abandoned", PROCESSING, "abandoned"),
        ("unknown", PROCESSING, "unknown"),
    ):
        world.track(world.put_object(f"{key}.ndjson"), status, **{Attr.BATCH_ID: manifest_id})
    world.track(world.put_object("none.ndjson"), MANIFESTED)
    world.open_manifest("open")
    world.closed_manifest("done")
    world.closed_manifest("abandoned", contracts.ABANDONED)
    files = stuck(world)
    preview = seen(files)
    assert (preview.files, files.waiting) == (4, 2)
    assert {each.entry.key: each.why for each in preview.examples} == {
        "done.ndjson": "it is manifested, and its manifest done is closed (done)",
        "abandoned.ndjson": "it is processing, and its manifest abandoned is closed (abandoned)",
        "unknown.ndjson": "it is processing, and its manifest unknown is unknown to the ledger",
        "none.ndjson": "it is manifested without a manifest",
    }
    assert moved(stuck(world)).moved == 4
    statuses = world.statuses()
    assert (statuses.pop("waits.ndjson"), statuses.pop("runs.ndjson")) == (MANIFESTED, PROCESSING)
    assert set(statuses.values()) == {PENDING}


def test_a_stuck_file_replaces_the_rows_that_its_manifest_may_have_written(world: RedriveWorld) -> None:
    for manifest_id in ("done", "abandoned", "withparts", "without"):
        old = {Attr.BATCH_ID: manifest_id, Attr.REPLACES: "m0"}
        world.track(world.put_object(f"{manifest_id}.ndjson"), MANIFESTED, **old)
    world.closed_manifest("done")
    world.closed_manifest("abandoned", contracts.ABANDONED)
    world.s3.put_object(Bucket=NAMES.output_bucket, Key=part_key(DAY, "withparts", 0), Body=b"")
    assert moved(stuck(world)).moved == 4
    replaces = {
        key: world.item(f"{key}.ndjson")[Attr.REPLACES] for key in ("done", "abandoned", "withparts", "without")
    }
    assert replaces == {"done": "done", "abandoned": "m0", "withparts": "withparts", "without": "m0"}


def test_a_stuck_file_without_its_object_fails(world: RedriveWorld) -> None:
    world.track(world.put_object("a.ndjson"), MANIFESTED, **LEFT)
    world.s3.delete_object(Bucket=NAMES.input_bucket, Key="a.ndjson")
    outcome = moved(stuck(world))
    assert [each.what for each in outcome.left] == ["gone"]
    assert world.item("a.ndjson")[Attr.STATUS] == FAILED


def test_an_index_that_lags_makes_no_file_stuck(world: RedriveWorld) -> None:
    world.track(world.put_object("a.ndjson"), COMPLETED, **LEFT)

    class Late(Tracking):
        def with_status(self, status: str, date: str | None) -> Iterator[list[Entry]]:
            yield [Entry(DAY, "a.ndjson", status, "", "", 0, "m1", "", "", "", "")]

    tracking = Late(world.dynamodb, NAMES.tracking_table, world.tracking._ledger)
    assert seen(StuckFiles(tracking, world.mover, NAMES, EVERYTHING)).files == 0


def test_a_manifest_that_opens_meanwhile_keeps_its_files(world: RedriveWorld) -> None:
    world.track(world.put_object("a.ndjson"), MANIFESTED, **LEFT)
    candidates = [each for page in stuck(world).pages() for each in page]
    world.open_manifest("m1", contracts.READY)
    assert [stuck(world).move(each).what for each in candidates] == ["changed"]
    assert world.item("a.ndjson")[Attr.STATUS] == MANIFESTED


# ------------------------------------------------------------------------------------------------ superseded


def completed(world: RedriveWorld, key: str, date: str = DAY, **more: Any) -> None:
    done = {Attr.ROWS: 1, Attr.LINES: 1, Attr.BAD_LINES: 0, Attr.COMPLETED_AT: f"{DAY}T12:00:00.000Z"}
    world.track(world.put_object(key), COMPLETED, date, **LEFT, **done, **more)


def test_superseded_files_become_pending_and_replace_their_manifest(world: RedriveWorld) -> None:
    completed(world, "same.ndjson")
    completed(world, "newer.ndjson", **{Attr.SUPERSEDED_BY: "e2"})
    completed(world, "other.ndjson", "2026-11-21", **{Attr.SUPERSEDED_BY: "e2"})
    facts = world.put_object("newer.ndjson", b'{"a":333}\n')
    world.put_object("other.ndjson", b'{"a":333}\n')
    files = SupersededFiles(world.tracking, world.mover, dates_of(DAY, NOW))
    assert seen(files).files == 1
    assert seen(SupersededFiles(world.tracking, world.mover, dates_of(None, NOW))).files == 2
    assert moved(files).moved == 1
    item = world.item("newer.ndjson")
    assert (item[Attr.STATUS], item[Attr.ETAG], item[Attr.REPLACES]) == (PENDING, facts.etag, "m1")
    assert not set(contracts.LEFT_BY_A_RUN) & item.keys()
    assert world.statuses()["same.ndjson"] == COMPLETED
    assert moved(files).moved == 0


def test_files_by_their_keys_and_why_not(world: RedriveWorld) -> None:
    completed(world, "newer.ndjson")
    world.put_object("newer.ndjson", b'{"a":333}\n')
    completed(world, "same.ndjson")
    completed(world, "gone.ndjson")
    world.s3.delete_object(Bucket=NAMES.input_bucket, Key="gone.ndjson")
    world.track(world.put_object("failed.ndjson"), FAILED, **LEFT)
    world.track(world.put_object("under.ndjson"), PROCESSING, **LEFT)
    completed(world, "2025-01-31-dated.ndjson", "2025-01-31")
    world.put_object("2025-01-31-dated.ndjson", b'{"a":333}\n')
    keys = ["newer", "same", "gone", "failed", "under", "2025-01-31-dated", "nowhere"]
    named = [f"s3://{NAMES.input_bucket}/newer.ndjson", *(f"{key}.ndjson" for key in keys)]
    files = NamedFiles(world.tracking, world.mover, named, None, NOW, typed)
    assert seen(files).files == 2
    told = {each.entry.key.removesuffix(".ndjson"): each.why for each in files.refused}
    assert told == {
        "same": "its rows are of the version that is there: nothing to do; if they are damaged, "
        "'ndjctl reprocess --manifest m1 --env dev' writes them again",
        "gone": "the object is no longer there; its rows stay as they are",
        "failed": f"it is failed: 'ndjctl redrive failed --date {DAY} --env dev' enters it again",
        "under": "it is processing: it is on its way already",
        "nowhere": "the ledger has no such file (it remembers a file for 7 days)",
    }
    assert moved(files).moved == 2
    assert world.item("2025-01-31-dated.ndjson", "2025-01-31")[Attr.STATUS] == PENDING
    with pytest.raises(UsageError, match=r"'readme\.txt' is no key of a file"):
        seen(NamedFiles(world.tracking, world.mover, ["readme.txt"], None, NOW, typed))


def test_a_uri_of_another_bucket_is_no_file_of_this_environment(world: RedriveWorld) -> None:
    for uri, problem in (
        ("s3://elsewhere/a.ndjson", f"is not in this environment's input bucket, which is s3://{NAMES.input_bucket}/"),
        ("s3://a.ndjson", "is not s3://bucket/key"),
    ):
        with pytest.raises(UsageError, match=re.escape(problem)):
            seen(NamedFiles(world.tracking, world.mover, [uri], None, NOW, typed))


def test_what_is_previewed_is_the_newer_version(world: RedriveWorld) -> None:
    for key in ("newer.ndjson", "back.ndjson", "gone.ndjson"):
        completed(world, key, **{Attr.SUPERSEDED_BY: "e2"})
    world.put_object("newer.ndjson", b'{"a":4444444444}\n')
    world.s3.delete_object(Bucket=NAMES.input_bucket, Key="gone.ndjson")
    files = SupersededFiles(world.tracking, world.mover, [DAY])
    gone: list[Any] = []
    preview = look(sized(world.mover, files.pages(), gone), Preview(), nothing)
    assert (preview.files, preview.size_bytes) == (2, 17)
    assert {each.entry.key: each.size_bytes for each in preview.examples} == {"newer.ndjson": 17, "back.ndjson": 0}
    assert [(each.entry.key, each.what) for each in gone] == [("gone.ndjson", "gone")]
    outcome = moved(files)
    assert (outcome.moved, outcome.size_bytes) == (1, 17)


def test_a_key_under_two_dates_needs_one(world: RedriveWorld) -> None:
    completed(world, "a.ndjson")
    completed(world, "a.ndjson", "2026-11-21")
    world.put_object("a.ndjson", b'{"a":333}\n')
    files = NamedFiles(world.tracking, world.mover, ["a.ndjson"], None, NOW, typed)
    assert seen(files).files == 0
    assert [each.why for each in files.refused] == [
        "the ledger has it under several dates (2026-11-23, 2026-11-21): say --date"
    ]
    files = NamedFiles(world.tracking, world.mover, ["a.ndjson"], "2026-11-21", NOW, typed)
    assert moved(files).moved == 1
    assert (world.item("a.ndjson")[Attr.STATUS], world.item("a.ndjson", "2026-11-21")[Attr.STATUS]) == (
        COMPLETED,
        PENDING,
    )


def test_a_file_of_an_open_manifest_waits(world: RedriveWorld) -> None:
    completed(world, "a.ndjson")
    world.put_object("a.ndjson", b'{"a":333}\n')
    world.open_manifest("m1")
    files = NamedFiles(world.tracking, world.mover, ["a.ndjson"], None, NOW, typed)
    outcome = moved(files)
    assert [(each.what, each.why) for each in outcome.left] == [
        ("refused", "its manifest m1 is open: wait until that is done")
    ]
    assert world.item("a.ndjson")[Attr.STATUS] == COMPLETED


def test_an_event_that_comes_between_look_and_move_is_not_forgotten(world: RedriveWorld) -> None:
    completed(world, "a.ndjson", **{Attr.SUPERSEDED_BY: "e2"})
    world.put_object("a.ndjson", b'{"a":333}\n')
    files = SupersededFiles(world.tracking, world.mover, [DAY])
    (page,) = files.pages()
    completed_again = world.item("a.ndjson") | {Attr.SUPERSEDED_BY: "e3"}
    world.put(completed_again)
    assert files.move(page[0]).what == "changed"
    assert world.item("a.ndjson") == completed_again


def test_the_converted_version_put_back_is_no_longer_superseded(world: RedriveWorld) -> None:
    for key in ("a.ndjson", "b.ndjson"):
        completed(world, key, **{Attr.SUPERSEDED_BY: "e2", Attr.SUPERSEDED_SEQUENCER: "05"})
    rows = world.item("a.ndjson")
    for files in (
        NamedFiles(world.tracking, world.mover, ["a.ndjson"], None, NOW, typed),
        SupersededFiles(world.tracking, world.mover, [DAY]),
    ):
        outcome = moved(files)
        assert ([each.what for each in outcome.left], outcome.moved, outcome.is_whole) == (["settled"], 0, True)
    assert seen(SupersededFiles(world.tracking, world.mover, [DAY])).files == 0
    item = world.item("a.ndjson")
    unchanged = (Attr.STATUS, Attr.BATCH_ID, Attr.ETAG, Attr.ROWS, Attr.COMPLETED_AT)
    assert {name: item[name] for name in unchanged} == {name: rows[name] for name in unchanged}
    assert not {Attr.SUPERSEDED_BY, Attr.SUPERSEDED_SEQUENCER, Attr.REPLACES} & item.keys()
