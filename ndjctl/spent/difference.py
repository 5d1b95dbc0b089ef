"""Why what was spent is not what was estimated: one reason after another, until the one has become the other. Pure.

Each reason changes one figure of the estimate into the one that came; what that changes in USD is its share. They add
up to the difference, whatever their order; the order says which of two reasons gets what both make together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ndjctl.spent.billed import HOUR_S, ZERO

NANO = Decimal("0.000000001")
OTHER = "other"


@dataclass(frozen=True)
class Expected:
    """What is estimated for a load over the time that is compared. runs: as many as it makes, in parts of one. run_s:
    seconds of one. dpus: of one. usd_per_dpu_hour: of the price that applies. others: USD of all services but Glue, by
    service."""

    files: Decimal
    size_bytes: Decimal
    runs: Decimal
    run_s: Decimal
    dpus: Decimal
    usd_per_dpu_hour: Decimal
    others: Mapping[str, Decimal]

    @property
    def other_usd(self) -> Decimal:
        return sum(self.others.values(), ZERO)

    @property
    def glue_usd(self) -> Decimal:
        return self.runs * self.run_s * self.dpus * self.usd_per_dpu_hour / HOUR_S

    @property
    def usd(self) -> Decimal:
        return self.glue_usd + self.other_usd


@dataclass(frozen=True)
class Came:
    """What came in the same time. runs, run_s, dpu_s: of those that converted a manifest, run_s all together.
    worked_usd: of these. waste_usd: of runs that failed, were retried, doubled or billed to the minute; not start and
    idle workers, which the estimate has too. reprocessed_usd, under_way_usd: as they are called. others: USD by
    service."""

    files: Decimal
    size_bytes: Decimal
    runs: Decimal
    run_s: Decimal
    dpu_s: Decimal
    worked_usd: Decimal
    waste_usd: Decimal
    reprocessed_usd: Decimal
    under_way_usd: Decimal
    others: Mapping[str, Decimal]

    @property
    def other_usd(self) -> Decimal:
        return sum(self.others.values(), ZERO)

    @property
    def usd(self) -> Decimal:
        return self.worked_usd + self.waste_usd + self.reprocessed_usd + self.under_way_usd + self.other_usd


@dataclass(frozen=True)
class Reason:
    """usd: that it makes; below zero where it was cheaper. text: the two figures, in words. service: of the code
    OTHER."""

    code: str
    usd: Decimal
    text: str
    service: str = ""


@dataclass(frozen=True)
class Difference:
    """reasons add up to actual_usd - estimated_usd, exactly."""

    estimated_usd: Decimal
    actual_usd: Decimal
    reasons: tuple[Reason, ...]

    @property
    def usd(self) -> Decimal:
        return self.actual_usd - self.estimated_usd


def difference(stated: Expected, by_files: Expected, by_load: Expected, came: Came) -> Difference:
    """stated: the estimate of the profile's load. by_files: the same with as many files as came. by_load: with their
    size, too."""
    rate = by_load.usd_per_dpu_hour / HOUR_S
    mean_s = came.run_s / came.runs if came.runs else by_load.run_s
    mean_dpus = came.dpu_s / came.run_s if came.run_s else by_load.dpus
    with_runs = came.runs * by_load.run_s * by_load.dpus * rate
    with_seconds = came.runs * mean_s * by_load.dpus * rate
    with_dpus = came.runs * mean_s * mean_dpus * rate
    others = by_load.other_usd
    parts = (came.waste_usd, came.reprocessed_usd, came.under_way_usd)
    levels = [
        stated.usd,
        by_files.usd,
        by_load.usd,
        with_runs + others,
        with_seconds + others,
        with_dpus + others,
        came.worked_usd + others,
        came.worked_usd + others + parts[0],
        came.worked_usd + others + parts[0] + parts[1],
        came.worked_usd + others + sum(parts, ZERO),
    ]
    services = list(dict.fromkeys((*by_load.others, *came.others)))
    for service in services:
        levels.append(levels[-1] + came.others.get(service, ZERO) - by_load.others.get(service, ZERO))
    told = [
        ("files", f"{_counted(came.files, 'file')} came, {stated.files:,.0f} are stated"),
        ("size", f"{_mb(came):,.2f} MB a file came, {_mb(by_files):,.2f} are stated"),
        ("runs", f"{_counted(came.runs, 'run')} converted them, {by_load.runs:,.1f} were expected"),
        ("run_time", f"a run took {mean_s:,.0f} s, {by_load.run_s:,.0f} s were expected"),
        ("dpus", f"a run used {mean_dpus:,.2f} DPUs, {by_load.dpus:,.2f} were expected"),
        ("price", "what a DPU hour of these runs costs"),
        ("waste", "runs that failed, were retried, doubled or billed to the minute"),
        ("reprocessed", "manifests that were converted again on purpose"),
        ("under_way", "runs that are not finished"),
        *((OTHER, _of_service(service, by_load, came)) for service in services),
    ]
    exact = [level.quantize(NANO) for level in levels]
    return Difference(exact[0], exact[-1], _reasons(exact, told, services))


def _reasons(levels: Sequence[Decimal], told: Sequence[tuple[str, str]], services: Sequence[str]) -> tuple[Reason, ...]:
    """services: of the last reasons."""
    of = [*[""] * (len(told) - len(services)), *services]
    steps = zip(levels, levels[1:], told, of, strict=False)
    return tuple(Reason(code, after - before, text, service) for before, after, (code, text), service in steps)


def _of_service(service: str, by_load: Expected, came: Came) -> str:
    spent, expected = came.others.get(service, ZERO), by_load.others.get(service, ZERO)
    return f"${spent:,.4f} spent, ${expected:,.4f} were expected for what came"


def _counted(count: Decimal, noun: str) -> str:
    return f"{count:,.0f} {noun}{'' if count == 1 else 's'}"


def _mb(load: Expected | Came) -> Decimal:
    return load.size_bytes / load.files / 10**6 if load.files else ZERO
