"""The verdict on a file that is in a manifest and not at rest: what that manifest waits for. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from ndjctl.advice.throughput import SWEEP_S
from ndjctl.contracts import CLAIMING, READY, Attr
from ndjctl.explain.facts import FileFacts, ManifestFacts
from ndjctl.explain.model import Verdict
from ndjctl.explain.obstacles import Obstacle, first_of
from ndjctl.health.catalogue import CONCURRENCY, NO_CAPACITY, QUOTA, THROTTLED, UNKNOWN
from ndjctl.health.causes import cause_of, cause_of_run
from ndjctl.health.checks_budget import LIFT
from ndjctl.health.model import Remedy
from ndjctl.health.remedies import REDRIVE_FAILED, SWEEP, remedies_of
from ndjctl.manifest_advice import BUILDING_S
from ndjctl.plain import counted_are

TURN_S = 2 * SWEEP_S
"""A sweep comes every minute: what it could have done and has not for two is not going to happen by itself."""
_BEFORE_ALL_ELSE = ("no-run", "held-by-budget")
"""While no run can start, none meets what is wrong with the manifest."""
_NO_ROOM = (CONCURRENCY, QUOTA, THROTTLED, NO_CAPACITY)
"""Causes that go by themselves: the start is tried again at every sweep."""


def judge_in_manifest(facts: FileFacts, obstacles: list[Obstacle]) -> Verdict:
    """Of a file that is manifested or processing."""
    manifest = facts.manifest.value
    if manifest is None:
        if not facts.manifest.was_read:
            return Verdict("not-read", f"It is {facts.status}, and its manifest could not be read.")
        return _stuck(facts, f"it is {facts.status} without a manifest")
    if not manifest.is_open:
        state = f"closed ({manifest.state})" if manifest.item is not None else "unknown to the ledger"
        return _stuck(facts, f"it is {facts.status}, and its manifest {manifest.manifest_id} is {state}")
    if manifest.moment(Attr.GIVEN_UP_AT) is not None:
        sentence = f"Its manifest {manifest.manifest_id} is given up, and a sweep fails its files: {manifest.error}."
        return Verdict("giving-up", sentence, is_wrong=True, remedies=(SWEEP,))
    if manifest.state == CLAIMING:
        return _claiming(facts, manifest, obstacles)
    is_ready = manifest.state == READY
    verdict = _ready(facts, manifest, obstacles) if is_ready else _running(facts, manifest, obstacles)
    if manifest.fault and (is_ready or verdict.is_wrong) and verdict.code not in _BEFORE_ALL_ELSE:
        return _lost(manifest, obstacles)
    return verdict


def _lost(manifest: ManifestFacts, obstacles: list[Obstacle]) -> Verdict:
    return Verdict(
        "manifest-lost",
        f"The object of its manifest {manifest.manifest_id} is {manifest.fault}: a sweep writes it again from the "
        f"ledger when a run of it has ended.",
        is_wrong=True,
        remedies=_swept(first_of(obstacles, "function", "manifest")),
    )


def _stuck(facts: FileFacts, why: str) -> Verdict:
    return Verdict(
        "stuck",
        f"Nobody works on it: {why}.",
        is_wrong=True,
        remedies=(Remedy(("redrive", "stuck", "--date", facts.date)), SWEEP),
    )


def _swept(obstacle: Obstacle | None) -> tuple[Remedy, ...]:
    """What gets a manifest on: a sweep, after what stands in its way."""
    first = () if obstacle is None else obstacle.remedies
    return first if SWEEP in first else (*first, SWEEP)


def _is_old(moment: datetime | None, facts: FileFacts, seconds: float) -> bool:
    return moment is None or facts.at - moment > timedelta(seconds=seconds)


def _claiming(facts: FileFacts, manifest: ManifestFacts, obstacles: list[Obstacle]) -> Verdict:
    touched = manifest.moment(Attr.UPDATED_AT) or manifest.moment(Attr.CREATED_AT)
    if not _is_old(touched, facts, BUILDING_S):
        return Verdict("building", f"Its manifest {manifest.manifest_id} is being built.", is_waiting=True)
    locks = facts.env.locks.value or ()
    held = next((each for each in locks if each.lock.subject == facts.date and not each.lock.is_free), None)
    remedies = _swept(first_of(obstacles, "function", "manifest"))
    if held is not None and held.verdict.is_dead:
        remedies = (Remedy(("locks", "break", facts.date)), *remedies)
    return Verdict(
        "builder-died",
        f"The builder of its manifest {manifest.manifest_id} left it unfinished: a sweep carries it on.",
        is_wrong=True,
        remedies=remedies,
    )


def _ready(facts: FileFacts, manifest: ManifestFacts, obstacles: list[Obstacle]) -> Verdict:
    missing = first_of(obstacles, "run")
    if missing is not None:
        sentence = f"Its manifest {manifest.manifest_id} waits for a run: {missing.sentence}."
        return Verdict("no-run", sentence, is_wrong=True, remedies=_swept(missing), cause=missing.cause)
    held = held_by_budget(facts, f"its manifest {manifest.manifest_id} waits")
    if held is not None:
        return held
    cause = cause_of(manifest.error) if manifest.error else UNKNOWN
    if manifest.error and cause not in _NO_ROOM:
        known = remedies_of(cause, facts.env.profile, of_function=True)
        remedies = tuple(each for each in known if each not in (SWEEP, REDRIVE_FAILED))
        return Verdict(
            "run-refused-or-failed",
            f"The last run of its manifest {manifest.manifest_id} failed or was refused: {manifest.error.rstrip('.')}. "
            f"It is started again at a next sweep.",
            is_wrong=True,
            remedies=(*remedies, SWEEP),
            cause="" if cause is UNKNOWN else cause.code,
        )
    return _waits_for_room(facts, manifest, obstacles)


def held_by_budget(facts: FileFacts, who: str) -> Verdict | None:
    """None where no run is held. who: what waits because of it, the end of a sentence."""
    held = facts.env.held
    if held is None or held.held_since is None:
        return None
    midnight = facts.at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return Verdict(
        "held-by-budget",
        f"The budget of the day is spent, no run is started since {held.held_since:%H:%M:%S}Z, and {who}. It is not "
        f"lost: runs start again when that is lifted, and at midnight UTC.",
        is_waiting=True,
        remedies=(LIFT,),
        wait_until=midnight,
    )


def _waits_for_room(facts: FileFacts, manifest: ManifestFacts, obstacles: list[Obstacle]) -> Verdict:
    open_ones, job = facts.env.open_manifests.value, facts.env.job.value
    most = job.max_concurrent_runs if job is not None else facts.env.profile.job.max_concurrent_runs
    touched = manifest.moment(Attr.UPDATED_AT) or manifest.moment(Attr.CREATED_AT)
    running = len(open_ones.running) if open_ones is not None else 0
    is_full = running >= most or manifest.error != ""
    kept = first_of(obstacles, "function", "manifest")
    if _is_old(touched, facts, TURN_S) and (kept is not None or not (is_full or _is_busy(facts))):
        sentence = f"Its manifest {manifest.manifest_id} is ready, and no run of it is started"
        why = f": {kept.sentence}" if kept is not None else ", though there is room for one"
        return Verdict("not-started", f"{sentence}{why}.", is_wrong=True, remedies=_swept(kept))
    ahead = 0
    if open_ones is not None:
        ahead = sum(each.summary.manifest_id < manifest.manifest_id for each in open_ones.waiting)
    turn = f"{counted_are(ahead, 'manifest')} before it" if ahead else "it is the next"
    return Verdict(
        "waits-for-room",
        f"Its manifest {manifest.manifest_id} waits for its turn: {counted_are(running, 'run')} under way, at most "
        f"{most:,} may be, and {turn}.",
        is_waiting=True,
    )


def _is_busy(facts: FileFacts) -> bool:
    """Whether runs of the job are under way, whatever the ledger says: of other manifests, or by hand."""
    runs = facts.env.runs.value
    job = facts.env.job.value
    most = job.max_concurrent_runs if job is not None else facts.env.profile.job.max_concurrent_runs
    return runs is not None and sum(not each.run.has_ended for each in runs.runs) >= most


def _running(facts: FileFacts, manifest: ManifestFacts, obstacles: list[Obstacle]) -> Verdict:
    if not facts.runs.was_read:
        return Verdict(
            "not-read", f"Its manifest {manifest.manifest_id} has a run, and Glue could not be asked for it."
        )
    runs = facts.runs.value or ()
    run_id = str((manifest.item or {}).get(Attr.RUN_ID, ""))
    started = manifest.moment(Attr.STARTED_AT)
    kept = first_of(obstacles, "function", "manifest")
    if not runs:
        if not _is_old(started, facts, TURN_S):
            return Verdict("run-starts", f"The run {run_id} of its manifest was started just now.", is_waiting=True)
        return Verdict(
            "run-unknown",
            f"Glue does not know the run {run_id} of its manifest (any more): a sweep starts another.",
            is_wrong=True,
            remedies=_swept(kept),
        )
    last = runs[-1]
    if not last.has_ended:
        since = "" if last.started_at is None else f" since {last.started_at:%H:%M:%S}Z"
        return Verdict(
            "running", f"The run {last.run_id} of its manifest is {last.state}{since}: wait for it.", is_waiting=True
        )
    retry = last.retry_until()
    if retry is not None and facts.at <= retry:
        sentence = f"The run {last.run_id} ended {last.state}, and Glue may try it again at once."
        return Verdict("run-retried", sentence, is_waiting=True, wait_until=retry)
    if last.completed_at is not None and not _is_old(last.completed_at, facts, SWEEP_S):
        sentence = f"The run {last.run_id} of its manifest ended {last.state} just now: the next sweep follows it up."
        return Verdict("run-ended", sentence, is_waiting=True, wait_until=last.completed_at + timedelta(seconds=TURN_S))
    cause = cause_of_run(last.state, last.error) if last.has_failed else UNKNOWN
    known = remedies_of(cause, facts.env.profile)
    first = tuple(each for each in known if each not in (SWEEP, REDRIVE_FAILED))
    message = f": {last.error.rstrip('.')}" if last.error else ""
    return Verdict(
        "run-ended",
        f"The run {last.run_id} of its manifest ended {last.state}{message}, and the file is not at rest: a sweep "
        f"follows it up.",
        is_wrong=True,
        remedies=(*first, *_swept(kept)),
        cause="" if cause is UNKNOWN else cause.code,
    )
