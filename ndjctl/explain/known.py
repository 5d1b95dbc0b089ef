"""The verdict on a file that the ledger knows, by its status. Pure. Those of a manifest are in `waiting`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from ndjctl.advice.throughput import SWEEP_S
from ndjctl.contracts import COMPLETED, FAILED, MANIFESTED, PENDING, PROCESSING, QUARANTINED, Attr
from ndjctl.explain.facts import FileFacts
from ndjctl.explain.missing import with_quarantine
from ndjctl.explain.model import Verdict
from ndjctl.explain.obstacles import Obstacle, first_of
from ndjctl.explain.unknown import backfill_of
from ndjctl.explain.waiting import held_by_budget, judge_in_manifest
from ndjctl.health.catalogue import UNKNOWN
from ndjctl.health.causes import cause_of
from ndjctl.health.model import Remedy
from ndjctl.health.remedies import DEPLOY, REDRIVE_FAILED, SWEEP, remedies_of
from ndjctl.plain import counted

PUT_BACK = (
    "put the object back with the same content (an older version of the bucket, a backup), if its rows are wanted"
)


def _waiting(manifests: Sequence[object]) -> str:
    return f"{counted(len(manifests), 'manifest')} {'waits' if len(manifests) == 1 else 'wait'}"


def judge_known(facts: FileFacts, obstacles: list[Obstacle]) -> Verdict:
    """Of a file with an item."""
    judge = _JUDGES.get(facts.status)
    if judge is None:
        return Verdict(
            "odd-status", f"The ledger has it with the status {facts.status!r}, which this version does not know."
        )
    verdict = judge(facts, obstacles)
    return _with_newer(facts, with_quarantine(facts, verdict))


def _with_newer(facts: FileFacts, verdict: Verdict) -> Verdict:
    """An overwritten object whose newer version the ledger does not know. A completed one is told of there."""
    is_lost = facts.is_newer and not facts.is_newer_known and facts.status != COMPLETED
    if not is_lost or facts.age_s is None or facts.age_s < facts.event_s:
        return verdict
    sentence = f"{verdict.sentence} Its object was overwritten {_ago(facts.age_s)} ago, and no event of that came."
    remedies = (backfill_of(facts), *(each for each in verdict.remedies if each.words[:1] != ("backfill",)))
    return replace(
        verdict, code="overwritten-unseen", sentence=sentence, is_wrong=True, remedies=remedies, is_waiting=False
    )


def _pending(facts: FileFacts, obstacles: list[Obstacle]) -> Verdict:
    uploaded = facts.moment(Attr.UPLOAD_TIME)
    if facts.object.was_read and facts.object.value is None:
        return _gone(facts, "pending", "the run of its manifest will fail it")
    lock = _held_lock(facts)
    if lock is not None:
        return lock
    kept = next((each for each in obstacles if each.stops_sweeps), None)
    if kept is not None:
        remedies = kept.remedies if SWEEP in kept.remedies else (*kept.remedies, SWEEP)
        sentence = f"It is pending, and no manifest is made of it unless its batch is full: {kept.sentence}."
        return Verdict("pending-stuck", sentence, is_wrong=True, remedies=remedies)
    due = None if uploaded is None else uploaded + timedelta(seconds=facts.partial_age_s + SWEEP_S)
    if due is not None and facts.at < due + timedelta(seconds=SWEEP_S):
        return Verdict(
            "pending",
            f"It waits for its batch to be full, or to be {facts.partial_age_s:.0f} s old; the next sweep then makes a "
            f"manifest of it.",
            is_waiting=True,
            wait_until=due,
        )
    kept = first_of(obstacles, "function")
    age = "" if uploaded is None else f" for {_ago((facts.at - uploaded).total_seconds())}"
    if kept is not None:
        remedies = kept.remedies if SWEEP in kept.remedies else (*kept.remedies, SWEEP)
        sentence = f"It is pending{age}, and no manifest is made of it: {kept.sentence}."
        return Verdict("pending-stuck", sentence, is_wrong=True, remedies=remedies, cause=kept.cause)
    waiting = facts.env.open_manifests.value
    most = facts.env.profile.batching.max_waiting_manifests
    if waiting is not None and len(waiting.waiting) >= most:
        held = held_by_budget(facts, f"{_waiting(waiting.waiting)}, so that no more are made")
        if held is not None:
            return held
        blocked = first_of(obstacles, "run")
        sentence = f"It is pending{age}: {_waiting(waiting.waiting)} for a run already, and no more are made."
        return Verdict(
            "backlog",
            f"{sentence} {blocked.sentence}." if blocked else f"{sentence} Its turn comes when some of them have run.",
            is_wrong=blocked is not None,
            remedies=blocked.remedies if blocked else (),
            is_waiting=blocked is None,
        )
    return Verdict(
        "pending-stuck",
        f"It is pending{age}, longer than a partial batch waits: a sweep takes it.",
        is_wrong=True,
        remedies=(SWEEP,),
    )


def _held_lock(facts: FileFacts) -> Verdict | None:
    """Of the lock of its date, where somebody has had it for longer than a builder takes."""
    locks = facts.env.locks.value or ()
    judged = next((each for each in locks if each.lock.subject == facts.date and not each.lock.is_free), None)
    if judged is None:
        return None
    lock, verdict = judged.lock, judged.verdict
    if verdict.is_dead:
        return Verdict(
            "lock-dead",
            f"It is pending, and the lock of {facts.date} is held by an invocation that is dead ({verdict.why}): no "
            f"manifest is made of that date until the lock is free. A sweep takes an expired lock over by itself.",
            is_wrong=True,
            remedies=(Remedy(("locks", "break", facts.date)), SWEEP),
        )
    taken = lock.taken_at
    if taken is None or facts.at - taken > timedelta(seconds=SWEEP_S):
        return Verdict(
            "lock-held",
            f"It is pending, and the lock of {facts.date} is held by {lock.holder}: {verdict.why}.",
            is_waiting=True,
            wait_until=verdict.until,
        )
    return None


def _gone(facts: FileFacts, status: str, what: str) -> Verdict:
    return Verdict(
        "object-gone",
        f"It is {status}, and its object was deleted meanwhile: {what}.",
        is_wrong=True,
        remedies=(Remedy(hint=PUT_BACK),),
    )


def _failed(facts: FileFacts, _obstacles: list[Obstacle]) -> Verdict:
    error = facts.text(Attr.ERROR) or "no reason recorded"
    cause = cause_of(error)
    dated = Remedy((*REDRIVE_FAILED.words, "--date", facts.date), hint=REDRIVE_FAILED.hint)
    known = tuple(dated if each == REDRIVE_FAILED else each for each in remedies_of(cause, facts.env.profile))
    remedies = known if dated in known else (*known, dated)
    if facts.object.was_read and facts.object.value is None:
        remedies = (Remedy(hint=PUT_BACK), dated)
    title = "" if cause is UNKNOWN else f" ({cause.title})"
    return Verdict(
        "failed",
        f"It failed{title}: {_without_uri(error, facts)}.",
        is_wrong=True,
        remedies=remedies,
        cause="" if cause is UNKNOWN else cause.code,
    )


def _without_uri(error: str, facts: FileFacts) -> str:
    return error.removeprefix(f"{facts.uri}: ").rstrip(".")


def _quarantined(facts: FileFacts, _obstacles: list[Obstacle]) -> Verdict:
    reason = facts.text(Attr.REASON) or "no reason recorded"
    there = facts.object.value
    # By the profile's rule, which `quarantine release` goes by.
    would = "" if there is None else facts.env.profile.size_rule.window.verdict(there.size_bytes)
    if facts.set_aside.was_read and facts.set_aside.value is False:
        copy = " Its copy is not in the quarantine any more."
    else:
        copy = ""
    if there is None and facts.object.was_read:
        sentence = (
            f"It was set aside for its size ({reason}), and its object was deleted since.{copy} Nothing is to be done."
        )
        return Verdict("quarantined-deleted", sentence)
    now = "The size rule would take it now." if would is None else "The size rule would set it aside again."
    return Verdict(
        "quarantined",
        f"It was set aside for its size and is not converted: {reason}. {now}{copy}",
        is_wrong=True,
        remedies=(*_rule_first(facts), *release_of(facts, is_taken=would is None)),
    )


def _rule_first(facts: FileFacts) -> tuple[Remedy, ...]:
    """Where the function that is live has another size rule than the profile: it would set aside others like it."""
    live = facts.env.function.value.window if facts.env.function.value is not None else None
    size_bytes = facts.number(Attr.SIZE_BYTES) or 0
    is_other = live is not None and live.verdict(size_bytes) != facts.env.profile.size_rule.window.verdict(size_bytes)
    hint = "the function that is live has another size rule than the profile"
    return (replace(DEPLOY, hint=hint),) if is_other else ()


def release_of(facts: FileFacts, *, is_taken: bool) -> tuple[Remedy, ...]:
    """What sends a file back that was set aside for its size. is_taken: whether the size rule takes it now."""
    exception = () if is_taken else ("--ignore-size-rule",)
    hint = "if its rows are wanted; otherwise nothing is to be done"
    return (Remedy(("quarantine", "release", _argument(facts), *exception), hint=hint),)


def _completed(facts: FileFacts, _obstacles: list[Obstacle]) -> Verdict:
    rewrite = Remedy(("reprocess", "--manifest", facts.text(Attr.BATCH_ID)))
    again = Remedy(("reprocess", _argument(facts)))
    missing = _missing_parts(facts)
    if missing:
        return Verdict(
            "parts-missing", f"It is converted, but {missing}.", is_wrong=True, remedies=_rewritten(facts, rewrite)
        )
    wrong = _miscounted(facts)
    if wrong:
        return Verdict(
            "miscounted", f"It is converted, but {wrong}.", is_wrong=True, remedies=_rewritten(facts, rewrite)
        )
    if facts.is_newer or (facts.text(Attr.SUPERSEDED_BY) and facts.object.value is not None):
        event = "" if facts.is_newer_known else ", and the event of that version never came"
        return Verdict(
            "superseded",
            f"It is converted, but its object was overwritten since{event}: the rows are those of the older version.",
            is_wrong=True,
            remedies=(again,),
        )
    rows, bad = facts.number(Attr.ROWS), facts.number(Attr.BAD_LINES)
    counts = "" if rows is None else f", rows: {rows:,}, quarantined lines: {bad or 0:,}"
    gone = (
        " The object was deleted since; its rows stay." if facts.object.was_read and facts.object.value is None else ""
    )
    return Verdict("completed", f"It is converted{counts}.{gone} Nothing is to be done.")


def _rewritten(facts: FileFacts, rewrite: Remedy) -> tuple[Remedy, ...]:
    """Writing a manifest again needs the version that it names."""
    if facts.object.was_read and facts.object.value is None:
        return (Remedy(hint=PUT_BACK), rewrite)
    return (Remedy(("reprocess", _argument(facts))), rewrite) if facts.is_newer else (rewrite,)


def _missing_parts(facts: FileFacts) -> str:
    parts, manifest = facts.parts.value, facts.manifest.value
    expected = (manifest.item or {}).get(Attr.PARTS) if manifest is not None else None
    if expected is None and facts.report.value is not None:
        expected = facts.report.value.parts
    if parts is None or expected is None or parts.present >= int(expected):
        return ""
    return f"{int(expected) - parts.present:,} of the {int(expected):,} Parquet parts of its manifest are not there"


def _miscounted(facts: FileFacts) -> str:
    lines, rows, bad = (facts.number(name) for name in (Attr.LINES, Attr.ROWS, Attr.BAD_LINES))
    found = facts.counted.value
    if found is not None and found.problems:
        return found.problems[0]
    if rows is None or lines is None:
        return ""
    bad = bad or 0
    if lines != rows + bad:
        return f"the ledger has {lines:,} lines of it, and {rows:,} rows and {bad:,} quarantined lines"
    if found is not None and (found.rows, found.bad_lines) != (rows, bad):
        return (
            f"there are {found.rows:,} rows and {found.bad_lines:,} quarantined lines of it, and the ledger says "
            f"{rows:,} and {bad:,}"
        )
    return ""


def _argument(facts: FileFacts) -> str:
    """A key that begins like an option is no argument."""
    return facts.uri if facts.key.startswith(("-", "s3://")) else facts.key


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"


_JUDGES: dict[str, Callable[[FileFacts, list[Obstacle]], Verdict]] = {
    PENDING: _pending,
    MANIFESTED: judge_in_manifest,
    PROCESSING: judge_in_manifest,
    COMPLETED: _completed,
    FAILED: _failed,
    QUARANTINED: _quarantined,
}
