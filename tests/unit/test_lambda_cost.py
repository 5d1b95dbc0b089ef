"""What the function asks of the ledger for one file, in request units of DynamoDB: little, and no more when a day's
files are done or wait."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from lambda_handler.dynamo import to_item
from ndjctl.contracts import COMPLETED, PENDING, Attr
from tests.lambda_world import DAY, World
from tests.ledger_units import Meter

FILES = 300


def world_with(done: int = 0, pending: int = 0, **changes: int) -> World:
    world = World(max_files_per_manifest=100, max_batch_bytes=10**9, page_items=500, **changes)
    keys = {world.settings.tracking_table: (Attr.DATE_PREFIX, Attr.FILE_KEY)}
    world.dynamodb = Meter({**keys, world.settings.metrics_table: ("metric_date", "metric_type")})
    world.dynamodb.keys_per_read = 100
    world.glue.max_concurrent = 1000
    for status, count in ((COMPLETED, done), (PENDING, pending)):
        for number in range(count):
            moment = f"2026-03-14T11:{number // 60 % 60:02d}:{number % 60:02d}.000Z"
            facts = {Attr.BUCKET: world.input, Attr.SIZE_BYTES: 100, Attr.ETAG: "e" * 35, Attr.UPLOAD_TIME: moment}
            place = {Attr.DATE_PREFIX: DAY, Attr.FILE_KEY: f"landing/{DAY}-before-{status}-{number:09d}.ndjson"}
            stored = to_item({**place, **facts, Attr.STATUS: status})
            key = (place[Attr.DATE_PREFIX], place[Attr.FILE_KEY])
            for items in (world.dynamodb.tables, world.dynamodb._index):
                items[world.settings.tracking_table][key] = stored
    return world


def units_per_file(world: World, files: int = FILES) -> Counter[str]:
    """Of new files, ten messages a batch, with a sweep a minute and one batch a second."""
    for number in range(0, files, 10):
        names = [f"landing/{DAY}-source-07-events-{number + each:09d}.ndjson" for each in range(10)]
        world.send(*(json.dumps({"Records": [world.upload(name=name)]}) for name in names))
        world.later(1)
        if number % 600 == 590:
            world.sweep()
    return Counter({name: count / files for name, count in world.dynamodb.units.items()})


def test_the_units_of_a_file() -> None:
    units = units_per_file(world_with())
    print(dict(units))
    assert units["write"] < 4
    assert units["index write"] < 3.1
    assert units["read"] < 3


@pytest.mark.parametrize("done", [1_000, 3_000])
def test_they_do_not_grow_with_the_files_that_are_done(done: int) -> None:
    few, many = units_per_file(world_with()), units_per_file(world_with(done=done))
    assert many == few


def test_a_backlog_makes_them_no_more_than_what_a_batch_may_read() -> None:
    """No manifest can be built, since enough of them wait."""
    per_file = []
    for pending in (2_000, 5_000):
        world = world_with(pending=pending, max_waiting_manifests=1)
        world.glue.max_concurrent = 0
        world.sweep()
        world.dynamodb.units.clear()
        per_file.append(units_per_file(world, 100))
    assert per_file[0] == per_file[1]
    assert per_file[0]["read"] < 3
