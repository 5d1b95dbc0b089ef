"""What is paid for and does no work: runs of seconds that are billed a minute, failed attempts, idle workers. Pure.

Source of the figures: AWS Glue pricing (aws.amazon.com/glue/pricing): Spark jobs of Glue 2.0 and later are billed by
the second, a minute at the least.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from ndjctl.advice.throughput import LATENCY_S, SWEEP_S
from ndjctl.contracts import MIB
from ndjctl.forecast.rate import RUN_START_S, stated_rate
from ndjctl.glue_runs import SUCCEEDED
from ndjctl.health.facts import Facts, Run, Runs
from ndjctl.health.model import Checked, Remedy
from ndjctl.health.remedies import setting
from ndjctl.health.words import counted, lasting, passed, unread
from ndjctl.manifests import ManifestSummary
from ndjctl.prices import LEAST_BILLED_S as BILLED_S
from ndjctl.reading import Reading
from ndjctl.settings import DPUS_PER_WORKER, Profile
from ndjctl.spent.billed import billed

_LEAST_RUNS = 5
"""Fewer tell nothing."""
_SHORT_SHARE = 0.5
_FAILED_SHARE = 0.1
_IDLE_SHARE = 0.25
_LEAST_WASTE_DPU_H = 1.0
"""Of the runs of a day that were read: less is not worth a word. A DPU hour is about 0.44 USD."""
_LONGEST_AGE_S = 86_400


def cost_checks(facts: Facts) -> Iterator[Checked]:
    yield _short_runs(facts)
    yield _retries(facts)


def _ended(facts: Facts) -> list[Run]:
    """Runs of the last day that have ended, of those that were read."""
    runs = facts.runs.value.runs if facts.runs.value else ()
    return [
        run
        for run in runs
        if run.run.has_ended
        and run.run.started_at is not None
        and (facts.at - run.run.started_at).total_seconds() < _LONGEST_AGE_S
    ]


def _dpu_s(runs: Sequence[Run]) -> float:
    """DPU seconds that are billed."""
    found = (billed(run.run.dpu_s, run.run.execution_s, run.dpus, has_ended=run.run.has_ended) for run in runs)
    return float(sum(each.dpu_s for each in found if each is not None))


def _short_runs(facts: Facts) -> Checked:
    code, title = "cost-short-runs", "cost: short runs"
    if facts.runs.value is None:
        return unread(code, title, facts.runs)
    runs = [run for run in _ended(facts) if not run.run.has_failed]
    short = [run for run in runs if run.run.execution_s < BILLED_S]
    waste_dpu_h = sum((run.dpus or 0.0) * (BILLED_S - run.run.execution_s) for run in short) / 3600
    is_much = waste_dpu_h >= _LEAST_WASTE_DPU_H
    if len(runs) < _LEAST_RUNS or len(short) <= _SHORT_SHARE * len(runs) or not is_much:
        told = f"{len(short):,} of {counted(len(runs), 'run')} took less than the {BILLED_S:.0f} s that each is billed."
        return passed(code, title, told)
    seconds = sum(run.run.execution_s for run in short)
    sentence = (
        f"{len(short):,} of the last {len(runs):,} runs took less than the {BILLED_S:.0f} s that each is billed at "
        f"least: {lasting(len(short) * BILLED_S)} are paid for {lasting(seconds)} of work ({waste_dpu_h:,.1f} DPU "
        f"hours for nothing)."
    )
    told = f"batches are taken after {facts.profile.batching.max_partial_age_s} s"
    return Checked(code, title, "warn", sentence, (told,), (_larger_batches(facts.profile),))


def _larger_batches(profile: Profile) -> Remedy:
    """Batches that wait longer, as far as the promise lets them; else fewer workers."""
    age_s = profile.batching.max_partial_age_s
    longest_s = int(LATENCY_S - SWEEP_S - RUN_START_S)
    if age_s < longest_s:
        return setting("batching.max_partial_age_s", min(2 * age_s, longest_s))
    if profile.job.workers > 2:
        return setting("job.workers", max(2, profile.job.workers // 2))
    return Remedy(hint="let files come larger: batches cannot wait longer without breaking the promise of 30 minutes")


def _retries(facts: Facts) -> Checked:
    code, title = "cost-failed-runs", "cost: failed runs"
    if facts.runs.value is None:
        return unread(code, title, facts.runs)
    runs = _ended(facts)
    failed = [run for run in runs if run.run.has_failed]
    total, wasted = _dpu_s(runs), _dpu_s(failed)
    share = wasted / total if total else 0.0
    if len(runs) < _LEAST_RUNS or share <= _FAILED_SHARE or wasted / 3600 < _LEAST_WASTE_DPU_H:
        return passed(code, title, f"{len(failed):,} of the last {counted(len(runs), 'run')} failed.")
    sentence = (
        f"{len(failed):,} of the last {len(runs):,} runs failed, and took {share:.0%} of their DPU hours "
        f"({wasted / 3600:,.1f})."
    )
    return Checked(code, title, "warn", sentence, (), (Remedy(("errors",), hint="shows of what"),))


def workers_check(runs: Reading[Runs], closed: Reading[tuple[ManifestSummary, ...]], profile: Profile) -> Checked:
    """Whether the workers had work: what their CPUs convert in the time that was paid, against what was converted.
    closed: manifests of the last days, which know their sizes."""
    code, title = "cost-workers", "cost: idle workers"
    if runs.value is None or closed.value is None:
        return unread(code, title, runs, closed)
    sizes = {each.manifest_id: each.size_bytes / MIB for each in closed.value}
    known = [
        run for run in runs.value.runs if run.run.state == SUCCEEDED and run.manifest_id in sizes and run.workers > 1
    ]
    if len(known) < _LEAST_RUNS:
        return passed(code, title, f"{counted(len(known), 'run')} of the last days: too few to tell.")
    rate_mb_s = stated_rate(profile.load).mb_per_s_per_vcpu
    needed_s = sum(sizes[run.manifest_id] for run in known) / rate_mb_s
    paid_s = sum(_task_slots(run) * max(run.run.execution_s, BILLED_S) for run in known)
    share = min(needed_s / paid_s, 1.0)
    mean_mb = sum(sizes[run.manifest_id] for run in known) / len(known)
    told = f"{len(known):,} runs of {mean_mb:,.0f} MB in the mean, {rate_mb_s:.3g} MB/s for each vCPU of a worker"
    if share >= _IDLE_SHARE or profile.job.workers <= 2:
        return passed(code, title, f"Workers were busy for {share:.0%} of the time that was paid.", told)
    wanted = max(2, ceil(1 + (profile.job.workers - 1) * share / _IDLE_SHARE))
    sentence = f"Workers were busy for {share:.0%} of the time that was paid: the manifests are too small for so many."
    return Checked(code, title, "warn", sentence, (told,), (setting("job.workers", wanted),))


def _task_slots(run: Run) -> int:
    return (run.workers - 1) * max(2, round(4 * DPUS_PER_WORKER.get(run.worker_type, 1)))
