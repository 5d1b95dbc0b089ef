"""What a purge would delete, by date and reason."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ndjctl.aws import error_code, is_not_found
from ndjctl.contracts import MALFORMED, Names
from ndjctl.quarantine.inventory import quarantine_dates
from ndjctl.quarantine.lines import stored_lines
from ndjctl.quarantine.places import list_kinds, place_of
from ndjctl.reconcile.spool import Spool
from ndjctl.reconcile.streams import Listed, ordered_map
from ndjctl.redrive.choice import Choice

Progress = Callable[[int], None]

IS_CHANGED = ("412", "PreconditionFailed", "ConditionalRequestConflict")
_WINDOW = 32


class Changed(Exception):
    """An object is not the one that was listed."""


@dataclass
class PurgePreview:
    """counts: [lines or objects, bytes] by (date, kind, reason). unreadable: objects of bad lines that are none."""

    counts: dict[tuple[str, str, str], list[int]] = field(default_factory=dict)
    objects: int = 0
    unreadable: list[str] = field(default_factory=list)

    def add(self, date: str, kind: str, reason: str, count: int, size_bytes: int) -> None:
        found = self.counts.setdefault((date, kind, reason), [0, 0])
        found[0] += count
        found[1] += size_bytes

    @property
    def size_bytes(self) -> int:
        return sum(size_bytes for _, size_bytes in self.counts.values())

    def count(self, *, is_lines: bool) -> int:
        """Lines, or objects that are not of lines."""
        return sum(count for (_, kind, _), (count, _) in self.counts.items() if (kind == MALFORMED) == is_lines)


@dataclass(frozen=True)
class PurgeLook:
    """readers: threads that read objects."""

    s3: Any
    names: Names
    readers: ThreadPoolExecutor

    def look(self, choice: Choice, before: datetime | None, spool: Spool, progress: Progress) -> PurgePreview:
        """Puts what is chosen into the spool. before: only objects that were written before then."""
        preview = PurgePreview()
        dates = [choice.date] if choice.date else quarantine_dates(self.s3, self.names)
        for date in dates:
            listed = (
                each
                for each in list_kinds(self.s3, self.names.quarantine_bucket, date)
                if before is None or each.modified < before
            )
            for each, reasons in ordered_map(self.readers, lambda one: (one, self._reasons(one)), listed, _WINDOW):
                progress(1)
                self._look_at(each, reasons, choice, spool, preview)
        return preview

    def _look_at(
        self,
        listed: Listed,
        reasons: dict[str, list[int]] | None,
        choice: Choice,
        spool: Spool,
        preview: PurgePreview,
    ) -> None:
        place = place_of(listed.key)
        if place is None:
            return
        if reasons is None:
            preview.unreadable.append(listed.key)
            return
        wanted = {reason: counts for reason, counts in reasons.items() if choice.takes_reason(reason)}
        if not wanted:
            return
        for reason, (count, size_bytes) in wanted.items():
            preview.add(place.date, place.kind, reason, count, size_bytes)
        preview.objects += 1
        spool.put(listed, place.date)

    def _reasons(self, listed: Listed) -> dict[str, list[int]] | None:
        """[count, bytes] by reason; of an object that is not of lines the kind is the reason. None where it cannot be
        read."""
        place = place_of(listed.key)
        if place is None or place.kind != MALFORMED:
            return {place.kind if place else "": [1, listed.size_bytes]}
        found: dict[str, list[int]] = {}
        try:
            for line in stored_lines(body_of(self.s3, listed)):
                counts = found.setdefault(line.reason, [0, 0])
                counts[0] += 1
                counts[1] += line.stored_bytes
        except Changed:
            return {}
        except ValueError:
            return None
        return found


def body_of(s3: Any, listed: Listed) -> Any:
    """The stream of the very object that was listed. Raises Changed, and what boto3 raises."""
    from botocore.exceptions import ClientError

    try:
        return s3.get_object(Bucket=listed.bucket, Key=listed.key, IfMatch=listed.etag)["Body"]
    except ClientError as error:
        if is_not_found(error) or error_code(error) in IS_CHANGED:
            raise Changed from error
        raise
