"""What the job can convert in a time, from its size and a measured rate. Pure. MB of 2**20 bytes."""

from __future__ import annotations

from dataclasses import dataclass

from ndjctl.settings import Load, Profile

MB_PER_S_PER_VCPU = 62e6 / 2**20 / 2
"""Of input that one vCPU converts. Measured by `make bench-pipeline` (README, "What it costs to convert"): a whole Glue
run on two cores made 62 MB (of 10**6) a second, its conversion alone 81. The lower one: it was not measured on Glue."""

RUN_START_S = 90.0
"""Until a run of Glue 2.0 or later converts: 60 to 90 s for its workers and Spark's start. Assumed, not measured."""

SWEEP_S = 60.0
"""Between two sweeps, which take partial batches and start what waits."""

LATENCY_S = 1800.0
"""From upload to Parquet: the promise."""


@dataclass(frozen=True)
class Throughput:
    """What the job of a profile makes of the stated load."""

    rate_mb_s: float
    """Of one run with all its workers."""
    concurrent_runs: int
    largest_file_mb: float
    largest_manifest_mb: float
    mean_file_mb: float
    """In the middle between the smallest and the largest that are stated: nothing else is known."""
    mean_manifest_files: int

    @property
    def largest_run_s(self) -> float:
        """Seconds of a run of the largest manifest, with its start."""
        return self._run_s(self.largest_manifest_mb)

    def busy_s(self, files: float) -> float:
        """Seconds that so many files keep all runs busy, in full manifests."""
        manifests = files / self.mean_manifest_files
        return manifests * self._run_s(self.mean_manifest_files * self.mean_file_mb) / self.concurrent_runs

    def _run_s(self, size_mb: float) -> float:
        return RUN_START_S + size_mb / self.rate_mb_s


def throughput(profile: Profile) -> Throughput:
    """A file above the largest batch is a manifest of its own, as the function makes it."""
    load, batching, job = profile.load, profile.batching, profile.job
    batch_mb = batching.max_batch_size_gb * 1024
    mean_mb = (load.min_file_size_mb + load.max_file_size_mb) / 2
    fitting = int(batch_mb / mean_mb) if mean_mb * batching.max_files_per_manifest > batch_mb else None
    return Throughput(
        rate_mb_s=job.task_slots * (load.mb_per_s_per_vcpu or MB_PER_S_PER_VCPU),
        concurrent_runs=job.max_concurrent_runs,
        largest_file_mb=load.max_file_size_mb,
        largest_manifest_mb=max(
            min(batching.max_files_per_manifest * load.max_file_size_mb, batch_mb), load.max_file_size_mb
        ),
        mean_file_mb=mean_mb,
        mean_manifest_files=batching.max_files_per_manifest if fitting is None else max(fitting, 1),
    )


def peak_files_per_hour(profile: Profile) -> float:
    """The stated peak, or an even day's hour where that is more."""
    return peak_files_per_hour_of(profile.load)


def peak_files_per_hour_of(load: Load) -> float:
    return max(load.peak_files_per_hour or 0, load.files_per_day / 24)
