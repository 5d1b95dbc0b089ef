"""What a test will come to before it begins: manifests, time and cost. Pure; a forecast."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

from ndjctl.advice.throughput import SWEEP_S
from ndjctl.contracts import MIB
from ndjctl.feeding import speed
from ndjctl.feeding.pace import pace
from ndjctl.feeding.plan import FeedPlan
from ndjctl.forecast.rate import Rate
from ndjctl.forecast.runs import HOUR_S, Batch, Quotas, concurrency, dpu_hours, rounds, run_seconds
from ndjctl.loadtest.model import LoadSettings
from ndjctl.prices import DpuPrice
from ndjctl.settings import Profile


@dataclass(frozen=True)
class Expected:
    """manifests: of files_per_manifest each, the last of what is left: full ones, or what comes before a partial one is
    taken. rounds: of as many runs as are let run at once. run_s: of one. feed_s: until the last file is up, at the rate
    that is set or as fast as it goes. seconds: from the first upload to the last Parquet. basis: one clause that says
    where the rates are from."""

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


def expect(
    profile: Profile, settings: LoadSettings, feed: FeedPlan, rate: Rate, quotas: Quotas, price: DpuPrice | None
) -> Expected:
    """With runs of all their workers; a run of the region's ordinary price, None where that is not known. feed: of
    these settings."""
    file_mb = settings.file_size_bytes / MIB
    due_s = pace(settings.pattern, settings.rate_per_s, settings.files).due_s
    fastest_s = speed.feeding_seconds(feed)
    feed_s = max(due_s(settings.files - 1), fastest_s)
    # With the time to the file that would come next: the first of a test is due at once.
    batch = Batch.of(profile.batching, file_mb, settings.files / max(due_s(settings.files), fastest_s) * HOUR_S)
    per_manifest = min(batch.files, settings.files)
    manifests = ceil(settings.files / per_manifest)
    run_s = run_seconds(profile.job, rate, per_manifest * file_mb)
    allowed, limited_by = concurrency(profile, quotas)
    needed_rounds = rounds(manifests, allowed)
    mean_run_s = run_seconds(profile.job, rate, settings.files / manifests * file_mb)
    needed_dpu_hours = dpu_hours(profile.job, rate, manifests, mean_run_s)
    # Runs begin while files are still fed: what is left after the last of them is a round at most, if they keep up.
    busy_s = needed_rounds * run_s
    return Expected(
        manifests=manifests,
        files_per_manifest=per_manifest,
        concurrent_runs=allowed,
        limited_by=limited_by,
        rounds=needed_rounds,
        run_s=run_s,
        feed_s=feed_s,
        seconds=max(feed_s + SWEEP_S + run_s, SWEEP_S + busy_s),
        dpu_hours=needed_dpu_hours,
        glue_usd=None if price is None else needed_dpu_hours * price.usd,
        basis=f"{rate.source}; {speed.BASIS}",
    )
