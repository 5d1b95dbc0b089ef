"""How a lift of the day's budget looks."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ndjctl.budget import DayBudget, usd_of
from ndjctl.contracts import iso_utc
from ndjctl.health.checks_budget import dollars
from ndjctl.lifting import Lifting
from ndjctl.output.base import View, one_line
from ndjctl.output.progress import counted
from ndjctl.output.views import fact_table
from ndjctl.settings import Profile

if TYPE_CHECKING:
    from rich.console import RenderableType


def lift_view(
    env: str,
    profile: Profile,
    found: Lifting,
    limit: Decimal | None,
    waiting: int | None,
    *,
    undo: bool,
    sweep: str,
    next_: str | None,
) -> View:
    """limit: DPU seconds that the lift goes to, None for no limit. waiting: manifests without a run, None where that is
    not known. sweep: what starts them now. next_: what does what was only looked at."""
    before, after = found.before, found.after
    is_done = after is not None
    document = {
        "env": env,
        "date": found.date,
        "done": is_done,
        "undo": undo,
        "before": _document(before, profile),
        "after": None if after is None else _document(after, profile),
        "lift_to_usd": None if undo else _number(limit, profile),
        "waiting": waiting,
        "has_no_budget": found.has_no_budget,
        "next": (sweep if waiting != 0 else None) if is_done and not undo else next_,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        lines: list[RenderableType] = []
        if undo and not is_done:
            return Text(f"Nothing was lifted on {found.date}: there is nothing to take back.")
        if not undo and before.held_since is None:
            return Text(one_line(_not_held(found, profile, waiting)))
        if undo:
            then = "The next sweep holds runs again if the budget is spent."
            if found.has_no_budget:
                then = "The function that is deployed has no budget: no run is held."
            return Text(f"The lift is taken back. {then}", style="yellow")
        if after is None:
            facts = fact_table()
            facts.add_row("held since", Text(iso_utc(before.held_since) if before.held_since else ""))
            facts.add_row("spent", Text(f"{_told(before.spent, profile)} of {_told(before.limit_now, profile)}"))
            if waiting is not None:
                facts.add_row("waiting", Text(counted(waiting, "manifest")))
            facts.add_row("lift", Text(f"{_to(limit, profile)}, until midnight UTC"))
            lines.append(facts)
            if next_:
                lines.append(Text(one_line(f"next: {next_}"), style="dim"))
            return Group(*lines)
        lines.append(Text(f"Lifted {_to(limit, profile)}, until midnight UTC.", style="green"))
        who = "what waits" if waiting is None else counted(waiting, "manifest")
        then = f"The next sweep, within a minute, starts {who}; '{sweep}' does it now."
        if waiting == 0:
            then = "No manifest waits for a run at this moment: there is nothing to start."
        lines.append(Text(one_line(then), style="dim"))
        return Group(*lines)

    return View(document, render)


def _not_held(found: Lifting, profile: Profile, waiting: int | None) -> str:
    before, date = found.before, found.date
    if found.has_no_budget:
        then = "" if waiting == 0 else "; the next sweep starts what waits"
        return f"No run is held: the function that is deployed has no budget{then}."
    if before.lifted_at is not None:
        to = "wholly" if before.lifted_to is None else f"to {_told(before.lifted_to, profile)}"
        return f"No run is held: the budget of {date} was lifted {to} at {before.lifted_at:%H:%M}Z."
    if not profile.cost.hold_runs:
        return "No run is held: cost.hold_runs is not true in the profile."
    if before.measured_at is None:
        return f"No run is held: none waited on {date} so far."
    spent = f"{_told(before.spent, profile)} of {_told(before.limit, profile)}"
    return f"No run is held: {spent} was spent at {before.measured_at:%H:%M}Z."


def _to(limit: Decimal | None, profile: Profile) -> str:
    return "wholly" if limit is None else f"to {_told(limit, profile)}"


def _told(dpu_s: Decimal | None, profile: Profile) -> str:
    if dpu_s is None:
        return "no limit"
    usd = usd_of(dpu_s, profile)
    return f"{dpu_s:,.0f} DPU seconds" if usd is None else dollars(usd)


def _number(dpu_s: Decimal | None, profile: Profile) -> float | None:
    usd = None if dpu_s is None else usd_of(dpu_s, profile)
    return None if usd is None else round(float(usd), 4)


def _document(budget: DayBudget, profile: Profile) -> dict[str, Any]:
    return {
        "held_since": None if budget.held_since is None else iso_utc(budget.held_since),
        "spent_usd": _number(budget.spent, profile),
        "limit_usd": _number(budget.limit_now, profile),
        "spent_dpu_s": float(budget.spent),
        "limit_dpu_s": None if budget.limit_now is None else float(budget.limit_now),
        "measured_at": None if budget.measured_at is None else iso_utc(budget.measured_at),
        "lifted_at": None if budget.lifted_at is None else iso_utc(budget.lifted_at),
    }
