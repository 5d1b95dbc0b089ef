"""Whether everything is there and connected: what an event passes on its way, and what wakes the function. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ndjctl.contracts import FILE_SUFFIX
from ndjctl.health import metrics
from ndjctl.health.facts import Clock, Facts, Rule
from ndjctl.health.model import Checked, Remedy
from ndjctl.health.policies import queue_lets_in
from ndjctl.health.remedies import DEPLOY, REDRIVE_DLQ, SWEEP, setting
from ndjctl.health.words import counted, grace_words, lasting, moment_text, passed, some, unread
from ndjctl.locks import CLOCK_MARGIN_S
from ndjctl.reading import Reading

CLOCK_WARN_S = 15.0
SWEEP_LATE_S = 300.0
"""Without a sweep for so long something is wrong: it comes every minute."""

_SET_CLOCK = Remedy(
    other=("sudo", "timedatectl", "set-ntp", "true"), hint="or what sets the clock on this system, where it is no Linux"
)


def wiring_checks(facts: Facts) -> Iterator[Checked]:
    """All of them, in the order of the pipeline."""
    yield clock_of(facts.clock)
    yield _deployment(facts)
    yield _permissions(facts)
    yield _notification(facts)
    yield _queue(facts)
    yield _mapping(facts)
    yield _function(facts)
    yield _schedule(facts)
    yield _run_events(facts)
    yield _sweep(facts)
    yield _job(facts)
    yield _streaming(facts)
    yield _dead_letters(facts)


def is_deployed(facts: Facts) -> bool:
    """False where nothing of it is there."""
    return any(reading.why != "absent" for reading in _parts(facts))


def _parts(facts: Facts) -> tuple[Reading[Any], ...]:
    return facts.queue, facts.function, facts.open_manifests, facts.job


def clock_of(reading: Reading[Clock]) -> Checked:
    code, title = "clock", "this machine's clock"
    if reading.value is None or reading.value.skew_s is None:
        return unread(code, title, reading)
    skew_s = reading.value.skew_s
    side = "ahead of" if skew_s > 0 else "behind"
    told = f"It is {lasting(abs(skew_s))} {side} AWS's."
    if abs(skew_s) > CLOCK_MARGIN_S:
        why = "ages and locks are judged wrongly, and AWS refuses what is signed more than five minutes off"
        return Checked(
            code, title, "fail", f"The clock is {lasting(abs(skew_s))} {side} AWS's: {why}.", (), (_SET_CLOCK,)
        )
    if abs(skew_s) > CLOCK_WARN_S:
        return Checked(code, title, "warn", told, (), (_SET_CLOCK,))
    return passed(code, title, told)


def _deployment(facts: Facts) -> Checked:
    code, title = "deployment", "environment deployed"
    if is_deployed(facts):
        if any(reading.was_read for reading in _parts(facts)):
            return passed(code, title, "It is deployed.")
        return unread(code, title, *_parts(facts))
    return Checked(
        code,
        title,
        "fail",
        f"The environment {facts.profile.environment} is not deployed: no queue, function, ledger or job is there.",
        remedies=(DEPLOY,),
        is_down=True,
    )


def _permissions(facts: Facts) -> Checked:
    code, title = "permissions", "your permissions"
    denied = {name: reading for name, reading in facts.readings.items() if reading.why == "denied"}
    if not denied:
        return passed(code, title, "Everything that is looked at may be read.")
    return Checked(
        code,
        title,
        "warn",
        f"You may not read everything: {counted(len(denied), 'thing')} could not be looked at ({', '.join(denied)}).",
        some(dict.fromkeys(reading.sentence for reading in denied.values())),
        (Remedy(hint="ask for the permissions that AWS names above"),),
    )


def _notification(facts: Facts) -> Checked:
    code, title = "notification", "input bucket to queue"
    if facts.wirings.why == "absent":
        sentence = f"The input bucket {facts.names.input_bucket} is not there: nothing can come in."
        return Checked(code, title, "fail", sentence, remedies=(DEPLOY,), is_down=True)
    if facts.wirings.value is None:
        return unread(code, title, facts.wirings)
    ours = [wiring for wiring in facts.wirings.value if wiring.queue_arn == facts.queue_arn]
    fitting = [
        wiring
        for wiring in ours
        if {"s3:ObjectCreated:*", "s3:ObjectCreated:Put"} & set(wiring.events)
        and not wiring.prefix
        and FILE_SUFFIX.endswith(wiring.suffix)
    ]
    after = (DEPLOY, _found_by_backfill(facts))
    if not fitting:
        what = "tells the queue of other files" if ours else "does not tell the queue of new files"
        told = tuple(f"{', '.join(w.events)} of {w.prefix}*{w.suffix} to {w.queue_arn}" for w in facts.wirings.value)
        sentence = f"The input bucket {what}: nothing that is uploaded is ever seen."
        return Checked(code, title, "fail", sentence, some(told) or ("it has no notification to a queue",), after, True)
    if facts.queue.value is not None and not queue_lets_in(facts.queue.value.attributes, facts.names.input_bucket):
        sentence = "The queue's policy does not let the input bucket send: nothing that is uploaded is ever seen."
        return Checked(code, title, "fail", sentence, (), after, True)
    return passed(code, title, "The input bucket tells the queue of every new file.")


def _found_by_backfill(facts: Facts) -> Remedy:
    return Remedy(("backfill", *grace_words(facts)), hint="enters what was uploaded meanwhile")


def _queue(facts: Facts) -> Checked:
    code, title = "queue", "queue"
    if facts.queue.why == "absent":
        sentence = f"The queue {facts.names.queue} is not there, and the events that were in it are gone."
        after = (DEPLOY, _found_by_backfill(facts))
        return Checked(code, title, "fail", sentence, remedies=after, is_down=True)
    if facts.queue.value is None:
        return unread(code, title, facts.queue)
    queue, age_s = facts.queue.value, _last(facts, metrics.QUEUE_AGE)
    counts = f"{counted(queue.visible, 'message')} waiting, {queue.in_flight:,} being worked on"
    limit_s = facts.profile.alarms.oldest_message_age_s
    if age_s is not None and age_s > limit_s and queue.visible:
        sentence = f"The oldest event waits for {lasting(age_s)}, more than the {lasting(limit_s)} that are allowed."
        more = setting("function.reserved_concurrency", 2 * facts.profile.function.reserved_concurrency)
        return Checked(code, title, "fail", sentence, (counts,), (more,))
    return passed(code, title, f"It is there: {counts}.")


def _mapping(facts: Facts) -> Checked:
    code, title = "mapping", "queue to function"
    if facts.mappings.value is None:
        return unread(code, title, facts.mappings)
    ours = [each for each in facts.mappings.value if each.function_arn == facts.live_arn]
    others = [each for each in facts.mappings.value if each not in ours]
    told = tuple(f"{each.mapping_id}: {each.state}, to {each.function_arn}" for each in facts.mappings.value)
    if not ours:
        sentence = "Nothing feeds the function from the queue: events stay in it."
        return Checked(code, title, "fail", sentence, told, (DEPLOY,), True)
    if all(each.state in ("Disabled", "Disabling", "Deleting") for each in ours):
        sentence = f"What feeds the function from the queue is {ours[0].state.lower()}: events stay in the queue."
        return Checked(code, title, "fail", sentence, told, (DEPLOY,), True)
    active = [each for each in others if each.state in ("Enabled", "Enabling", "Creating")]
    if active:
        delete = ("aws", "lambda", "delete-event-source-mapping", "--uuid", active[0].mapping_id)
        remedy = Remedy(other=(*delete, "--region", facts.region), hint="if nobody needs it")
        sentence = "Something else takes events out of the queue, too: those never reach the pipeline."
        return Checked(
            code, title, "fail", sentence, some(f"{e.mapping_id}: to {e.function_arn}" for e in active), (remedy,)
        )
    # The last poll may be long ago: what fails now, the function's own errors tell.
    return passed(
        code, title, "The queue feeds the live version of the function.", *filter(None, [ours[0].last_result])
    )


def _function(facts: Facts) -> Checked:
    code, title = "function", "function"
    if facts.function.why == "absent":
        sentence = f"The function {facts.names.live_function} is not there: no event is taken and no run is started."
        return Checked(code, title, "fail", sentence, remedies=(DEPLOY,), is_down=True)
    if facts.function.value is None:
        return unread(code, title, facts.function)
    function = facts.function.value
    if function.state == "Failed":
        sentence = f"The function's live version failed to become active: {function.state_reason}."
        return Checked(code, title, "fail", sentence, remedies=(DEPLOY,), is_down=True)
    if function.reserved_concurrency == 0:
        sentence = "The function is switched off: 0 concurrent executions are reserved for it."
        return Checked(code, title, "fail", sentence, remedies=(DEPLOY,), is_down=True)
    throttles = _sum(facts, metrics.FUNCTION_THROTTLES)
    if throttles:
        wanted = facts.profile.function.reserved_concurrency
        # What was set by hand is put back first; only what the profile has can be too little.
        is_low = function.reserved_concurrency is not None and function.reserved_concurrency < wanted
        remedy = DEPLOY if is_low else setting("function.reserved_concurrency", 2 * wanted)
        sentence = f"The function was refused {throttles:,.0f} times in the last 15 minutes for want of concurrency."
        told = f"reserved for it: {function.reserved_concurrency}, by the profile: {wanted}"
        return Checked(code, title, "warn", sentence, (told,), (remedy,))
    return passed(code, title, f"Version {function.version} of {moment_text(function.modified_at)} is live.")


def _schedule(facts: Facts) -> Checked:
    return _rule(
        facts,
        facts.sweep_rule,
        "schedule",
        "schedule of the sweep",
        "partial batches wait, dead builders and ended runs are not followed",
    )


def _run_events(facts: Facts) -> Checked:
    return _rule(
        facts, facts.run_state_rule, "run-events", "ends of runs to function", "a run's end is seen a minute later only"
    )


def _rule(facts: Facts, reading: Reading[Rule], code: str, title: str, means: str) -> Checked:
    if reading.why == "absent":
        return Checked(code, title, "fail", f"Its rule is not there: {means}.", remedies=(DEPLOY,))
    if reading.value is None:
        return unread(code, title, reading)
    rule = reading.value
    if not rule.is_enabled:
        return Checked(code, title, "fail", f"The rule {rule.name} is disabled: {means}.", remedies=(DEPLOY,))
    if facts.live_arn not in rule.targets:
        sentence = f"The rule {rule.name} does not invoke the live version of the function: {means}."
        return Checked(code, title, "fail", sentence, some(rule.targets) or ("it has no target",), (DEPLOY,))
    return passed(code, title, f"{rule.schedule or 'The rule'} invokes the function.")


def _sweep(facts: Facts) -> Checked:
    code, title = "sweep", "sweeps come"
    if facts.metrics.value is None:
        return unread(code, title, facts.metrics)
    points = facts.metrics.value.get(metrics.SWEEPS, ())
    last = points[-1][0] if points else None
    if last is not None and (facts.at - last).total_seconds() <= SWEEP_LATE_S:
        return passed(code, title, f"The last one ended in the minute of {last:%H:%M}Z.")
    made_at = facts.function.value.modified_at if facts.function.value else None
    if made_at is not None and (facts.at - made_at).total_seconds() <= SWEEP_LATE_S:
        return passed(code, title, "The function was deployed a moment ago.")
    sentence = f"No sweep has ended for {lasting(SWEEP_LATE_S)}: runs are neither started nor followed, batches wait."
    told = f"the last in this hour: {moment_text(last)}" if last else "none within the last hour"
    return Checked(code, title, "warn", sentence, (told,), (SWEEP,))


def _job(facts: Facts) -> Checked:
    code, title = "job", "Glue job"
    if facts.job.why == "absent":
        sentence = f"The job {facts.names.job} is not there: manifests wait, and nothing becomes Parquet."
        return Checked(code, title, "fail", sentence, remedies=(DEPLOY, SWEEP), is_down=True)
    if facts.job.value is None:
        return unread(code, title, facts.job)
    job = facts.job.value
    size = f"{job.workers} x {job.worker_type}, up to {counted(job.max_concurrent_runs, 'run')} at once"
    return passed(code, title, f"It is there: Glue {job.glue_version}, {size}.")


def _streaming(facts: Facts) -> Checked:
    code, title = "streaming", "job in batch mode"
    if facts.job.value is None:
        return unread(code, title, facts.job)
    if facts.job.value.command == "glueetl":
        return passed(code, title, "It is glueetl: a run ends.")
    remedy = DEPLOY if facts.profile.job.command == "glueetl" else setting("job.command", "glueetl")
    sentence = f"The job is {facts.job.value.command}: a run never ends, is billed for ever and keeps its slot."
    told = "runs that are under way have to be stopped by hand once it is mended"
    return Checked(code, title, "fail", sentence, (told,), (remedy,))


def _dead_letters(facts: Facts) -> Checked:
    code, title = "dead-letters", "dead-letter queue"
    if facts.dead_letters.why == "absent":
        return Checked(code, title, "fail", "The dead-letter queue is not there.", remedies=(DEPLOY,))
    if facts.dead_letters.value is None:
        return unread(code, title, facts.dead_letters)
    queue = facts.dead_letters.value
    if not queue.visible:
        return passed(code, title, "It is empty.")
    sentence = (
        f"{counted(queue.visible, 'message')} could not be handled: the files they announce are not in the ledger."
    )
    return Checked(code, title, "fail", sentence, (), (REDRIVE_DLQ,))


def _last(facts: Facts, name: str) -> float | None:
    """The newest value of a metric; None where there is none."""
    points = (facts.metrics.value or {}).get(name, ())
    return points[-1][1] if points else None


def _sum(facts: Facts, name: str, back_s: float = 900.0) -> float:
    points = (facts.metrics.value or {}).get(name, ())
    return sum(value for when, value in points if (facts.at - when).total_seconds() <= back_s)
