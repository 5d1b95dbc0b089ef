"""What was spent beside what was estimated: for the load that the profile states, and for the one that came. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from ndjctl.cost.estimate import case_of
from ndjctl.cost.runs import SERVICE as GLUE
from ndjctl.cost.usage import Given, Usage, usage
from ndjctl.forecast.rate import Rate
from ndjctl.prices.book import PriceBook
from ndjctl.prices.glue import dpu_key
from ndjctl.settings import Profile
from ndjctl.spent.billed import ZERO
from ndjctl.spent.difference import Came, Difference, Expected, difference
from ndjctl.spent.summing import IN_VAIN, WORKED, Books
from ndjctl.spent.waste import REPROCESSED, UNDER_WAY, USEFUL


@dataclass(frozen=True)
class Beside:
    """since: from when on the two are compared, as far back as the ledger remembers what came, and the environment was
    there; days: of that. stated:
    for the profile's load; for_what_came: for the load that came, by the same model. unknown_runs: runs that converted
    manifests which the ledger does not have: they are among the runs, their files are not in the load. source: of the
    rate that the estimate takes. others_a_day: USD that are estimated for the stated load, by service and line."""

    since: datetime
    days: Decimal
    stated: Expected
    for_what_came: Expected
    came: Came
    difference: Difference
    unknown_runs: int
    source: str
    others_a_day: Mapping[tuple[str, str], Decimal]


def beside(profile: Profile, rate: Rate, book: PriceBook, alarms: int, books: Books, since: datetime) -> Beside | None:
    """alarms: that 'deploy' makes of the profile. The estimate is that of `ndjctl cost`, in its expected case, but
    before free allowances. None where no time has passed, or a price of the runs is not known."""
    span = books.span(since)
    since, days = span.begin, span.days
    price = book.find(dpu_key(profile.job.glue_version))
    came = None if days <= 0 else _came(books, since)
    if came is None or price is None:
        return None
    known = came[0]

    def bill(used: Usage) -> tuple[Expected, dict[tuple[str, str], Decimal]]:
        """(for the days that are compared, USD of one day by service and line, but Glue)."""
        lines = case_of(profile, used, book, alarms=alarms, deduct_free=False).lines
        others = {(line.service, line.name): line.usd_per_day for line in lines if line.service != GLUE}
        by_service: dict[str, Decimal] = {}
        for (service, _), usd in others.items():
            by_service[service] = by_service.get(service, ZERO) + usd * days
        expected = Expected(
            files=used.files * days,
            size_bytes=used.input_bytes * days,
            runs=used.manifests * days,
            run_s=used.billed_s,
            dpus=used.dpus * used.used_share,
            usd_per_dpu_hour=price.usd,
            others=by_service,
        )
        return expected, others

    stated, others_a_day = bill(usage(profile, Given(), rate))
    by_files, _ = bill(_usage(profile, rate, known.files / days, None))
    mean_bytes = known.size_bytes / known.files if known.files else None
    by_load, _ = bill(_usage(profile, rate, known.files / days, mean_bytes))
    return Beside(
        since=since,
        days=days,
        stated=stated,
        for_what_came=by_load,
        came=known,
        difference=difference(stated, by_files, by_load, known),
        unknown_runs=came[1],
        source=rate.source,
        others_a_day=others_a_day,
    )


def _usage(profile: Profile, rate: Rate, files_a_day: Decimal, file_bytes: Decimal | None) -> Usage:
    """Of so many files, which need be no whole number. file_bytes: of each; None is as the profile has them."""
    whole = max(1, round(files_a_day)) if files_a_day else 0
    used = usage(profile, Given(whole, None if file_bytes is None else round(file_bytes)), rate)
    manifests = used.manifests * files_a_day / whole if whole else ZERO
    exact = replace(used, files=files_a_day, manifests=manifests)
    return exact if file_bytes is None else replace(exact, file_bytes=file_bytes)


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
        others=period.by_service,
    )
    return known, books.forgotten(useful)
