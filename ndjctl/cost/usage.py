"""What a load comes to in a day: files, bytes, manifests, and the runs that convert them. Pure; Decimal.

A day's files come evenly, and are of one size: the middle of what the profile states, unless it is said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from ndjctl.advice.throughput import throughput
from ndjctl.contracts import LEAST_BILLED_RUN_S, MIB
from ndjctl.cost import figures
from ndjctl.cost.line import Input
from ndjctl.errors import UsageError
from ndjctl.forecast.rate import START_SOURCE, Rate
from ndjctl.forecast.runs import Batch, working_seconds
from ndjctl.settings import LARGEST_OBJECT_MB, Profile

FILES, BYTES, RUNS, TIME = "files", "bytes", "runs", "time"
RUN_TIME = "--run-time"
MOST_FILES = 10**9
MOST_RUN_S = 7 * 86_400
"""The longest that Glue lets a run take (job.timeout_min)."""


@dataclass(frozen=True)
class Given:
    """What is said instead of what the profile states; None is as the profile has it. file_bytes: of every file.
    run_s: that a run of any manifest takes, from its start to its end. manifests_per_day: however many files there
    are."""

    files_per_day: int | None = None
    file_bytes: int | None = None
    run_s: Decimal | None = None
    manifests_per_day: int | None = None

    def __post_init__(self) -> None:
        _check("--files-per-day", self.files_per_day, 0, MOST_FILES, "files")
        _check("--file-size", self.file_bytes, 0, LARGEST_OBJECT_MB * MIB, "bytes, the largest object of S3")
        _check("--manifests-per-day", self.manifests_per_day, 1, MOST_FILES, "manifests")
        run_s = self.run_s
        if run_s is not None and not (run_s.is_finite() and 0 < run_s <= MOST_RUN_S):
            raise UsageError(f"--run-time takes more than nothing and 7 days at most; {run_s:f} s is neither.")


def _check(name: str, value: int | None, least: int, most: int, of: str) -> None:
    if value is not None and not least <= value <= most:
        raise UsageError(f"{name} takes {least} to {most:,} {of}; {value:,} is out of that.")


@dataclass(frozen=True)
class Usage:
    """A day's work. converting_s, start_s, least_s: of a run, what it is billed for: its work, its start, and what is
    missing to the least that is billed. task_slots, dpus: of a run with all workers. used_share: of the DPUs,
    that are billed.
    sources: by the name of a field, where it is from. standing_days: of what is kept for so many days, how many days'
    worth was there on the mean, by what it comes with (FILES, BYTES, RUNS or TIME); None is of a load that has lasted
    longer than anything is kept: all of them."""

    files: Decimal
    file_bytes: Decimal
    manifests: Decimal
    converting_s: Decimal
    start_s: Decimal
    least_s: Decimal
    task_slots: Decimal
    dpus: Decimal
    used_share: Decimal
    output_share: Decimal
    input_days: Decimal
    output_days: Decimal
    rate: Rate
    sources: dict[str, str]
    standing_days: Callable[[str, Decimal], Decimal] | None = None

    @property
    def input_bytes(self) -> Decimal:
        """Of a day."""
        return self.files * self.file_bytes

    @property
    def output_bytes(self) -> Decimal:
        """Of a day."""
        return self.input_bytes * self.output_share

    @property
    def files_per_manifest(self) -> Decimal:
        return self.files / self.manifests if self.manifests else Decimal(0)

    @property
    def manifest_bytes(self) -> Decimal:
        """Of a run's manifest."""
        return self.input_bytes / self.manifests if self.manifests else Decimal(0)

    @property
    def mb_per_s_per_vcpu(self) -> Decimal:
        """MB of 2**20 bytes."""
        return _decimal(self.rate.mb_per_s_per_vcpu)

    @property
    def run_s(self) -> Decimal:
        return self.start_s + self.converting_s

    @property
    def billed_s(self) -> Decimal:
        return self.run_s + self.least_s

    @property
    def dpu_hours(self) -> Decimal:
        """Billed for a day."""
        return self.manifests * self.billed_s / 3600 * self.dpus * self.used_share

    def input(self, name: str, unit: str) -> Input:
        return Input(name, getattr(self, name), unit, self.sources[name])

    def kept(self, days: Input, comes_with: str) -> Input:
        """The days' worth that is there of what is kept for `days`."""
        if self.standing_days is None:
            return days
        source = (
            f"{days.source}, {days.value:,f} at most; the days' worth that was there, of what is known to have come"
        )
        return Input(days.name, self.standing_days(comes_with, days.value), days.unit, source)


def usage(profile: Profile, given: Given, rate: Rate) -> Usage:
    load, job, cost = profile.load, profile.job, profile.cost
    files = Decimal(load.files_per_day if given.files_per_day is None else given.files_per_day)
    file_mb = throughput(profile).mean_file_mb if given.file_bytes is None else given.file_bytes / MIB
    batch = Batch.of(profile.batching, file_mb, float(files) / 24)
    manifests = files / batch.files if given.manifests_per_day is None else Decimal(given.manifests_per_day)
    if manifests > files > 0:
        raise UsageError(f"--manifests-per-day {manifests:,f} is more than the {files:,f} files that a day has.")
    if not files:
        manifests = Decimal(0)
    file_bytes = _decimal(file_mb) * MIB
    per_manifest = files / manifests if manifests else Decimal(0)
    working_s = working_seconds(job, rate, float(per_manifest) * file_mb)
    run_s = _decimal(working_s) if given.run_s is None else given.run_s
    start_s = _decimal(rate.start_s) if given.run_s is None else Decimal(0)
    return Usage(
        files=files,
        file_bytes=file_bytes if given.file_bytes is None else Decimal(given.file_bytes),
        manifests=manifests,
        converting_s=run_s - start_s,
        start_s=start_s,
        least_s=max(Decimal(LEAST_BILLED_RUN_S) - run_s, Decimal(0)),
        task_slots=Decimal(job.task_slots),
        dpus=_decimal(job.dpus),
        used_share=_decimal(rate.used_share) if job.auto_scaling else Decimal(1),
        output_share=figures.OUTPUT_SHARE if cost.output_share is None else _decimal(cost.output_share),
        input_days=_days(cost.input_kept_days),
        output_days=_days(cost.output_kept_days),
        rate=rate,
        sources=_sources(profile, given, rate, batch.files),
    )


def _sources(profile: Profile, given: Given, rate: Rate, batch_files: int) -> dict[str, str]:
    cost = profile.cost
    measured = "measured from the runs" if rate.used_share != 1 else "all workers from beginning to end"
    typed_run = RUN_TIME if given.run_s is not None else None
    return {
        "files": "load.files_per_day" if given.files_per_day is None else "--files-per-day",
        "file_bytes": "the middle of load.min_file_size_mb and load.max_file_size_mb"
        if given.file_bytes is None
        else "--file-size",
        "manifests": f"{batch_files:,} files each, by the section batching, if they come evenly"
        if given.manifests_per_day is None
        else "--manifests-per-day",
        "converting_s": typed_run or "manifest_bytes, mb_per_s_per_vcpu and task_slots",
        "manifest_bytes": "files x file_bytes / manifests",
        "mb_per_s_per_vcpu": rate.source,
        "task_slots": "job.workers but the driver's, a slot for each vCPU of job.worker_type",
        "start_s": "--run-time, which has it in it" if typed_run else START_SOURCE.get(rate.start_s, rate.source),
        "least_s": "AWS Glue pricing: a minute at least",
        "dpus": "job.workers and job.worker_type",
        "used_share": measured if profile.job.auto_scaling else "job.auto_scaling is off",
        "output_share": figures.OUTPUT_SOURCE if cost.output_share is None else "cost.output_share",
        "input_days": _kept("input_kept_days", cost.input_kept_days),
        "output_days": _kept("output_kept_days", cost.output_kept_days),
    }


def _days(days: int | None) -> Decimal:
    return Decimal(figures.ASSUMED_KEPT_DAYS if days is None else days)


def _kept(name: str, days: int | None) -> str:
    return f"assumed, because cost.{name} is not set" if days is None else f"cost.{name}"


def _decimal(value: float) -> Decimal:
    """As it is written, not as it is stored."""
    return Decimal(repr(value))
