"""The budget of a day as the tool sees it: what it comes to, what is said of it, and lifting it."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lambda_handler.config import settings_from
from ndjctl.advice.budget import budget_findings
from ndjctl.budget import DayBudget, dpu_s_of, held_at_dpu_s, usd_of
from ndjctl.bundles import Code
from ndjctl.contracts import Attr, Env, Names
from ndjctl.deploy.desired.arguments import function_environment
from ndjctl.deploy.desired.common import Setting
from ndjctl.errors import UsageError
from ndjctl.estimate import estimate
from ndjctl.explain.model import Verdict
from ndjctl.health.checks import check
from ndjctl.health.checks_deep import _of_finding
from ndjctl.health.facts import Facts, Runs
from ndjctl.health.model import Checked
from ndjctl.health.words import begun
from ndjctl.lifting import Lifting, Lifts, read_budget
from ndjctl.monitor.panels import Seen, assemble
from ndjctl.monitor.runs import SeenRun
from ndjctl.output.cost_lift import lift_view
from ndjctl.prices import dpu_price_of_profile
from ndjctl.profiles import load_profile
from ndjctl.reading import Reading
from ndjctl.settings import Profile
from tests.health_world import NOW, ago, healthy, open_manifests, read, run, summary
from tests.lambda_world import World
from tests.unit.test_lambda_budget import MINUTE, item, metered


def profile(*assignments: str, env: str = "prod") -> Profile:
    return load_profile(env, assignments=assignments, working_dir=Path("/nonexistent")).profile


HELD = profile("cost.max_per_day=44", "cost.hold_runs=true")


def day(**changes: Any) -> DayBudget:
    """44 dollars are 360,000 DPU seconds, all of which are spent."""
    usual = DayBudget(Decimal(360_000), Decimal(360_000), ago(30), ago(600), None, None)
    return replace(usual, **changes)


def found(given: Facts, code: str) -> Checked | None:
    return next((each for each in check(given) if each.code == code), None)


# --- what it comes to


def test_dollars_and_dpu_seconds_are_exact_and_never_more() -> None:
    # 0.44 USD an hour: 44 USD are 100 hours, and 0.01 USD 81.81 seconds and a bit.
    assert held_at_dpu_s(HELD) == Decimal(360_000)
    assert dpu_s_of(Decimal("0.01"), HELD) == Decimal("81.818")
    assert usd_of(Decimal(3600), HELD) == Decimal("0.44")
    # Glue 6.0 asks 0.308 USD an hour.
    assert held_at_dpu_s(profile("cost.max_per_day=44", "cost.hold_runs=true", 'job.glue_version="6.0"')) == Decimal(
        "514285.714"
    )
    for cents in range(1, 200):
        usd = Decimal(cents) / 100
        spent = usd_of(dpu_s_of(usd, HELD), HELD)
        assert spent is not None and Decimal(0) <= usd - spent < Decimal("0.0000002")


def test_the_function_is_told_in_what_glue_counts_and_only_where_runs_are_held() -> None:
    def told(of: Profile) -> dict[str, str]:
        return function_environment(Setting(of, Names("123456789012"), Code({}, {})))

    variables = told(HELD)
    assert variables[Env.MAX_DPU_SECONDS_PER_DAY] == "360000.000" and variables[Env.RUN_DPUS] == "40"
    assert settings_from(variables).max_dpu_s_per_day == 360_000
    for other in (profile(), profile("cost.max_per_day=44")):
        assert not {Env.MAX_DPU_SECONDS_PER_DAY, Env.RUN_DPUS} & told(other).keys()


def test_a_region_without_a_price_cannot_hold_runs() -> None:
    there = HELD.model_copy(update={"region": "eu-north-1"})
    with pytest.raises(
        UsageError,
        match=r"no price of a DPU hour is known in eu-north-1.*set cost.usd_per_dpu_hour",
    ):
        held_at_dpu_s(there)
    (finding,) = budget_findings(there)
    assert (finding.code, finding.severity) == ("budget-price", "error")
    (finding,) = budget_findings(profile("cost.max_per_day=44").model_copy(update={"region": "eu-north-1"}))
    assert finding.severity == "warning"


def test_a_price_that_the_profile_states_makes_a_budget_possible_anywhere() -> None:
    held = profile("cost.max_per_day=44", "cost.hold_runs=true", "cost.usd_per_dpu_hour=0.22")
    there = held.model_copy(update={"region": "eu-north-1"})
    assert held_at_dpu_s(held) == held_at_dpu_s(there) == Decimal(720_000)
    assert "budget-price" not in {each.code for each in budget_findings(there)}
    price = dpu_price_of_profile(there)
    assert price is not None and (price.usd, price.told) == (0.22, "cost.usd_per_dpu_hour of the profile")
    assert estimate(there, 100, 2**40).cost_usd == pytest.approx(estimate(profile(), 100, 2**40).cost_usd / 2)


@pytest.mark.parametrize(
    ("assignments", "sentence"),
    [
        (["cost.usd_per_dpu_hour=0"], "greater than or equal to 0.0001"),
        (["cost.usd_per_dpu_hour=free"], "valid decimal"),
        (["cost.hold_runs=true"], "hold_runs needs max_per_day"),
        (["cost.max_per_day=0"], "greater than or equal to 0.01"),
        (["cost.max_per_day=1.234"], "no more than 2 decimal places"),
        (["cost.max_per_day=.nan"], "finite number"),
        (["cost.max_per_day=lots"], "valid decimal"),
    ],
)
def test_what_is_no_budget_is_one_sentence(assignments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        profile(*assignments)
    assert "\n" not in str(caught.value)


def test_a_load_that_costs_more_than_the_budget_is_warned_of() -> None:
    (finding,) = budget_findings(profile("cost.max_per_day=100"))
    assert (finding.code, finding.severity, finding.setting) == ("budget", "warning", "cost.max_per_day")
    assert "$100.00" in finding.sentence and "338,000 files a day" in finding.sentence
    assert "warned of day by day" in finding.sentence
    (finding,) = budget_findings(profile("cost.max_per_day=100", "cost.hold_runs=true"))
    assert "runs are held when it is spent" in finding.sentence
    assert not list(budget_findings(profile("cost.max_per_day=100000000")))
    assert not list(budget_findings(profile()))


# --- what is said of it


def with_budget(of: Profile, **changes: Any) -> Facts:
    return healthy(profile=of, **changes)


def holding() -> Any:
    """The function as it is deployed with a budget that holds runs."""
    function = healthy().function.value
    assert function is not None
    return read(replace(function, variables={**function.variables, Env.MAX_DPU_SECONDS_PER_DAY: "360000.000"}))


def ran(dpu_hours: float, **changes: Any) -> Any:
    """A run of today that cost so much."""
    return run("jr_1", "SUCCEEDED", age_s=40_000, lasted_s=int(dpu_hours * 90), **{"dpus": 40.0, **changes})


def test_without_a_budget_nothing_is_said_of_one() -> None:
    codes = {each.code for each in check(healthy())}
    assert not codes & {"budget", "runs-held"}


@pytest.mark.parametrize(
    ("dpu_hours", "verdict", "words"),
    [(79.9, "pass", "$35.16 of $44.00"), (80.0, "warn", "80%"), (120, "warn", "120%: runs go on")],
)
def test_spending_is_warned_of_from_four_fifths_on(dpu_hours: float, verdict: str, words: str) -> None:
    given = with_budget(profile("cost.max_per_day=44"), runs=read(Runs((ran(dpu_hours),), True)))
    checked = found(given, "budget")
    assert checked is not None and checked.verdict == verdict and words in checked.sentence
    assert bool(checked.remedies) == (verdict == "warn")
    assert found(given, "runs-held") is None


def test_a_page_of_runs_that_is_not_the_whole_day_says_at_least() -> None:
    given = with_budget(profile("cost.max_per_day=44"), runs=read(Runs((ran(90),), False)))
    checked = found(given, "budget")
    assert checked is not None and checked.sentence.startswith("At least $39.60")


def test_held_runs_fail_with_the_lift_as_remedy_and_nothing_else_is_blamed() -> None:
    waiting = open_manifests(summary("m1", "ready", age_s=5_000))
    given = with_budget(HELD, budget=read(day()), open_manifests=waiting, function=holding())
    checked = found(given, "runs-held")
    assert checked is not None and checked.verdict == "fail"
    assert "no run is started since 11:50Z" in checked.sentence and "1 manifest waits" in checked.sentence
    assert checked.evidence[0].startswith("$44.00 of $44.00")
    assert checked.remedies[0].words == ("cost", "lift")
    starts, spent = found(given, "starts"), found(given, "budget")
    assert starts is not None and starts.verdict == "pass" and "runs-held" in starts.sentence
    assert spent is not None and spent.verdict == "pass" and "runs-held" in spent.sentence
    lifted = with_budget(
        HELD, function=holding(), budget=read(day(held_since=None, lifted_at=ago(5), lifted_to=Decimal(450_000)))
    )
    checked = found(lifted, "runs-held")
    assert checked is not None and checked.verdict == "pass"
    spent = found(lifted, "budget")
    assert spent is not None and "it is lifted to $55.00 until midnight UTC" in spent.sentence


def test_a_function_that_was_deployed_without_a_budget_since_holds_nothing() -> None:
    given = with_budget(profile(), budget=read(day()))
    assert given.held is None and found(given, "runs-held") is None


def test_the_monitor_goes_by_all_of_the_days_runs() -> None:
    """And not by the newest page, which is what the check alone has."""
    of = profile("cost.max_per_day=44")
    given = with_budget(of, runs=read(Runs((ran(50),), False)))
    several = [SeenRun(replace(ran(50), run=replace(ran(50).run, run_id=f"jr_{number}"))) for number in range(2)]
    unread: Any = Reading(why="absent")
    seen = Seen(NOW, given, tuple(check(given)), unread, unread, read((several, True)), unread)
    snapshot = assemble(seen, None, "prod", of)
    cost = snapshot.cost.value
    assert cost is not None and cost.budget is not None and cost.budget.share == pytest.approx(1.0)
    (warned,) = [each for each in snapshot.health.checks if each.code == "budget"]
    assert warned.sentence.startswith("$44.00 of $44.00 (cost.max_per_day) is spent today, 100%: runs go on")
    (alone,) = [each for each in check(given) if each.code == "budget"]
    assert alone.verdict == "pass"


# --- lifting


def lifts(world: World) -> Lifts:
    class At:
        """The world's table under the name that it has there."""

        tracking_table = world.settings.tracking_table

    return Lifts(world.dynamodb, At(), HELD)  # type: ignore[arg-type]


def test_a_lift_in_part_is_above_what_is_spent_and_undone_it_holds_again() -> None:
    world = metered(1, manifests=4)
    assert world.sweep()["held"] == 3
    tool = lifts(world)
    seen = tool.look(world.now)
    assert seen.before.held_since is not None and seen.before.spent == MINUTE and seen.before.limit_now == 1
    usd = Decimal("0.03")  # 245 DPU seconds: two more runs and a bit
    assert tool.limit_of(seen, usd) == MINUTE + Decimal("245.454")
    done = tool.lift(seen, usd, world.now)
    assert (
        done.after is not None and done.after.held_since is None and done.after.limit_now == MINUTE + Decimal("245.454")
    )
    assert world.sweep()["held"] == 0 and len(world.glue.runs) == 4
    undone = tool.undo(tool.look(world.now))
    assert undone.after is not None and undone.after.lifted_at is None
    assert tool.undo(tool.look(world.now)).after is None
    world.deliver(*(world.upload() for _ in range(3)))
    world.sweep()
    assert len(world.glue.runs) == 4 and Attr.HELD_SINCE in item(world)


def test_a_lift_of_what_somebody_else_has_lifted_meanwhile_changes_nothing() -> None:
    world = metered(1, manifests=2)
    world.sweep()
    tool = lifts(world)
    seen = tool.look(world.now)
    assert tool.lift(seen, Decimal(1), world.now).after is not None
    again = tool.lift(seen, None, world.now)
    assert again.changed and again.after is None
    assert item(world)[Attr.LIFTED_TO_DPU_S] > MINUTE  # the first one stands


def test_a_whole_lift_after_one_in_part_has_no_limit() -> None:
    world = metered(1, manifests=6)
    world.sweep()
    tool = lifts(world)
    tool.lift(tool.look(world.now), Decimal("0.02"), world.now)
    assert world.sweep()["held"] > 0
    done = tool.lift(tool.look(world.now), None, world.now)
    assert done.after is not None and done.after.limit_now is None
    assert world.sweep()["held"] == 0 and len(world.glue.runs) == 6


def test_a_date_without_anything_is_not_held() -> None:
    world = metered(1)
    tool = lifts(world)
    seen = tool.look(datetime(2030, 1, 1, tzinfo=timezone.utc))
    assert seen.before.held_since is None and tool.lift(seen, None, world.now).after is None
    assert tool.undo(seen).after is None
    assert read_budget(world.dynamodb, tool._names, NOW).limit == 0


def test_what_the_ledger_says_is_held_is_not_once_the_function_has_no_budget() -> None:
    """As `doctor` and `monitor` say; where the function may not be read it is taken as held."""
    world = metered(1, manifests=2)
    assert world.sweep()["held"] == 1
    tool = lifts(world)
    variables = holding().value.variables  # type: ignore[union-attr]
    assert [tool.look(world.now, known).before.held_since is None for known in ({}, variables, None)] == [
        True, False, False,
    ]  # fmt: skip
    seen = tool.look(world.now, {})
    assert seen.has_no_budget and tool.lift(seen, None, world.now).after is None
    view = lift_view("prod", HELD, seen, None, 1, undo=False, sweep="ndjctl sweep", next_=None)
    assert view.document["before"]["held_since"] is None
    assert "No run is held: the function that is deployed has no budget" in str(view.render())


def told(found: Lifting, waiting: int | None, *, undo: bool = False) -> tuple[str, dict[str, Any]]:
    """The screen's lines, and the document."""
    view = lift_view("prod", HELD, found, None, waiting, undo=undo, sweep="ndjctl sweep", next_=None)
    screen = io.StringIO()
    Console(file=screen, width=200).print(view.render())
    return screen.getvalue(), view.document


def test_a_lift_while_nothing_waits_promises_no_start() -> None:
    world = metered(1, manifests=2)
    world.sweep()
    tool = lifts(world)
    done = tool.lift(tool.look(world.now), None, world.now)
    screen, document = told(done, 0)
    assert "No manifest waits for a run" in screen and "0 manifests" not in screen
    assert document["next"] is None
    screen, document = told(done, 1)
    assert "starts 1 manifest; 'ndjctl sweep' does it now" in screen and document["next"] == "ndjctl sweep"


def test_a_lift_of_before_says_nothing_of_a_function_without_a_budget() -> None:
    """As after a deployment that took the budget away."""
    world = metered(1, manifests=2)
    world.sweep()
    tool = lifts(world)
    tool.lift(tool.look(world.now), None, world.now)
    seen = tool.look(world.now, {})
    screen, document = told(seen, 0)
    assert screen.strip() == "No run is held: the function that is deployed has no budget."
    assert document["has_no_budget"]
    assert "the next sweep starts what waits" in told(seen, 2)[0]
    screen, document = told(tool.undo(seen), None, undo=True)
    assert "The lift is taken back" in screen and "has no budget" in screen
    assert "holds runs again" not in screen
    assert document["done"] and document["has_no_budget"]


def test_a_setting_keeps_its_name_at_the_beginning_of_a_sentence() -> None:
    (finding,) = budget_findings(profile("cost.max_per_day=0.05"))
    assert _of_finding(finding).sentence.startswith("cost.max_per_day is $0.05, and the runs of ")
    assert begun("at least $1.50 is spent") == "At least $1.50 is spent"


def test_explain_says_that_it_waits_because_of_the_budget() -> None:
    from ndjctl.explain.waiting import held_by_budget

    class Given:
        env, at = with_budget(HELD, budget=read(day()), function=holding()), NOW

    verdict: Verdict | None = held_by_budget(Given(), "its manifest m1 waits")  # type: ignore[arg-type]
    assert verdict is not None and verdict.is_waiting and not verdict.is_wrong
    assert verdict.remedies[0].words == ("cost", "lift")
    assert verdict.wait_until == datetime(2026, 11, 28, tzinfo=timezone.utc)
