"""Sums what runs and services cost: of the time asked for, today, this month, and what the month comes to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from ndjctl.prices.book import PriceBook
from ndjctl.spent.arrivals import DAY_S, Span, arrivals
from ndjctl.spent.billed import HOUR_S, ZERO
from ndjctl.spent.lines import Model, ServiceCost, service_costs
from ndjctl.spent.requests import Used
from ndjctl.spent.waste import (
    DUPLICATE,
    FAILED,
    IDLE,
    MINIMUM,
    PARTS,
    REPROCESSED,
    RETRIED,
    START_UP,
    UNDER_WAY,
    USEFUL,
    WASTE,
    JudgedRun,
    LedgerManifest,
)

DAYS_OF_A_MEAN = 7
_TB = Decimal(10) ** 12


def midnight_of(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def month_of(moment: datetime) -> tuple[datetime, datetime]:
    """(its beginning, that of the next one), in UTC."""
    begin = midnight_of(moment).replace(day=1)
    return begin, (begin + timedelta(days=32)).replace(day=1)


@dataclass(frozen=True)
class Part:
    """runs: that have anything in it. usd: None where a price is not known."""

    dpu_s: Decimal
    usd: Decimal | None
    runs: int


@dataclass(frozen=True)
class Period:
    """What began since `since`. parts: of the DPU seconds of Glue, by the names in waste.PARTS; their sum is `dpu_s`,
    and that of their USD is `glue_usd`. unpriced: price keys that the region's prices lack, without which there is no
    `glue_usd`. services: everything but Glue. files: of manifests that were completed in the time. is_known: whether
    runs could be read at all; else there is nothing of Glue in it. span: of the time, when the environment was there.
    forgotten: manifests that came in the time and that the ledger has forgotten, taken as the mean of the others."""

    since: datetime
    runs: int
    dpu_s: Decimal
    glue_usd: Decimal | None
    parts: Mapping[str, Part]
    unpriced: tuple[str, ...]
    services: tuple[ServiceCost, ...]
    files: int
    span: Span
    forgotten: int
    is_known: bool = True

    @property
    def by_service(self) -> dict[str, Decimal]:
        """USD of everything but Glue, of lines whose price is known."""
        usd: dict[str, Decimal] = {}
        for each in self.services:
            usd[each.service] = usd.get(each.service, ZERO) + (each.usd or ZERO)
        return usd

    @property
    def services_usd(self) -> Decimal:
        """Of those whose price is known."""
        return sum(self.by_service.values(), ZERO)

    @property
    def usd(self) -> Decimal | None:
        return None if self.glue_usd is None else self.glue_usd + self.services_usd

    @property
    def waste_usd(self) -> Decimal | None:
        found = [self.parts[name].usd for name in WASTE]
        return None if None in found else sum((usd for usd in found if usd is not None), ZERO)

    @property
    def waste_share(self) -> Decimal:
        """Of the DPU seconds, from 0 to 1."""
        wasted = sum((self.parts[name].dpu_s for name in WASTE), ZERO)
        return wasted / self.dpu_s if self.dpu_s else ZERO


@dataclass(frozen=True)
class MonthForecast:
    """usd: of the whole month; None where there is no full day to go by, or no price. days: full days that the mean is
    of. mean_usd: of one of them. days_left: of the month, today's rest included."""

    usd: Decimal | None
    days: int
    mean_usd: Decimal | None
    days_left: Decimal


@dataclass(frozen=True)
class Each:
    """What one costs, of the manifests that the ledger remembers as completed, with all their runs. usd: of Glue for
    these; None without a price. manifests: that these figures are of; unknown: manifests of runs of the time that the
    ledger does not have, or not as completed."""

    manifests: int
    unknown: int
    files: int
    size_bytes: int
    usd: Decimal | None

    def per(self, count: int) -> Decimal | None:
        return self.usd / count if self.usd is not None and count else None

    @property
    def usd_per_manifest(self) -> Decimal | None:
        return self.per(self.manifests)

    @property
    def usd_per_file(self) -> Decimal | None:
        return self.per(self.files)

    @property
    def usd_per_tb(self) -> Decimal | None:
        """Of 10**12 bytes of input."""
        return self.usd / (Decimal(self.size_bytes) / _TB) if self.usd is not None and self.size_bytes else None


class Books:
    """Sums over one set of judged runs, one region's prices and what the services were used for."""

    def __init__(
        self,
        judged: Sequence[JudgedRun],
        manifests: Mapping[str, LedgerManifest],
        used: Sequence[Used],
        model: Model,
        book: PriceBook,
        runs_known: bool = True,
    ) -> None:
        """runs_known: whether `judged` are runs, and not nothing because they could not be read."""
        self._judged, self._manifests, self._used, self._model, self._book = judged, manifests, used, model, book
        self._runs_known = runs_known
        self._came = arrivals(judged, manifests)
        known = [each.at for each in self._came]
        known += [begun for each in judged if (begun := each.about.started_at) is not None]
        self._first_known = min(known, default=model.now)

    def span(self, since: datetime, until: datetime | None = None) -> Span:
        """Of a time, when the environment was there: from its first deployment on, or the first that is known of it if
        that was before. All of it where the first deployment is not known."""
        end, deployed_at = self._model.now if until is None else until, self._model.deployed_at
        begin = since if deployed_at is None else max(since, min(deployed_at, self._first_known))
        return Span(min(begin, end), end)

    def _services(self, since: datetime, span: Span, runs: Sequence[JudgedRun]) -> tuple[ServiceCost, ...]:
        seconds = [each.about.run.execution_s for each in runs] if self._runs_known else None
        first = min(self._first_known, self._model.deployed_at or since)
        return service_costs(self._used, since, span, self._came, first, seconds, self._model, self._book)

    def runs(self, since: datetime, until: datetime | None = None) -> list[JudgedRun]:
        """That began then. A run that has not begun counts as one of now."""
        return [
            each
            for each in self._judged
            if ((begun := each.about.started_at) is None and until is None)
            or (begun is not None and begun >= since and (until is None or begun < until))
        ]

    def glue_usd(self, parts: Iterable[tuple[JudgedRun, str]]) -> Decimal | None:
        """Of these parts of these runs; None where a price of one of them is not known, or no run is."""
        if not self._runs_known:
            return None
        dpu_s: dict[str, Decimal] = {}
        for each, name in parts:
            if each.parts[name]:
                dpu_s[each.about.key] = dpu_s.get(each.about.key, ZERO) + each.parts[name]
        usd = ZERO
        for key, seconds in dpu_s.items():
            price = self._book.find(key)
            if price is None:
                return None
            usd += seconds * price.usd / HOUR_S
        return usd

    def files(self, since: datetime, until: datetime | None = None) -> int:
        """Of manifests that were completed in that time, as far as the ledger remembers them."""
        return sum(
            each.files
            for each in self._manifests.values()
            if each.completed_at is not None
            and each.completed_at >= since
            and (until is None or each.completed_at < until)
        )

    def period(self, since: datetime, until: datetime | None = None) -> Period:
        runs = self.runs(since, until)
        parts = {
            name: Part(
                dpu_s=sum((each.parts[name] for each in runs), ZERO),
                usd=self.glue_usd((each, name) for each in runs),
                runs=sum(bool(each.parts[name]) for each in runs),
            )
            for name in PARTS
        }
        keys = {each.about.key for each in runs if each.about.dpu_s}
        found = [part.usd for part in parts.values()]
        span = self.span(since, until)
        return Period(
            since=since,
            runs=len(runs),
            dpu_s=sum((each.about.dpu_s for each in runs), ZERO),
            glue_usd=None if None in found else sum((usd for usd in found if usd is not None), ZERO),
            parts=parts,
            unpriced=tuple(sorted(key for key in keys if self._book.find(key) is None)),
            services=self._services(since, span, runs),
            files=self.files(since, until),
            span=span,
            forgotten=sum(each.is_mean and span.has(each.at) for each in self._came),
            is_known=self._runs_known,
        )

    def forecast(self, now: datetime, first_known: datetime | None) -> MonthForecast:
        """This month so far, and the mean of the last full days for each that is left. first_known: from when on the
        records are known to be whole; None without any."""
        month, following = month_of(now)
        midnight = midnight_of(now)
        days_left = Decimal(str((following - now).total_seconds())) / DAY_S
        days = 0
        if first_known is not None:
            days = max(0, min(DAYS_OF_A_MEAN, (midnight - first_known) // timedelta(days=1)))
        so_far = self.period(month).usd
        if not days:
            return MonthForecast(None, 0, None, days_left)
        full = self.period(midnight - timedelta(days=days), midnight).usd
        if so_far is None or full is None:
            return MonthForecast(None, days, None, days_left)
        return MonthForecast(so_far + full / days * days_left, days, full / days, days_left)

    def forgotten(self, runs: Iterable[JudgedRun]) -> int:
        """How many of the runs are of manifests that the ledger does not have as completed."""
        return sum(
            (found := self._manifests.get(each.about.manifest_id)) is None or found.completed_at is None
            for each in runs
        )

    def each(self, since: datetime) -> Each:
        runs = self.runs(since)
        ids = {each.about.manifest_id for each in runs if each.about.manifest_id}
        done = {
            manifest_id: found
            for manifest_id in ids
            if (found := self._manifests.get(manifest_id)) is not None and found.completed_at is not None
        }
        own = [each for each in runs if each.about.manifest_id in done]
        return Each(
            manifests=len(done),
            unknown=len(ids) - len(done),
            files=sum(each.files for each in done.values()),
            size_bytes=sum(each.size_bytes for each in done.values()),
            usd=self.glue_usd((each, name) for each in own for name in PARTS),
        )


WORKED = (USEFUL, START_UP, IDLE)
IN_VAIN = (RETRIED, FAILED, DUPLICATE, MINIMUM)
OTHERS = (REPROCESSED, UNDER_WAY)
