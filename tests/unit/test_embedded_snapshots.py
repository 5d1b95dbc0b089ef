from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ndjctl.embedded.snapshots import Snapshots, read_snapshot


class World:
    """Services whose copies and writes can fail, and a clock that only moves when told."""

    def __init__(self, tmp_path: Path) -> None:
        self.now = 1000.0
        self.written: dict[str, list[Any]] = {}
        self.broken: set[str] = set()
        self.copy_s = 0.0
        self.dir = tmp_path
        self.snapshots = Snapshots(
            dict,
            self.save,
            lambda name: len(self.written.get(name, [])),
            record_path=tmp_path / "snapshot.json",
            pid=7,
            on_loop=self.on_loop,
            clock=lambda: datetime(2026, 1, 31, tzinfo=timezone.utc),
            timer=lambda: self.now,
        )

    def save(self, services: dict[str, Callable[[], Any]]) -> None:
        for name, get_state in services.items():
            if name not in self.broken:
                self.written.setdefault(name, []).append(get_state())

    def on_loop(self, function: Callable[[], Any]) -> Any:
        self.now += self.copy_s
        return function()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_copy_that_changes_meanwhile_is_taken_again(world: World) -> None:
    answers: list[Any] = [RuntimeError("dictionary changed size"), RuntimeError("again"), {"a": 1}]

    def get_state() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    snapshot = world.snapshots.save_all({"sqs": get_state}, final=False)
    assert world.written == {"sqs": [{"a": 1}]} and snapshot.failed == ()


def test_what_could_not_be_saved_is_named_and_the_rest_is_saved(world: World) -> None:
    def always_changing() -> Any:
        raise RuntimeError("dictionary changed size")

    def buggy() -> Any:
        raise KeyError("x")

    world.broken.add("s3")
    services = {"sqs": always_changing, "iam": buggy, "s3": dict, "logs": lambda: {"l": 1}, "unloaded": lambda: None}
    snapshot = world.snapshots.save_all(services, final=True)
    assert snapshot.failed == ("sqs", "iam", "s3") and snapshot.final
    assert world.written == {"logs": [{"l": 1}]}
    assert read_snapshot(world.dir) == snapshot
    assert snapshot.saved_at == "2026-01-31T00:00:00.000Z"


def test_saves_only_after_a_change_and_not_too_often(world: World) -> None:
    world.now += 100
    assert not world.snapshots.is_due()
    world.snapshots.touched()
    assert world.snapshots.is_due()
    world.copy_s = 1.0
    world.snapshots.save_all({"sqs": dict}, final=False)
    world.snapshots.touched()
    # The save took a second: at most one in twenty seconds goes into saving.
    world.now += 19.9
    assert not world.snapshots.is_due()
    world.now += 0.2
    assert world.snapshots.is_due()


def test_pollers_are_saved_for_a_while_after_the_last_request(world: World) -> None:
    world.now += 5
    world.snapshots.touched()
    saves = 0
    for _ in range(600):
        world.now += 0.25
        if world.snapshots.is_due():
            world.snapshots.save_all({"sqs": dict}, final=False)
            saves += 1
    # Every two seconds while changes may still come, and then no more.
    assert 5 <= saves <= 7


def test_a_failed_save_is_tried_again_without_a_new_request(world: World) -> None:
    world.broken.add("sqs")
    world.now += 50
    world.snapshots.save_all({"sqs": dict}, final=False)
    world.now += 3
    assert world.snapshots.is_due()


def test_a_record_that_cannot_be_written_or_read_is_no_error(tmp_path: Path) -> None:
    world = World(tmp_path)
    (tmp_path / "snapshot.json").mkdir()
    assert world.snapshots.save_all({"sqs": dict}, final=False).failed == ()
    assert read_snapshot(tmp_path) is None
    (tmp_path / "snapshot.json").rmdir()
    for text in ("", "{}", "[]", json.dumps({"saved_at": 1})):
        (tmp_path / "snapshot.json").write_text(text)
        assert read_snapshot(tmp_path) is None
