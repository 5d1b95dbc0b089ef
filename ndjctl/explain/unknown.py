"""The verdict on a file that the ledger does not know. Pure."""

from __future__ import annotations

from datetime import timedelta

from ndjctl.contracts import FILE_SUFFIX, TTL_DAYS
from ndjctl.explain.facts import FileFacts
from ndjctl.explain.missing import without_ledger
from ndjctl.explain.model import Verdict
from ndjctl.explain.obstacles import Obstacle, first_of
from ndjctl.health.catalogue import UNKNOWN
from ndjctl.health.causes import cause_of
from ndjctl.health.model import Remedy
from ndjctl.health.remedies import AS_DEPLOYED, REDRIVE_DLQ, logs_since, remedies_of

_QUEUED_S = 900.0
"""How long an event is believed to be among those that wait in a queue that is being worked on."""


def judge_unknown(facts: FileFacts, obstacles: list[Obstacle]) -> Verdict:
    """Of a file without an item."""
    if not facts.items.was_read:
        return without_ledger(facts)
    there = facts.object.value
    if there is None:
        return _without_object(facts)
    if not facts.is_file:
        return Verdict(
            "not-a-file",
            f"The pipeline takes keys that end with {FILE_SUFFIX}, and this one does not: no event of it is sent.",
            is_wrong=True,
            remedies=(
                Remedy(
                    other=("aws", "s3", "cp", facts.uri, facts.uri + FILE_SUFFIX),
                    hint="a copy under a key that ends so, if it is NDJSON (compressed or not)",
                ),
            ),
        )
    forgotten = _forgotten(facts)
    return forgotten or _never_entered(facts, obstacles)


def _without_object(facts: FileFacts) -> Verdict:
    if not facts.object.was_read:
        return Verdict("not-read", "The input bucket could not be read, and the ledger does not know the file.")
    forgotten = _forgotten(facts)
    if forgotten is not None:
        return forgotten
    deletion = next((each for each in facts.versions.value or () if each.is_deletion and each.is_latest), None)
    if deletion is not None:
        return Verdict(
            "deleted",
            f"The object was deleted at {deletion.at:%Y-%m-%d %H:%M:%S}Z, and the ledger knows nothing of it (it "
            f"remembers a file for {TTL_DAYS} days): nothing is to be done, unless its rows are wanted; then put the "
            f"object back.",
        )
    return Verdict(
        "never-uploaded",
        "There is no such object in the input bucket, and the ledger has never heard of it: it was not uploaded here, "
        f"or it was deleted before its event was taken, or more than {TTL_DAYS} days ago.",
        is_wrong=True,
        remedies=(Remedy(hint=f"upload it to {facts.uri}: its event enters it; or look whether its key is another"),),
    )


def _forgotten(facts: FileFacts) -> Verdict | None:
    """Of a file that the ledger does not remember any more, and something else does."""
    report = facts.converted
    if report is not None:
        why = f"remembers a file for {TTL_DAYS} days and has forgotten it"
        if not facts.is_expired:
            why = f"has lost its item before its {TTL_DAYS} days were over (deleted, or an older table was restored)"
        gone = "" if facts.object.value is not None else "; the object was deleted since"
        return Verdict(
            "converted-and-forgotten",
            f"It is converted: the report of manifest {report.manifest_id} says so (rows: {report.rows:,}). The ledger "
            f"{why}{gone}. Nothing is to be done.",
        )
    if facts.set_aside.value:
        return Verdict(
            "quarantined-and-forgotten",
            "It was set aside for its size, and its copy is in the quarantine; the ledger has forgotten it. Nothing "
            "is to be done, unless its rows are wanted: then raise the size rule and upload it again.",
        )
    return None


def _never_entered(facts: FileFacts, obstacles: list[Obstacle]) -> Verdict:
    """The object is there, and no item."""
    letter = facts.letter.value
    failing = _failing(facts)
    if letter is not None and letter.is_found:
        cause = failing.remedies if failing is not None else _of(first_of(obstacles, "function", "queue"))
        first = tuple(each for each in cause if each != REDRIVE_DLQ)
        why = f" It failed because {failing.sentence}." if failing is not None else ""
        return Verdict(
            "dead-letter",
            f"Its event is in the dead-letter queue: {letter.why}.{why}",
            is_wrong=True,
            remedies=(*first, REDRIVE_DLQ),
            cause=failing.cause if failing is not None else "",
        )
    lost = first_of(obstacles, "event")
    if lost is not None:
        sentence = f"Its event never came: {lost.sentence}."
        return Verdict("not-wired", sentence, is_wrong=True, remedies=(*lost.remedies, backfill_of(facts)))
    if failing is not None:
        return Verdict(
            "function-failing",
            f"The function fails on it: {failing.sentence}. Its event comes back until it is a dead letter.",
            is_wrong=True,
            remedies=(*failing.remedies, backfill_of(facts)),
            cause=failing.cause,
        )
    kept = first_of(obstacles, "queue", "function")
    if kept is not None:
        is_kept_whole = kept.stage == "queue" and _is_queued(facts)
        return Verdict(
            "event-waits",
            f"Its event is not taken: {kept.sentence}.",
            is_wrong=True,
            # What the function gave back is out of view for a while: another event does not wait for that.
            remedies=kept.remedies if is_kept_whole else (*kept.remedies, backfill_of(facts)),
            cause=kept.cause,
        )
    return _late_or_lost(facts)


def _late_or_lost(facts: FileFacts) -> Verdict:
    age_s, there = facts.age_s or 0.0, facts.object.value
    uploaded = there.modified_at if there is not None else facts.at
    if age_s < facts.event_s:
        return Verdict(
            "event-under-way",
            f"It was uploaded {age_s:.0f} s ago, and its event is not taken yet: wait for it.",
            is_waiting=True,
            wait_until=uploaded + timedelta(seconds=facts.event_s),
        )
    queue = facts.env.queue.value
    if queue is not None and _is_queued(facts) and age_s < _QUEUED_S:
        return Verdict(
            "event-queued",
            f"Events wait in the queue ({queue.visible:,}), and this file's is probably one of them: wait for it.",
            is_waiting=True,
            wait_until=uploaded + timedelta(seconds=_QUEUED_S),
        )
    return Verdict(
        "event-lost",
        "The object is there and the ledger has never heard of it, though the bucket, the queue and the function are "
        "wired as they should be: its event was lost.",
        is_wrong=True,
        remedies=(backfill_of(facts),),
    )


def _is_queued(facts: FileFacts) -> bool:
    queue = facts.env.queue.value
    # What is being taken is entered within seconds, or comes back: then the function's log says why.
    return queue is not None and queue.visible > 0


def backfill_of(facts: FileFacts) -> Remedy:
    """What enters this very object. `backfill` leaves alone what its own event may still enter, so for a young one that
    is said, too."""
    option = (f"--prefix={facts.key}",) if facts.key.startswith("-") else ("--prefix", facts.key)
    is_young = facts.age_s is not None and facts.age_s <= facts.event_grace.total_seconds()
    return Remedy(
        ("backfill", *option, *(("--grace", "0") if is_young else ())),
        hint="sends its event again; without --prefix it finds all that were lost",
    )


def _failing(facts: FileFacts) -> Obstacle | None:
    """What the function itself said of this file, where its last word was a failure."""
    log = facts.log.value
    told = [line for line in (log.lines if log is not None else ()) if line.event]
    if not told or told[-1].level != "ERROR":
        return None
    text = str(told[-1].fields.get("error", told[-1].event))
    cause = cause_of(text)
    known = remedies_of(cause, facts.env.profile, of_function=True)
    remedies = tuple(each for each in known if each != REDRIVE_DLQ) or (AS_DEPLOYED, logs_since(told[-1].at, facts.at))
    return Obstacle("function", text, remedies, cause="" if cause is UNKNOWN else cause.code)


def _of(obstacle: Obstacle | None) -> tuple[Remedy, ...]:
    return () if obstacle is None else obstacle.remedies
