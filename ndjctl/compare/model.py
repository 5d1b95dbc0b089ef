"""What a load comes to on runs of a size: their time, lag, number at once and price. Pure.

Times, hours and lags are floats, because they are a forecast; money is Decimal. Lags are counted as `ndjctl tune`
counts them: from a batch's first file to its rows, by filling, the next sweep, and the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from ndjctl.advice.throughput import LATENCY_S, SWEEP_S, peak_files_per_hour_of
from ndjctl.compare.sizes import Ask, Size
from ndjctl.contracts import MIB
from ndjctl.forecast.rate import Rate
from ndjctl.forecast.runs import HOUR_S, Batch
from ndjctl.prices import PriceBook
from ndjctl.settings import Batching, Load

TB = 10**12


@dataclass(frozen=True)
class Work:
    """A load, cut into manifests. file_mb: of 2**20 bytes, the middle between the smallest and the largest. even, peak:
    files an hour, of an even day and of its busiest hour."""

    files_per_day: int
    file_mb: float
    even: float
    peak: float
    usual: Batch
    busiest: Batch

    @classmethod
    def of(cls, load: Load, batching: Batching) -> Work:
        even, peak = load.files_per_day / 24, peak_files_per_hour_of(load)
        file_mb = (load.min_file_size_mb + load.max_file_size_mb) / 2
        return cls(
            load.files_per_day,
            file_mb,
            even,
            peak,
            Batch.of(batching, file_mb, even),
            Batch.of(batching, file_mb, peak),
        )

    @property
    def bytes_per_day(self) -> float:
        return self.files_per_day * self.file_mb * MIB

    @property
    def tb_per_day(self) -> Decimal:
        """Of 10**12 bytes."""
        return amount(self.bytes_per_day) / TB

    @property
    def runs_per_day(self) -> float:
        return self.files_per_day / self.usual.files


@dataclass(frozen=True)
class Figures:
    """What a day comes to in one case. run_s: by the clock. billed_s: of a run, None where it is not billed by its
    time. units_per_day: DPU hours or vCPU hours. usd_per_day: None where a price is
    missing. lag_s: of the worst file, also in the hour of the peak; None where it grows without end, or where nothing
    tells it. at_once: runs, in the busiest hour."""

    mb_per_s_per_vcpu: float | None
    start_s: float | None
    run_s: float | None
    billed_s: float | None
    units_per_day: float | None
    usd_per_day: Decimal | None
    lag_s: float | None
    at_once: float | None

    @property
    def is_in_time(self) -> bool:
        return self.lag_s is not None and self.lag_s <= LATENCY_S


def figures(
    work: Work, size: Size, rate: Rate, case: str, slower: float, allowed: int | None, book: PriceBook
) -> Figures:
    """rate: of our reader, in that case. slower: how many times slower the reader is. allowed: runs at once, None for
    as many as are needed."""
    mb_per_s = rate.mb_per_s_per_vcpu / slower
    # What a service takes to have its workers is not billed where that of the rate is not.
    wait_s, start_s = (rate.wait_s, rate.start_s) if size.start_s is None else (0.0, size.start_s.of(case))
    run_s, peak_run_s = (
        wait_s + start_s + batch.files * work.file_mb / (size.slots * mb_per_s) for batch in (work.usual, work.busiest)
    )
    share = rate.used_share if size.auto_scaling else 1.0
    billed_s = max(run_s - wait_s, size.least_s)
    hours = work.runs_per_day * billed_s / HOUR_S * share
    at_once = max(work.even / work.usual.files * run_s, work.peak / work.busiest.files * peak_run_s) / HOUR_S
    return Figures(
        mb_per_s_per_vcpu=mb_per_s,
        start_s=wait_s + start_s,
        run_s=run_s,
        billed_s=billed_s,
        units_per_day=hours * size.units,
        usd_per_day=priced(size.asks, hours, book),
        lag_s=lag_s(work, run_s, peak_run_s, allowed),
        at_once=at_once,
    )


def lag_s(work: Work, run_s: float, peak_run_s: float, allowed: int | None) -> float | None:
    """Of the worst file: the first of an even hour's batch, or the last of the busiest hour. None where more runs are
    needed at once than are allowed: then it grows with every hour."""
    usual, peak = work.usual.fill_s + SWEEP_S + run_s, work.busiest.fill_s + SWEEP_S + peak_run_s
    if allowed is None:
        return max(usual, peak)
    if allowed <= 0 or work.even / work.usual.files * run_s / HOUR_S > allowed:
        return None
    busy_s = work.peak / work.busiest.files * peak_run_s / allowed
    return max(usual, peak + max(0.0, busy_s - HOUR_S))


def priced(asks: Sequence[Ask], hours: float, book: PriceBook) -> Decimal | None:
    """USD for so many hours of what is asked for; None where a price is missing."""
    prices = [(book.find(ask.key), ask.quantity) for ask in asks]
    total = Decimal(0)
    for price, quantity in prices:
        if price is None:
            return None
        total += amount(hours) * amount(quantity) * price.usd
    return total


def amount(value: float) -> Decimal:
    """A float as the decimal number that it is written as."""
    return Decimal(repr(float(value)))
