"""What a test will come to before it begins: manifests, time and cost. Pure; a forecast."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

from ndjctl.advice.throughput import SWEEP_S
from ndjctl.contracts import MIB
from ndjctl.feeding.pace import pace
from ndjctl.loadtest.model import LoadSettings
from ndjctl.prices import LEAST_BILLED_S, DpuPrice
from ndjctl.settings import Profile
from ndjctl.tune.model import Quotas, Rate, concurrency, run_seconds


@dataclass(frozen=True)
class Expected:
    """manifests: in full batches. rounds: of as many runs as are let run at once. run_s: of one. feed_s: until the last
    file is up; 0 where no rate is set. seconds: from the first upload to the last Parquet. basis: one clause that says
    where the rate is from."""

    manifests: int
    files_per_manifest: int
    concurrent_runs: int
    limited_by: str
    rounds: int
    run_s: float
    feed_s: float
    seconds: float
    dpu_hours: float
    glue_usd: float | None
    basis: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def expect(profile: Profile, settings: LoadSettings, rate: Rate, quotas: Quotas, price: DpuPrice | None) -> Expected:
    """With runs of all their workers; a run of the region's ordinary price, None where that is not known."""
    batch_bytes = profile.batching.max_batch_size_gb * 2**30
    fitting = max(1, int(batch_bytes // settings.file_size_bytes))
    per_manifest = min(profile.batching.max_files_per_manifest, fitting, settings.files)
    manifests = ceil(settings.files / per_manifest)
    run_s = run_seconds(profile, rate, per_manifest * settings.file_size_bytes / MIB)
    allowed, limited_by = concurrency(profile, quotas)
    rounds = ceil(manifests / max(allowed, 1))
    feed_s = pace(settings.pattern, settings.rate_per_s, settings.files).due_s(settings.files - 1)
    share = rate.used_share if profile.job.auto_scaling else 1.0
    dpu_hours = manifests * max(run_s, LEAST_BILLED_S) / 3600 * profile.job.dpus * share
    # Runs begin while files are still fed: what is left after the last of them is a round at most, if they keep up.
    busy_s = rounds * run_s
    return Expected(
        manifests=manifests,
        files_per_manifest=per_manifest,
        concurrent_runs=allowed,
        limited_by=limited_by,
        rounds=rounds,
        run_s=run_s,
        feed_s=feed_s,
        seconds=max(feed_s + SWEEP_S + run_s, SWEEP_S + busy_s),
        dpu_hours=dpu_hours,
        glue_usd=None if price is None else dpu_hours * price.usd,
        basis=rate.source,
    )
