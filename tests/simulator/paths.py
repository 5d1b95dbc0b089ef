"""Every path through the function and the job, as a scene and the one process in it that is disturbed. Played without a
disturbance, a path tells which calls the process makes; then each of them is disturbed in turn."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from ndjctl.contracts import COMPLETED, FAILED, QUARANTINED, Attr
from tests.simulator import scenes
from tests.simulator.faults import DEATH_AFTER, DEATH_BEFORE, SLOW_BEFORE, Fault, Planned
from tests.simulator.invariants import Violation, check_at_rest, watch
from tests.simulator.published import check_published, watch_published
from tests.simulator.stories import bring_to_rest
from tests.simulator.world import World


@dataclass(frozen=True)
class Path:
    """process: the one that is disturbed, by its name. make: the scene, up to its end or its death. statuses: at rest,
    whatever happened; None where a disturbance may change them. before: faults that belong to the scene."""

    name: str
    process: str
    make: scenes.Scene
    statuses: dict[str, int] | None
    before: tuple[tuple[str, int, Fault], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


def play(
    path: Path, at: int = 0, fault: Fault | None = None, meanwhile_s: float | None = None
) -> tuple[World, Planned]:
    """The path with that fault at that call of its process, then delivery again, sweeps, and rest. Raises Violation.
    meanwhile_s: how long after the fault another file and another sweep come, while the process may still sleep."""
    plan = Planned(path.process, at, fault, {(process, number): each for process, number, each in path.before})
    world = World(random.Random(path.name), plan, **dict(path.environment))
    world.glue.max_concurrent = 2
    world.dynamodb.keys_per_read = lambda: 2
    world.s3.page_keys = lambda: 2
    world.is_polling = world.tells_of_runs = False
    if meanwhile_s is not None:
        plan.meanwhile = lambda: world.scheduler.after(meanwhile_s, lambda: scenes.come_between(world))
    watch(world)
    watch_published(world)
    try:
        path.make(world)
        scenes.let_pass(world, 0.0)
        world.is_polling = True
        world.poll()
        world.keep_sweeping()
        bring_to_rest(world)
        check_at_rest(world)
        check_published(world)
        found = Counter(item[Attr.STATUS] for item in world.file_items())
        if path.statuses is not None and meanwhile_s is None and found != path.statuses:
            raise Violation(f"I1: at rest {dict(found)}, and not {path.statuses}")
    finally:
        world.close()
    return world, plan


ALL_DONE = {COMPLETED: 3}

PATHS = [
    Path("new files to a started run", "messages-1", scenes.new_files, ALL_DONE),
    Path("size quarantine", "messages-1", scenes.outside_the_size_rule, {QUARANTINED: 2}),
    Path("duplicates", "messages-2", scenes.duplicates, {COMPLETED: 2}),
    Path("duplicates of done files", "messages-2", scenes.duplicates_of_done_files, ALL_DONE),
    Path("entered by listing", "messages-1", scenes.without_sequencer, {COMPLETED: 2}),
    Path("overwrite while pending", "messages-2", scenes.overwritten_while_pending, {COMPLETED: 2}),
    Path("overwrite while its manifest runs", "messages-2", scenes.overwritten_while_it_runs, None),
    Path("overwrite when done", "messages-2", scenes.overwritten_when_done, ALL_DONE),
    Path("overwrite in quarantine", "messages-2", scenes.overwritten_in_quarantine, {COMPLETED: 1}),
    Path("partial flush by age", "sweep-1", scenes.flush_by_age, {COMPLETED: 2}),
    *(Path(f"run ended {state}, retry", "sweep-1", scenes.ended(state), ALL_DONE) for state in ("FAILED", "TIMEOUT")),
    *(Path(f"run ended {state}, retry", "sweep-1", scenes.ended(state), ALL_DONE) for state in ("STOPPED", "LOST")),
    Path("manifest gone", "sweep-1", scenes.lost_manifest(None), ALL_DONE),
    Path("manifest overwritten", "sweep-1", scenes.lost_manifest(b"garbage"), ALL_DONE),
    Path("given up", "sweep-1", scenes.ended("FAILED"), {FAILED: 3}, environment=(("MAX_ATTEMPTS", "1"),)),
    Path("waiting for room", "sweep-1", scenes.waits_for_room, {COMPLETED: 6}),
    Path("refused for room", "messages-1", scenes.refused, ALL_DONE),
    Path("run ended STOPPED, by its event", "state-1", scenes.told_of_the_end, ALL_DONE),
    Path("entered anew", "sweep-1", scenes.entered_anew, ALL_DONE),
    Path("dateless around midnight", "messages-2", scenes.dateless_around_midnight, {COMPLETED: 1}),
    Path("the job", "run-jr_0001", scenes.job, ALL_DONE),
    Path("the job with lost inputs", "run-jr_0001", scenes.job_with_lost_inputs, None),
]


def with_scenes_of_death(
    name: str, make: scenes.Scene, process: str, first: str, statuses: dict[str, int] | None, **environment: str
) -> list[Path]:
    """One path for each writing call of `first` after which it may have died before `process` comes."""
    around = tuple(environment.items())
    _, plan = play(Path(name, first, make, None, environment=around))
    scenes = [((first, number, Fault(DEATH_AFTER)),) for number in range(1, len(plan.calls) + 1)]
    return [
        Path(f"{name} after {call} ({number})", process, make, statuses, scene, around)
        for number, (call, scene) in enumerate(zip(plan.calls, scenes, strict=True), 1)
        if call.partition(".")[2].startswith(("put", "update", "transact", "start", "create", "complete"))
    ]


def repairs() -> list[Path]:
    return with_scenes_of_death("repair", scenes.repair, "sweep-1", "messages-1", ALL_DONE)


def second_runs() -> list[Path]:
    return with_scenes_of_death("second run", scenes.job_again, "run-jr_0002", "run-jr_0001", ALL_DONE)


def given_ups() -> list[Path]:
    return with_scenes_of_death("given up", scenes.given_up_half_way, "sweep-1", "run-jr_0001", None, MAX_ATTEMPTS="1")


DEATHS = (Fault(DEATH_BEFORE), Fault(DEATH_AFTER))
PAUSE, SLEEP = Fault(SLOW_BEFORE, 20.0), Fault(SLOW_BEFORE, 70.0)
"""Shorter and longer than a lock lasts."""
