"""From what was observed of a file to what is told of it. Pure."""

from __future__ import annotations

from ndjctl.explain.down import with_down
from ndjctl.explain.facts import FileFacts
from ndjctl.explain.known import judge_known
from ndjctl.explain.model import Explained, Verdict
from ndjctl.explain.obstacles import Obstacle, obstacles_of
from ndjctl.explain.stages import stages_of
from ndjctl.explain.timeline import timeline_of
from ndjctl.explain.unknown import judge_unknown

_OF_FILE = (
    "object",
    "versions",
    "items",
    "log",
    "letter",
    "manifest",
    "runs",
    "report",
    "forgotten",
    "parts",
    "released",
)
_OF_ENVIRONMENT = ("wirings", "queue", "dead_letters", "mappings", "function", "sweep_rule", "job", "locks", "errors")
_WORDS = {
    "object": "its object",
    "versions": "its versions",
    "items": "the ledger",
    "log": "the function's log",
    "letter": "the dead-letter queue",
    "manifest": "its manifest",
    "runs": "its runs",
    "report": "the run's report",
    "forgotten": "run reports",
    "parts": "its parts",
    "released": "what was released of its lines",
    "wirings": "the bucket's notification",
    "queue": "the queue",
    "dead_letters": "the dead-letter queue",
    "mappings": "what feeds the function",
    "function": "the function",
    "sweep_rule": "the sweep's schedule",
    "job": "the job",
    "locks": "the locks",
    "errors": "the function's errors",
}


def explain(facts: FileFacts) -> Explained:
    obstacles = obstacles_of(facts)
    verdict = _judge(facts, obstacles)
    return Explained(
        key=facts.key,
        uri=facts.uri,
        at=facts.at,
        stages=stages_of(facts, obstacles, verdict),
        timeline=timeline_of(facts),
        verdict=verdict,
        remarks=tuple(_remarks(facts)),
    )


def _judge(facts: FileFacts, obstacles: list[Obstacle]) -> Verdict:
    verdict = judge_unknown(facts, obstacles) if facts.item is None else judge_known(facts, obstacles)
    return with_down(facts, obstacles, verdict)


def _remarks(facts: FileFacts) -> list[str]:
    """What was refused, and the bounds that were met. What is not there is told of at its stage."""
    refused = [(name, getattr(facts, name)) for name in _OF_FILE]
    refused += [(name, getattr(facts.env, name)) for name in _OF_ENVIRONMENT]
    told = [f"not read: {_WORDS[name]}: {each.sentence}" for name, each in refused if each.why not in (None, "absent")]
    log, letter = facts.log.value, facts.letter.value
    if log is not None and not log.is_whole:
        told.append("The function's log has more lines of that time than were read.")
    if letter is not None and not letter.is_found and not letter.is_whole:
        told.append(f"Of the dead-letter queue {letter.seen:,} messages were looked at, and there are more.")
    return told
