"""What was spent beside what was estimated: for the load that the profile states, and for the one that came. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ndjctl.contracts import MIB
from ndjctl.forecast.rate import Rate
from ndjctl.forecast.runs import Batch, dpu_hours, run_seconds
from ndjctl.settings import Profile
from ndjctl.spent.billed import HOUR_S, ZERO
from ndjctl.spent.difference import Came, Difference, Expected, difference
from ndjctl.spent.summing import DAY_S, IN_VAIN, WORKED, Books
from ndjctl.spent.waste import REPROCESSED, UNDER_WAY, USEFUL

HOURS_OF_A_DAY = 24

Others = Callable[[Profile], Mapping[str, Decimal]]
"""USD a day of every service but Glue, by its name, for the load of the profile."""


@dataclass(frozen=True)
class Beside:
    """since: from when on the two are compared, as far back as the ledger remembers what came; days: of that. stated:
    for the profile's load; for_what_came: for the load that came, by the same model. unknown_runs: runs that converted
    manifests which the ledger does not have: they are among the runs, their files are not in the load. source: of the
    rate that the estimate takes. others_a_day: USD that are estimated for the stated load, by service."""

    since: datetime
    days: Decimal
    stated: Expected
    for_what_came: Expected
    came: Came
    difference: Difference
    unknown_runs: int
    source: str
    others_a_day: Mapping[str, Decimal]


def beside(
    profile: Profile,
    rate: Rate,
    usd_per_dpu_hour: Decimal,
    others: Others,
    books: Books,
    since: datetime,
    now: datetime,
) -> Beside | None:
    """None where no time has passed, or a price of what came is not known."""
    days = Decimal(str((now - since).total_seconds())) / DAY_S
    came = None if days <= 0 else _came(books, since)
    if came is None:
        return None
    load, known = profile.load, came[0]
    stated_files = Decimal(load.files_per_day) * days
    stated_mb = (load.min_file_size_mb + load.max_file_size_mb) / 2
    came_mb = float(known.size_bytes / known.files) / MIB if known.files else stated_mb

    def expected(files: Decimal, file_mb: float) -> Expected:
        a_day = files / days
        sizes = {"files_per_day": round(a_day), "min_file_size_mb": file_mb, "max_file_size_mb": file_mb}
        own = profile.model_copy(update={"load": load.model_copy(update=sizes)})
        is_stated = file_mb == stated_mb and files == stated_files
        other = sum(others(profile if is_stated else own).values(), ZERO)
        return _expected(profile, rate, files, file_mb, days, usd_per_dpu_hour, other * days)

    stated = expected(stated_files, stated_mb)
    by_files = expected(known.files, stated_mb)
    by_load = expected(known.files, came_mb)
    return Beside(
        since=since,
        days=days,
        stated=stated,
        for_what_came=by_load,
        came=known,
        difference=difference(stated, by_files, by_load, known),
        unknown_runs=came[1],
        source=rate.source,
        others_a_day=others(profile),
    )


def _expected(
    profile: Profile, rate: Rate, files: Decimal, file_mb: float, days: Decimal, price: Decimal, other_usd: Decimal
) -> Expected:
    size_bytes = files * _exactly(file_mb) * MIB
    if not files:
        return Expected(ZERO, ZERO, ZERO, ZERO, ZERO, price, other_usd)
    job = profile.job
    batch = Batch.of(profile.batching, file_mb, float(files / days) / HOURS_OF_A_DAY)
    run_s = run_seconds(job, rate, batch.files * file_mb)
    billed_dpu_s = _exactly(dpu_hours(job, rate, 1, run_s)) * HOUR_S
    seconds = _exactly(run_s)
    return Expected(
        files=files,
        size_bytes=size_bytes,
        runs=files / batch.files,
        run_s=seconds,
        dpus=billed_dpu_s / seconds,
        usd_per_dpu_hour=price,
        other_usd=other_usd,
    )


def _came(books: Books, since: datetime) -> tuple[Came, int] | None:
    runs = books.runs(since)
    useful = [each for each in runs if each.kind == USEFUL]
    period, one = books.period(since), books.each(since)
    found = [
        books.glue_usd((each, name) for each in runs for name in names)
        for names in (WORKED, IN_VAIN, (REPROCESSED,), (UNDER_WAY,))
    ]
    usd: Sequence[Decimal] = [each for each in found if each is not None]
    if len(usd) < len(found):
        return None
    known = Came(
        files=Decimal(one.files),
        size_bytes=Decimal(one.size_bytes),
        runs=Decimal(len(useful)),
        run_s=sum((Decimal(each.about.run.execution_s) for each in useful), ZERO),
        dpu_s=sum((each.parts[name] for each in useful for name in WORKED), ZERO),
        worked_usd=usd[0],
        waste_usd=usd[1],
        reprocessed_usd=usd[2],
        under_way_usd=usd[3],
        other_usd=period.services_usd,
    )
    return known, books.forgotten(useful)


def _exactly(number: float) -> Decimal:
    return Decimal(repr(number))
