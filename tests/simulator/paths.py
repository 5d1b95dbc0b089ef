"""Every path through the function and the job, as a scene and the one process in it that is disturbed. Played without a
disturbance, a path tells which calls the process makes; then each of them is disturbed in turn."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ndjctl.contracts import COMPLETED, FAILED, QUARANTINED, Attr
from tests.simulator.data import content_of, sized
from tests.simulator.faults import DEATH_AFTER, DEATH_BEFORE, SLOW_BEFORE, Fault, Planned
from tests.simulator.invariants import Violation, check_at_rest, watch
from tests.simulator.stories import bring_to_rest
from tests.simulator.world import World

Scene = Callable[[World], None]


@dataclass(frozen=True)
class Path:
    """process: the one that is disturbed, by its name. make: the scene, up to its end or its death. statuses: at rest,
    whatever happened; None where a disturbance may change them. before: faults that belong to the scene."""

    name: str
    process: str
    make: Scene
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
        plan.meanwhile = lambda: world.scheduler.after(meanwhile_s, lambda: come_between(world))
    watch(world)
    try:
        path.make(world)
        let_pass(world, 0.0)
        world.is_polling = True
        world.poll()
        world.keep_sweeping()
        bring_to_rest(world)
        check_at_rest(world)
        found = Counter(item[Attr.STATUS] for item in world.file_items())
        if path.statuses is not None and meanwhile_s is None and found != path.statuses:
            raise Violation(f"I1: at rest {dict(found)}, and not {path.statuses}")
    finally:
        world.close()
    return world, plan


# --- what scenes are made of


def come_between(world: World) -> None:
    """Others at work: one more file, whatever messages there are, and two sweeps."""
    put(world, 77)
    world.is_polling = True
    world.scheduler.after(0.6, world.poll)
    world.sweep()
    world.scheduler.after(5.0, lambda: world.sweep() and None)


def put(world: World, *numbers: int, version: int = 0, date: str = "2026-03-14-") -> None:
    for number in numbers:
        key = f"in/{date}{number:02d}.ndjson"
        world.upload(key, content_of(key, version, 3, bad_lines=number % 2))


def deliver(world: World) -> None:
    """One invocation with every message that there is, to its end."""
    let_pass(world, 1.0)
    messages = world.queue.receive(world.scheduler.now_s, 100, world.chance)
    world.deliver(messages)
    finish(world, "messages")


def sweep(world: World) -> None:
    world.sweep()
    finish(world, "sweep")


def finish(world: World, kind: str) -> None:
    """Lets time pass until no process of that kind is left."""
    let_pass(world, 0.001)
    world.scheduler.run(done=lambda: not any(process.name.startswith(kind) for process in world.scheduler.living))


def let_pass(world: World, seconds: float) -> None:
    world.scheduler.run(world.scheduler.now_s + seconds)


def work(world: World) -> None:
    """Lets the runs that are in flight come to their end, and Glue know of it."""
    let_pass(world, 60.0)


def end_badly(world: World, state: str) -> None:
    """The run in flight ends so before it has done anything; Glue gives it no further attempt."""
    (run,) = world.glue.in_flight()
    process = world.runs.begin(run)
    if state == "LOST":
        world.runs.kill(run, process, "FAILED")
        world.glue.lose(run)
        let_pass(world, 200.0)  # a new run may be unknown for a while
    else:
        world.runs.kill(run, process, state)
        let_pass(world, 61.0)


# --- scenes


def new_files(world: World) -> None:
    put(world, 1, 2, 3)
    deliver(world)


def outside_the_size_rule(world: World) -> None:
    world.upload("in/2026-03-14-small.ndjson", sized("small", 0, 5))
    world.upload("in/2026-03-14-large.ndjson", sized("large", 0, 9_000))
    deliver(world)


def duplicates(world: World) -> None:
    put(world, 1, 2)
    deliver(world)
    put(world, 1, 2)
    deliver(world)


def duplicates_of_done_files(world: World) -> None:
    new_files(world)
    work(world)
    new_files(world)


def without_sequencer(world: World) -> None:
    """As `backfill` enters files; one of them twice."""
    world.rates.event_lost = 1.0
    put(world, 1, 2)
    world.rates.event_lost = 0.0
    for key, found in [*world.s3.objects["input"].items()] * 2:
        world.send(world.record(key, found, None))
    deliver(world)


def overwritten_while_pending(world: World) -> None:
    put(world, 1, 2)
    deliver(world)
    put(world, 1, version=1)
    deliver(world)


def overwritten_while_it_runs(world: World) -> None:
    new_files(world)
    put(world, 1, version=1)
    deliver(world)


def overwritten_when_done(world: World) -> None:
    new_files(world)
    work(world)
    put(world, 1, version=1)
    deliver(world)


def overwritten_in_quarantine(world: World) -> None:
    world.upload("in/2026-03-14-01.ndjson", sized("small", 0, 5))
    deliver(world)
    put(world, 1, version=1)
    deliver(world)


def flush_by_age(world: World) -> None:
    put(world, 1, 2)
    deliver(world)
    let_pass(world, 400.0)
    sweep(world)


def repair(world: World) -> None:
    """The builder dies on the way, as `before` has it; its lock has run out."""
    new_files(world)
    let_pass(world, 100.0)
    sweep(world)


def ended(state: str) -> Scene:
    def scene(world: World) -> None:
        new_files(world)
        end_badly(world, state)
        sweep(world)

    return scene


def told_of_the_end(world: World) -> None:
    """The function hears of the end at once, by an event."""
    new_files(world)
    world.tells_of_runs = True
    end_badly(world, "STOPPED")
    world.tells_of_runs = False


def entered_anew(world: World) -> None:
    """The job fails a file that was overwritten, and the sweep takes the newer version."""
    overwritten_while_it_runs(world)
    work(world)
    sweep(world)


def given_up_half_way(world: World) -> None:
    """The only run dies on the way, as `before` has it."""
    new_files(world)
    work(world)
    sweep(world)


def dateless_around_midnight(world: World) -> None:
    """Its item is of the day before when its next version comes."""
    put(world, 1, date="")
    deliver(world)
    let_pass(world, 600.0)
    put(world, 1, version=1, date="")
    deliver(world)


def waits_for_room(world: World) -> None:
    world.glue.max_concurrent = 1
    new_files(world)
    put(world, 4, 5, 6)
    deliver(world)
    work(world)
    sweep(world)


def refused(world: World) -> None:
    world.glue.max_concurrent = 0
    put(world, 1, 2, 3)
    deliver(world)
    world.glue.max_concurrent = 2


def unsettled(world: World) -> None:
    """StartJobRun's answer is lost; the sweep looks for the run."""
    new_files(world)
    let_pass(world, 100.0)
    sweep(world)


def job(world: World) -> None:
    new_files(world)
    work(world)


def job_again(world: World) -> None:
    """The first run dies on the way, as `before` has it; the second is the one that is disturbed."""
    new_files(world)
    work(world)
    sweep(world)
    work(world)


def job_with_lost_inputs(world: World) -> None:
    new_files(world)
    world.delete("in/2026-03-14-01.ndjson")
    put(world, 2, version=1)
    work(world)


ALL_DONE = {COMPLETED: 3}

PATHS = [
    Path("new files to a started run", "messages-1", new_files, ALL_DONE),
    Path("size quarantine", "messages-1", outside_the_size_rule, {QUARANTINED: 2}),
    Path("duplicates", "messages-2", duplicates, {COMPLETED: 2}),
    Path("duplicates of done files", "messages-2", duplicates_of_done_files, ALL_DONE),
    Path("entered by listing", "messages-1", without_sequencer, {COMPLETED: 2}),
    Path("overwrite while pending", "messages-2", overwritten_while_pending, {COMPLETED: 2}),
    Path("overwrite while its manifest runs", "messages-2", overwritten_while_it_runs, None),
    Path("overwrite when done", "messages-2", overwritten_when_done, ALL_DONE),
    Path("overwrite in quarantine", "messages-2", overwritten_in_quarantine, {COMPLETED: 1}),
    Path("partial flush by age", "sweep-1", flush_by_age, {COMPLETED: 2}),
    *(Path(f"run ended {state}, retry", "sweep-1", ended(state), ALL_DONE) for state in ("FAILED", "TIMEOUT")),
    *(Path(f"run ended {state}, retry", "sweep-1", ended(state), ALL_DONE) for state in ("STOPPED", "LOST")),
    Path("given up", "sweep-1", ended("FAILED"), {FAILED: 3}, environment=(("MAX_ATTEMPTS", "1"),)),
    Path("waiting for room", "sweep-1", waits_for_room, {COMPLETED: 6}),
    Path("refused for room", "messages-1", refused, ALL_DONE),
    Path("run ended STOPPED, by its event", "state-1", told_of_the_end, ALL_DONE),
    Path("entered anew", "sweep-1", entered_anew, ALL_DONE),
    Path("dateless around midnight", "messages-2", dateless_around_midnight, {COMPLETED: 1}),
    Path("the job", "run-jr_0001", job, ALL_DONE),
    Path("the job with lost inputs", "run-jr_0001", job_with_lost_inputs, None),
]


def with_scenes_of_death(
    name: str, make: Scene, process: str, first: str, statuses: dict[str, int] | None, **environment: str
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
    return with_scenes_of_death("repair", repair, "sweep-1", "messages-1", ALL_DONE)


def second_runs() -> list[Path]:
    return with_scenes_of_death("second run", job_again, "run-jr_0002", "run-jr_0001", ALL_DONE)


def given_ups() -> list[Path]:
    return with_scenes_of_death("given up", given_up_half_way, "sweep-1", "run-jr_0001", None, MAX_ATTEMPTS="1")


DEATHS = (Fault(DEATH_BEFORE), Fault(DEATH_AFTER))
PAUSE, SLEEP = Fault(SLOW_BEFORE, 20.0), Fault(SLOW_BEFORE, 70.0)
"""Shorter and longer than a lock lasts."""
