"""Following files through a ledger that moves as the clock does."""

from __future__ import annotations

import io
import json
from collections import Counter
from datetime import datetime, timezone
from typing import Any

import pytest

from ndjctl.contracts import COMPLETED, FAILED, PENDING, PROCESSING
from ndjctl.errors import CloudError, WorkFailed
from ndjctl.ledger import FileId, FileRecord
from ndjctl.watch import Flusher, Watched, find, watch

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
LATE = datetime(2026, 1, 31, 23, 59, 59, tzinfo=timezone.utc)


class World:
    """A clock, a ledger whose records appear at given seconds, and a function that can be flushed."""

    def __init__(self, history: dict[FileId, list[tuple[float, str, str]]]) -> None:
        self.now = 0.0
        self.history = history
        self.flushes: list[float] = []
        self.after_flush: dict[FileId, str] = {}

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def flush(self) -> None:
        self.flushes.append(self.now)

    def get(self, ids: Any) -> dict[FileId, FileRecord]:
        found = {}
        for file_id in ids:
            for at, status, etag in self.history.get(file_id, []):
                if at <= self.now:
                    found[file_id] = FileRecord(*file_id, status=status, etag=etag)
            record = found.get(file_id)
            if record and record.status == PENDING and self.flushes and file_id in self.after_flush:
                found[file_id] = FileRecord(*file_id, status=self.after_flush[file_id], etag=record.etag)
        return found

    def watch(self, files: list[Watched], timeout_s: float = 600, **hooks: Any) -> Any:
        return watch(
            self,  # type: ignore[arg-type]
            files,
            self,  # type: ignore[arg-type]
            clock=self.clock,
            sleep=self.sleep,
            timeout_s=timeout_s,
            **hooks,
        )


def test_waits_until_every_file_is_at_rest_and_reports_on_the_way() -> None:
    world = World(
        {
            ("2026-01-31", "a.ndjson"): [(1, PENDING, "e"), (3, PROCESSING, "e"), (9, COMPLETED, "e")],
            ("2026-01-31", "b.ndjson"): [(2, PENDING, "e"), (5, FAILED, "e")],
        }
    )
    seen: list[Counter[str]] = []
    files = [Watched("a.ndjson", "e", NOON), Watched("b.ndjson", "e", NOON)]
    records = world.watch(files, report=seen.append)
    assert {file.key: record.status for file, record in records.items()} == {"a.ndjson": COMPLETED, "b.ndjson": FAILED}
    assert seen[0] == Counter(unseen=2)
    assert seen[-1] == Counter(completed=1, failed=1)


def test_a_partial_batch_is_flushed_once_its_files_are_in_and_not_before() -> None:
    world = World({("2026-01-31", "a.ndjson"): [(1, PENDING, "e")], ("2026-01-31", "b.ndjson"): [(1.5, PENDING, "e")]})
    world.after_flush = {("2026-01-31", k): COMPLETED for k in ("a.ndjson", "b.ndjson")}
    world.watch([Watched("a.ndjson", "e", NOON), Watched("b.ndjson", "e", NOON)])
    assert world.flushes
    assert 1.5 <= world.flushes[0] < 3


def test_flushing_does_not_become_a_storm() -> None:
    world = World({("2026-01-31", "a.ndjson"): [(0, PROCESSING, "e"), (100, COMPLETED, "e")]})
    world.watch([Watched("a.ndjson", "e", NOON)])
    assert len(world.flushes) <= 21


def test_the_record_of_another_version_does_not_count() -> None:
    world = World({("2026-01-31", "a.ndjson"): [(0, COMPLETED, "old"), (5, COMPLETED, "new")]})
    world.watch([Watched("a.ndjson", "new", NOON)])
    assert world.now >= 5


def test_an_upload_at_midnight_is_found_under_either_date() -> None:
    world = World({("2026-02-01", "a.ndjson"): [(0, COMPLETED, "e")]})
    file = Watched("a.ndjson", "e", LATE)
    assert find(world, [file])[file].date == "2026-02-01"  # type: ignore[arg-type]


def test_the_same_bytes_again_days_later_are_found_under_the_date_of_the_first_event() -> None:
    for day, is_found in (("2026-01-24", True), ("2026-01-23", False), ("2026-01-30", True)):
        world = World({(day, "a.ndjson"): [(0, COMPLETED, "e")], ("2026-01-31", "a.ndjson"): [(0, FAILED, "other")]})
        file = Watched("a.ndjson", "e", NOON)
        assert (file in find(world, [file])) is is_found, day  # type: ignore[arg-type]
    assert Watched("2026-01-25-a.ndjson", "e", NOON).other_ids == []


def test_an_event_that_never_comes_is_told() -> None:
    with pytest.raises(WorkFailed, match=r"No event came for 1 of 1 files .*'a\.ndjson'.*same command"):
        World({}).watch([Watched("a.ndjson", "e", NOON)])


def test_a_full_disk_ends_the_waiting() -> None:
    world = World({("2026-01-31", "a.ndjson"): [(0, PROCESSING, "e")]})

    def check() -> None:
        if world.now > 10:
            raise WorkFailed("The disk is too full")

    with pytest.raises(WorkFailed, match="too full"):
        world.watch([Watched("a.ndjson", "e", NOON)], check=check)
    assert world.now < 12


def test_time_runs_out_with_counts() -> None:
    world = World({("2026-01-31", "a.ndjson"): [(0, PROCESSING, "e")]})
    with pytest.raises(WorkFailed, match=r"1 of 1 files were not at rest after 30 s \(1 processing\)"):
        world.watch([Watched("a.ndjson", "e", NOON)], timeout_s=30)


class FakeLambda:
    def __init__(self, answer: dict[str, Any], payload: bytes) -> None:
        self.answer, self.payload, self.sent = answer, payload, b""

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.sent = Payload
        return {**self.answer, "Payload": io.BytesIO(self.payload)}


def test_flush_asks_for_a_flush_and_tells_a_failing_function() -> None:
    fine = FakeLambda({}, b"{}")
    Flusher(fine, "f").flush()
    assert json.loads(fine.sent) == {"action": "flush"}
    broken = FakeLambda({"FunctionError": "Unhandled"}, b'{"errorType":"KeyError","errorMessage":"\'X\'"}')
    with pytest.raises(CloudError, match="The function f failed: KeyError: 'X'"):
        Flusher(broken, "f").flush()
    with pytest.raises(CloudError, match="failed"):
        Flusher(FakeLambda({"FunctionError": "Unhandled"}, b"\xff"), "f").flush()
