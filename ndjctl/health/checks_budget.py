"""The budget of the day: how much of it is spent, and whether runs are held by it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from ndjctl.budget import WARN_SHARE, usd_of
from ndjctl.contracts import billed_dpu_s
from ndjctl.health.facts import Facts, Run
from ndjctl.health.model import Checked, Remedy
from ndjctl.health.words import begun, counted, lasting, passed, unread
from ndjctl.prices.stated import usd_per_dpu_hour

LIFT = Remedy(("cost", "lift"), hint="lets runs start again until midnight UTC, or up to --usd more")
HIGHER = Remedy(hint="or raise cost.max_per_day in the profile and deploy")
SPENT = "budget"
"""Code of the check of what is spent."""


def budget_checks(facts: Facts) -> Iterator[Checked]:
    """None where no budget is set and none is in force."""
    yield from _spent(facts)
    yield from _held(facts)


def _spent(facts: Facts) -> Iterator[Checked]:
    if facts.profile.cost.max_per_day is None:
        return
    runs = facts.runs.value
    if runs is None:
        yield unread(SPENT, "cost: budget of the day", facts.runs)
        return
    midnight = facts.at.replace(hour=0, minute=0, second=0, microsecond=0)
    today = [run for run in runs.runs if run.run.started_at is None or run.run.started_at >= midnight]
    spent = sum(map(billed, today), Decimal(0))
    # What was read may not be all of the day; the function's own look is, but only where it holds runs.
    known = facts.budget.value.spent if facts.budget.value is not None else Decimal(0)
    is_whole = runs.is_whole or len(today) < len(runs.runs)
    yield spent_check(facts, max(spent, known), is_whole or known >= spent)


def billed(run: Run) -> Decimal:
    """DPU seconds."""
    return billed_dpu_s(
        execution_s=run.run.execution_s,
        dpus=run.dpus or 0.0,
        dpu_s=run.run.dpu_s,
        has_ended=run.run.has_ended,
    )


def spent_check(facts: Facts, dpu_s: Decimal, is_whole: bool) -> Checked:
    """Of a profile with a budget. dpu_s: that the runs of today came to. is_whole: whether these were all of them."""
    code, title, profile = SPENT, "cost: budget of the day", facts.profile
    budget, spent = profile.cost.max_per_day, usd_of(dpu_s, profile)
    if budget is None:
        raise ValueError("without cost.max_per_day there is nothing to judge")
    if spent is None:
        told = f"no price of a DPU hour is known in {profile.region}"
        return Checked(
            code,
            title,
            "unknown",
            f"Not checked: {told}, so that nobody can say what is spent: set cost.usd_per_dpu_hour.",
        )
    share = spent / budget
    least = "" if is_whole else "at least "
    so_far = f"{least}{dollars(spent)} of {dollars(budget)} (cost.max_per_day) is spent today, {share:.0%}"
    if facts.held is not None:
        return passed(code, title, f"{begun(so_far)}: runs are held (see runs-held).")
    price = f"{dpu_s / 3600:,.2f} DPU hours at ${usd_per_dpu_hour(profile):f}; runs under way by their time so far"
    if share < WARN_SHARE:
        return passed(code, title, f"{begun(so_far)}.", price)
    then = _then(facts, is_over=share >= 1)
    dearer = Remedy(("runs", "--since", "1d"), hint="what ran today, and for how long")
    return Checked(code, title, "warn", f"{begun(so_far)}: {then}.", (price,), (dearer, HIGHER))


def _then(facts: Facts, *, is_over: bool) -> str:
    day = facts.budget.value
    if not facts.profile.cost.hold_runs:
        return "runs go on, because cost.hold_runs is false"
    if day is not None and day.lifted_at is not None:
        limit = None if day.limit_now is None else usd_of(day.limit_now, facts.profile)
        return f"it is lifted{'' if limit is None else f' to {dollars(limit)}'} until midnight UTC"
    return "no further run is started" if is_over else "when all of it is, no further run is started"


def _held(facts: Facts) -> Iterator[Checked]:
    code, title = "runs-held", "runs held by the budget"
    held = facts.held
    if held is None or held.held_since is None:
        if facts.profile.cost.hold_runs:
            yield (
                unread(code, title, facts.budget)
                if facts.budget.value is None
                else passed(code, title, "No run is held.")
            )
        return
    since = f"since {held.held_since:%H:%M}Z, for {lasting((facts.at - held.held_since).total_seconds())}"
    waiting = len(facts.open_manifests.value.waiting) if facts.open_manifests.value is not None else None
    who = "" if waiting is None else f", and {counted(waiting, 'manifest')} {'waits' if waiting == 1 else 'wait'}"
    sentence = f"The budget of the day is spent: no run is started {since}{who}; nothing is lost."
    yield Checked(code, title, "fail" if waiting else "warn", sentence, spent_words(facts), (LIFT, HIGHER))


def spent_words(facts: Facts) -> tuple[str, ...]:
    """What the function saw when it last looked, and until when it holds."""
    held = facts.held
    if held is None or held.limit_now is None:
        return ()
    spent, limit = usd_of(held.spent, facts.profile), usd_of(held.limit_now, facts.profile)
    told = f"{held.spent:,.0f} of {held.limit_now:,.0f} DPU seconds"
    if spent is not None and limit is not None:
        told = f"{dollars(spent)} of {dollars(limit)}"
    return (f"{told}, by the function's own look; the next day, at 00:00Z, begins with nothing spent",)


def dollars(usd: Decimal) -> str:
    return "less than $0.01" if 0 < usd < Decimal("0.005") else f"${usd:,.2f}"
