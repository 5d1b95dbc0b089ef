"""Death around every call, and holders that wake up late: the ledger ends right each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ndjctl.contracts import COMPLETED, FAILED, Attr
from tests.lambda_model import client_error
from tests.lambda_world import DAY, Death, Plan, World

Step = Callable[[World, Plan], Any]


Prepare = Callable[[], tuple[World, Step, Step]]
"""Makes a world and returns it with the invocation that is disturbed, and the one that comes again after it."""


def count_calls(prepare: Prepare) -> int:
    world, step, _ = prepare()
    plan = Plan()
    step(world, plan)
    return len(plan.calls)


def full_batch() -> tuple[World, Step, Step]:
    """Three files complete a batch; a fourth is too small."""
    world = World()
    records = [*(world.upload() for _ in range(3)), world.upload(size=1)]

    def step(world: World, plan: Plan) -> Any:
        return world.deliver(*records, plan=plan)

    return world, step, step


def partial_flush() -> tuple[World, Step, Step]:
    """Two files wait, one of them was claimed by nobody yet; a flush takes them."""
    world = World()
    world.deliver(world.upload(), world.upload())
    return world, lambda world, plan: world.flush(plan), lambda world, plan: world.flush(plan)


def repair() -> tuple[World, Step, Step]:
    """A builder died after its claims, before the manifest object; a sweep repairs it."""
    world = World()
    world.deliver(world.upload(), world.upload())
    plan = Plan(die_at="s3.put_object")
    with pytest.raises(Death):
        world.deliver(world.upload(), plan=plan)
    world.later(301)
    return world, lambda world, plan: world.sweep(plan), lambda world, plan: world.sweep(plan)


def close_done() -> tuple[World, Step, Step]:
    """The job finished its files and ended, without closing its manifest."""
    world = World()
    world.deliver(*(world.upload() for _ in range(3)))
    world.work_runs()
    world.later(31)
    return world, lambda world, plan: world.sweep(plan), lambda world, plan: world.sweep(plan)


@pytest.mark.parametrize("prepare", [full_batch, partial_flush, repair, close_done])
def test_death_around_every_call(prepare: Prepare) -> None:
    calls = count_calls(prepare)
    assert calls >= 5
    for at in range(1, calls + 1):
        for moment in ("before", "after"):
            world, step, again = prepare()
            plan = Plan(at=at)
            setattr(plan, moment, plan.die)
            with pytest.raises(Death):
                step(world, plan)
            world.check()
            again(world, Plan())  # SQS delivers again, while the dead builder's lock may still be held
            world.check()
            world.settle()
            world.check_at_rest()
            assert set(world.statuses()) <= {COMPLETED, "quarantined"}, (at, moment, plan.calls[-1])


@pytest.mark.parametrize("prepare", [full_batch, partial_flush, repair])
def test_holder_that_wakes_after_its_lock_expired(prepare: Prepare) -> None:
    """The invocation pauses before each call in turn, for longer than its lease; meanwhile another does all the work,
    with one more file there than the sleeper knows of."""
    calls = count_calls(prepare)
    for at in range(1, calls + 1):
        world, step, _ = prepare()

        def meanwhile(world: World = world) -> None:
            world.later(301)
            world.deliver(world.upload())
            world.flush()
            world.check()

        plan = Plan(at=at, before=meanwhile)
        step(world, plan)
        world.check()
        world.settle()
        # One who sleeps between announcing a start and StartJobRun cannot be stopped: the job refuses such a run.
        world.check_at_rest(runs_per_manifest=2 if plan.calls[at - 1] == "glue.start_job_run" else 1)


def test_a_builder_that_lost_its_lock_writes_nothing_more() -> None:
    """Another takes the lock just before each of its transactions, and has done nothing else yet."""
    probe = Plan()
    world, step, _ = full_batch()
    step(world, probe)
    fenced = [at for at, name in enumerate(probe.calls, 1) if name == "dynamodb.transact_write_items"]
    assert len(fenced) == 3  # the item, the claims, the seal
    for at in fenced:
        world, step, _ = full_batch()
        seen: list[Any] = []

        def stolen(world: World = world, seen: list[Any] = seen) -> None:
            world.dynamodb.tables[world.settings.lock_table]["#locks", f"{DAY}#"].update(
                {Attr.HOLDER: {"S": "other"}, Attr.FENCE: {"N": "2"}}
            )
            seen.extend(world.items())

        assert step(world, Plan(at=at, before=stolen)) == []
        assert world.items() == seen
        assert world.events("batching_interrupted")
        world.settle()
        world.check_at_rest()


def test_two_builders_interleaved_within_the_lease() -> None:
    """The other one comes while the lock is held: it waits, gives up, and loses nothing."""
    calls = count_calls(full_batch)
    for at in range(1, calls + 1):
        world, step, _ = full_batch()

        def meanwhile(world: World = world, step: Step = step) -> None:
            assert step(world, Plan()) == []
            world.check()

        step(world, Plan(at=at, after=meanwhile))
        world.check()
        world.settle()
        world.check_at_rest()


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "InternalServerError"])
def test_an_error_of_any_call_is_made_good_by_redelivery_and_sweeps(code: str) -> None:
    calls = count_calls(full_batch)
    for at in range(1, calls + 1):
        world, step, _ = full_batch()

        def refuse() -> None:
            raise client_error(code, "Any", 500)

        plan = Plan(at=at, before=refuse)
        back = step(world, plan)
        tracked = world.files()
        assert len(tracked) + len(back) >= 4, "a message was taken although its file is not in the ledger"
        world.check()
        step(world, Plan())
        world.settle()
        world.check_at_rest()


def test_death_while_a_manifest_is_given_up() -> None:
    def prepare() -> World:
        world = World(max_attempts=1)
        world.deliver(*(world.upload() for _ in range(3)))
        world.glue.end("jr_0", "FAILED", "out of memory")
        world.later(31)
        return world

    probe = Plan()
    prepare().sweep(probe)
    for at in range(1, len(probe.calls) + 1):
        for moment in ("before", "after"):
            world, plan = prepare(), Plan(at=at)
            setattr(plan, moment, plan.die)
            with pytest.raises(Death):
                world.sweep(plan)
            world.later(1)
            assert world.sweep()["done"]
            assert world.statuses() == {FAILED: 3}
            assert all("out of memory" in item[Attr.ERROR] for item in world.files().values())
            (manifest,) = world.manifests()
            assert (manifest[Attr.STATE], manifest[Attr.DATE_PREFIX]) == ("abandoned", f"#manifests-closed#{DAY}")
