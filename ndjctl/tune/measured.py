"""The job's throughput as its recent runs show it: sizes from the ledger's manifests, times and DPUs from Glue."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import quantiles
from typing import Any

from ndjctl.contracts import MIB, Attr, JobArg, Names, closed_manifests_partition, manifest_item_key
from ndjctl.forecast.rate import RUN_START_S, Rate, Rates, stated
from ndjctl.glue_runs import SUCCEEDED
from ndjctl.items import plain
from ndjctl.ledger import Ledger
from ndjctl.settings import DPUS_PER_WORKER, Profile

LEAST_RUN_S = 2 * RUN_START_S
"""A shorter run is mostly start: it tells nothing of the rate."""
MOST_RUNS = 400
_PAGES = 4
_SPREAD = 1.5
"""How much larger than the smallest manifest the largest has to be for the start to be told from the converting."""
_LEAST_FITTED = 5
_PATH = re.compile(r"/manifests/(\d{4}-\d\d-\d\d)/manifest-([0-9A-Za-z_-]+)\.json$")


@dataclass(frozen=True)
class MeasuredRun:
    """One run that completed its manifest. slots: tasks that ran at once, if all workers were there. dpu_s: as Glue
    tells them, None where it does not. dpus: that were asked for."""

    size_mb: float
    seconds: float
    slots: int
    dpus: float
    dpu_s: float | None


@dataclass(frozen=True)
class Measured:
    """rate: None where no run was long enough. runs: that it is from. looked_at: completed runs that were looked at.
    mb_per_s_per_dpu: all of them together, with their starts; None without a run. quartiles: of the single runs' rates,
    the lower and the upper; None where there are too few."""

    rate: Rate | None
    runs: int
    looked_at: int
    mb_per_s_per_dpu: float | None
    quartiles: tuple[float, float] | None = None


def measure(glue: Any, dynamodb: Any, names: Names, sleep: Callable[[float], None]) -> Measured:
    """From at most 400 of the newest runs, in a bounded number of calls. Raises what boto3 raises."""
    runs = [(place, run) for run in _succeeded(glue, names.job) if (place := _manifest_of(run)) is not None]
    ledger = Ledger(dynamodb, names.tracking_table, sleep)
    places = {place: (closed_manifests_partition(place[0]), manifest_item_key(place[1])) for place, _ in runs}
    fields = (Attr.DATE_PREFIX, Attr.FILE_KEY, Attr.SIZE_BYTES, Attr.STATE)
    items = [plain(item) for item in ledger.items(places.values(), fields)]
    sizes = {(item[Attr.DATE_PREFIX], item[Attr.FILE_KEY]): int(item.get(Attr.SIZE_BYTES) or 0) for item in items}
    found = []
    for place, run in runs:
        size_bytes = sizes.get(places[place], 0)
        measured = _measured(run, size_bytes) if size_bytes else None
        if measured is not None:
            found.append(measured)
    return summed_up(found)


def summed_up(runs: Sequence[MeasuredRun]) -> Measured:
    """The rate that these runs show. Of manifests that differ in size the start is told by a line through (MB a slot,
    seconds); of others it is taken to be the assumed one. Pure."""
    long = [run for run in runs if run.seconds >= LEAST_RUN_S and run.size_mb > 0]
    if not long:
        return Measured(None, 0, len(runs), None)
    start_s, is_fitted = _start_of(long)
    slot_seconds = sum(run.slots * (run.seconds - start_s) for run in long)
    rate = sum(run.size_mb for run in long) / slot_seconds
    billed = [(run.dpu_s, run.dpus * run.seconds) for run in long if run.dpu_s is not None]
    share = min(1.0, sum(dpu_s for dpu_s, _ in billed) / sum(asked for _, asked in billed)) if billed else 1.0
    dpu_s = sum(run.dpu_s if run.dpu_s is not None else run.dpus * run.seconds for run in long)
    how = "fitted" if is_fitted else "assumed"
    source = f"measured: {len(long):,} completed runs, {rate:.3g} MB/s a vCPU, a start of {start_s:.0f} s {how}"
    total_mb = sum(run.size_mb for run in long)
    quartiles = _quartiles([run.size_mb / (run.slots * (run.seconds - start_s)) for run in long])
    return Measured(Rate(rate, start_s, source, share), len(long), len(runs), total_mb / dpu_s, quartiles)


def _quartiles(rates: Sequence[float]) -> tuple[float, float] | None:
    if len(rates) < _LEAST_FITTED:
        return None
    lower, _, upper = quantiles(rates, n=4, method="inclusive")
    return lower, upper


def _start_of(runs: Sequence[MeasuredRun]) -> tuple[float, bool]:
    """(seconds, whether they are fitted): where the line of least squares meets no MB at all. At most half of what the
    shortest run took: a rate stays above nothing."""
    most = min(run.seconds for run in runs) / 2
    sizes = [run.size_mb / run.slots for run in runs]
    if len(runs) < _LEAST_FITTED or max(sizes) < _SPREAD * min(sizes):
        return min(RUN_START_S, most), False
    mean_x, mean_y = sum(sizes) / len(runs), sum(run.seconds for run in runs) / len(runs)
    spread = sum((x - mean_x) ** 2 for x in sizes)
    slope = sum((x - mean_x) * (run.seconds - mean_y) for x, run in zip(sizes, runs, strict=True)) / spread
    if slope <= 0:
        return min(RUN_START_S, most), False
    return min(max(mean_y - slope * mean_x, 0.0), most), True


def rate_for(profile: Profile, measured: Measured | None) -> Rate:
    """What was measured, else what the profile says, else the figure that is built in."""
    rates = rates_for(profile, measured)
    return replace(rates.expected, source=rates.source) if rates.source != rates.expected.source else rates.expected


def rates_for(profile: Profile, measured: Measured | None) -> Rates:
    """The same in three cases; of what was measured, from the quartiles of the single runs."""
    if measured is not None and measured.rate is not None:
        rate = measured.rate
        if measured.quartiles is None:
            return Rates.same(rate)
        slow, fast = measured.quartiles
        return Rates(
            replace(rate, mb_per_s_per_vcpu=max(fast, rate.mb_per_s_per_vcpu), source="the upper quartile of the runs"),
            rate,
            replace(rate, mb_per_s_per_vcpu=min(slow, rate.mb_per_s_per_vcpu), source="the lower quartile of the runs"),
            rate.source,
        )
    rates = stated(profile.load)
    return rates if measured is None else replace(rates, source=f"{rates.source} ({_why_not(measured)})")


def _why_not(measured: Measured) -> str:
    if not measured.looked_at:
        return "no completed run of a manifest that the ledger remembers"
    return f"none of {measured.looked_at:,} completed runs took {LEAST_RUN_S:.0f} s: their start is most of them"


def _succeeded(glue: Any, job: str) -> Iterable[dict[str, Any]]:
    request: dict[str, Any] = {"JobName": job, "MaxResults": 200}
    count = 0
    for _ in range(_PAGES):
        answer = glue.get_job_runs(**request)
        for run in answer.get("JobRuns", []):
            if run.get("JobRunState") == SUCCEEDED:
                yield run
                count += 1
                if count >= MOST_RUNS:
                    return
        if not answer.get("NextToken"):
            return
        request["NextToken"] = answer["NextToken"]


def _manifest_of(run: dict[str, Any]) -> tuple[str, str] | None:
    match = _PATH.search(str(run.get("Arguments", {}).get(f"--{JobArg.MANIFEST_PATH}", "")))
    return (match[1], match[2]) if match else None


def _measured(run: dict[str, Any], size_bytes: int) -> MeasuredRun | None:
    """None of a run of unknown workers."""
    worker_dpus, workers = DPUS_PER_WORKER.get(str(run.get("WorkerType", ""))), int(run.get("NumberOfWorkers") or 0)
    if worker_dpus is None or workers < 2:
        return None
    slots = (workers - 1) * max(2, round(4 * worker_dpus))
    dpu_s = run.get("DPUSeconds")
    seconds = float(run.get("ExecutionTime") or 0)
    return MeasuredRun(size_bytes / MIB, seconds, slots, workers * worker_dpus, None if dpu_s is None else float(dpu_s))
