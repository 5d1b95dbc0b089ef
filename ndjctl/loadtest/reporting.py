"""A test's report: one JSON document, made of what its stages left. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ndjctl.loadtest.journal import CLEANED, FOLLOWED, PLANNED, PROVEN, Journal
from ndjctl.loadtest.results import REPORT_FORMAT, REPORT_VERSION
from ndjctl.loadtest.verdict import Check, Facts, Proof, judge, reasons_of, verdict_of

NOT_COUNTED = "Lambda, SQS, DynamoDB, logs and storage while the test lasts are not counted"


def facts_of(journal: Journal) -> Facts:
    """What is judged. The stages up to the proof have to be done."""
    planned, followed, proven = journal.of(PLANNED), journal.of(FOLLOWED), journal.of(PROVEN)
    found = proven["measured"]
    return Facts(
        files=journal.settings.files,
        counts=_counts(journal),
        not_converted=proven.get("not_converted", 0),
        proof=proof_of(proven["proof"]),
        latencies=found["latency_s"],
        seconds=found["seconds"],
        mb_per_s=found["mb_per_s"],
        dpu_hours=found["dpu_hours"],
        usd=total_usd(found["glue_usd"], planned["feed"]["cost_usd"]),
        estimated_usd=total_usd(planned["expected"]["glue_usd"], planned["feed"]["cost_usd"]),
        new_dead_letters=proven["dead_letters"] - planned["dead_letters"],
        own_dead_letters=proven.get("own_dead_letters"),
        runs_failed=found["runs"]["failed"],
        first_error=found["first_error"],
        first_unseen=followed.get("first_unseen", ""),
        stopped=proven.get("stopped", followed["stopped"]),
    )


def _counts(journal: Journal) -> Mapping[str, int]:
    """Of the moment of the proof; journals of older versions have those of the last look before it."""
    found: Mapping[str, int] = journal.of(PROVEN).get("counts", journal.of(FOLLOWED)["counts"])
    return found


def proof_of(document: Mapping[str, Any]) -> Proof:
    return Proof(**{**document, "examples": tuple(document["examples"]), "unreadable": tuple(document["unreadable"])})


def total_usd(glue_usd: float | None, requests_usd: float) -> float | None:
    return None if glue_usd is None else glue_usd + requests_usd


def judged(journal: Journal) -> list[Check]:
    return judge(facts_of(journal), journal.settings.thresholds)


def spent_usd(journal: Journal) -> float | None:
    """What the test has cost, as its report tells it, else as it was when it was stopped; None before that, and where
    the region's price is not known."""
    if journal.has(PROVEN):
        return facts_of(journal).usd
    found: float | None = journal.of(FOLLOWED).get("spent_usd") if journal.has(FOLLOWED) else None
    return found


def report_of(journal: Journal, checks: Sequence[Check], version: str) -> dict[str, Any]:
    """version: of the tool."""
    planned, followed, proven = journal.of(PLANNED), journal.of(FOLLOWED), journal.of(PROVEN)
    found, facts = proven["measured"], facts_of(journal)
    cleaned = journal.of(CLEANED) if journal.has(CLEANED) else None
    return {
        "format": REPORT_FORMAT,
        "version": REPORT_VERSION,
        "id": journal.test_id,
        "env": journal.env,
        "tool_version": version,
        "verdict": verdict_of(checks),
        "reasons": reasons_of(checks),
        "checks": [{"name": check.name, "ok": check.ok, "sentence": check.sentence} for check in checks],
        "phase": journal.settings.phase,
        "settings": journal.settings.to_dict(),
        "configuration": planned["configuration"],
        "begun_at": journal.noted("begun_at"),
        "ended_at": proven["ended_at"],
        "seconds": found["seconds"],
        "stage_seconds": journal.noted("stage_seconds", {}),
        "counts": _counts(journal),
        "lines": proven["proof"],
        "latency_s": found["latency_s"],
        "mb_per_s": found["mb_per_s"],
        "files_per_hour": found["files_per_hour"],
        "manifests": found["manifests"],
        "most_runs_at_once": found["most_runs_at_once"],
        "runs": found["runs"],
        "dpu_hours": found["dpu_hours"],
        "dead_letters": max(facts.new_dead_letters, 0),
        "own_dead_letters": facts.own_dead_letters,
        "lost_events": followed["lost_events"],
        "faults": followed.get("faults", []),
        "cost": {
            "glue_usd": found["glue_usd"],
            "requests_usd": planned["feed"]["cost_usd"],
            "total_usd": facts.usd,
            "estimated_usd": facts.estimated_usd,
            "not_counted": NOT_COUNTED,
        },
        "expected": planned["expected"],
        "feed": planned["feed"],
        "remarks": [*planned["remarks"], *_remarks(found["manifests"], planned["expected"]["manifests"])],
        "cleanup": cleaned,
        "series": found["series"],
    }


def _remarks(manifests: int, expected: int) -> list[str]:
    if manifests <= 2 * expected:
        return []
    told = f"{expected:,} {'was' if expected == 1 else 'were'} expected"
    return [
        f"{manifests:,} manifests were made where {told}: files waited longer than batching.max_partial_age_s before "
        f"the others came"
    ]
