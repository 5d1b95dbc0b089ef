"""What settings come to under a load: runs, lag, backlog and cost. Pure; floats, because it is a forecast.

How long a run takes is ndjctl.forecast's. MB of 2**20 bytes, hours and seconds as they are named.
"""

from __future__ import annotations

from dataclasses import dataclass

from ndjctl.advice.throughput import LATENCY_S, SWEEP_S, peak_files_per_hour, throughput
from ndjctl.forecast.rate import Rate
from ndjctl.forecast.runs import HOUR_S, Batch, Quotas, billed_seconds, concurrency, dpu_hours, run_seconds
from ndjctl.settings import Profile


@dataclass(frozen=True)
class Backlog:
    """What waits now. files: in the queue, pending, and in manifests without a run. is_least: there may be more."""

    files: int
    is_least: bool = False


@dataclass(frozen=True)
class Forecast:
    """What settings come to. run_s: of a run by the clock; billed_s: what Glue bills of it. files_per_hour_possible: in
    full manifests, as a backlog makes them, whatever files_per_manifest is at the stated load. Lags are those of the
    first file of a batch, the worst: hours is None where the backlog never goes, lag_s None where it grows without
    end."""

    files_per_manifest: int
    manifest_mb: float
    run_s: float
    billed_s: float
    runs_per_hour: float
    peak_runs_per_hour: float
    concurrent_needed: float
    concurrent_allowed: int
    limited_by: str
    files_per_hour_possible: float
    lag_s: float | None
    peak_lag_s: float | None
    backlog_hours: float | None
    dpu_hours_per_day: float
    usd_per_day: float | None

    @property
    def keeps_promise(self) -> bool:
        """Whether every file is Parquet within the 30 minutes, also in the hour of the peak."""
        return all(lag is not None and lag <= LATENCY_S for lag in (self.lag_s, self.peak_lag_s))


def forecast(
    profile: Profile, rate: Rate, quotas: Quotas, backlog: Backlog | None, usd_per_dpu_hour: float | None
) -> Forecast:
    """usd_per_dpu_hour: None where the region's price is not known; the cost is then None, too."""
    load, job = profile.load, profile.job
    even, peak = load.files_per_day / 24, peak_files_per_hour(profile)
    mean_mb = throughput(profile).mean_file_mb
    usual, busiest = (Batch.of(profile.batching, mean_mb, files_per_hour) for files_per_hour in (even, peak))
    run_s, peak_run_s = (run_seconds(job, rate, batch.files * mean_mb) for batch in (usual, busiest))
    allowed, limited_by = concurrency(profile, quotas)
    # A backlog is worked off in full manifests, whatever the hour brings.
    full = throughput(profile).mean_manifest_files
    possible = allowed * HOUR_S / run_seconds(job, rate, full * mean_mb) * full
    runs_per_hour = even / usual.files
    dpu_hours_per_day = dpu_hours(job, rate, runs_per_hour * 24, run_s)
    return Forecast(
        files_per_manifest=usual.files,
        manifest_mb=usual.files * mean_mb,
        run_s=run_s,
        billed_s=billed_seconds(run_s - rate.wait_s),
        runs_per_hour=runs_per_hour,
        peak_runs_per_hour=peak / busiest.files,
        concurrent_needed=max(runs_per_hour * run_s, peak / busiest.files * peak_run_s) / HOUR_S,
        concurrent_allowed=allowed,
        limited_by=limited_by,
        files_per_hour_possible=possible,
        lag_s=_lag_s(usual, even, run_s, allowed),
        peak_lag_s=_peak_lag_s(busiest, peak, peak_run_s, allowed),
        backlog_hours=None if backlog is None else _hours(backlog.files, possible - even),
        dpu_hours_per_day=dpu_hours_per_day,
        usd_per_day=None if usd_per_dpu_hour is None else dpu_hours_per_day * usd_per_dpu_hour,
    )


def _lag_s(batch: Batch, files_per_hour: float, run_s: float, allowed: int) -> float | None:
    """From a batch's first file to its rows: filling, the next sweep, the run. None where more runs are needed at once
    than are allowed: then it grows with every hour."""
    if files_per_hour / batch.files * run_s / HOUR_S > allowed:
        return None
    return batch.fill_s + SWEEP_S + run_s


def _peak_lag_s(batch: Batch, files_per_hour: float, run_s: float, allowed: int) -> float | None:
    """The same for the last file of an hour of the peak: what the runs cannot take in that hour is before it."""
    if allowed <= 0:
        return None
    busy_s = files_per_hour / batch.files * run_s / allowed
    return batch.fill_s + SWEEP_S + run_s + max(0.0, busy_s - HOUR_S)


def _hours(files: int, files_per_hour: float) -> float | None:
    """Until a backlog is gone, at what is left of the capacity when what comes in is taken from it."""
    if files <= 0:
        return 0.0
    return files / files_per_hour if files_per_hour > 0 else None
