"""What a load will cost on a profile's settings: every line of it, in three cases of the rate. Pure; Decimal."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ndjctl.cost import function, objects, runs, watching
from ndjctl.cost.bill import Item, Missing, priced
from ndjctl.cost.line import DAYS_OF_A_MONTH, Line, total_per_month
from ndjctl.cost.usage import Given, Usage, usage
from ndjctl.forecast.rate import Rate, Rates
from ndjctl.prices.book import PriceBook
from ndjctl.settings import Profile

TB = Decimal(10**12)
MILLION = Decimal(10**6)
CASES = ("low", "expected", "high")


@dataclass(frozen=True)
class Case:
    """One rate's bill. missing: prices that are not known; their lines are in no sum."""

    rate: Rate
    usage: Usage
    lines: tuple[Line, ...]
    missing: tuple[Missing, ...]

    @property
    def usd_per_month(self) -> Decimal:
        return total_per_month(self.lines)

    @property
    def usd_per_day(self) -> Decimal:
        return self.usd_per_month / DAYS_OF_A_MONTH

    @property
    def usd_per_tb(self) -> Decimal | None:
        """Of input, 10**12 bytes; None where there is none."""
        return self.usd_per_day / (self.usage.input_bytes / TB) if self.usage.input_bytes else None

    @property
    def usd_per_million_files(self) -> Decimal | None:
        return self.usd_per_day / self.usage.files * MILLION if self.usage.files else None


@dataclass(frozen=True)
class Estimate:
    """deducts_free: whether the account's free allowances are taken off."""

    profile: Profile
    given: Given
    rates: Rates
    book: PriceBook
    deducts_free: bool
    low: Case
    expected: Case
    high: Case

    def case(self, name: str) -> Case:
        return {"low": self.low, "expected": self.expected, "high": self.high}[name]


def estimate(
    profile: Profile, given: Given, rates: Rates, book: PriceBook, *, alarms: int, deduct_free: bool = True
) -> Estimate:
    """alarms: that 'deploy' makes where alarms.enabled is true (ndjctl.deploy.desired.watching.alarm_list)."""
    cases = {
        name: case_of(profile, usage(profile, given, rate), book, alarms=alarms, deduct_free=deduct_free)
        for name, rate in rates
    }
    return Estimate(profile, given, rates, book, deduct_free, cases["low"], cases["expected"], cases["high"])


def case_of(
    profile: Profile, used: Usage, book: PriceBook, *, alarms: int, deduct_free: bool = True, execution_class: str = ""
) -> Case:
    """execution_class: of the runs, FLEX or empty."""
    lines, missing = priced(items_of(profile, used, alarms, execution_class), book, deduct_free)
    return Case(used.rate, used, lines, missing)


def items_of(profile: Profile, used: Usage, alarms: int, execution_class: str = "") -> tuple[Item, ...]:
    return (
        *runs.items(used, profile.job.glue_version, execution_class),
        *function.items(used, profile),
        *objects.items(used, profile),
        *watching.items(used, profile, alarms),
    )
