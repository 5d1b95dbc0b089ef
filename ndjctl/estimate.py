"""About what it costs and how long it takes to convert so many files. Pure.

Every figure has a source; where it was not measured on Glue, it says so. Good for a decision, not for a budget.
"""

from __future__ import annotations

from dataclasses import dataclass

from ndjctl.contracts import MIB
from ndjctl.forecast.rate import Rate, stated_rate
from ndjctl.forecast.runs import billed_seconds, dpu_hours, least_manifests, rounds, run_seconds
from ndjctl.prices import dpu_price
from ndjctl.settings import Profile

_REGION = "us-east-1"


@dataclass(frozen=True)
class Estimate:
    """manifests: runs of the job, if none fails. seconds: from the first start to the last end, at the job's
    concurrency. All of them are what they would be on AWS, whatever the environment. basis: the figures in one line."""

    manifests: int
    dpu_hours: float
    cost_usd: float
    seconds: float
    basis: str

    def to_dict(self) -> dict[str, float | str]:
        return {
            "manifests": self.manifests,
            "dpu_hours": round(self.dpu_hours, 4),
            "cost_usd": round(self.cost_usd, 4),
            "seconds": round(self.seconds),
            "basis": self.basis,
        }


def estimate(profile: Profile, files: int, size_bytes: int) -> Estimate:
    """For `files` of `size_bytes` together, in full batches and with all workers from beginning to end. Nothing for no
    file."""
    rate = stated_rate(profile.load)
    manifests = least_manifests(profile.batching, files, size_bytes)
    if not manifests:
        return Estimate(0, 0.0, 0.0, 0.0, _basis(rate))
    job = profile.job
    run_s = billed_seconds(run_seconds(job, rate, size_bytes / MIB / manifests))
    hours = dpu_hours(job, rate, manifests, run_s)
    seconds = rounds(manifests, job.max_concurrent_runs) * run_s
    return Estimate(manifests, hours, hours * _usd_per_dpu_hour(), seconds, _basis(rate))


def _basis(rate: Rate) -> str:
    return f"{rate.source}; {rate.start_s:g} s to start a run, ${_usd_per_dpu_hour():g} a DPU hour ({_REGION})"


def _usd_per_dpu_hour() -> float:
    price = dpu_price(_REGION)
    assert price is not None  # noqa: S101 - it is built in
    return price.usd
