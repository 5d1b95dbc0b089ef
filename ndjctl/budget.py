"""What a day's budget comes to: dollars as the DPU seconds that the function counts in, and back. Pure; Decimal.

The budget is one of the runs of Glue: of a day of 338,000 files they are what can run away. It is not the whole bill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from ndjctl.contracts import Attr, Env, parse_iso_utc
from ndjctl.errors import UsageError
from ndjctl.prices.stated import usd_per_dpu_hour
from ndjctl.settings import Profile

WARN_SHARE = Decimal("0.8")
"""Of the budget: from there on it is warned of."""

_THOUSANDTH = Decimal("0.001")
_HOUR_S = 3600


def usd_of(dpu_s: Decimal, profile: Profile) -> Decimal | None:
    """What so many DPU seconds cost; None where the price is not known."""
    price = usd_per_dpu_hour(profile)
    return None if price is None else dpu_s * price / _HOUR_S


def dpu_s_of(usd: Decimal, profile: Profile) -> Decimal:
    """The DPU seconds that so many dollars buy, to a thousandth, never more. Raises UsageError for a region whose price
    is not known."""
    price = usd_per_dpu_hour(profile)
    if price is None:
        raise UsageError(
            f"cost.hold_runs is true, and no price of a DPU hour is known in {profile.region}: dollars say nothing "
            f"of runs there; set cost.usd_per_dpu_hour, or hold_runs to false."
        )
    return (usd * _HOUR_S / price).quantize(_THOUSANDTH, ROUND_DOWN)


def held_at_dpu_s(profile: Profile) -> Decimal:
    """The DPU seconds of a day from which on no run is started, of a profile with cost.hold_runs. Raises UsageError as
    dpu_s_of()."""
    if profile.cost.max_per_day is None:
        raise ValueError("without cost.max_per_day no run is held")
    return dpu_s_of(profile.cost.max_per_day, profile)


@dataclass(frozen=True)
class DayBudget:
    """What the ledger says of a UTC date. Quantities in DPU seconds. spent: by measured_at, the function's last look.
    limit: of the settings then. held_since: None while runs may be started. lifted_to: the limit that a lift has set;
    None where it was lifted wholly, or not at all (lifted_at is None)."""

    spent: Decimal
    limit: Decimal
    measured_at: datetime | None
    held_since: datetime | None
    lifted_at: datetime | None
    lifted_to: Decimal | None

    @property
    def limit_now(self) -> Decimal | None:
        """None where there is none today."""
        if self.lifted_at is None:
            return self.limit
        return None if self.lifted_to is None else max(self.lifted_to, self.limit)


NOTHING_SPENT = DayBudget(Decimal(0), Decimal(0), None, None, None, None)
"""Of a date of which the ledger has nothing: no run was held, none was even about to be started."""


def day_budget_of(item: Mapping[str, Any]) -> DayBudget:
    """item: plain values of the date's item."""

    def moment(name: str) -> datetime | None:
        try:
            return parse_iso_utc(str(item[name]))
        except (KeyError, ValueError):
            return None

    lifted_to = item.get(Attr.LIFTED_TO_DPU_S)
    return DayBudget(
        spent=Decimal(item.get(Attr.SPENT_DPU_S, 0)),
        limit=Decimal(item.get(Attr.LIMIT_DPU_S, 0)),
        measured_at=moment(Attr.MEASURED_AT),
        held_since=moment(Attr.HELD_SINCE),
        lifted_at=moment(Attr.LIFTED_AT),
        lifted_to=None if lifted_to is None else Decimal(lifted_to),
    )


def is_held(day: DayBudget, variables: Mapping[str, str] | None) -> bool:
    """Whether the budget of the day holds runs. variables: of the function as it is deployed: one without a budget
    holds none, whatever the ledger says; None where they are not known."""
    return day.held_since is not None and (variables is None or holds_runs(variables))


def holds_runs(variables: Mapping[str, str]) -> bool:
    """Whether a function with these variables holds runs at all: what the ledger says is of no effect otherwise."""
    return bool(variables.get(Env.MAX_DPU_SECONDS_PER_DAY))
