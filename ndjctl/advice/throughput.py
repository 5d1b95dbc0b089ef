"""What the job can convert in a time, from its size and a measured rate. Pure. MB of 2**20 bytes."""

from __future__ import annotations

from dataclasses import dataclass

from ndjctl.forecast.rate import Rate, stated_rate
from ndjctl.forecast.runs import files_per_manifest, run_seconds
from ndjctl.settings import Job, Load, Profile

SWEEP_S = 60.0
"""Between two sweeps, which take partial batches and start what waits."""

LATENCY_S = 1800.0
"""From upload to Parquet: the promise."""


@dataclass(frozen=True)
class Throughput:
    """What the job of a profile makes of the stated load."""

    job: Job
    rate: Rate
    largest_file_mb: float
    largest_manifest_mb: float
    mean_file_mb: float
    """In the middle between the smallest and the largest that are stated: nothing else is known."""
    mean_manifest_files: int

    @property
    def rate_mb_s(self) -> float:
        """Of one run with all its workers."""
        return self.job.task_slots * self.rate.mb_per_s_per_vcpu

    @property
    def concurrent_runs(self) -> int:
        return self.job.max_concurrent_runs

    @property
    def largest_run_s(self) -> float:
        """Seconds of a run of the largest manifest, with its start."""
        return self._run_s(self.largest_manifest_mb)

    def busy_s(self, files: float) -> float:
        """Seconds that so many files keep all runs busy, in full manifests."""
        manifests = files / self.mean_manifest_files
        return manifests * self._run_s(self.mean_manifest_files * self.mean_file_mb) / self.concurrent_runs

    def _run_s(self, size_mb: float) -> float:
        return run_seconds(self.job, self.rate, size_mb)


def throughput(profile: Profile) -> Throughput:
    """A file above the largest batch is a manifest of its own, as the function makes it."""
    load, batching = profile.load, profile.batching
    batch_mb = batching.max_batch_size_gb * 1024
    mean_mb = (load.min_file_size_mb + load.max_file_size_mb) / 2
    return Throughput(
        job=profile.job,
        rate=stated_rate(load),
        largest_file_mb=load.max_file_size_mb,
        largest_manifest_mb=max(
            min(batching.max_files_per_manifest * load.max_file_size_mb, batch_mb), load.max_file_size_mb
        ),
        mean_file_mb=mean_mb,
        mean_manifest_files=files_per_manifest(batching, mean_mb),
    )


def peak_files_per_hour(profile: Profile) -> float:
    """The stated peak, or an even day's hour where that is more."""
    return peak_files_per_hour_of(profile.load)


def peak_files_per_hour_of(load: Load) -> float:
    return max(load.peak_files_per_hour or 0, load.files_per_day / 24)
