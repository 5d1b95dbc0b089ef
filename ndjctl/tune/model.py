"""What settings come to under a load: runs, lag, backlog and cost. Pure; floats, because it is a forecast.

n files of m MB make a manifest of S = n m MB. With s task slots that convert r MB/s each and a start of a seconds, its
run takes T = a + S / (s r) seconds. MB of 2**20 bytes, hours and seconds as they are named.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

from ndjctl.advice.throughput import LATENCY_S, SWEEP_S, peak_files_per_hour, throughput
from ndjctl.prices import LEAST_BILLED_S
from ndjctl.settings import Profile

HOUR_S = 3600.0


@dataclass(frozen=True)
class Rate:
    """What was measured, or taken for it. mb_per_s_per_vcpu: of input that one task slot converts. start_s: of a run,
    before it converts. used_share: of the DPUs that are asked for, those that were billed: less than 1 with auto
    scaling. source: one clause that says where the figures are from."""

    mb_per_s_per_vcpu: float
    start_s: float
    source: str
    used_share: float = 1.0


@dataclass(frozen=True)
class Quotas:
    """Of the account, in the region; None for what is not known."""

    runs_per_account: int | None = None
    runs_per_job: int | None = None
    dpus: float | None = None


@dataclass(frozen=True)
class Backlog:
    """What waits now. files: in the queue, pending, and in manifests without a run. is_least: there may be more."""

    files: int
    is_least: bool = False


@dataclass(frozen=True)
class Forecast:
    """What settings come to. Lags are those of the first file of a batch, the worst: hours is None where the backlog
    never goes, lag_s None where it grows without end."""

    files_per_manifest: int
    manifest_mb: float
    run_s: float
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
    usual, busiest = _Batch.of(profile, even), _Batch.of(profile, peak)
    run_s, peak_run_s = (run_seconds(profile, rate, batch.files * mean_mb) for batch in (usual, busiest))
    allowed, limited_by = concurrency(profile, quotas)
    # A backlog is worked off in full manifests, whatever the hour brings.
    full = throughput(profile).mean_manifest_files
    possible = allowed * HOUR_S / run_seconds(profile, rate, full * mean_mb) * full
    runs_per_hour = even / usual.files
    dpu_hours = (
        runs_per_hour
        * 24
        * max(run_s, LEAST_BILLED_S)
        / HOUR_S
        * job.dpus
        * (rate.used_share if job.auto_scaling else 1)
    )
    return Forecast(
        files_per_manifest=usual.files,
        manifest_mb=usual.files * mean_mb,
        run_s=run_s,
        runs_per_hour=runs_per_hour,
        peak_runs_per_hour=peak / busiest.files,
        concurrent_needed=max(runs_per_hour * run_s, peak / busiest.files * peak_run_s) / HOUR_S,
        concurrent_allowed=allowed,
        limited_by=limited_by,
        files_per_hour_possible=possible,
        lag_s=_lag_s(usual, even, run_s, allowed),
        peak_lag_s=_peak_lag_s(busiest, peak, peak_run_s, allowed),
        backlog_hours=None if backlog is None else _hours(backlog.files, possible - even),
        dpu_hours_per_day=dpu_hours,
        usd_per_day=None if usd_per_dpu_hour is None else dpu_hours * usd_per_dpu_hour,
    )


def run_seconds(profile: Profile, rate: Rate, size_mb: float) -> float:
    """T = a + S / (s r)."""
    return rate.start_s + size_mb / (profile.job.task_slots * rate.mb_per_s_per_vcpu)


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


@dataclass(frozen=True)
class _Batch:
    """files: of a manifest, when so many come an hour. fill_s: until it is taken: it is full, or its first file is
    batching.max_partial_age_s old."""

    files: int
    fill_s: float

    @classmethod
    def of(cls, profile: Profile, files_per_hour: float) -> _Batch:
        most, age_s = throughput(profile).mean_manifest_files, float(profile.batching.max_partial_age_s)
        if files_per_hour <= 0:
            return cls(1, age_s)
        within_age = max(1, ceil(files_per_hour * age_s / HOUR_S))
        return cls(min(most, within_age), min(most / files_per_hour * HOUR_S, age_s))


def _lag_s(batch: _Batch, files_per_hour: float, run_s: float, allowed: int) -> float | None:
    """From a batch's first file to its rows: filling, the next sweep, the run. None where more runs are needed at once
    than are allowed: then it grows with every hour."""
    if files_per_hour / batch.files * run_s / HOUR_S > allowed:
        return None
    return batch.fill_s + SWEEP_S + run_s


def _peak_lag_s(batch: _Batch, files_per_hour: float, run_s: float, allowed: int) -> float | None:
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
