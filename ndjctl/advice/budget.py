"""The budget of a day against the cost of the stated load. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from ndjctl.advice.findings import Finding
from ndjctl.forecast.rate import stated_rate
from ndjctl.forecast.runs import Quotas
from ndjctl.prices.stated import usd_per_dpu_hour
from ndjctl.settings import Profile

_PATH = "cost.max_per_day"


def budget_findings(profile: Profile) -> Iterator[Finding]:
    """Whether a day of the stated load fits into the budget, and whether the budget can be told in what is counted."""
    budget = profile.cost.max_per_day
    if budget is None:
        return
    price = usd_per_dpu_hour(profile)
    if price is None:
        told = f"{_PATH} is {budget}, and no price of a DPU hour is known in {profile.region}"
        if profile.cost.hold_runs:
            sentence = f"{told}: cost.hold_runs has nothing to hold runs by; set cost.usd_per_dpu_hour"
            yield Finding("budget-price", "error", "cost.hold_runs", sentence)
        else:
            sentence = f"{told}: nobody can say when it is spent; set cost.usd_per_dpu_hour"
            yield Finding("budget-price", "warning", _PATH, sentence)
        return
    day = _usd_per_day(profile, price)
    if day > budget:
        then = (
            "runs are held when it is spent (cost.hold_runs), and files wait for the next day"
            if profile.cost.hold_runs
            else "it is warned of day by day"
        )
        yield Finding(
            "budget",
            "warning",
            _PATH,
            f"{_PATH} is ${budget:,.2f}, and the runs of the stated {profile.load.files_per_day:,} files a day come to "
            f"about ${day:,.2f}: {then}; raise it if that load is real",
        )


def _usd_per_day(profile: Profile, price: Decimal) -> Decimal:
    from ndjctl.tune.model import forecast  # it is made of advice, too

    found = forecast(profile, stated_rate(profile.load), Quotas(), None, float(price))
    return Decimal(str(found.usd_per_day or 0)).quantize(Decimal("0.01"))
