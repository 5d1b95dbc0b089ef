"""Rows of the comparison, each for a runner and a reader. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TypeVar

from ndjctl.compare.cluster import Instance, cluster_figures, cluster_sizes, instances_needed
from ndjctl.compare.model import Figures, Work, figures
from ndjctl.compare.quotas import Use
from ndjctl.compare.readers import OURS, Reader
from ndjctl.compare.row import Group, Row, cheapest_in_time, promise_of
from ndjctl.compare.sizes import (
    MOST_EXECUTORS,
    Arch,
    Ask,
    Size,
    emr_serverless_sizes,
    fargate_sizes,
    glue_size,
    glue_sizes,
)
from ndjctl.forecast.rate import Rate, Rates
from ndjctl.prices import PriceBook
from ndjctl.settings import Job, Profile, WorkerType

MOST_RUNS = 1000
"""The most that job.max_concurrent_runs takes."""

OWN_JOB = "a job of your own: ndjctl's has our reader"
DISKS_NOTE = "the disks of the instances (EBS volumes) are left out"
NETWORK_NOTE = (
    "a task needs a way to pull its image and to reach the services: its public address, or a NAT gateway or endpoints "
    "of your network, are left out"
)
T = TypeVar("T")
Evaluate = Callable[[Rate, str, float], Figures]


@dataclass(frozen=True)
class Builder:
    """work: the load in today's manifests. rates: of our reader."""

    profile: Profile
    work: Work
    rates: Rates
    book: PriceBook

    def glue(self, code: str, label: str, profile: Profile, reader: Reader, change: str, options: Sequence[str]) -> Row:
        """The job of a profile as it is, with the runs at once that it allows, under the same load."""
        work = Work.of(self.profile.load, profile.batching)
        size, allowed = glue_size(profile.job), profile.job.max_concurrent_runs
        cases, row = self._row(
            code,
            "glue",
            f"Glue {profile.job.glue_version} {size.name} ({label})",
            reader,
            size,
            lambda rate, case, slower: figures(work, size, rate, case, slower, allowed, self.book),
        )
        needed = cases["expected"].at_once or 0.0
        notes = () if needed <= allowed else (f"{needed:,.0f} runs at once are needed, {allowed:,} are allowed",)
        is_ours = reader is OURS
        return replace(
            row, notes=notes, change=change if is_ours else OWN_JOB, options=tuple(options) if is_ours else None
        )

    def glue_best(
        self, code: str, version: str, types: Sequence[WorkerType], reader: Reader, *, flex: bool = False
    ) -> Row:
        """The numbers of workers that cost least and keep the promise, of these types."""
        base = self.profile.job.model_copy(update={"glue_version": version})
        pairs = [pair for worker_type in types for pair in glue_sizes(base, worker_type, flex=flex)]
        job, size = self._best(pairs, lambda pair: pair[1], reader, MOST_RUNS)
        cases, row = self._row(
            code,
            "glue-flex" if flex else "glue",
            f"Glue {version} {'Flex ' if flex else ''}{size.name}",
            reader,
            size,
            lambda rate, case, slower: figures(self.work, size, rate, case, slower, MOST_RUNS, self.book),
            is_spare=flex,
        )
        runs = ceil(cases["high"].at_once or 0.0) or 1
        if reader is not OURS:
            return replace(row, change=OWN_JOB)
        if flex:
            return replace(row, change="an execution class for the job's runs: not in ndjctl")
        settings = self._settings(job, min(runs, MOST_RUNS))
        return replace(
            row,
            change=f"set {_listed([name for name, _ in settings])}" if settings else "nothing",
            options=tuple(word for name, value in settings for word in ("--set", f"{name}={value}")),
        )

    def emr_serverless(self, arch: Arch, reader: Reader) -> Row:
        size = self._best(emr_serverless_sizes(arch, reader), lambda each: each, reader)
        wheels = ", with wheels for ARM" if arch == "arm" else ""
        what = "the job's bundle" if reader is OURS else "a job of your own"
        _, row = self._row(
            f"emr-serverless-{arch}",
            "emr-serverless",
            f"EMR Serverless {_arch(arch)} {size.name}",
            reader,
            size,
            lambda rate, case, slower: figures(self.work, size, rate, case, slower, None, self.book),
        )
        return replace(row, change=f"another runner: {what} as an EMR Serverless job{wheels}, not in ndjctl")

    def fargate(self, arch: Arch, reader: Reader, *, spot: bool = False) -> Row:
        size = self._best(fargate_sizes(arch, reader, spot=spot), lambda each: each, reader)
        what = "of the kernel" if reader is OURS else "with Spark in local mode"
        _, row = self._row(
            f"fargate-{'spot-' if spot else ''}{arch}",
            "fargate",
            f"Fargate {'spot ' if spot else ''}{_arch(arch)} {size.name}",
            reader,
            size,
            lambda rate, case, slower: figures(self.work, size, rate, case, slower, None, self.book),
            is_spare=spot,
        )
        change = f"another runner: a container image {what}, not in ndjctl"
        return replace(row, change=change, notes=(*row.notes, NETWORK_NOTE))

    def emr_cluster(self, instance: Instance, reader: Reader, *, spot: bool) -> Row:
        def of(size: Size) -> Evaluate:
            return lambda rate, case, slower: cluster_figures(
                self.work, instance, size, rate, case, slower, self.book, spot=spot
            )

        rates = dict(self.rates)
        size = cheapest_in_time(
            cluster_sizes(MOST_EXECUTORS, spot=spot),
            lambda each, case: of(each)(rates[case], case, reader.slower.of(case)),
        )
        kind = "spot" if spot else "on demand"
        keys = instance.keys(spot)
        cases, row = self._row(
            f"emr-{kind.replace(' ', '-')}-{instance.type}",
            "emr-ec2",
            "",
            reader,
            size,
            of(size),
            is_spare=spot,
            keys=keys,
        )
        count = {case: instances_needed(instance, size, each.at_once or 0.0) for case, each in cases.items()}
        uses = tuple(Use(use.quota, count["high"] * instance.vcpus) for use in row.uses)
        spot_note = (
            "spot prices vary by hour and zone, and are at most those on demand; what AWS takes back is converted "
            "again, which is not counted"
        )
        what = "the job" if reader is OURS else "a job of your own"
        change = f"another runner: a cluster to keep, and {what} as its steps, not in ndjctl"
        asks = (Ask(keys[0], count["expected"]), Ask(keys[1], 1), Ask(keys[2], count["expected"] + 1))
        return replace(
            row,
            runner=f"EMR EC2 {kind} {count['expected']:,} x {instance.type}",
            uses=uses,
            notes=(DISKS_NOTE, *((spot_note,) if spot else ())),
            change=change,
            asks=asks,
            per="hour",
        )

    def _best(
        self, candidates: Iterable[T], size_of: Callable[[T], Size], reader: Reader, allowed: int | None = None
    ) -> T:
        rates = dict(self.rates)
        return cheapest_in_time(
            candidates,
            lambda each, case: figures(
                self.work, size_of(each), rates[case], case, reader.slower.of(case), allowed, self.book
            ),
        )

    def _row(
        self,
        code: str,
        group: Group,
        runner: str,
        reader: Reader,
        size: Size,
        evaluate: Evaluate,
        *,
        is_spare: bool = False,
        keys: Sequence[str] = (),
    ) -> tuple[dict[str, Figures], Row]:
        cases = {case: evaluate(rate, case, reader.slower.of(case)) for case, rate in self.rates}
        grid = {
            (case, of_reader): evaluate(rate, case, slower).usd_per_day
            for case, rate in self.rates
            for of_reader, slower in reader.slower
        }
        at_once = ceil(cases["high"].at_once or 0.0)
        asked = keys or [ask.key for ask in size.asks]
        row = Row(
            code=f"{code}-{reader.code}",
            group=group,
            runner=runner,
            reader=reader.code,
            unit=size.unit,
            cases=cases,
            grid=grid,
            promise=promise_of(cases, is_spare=is_spare),
            uses=tuple(Use(quota, at_once * each) for quota, each in size.quotas),
            change="",
            slots=size.slots,
            asks=size.asks,
            missing=tuple(key for key in asked if self.book.find(key) is None),
        )
        return cases, row

    def _settings(self, job: Job, runs: int) -> list[tuple[str, str | int]]:
        """That differ from today's, by their path. More runs at once than are needed are left allowed."""
        now = self.profile.job
        runs = max(runs, now.max_concurrent_runs)
        wanted: list[tuple[str, str | int, str | int]] = [
            ("job.glue_version", job.glue_version, now.glue_version),
            ("job.worker_type", job.worker_type, now.worker_type),
            ("job.workers", job.workers, now.workers),
            ("job.max_concurrent_runs", runs, now.max_concurrent_runs),
        ]
        waiting = self.profile.batching.max_waiting_manifests
        if runs > waiting:
            wanted.append(("batching.max_waiting_manifests", runs, waiting))
        return [(path, value) for path, value, before in wanted if value != before]


def _arch(arch: Arch) -> str:
    return {"x86": "x86", "arm": "ARM"}[arch]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
