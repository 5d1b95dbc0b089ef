"""Manifests of files, how long their runs take, what is billed for them, and how many run at once. Pure.

n files of m MB make a manifest of S = n m MB. With s task slots that convert r MB/s each and a start of a seconds, its
run takes T = a + S / (s r) seconds. MB of 2**20 bytes, hours and seconds as they are named; floats, because it is a
forecast.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

from ndjctl.contracts import MIB
from ndjctl.forecast.rate import Rate
from ndjctl.prices import LEAST_BILLED_S
from ndjctl.settings import Batching, Job, Profile

HOUR_S = 3600.0


@dataclass(frozen=True)
class Quotas:
    """Of the account, in the region; None for what is not known."""

    runs_per_account: int | None = None
    runs_per_job: int | None = None
    dpus: float | None = None


@dataclass(frozen=True)
class Batch:
    """files: of a manifest, when so many come an hour. fill_s: until it is taken: it is full, or its first file is
    batching.max_partial_age_s old."""

    files: int
    fill_s: float

    @classmethod
    def of(cls, batching: Batching, file_mb: float, files_per_hour: float) -> Batch:
        """Of files of one size that come evenly."""
        most, age_s = files_per_manifest(batching, file_mb), float(batching.max_partial_age_s)
        if files_per_hour <= 0:
            return cls(1, age_s)
        within_age = max(1, ceil(files_per_hour * age_s / HOUR_S))
        return cls(min(most, within_age), min(most / files_per_hour * HOUR_S, age_s))


def files_per_manifest(batching: Batching, file_mb: float) -> int:
    """Of a full one, of files of one size. A file above the largest batch is a manifest of its own, as the function
    makes it."""
    if file_mb * batching.max_files_per_manifest <= batching.max_batch_size_gb * 1024:
        return batching.max_files_per_manifest
    return max(int(batching.max_batch_size_gb * 1024 / file_mb), 1)


def least_manifests(batching: Batching, files: int, size_bytes: int) -> int:
    """Of files of unknown sizes, if they fill their batches well. None for no file."""
    if files <= 0:
        return 0
    batch_bytes = batching.max_batch_size_gb * 1024 * MIB
    return max(ceil(files / batching.max_files_per_manifest), ceil(size_bytes / batch_bytes), 1)


def run_seconds(job: Job, rate: Rate, size_mb: float) -> float:
    """T = a + S / (s r)."""
    return rate.start_s + size_mb / (job.task_slots * rate.mb_per_s_per_vcpu)


def billed_seconds(run_s: float) -> float:
    """Of one run: Glue bills a minute at least."""
    return max(run_s, LEAST_BILLED_S)


def dpu_hours(job: Job, rate: Rate, runs: float, run_s: float) -> float:
    """Billed for so many runs of all workers; of those that are used, with auto scaling."""
    return runs * billed_seconds(run_s) / HOUR_S * job.dpus * (rate.used_share if job.auto_scaling else 1.0)


def rounds(manifests: int, concurrent_runs: int) -> int:
    """How often as many runs as are let run at once have to be started."""
    return ceil(manifests / max(concurrent_runs, 1))


def concurrency(profile: Profile, quotas: Quotas) -> tuple[int, str]:
    """(runs that are let run at once, what holds it there): the least of the setting and of the account's quotas."""
    limits = [(profile.job.max_concurrent_runs, "job.max_concurrent_runs")]
    if quotas.runs_per_account is not None:
        limits.append((quotas.runs_per_account, "the quota of runs per account"))
    if quotas.runs_per_job is not None:
        limits.append((quotas.runs_per_job, "the quota of runs per job"))
    if quotas.dpus is not None:
        limits.append((floor(quotas.dpus / profile.job.dpus), "the quota of DPUs"))
    return min(limits, key=lambda limit: limit[0])
