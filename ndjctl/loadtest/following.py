"""Follows a test's files through the ledger until all are at rest, or until there is no use in waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ndjctl.contracts import COMPLETED, FAILED, PENDING
from ndjctl.errors import CloudError
from ndjctl.loadtest.observing import SeenFile, counted, manifests_in_work

LEAST_PAUSE_S = 1.0
MOST_PAUSE_S = 15.0
READ_SHARE = 10
"""The pause is so many times what the last look took: looking is a tenth of the table's work at most."""

FLUSH_EVERY_S = 5.0
EVENT_LIMIT_S = 90.0
"""How long an event may take once all files are up and nothing moves: then it is lost."""


@dataclass(frozen=True)
class Sample:
    """at_s: seconds since feeding began. counts: files by status; `unseen` were fed and are not in the ledger. fed: so
    far. in_work: manifests that a run is converting. completed_bytes: of the files that are Parquet."""

    at_s: float
    fed: int
    counts: Counter[str]
    in_work: int
    completed_bytes: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "at_s": round(self.at_s, 3),
            "fed": self.fed,
            "counts": dict(self.counts),
            "in_work": self.in_work,
            "completed_bytes": self.completed_bytes,
        }


@dataclass(frozen=True)
class Limits:
    """files: that the test has. deadline_s: from the end of feeding. event_limit_s: see EVENT_LIMIT_S."""

    files: int
    max_failed_share: float
    deadline_s: float
    event_limit_s: float = EVENT_LIMIT_S


@dataclass(frozen=True)
class Eyes:
    """What following looks with and at. look(): the files as they are. fed(): how many are up. is_fed(): whether that
    is all. raise_failure(): raises what feeding failed with, if it did. flush(): asks the pipeline to take partial
    batches. enter_unseen(): enters objects whose events were lost, and says of how many; None where that is not the
    test's business. why_stop(): one clause when the budget is passed. tell: of each sample. begun_at: when feeding
    began. now: UTC. sleep: seconds."""

    look: Callable[[], Sequence[SeenFile]]
    fed: Callable[[], int]
    is_fed: Callable[[], bool]
    raise_failure: Callable[[], None]
    flush: Callable[[], None]
    tell: Callable[[Sample], None]
    begun_at: datetime
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    enter_unseen: Callable[[], int] | None = None
    why_stop: Callable[[Sequence[SeenFile]], str] = lambda _files: ""


@dataclass(frozen=True)
class Followed:
    """The last look. stopped: why there was no use in waiting on; empty where all files are at rest, or the events of
    those that are not were lost. lost_events: objects that the test entered itself."""

    files: tuple[SeenFile, ...]
    counts: Counter[str]
    stopped: str = ""
    lost_events: int = 0
    over_budget: bool = False


def follow(eyes: Eyes, limits: Limits) -> Followed:
    """Raises what looking and feeding raise. What the flush fails with is tried again with the next one."""
    moved_at = fed_at = flushed_at = None
    before: Counter[str] = Counter()
    lost_events = 0
    while True:
        eyes.raise_failure()
        is_fed, fed = eyes.is_fed(), eyes.fed()  # before the look: what is fed later is not missing in it
        looked_at = eyes.now()
        files = eyes.look()
        now = eyes.now()
        counts = counted(files, fed)
        done_bytes = sum(file.size_bytes for file in files if file.status == COMPLETED)
        at_s = (now - eyes.begun_at).total_seconds()
        eyes.tell(Sample(at_s, fed, counts, manifests_in_work(files), done_bytes))
        if counts != before or moved_at is None:
            before, moved_at = counts, now
        if is_fed and fed_at is None:
            fed_at = now
        if counts[FAILED] > limits.max_failed_share * limits.files:
            why = f"{counts[FAILED]:,} of {limits.files:,} files failed, above {limits.max_failed_share:.1%}"
            return Followed(tuple(files), counts, why, lost_events)
        at_rest = sum(file.is_at_rest for file in files)
        if at_rest < limits.files and (why := eyes.why_stop(files)):
            return Followed(tuple(files), counts, why, lost_events, over_budget=True)
        if fed_at is not None:
            still_s = (now - moved_at).total_seconds()
            is_still = at_rest == len(files) and still_s > limits.event_limit_s
            # Not before the sweep had its turn: a look that takes minutes is no sign of a lost event.
            is_lost = counts["unseen"] > 0 and is_still and flushed_at is not None
            if at_rest == limits.files or (is_lost and eyes.enter_unseen is None):
                return Followed(tuple(files), counts, "", lost_events)
            if is_lost and eyes.enter_unseen is not None:
                lost_events += eyes.enter_unseen()
                moved_at = now
            if (now - fed_at).total_seconds() > limits.deadline_s:
                why = (
                    f"{limits.files - at_rest:,} of {limits.files:,} files were not at rest {limits.deadline_s:,.0f} s "
                    f"after the last upload"
                )
                return Followed(tuple(files), counts, why, lost_events)
            has_arrived = not counts["unseen"] or still_s > 2
            pause_s = FLUSH_EVERY_S if flushed_at is not None and not counts[PENDING] else LEAST_PAUSE_S
            if has_arrived and (flushed_at is None or (now - flushed_at).total_seconds() >= pause_s):
                _flush(eyes)
                flushed_at = eyes.now()
        took_s = (now - looked_at).total_seconds()
        eyes.sleep(min(max(LEAST_PAUSE_S, READ_SHARE * took_s), MOST_PAUSE_S))


def _flush(eyes: Eyes) -> None:
    try:
        eyes.flush()
    except CloudError:
        return  # the function was killed, or failed: its own schedule, or the next flush, does it


def remaining_s(samples: Sequence[Sample], files: int) -> float | None:
    """Until all files are completed, at the pace of the last samples; None where nothing moved in them."""
    recent = samples[-20:]
    if len(recent) < 2:
        return None
    first, last = recent[0], recent[-1]
    done = last.counts[COMPLETED] - first.counts[COMPLETED]
    took_s = last.at_s - first.at_s
    if done <= 0 or took_s <= 0:
        return None
    return (files - last.counts[COMPLETED]) / (done / took_s)


def utc_now() -> datetime:
    return datetime.now(timezone.utc)
