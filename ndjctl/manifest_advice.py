"""What is wrong with a manifest, and what mends it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ndjctl.contracts import AT_REST, CLAIMING, COMPLETED, FAILED, MANIFESTED, PROCESSING, READY, RUNNING, STARTED
from ndjctl.manifest_details import ManifestDetails
from ndjctl.plain import counted, counted_are

BUILDING_S = 60.0
"""A builder that has not touched its manifest for so long is taken for dead; a sweep is harmless if it is not."""


@dataclass(frozen=True)
class Advice:
    """why: one sentence. words: the command that mends it, without the program's name."""

    why: str
    words: tuple[str, ...]


def advise(details: ManifestDetails, now: datetime) -> list[Advice]:
    """Nothing when there is nothing to do but to wait."""
    summary = details.summary
    if summary.is_open:
        why = _why_sweep(details, now)
        return [Advice(why, ("sweep",))] if why else []
    own = [
        entry.record for entry in details.entries if entry.record and entry.record.manifest_id == summary.manifest_id
    ]
    found = []
    stuck = sum(record.status in (MANIFESTED, PROCESSING) for record in own)
    if stuck:
        found.append(
            Advice(
                f"{counted_are(stuck, 'file')} not at rest, and no run will take {'it' if stuck == 1 else 'them'}.",
                ("redrive", "stuck", "--date", summary.date),
            )
        )
    failed = sum(record.status == FAILED for record in own)
    if failed:
        found.append(Advice(f"{failed:,} of its files failed.", ("redrive", "failed", "--date", summary.date)))
    newer = sum(record.status == COMPLETED and bool(record.superseded_by) for record in own)
    if newer:
        found.append(
            Advice(
                f"{counted_are(newer, 'file')} converted in a version that was overwritten since.",
                ("reprocess", "--superseded", "--date", summary.date),
            )
        )
    return found


def _why_sweep(details: ManifestDetails, now: datetime) -> str:
    """Empty when the manifest is on its way."""
    summary = details.summary
    if details.fault:
        return f"Its object is {details.fault}: a sweep writes it again from the ledger when a run of it has ended."
    if summary.given_up_at is not None:
        return "It is given up, and what its runs wrote is not all deleted: a sweep goes on with that."
    if summary.state == CLAIMING:
        touched = summary.updated_at or summary.created_at
        is_left = touched is None or now - touched > timedelta(seconds=BUILDING_S)
        return "Its builder left it unfinished: a sweep carries it on." if is_left else ""
    if summary.state == READY:
        if summary.error:
            return "Its run failed or was refused: a sweep starts it again when there is room."
        return "It waits for a run: a sweep starts it, the oldest first, when there is room."
    if summary.state in (STARTED, RUNNING):
        if not details.runs:
            return "Glue does not know its run: a sweep starts another."
        last = details.runs[-1]
        retry_until = last.retry_until()
        if last.has_ended and (retry_until is None or now > retry_until):
            unfinished = sum(entry.record is None or entry.record.status not in AT_REST for entry in details.entries)
            return f"Its run ended {last.state} with {counted(unfinished, 'file')} not at rest: a sweep follows it up."
    return ""
