"""What the DPU seconds of runs went to: each second to one part, so that the parts are the whole. Pure; Decimal.

Of a run that has ended, first what makes it a minute is told apart. The rest of a run that failed is in vain as a
whole, and so is that of a second run of a manifest that was converted already. What is left of the others is their
start, what their workers did not use, and what the conversion used.

Of several attempts one does the work. It is not the first one's failure and the second one's success that are both
waste: those that failed are, and the one that succeeded is useful, whatever its number.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import TypeVar

from ndjctl.glue_runs import SUCCEEDED
from ndjctl.spent.billed import ZERO
from ndjctl.spent.runs import SpentRun

USEFUL = "useful"
START_UP = "start_up"
IDLE = "idle"
RETRIED = "retried"
FAILED = "failed"
DUPLICATE = "duplicate"
MINIMUM = "minimum"
REPROCESSED = "reprocessed"
UNDER_WAY = "under_way"
PARTS = (USEFUL, START_UP, IDLE, RETRIED, FAILED, DUPLICATE, MINIMUM, REPROCESSED, UNDER_WAY)
WASTE = (START_UP, IDLE, RETRIED, FAILED, DUPLICATE, MINIMUM)
"""REPROCESSED is none: somebody asked for it."""

T = TypeVar("T")

MICRO = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class LedgerManifest:
    """A manifest as the ledger has it. run_id: of the run that took it last. completed_at: None while it is open."""

    files: int
    size_bytes: int
    run_id: str
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class RunTimes:
    """From a run report. started_at: when the job's program began. spark_s: that Spark's start took. busy_s: of all
    tasks that converted, one after another."""

    run_id: str
    started_at: datetime | None
    spark_s: Decimal
    busy_s: Decimal


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """kind: USEFUL for the run that converted its manifest, else the part that all of it went to. parts: DPU seconds
    by the names in PARTS; they add up to the run's. start: "told" by its report, "assumed", or "" where there is none
    to tell apart. is_idle_told: whether idle workers could be told apart. is_unsure: a duplicate that may have been a
    `reprocess`, because the ledger has forgotten its manifest."""

    about: SpentRun
    kind: str
    parts: Mapping[str, Decimal]
    start: str = ""
    is_idle_told: bool = False
    is_unsure: bool = False


def judge(
    runs: Iterable[SpentRun],
    manifests: Mapping[str, LedgerManifest],
    reports: Mapping[str, RunTimes],
    assumed_start_s: Decimal,
) -> list[JudgedRun]:
    """runs: every run from some time on, in any order. manifests, reports: what is known, by manifest id.
    assumed_start_s: of a run without a report."""
    judged = []
    for (manifest_id, _), group in _grouped(runs, lambda run: run).items():
        kinds = _kinds(sorted(group, key=_order), manifests.get(manifest_id), is_of_a_manifest=bool(manifest_id))
        times = reports.get(manifest_id)
        judged += [_judged(run, kind, unsure, times, assumed_start_s) for run, kind, unsure in kinds]
    return judged


def later_attempts(judged: Iterable[JudgedRun]) -> int:
    """How many of these runs made again what an earlier one of them had failed at. A run that is under way is one of
    several attempts only until one has converted the manifest, and two at once are one attempt: the other is a
    duplicate."""
    kinds = [[each.kind for each in group] for group in _grouped(judged, lambda each: each.about).values()]
    ended = (Counter(kind for kind in group if kind in (USEFUL, RETRIED, FAILED)) for group in kinds)
    counts = [
        each.total() + (UNDER_WAY in group and not each[USEFUL]) for group, each in zip(kinds, ended, strict=True)
    ]
    return sum(count - 1 for count in counts if count)


def _grouped(each: Iterable[T], run_of: Callable[[T], SpentRun]) -> dict[tuple[str, str], list[T]]:
    """By manifest; the attempts that Glue made of one run are together, also where they are of none."""
    known = list(each)
    of_first = {run.first_id: run.manifest_id for run in map(run_of, known) if run.manifest_id}
    groups: defaultdict[tuple[str, str], list[T]] = defaultdict(list)
    for one in known:
        run = run_of(one)
        manifest_id = run.manifest_id or of_first.get(run.first_id, "")
        groups[manifest_id, "" if manifest_id else run.first_id].append(one)
    return groups


def _order(run: SpentRun) -> tuple[bool, float, int, str]:
    started = run.started_at
    return (started is None, started.timestamp() if started else 0.0, run.attempt, run.run.run_id)


def _kinds(
    group: Sequence[SpentRun], manifest: LedgerManifest | None, is_of_a_manifest: bool
) -> list[tuple[SpentRun, str, bool]]:
    """(run, kind, whether that is unsure) of the runs of one manifest, in the order of their starts."""
    succeeded = [run for run in group if run.run.state == SUCCEEDED]
    holder = _holder(succeeded, manifest)
    has_converted = False
    found = []
    for number, run in enumerate(group):
        kind, unsure = USEFUL, False
        if not run.run.has_ended:
            kind = UNDER_WAY
        elif run.run.has_failed:
            kind = RETRIED if number < len(group) - 1 else FAILED
        elif is_of_a_manifest:
            kind, unsure = _of_success(run, holder, manifest, has_converted)
            has_converted |= kind != DUPLICATE
        found.append((run, kind, unsure))
    return found


def _holder(succeeded: Sequence[SpentRun], manifest: LedgerManifest | None) -> SpentRun | None:
    """The run that took the manifest last, of those that succeeded; None where it is none of them."""
    if manifest is None or not manifest.run_id:
        return None
    exact = [run for run in succeeded if run.run.run_id == manifest.run_id]
    same = [run for run in succeeded if run.first_id == manifest.run_id.partition("_attempt_")[0]]
    return next(iter(exact or same), None)


def _of_success(
    run: SpentRun, holder: SpentRun | None, manifest: LedgerManifest | None, has_converted: bool
) -> tuple[str, bool]:
    """A second run takes a manifest only if `reprocess` has opened it again; any other finds it taken."""
    if holder is None:
        done_at = None if manifest is None else manifest.completed_at
        if done_at is not None and run.started_at is not None and run.started_at >= done_at:
            return DUPLICATE, False
        return (DUPLICATE, True) if has_converted else (USEFUL, False)
    if run is holder:
        return (REPROCESSED, False) if has_converted else (USEFUL, False)
    ended, began = run.run.completed_at, holder.started_at
    if ended is None or began is None or ended > began:
        return DUPLICATE, False
    return (DUPLICATE, True) if has_converted else (USEFUL, False)


def _judged(run: SpentRun, kind: str, is_unsure: bool, times: RunTimes | None, assumed_start_s: Decimal) -> JudgedRun:
    parts = dict.fromkeys(PARTS, ZERO)
    if run.billed is None:
        return JudgedRun(run, kind, parts, is_unsure=is_unsure)
    if kind == UNDER_WAY:  # it may yet take its minute
        parts[UNDER_WAY] = run.billed.dpu_s
        return JudgedRun(run, kind, parts)
    parts[MINIMUM] = run.billed.minimum_dpu_s
    rest = run.billed.ran_dpu_s
    if kind != USEFUL:
        parts[kind] += rest
        return JudgedRun(run, kind, parts, is_unsure=is_unsure)
    own = times if times is not None and times.run_id in (run.run.run_id, run.first_id) else None
    seconds = Decimal(run.run.execution_s)
    told_s = None if own is None else start_s(run, own)
    start = min(assumed_start_s if told_s is None else told_s, seconds)
    if seconds > 0:
        parts[START_UP] = min((rest * start / seconds).quantize(MICRO), rest)
    is_idle_told = own is not None and run.slot_dpus is not None
    if own is not None and run.slot_dpus is not None:
        busy = (own.busy_s * run.slot_dpus).quantize(MICRO)
        parts[IDLE] = max(rest - parts[START_UP] - busy, ZERO)
    parts[USEFUL] = rest - parts[START_UP] - parts[IDLE]
    return JudgedRun(run, kind, parts, "assumed" if told_s is None else "told", is_idle_told, is_unsure)


def start_s(run: SpentRun, times: RunTimes) -> Decimal | None:
    """Seconds of the run's billed time before its program began, and of Spark's start; None where no time is known.
    What Glue waited for before it billed is not in them."""
    ended, began = run.run.completed_at, times.started_at
    if ended is None or began is None:
        return None
    billed_from = ended - timedelta(seconds=run.run.execution_s)
    before_s = max(Decimal(str((began - billed_from).total_seconds())), ZERO)
    return before_s + times.spark_s


def shared_out(amounts: Mapping[str, Decimal], quantum: Decimal) -> dict[str, Decimal]:
    """The amounts in whole quanta (cents), so that they add up to their sum in whole quanta: those nearest to the next
    one are rounded up."""
    total = sum(amounts.values(), ZERO).quantize(quantum)
    down = {name: (amount / quantum).to_integral_value(ROUND_FLOOR) * quantum for name, amount in amounts.items()}
    left = int((total - sum(down.values(), ZERO)) / quantum)
    nearest = sorted(amounts, key=lambda name: amounts[name] - down[name], reverse=True)
    for name in nearest[:left]:
        down[name] += quantum
    return {name: amount.quantize(quantum) for name, amount in down.items()}
