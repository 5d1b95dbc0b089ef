"""What was read, as the panels of a snapshot. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from ndjctl.budget import usd_of
from ndjctl.contracts import QUARANTINED
from ndjctl.health.checks_budget import SPENT, billed, spent_check
from ndjctl.health.facts import Facts, Files, FileSeen
from ndjctl.health.metrics import QUEUE_AGE
from ndjctl.health.model import Checked, Remedy, headline
from ndjctl.manifests import ManifestSummary
from ndjctl.monitor.closed import ClosedSeen
from ndjctl.monitor.files import FilesSeen
from ndjctl.monitor.model import (
    Arrivals,
    Budget,
    Completions,
    Cost,
    Counted,
    Forecast,
    Health,
    OpenManifests,
    QueueState,
    Series,
    SinceLast,
    Snapshot,
    Trends,
)
from ndjctl.monitor.rates import forecast, minutes_of, new_since
from ndjctl.monitor.runs import Pace, SeenRun, cost_of, runs_panel
from ndjctl.reading import Reading
from ndjctl.settings import Profile

T = TypeVar("T")
U = TypeVar("U")

LISTED_FILES = 5
RunsRead = Reading[tuple[list[SeenRun], bool]]


@dataclass(frozen=True)
class Seen:
    """All that a refresh read, at `now`."""

    now: datetime
    facts: Facts
    checked: tuple[Checked, ...]
    files: Reading[FilesSeen]
    closed: Reading[ClosedSeen]
    runs: RunsRead
    counted: Reading[Counted]


def midnight(now: datetime) -> datetime:
    """When today began, UTC."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def assemble(seen: Seen, before: Seen | None, env: str, profile: Profile) -> Snapshot:
    """before: of the last refresh, None for the first one. The snapshot does not say yet what it cost."""
    now, facts = seen.now, seen.facts
    arrivals = _of(seen.files, lambda files: files.arrivals)
    completions = _of(seen.closed, lambda closed: closed.completions)
    backlog = _of(seen.files, lambda files: files.backlog)
    snapshot = Snapshot(
        env=env,
        region=facts.region,
        taken_at=now,
        health=Health("HEALTHY", ()),
        arrivals=arrivals,
        completions=completions,
        backlog=backlog,
        queue=_queue(facts),
        manifests=_of(facts.open_manifests, _manifests),
        runs=_of(seen.runs, lambda read: _runs(read, seen)),
        cost=_of(seen.runs, lambda read: _cost(read, facts, now)),
        counted=seen.counted,
        trends=_of(facts.metrics, lambda metrics: Trends({k: minutes_of(p, now) for k, p in metrics.items()})),
        forecast=_forecast(backlog.value.files if backlog.value else None, arrivals.value, completions.value),
        newest_failed=_newest(facts.failed, now),
        newest_quarantined=_newest(facts.quarantined, now),
        since_last=_since_last(seen, before),
        max_concurrent_runs=facts.job.value.max_concurrent_runs if facts.job.value else profile.job.max_concurrent_runs,
    )
    checked = tuple(_with_all_runs(each, seen) for each in seen.checked)
    return replace(snapshot, health=health_of((*checked, *_unread(snapshot))))


def _cost(read: tuple[list[SeenRun], bool], facts: Facts, now: datetime) -> Cost:
    return replace(cost := cost_of(*read, facts.profile, midnight(now)), budget=_budget(cost, facts))


def _budget(cost: Cost, facts: Facts) -> Budget | None:
    wanted, held, day = facts.profile.cost, facts.held, facts.budget.value
    if wanted.max_per_day is None:
        return None
    usd = float(wanted.max_per_day)
    spent = usd_of(Decimal(str(cost.dpu_hours)) * 3600, facts.profile)
    is_lifted = day is not None and day.lifted_at is not None
    limit = usd_of(day.limit_now, facts.profile) if day is not None and is_lifted and day.limit_now else None
    return Budget(
        usd=usd,
        share=None if spent is None else float(spent / wanted.max_per_day),
        holds_runs=wanted.hold_runs,
        held_since=None if held is None else held.held_since,
        is_lifted=is_lifted,
        limit_usd=None if limit is None else float(limit),
    )


def _with_all_runs(each: Checked, seen: Seen) -> Checked:
    """The check of what is spent, by all of the day's runs instead of the newest page."""
    if each.code != SPENT or each.verdict == "unknown" or seen.runs.value is None:
        return each
    runs, is_complete = seen.runs.value
    began = midnight(seen.now)
    today = [run for run in runs if run.run.started_at is None or run.run.started_at >= began]
    return spent_check(seen.facts, sum((billed(run.about) for run in today), Decimal(0)), is_complete)


def health_of(checked: tuple[Checked, ...]) -> Health:
    """The headline of checks, and those that are its reasons, in the same order."""
    word, reasons = headline(checked)
    wrong = {each.sentence: each for each in checked if each.verdict in ("fail", "warn")}
    unread = tuple(each.sentence for each in checked if each.verdict == "unknown")
    return Health(word, reasons, tuple(wrong[sentence] for sentence in dict.fromkeys(reasons)), unread)


def _unread(snapshot: Snapshot) -> Iterator[Checked]:
    """A warning where panels could not be read: nothing is healthy that nobody can see."""
    refused = {name: panel for name, panel in snapshot.panels.items() if not panel.was_read}
    if not refused:
        return
    count = len(refused)
    kinds = {panel.why for panel in refused.values()}
    hint = "wait, or look less often with --interval" if kinds == {"throttled"} else "see what each of them says below"
    yield Checked(
        code="panels-read",
        title="what could be read",
        verdict="warn",
        sentence=f"{count} of {len(snapshot.panels)} panels could not be read: {', '.join(refused)}.",
        evidence=tuple(f"{name}: {panel.sentence}" for name, panel in refused.items()),
        remedies=(Remedy(hint=hint),),
    )


def _of(reading: Reading[T], make: Callable[[T], U]) -> Reading[U]:
    """What is made of a value that was read; the refusal where it was refused."""
    if reading.value is None:
        return Reading(why=reading.why, sentence=reading.sentence)
    return Reading(make(reading.value))


def _queue(facts: Facts) -> Reading[QueueState]:
    """The queue; dead letters that could not be read are None of it."""
    dead = facts.dead_letters.value
    ages = (facts.metrics.value or {}).get(QUEUE_AGE)

    def state(queue: Any) -> QueueState:
        return QueueState(
            visible=queue.visible,
            in_flight=queue.in_flight,
            delayed=queue.number("ApproximateNumberOfMessagesDelayed"),
            dead=None if dead is None else dead.visible + dead.in_flight,
            dead_not_read=facts.dead_letters.sentence,
            oldest_age_s=None if not ages else ages[-1][1],
        )

    return _of(facts.queue, state)


def _newest(reading: Reading[Files], now: datetime) -> tuple[FileSeen, ...]:
    """Of those that became so in the last day, the latest first."""
    since = now - timedelta(days=1)
    found = [
        each for each in (reading.value.files if reading.value else ()) if each.updated_at and each.updated_at >= since
    ]
    return tuple(sorted(found, key=lambda each: (each.updated_at or since, each.key), reverse=True)[:LISTED_FILES])


def _manifests(found: Any) -> OpenManifests:
    made = [each.summary.created_at for each in found.waiting if each.summary.created_at is not None]
    return OpenManifests(
        waiting=len(found.waiting),
        running=len(found.running),
        oldest_waiting_at=min(made, default=None),
        refused=sum(each.refusals > 0 for each in found.waiting),
        is_complete=found.is_whole,
    )


def _runs(read: tuple[list[SeenRun], bool], seen: Seen) -> Any:
    runs, is_complete = read
    found = seen.facts.open_manifests.value
    manifests: dict[str, ManifestSummary] = {}
    for each in found.manifests if found else ():
        manifests[each.summary.manifest_id] = each.summary
    processing = seen.files.value.processing_by_manifest if seen.files.value else None
    done = seen.closed.value.completions if seen.closed.value else None
    pace = Pace(done.bytes_per_s, done.run_s[0]) if done and done.bytes_per_s and done.run_s else None
    return runs_panel(runs, is_complete, manifests, processing, pace, seen.now, midnight(seen.now))


def _forecast(files: int | None, arrivals: Arrivals | None, completions: Completions | None) -> Forecast:
    if files is None:
        return Forecast("unknown", why="the backlog could not be read")
    coming: Series | None = None
    if arrivals is not None:
        # What is quarantined at once is nothing that waits for a run.
        kept = arrivals.files - arrivals.by_status.get(QUARANTINED, 0)
        share = kept / arrivals.files if arrivals.files else 1.0
        coming = tuple(share * count for count in arrivals.per_minute)
    return forecast(files, coming, completions.per_minute if completions is not None else None)


def _since_last(seen: Seen, before: Seen | None) -> SinceLast | None:
    """None where there is nothing to compare with, or not all was read."""
    if before is None:
        return None
    came = _more(before.files, seen.files, lambda files: files.arrivals.is_complete, seen.now)
    went = _more(before.closed, seen.closed, lambda closed: closed.completions.is_complete, seen.now)
    if came is None or went is None:
        return None
    return SinceLast((seen.now - before.now).total_seconds(), came, went)


def _more(before: Reading[Any], after: Reading[Any], is_complete: Callable[[Any], bool], now: datetime) -> int | None:
    if before.value is None or after.value is None or not (is_complete(before.value) and is_complete(after.value)):
        return None
    return new_since(before.value.by_second, after.value.by_second, now)
