"""What becomes of a file that was set aside for its size and released with an exception: its event again, a newer
version, a failed run."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from ndjctl.contracts import COMPLETED, FAILED, MANIFESTED, PENDING, QUARANTINED, Attr
from ndjctl.ledger import Ledger
from ndjctl.redrive.moves import MOVED, Mover
from ndjctl.redrive.newer import reprocess
from ndjctl.redrive.tracking import Entry, Tracking
from ndjctl.redrive.work import Candidate
from tests.lambda_world import DAY, World

KEY = f"in/{DAY}-x.ndjson"
LARGE = 6_000


@dataclass
class Scene:
    world: World
    event: dict[str, Any] = field(default_factory=dict)

    @property
    def mover(self) -> Mover:
        world = self.world
        table = world.settings.tracking_table
        tracking = Tracking(world.dynamodb, table, Ledger(world.dynamodb, table, lambda _s: None))
        return Mover(world.s3, tracking, world.input, world.settings.size_window, self.clock, lambda _s: None)

    def clock(self) -> datetime:
        return self.world.now

    @property
    def entry(self) -> Entry:
        return self.mover.tracking.entries([(DAY, KEY)])[DAY, KEY]

    @property
    def status(self) -> str:
        return str(self.world.files()[KEY][Attr.STATUS])

    def release(self) -> None:
        entry = self.entry
        facts = self.mover.facts(entry)
        assert facts is not None and facts.etag == entry.etag
        assert self.mover.enter(entry, facts, replaces="").what == MOVED

    def set(self, status: str, **more: Any) -> None:
        from lambda_handler.dynamo import to_item

        item = self.world.dynamodb.tables[self.world.settings.tracking_table][DAY, KEY]
        item.update(to_item({Attr.STATUS: status, **more}))


@pytest.fixture
def scene() -> Scene:
    scene = Scene(World(max_files_per_manifest=100))
    scene.event = scene.world.upload(name=KEY, size=LARGE)
    assert scene.world.deliver(scene.event) == []
    assert scene.status == QUARANTINED
    scene.release()
    assert scene.status == PENDING
    return scene


@pytest.mark.parametrize("status", [PENDING, MANIFESTED, COMPLETED, FAILED])
def test_its_event_again_is_a_duplicate(scene: Scene, status: str) -> None:
    scene.set(status)
    again = scene.world.upload(name=KEY, size=LARGE)  # the same bytes, with a later sequencer
    for event in (scene.event, again):
        assert scene.world.deliver(event) == []
        assert scene.status == status


@pytest.mark.parametrize("status", [PENDING, FAILED])
def test_a_newer_version_meets_the_rule_again(scene: Scene, status: str) -> None:
    scene.set(status)
    scene.world.deliver(scene.world.upload(name=KEY, size=LARGE, fill="y"))
    assert scene.status == QUARANTINED
    scene.world.deliver(scene.world.upload(name=KEY, size=100, fill="z"))
    assert scene.status == PENDING


def test_a_newer_version_of_a_converted_one_meets_the_rule_when_it_is_reprocessed(scene: Scene) -> None:
    scene.world.settle()
    assert scene.status == COMPLETED
    scene.world.deliver(scene.world.upload(name=KEY, size=LARGE, fill="y"))
    assert scene.status == COMPLETED and scene.entry.superseded_by
    moved = reprocess(scene.mover, Candidate(scene.entry, replaces="m", is_closed="m"))
    assert moved.what == "refused" and "would be set aside as too-large" in moved.why


def test_a_run_that_fails_leaves_it_failed_and_a_redrive_takes_it_without_the_rule(scene: Scene) -> None:
    scene.set(FAILED, **{Attr.ERROR: "out of memory"})
    assert scene.mover.redrive(scene.entry, replaces="").what == MOVED
    assert scene.status == PENDING


def test_a_released_file_is_converted_by_itself_whatever_its_size() -> None:
    scene = Scene(World(max_batch_bytes=1_000, max_files_per_manifest=2))
    scene.world.deliver(scene.world.upload(name=KEY, size=LARGE))
    scene.release()
    scene.world.settle()
    assert scene.status == COMPLETED
