"""Scenes: what the world is like, and what goes on in it, when a process is disturbed."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulator.data import content_of, sized
from tests.simulator.world import World

Scene = Callable[[World], None]


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


def lost_manifest(garbage: bytes | None) -> Scene:
    """A run meets a manifest that somebody has deleted, or overwritten, and the sweep follows it up."""

    def scene(world: World) -> None:
        new_files(world)
        (key,) = (key for key in world.s3.objects["manifests"] if key.startswith("manifests/"))
        world.lose_manifest(key, garbage)
        work(world)
        let_pass(world, 61.0)
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
