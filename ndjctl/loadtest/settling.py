"""Looks at a test's files and runs once these stand still: what is counted and what it cost are of the same moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ndjctl.contracts import PENDING, Names
from ndjctl.loadtest.observing import RunFacts, SeenFile

RUNS_END_S = 180.0
"""How long runs may go on after the last of their files is at rest, before they are told as they are."""
_PAUSE_S = 2.0
GONE = "its files are gone from the input bucket and from the ledger: the environment was reset, or they were deleted"


@dataclass(frozen=True)
class Settled:
    """The last look. runs: as they were before it, so a file that is at rest in it has all of its rows."""

    files: tuple[SeenFile, ...]
    runs: RunFacts


def settled(
    look: Callable[[], Sequence[SeenFile]],
    read_runs: Callable[[set[str]], RunFacts],
    sleep: Callable[[float], None],
    limit_s: float = RUNS_END_S,
) -> Settled:
    """Waits until the runs of the test have ended and no manifest is left to convert, limit_s at most. What waits for a
    manifest is not waited for: nobody asks for one any more. read_runs(): of the manifests with these ids."""
    waited_s = 0.0
    while True:
        runs = read_runs({file.manifest_id for file in look() if file.manifest_id})
        files = tuple(look())
        is_still = all(run.run.has_ended for run in runs.runs)
        is_still = is_still and all(file.is_at_rest or file.status == PENDING for file in files)
        if is_still or waited_s >= limit_s:
            return Settled(files, runs)
        sleep(_PAUSE_S)
        waited_s += _PAUSE_S


def are_gone(s3: Any, names: Names, prefix: str, fed: int, look: Callable[[], Sequence[SeenFile]]) -> bool:
    """Whether objects were fed, and neither the input bucket nor the ledger has any trace of the test: the environment
    was reset, or somebody deleted them. Raises what boto3 raises."""
    if not fed or look():
        return False
    found = s3.list_objects_v2(Bucket=names.input_bucket, Prefix=prefix, MaxKeys=1)
    return not found.get("Contents")
