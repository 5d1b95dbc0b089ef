"""One row of the comparison: a runner with a reader, what a day on it comes to, and whether it is in time. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeVar

from ndjctl.compare.model import Figures
from ndjctl.compare.quotas import Use
from ndjctl.compare.sizes import Ask

Promise = Literal["yes", "maybe", "no", "open", "unknown"]
PROMISES: Mapping[Promise, str] = {
    "yes": "every file is Parquet within 30 minutes, also in the slowest case",
    "maybe": "in the expected case, not in the slowest",
    "no": "later than that in the expected case",
    "open": "in time when it runs, but on spare capacity, which AWS gives when it has some and takes back",
    "unknown": "nothing that AWS says or that was measured tells how long it takes",
}

Group = Literal["glue", "glue-flex", "emr-serverless", "emr-ec2", "fargate", "firehose", "athena"]
T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """runner: in words, with its size. reader: spark, ours or own. slots: vCPUs of a run that convert, 0 where nothing
    tells. asks: what is billed, `per` run hour, hour or day. unit: of units_per_day, DPU or vCPU; empty where it is
    billed by volume. cases: low, expected and high. grid: USD of a day by (case of the rate, case of the reader).
    uses: of the account's quotas. change: a clause, what it takes to have it. options: what is typed behind 'ndjctl
    deploy' to have it; None where it cannot be had so. missing: keys of prices that are not known. is_untested: ndjctl
    can deploy it, but was not run on that version's Spark."""

    code: str
    group: Group
    runner: str
    reader: str
    unit: str
    cases: Mapping[str, Figures]
    grid: Mapping[tuple[str, str], Decimal | None]
    promise: Promise
    uses: tuple[Use, ...]
    change: str
    slots: int = 0
    asks: tuple[Ask, ...] = ()
    per: str = "run hour"
    options: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    is_untested: bool = False

    @property
    def expected(self) -> Figures:
        return self.cases["expected"]

    @property
    def usd_per_day(self) -> Decimal | None:
        """Of the expected case."""
        return self.expected.usd_per_day


@dataclass(frozen=True)
class Times:
    """How many times cheaper one row is than another: low and high are the least and the most of all cases, where both
    have the same rate and the readers any of their ratios."""

    low: Decimal
    expected: Decimal
    high: Decimal


def times_cheaper(row: Row, than: Row) -> Times | None:
    """None where a price is missing or nothing is asked for."""
    pairs = [(than.grid[case], row.grid[case]) for case in row.grid]
    quotients = [first / second for first, second in pairs if first is not None and second]
    if len(quotients) < len(pairs) or not row.usd_per_day or than.usd_per_day is None:
        return None
    return Times(min(quotients), than.usd_per_day / row.usd_per_day, max(quotients))


def promise_of(cases: Mapping[str, Figures], *, is_spare: bool = False) -> Promise:
    """is_spare: on capacity that AWS may take back."""
    if not cases["expected"].is_in_time:
        return "no"
    if is_spare:
        return "open"
    return "yes" if cases["high"].is_in_time else "maybe"


def cheapest_in_time(candidates: Iterable[T], evaluate: Callable[[T, str], Figures]) -> T:
    """The candidate that costs least in the expected case among those that are in time even in the high case; where
    none is, the quickest, and of those that never catch up the one with the fewest at once. By units where a price is
    missing. Raises ValueError without a candidate."""
    in_time: list[tuple[Decimal | float, int, T]] = []
    late: list[tuple[float, float, int, T]] = []
    for place, candidate in enumerate(candidates):
        high = evaluate(candidate, "high")
        if high.is_in_time:
            figures = evaluate(candidate, "expected")
            cost = figures.units_per_day or 0.0 if figures.usd_per_day is None else figures.usd_per_day
            in_time.append((cost, place, candidate))
        else:
            lag_s = float("inf") if high.lag_s is None else high.lag_s
            late.append((lag_s, high.at_once or 0.0, place, candidate))
    if not in_time and not late:
        raise ValueError("there is nothing to choose from")
    return min(in_time, key=lambda each: each[:2])[2] if in_time else min(late, key=lambda each: each[:3])[3]
