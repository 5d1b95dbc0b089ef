"""Feeding a bucket (moto's): uploads, copies, parts, pace, deaths, and exactly its own taken away again."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ndjctl.errors import WorkFailed
from ndjctl.feeding.deleting import delete_all
from ndjctl.feeding.feed import feed
from ndjctl.feeding.journal import Fed, Journal
from ndjctl.feeding.pace import AtOnce, Pace, Steady
from ndjctl.feeding.plan import FeedLimits, FeedPlan, plan_feed
from ndjctl.generate.content import Generator
from tests.generate_world import made, recipe, share

BUCKET = "input"
KIB = 1024
SMALL = FeedLimits(copy_limit_bytes=120 * KIB, copy_part_bytes=100 * KIB, upload_part_bytes=100 * KIB)


class Died(Exception):
    """As far as the code can tell, the process is no longer there."""


class Calls:
    """A client of S3 that counts its calls, and fails at one of them, before or after it was done."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self._lock = Lock()
        self.counts: Counter[str] = Counter()
        self.dies: tuple[str, int, bool] | None = None  # (method, which call of it, whether it is done all the same)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._s3, name)
        if name == "get_paginator":
            return method

        def call(**arguments: Any) -> Any:
            with self._lock:
                self.counts[name] += 1
                dies = self.dies is not None and self.dies[:2] == (name, self.counts[name])
                if dies and self.dies and not self.dies[2]:
                    raise Died
                answer = method(**arguments)
                if dies:
                    raise Died
                return answer

        return call


class Told:
    def __init__(self) -> None:
        self.sent_bytes = 0
        self.files: dict[str, Fed] = {}
        self._lock = Lock()

    def sent(self, size_bytes: int) -> None:
        with self._lock:
            self.sent_bytes += size_bytes

    def fed(self, file: Fed) -> None:
        self.files[file.key] = file


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)  # a setting of moto's; S3 has 5 MiB
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="in/2026-11-23-t-zz.ndjson", Body=b"somebody else's\n")
        yield Calls(client)


@pytest.fixture(scope="module")
def small() -> Generator:
    return Generator(recipe("flat", 1, share("1/50"), lines=300))


@pytest.fixture(scope="module")
def large() -> Generator:
    return Generator(recipe("tweets", size_bytes=240 * KIB))


def plan(generator: Generator, files: int = 7, uniques: int = 2, marker: str = "m1") -> FeedPlan:
    keys = [f"in/2026-11-23-t-{number:06d}.ndjson" for number in range(files)]
    return plan_feed(BUCKET, marker, keys, [generator.expected_bytes()] * uniques, SMALL)


def run(
    wanted: FeedPlan,
    s3: Calls,
    generator: Generator,
    folder: Path,
    pace: Pace | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[dict[int, Any], Told]:
    told = Told()
    clock = itertools.count()
    with Journal(folder / "journal", wanted.marker) as journal:
        facts = feed(
            wanted,
            s3,
            generator.content,
            journal,
            pace or AtOnce(),
            clock=lambda: float(next(clock)),
            sleep=lambda _s: None,
            progress=told,
            at_once=3,
            stop=stop,
        )
    return facts, told


def bodies(s3: Calls) -> dict[str, bytes]:
    found = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    keys = [entry["Key"] for entry in found if not entry["Key"].endswith("zz.ndjson")]
    return {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def expected(wanted: FeedPlan, generator: Generator) -> dict[str, bytes]:
    return {file.key: made(generator, file.unique)[0] for file in wanted.files}


def unfinished(s3: Calls) -> list[Any]:
    return list(s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))


def test_a_few_go_up_and_the_server_copies_the_rest(s3: Calls, small: Generator, tmp_path: Path) -> None:
    wanted = plan(small)
    facts, told = run(wanted, s3, small, tmp_path)
    assert bodies(s3) == expected(wanted, small)
    assert facts == {number: made(small, number)[1] for number in (0, 1)}
    assert (s3.counts["put_object"], s3.counts["copy_object"]) == (2, 5)
    assert wanted.upload_requests + wanted.copy_requests == 7
    assert told.sent_bytes == sum(each.size_bytes for each in facts.values())
    for file in wanted.files:
        head = s3.head_object(Bucket=BUCKET, Key=file.key)
        fed = told.files[file.key]
        assert (fed.etag, fed.size_bytes, fed.is_copy) == (head["ETag"].strip('"'), head["ContentLength"], file.is_copy)
        assert abs((fed.last_modified - head["LastModified"]).total_seconds()) < 2
        assert head["ContentType"] == "application/x-ndjson"


def test_large_ones_go_up_and_are_copied_in_parts(s3: Calls, large: Generator, tmp_path: Path) -> None:
    wanted = plan(large, files=3, uniques=1)
    assert [file.parts for file in wanted.files] == [3, 3, 3]
    run(wanted, s3, large, tmp_path)
    assert bodies(s3) == expected(wanted, large)
    counts = s3.counts
    assert (counts["upload_part"], counts["upload_part_copy"], counts["copy_object"]) == (3, 6, 0)
    made_by = ("create_multipart_upload", "upload_part", "upload_part_copy", "complete_multipart_upload")
    assert sum(counts[name] for name in made_by) == wanted.upload_requests + wanted.copy_requests == 15
    assert not unfinished(s3)


def test_what_is_there_is_not_made_again(s3: Calls, small: Generator, tmp_path: Path) -> None:
    run(plan(small), s3, small, tmp_path)
    s3.counts.clear()
    facts, told = run(plan(small), s3, small, tmp_path)
    assert not s3.counts["put_object"] + s3.counts["copy_object"] + s3.counts["head_object"]
    assert sorted(facts) == [0, 1]
    assert len(told.files) == 7
    run(plan(small, files=9), s3, small, tmp_path)  # two more
    assert s3.counts["copy_object"] == 2
    # Without its journal it knows them by their marker.
    s3.counts.clear()
    facts, _ = run(plan(small, files=9), s3, small, tmp_path / "new")
    assert sorted(facts) == [0, 1]
    assert not s3.counts["put_object"] + s3.counts["copy_object"]


METHODS = ("put_object", "copy_object")
IN_PARTS = (
    *("create_multipart_upload", "upload_part", "upload_part_copy", "complete_multipart_upload", "head_object"),
)


@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize("which", [1, 2])
@pytest.mark.parametrize("method", METHODS + IN_PARTS)
def test_a_death_at_any_call_is_gone_on_with_and_leaves_nothing_behind(
    s3: Calls, small: Generator, large: Generator, tmp_path: Path, method: str, which: int, is_done: bool
) -> None:
    generator, wanted = (large, plan(large, 3, 1)) if method in IN_PARTS else (small, plan(small, 5, 2))
    s3.dies = (method, which, is_done)
    # The process dies: what would be tidied up on the way out is not.
    s3.abort_multipart_upload = lambda **_: None
    with pytest.raises(Died):
        run(wanted, s3, generator, tmp_path)
    del s3.abort_multipart_upload
    s3.dies = None
    facts, told = run(wanted, s3, generator, tmp_path)
    assert bodies(s3) == expected(wanted, generator)
    assert not unfinished(s3)
    assert sorted(facts) == list(range(wanted.uploads))
    assert set(told.files) == {file.key for file in wanted.files}
    with Journal(tmp_path / "journal", wanted.marker) as journal:
        delete_all(wanted, s3, journal)
    assert bodies(s3) == {}


def test_a_failure_ends_what_is_under_way(s3: Calls, large: Generator, tmp_path: Path) -> None:
    s3.dies = ("upload_part_copy", 2, False)
    with pytest.raises(Died):
        run(plan(large, 4, 1), s3, large, tmp_path)
    assert not unfinished(s3)
    assert set(bodies(s3)) <= {file.key for file in plan(large, 4, 1).files}


def test_a_feeding_that_is_stopped_leaves_nothing_unfinished(s3: Calls, large: Generator, tmp_path: Path) -> None:
    run(plan(large, 6, 1), s3, large, tmp_path, stop=lambda: s3.counts["upload_part_copy"] >= 4)
    assert not unfinished(s3)
    assert 1 <= len(bodies(s3)) < 6
    run(plan(large, 6, 1), s3, large, tmp_path)
    assert bodies(s3) == expected(plan(large, 6, 1), large)


def test_somebody_elses_object_is_neither_overwritten_nor_deleted(s3: Calls, small: Generator, tmp_path: Path) -> None:
    key = plan(small).files[3].key
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"theirs\n")
    with pytest.raises(WorkFailed, match=f"{key} is there already"):
        run(plan(small), s3, small, tmp_path)
    assert bodies(s3) == {key: b"theirs\n"}
    s3.delete_object(Bucket=BUCKET, Key=key)
    run(plan(small), s3, small, tmp_path)
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"theirs\n")
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="in/2026-11-23-t-other.ndjson")
    mine = s3.create_multipart_upload(Bucket=BUCKET, Key=plan(small).files[0].key)
    with Journal(tmp_path / "journal", "m1") as journal:
        deleted = delete_all(plan(small), s3, journal)
        again = delete_all(plan(small), s3, journal)
    assert (deleted.objects, deleted.uploads_aborted, deleted.kept) == (6, 1, (key,))
    assert (again.objects, again.uploads_aborted, again.kept) == (0, 0, (key,))
    assert bodies(s3) == {key: b"theirs\n"}
    assert s3.get_object(Bucket=BUCKET, Key="in/2026-11-23-t-zz.ndjson")["Body"].read() == b"somebody else's\n"
    assert [entry["UploadId"] for entry in unfinished(s3)] == [upload["UploadId"]]
    assert mine["UploadId"] != upload["UploadId"]


def test_only_some_keys_are_deleted(s3: Calls, small: Generator, tmp_path: Path) -> None:
    run(plan(small), s3, small, tmp_path)
    some = [file.key for file in plan(small).files[:2]]
    with Journal(tmp_path / "journal", "m1") as journal:
        assert delete_all(plan(small), s3, journal, some).objects == 2
        assert journal.deleted == set(some)
    assert set(bodies(s3)) == {file.key for file in plan(small).files[2:]}
    run(plan(small), s3, small, tmp_path)  # what is not there is made again
    assert bodies(s3) == expected(plan(small), small)


def test_a_source_that_is_replaced_meanwhile_is_not_copied(s3: Calls, small: Generator, tmp_path: Path) -> None:
    wanted = plan(small, files=2, uniques=1)
    copy = s3.copy_object
    asked: list[dict[str, Any]] = []

    def copy_late(**arguments: Any) -> Any:
        s3.put_object(Bucket=BUCKET, Key=wanted.files[0].key, Body=b"other\n")
        asked.append(arguments)
        return copy(**arguments)

    s3.copy_object = copy_late
    run(wanted, s3, small, tmp_path)
    # moto copies all the same; that the embedded cloud refuses is in tests/e2e/test_feeding.py.
    with Journal(tmp_path / "journal", "m1") as journal:
        assert [each["CopySourceIfMatch"] for each in asked] == [f'"{journal.fed[wanted.files[0].key].etag}"']
    with pytest.raises(WorkFailed, match="none of these files"):
        run(wanted, s3, small, tmp_path)


def test_an_object_of_another_size_than_the_content_is_found(s3: Calls, small: Generator, tmp_path: Path) -> None:
    run(plan(small), s3, small, tmp_path)
    key = plan(small).files[4].key
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"half", Metadata={"ndjctl-feed": "m1"})
    with pytest.raises(WorkFailed, match=f"{key} has 4 bytes"):
        run(plan(small), s3, small, tmp_path)


def test_the_pace_is_kept(s3: Calls, small: Generator, tmp_path: Path) -> None:
    told: list[float] = []
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        told.append(seconds)

    wanted = plan(small, 7, 1)
    with Journal(tmp_path / "journal", "m1") as journal:
        feed(
            wanted, s3, small.content, journal, Steady(0.25), clock=lambda: now, sleep=sleep, progress=Told(), at_once=2
        )
    assert sum(told) == pytest.approx(6 / 0.25)
    assert max(told) <= 1  # so that a stop is heard


def test_a_journal_is_held_by_one_and_survives_a_line_that_was_cut_short(
    s3: Calls, small: Generator, tmp_path: Path
) -> None:
    run(plan(small), s3, small, tmp_path)
    path = tmp_path / "journal"
    with Journal(path, "m1") as journal:
        assert len(journal.fed) == 7
        assert sorted(journal.facts) == [0, 1]
        with pytest.raises(WorkFailed, match="is in use"):
            Journal(path, "m1")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"fed": {"key": "in/')
    with Journal(path, "m1") as journal:
        assert len(journal.fed) == 7
        journal.add_deleted(["in/x"])
    assert path.read_bytes() == whole + b'{"deleted": ["in/x"]}\n'
    with pytest.raises(WorkFailed, match="journal of other files"):
        Journal(path, "m2")
    path.write_bytes(b'{"format": "ndjctl.feed-journal", "version": 1, "marker": "m1"}\n{"fed": {}}\n')
    with pytest.raises(WorkFailed, match="or damaged"):
        Journal(path, "m1")
