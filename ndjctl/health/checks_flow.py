"""Whether files move on: what is stuck in each status, runs that do not start, locks of the dead, lost events. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from ndjctl.advice.throughput import LATENCY_S, SWEEP_S
from ndjctl.contracts import CLAIMING, MANIFESTED, PENDING, PROCESSING, RUNNING, STARTED
from ndjctl.health.checks_budget import LIFT
from ndjctl.health.checks_wiring import wiring_checks
from ndjctl.health.facts import Facts, FileSeen, OpenManifest, Run
from ndjctl.health.log_lines import fields_of
from ndjctl.health.model import Checked, Remedy, Verdict
from ndjctl.health.remedies import DEPLOY, SWEEP, setting
from ndjctl.health.words import counted, grace_words, lasting, passed, some, unread
from ndjctl.locks import CLOCK_MARGIN_S, Judged
from ndjctl.manifest_advice import BUILDING_S

FLUSH = Remedy(("sweep", "--flush"))
_FOLLOWED_S = 3 * SWEEP_S
"""A sweep comes every minute: what was not seen to after three of them, none sees to."""
_START_S = 300.0
_MOST_DATES = 3
_DELIVERY = frozenset({"queue", "mapping", "function"})
"""Codes of the checks of what events pass on their way from the queue to the ledger."""
_CONVERTED = "leaves out what is converted"
_NO_QUOTA = "ResourceNumberLimitExceededException"


def flow_checks(facts: Facts) -> Iterator[Checked]:
    """All of them, in the order of the pipeline."""
    yield _lost_events(facts)
    yield _pending(facts)
    for status in (MANIFESTED, PROCESSING):
        yield _left_behind(facts, status)
    yield _manifests(facts)
    yield _starts(facts)
    yield _concurrency(facts)
    yield _locks(facts)


def _lost_events(facts: Facts) -> Checked:
    code, title = "lost-events", "events of new files"
    if facts.sample.value is None:
        return unread(code, title, facts.sample)
    sample = facts.sample.value
    extent = "all" if sample.is_whole else "the newest"
    looked_at = f"{extent} {sample.looked_at:,} objects of the input bucket since yesterday"
    if not sample.lost:
        return passed(code, title, f"None is lost: the ledger knows {looked_at}." if sample.looked_at else _none(facts))
    missing, is_one = len(sample.lost), len(sample.lost) == 1
    held = facts.queue.value.held if facts.queue.value else 0
    broken = [each for each in wiring_checks(facts) if each.verdict == "fail" and each.code in _DELIVERY]
    may_wait = bool(held) or any(each.code != "queue" for each in broken)
    if is_one:
        where = "its event waits in the queue or was lost" if may_wait else "its event was lost"
        where += ", or it was converted and the ledger lost its item"
    else:
        where = "their events wait in the queue or were lost" if may_wait else "their events were lost"
        where += ", or they were converted and the ledger lost their items"
    who = f"{counted(missing, 'file')} {'is' if is_one else 'are'} not in the ledger, of {looked_at}"
    sentence = f"{who}: {where}; 'explain KEY' tells."
    evidence = some(f"{each.key}: uploaded {each.modified_at:%Y-%m-%d %H:%M:%S}Z" for each in sample.lost)
    grace = grace_words(facts)
    dates = sorted({each.date for each in sample.lost})
    chosen: list[tuple[str, ...]] = [("--date", date) for date in dates] if len(dates) <= _MOST_DATES else [()]
    # What is delivered again needs no backfill: so that comes first.
    remedies = dict.fromkeys(remedy for each in broken for remedy in each.remedies)
    remedies |= {Remedy(("backfill", *words, *grace), hint=_CONVERTED): None for words in chosen}
    return Checked(code, title, "warn" if held >= missing else "fail", sentence, evidence, tuple(remedies))


def _none(facts: Facts) -> str:
    """Of a sample in which there is nothing that the ledger should know."""
    young = facts.sample.value.too_young if facts.sample.value else 0
    if not young:
        return "None has come to the input bucket since yesterday."
    are = "is" if young == 1 else "are"
    return f"Not to be judged yet: {counted(young, 'file')} {are} younger than {lasting(facts.grace_s)}."


def _pending(facts: Facts) -> Checked:
    code, title = "stuck-pending", "files pending"
    files = facts.oldest[PENDING].value
    if files is None:
        return unread(code, title, facts.oldest[PENDING])
    allowed_s = facts.profile.batching.max_partial_age_s + _FOLLOWED_S
    # A file that a backfill or a redrive entered now is as old as its upload, but waits only since then.
    waits = [(_waited_s(file, facts.at), file) for file in files.files]
    late = [(waited_s, file) for waited_s, file in waits if waited_s > allowed_s]
    if not late:
        oldest = max((waited_s for waited_s, _ in waits), default=None)
        told = "None waits." if oldest is None else f"The oldest waits for {lasting(oldest)}, of {lasting(allowed_s)}."
        return passed(code, title, told)
    waited_s = max(waited_s for waited_s, _ in late)
    many = "" if len(late) < len(files.files) or files.is_whole else " or more"
    who = f"{counted(len(late), 'file')}{many} {'waits' if len(late) == 1 and not many else 'wait'}"
    sentence = f"{who} for a manifest, the oldest for {lasting(waited_s)}."
    evidence = some(f"{file.key}: pending for {lasting(each_s)}" for each_s, file in late)
    manifests = facts.open_manifests.value
    room = facts.profile.batching.max_waiting_manifests
    if manifests is not None and len(manifests.waiting) >= room:
        see, remedy = ("starts", SWEEP) if facts.held is None else ("runs-held", LIFT)
        told = f"{_waiting(len(manifests.waiting))}, and no more are built than {room} (see {see})"
        return Checked(code, title, "warn", sentence, (*evidence, told), (remedy,))
    verdict: Verdict = "fail" if waited_s > min(LATENCY_S, 2 * allowed_s) else "warn"
    # Nothing builds a date whose lock the dead hold.
    dates = {file.date for _, file in late}
    breaks = tuple(_break(each) for each in _dead_locks(facts) if each.lock.subject in dates)[:_MOST_DATES]
    return Checked(code, title, verdict, sentence, evidence, (*breaks, FLUSH))


def _waited_s(file: FileSeen, now: datetime) -> float:
    moments = [moment for moment in (file.uploaded_at, file.updated_at) if moment is not None]
    return (now - max(moments)).total_seconds() if moments else 0.0


def _left_behind(facts: Facts, status: str) -> Checked:
    """Files whose manifest is not open any more, so that no run will take them."""
    code, title = f"stuck-{status}", f"files {status}"
    files, manifests = facts.oldest[status].value, facts.open_manifests.value
    if files is None or manifests is None:
        return unread(code, title, facts.oldest[status], facts.open_manifests)
    # The index and the list of manifests are not of the very same moment.
    settled = facts.at - timedelta(seconds=CLOCK_MARGIN_S)
    lost = [
        file
        for file in files.files
        if file.manifest_id not in manifests.ids and (file.updated_at is None or file.updated_at < settled)
    ]
    if lost and manifests.is_whole:
        them, their = ("it", "its") if len(lost) == 1 else ("them", "their")
        sentence = f"{counted(len(lost), 'file')} {status}, and no run will take {them}: {their} manifest is not open."
        evidence = some(f"{file.key}: manifest {file.manifest_id or 'unknown'}" for file in lost)
        dates = sorted({file.date for file in lost})
        words = ("redrive", "stuck", *(("--date", dates[0]) if len(dates) == 1 else ()))
        return Checked(code, title, "fail", sentence, evidence, (Remedy(words),))
    oldest = files.files[0] if files.files else None
    if oldest is None or oldest.uploaded_at is None:
        return passed(code, title, "None is." if oldest is None else "Each of the oldest has an open manifest.")
    age = lasting((facts.at - oldest.uploaded_at).total_seconds())
    return passed(code, title, f"Each of the oldest has an open manifest; the first was uploaded {age} ago.")


def _manifests(facts: Facts) -> Checked:
    """Manifests that a sweep should have seen to, and did not."""
    code, title = "stuck-manifests", "manifests looked after"
    manifests = facts.open_manifests.value
    if manifests is None:
        return unread(code, title, facts.open_manifests)
    runs = _attempts(facts)
    stuck = [(each, why) for each in manifests.manifests if (why := _why_stuck(each, runs, facts.at))]
    if not stuck:
        return passed(code, title, f"{counted(len(manifests.manifests), 'manifest')} open, each of them looked after.")
    sentence = f"{counted(len(stuck), 'manifest')} should have been seen to by a sweep, and no sweep did."
    evidence = some(f"{each.summary.manifest_id}: {why}" for each, why in stuck)
    return Checked(code, title, "fail", sentence, evidence, (SWEEP,))


def _attempts(facts: Facts) -> dict[str, Run]:
    """The last attempt of each run, by the id of the first."""
    found: dict[str, Run] = {}
    for run in facts.runs.value.runs if facts.runs.value else ():
        base = run.run.run_id.partition("_attempt_")[0]
        if base not in found or run.attempt > found[base].attempt:
            found[base] = run
    return found


def _why_stuck(each: OpenManifest, runs: dict[str, Run], now: datetime) -> str:
    summary = each.summary
    touched = summary.updated_at or summary.created_at
    rested_s = (now - touched).total_seconds() if touched else 0.0
    if summary.given_up_at is not None:
        return "given up, and not cleaned up" if rested_s > _FOLLOWED_S else ""
    if summary.state == CLAIMING:
        return f"its builder left it {lasting(rested_s)} ago" if rested_s > BUILDING_S + _FOLLOWED_S else ""
    if summary.state in (STARTED, RUNNING):
        run = runs.get(summary.run_id.partition("_attempt_")[0])
        ended_at = run.run.completed_at if run is not None and run.run.has_ended else None
        if run is not None and ended_at is not None and (now - ended_at).total_seconds() > _FOLLOWED_S:
            return f"its run ended {run.run.state} {lasting((now - ended_at).total_seconds())} ago"
    return ""


def _starts(facts: Facts) -> Checked:
    """Manifests wait though there is room."""
    code, title = "starts", "runs start"
    manifests = facts.open_manifests.value
    if manifests is None:
        return unread(code, title, facts.open_manifests)
    waiting = [each for each in manifests.waiting if each.summary.state != CLAIMING]
    slots = facts.job.value.max_concurrent_runs if facts.job.value else facts.profile.job.max_concurrent_runs
    oldest_s = max((_rested_s(each, facts.at) for each in waiting), default=0.0)
    if waiting and facts.held is not None:
        return passed(code, title, f"{_waiting(len(waiting))}: the budget of the day holds them (see runs-held).")
    if not waiting or oldest_s < _START_S or len(manifests.running) >= slots or _refusals(facts):
        told = "No manifest waits." if not waiting else f"{_waiting(len(waiting))}."
        return passed(code, title, told)
    refused = [each for each in waiting if each.refusals]
    sentence = (
        f"{_waiting(len(waiting))}, the oldest for {lasting(oldest_s)}, though only "
        f"{len(manifests.running)} of {slots} runs are under way."
    )
    evidence = some(
        f"{each.summary.manifest_id}: {each.summary.error or 'no start was tried'}" for each in refused or waiting
    )
    return Checked(code, title, "fail", sentence, evidence, (SWEEP,))


def _waiting(manifests: int) -> str:
    return f"{counted(manifests, 'manifest')} {'waits' if manifests == 1 else 'wait'} for a run"


def _rested_s(each: OpenManifest, now: datetime) -> float:
    made = each.summary.created_at
    return (now - made).total_seconds() if made else 0.0


def _refusals(facts: Facts) -> Counter[str]:
    """AWS's codes of the starts that were refused lately for want of room."""
    lines = facts.errors.value.waits if facts.errors.value else ()
    recent = [line for line in lines if (facts.at - line.at).total_seconds() < _FOLLOWED_S]
    return Counter(str(fields_of(line.message).get("why", "")) for line in recent)


def _concurrency(facts: Facts) -> Checked:
    code, title = "concurrency", "concurrent runs"
    manifests = facts.open_manifests.value
    if manifests is None:
        return unread(code, title, facts.open_manifests)
    profile = facts.profile
    slots = facts.job.value.max_concurrent_runs if facts.job.value else profile.job.max_concurrent_runs
    waiting, running, refusals = len(manifests.waiting), len(manifests.running), _refusals(facts)
    counts = (
        f"{running:,} of {slots:,} runs under way, {waiting:,} {'manifest waits' if waiting == 1 else 'manifests wait'}"
    )
    if not waiting or not (refusals or running >= slots):
        return passed(code, title, f"There is room: {counts}.")
    oldest_s = max(_rested_s(each, facts.at) for each in manifests.waiting)
    if oldest_s <= min(facts.grace_s, _TURN_S) and not refusals[_NO_QUOTA]:
        return passed(code, title, f"Some wait their turn: {counts}, the oldest for {lasting(oldest_s)}.")
    evidence = some(f"{count:,} starts refused in the last minutes: {why}" for why, count in refusals.items())
    if refusals[_NO_QUOTA]:
        sentence = f"The account has no room for more runs: {counts}, the oldest for {lasting(oldest_s)}."
        ask = Remedy(hint="ask AWS for a higher quota: 'config check' names it and how much is needed")
        return Checked(code, title, _how_bad(oldest_s), sentence, evidence, (ask,))
    sentence = f"Every run that the job may have at once is under way: {counts}, the oldest for {lasting(oldest_s)}."
    by_hand = slots < profile.job.max_concurrent_runs
    more = DEPLOY if by_hand else setting("job.max_concurrent_runs", min(1000, 2 * slots))
    told = f"the profile has {profile.job.max_concurrent_runs}" if by_hand else ""
    return Checked(code, title, _how_bad(oldest_s), sentence, (*evidence, *filter(None, [told])), (more, SWEEP))


_TURN_S = 300.0
"""For how long it is nothing unusual that a manifest waits for one of the runs before it."""


def _how_bad(oldest_s: float) -> Verdict:
    return "fail" if oldest_s > LATENCY_S else "warn"


def _locks(facts: Facts) -> Checked:
    code, title = "locks", "locks"
    if facts.locks.value is None:
        return unread(code, title, facts.locks)
    dead = _dead_locks(facts)
    if not dead:
        return passed(code, title, f"{counted(len(facts.locks.value), 'lock')} held, none of them by the dead.")
    sentence = (
        f"{counted(len(dead), 'lock')} held by a holder that is dead: whoever needs it has to wait or to take over."
    )
    evidence = some(f"{each.lock.subject}: {each.verdict.why}, held by {each.lock.holder}" for each in dead)
    breaks = tuple(map(_break, dead[:_MOST_DATES]))
    rest = (Remedy(("locks",), hint="lists the others"),) if len(dead) > _MOST_DATES else ()
    return Checked(code, title, "warn", sentence, evidence, (*breaks, *rest))


def _dead_locks(facts: Facts) -> list[Judged]:
    return [judged for judged in facts.locks.value or () if judged.verdict.is_dead]


def _break(judged: Judged) -> Remedy:
    return Remedy(("locks", "break", judged.lock.sort_key.removesuffix("#")))
