"""Runs that the budget of the day holds: how much is measured, when it holds, that nothing is lost by it."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_handler.config import ConfigError, settings_from
from lambda_handler.dynamo import to_item
from ndjctl.contracts import (
    BUDGET_PARTITION,
    COMPLETED,
    HELD_MANIFESTS,
    MANIFESTED,
    Attr,
    Env,
    billed_dpu_s,
    iso_utc,
)
from tests.lambda_model import client_error
from tests.lambda_world import DAY, FakeGlue, Plan, World
from tests.unit.test_lambda_package import GOOD

DPUS = 2
MINUTE = 60 * DPUS


class MeteredGlue(FakeGlue):
    """Runs have DPUs and a time that they ran, as Glue tells it."""

    def add_run(self, run_id: str, arguments: dict[str, str]) -> str:
        super().add_run(run_id, arguments)
        self.runs[-1]["MaxCapacity"] = float(DPUS)
        return run_id

    def end(self, run_id: str, state: str, message: str = "") -> None:
        super().end(run_id, state, message)
        run = next(run for run in self.runs if run["Id"] == run_id)
        run["ExecutionTime"] = int((run["CompletedOn"] - run["StartedOn"]).total_seconds())


def metered(limit: float | str | None, manifests: int = 0, **changes: Any) -> World:
    """manifests: of three files each, that have been built while Glue had no room."""
    budget = None if limit is None else Decimal(str(limit))
    world = World(max_dpu_s_per_day=budget, run_dpus=Decimal(DPUS), **changes)
    world.glue = MeteredGlue(world)
    world.glue.max_concurrent = 0
    for _ in range(manifests):
        world.later(1)
        world.deliver(*(world.upload() for _ in range(3)))
    world.sweep()
    world.glue.max_concurrent = 10
    return world


def item(world: World, day: str = DAY) -> dict[str, Any]:
    return next((i for i in world.items() if (i["date_prefix"], i["file_key"]) == (BUDGET_PARTITION, f"{day}#")), {})


def events(world: World, *names: str) -> list[str]:
    return [line["event"] for line in world.lines if line["event"] in names]


def change(world: World, day: str = DAY, remove: tuple[str, ...] = (), **values: Any) -> None:
    """What the tool writes."""
    found = world.dynamodb.tables[world.settings.tracking_table][BUDGET_PARTITION, f"{day}#"]
    found.update(to_item(values))
    for name in remove:
        found.pop(name, None)


def test_without_a_limit_nothing_is_measured_and_nothing_is_held() -> None:
    world = metered(None, manifests=4)
    answer = world.sweep()
    assert len(world.glue.runs) == 4
    assert answer["held"] == 0 and answer["budget"] is None and item(world) == {}
    assert world.methods["glue.get_job_runs"] == 0


def test_runs_are_started_up_to_the_limit_and_the_others_wait() -> None:
    world = metered(2 * MINUTE + 1, manifests=5)
    answer = world.sweep()
    # A run is billed for a minute at least, and counted so from its start on: two do not reach the limit, three do.
    assert len(world.glue.runs) == 3
    assert answer["held"] == 2 and answer["waiting"] == 2 and not answer["done"] and answer["failed"] == []
    assert answer["budget"] == {"spent_dpu_s": 3 * MINUTE, "limit_dpu_s": 2 * MINUTE + 1}
    assert item(world)[Attr.HELD_SINCE] == iso_utc(world.now)
    assert world.statuses() == {MANIFESTED: 15}
    for _ in range(3):
        world.later(60)
        world.work_runs()
        answer = world.sweep()
    assert len(world.glue.runs) == 3 and answer["held"] == 2
    assert events(world, "runs_held_by_budget", "runs_not_held_any_more") == ["runs_held_by_budget"]
    ((_, data),) = world.cloudwatch.calls[-1:]
    assert data[HELD_MANIFESTS.name, (f"Stack={world.settings.stack}",)]["Value"] == 2


def test_the_next_date_has_a_budget_of_its_own() -> None:
    world = metered(1, manifests=2)
    assert world.sweep()["held"] == 1
    world.now = datetime(2026, 3, 14, 23, 59, 59, tzinfo=timezone.utc)
    world.work_runs()
    assert world.sweep()["held"] == 1
    world.later(1)
    answer = world.sweep()
    assert answer["held"] == 0 and len(world.glue.runs) == 2
    assert Attr.HELD_SINCE in item(world) and Attr.HELD_SINCE in item(world, "2026-03-15")


def test_a_larger_budget_lets_them_start() -> None:
    world = metered(1, manifests=2)
    assert world.sweep()["held"] == 1
    world.settings = World(max_dpu_s_per_day=Decimal(10_000), run_dpus=Decimal(DPUS)).settings
    assert world.sweep()["held"] == 0 and len(world.glue.runs) == 2
    assert Attr.HELD_SINCE not in item(world)
    assert events(world, "runs_held_by_budget", "runs_not_held_any_more")[1:] == ["runs_not_held_any_more"]


def test_a_lift_is_for_the_day_and_one_in_part_ends_at_its_sum() -> None:
    world = metered(1, manifests=6)
    assert world.sweep()["held"] == 5
    at = iso_utc(world.now)
    change(world, remove=(Attr.HELD_SINCE,), **{Attr.LIFTED_AT: at, Attr.LIFTED_TO_DPU_S: Decimal(3 * MINUTE)})
    answer = world.sweep()
    assert len(world.glue.runs) == 3 and answer["held"] == 3
    assert item(world)[Attr.LIFTED_TO_DPU_S] == 3 * MINUTE and Attr.HELD_SINCE in item(world)
    change(world, remove=(Attr.HELD_SINCE, Attr.LIFTED_TO_DPU_S), **{Attr.LIFTED_AT: iso_utc(world.now)})
    answer = world.sweep()
    assert len(world.glue.runs) == 6 and answer["held"] == 0 and answer["budget"]["limit_dpu_s"] is None


def test_a_lift_that_comes_while_a_sweep_works_is_not_undone_by_it() -> None:
    world = metered(1, manifests=3)
    world.sweep()
    held_since = item(world)[Attr.HELD_SINCE]
    assert held_since
    lift = lambda: change(world, remove=(Attr.HELD_SINCE,), **{Attr.LIFTED_AT: iso_utc(world.now)})  # noqa: E731
    dry = Plan()
    world.sweep(dry)
    world.later(1)
    at = dry.calls.index("glue.get_job_runs") + 1
    world.sweep(Plan(at=at, after=lift))
    assert Attr.HELD_SINCE not in item(world) and Attr.LIFTED_AT in item(world)
    assert world.sweep()["held"] == 0


def test_what_cannot_be_measured_starts_nothing_and_says_so() -> None:
    world = metered(1_000, manifests=2)
    real = world.glue.get_job_runs

    def refused(**_: Any) -> Any:
        raise client_error("ThrottlingException", "GetJobRuns")

    world.glue.get_job_runs = refused  # type: ignore[method-assign]
    answer = world.sweep()
    assert answer["held"] == 2 and answer["budget"] is None and world.glue.runs == []
    assert events(world, "budget_not_measured") == ["budget_not_measured"]
    world.glue.get_job_runs = real  # type: ignore[method-assign]
    assert world.sweep()["held"] == 0 and len(world.glue.runs) == 2


def test_settled_runs_are_not_read_again() -> None:
    world = metered(10**6)
    for _ in range(12):
        world.deliver(*(world.upload() for _ in range(3)))
        world.later(30)
        world.work_runs()
        world.later(200)
    before = world.methods["glue.get_job_runs"]
    world.deliver(*(world.upload() for _ in range(3)))
    world.sweep()
    assert len(world.glue.runs) == 13
    assert world.methods["glue.get_job_runs"] - before == 1  # of seven pages
    assert item(world)[Attr.SETTLED_DPU_S] == 12 * MINUTE


def test_one_run_that_never_ends_keeps_the_others_counted_once() -> None:
    world = metered(10**6)
    world.deliver(*(world.upload() for _ in range(3)))
    first = world.glue.runs[0]["Id"]
    for _ in range(5):
        world.later(60)
        world.deliver(*(world.upload() for _ in range(3)))
        world.glue.end(world.glue.runs[-1]["Id"], "STOPPED")
    world.later(700)
    world.deliver(*(world.upload() for _ in range(3)))
    assert item(world)[Attr.SETTLED_DPU_S] == 0
    world.glue.end(first, "FAILED")
    world.later(200)
    world.deliver(*(world.upload() for _ in range(3)))
    assert item(world)[Attr.SETTLED_DPU_S] == truth(world, until=item(world)[Attr.SETTLED_UNTIL])


def truth(world: World, until: str | None = None) -> Decimal:
    """DPU seconds of the runs that started on DAY, from Glue's own list."""
    total = Decimal(0)
    for run in world.glue.runs:
        is_before = until is None or iso_utc(run["StartedOn"]) < until
        if f"{run['StartedOn']:%Y-%m-%d}" == DAY and is_before:
            has_ended = run["JobRunState"] != "RUNNING"
            seconds = run.get("ExecutionTime", (world.now - run["StartedOn"]).total_seconds())
            total += billed_dpu_s(execution_s=seconds, dpus=DPUS, dpu_s=None, has_ended=has_ended)
    return total


STEPS = st.sampled_from(["files", "end", "fail", "sweep", "retry"])
stories = st.lists(st.tuples(STEPS, st.integers(1, 400)), max_size=14)


@settings(max_examples=60, deadline=None)
@given(stories, st.integers(1, 8))
def test_what_is_measured_is_what_glue_says_and_once_lifted_all_is_converted(
    story: list[tuple[str, int]], runs_in_budget: int
) -> None:
    limit = Decimal(runs_in_budget * MINUTE)
    world = metered(limit, max_attempts=50)
    retries = itertools.count(1)
    for step, seconds in story:
        world.later(seconds)
        going = world.glue.in_flight()
        if step == "files":
            world.deliver(*(world.upload() for _ in range(3)))
        elif step == "end":
            world.work_runs()
        elif going and step in ("fail", "retry"):
            world.glue.end(going[0]["Id"], "FAILED")
            if step == "retry":
                world.glue.add_run(
                    f"{going[0]['Id'].split('_attempt')[0]}_attempt_{next(retries)}", going[0]["Arguments"]
                )
        runs_before, spent_before = len(world.glue.runs), truth(world)
        answer = world.sweep()
        if answer["budget"] is not None:
            assert Decimal(str(answer["budget"]["spent_dpu_s"])) == truth(world)
            assert (answer["held"] > 0) <= (truth(world) >= limit)
        assert len(world.glue.runs) == runs_before or spent_before < limit
        assert world.now.date().isoformat() == DAY
    day = world.dynamodb.tables[world.settings.tracking_table].setdefault(
        (BUDGET_PARTITION, f"{DAY}#"), to_item({Attr.DATE_PREFIX: BUDGET_PARTITION, Attr.FILE_KEY: f"{DAY}#"})
    )
    day.update(to_item({Attr.LIFTED_AT: iso_utc(world.now)}))
    day.pop(Attr.HELD_SINCE, None)
    answer = world.settle()
    assert answer["done"] and answer["held"] == 0
    world.check_at_rest(runs_per_manifest=99)
    assert set(world.statuses()) <= {COMPLETED}


@pytest.mark.parametrize(
    ("execution_s", "dpus", "dpu_s", "has_ended", "expected"),
    [
        (0, 10, None, True, "0"),  # it ended before it ran
        (0, 10, None, False, "600"),  # it will be billed for a minute at least
        (59, 10, None, True, "600"),
        (61, 10, None, True, "610"),
        (61, 0.5, None, True, "30.5"),
        (120, 20, 480.5, True, "480.5"),  # auto scaling: fewer workers than it might have had
        (30, 20, 300.0, True, "600"),  # half a minute at 10 DPUs in the mean is billed as a whole one
        (7, 2, 14.0, True, "120"),
    ],
)
def test_what_a_run_is_billed(
    execution_s: float, dpus: float, dpu_s: float | None, has_ended: bool, expected: str
) -> None:
    """A minute at least, then by the second (AWS Glue pricing)."""
    billed = billed_dpu_s(execution_s=execution_s, dpus=dpus, dpu_s=dpu_s, has_ended=has_ended)
    assert billed == Decimal(expected)


def test_the_variable_is_exact_or_refused() -> None:
    found = settings_from({**GOOD, Env.MAX_DPU_SECONDS_PER_DAY: "81.818", Env.RUN_DPUS: "0.5"})
    assert found.max_dpu_s_per_day == Decimal("81.818") and found.run_dpus == Decimal("0.5")
    assert settings_from(GOOD).max_dpu_s_per_day is None
    for bad in ("0", "-1", "nan", "inf", "much"):
        with pytest.raises(ConfigError, match=Env.MAX_DPU_SECONDS_PER_DAY):
            settings_from({**GOOD, Env.MAX_DPU_SECONDS_PER_DAY: bad})


def test_a_day_of_more_pages_than_are_read_is_a_lower_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    from lambda_handler import budget

    monkeypatch.setattr(budget, "MOST_PAGES", 2)
    world = metered(5 * MINUTE)
    for number in range(9):
        world.glue.add_run(f"other-{number}", {})
        world.glue.end(f"other-{number}", "STOPPED")
        world.glue.runs[-1]["ExecutionTime"] = 60
    for _ in range(3):
        world.deliver(world.upload())
    answer = world.sweep()
    assert answer["held"] == 0 and item(world)[Attr.SPENT_DPU_S] == (4 + 1) * MINUTE
    assert Attr.SETTLED_UNTIL not in item(world) and events(world, "budget_measured_in_part")


def test_yesterdays_runs_are_yesterdays() -> None:
    world = metered(1, manifests=1)
    world.glue.runs.insert(
        0,
        {
            "Id": "old",
            "JobRunState": "RUNNING",
            "MaxCapacity": 2.0,
            "StartedOn": world.now - timedelta(hours=13),
            "Arguments": {},
        },
    )
    assert world.sweep()["held"] == 0
