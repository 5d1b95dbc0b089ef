"""One look at what an environment has cost: reads, judges, sums. What may not be read costs its own lines only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from ndjctl.contracts import TTL_DAYS, Names
from ndjctl.forecast.rate import BILLED_START_S, Rate, stated_rate
from ndjctl.glue_runs import SUCCEEDED
from ndjctl.prices.book import PriceBook
from ndjctl.reading import Reading, attempt, attempt_all
from ndjctl.settings import Profile
from ndjctl.spent.beside import Beside, beside
from ndjctl.spent.billed import ZERO
from ndjctl.spent.explorer import Bill, read_bill
from ndjctl.spent.lines import Model
from ndjctl.spent.reading import (
    LedgerRecords,
    RunRecords,
    read_created,
    read_manifests,
    read_reports,
    read_runs,
    remembered_from,
)
from ndjctl.spent.requests import Used, nothing_used, read_used
from ndjctl.spent.runs import SpentRun
from ndjctl.spent.summing import DAYS_OF_A_MEAN, Books, Each, MonthForecast, Period, midnight_of, month_of
from ndjctl.spent.waste import USEFUL, JudgedRun, RunTimes, judge, later_attempts, start_s

RUNS, LEDGER, REPORTS, USED, BILL = "run records", "ledger", "run reports", "CloudWatch", "Cost Explorer"
DEPLOYED = "first deployment"


@dataclass(frozen=True)
class Known:
    """How sure the figures of a time are. runs_whole, ledger_whole: whether all was read. starts_told: runs whose start
    was told apart by their report; starts_assumed: those that were given `assumed_start_s` (start_source says what that
    is). idle_told: runs of which idle workers were told apart, of `worked`. unsure: duplicates that may be a
    `reprocess`. unbilled: runs without DPU seconds and capacity. has_older: whether Glue has runs
    from before what was read."""

    runs_whole: bool
    ledger_whole: bool
    worked: int
    starts_told: int
    starts_assumed: int
    assumed_start_s: Decimal
    start_source: str
    idle_told: int
    unsure: int
    unbilled: int
    has_older: bool


@dataclass(frozen=True)
class Actual:
    """period: of the time asked for. is_first_told: whether the environment's first deployment is known. refused:
    (source, why), in words. bill: None where it was not asked for. book: the
    prices of it all."""

    at: datetime
    region: str
    period: Period
    today: Period
    month: Period
    forecast: MonthForecast
    each: Each
    beside: Beside | None
    known: Known
    is_first_told: bool
    refused: tuple[tuple[str, str], ...]
    bill: Reading[Bill] | None
    book: PriceBook
    later_attempts: int
    is_not_deployed: bool
    is_all_refused: bool


@dataclass(frozen=True)
class Basis:
    """What the figures are judged by. alarms: that 'deploy' makes of the profile. tag: of all that is there."""

    profile: Profile
    book: PriceBook
    alarms: int
    tag: tuple[str, str]


def look(
    client: Callable[[str], Any],
    names: Names,
    basis: Basis,
    since: datetime,
    now: datetime,
    pool: ThreadPoolExecutor,
    *,
    with_bill: bool = False,
    advance: Callable[[int], None] = lambda _runs: None,
) -> Actual:
    """client: one of a service by its name. since: of the figures asked for; read is at least this month, and the full
    days that the forecast is of. with_bill: Cost Explorer is asked, too. advance: told of runs as they are read."""
    env, profile = basis.profile.environment, basis.profile
    read_from = min(since, month_of(now)[0], midnight_of(now) - timedelta(days=DAYS_OF_A_MEAN))
    runs = attempt(lambda: read_runs(client("glue"), names.job, read_from, advance), env)
    records = runs.value or RunRecords((), False, False)
    dates = _dates(records, now)
    reads: dict[str, Callable[[], Any]] = {
        LEDGER: partial(read_manifests, client("dynamodb"), names.tracking_table, dates, pool),
        DEPLOYED: partial(read_created, client("dynamodb"), names.tracking_table),
        USED: partial(read_used, client("cloudwatch"), names, profile, read_from, now),
    }
    wanted = [(run.date, run.manifest_id) for run in records.runs if run.run.state == SUCCEEDED and run.manifest_id]
    reads[REPORTS] = partial(read_reports, client("s3"), names, wanted, pool)
    if with_bill:
        reads[BILL] = lambda: read_bill(client("ce"), basis.tag, profile.region, since, now)
    with ThreadPoolExecutor(len(reads)) as own:  # each of them waits for others in `pool`
        readings = attempt_all(reads, env, own)
    ledger = readings[LEDGER].value or LedgerRecords({}, False)
    reports: Mapping[str, RunTimes] = readings[REPORTS].value or {}
    used: Sequence[Used] = readings[USED].value or nothing_used(names, profile)
    start, start_source = _assumed_start(records.runs, reports)
    judged = judge(records.runs, ledger.manifests, reports, start)
    deployed_at: datetime | None = readings[DEPLOYED].value
    model = Model(profile, stated_rate(profile.load), basis.alarms, now, deployed_at)
    books = Books(judged, ledger.manifests, used, model, basis.book, runs.was_read)
    told = {RUNS: runs, **readings}
    own_runs = books.runs(since)
    return Actual(
        at=now,
        region=profile.region,
        period=books.period(since),
        today=books.period(midnight_of(now)),
        month=books.period(month_of(now)[0]),
        forecast=books.forecast(now, _first_known(records, read_from)),
        each=books.each(since),
        beside=_beside(basis, model.rate, books, since, now),
        known=_known(own_runs, records, ledger, start, start_source),
        is_first_told=deployed_at is not None,
        refused=tuple(
            (name, each.sentence) for name, each in told.items() if not each.was_read and name not in (BILL, DEPLOYED)
        ),
        bill=readings.get(BILL),
        book=basis.book,
        later_attempts=later_attempts(own_runs),
        is_not_deployed=runs.why == "absent" and readings[LEDGER].why == "absent",
        is_all_refused=not any(told[name].was_read for name in (RUNS, LEDGER, USED)),
    )


def _dates(records: RunRecords, now: datetime) -> list[str]:
    """Of the manifests of runs that the ledger may remember, and the last days."""
    oldest = remembered_from(now) - timedelta(days=1)
    recent = {run.date for run in records.runs if run.started_at is None or run.started_at >= oldest}
    return sorted(recent | {f"{now - timedelta(days=back):%Y-%m-%d}" for back in range(TTL_DAYS + 1)})


def _first_known(records: RunRecords, read_from: datetime) -> datetime | None:
    begun = [run.started_at for run in records.runs if run.started_at is not None]
    if records.has_older and records.is_whole:
        return read_from
    return min(begun, default=None)


def _assumed_start(runs: Sequence[SpentRun], reports: Mapping[str, RunTimes]) -> tuple[Decimal, str]:
    """(seconds, what they are) for runs without a report."""
    told = []
    for run in runs:
        times = reports.get(run.manifest_id)
        if times is not None and times.run_id in (run.run.run_id, run.first_id) and run.run.state == SUCCEEDED:
            seconds = start_s(run, times)
            told += [] if seconds is None else [seconds]
    if told:
        mean = (sum(told, ZERO) / len(told)).quantize(Decimal("0.001"))
        return mean, f"the mean of the {len(told):,} that have one"
    return Decimal(str(BILLED_START_S)), "assumed: nothing of it was measured"


def _beside(basis: Basis, rate: Rate, books: Books, since: datetime, now: datetime) -> Beside | None:
    return beside(basis.profile, rate, basis.book, basis.alarms, books, max(since, remembered_from(now)))


def _known(
    runs: Sequence[JudgedRun], records: RunRecords, ledger: LedgerRecords, start: Decimal, start_source: str
) -> Known:
    worked = [each for each in runs if each.kind == USEFUL and each.about.dpu_s]
    return Known(
        runs_whole=records.is_whole,
        ledger_whole=ledger.is_whole,
        worked=len(worked),
        starts_told=sum(each.start == "told" for each in worked),
        starts_assumed=sum(each.start == "assumed" for each in worked),
        assumed_start_s=start,
        start_source=start_source,
        idle_told=sum(each.is_idle_told for each in worked),
        unsure=sum(each.is_unsure for each in runs),
        unbilled=sum(each.about.billed is None for each in runs),
        has_older=records.has_older,
    )
