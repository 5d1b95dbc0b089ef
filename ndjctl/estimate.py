"""About what it costs and how long it takes to convert so many files. Pure.

Every figure has a source; where it was not measured on Glue, it says so. Good for a decision, not for a budget.
"""

from __future__ import annotations

from dataclasses import dataclass

from ndjctl.contracts import MIB
from ndjctl.forecast.rate import Rate, stated_rate
from ndjctl.forecast.runs import dpu_hours, least_manifests, rounds, run_seconds
from ndjctl.prices import DpuPrice, dpu_price_of_profile
from ndjctl.settings import Profile


@dataclass(frozen=True)
class Estimate:
    """manifests: runs of the job, if none fails. seconds: from the first start to the last end, at the job's
    concurrency. cost_usd: None where the region's price is not known. All of them are what they would be on AWS,
    whatever the environment. basis: the figures in one line."""

    manifests: int
    dpu_hours: float
    cost_usd: float | None
    seconds: float
    basis: str

    def to_dict(self) -> dict[str, float | str | None]:
        return {
            "manifests": self.manifests,
            "dpu_hours": round(self.dpu_hours, 4),
            "cost_usd": None if self.cost_usd is None else round(self.cost_usd, 4),
            "seconds": round(self.seconds),
            "basis": self.basis,
        }


def estimate(profile: Profile, files: int, size_bytes: int) -> Estimate:
    """For `files` of `size_bytes` together, in full batches and with all workers from beginning to end. Nothing for no
    file."""
    job, rate = profile.job, stated_rate(profile.load)
    price = dpu_price_of_profile(profile)
    basis = _basis(rate, price, profile.region)
    manifests = least_manifests(profile.batching, files, size_bytes)
    if not manifests:
        return Estimate(0, 0.0, 0.0, 0.0, basis)
    run_s = run_seconds(job, rate, size_bytes / MIB / manifests)
    hours = dpu_hours(job, rate, manifests, run_s)
    seconds = rounds(manifests, job.max_concurrent_runs) * run_s
    return Estimate(manifests, hours, None if price is None else hours * price.usd, seconds, basis)


def _basis(rate: Rate, price: DpuPrice | None, region: str) -> str:
    started = f"{rate.wait_s + rate.start_s:g} s to start a run, {rate.start_s:g} of them billed"
    priced = (
        f"no price of a DPU hour is known in {region} (cost.usd_per_dpu_hour states it)"
        if price is None
        else f"${price.usd:g} a DPU hour ({region if price.as_of else price.source})"
    )
    return f"{rate.source}; {started}; {priced}"
