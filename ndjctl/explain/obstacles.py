"""What is wrong with the environment at the moment and keeps this file, like any other, from going on. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ndjctl.explain.facts import FileFacts
from ndjctl.health.catalogue import UNKNOWN
from ndjctl.health.causes import cause_of
from ndjctl.health.log_lines import NOT_UNDERSTOOD, event_of, told_by
from ndjctl.health.model import Remedy
from ndjctl.health.policies import queue_lets_in
from ndjctl.health.remedies import AS_DEPLOYED, DEPLOY, SWEEP, logs_since, remedies_of
from ndjctl.health.troubles import errors_of_function
from ndjctl.reading import Reading

_LINES_OF_AN_ERROR = 50


@dataclass(frozen=True)
class Obstacle:
    """stage: where it stands. stops_sweeps: whether no sweep comes at all. cause: code of a known cause, empty without
    one."""

    stage: str
    sentence: str
    remedies: tuple[Remedy, ...]
    stops_sweeps: bool = False
    cause: str = ""


def obstacles_of(facts: FileFacts) -> list[Obstacle]:
    """In the order of the pipeline. What could not be looked at is no obstacle."""
    found = (
        _events(facts),
        _queue(facts),
        _mapping(facts),
        _function(facts),
        _errors(facts),
        _sweep(facts),
        _job(facts),
    )
    return [obstacle for each in found for obstacle in each]


def first_of(obstacles: list[Obstacle], *stages: str) -> Obstacle | None:
    return next((each for each in obstacles if each.stage in stages), None)


def _is_absent(reading: Reading[Any]) -> bool:
    return reading.why == "absent"


def _events(facts: FileFacts) -> Iterator[Obstacle]:
    wirings = facts.env.wirings.value
    if wirings is None:
        return
    ours = [each for each in wirings if each.queue_arn.rsplit(":", 1)[-1] == facts.env.names.queue]
    sentence = ""
    if not ours:
        sentence = f"the bucket has no notification to the queue {facts.env.names.queue}"
    elif facts.is_file and not any(_covers(each.events, each.prefix, each.suffix, facts.key) for each in ours):
        sentence = "the bucket's notification to the queue does not cover this key"
    if sentence:
        yield Obstacle("event", f"{sentence}: no event of this object is sent", (DEPLOY,))


def _covers(events: tuple[str, ...], prefix: str, suffix: str, key: str) -> bool:
    is_created = any(event in ("s3:ObjectCreated:*", "s3:ObjectCreated:Put") for event in events)
    return is_created and key.startswith(prefix) and key.endswith(suffix)


def _queue(facts: FileFacts) -> Iterator[Obstacle]:
    reading, names = facts.env.queue, facts.env.names
    if _is_absent(reading):
        yield Obstacle("event", f"the queue {names.queue} is not there: events go nowhere", (DEPLOY,))
    elif reading.value is not None and not queue_lets_in(reading.value.attributes, facts.bucket):
        yield Obstacle("event", "the queue's policy does not let the bucket send events to it", (DEPLOY,))


def _mapping(facts: FileFacts) -> Iterator[Obstacle]:
    mappings, live = facts.env.mappings.value, facts.env.live_arn
    if mappings is None:
        return
    ours = [each for each in mappings if each.function_arn == live]
    if not ours:
        yield Obstacle("queue", "nothing feeds the function from the queue: events wait there", (DEPLOY,))
    elif not any(each.state in ("Enabled", "Creating", "Enabling", "Updating") for each in ours):
        sentence = f"what feeds the function from the queue is {ours[0].state}: events wait there"
        yield Obstacle("queue", sentence, (DEPLOY,))
    thief = next((each for each in mappings if each not in ours and each.state == "Enabled"), None)
    if thief is not None:
        delete = ("aws", "lambda", "delete-event-source-mapping", "--uuid", thief.mapping_id)
        remedy = Remedy(other=(*delete, "--region", facts.env.region), hint="if nobody needs it")
        sentence = f"{thief.function_arn} takes events out of the queue, too: those never reach the pipeline"
        yield Obstacle("event", sentence, (remedy,))


def _function(facts: FileFacts) -> Iterator[Obstacle]:
    reading, names = facts.env.function, facts.env.names
    if _is_absent(reading):
        yield Obstacle(
            "function",
            f"the function {names.function}, or what is live of it, is not there",
            (DEPLOY,),
            stops_sweeps=True,
        )
        return
    function = reading.value
    if function is None:
        return
    if function.reserved_concurrency == 0:
        yield Obstacle(
            "function", "the function may not run at all: its reserved concurrency is 0", (DEPLOY,), stops_sweeps=True
        )
    if function.state == "Failed":
        yield Obstacle(
            "function",
            f"the function has failed: {function.state_reason or 'no reason given'}",
            (DEPLOY,),
            stops_sweeps=True,
        )


def _errors(facts: FileFacts) -> Iterator[Obstacle]:
    """The newest error of the function that was not made good since, if possible one whose cause is known: a traceback
    comes in many lines, of which most tell nothing."""
    # What is no S3 event is in no file's way.
    lines = [line for line in errors_of_function(facts.env) if event_of(line.message) not in NOT_UNDERSTOOD]
    if not lines:
        return
    newest = lines[::-1][:_LINES_OF_AN_ERROR]
    ours = next((line for line in newest if event_of(line.message)), newest[0])
    last = next((line for line in newest if cause_of(line.message) is not UNKNOWN), ours)
    told = told_by(last.message)
    cause = cause_of(last.message)
    remedies = remedies_of(cause, facts.env.profile, of_function=True) or (AS_DEPLOYED, logs_since(last.at, facts.at))
    code = "" if cause is UNKNOWN else cause.code
    title = f" ({cause.title})" if code else ""
    yield Obstacle("function", f"the function fails{title}, last at {last.at:%H:%M:%S}Z: {told}", remedies, cause=code)


def _sweep(facts: FileFacts) -> Iterator[Obstacle]:
    reading = facts.env.sweep_rule
    rule = reading.value
    if _is_absent(reading) or (rule is not None and not (rule.is_enabled and facts.env.live_arn in rule.targets)):
        is_off = rule is not None and not rule.is_enabled
        state = "not there" if rule is None else "disabled" if is_off else "not for the live version of the function"
        sentence = f"the sweep's schedule is {state}: partial batches and runs that ended wait"
        yield Obstacle("manifest", sentence, (DEPLOY, SWEEP), stops_sweeps=True)


def _job(facts: FileFacts) -> Iterator[Obstacle]:
    reading, names = facts.env.job, facts.env.names
    if _is_absent(reading):
        yield Obstacle("run", f"the Glue job {names.job} is not there: no run can start", (DEPLOY, SWEEP))
    elif reading.value is not None and reading.value.command != "glueetl":
        sentence = f"the Glue job's command is {reading.value.command}: its runs never end"
        yield Obstacle("run", sentence, (DEPLOY,))
    elif reading.value is not None:
        most, wanted = reading.value.max_concurrent_runs, facts.env.profile.job.max_concurrent_runs
        runs = facts.env.runs.value
        under_way = sum(not each.run.has_ended for each in runs.runs) if runs is not None else 0
        if most < wanted and under_way >= most:
            sentence = (
                f"the Glue job may have {most:,} runs at once, the profile says {wanted:,}, and they are under way"
            )
            yield Obstacle("run", sentence, (DEPLOY, SWEEP))
