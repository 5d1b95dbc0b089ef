"""Takes the objects of a plan away again: exactly its own."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ndjctl.feeding.journal import Journal
from ndjctl.feeding.objects import PlanObjects
from ndjctl.feeding.plan import FeedPlan

_AT_ONCE = 16
_OBJECTS_OF_A_REQUEST = 1_000


@dataclass(frozen=True)
class Deleted:
    """objects: that were deleted. uploads_aborted: unfinished ones. kept: keys that hold somebody else's object now."""

    objects: int
    uploads_aborted: int
    kept: tuple[str, ...]


def delete_all(plan: FeedPlan, s3: Any, journal: Journal, keys: Collection[str] | None = None) -> Deleted:
    """Deletes the objects of `plan` that are there (only `keys` of them), each only if it is what the journal says or
    carries the plan's marker, and aborts the plan's unfinished uploads. May be called again, after a death as well.
    Raises WorkFailed where S3 refuses one, and what boto3 raises."""
    objects = PlanObjects(s3, plan, lambda: False)
    wanted = frozenset(file.key for file in plan.files)
    wanted = wanted if keys is None else wanted & frozenset(keys)
    aborted = objects.abort_unfinished(wanted)
    there = objects.found(wanted)
    unknown = [key for key in there if key not in journal.fed or journal.fed[key].etag != there[key].etag]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        kept = {key for key, fed in zip(unknown, pool.map(objects.ours, unknown), strict=True) if fed is None}
    going = sorted(there.keys() - kept)
    for at in range(0, len(going), _OBJECTS_OF_A_REQUEST):
        journal.add_deleted(objects.delete(going[at : at + _OBJECTS_OF_A_REQUEST]))
    return Deleted(len(going), aborted, tuple(sorted(kept)))
