"""Makes the objects of a plan, at the asked pace, several at once; what is there already is not made again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from ndjctl.feeding.journal import Fed, Journal
from ndjctl.feeding.pace import Pace
from ndjctl.feeding.plan import FeedPlan
from ndjctl.generate.record import FileFacts


class Content(Protocol):
    """What ndjctl.generate.content.FileContent is."""

    facts: FileFacts | None

    def __iter__(self) -> Any: ...


class Progress(Protocol):
    """Called from several threads."""

    def sent(self, size_bytes: int) -> None:
        """Bytes that were uploaded since the last call."""

    def fed(self, file: Fed) -> None:
        """An object is there; also told of those that were there before."""


@dataclass(frozen=True)
class Deleted:
    """objects: that were deleted. uploads_aborted: unfinished ones. kept: keys that hold somebody else's object now."""

    objects: int
    uploads_aborted: int
    kept: tuple[str, ...]


def feed(
    plan: FeedPlan,
    s3: Any,
    content: Callable[[int], Content],
    journal: Journal,
    pace: Pace,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    progress: Progress,
    at_once: int = 16,
    stop: Callable[[], bool] = lambda: False,
) -> dict[int, FileFacts]:
    """Makes every object of `plan` that the journal does not have yet, and returns the facts of the contents by their
    number. content: called with the number of a unique file. stop: asked before each object; True ends the feeding
    early. Raises WorkFailed where a key holds an object that is none of the plan's, and what boto3 raises."""
    raise NotImplementedError


def delete_all(plan: FeedPlan, s3: Any, journal: Journal, keys: Iterable[str] | None = None) -> Deleted:
    """Deletes exactly the objects of `plan` that are there (only `keys` of them), each only if it carries the plan's
    marker, and aborts the plan's unfinished uploads. May be called again."""
    raise NotImplementedError
