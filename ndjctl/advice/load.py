"""The stated load against the size rule and what the job can convert. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from ndjctl.advice.findings import Finding, Observed
from ndjctl.advice.throughput import (
    LATENCY_S,
    SWEEP_S,
    Throughput,
    peak_files_per_hour,
    throughput,
)
from ndjctl.contracts import MIB
from ndjctl.forecast.rate import RUN_START_S
from ndjctl.settings import Profile

LONGEST_RUN_MIN = 10_080
MOST_RUNS = 1000
"""The most that job.timeout_min and job.max_concurrent_runs take."""


def size_findings(profile: Profile) -> Iterator[Finding]:
    """Whether the stated files get through."""
    load, window = profile.load, profile.size_rule.window
    for name in ("min_file_size_mb", "max_file_size_mb"):
        size_mb = getattr(load, name)
        verdict = window.verdict(round(size_mb * MIB))
        if verdict:
            yield Finding(
                "size-window",
                "error",
                f"size_rule.{name}",
                f"load.{name} is {size_mb:g} MB, and size_rule would quarantine such a file as {verdict} "
                f"(it takes {window.min_bytes / MIB:g} to {window.max_bytes / MIB:g} MB): "
                f"set size_rule.{name} or correct the load",
            )
    if load.min_file_size_mb > load.max_file_size_mb:
        yield Finding(
            "load-sizes",
            "error",
            "load.min_file_size_mb",
            f"load.min_file_size_mb is {load.min_file_size_mb:g}, above load.max_file_size_mb, which is "
            f"{load.max_file_size_mb:g}: swap them",
        )
    batch_gb = profile.batching.max_batch_size_gb
    if batch_gb * 1024 < load.max_file_size_mb:
        yield Finding(
            "batch-size",
            "warning",
            "batching.max_batch_size_gb",
            f"batching.max_batch_size_gb is {batch_gb:g}, less than one file of load.max_file_size_mb "
            f"({load.max_file_size_mb:g} MB): each such file is a manifest and a run of its own, with a start of "
            f"{RUN_START_S:.0f} s; set it to {ceil(load.max_file_size_mb / 1024)} or more",
        )


def job_findings(profile: Profile, observed: Observed) -> Iterator[Finding]:
    """Whether the job is what it should be, and gets its work done in time."""
    yield from _kind(profile, observed)
    made = throughput(profile)
    yield from _one_run(profile, made)
    yield from _all_runs(profile, made)


def _kind(profile: Profile, observed: Observed) -> Iterator[Finding]:
    path = "job.command"
    why = "a run that never ends, is billed for ever, and keeps the slots of the manifests that wait"
    if profile.job.command != "glueetl":
        yield Finding("gluestreaming", "error", path, f"{path} is {profile.job.command}: {why}; set it to glueetl")
    elif observed.job_command not in (None, "glueetl"):
        sentence = f"{path} is glueetl, but the job that is deployed is {observed.job_command!r}: {why}; deploy it"
        yield Finding("gluestreaming", "error", path, sentence)
    if not profile.job.metrics and "--enable-metrics" in (observed.job_arguments or {}):
        yield Finding(
            "enable-metrics",
            "warning",
            "job.metrics",
            "job.metrics is false, but the job that is deployed has the argument --enable-metrics: Glue looks at its "
            "presence, not at its value, so that metrics are on and paid for; take the argument out of the job, or set "
            "job.metrics to true",
        )
    waiting, runs = profile.batching.max_waiting_manifests, profile.job.max_concurrent_runs
    if waiting < runs:
        yield Finding(
            "waiting-manifests",
            "warning",
            "batching.max_waiting_manifests",
            f"batching.max_waiting_manifests is {waiting} and job.max_concurrent_runs {runs}: no more manifests are "
            f"built than may wait, so that runs that end together leave slots empty; set the first to {runs} or more",
        )


def _one_run(profile: Profile, made: Throughput) -> Iterator[Finding]:
    job, age_s = profile.job, profile.batching.max_partial_age_s
    what = f"the largest manifest ({_gb(made.largest_manifest_mb)}) takes about {_lasting(made.largest_run_s)}"
    how = f"{job.task_slots} task slots, {made.rate_mb_s / job.task_slots:.3g} MB/s each, {RUN_START_S:.0f} s to start"
    if made.largest_run_s > job.timeout_min * 60:
        needed_min = ceil(made.largest_run_s / 60)
        longer = f"set it to {needed_min} or more, " if needed_min <= LONGEST_RUN_MIN else ""
        yield Finding(
            "job-timeout",
            "error",
            "job.timeout_min",
            f"job.timeout_min is {job.timeout_min}, and {what} ({how}): Glue ends the run before it is done, every "
            f"time; {longer}raise job.workers, or lower batching.max_files_per_manifest",
        )
    rest_s = SWEEP_S + made.largest_run_s
    if age_s + rest_s > LATENCY_S:
        left_s = int(LATENCY_S - rest_s)
        remedy = (
            f"set batching.max_partial_age_s to {left_s} or less"
            if left_s >= 1
            else "raise job.workers, or lower batching.max_files_per_manifest"
        )
        yield Finding(
            "latency",
            "warning",
            "batching.max_partial_age_s",
            f"batching.max_partial_age_s is {age_s}, the next sweep comes within {SWEEP_S:.0f} s, and {what} ({how}): "
            f"that is {_lasting(age_s + rest_s)} from upload to Parquet, more than the {_lasting(LATENCY_S)} "
            f"promised; {remedy}",
        )


def _all_runs(profile: Profile, made: Throughput) -> Iterator[Finding]:
    load, runs = profile.load, made.concurrent_runs
    day_s = made.busy_s(load.files_per_day)
    if day_s > 86_400:
        yield Finding(
            "day-load",
            "error",
            "load.files_per_day",
            f"load.files_per_day is {load.files_per_day:,} ({_gb(load.files_per_day * made.mean_file_mb)}), which "
            f"keeps job.max_concurrent_runs ({runs}) runs busy for {day_s / 3600:,.1f} hours: more comes than is "
            f"converted; {_more(runs, day_s / 86_400)}",
        )
        return
    peak = peak_files_per_hour(profile)
    hour_s = made.busy_s(peak)
    last_s = max(hour_s - 3600, 0) + SWEEP_S + made.largest_run_s
    if hour_s > 3600 and last_s > LATENCY_S:
        room_s = max(3600 + LATENCY_S - SWEEP_S - made.largest_run_s, 3600)
        yield Finding(
            "peak-load",
            "warning",
            "load.peak_files_per_hour",
            f"load.peak_files_per_hour comes to {peak:,.0f} files ({_gb(peak * made.mean_file_mb)}), which keep "
            f"job.max_concurrent_runs ({runs}) runs busy for {_lasting(hour_s)}: the last of them is Parquet after "
            f"{_lasting(last_s)}, and {_lasting(LATENCY_S)} are promised; {_more(runs, hour_s / room_s)}",
        )


def _more(runs: int, times: float) -> str:
    needed = ceil(runs * times)
    return (
        f"set job.max_concurrent_runs to {needed} or more, or raise job.workers"
        if needed <= MOST_RUNS
        else ("raise job.workers, and job.max_concurrent_runs with it")
    )


def _gb(size_mb: float) -> str:
    return f"{size_mb / 1024:,.0f} GB" if size_mb >= 10 * 1024 else f"{size_mb:,.4g} MB"


def _lasting(seconds: float) -> str:
    return f"{seconds / 60:,.1f} minutes" if seconds >= 600 else f"{seconds:.0f} s"
