"""What fails at this moment, by its cause. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from ndjctl.health import catalogue as known
from ndjctl.health.cause import Cause
from ndjctl.health.causes import normalised
from ndjctl.health.facts import Facts, Points, Run
from ndjctl.health.metrics import FUNCTION_DURATION, FUNCTION_ERRORS, INVOCATIONS, SWEEPS
from ndjctl.health.model import Checked, Remedy
from ndjctl.health.remedies import (
    AS_DEPLOYED,
    QUEUE,
    REDRIVE_DLQ_LATER,
    REDRIVE_FAILED,
    SWEEP,
    Remedies,
    longer_function,
    longer_runs,
    remedies_of,
)
from ndjctl.health.troubles import Trouble, Where, troubles_of
from ndjctl.health.words import counted, lasting, passed, some, unread

ALWAYS = (known.OUT_OF_MEMORY, known.RUN_TIMED_OUT, known.FUNCTION_TIMED_OUT, known.ACCESS_DENIED)
"""Causes that have a line of their own also when nothing fails of them."""

_OF_THE_FILE = frozenset(
    cause.code for cause in (known.INPUT_GONE, known.INPUT_CHANGED, known.ARCHIVED, known.DAMAGED, known.BAD_LINES)
)
"""Causes that lie in a file, and not in the pipeline: a warning."""
_OF_OTHERS = frozenset({known.MESSAGE.code})
"""Causes that lie with whoever writes into the queue: a warning too."""

_RECENT_S = 900.0
_NEAR_SHARE = 0.8
"""Of its time limit, from which on a run or an invocation is near it."""

_PLACES: dict[Where, str] = {"file": "failed file", "manifest": "waiting manifest", "run": "failed run"}


def failure_checks(facts: Facts) -> Iterator[Checked]:
    """One of each of ALWAYS, one of every other cause that anything fails of, and one of what is of no known cause."""
    troubles = troubles_of(facts)
    by_cause: dict[str, list[Trouble]] = {cause.code: [] for cause in ALWAYS}
    for trouble in troubles:
        by_cause.setdefault(trouble.cause.code, []).append(trouble)
    unknown = by_cause.pop(known.UNKNOWN.code, [])
    for several in by_cause.values():
        if several:
            yield _failing(facts, several[0].cause, several)
    for cause in ALWAYS:
        if not by_cause[cause.code]:
            yield _none(facts, cause)
    yield from _of_no_known_cause(facts, unknown)


def _failing(facts: Facts, cause: Cause, troubles: Sequence[Trouble]) -> Checked:
    is_mild = cause.code in _OF_OTHERS or (
        cause.code in _OF_THE_FILE and all(trouble.where == "file" for trouble in troubles)
    )
    remedies = _remedies(facts, cause, troubles)
    sentence = f"{_counted(troubles)}: {cause.title}. {cause.meaning}"
    shown = sorted(troubles, key=lambda trouble: (trouble.where == "manifest", trouble.subject))
    evidence = some([trouble.told for trouble in shown])
    return Checked(cause.code, f"failures: {cause.title}", "warn" if is_mild else "fail", sentence, evidence, remedies)


def _remedies(facts: Facts, cause: Cause, troubles: Sequence[Trouble]) -> Remedies:
    """Those of every place that tells of it, each once. A manifest that is still open is tried again by a sweep, and
    files that did not fail need not be redriven."""
    found: list[Remedy] = []
    for of_function in (False, True):
        if any((trouble.where == "function") == of_function for trouble in troubles):
            found += remedies_of(cause, facts.profile, of_function=of_function)
    places = {trouble.where for trouble in troubles}
    if "file" not in places:
        found = [remedy for remedy in found if remedy != REDRIVE_FAILED]
    if places & {"manifest", "run"}:
        found.append(SWEEP)
    return tuple(dict.fromkeys(found))


def _counted(troubles: Sequence[Trouble]) -> str:
    counts = Counter(trouble.where for trouble in troubles)
    parts = [counted(counts[where], noun) for where, noun in _PLACES.items() if counts[where]]
    if counts["function"]:
        parts.append(f"{counted(counts['function'], 'error')} of the function")
    return " and ".join(parts)


def _none(facts: Facts, cause: Cause) -> Checked:
    code, title = cause.code, f"failures: {cause.title}"
    readings = (facts.errors,) if cause is known.FUNCTION_TIMED_OUT else (facts.failed, facts.open_manifests)
    if not all(reading.was_read for reading in readings):
        return unread(code, title, *readings)
    if cause is known.RUN_TIMED_OUT:
        return _runs_near(facts, code, title)
    if cause is known.FUNCTION_TIMED_OUT:
        return _function_near(facts, code, title)
    return passed(code, title, "Nothing fails of it at this moment.")


def _runs_near(facts: Facts, code: str, title: str) -> Checked:
    """Warns before it happens."""
    near = [run for run in facts.runs.value.runs if _is_near(run, facts)] if facts.runs.value else []
    if not near:
        return passed(code, title, "No run is near its time limit.")
    sentence = f"{counted(len(near), 'run')} went on for more than {_NEAR_SHARE:.0%} of the time limit."
    evidence = some(f"{run.run.run_id}: {lasting(_age_s(run, facts))} of {run.timeout_min} min" for run in near)
    return Checked(code, title, "warn", sentence, evidence, (longer_runs(facts.profile),))


def _is_near(run: Run, facts: Facts) -> bool:
    """Whether it is under way, or went well, and took nearly as long as it may."""
    is_counted = not run.run.has_failed and run.timeout_min > 0 and run.run.state in ("RUNNING", "SUCCEEDED")
    is_of_today = run.run.started_at is not None and (facts.at - run.run.started_at).total_seconds() < 86_400
    return is_counted and is_of_today and _age_s(run, facts) > _NEAR_SHARE * run.timeout_min * 60


def _age_s(run: Run, facts: Facts) -> float:
    if run.run.execution_s or run.run.started_at is None or run.run.has_ended:
        return float(run.run.execution_s)
    return (facts.at - run.run.started_at).total_seconds()


def _function_near(facts: Facts, code: str, title: str) -> Checked:
    points = (facts.metrics.value or {}).get(FUNCTION_DURATION, ())
    limit_s = facts.function.value.timeout_s if facts.function.value else facts.profile.function.timeout_s
    longest_s = max((value / 1000 for _, value in points), default=0.0)
    if longest_s > _NEAR_SHARE * limit_s:
        sentence = f"The longest invocation of the last hour took {longest_s:.0f} s of {limit_s} s."
        return Checked(code, title, "warn", sentence, (), (longer_function(facts.profile),))
    return passed(code, title, "No invocation is near its time limit.")


def _of_no_known_cause(facts: Facts, troubles: Sequence[Trouble]) -> Iterator[Checked]:
    function = [trouble for trouble in troubles if trouble.where == "function"]
    rest = [trouble for trouble in troubles if trouble.where != "function"]
    yield _raising(facts, function)
    code, title = "other-failures", "failures of other causes"
    if not rest:
        if facts.failed.was_read and facts.open_manifests.was_read:
            yield passed(code, title, "No file and no manifest fails of a cause that is not known.")
        else:
            yield unread(code, title, facts.failed, facts.open_manifests)
        return
    groups = Counter(normalised(trouble.text) for trouble in rest)
    evidence = some(f"{count:,} x {text}" for text, count in groups.most_common())
    sentence = f"{_counted(rest)}, of a cause that is not known here."
    remedies = [REDRIVE_FAILED] if any(trouble.where == "file" for trouble in rest) else []
    remedies += [SWEEP] if any(trouble.where != "file" for trouble in rest) else []
    yield Checked(code, title, "fail", sentence, evidence, (Remedy(("errors",), hint="shows each group"), *remedies))


def _raising(facts: Facts, troubles: Sequence[Trouble]) -> Checked:
    """The function ends in errors; by its log, or where that says nothing, by CloudWatch's count."""
    code, title = "function-errors", "function raising"
    points = facts.metrics.value or {}
    recent = {name: _since(facts, points.get(name, ())) for name in (FUNCTION_ERRORS, INVOCATIONS, SWEEPS)}
    failed = sum(value for _, value in recent[FUNCTION_ERRORS])
    last_error = max((when for when, value in recent[FUNCTION_ERRORS] if value), default=None)
    last_sweep = max((when for when, value in recent[SWEEPS] if value), default=None)
    is_over = last_error is None or (last_sweep is not None and last_sweep >= last_error)
    share = f"{failed:,.0f} of {sum(value for _, value in recent[INVOCATIONS]):,.0f} invocations ended in an error"
    remedies: Remedies = (AS_DEPLOYED, SWEEP)
    is_down = last_sweep is None
    if troubles:
        groups = Counter(normalised(trouble.text) for trouble in troubles)
        sentence = f"The function fails, and has not been seen to work since: {counted(len(troubles), 'error')}."
        if all(trouble.is_of_messages for trouble in troubles):
            sentence = (
                f"The function fails at messages, and has taken none well since: {counted(len(troubles), 'error')}. "
                f"Those messages come back until the queue gives them up, and end in the dead-letter queue."
            )
            remedies = (AS_DEPLOYED, QUEUE, REDRIVE_DLQ_LATER)
        evidence = some(f"{count:,} x {text}" for text, count in groups.most_common())
        return Checked(code, title, "fail", sentence, evidence, remedies, is_down=facts.metrics.was_read and is_down)
    if not facts.errors.was_read and not facts.metrics.was_read:
        return unread(code, title, facts.errors, facts.metrics)
    if failed and not is_over:
        sentence = f"The function fails: {share} in the last 15 minutes, and no sweep has ended since."
        return Checked(code, title, "fail", sentence, (), remedies, is_down=True)
    told = f"{share} in the last 15 minutes" if failed else "no invocation ended in an error"
    return passed(code, title, f"It works: {told}.")


def _since(facts: Facts, points: Points) -> list[tuple[datetime, float]]:
    """Those of the last 15 minutes, and of the version that is live."""
    made_at = facts.function.value.modified_at if facts.function.value else None
    first = facts.at - timedelta(seconds=_RECENT_S)
    if made_at is not None:
        # A period begins with its minute, in which the version before may have failed.
        first = max(first, made_at)
    return [(when, value) for when, value in points if when >= first]
