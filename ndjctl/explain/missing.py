"""What is told of a file where the ledger's table, or the quarantine's bucket, is not there. Pure."""

from __future__ import annotations

from dataclasses import replace

from ndjctl.contracts import COMPLETED, QUARANTINED, Attr
from ndjctl.explain.facts import FileFacts
from ndjctl.explain.model import Stage, Verdict
from ndjctl.explain.obstacles import Obstacle
from ndjctl.health.model import Remedy
from ndjctl.health.remedies import DEPLOY

_OF_LEDGER = "only the ledger knows"
_NOTHING_LEFT = " Nothing is to be done."


def without_ledger(facts: FileFacts) -> Verdict:
    """Of a file of which no item could be read."""
    if facts.items.why != "absent":
        return Verdict("not-read", "The ledger could not be read, so that nothing can be said of this file.")
    hint = "makes an empty one: explain this file again then"
    return Verdict(
        "ledger-gone",
        f"The ledger's table {facts.env.names.tracking_table} is not there: what became of this file is not known, and "
        f"nothing is converted without it.",
        is_wrong=True,
        remedies=(replace(DEPLOY, hint=hint),),
    )


def stage_without_ledger(facts: FileFacts, obstacles: list[Obstacle], stage: Stage) -> Stage:
    """The stage without what it could only know from the ledger. What is wrong with the environment is known without
    that."""
    if stage.name == "ledger":
        sentence = f"the table {facts.env.names.tracking_table} is not there"
        return Stage("ledger", "wrong", sentence) if facts.items.why == "absent" else stage
    if stage.name == "upload":
        return replace(stage, state="none") if stage.state == "wrong" else stage
    if stage.name == "queue":
        return replace(stage, state="ok") if stage.state == "waiting" else stage
    if stage.name == "event":
        is_known = stage.state in ("wrong", "unknown")
        return stage if is_known else Stage("event", "unknown", f"whether it was taken, {_OF_LEDGER}")
    if stage.name == "function":
        return _function(facts, obstacles, stage)
    return Stage(stage.name, "unknown", _OF_LEDGER, stage.facts) if stage.state == "none" else stage


def _function(facts: FileFacts, obstacles: list[Obstacle], stage: Stage) -> Stage:
    down = next((each for each in obstacles if each.stage == "function" and each.stops_sweeps), None)
    if down is not None:
        return Stage("function", "wrong", down.sentence, stage.facts)
    if not facts.log.was_read:
        return stage
    lines = facts.log.value.lines if facts.log.value is not None else ()
    # An error of it may have been made good since: the file may be converted.
    said = f"; its log last said of it at {lines[-1].at:%H:%M:%S}Z: {lines[-1].event}" if lines else ""
    return Stage("function", "unknown", f"what it made of this file, {_OF_LEDGER}{said}", stage.facts)


def is_quarantine_gone(facts: FileFacts) -> bool:
    """Whether the bucket is not there that is to hold the file's copy, or lines of it."""
    is_copy = facts.status == QUARANTINED and facts.set_aside.why == "absent"
    return is_copy or (facts.status == COMPLETED and facts.bad_lines.why == "absent")


def with_quarantine(facts: FileFacts, verdict: Verdict) -> Verdict:
    """The verdict on a file, and that what was set aside of it is gone, where it is."""
    if not is_quarantine_gone(facts):
        return verdict
    bucket = facts.env.names.quarantine_bucket
    gone = f"The quarantine bucket {bucket} is not there: what it held of this file is gone."
    hint = "makes the bucket anew, and empty"
    remedies = (replace(DEPLOY, hint=hint), *(each for each in verdict.remedies if each.words != DEPLOY.words))
    if facts.status == COMPLETED and not verdict.is_wrong and facts.object.value is not None:
        again = Remedy(
            ("reprocess", "--manifest", facts.text(Attr.BATCH_ID)),
            hint="sets its lines aside again, if they are wanted",
        )
        remedies = (*remedies, again)
    return replace(
        verdict,
        code=verdict.code if verdict.is_wrong else "quarantine-gone",
        sentence=f"{verdict.sentence.replace(_NOTHING_LEFT, '')} {gone}",
        is_wrong=True,
        is_waiting=False,
        remedies=remedies,
    )
