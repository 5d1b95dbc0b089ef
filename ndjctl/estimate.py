"""About what it costs and how long it takes to convert so many files. Pure.

Every figure has a source; where it was not measured on Glue, it says so. Good for a decision, not for a budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from ndjctl.prices import LEAST_BILLED_S, dpu_price
from ndjctl.settings import Profile

CPU_SECONDS_PER_GB = 14.0
"""Of 10**9 bytes of NDJSON. Measured by `make bench` on one core (README, "What it costs to convert")."""

CPU_SECONDS_TO_VCPU_SECONDS = 2.0
"""A vCPU of AWS is half a core, a hyper-thread. Assumed, not measured on Glue."""

RUN_OVERHEAD_S = 45.0
"""Of a run, besides converting: start of Spark, sample, publishing. 10 s measured here; assumed to be more on Glue."""

_REGION = "us-east-1"


@dataclass(frozen=True)
class Estimate:
    """manifests: runs of the job, if none fails. seconds: from the first start to the last end, at the job's
    concurrency. All of them are what they would be on AWS, whatever the environment."""

    manifests: int
    dpu_hours: float
    cost_usd: float
    seconds: float

    def to_dict(self) -> dict[str, float | str]:
        return {
            "manifests": self.manifests,
            "dpu_hours": round(self.dpu_hours, 4),
            "cost_usd": round(self.cost_usd, 4),
            "seconds": round(self.seconds),
            "basis": basis(),
        }


def estimate(profile: Profile, files: int, size_bytes: int) -> Estimate:
    """For `files` of `size_bytes` together, in full batches and with all workers from beginning to end. Nothing for no
    file."""
    if files <= 0:
        return Estimate(0, 0.0, 0.0, 0.0)
    batch_bytes = profile.batching.max_batch_size_gb * 2**30
    manifests = max(ceil(files / profile.batching.max_files_per_manifest), ceil(size_bytes / batch_bytes), 1)
    job = profile.job
    vcpu_seconds = size_bytes / 1e9 * CPU_SECONDS_PER_GB * CPU_SECONDS_TO_VCPU_SECONDS
    seconds_each = max(RUN_OVERHEAD_S + vcpu_seconds / manifests / job.task_slots, LEAST_BILLED_S)
    dpu_hours = manifests * seconds_each * job.dpus / 3600
    rounds = ceil(manifests / job.max_concurrent_runs)
    return Estimate(manifests, dpu_hours, dpu_hours * _usd_per_dpu_hour(), rounds * seconds_each)


def basis() -> str:
    """The figures in one line, for whoever is shown an estimate."""
    return (
        f"{CPU_SECONDS_PER_GB:g} CPU s per GB measured on one core, a vCPU taken as half a core, "
        f"{RUN_OVERHEAD_S:g} s a run besides, ${_usd_per_dpu_hour():g} a DPU hour ({_REGION})"
    )


def _usd_per_dpu_hour() -> float:
    price = dpu_price(_REGION)
    assert price is not None  # noqa: S101 - it is built in
    return price.usd
