"""The lines of `ndjctl cost` besides Glue's for what came: measured where CloudWatch has it, else by the estimate's own
model. Pure; Decimal.

A line of the estimate is a month's quantity of a day's load. Of a time it is that quantity for the load that came a
day, by the share of the month that the environment was there for; of what is kept (GB months), for the days' worth that
was there (ndjctl.spent.arrivals).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from ndjctl.cost.bill import Item
from ndjctl.cost.estimate import items_of
from ndjctl.cost.line import DAYS_OF_A_MONTH, Input
from ndjctl.cost.runs import SERVICE as GLUE
from ndjctl.cost.usage import Given, Usage, usage
from ndjctl.forecast.rate import Rate
from ndjctl.prices.book import PriceBook
from ndjctl.settings import Profile
from ndjctl.spent.arrivals import Arrival, Span, Standing
from ndjctl.spent.billed import ZERO
from ndjctl.spent.requests import Used

_KEPT = "GB months"
_LEDGER, _RECORDS = "the ledger: what came, by the day", "the run records: all runs that began, by the day"


@dataclass(frozen=True)
class Model:
    """What the estimate is made by. alarms: that 'deploy' makes of the profile. now: of the look. deployed_at: the
    first deployment of the environment; None where that cannot be told."""

    profile: Profile
    rate: Rate
    alarms: int
    now: datetime
    deployed_at: datetime | None = None


@dataclass(frozen=True)
class ServiceCost:
    """usd: at list prices, before any free allowance; None where the region's price is not known. is_estimated: by the
    model, because CloudWatch has nothing. formula, inputs: of a line that is estimated. metric: of one that is
    measured."""

    service: str
    name: str
    key: str | None
    quantity: Decimal
    unit: str
    usd: Decimal | None
    is_estimated: bool = False
    formula: str = ""
    inputs: tuple[Input, ...] = ()
    metric: str = ""


def service_costs(
    used: Sequence[Used],
    since: datetime,
    span: Span,
    came: Sequence[Arrival],
    first: datetime,
    run_seconds: Sequence[float] | None,
    model: Model,
    book: PriceBook,
) -> tuple[ServiceCost, ...]:
    """Each line of the estimate but Glue's, in its order, and what is measured besides. since: of the time asked for.
    span: of it, when the environment was there. came: all that is known, from `first` on. run_seconds: of the runs
    that began in the time; None where they are not known."""
    measured = {
        (each.service, each.name): (each, quantity)
        for each in used
        if (quantity := each.quantity(since, span)) is not None
    }
    costs = []
    for item in _items(span, came, first, run_seconds, model):
        found = measured.pop((item.service, item.name), None)
        costs.append(_estimated(item) if found is None else _measured(found[0], found[1], item.unit))
    costs += [_measured(each, quantity, "units") for each, quantity in measured.values()]
    return _priced(costs, book, span.days)


def _items(
    span: Span, came: Sequence[Arrival], first: datetime, run_seconds: Sequence[float] | None, model: Model
) -> list[Item]:
    """Quantities of the time, by the names of the estimate's lines."""
    standing = Standing([each for each in came if each.at < span.end], first, span)
    flowing = _usage(model, [each for each in came if span.has(each.at)], span.days, run_seconds)
    # What is kept came with the runs of all the time; that of one run is the same.
    kept = replace(_usage(model, standing.came, standing.days, None), standing_days=standing)
    share = span.days / DAYS_OF_A_MONTH
    pairs = zip(
        items_of(model.profile, flowing, model.alarms), items_of(model.profile, kept, model.alarms), strict=True
    )
    items = [stock if flow.unit == _KEPT else flow for flow, stock in pairs if flow.service != GLUE]
    return [
        replace(
            item,
            quantity=item.quantity * share,
            formula=f"({item.formula}) x days / 30",
            inputs=(*item.inputs, Input("days", span.days, "days", "that the environment was there for")),
        )
        for item in items
    ]


def _usage(model: Model, came: Sequence[Arrival], days: Decimal, run_seconds: Sequence[float] | None) -> Usage:
    """The estimate's own, of what came by the day instead of what is stated. The runs are the manifests where
    `run_seconds` has none of them."""
    stated = usage(model.profile, Given(), model.rate)
    files, size_bytes = sum(each.files for each in came), sum(each.size_bytes for each in came)
    runs = len(came) if run_seconds is None else len(run_seconds)
    sources = {**stated.sources, "files": _LEDGER, "file_bytes": "the ledger: the mean of what came"}
    sources["manifests"] = _LEDGER if run_seconds is None else _RECORDS
    found = replace(
        stated,
        files=files / days if days else ZERO,
        file_bytes=Decimal(size_bytes) / files if files else ZERO,
        manifests=runs / days if days else ZERO,
        sources=sources,
    )
    if not run_seconds:
        return found
    mean_s = sum((Decimal(str(each)) for each in run_seconds), ZERO) / len(run_seconds)
    return replace(found, start_s=ZERO, converting_s=mean_s, least_s=ZERO)


def _estimated(item: Item) -> ServiceCost:
    return ServiceCost(
        item.service, item.name, item.key, item.quantity, item.unit, None, True, item.formula, item.inputs
    )


def _measured(used: Used, quantity: Decimal, unit: str) -> ServiceCost:
    return ServiceCost(used.service, used.name, used.key, quantity, unit, None, metric=used.metric)


def _priced(costs: Sequence[ServiceCost], book: PriceBook, days: Decimal) -> tuple[ServiceCost, ...]:
    """Lines of one price share its tiers, which are a month's."""
    months = max(days / DAYS_OF_A_MONTH, Decimal(1))
    totals: dict[str, Decimal] = {}
    for each in costs:
        if each.key is not None:
            totals[each.key] = totals.get(each.key, ZERO) + each.quantity
    priced = []
    for each in costs:
        price = None if each.key is None else book.find(each.key)
        unit = each.unit if price is None or each.is_estimated else price.unit
        usd: Decimal | None = ZERO
        if each.key is not None and each.quantity:
            total = totals[each.key]
            usd = None if price is None else price.cost(total / months) * months * each.quantity / total
        priced.append(replace(each, unit=unit, usd=usd))
    return tuple(priced)
