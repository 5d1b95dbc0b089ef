"""One seed: files, overwrites, deletions, faults; then quiet, until all is at rest or should have been long ago."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import replace
from datetime import timedelta

from lambda_handler.dynamo import to_item
from ndjctl.contracts import COMPLETED, Attr, Env, budget_item_key, iso_utc
from tests.simulator.data import Content, content_of, sized
from tests.simulator.faults import Rates, SeededFaults
from tests.simulator.glue import RUN_DPUS
from tests.simulator.invariants import Violation, check_at_rest, judge_sweep, open_versions, watch
from tests.simulator.job_runs import TABLE
from tests.simulator.published import check_published, watch_published
from tests.simulator.world import ENVIRONMENT, INPUT, LOCK_TTL_S, START, World

_UPLOADS_S = 600.0
_FAULTS_S = 1_200.0
_QUIET_STEP_S = 300.0
_QUIET_STEPS = 72
"""Six hours without faults are enough for anything that comes to rest at all."""


def run_seed(seed: int, verbose: bool = False, max_dpu_s_per_day: str = "") -> World:
    """Plays the seed to its end and checks it. max_dpu_s_per_day: a budget of each date, which is lifted when the
    faults are over. Raises Violation, with the seed in its text."""
    chance = random.Random(seed)
    rates = Rates.drawn(chance)
    faults = SeededFaults(rates, random.Random(chance.random()), LOCK_TTL_S)
    most_waiting = chance.choice(("1", "3", "100"))
    world = World(
        chance, faults, rates, verbose, **{Env.MAX_WAITING_MANIFESTS: most_waiting}, **_budget(max_dpu_s_per_day)
    )
    world.fate = random.Random(f"manifests {seed}")
    world.glue.max_concurrent = chance.choice((1, 2, 5))
    world.glue.max_retries = chance.choice((0, 0, 1))
    _weaken(world, rates, chance)
    watch(world)
    watch_published(world)
    try:
        _plan_files(world, chance)
        world.keep_sweeping()
        world.scheduler.run(_FAULTS_S)
        faults.is_over, world.rates = True, Rates()
        began_s = world.scheduler.now_s
        world.on_sweep = lambda since_s, answer: since_s < began_s or judge_sweep(world, since_s, answer)
        world.dynamodb.lag = None
        if max_dpu_s_per_day:
            _lift(world)
        fresh = [_upload_fresh(world, number) for number in range(int(ENVIRONMENT[Env.MAX_FILES_PER_MANIFEST]))]
        bring_to_rest(world)
        check_at_rest(world)
        check_published(world)
        _check_fresh(world, fresh)
    except Violation as violation:
        raise Violation(f"seed {seed}: {violation}") from violation
    finally:
        world.close()
    return world


def _budget(max_dpu_s_per_day: str) -> dict[str, str]:
    return {Env.MAX_DPU_SECONDS_PER_DAY: max_dpu_s_per_day, Env.RUN_DPUS: f"{RUN_DPUS:g}"} if max_dpu_s_per_day else {}


def _lift(world: World) -> None:
    """As the tool does, of the dates that the story touches; also where nothing is held yet."""
    for days in (0, 1):
        world.dynamodb.update_item(
            TableName=TABLE,
            Key=to_item(budget_item_key(f"{START + timedelta(days=days):%Y-%m-%d}")),
            UpdateExpression="SET #at = :at REMOVE #held",
            ConditionExpression="attribute_not_exists(#at)",
            ExpressionAttributeNames={"#at": Attr.LIFTED_AT, "#held": Attr.HELD_SINCE},
            ExpressionAttributeValues=to_item({":at": iso_utc(world.clock())}),
        )


def _upload_fresh(world: World, number: int) -> str:
    """One of as many files as make a batch, of a date of their own, when the faults are over."""
    key = f"in/2026-03-16-{number:02d}.ndjson"
    world.upload(key, content_of(key, 0, 2))
    return key


def _check_fresh(world: World, keys: list[str]) -> None:
    items = {item[Attr.FILE_KEY]: item for item in world.file_items()}
    for key in keys:
        if items[key][Attr.STATUS] != COMPLETED:
            raise Violation(f"I1: {key} came after the faults, and is {items[key][Attr.STATUS]}")
    if len({items[key][Attr.BATCH_ID] for key in keys}) != 1:
        raise Violation("I6: files that are a full batch, with no fault about, were not built as one")


def _weaken(world: World, rates: Rates, chance: random.Random) -> None:
    """What is always so, or without an error: short pages, a late index, keys that are left unread."""
    lag = random.Random(chance.random())
    world.dynamodb.lag = lambda: lag.choice((0.1, 2.0, 20.0, 90.0)) if lag.random() < rates.index_lag else 0.0
    world.dynamodb.page_items = lambda: lag.choice((1, 2))
    world.dynamodb.keys_per_read = lambda: lag.choice((1, 2, 100))
    world.s3.page_keys = lambda: lag.choice((1, 2, 3))


def _plan_files(world: World, chance: random.Random) -> None:
    names = ["2026-03-14-{}", "2026-03-14-{}", "2026-03-15-{}", "{}"]
    for number in range(chance.randint(4, 14)):
        key = f"in/{chance.choice(names).format(f'a b+ü{number:02d}')}.ndjson"
        _put_at(world, chance, key, 0, _UPLOADS_S * chance.random())


def _put_at(world: World, chance: random.Random, key: str, version: int, at_s: float) -> None:
    """An upload, and what comes after it at the same key."""
    rates = world.rates
    content = _drawn(chance, rates, key, version)
    world.scheduler.at(at_s, lambda: world.upload(key, content))
    if chance.random() < rates.overwrite and version < 3:
        # The next version, or the first one again: the same bytes have the same ETag.
        following = version + 1 if chance.random() < 0.6 else 0
        later_s = at_s + chance.choice((1.0, 60.0, 400.0)) * chance.random()
        if following:
            _put_at(world, chance, key, following, later_s)
        else:
            again = replace(content)
            world.scheduler.at(later_s, lambda: world.upload(key, again))
    elif chance.random() < rates.delete:
        world.scheduler.at(at_s + 400 * chance.random(), lambda: world.delete(key))


def _drawn(chance: random.Random, rates: Rates, key: str, version: int) -> Content:
    if chance.random() < rates.bad_size:
        return sized(key, version, chance.choice((5, 6_000, 9_000)))
    bad_lines = chance.choice((0, 0, 2))
    return content_of(key, version, chance.choice((1, 3, 20)), bad_lines, new_field=chance.random() < 0.1)


def bring_to_rest(world: World) -> None:
    """Sweeps come, dead letters are sent again, and the bucket is listed for what no event told of. Raises Violation
    when that does not end."""
    for _ in range(_QUIET_STEPS):
        world.scheduler.run(world.scheduler.now_s + _QUIET_STEP_S)
        open_versions(world)
        if not world.unrest() and not enter_by_listing(world):
            return
        world.queue.redrive(world.scheduler.now_s)
        world.scheduler.after(0.0, world.poll)


def enter_by_listing(world: World) -> int:
    """What `backfill` does: an event for every object that the ledger does not know; how many there were."""
    known: dict[str, set[str]] = {}
    for item in world.file_items():
        versions = known.setdefault(item[Attr.FILE_KEY], set())
        versions |= {item[Attr.ETAG], item.get(Attr.SUPERSEDED_BY, "")}
    entered = 0
    for key, held in world.s3.objects.get(INPUT, {}).items():
        if held.etag not in known.get(key, set()):
            world.send(world.record(key, held, None))
            entered += 1
    return entered


def digest(world: World) -> str:
    """Of every step and of what there is at the end: the same for the same seed."""
    items = sorted(json.dumps(item, sort_keys=True, default=str) for item in world.items())
    objects = sorted(
        (bucket, key, held.etag)
        for bucket, held_by_key in world.s3.objects.items()
        for key, held in held_by_key.items()
        if not key.startswith("reports/")  # they tell how long steps took
    )
    return hashlib.sha256(json.dumps([world.trace, items, objects]).encode()).hexdigest()[:16]
