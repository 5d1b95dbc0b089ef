"""What of the environment is down on the rest of a file's way, by the checks of its health. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ndjctl.contracts import MANIFESTED, PENDING, PROCESSING
from ndjctl.explain.facts import FileFacts
from ndjctl.explain.model import Verdict
from ndjctl.explain.obstacles import Obstacle
from ndjctl.health.checks_failures import failure_checks
from ndjctl.health.checks_wiring import wiring_checks
from ndjctl.health.model import Checked, Remedy
from ndjctl.health.remedies import SWEEP

_STAGES = {"queue": "event", "mapping": "queue", "function": "function", "function-errors": "function", "job": "run"}
"""The checks that lie on the way, and the stage at which an obstacle tells the same."""
_OF_EVENTS = ("queue", "mapping")
_WAIT = ": wait for it."


def with_down(facts: FileFacts, obstacles: list[Obstacle], verdict: Verdict) -> Verdict:
    """The verdict on a file that is not at rest, and what is down between it and its Parquet and is not named there
    yet."""
    if not _has_way_left(facts, verdict):
        return verdict
    down = [each for each in _on_the_way(facts) if not _is_told(each, obstacles, verdict)]
    if not down:
        return verdict
    sentences = " ".join(each.sentence for each in down)
    first = verdict.sentence if not verdict.sentence.endswith(_WAIT) else f"{verdict.sentence.removesuffix(_WAIT)}."
    return replace(
        verdict,
        code=verdict.code if verdict.is_wrong else "will-not-go-on",
        sentence=f"{first} It does not get to Parquet by itself: {sentences}",
        is_wrong=True,
        is_waiting=False,
        wait_until=None,
        remedies=_merged([remedy for each in down for remedy in each.remedies], verdict.remedies),
    )


def _has_way_left(facts: FileFacts, verdict: Verdict) -> bool:
    if facts.item is not None:
        return facts.status in (PENDING, MANIFESTED, PROCESSING)
    is_on_its_way = facts.items.was_read and facts.is_file and facts.object.value is not None
    return is_on_its_way and (verdict.is_wrong or verdict.is_waiting)


def _on_the_way(facts: FileFacts) -> Iterator[Checked]:
    for each in (*wiring_checks(facts.env), *failure_checks(facts.env)):
        if each.verdict != "fail" or not each.is_down or each.code not in _STAGES:
            continue
        # A file that is in the ledger has no event before it.
        if facts.item is None or each.code not in _OF_EVENTS:
            yield each


def _is_told(checked: Checked, obstacles: list[Obstacle], verdict: Verdict) -> bool:
    if checked.code == "function-errors" and verdict.is_wrong:
        return True  # what is wrong with this file is known better
    stage = _STAGES[checked.code]
    return any(each.sentence in verdict.sentence for each in obstacles if each.stage == stage)


def _merged(first: list[Remedy], then: tuple[Remedy, ...]) -> tuple[Remedy, ...]:
    """Each once; a sweep is of use after everything else."""
    found: dict[tuple[object, ...], Remedy] = {}
    for each in (*first, *then):
        found.setdefault((each.words, each.other) if each.words or each.other else (each.hint,), each)
    sweeps = [each for each in found.values() if each.words == SWEEP.words]
    return (*(each for each in found.values() if each not in sweeps), *sweeps)
