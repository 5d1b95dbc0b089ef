"""Generated files straight into the input bucket, and their record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ndjctl.contracts import s3_uri
from ndjctl.feeding.feed import Progress, feed
from ndjctl.feeding.journal import Journal
from ndjctl.feeding.objects import PlanObjects
from ndjctl.feeding.pace import Pace
from ndjctl.feeding.plan import FeedLimits, FeedPlan, plan_feed
from ndjctl.generate.content import Generator
from ndjctl.generate.folder import record_of, replace_file
from ndjctl.generate.mix import derived
from ndjctl.generate.record import RECORD_FILE, Generated

JOURNAL_FILE = "journal.ndjson"


def plan_generated(
    generator: Generator, bucket: str, keys: Sequence[str], uniques: int, limits: FeedLimits | None = None
) -> FeedPlan:
    """uniques: how many of the files are uploaded; the others are copies of them. Their sizes are those that the recipe
    says, exact within a record."""
    # Which content a key has depends on these, and not on how many files there are: more of them may follow.
    marker = f"{generator.recipe.digest}-{derived(keys[0], uniques if uniques < len(keys) else 'all'):016x}"
    return plan_feed(bucket, marker, keys, [generator.expected_bytes()] * uniques, limits)


@dataclass(frozen=True)
class Uploaded:
    """record: where it lies, on this machine. kept: objects that were there before."""

    generated: Generated
    record: Path
    kept: int


def upload_generated(
    generator: Generator,
    plan: FeedPlan,
    s3: Any,
    folder: Path,
    pace: Pace,
    progress: Progress,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Uploaded:
    """folder: of this machine, for the journal and the record of all plans; each has one of its own there. Raises as
    ndjctl.feeding.feed.feed()."""
    place = folder / plan.marker
    uniques = max(1, plan.uploads)
    keys = [file.key for file in plan.files]
    with Journal(place / JOURNAL_FILE, plan.marker) as journal:
        kept = len(PlanObjects(s3, plan, lambda: False).found(frozenset(keys)))
        facts = feed(plan, s3, generator.content, journal, pace, clock=clock, sleep=sleep, progress=progress)
    generated = record_of(generator.recipe.to_dict(), s3_uri(plan.bucket, ""), keys, facts, uniques)
    replace_file(place / RECORD_FILE, generated.to_json())
    return Uploaded(generated, place / RECORD_FILE, kept)
