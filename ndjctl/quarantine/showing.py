"""The quarantined lines of a file, of an object, or of a date and reason, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ndjctl.contracts import (
    MALFORMED,
    QUARANTINED,
    Names,
    bad_lines_prefix,
    leading_date,
    s3_uri,
    split_s3_uri,
)
from ndjctl.damage import BAD_LINES, Damaged, damage_told
from ndjctl.errors import UsageError
from ndjctl.quarantine.inventory import ReleasedOf, quarantine_dates, released_of
from ndjctl.quarantine.lines import StoredLine, whole_lines
from ndjctl.quarantine.places import list_kinds, place_of
from ndjctl.quarantine.records import QuarantineRecords
from ndjctl.reconcile.streams import Listed, list_bucket
from ndjctl.redrive.choice import Choice
from ndjctl.redrive.newer import dates_of
from ndjctl.redrive.tracking import Entry, Tracking


@dataclass(frozen=True)
class ShownLine:
    """raw: the line as it was, without its end. stored_in: key in the quarantine bucket. is_released: it was mended and
    sent into the pipeline again."""

    line: StoredLine
    raw: bytes
    stored_in: str
    is_released: bool


class Lines:
    """set_aside: of the file that was asked for, the items that say that it is quarantined as a whole."""

    def __init__(self, s3: Any, names: Names, tracking: Tracking, now: datetime) -> None:
        self._s3 = s3
        self._names = names
        self._tracking = tracking
        self._now = now
        self._records = QuarantineRecords(s3, names.manifest_bucket)
        self.set_aside: list[Entry] = []

    def of(self, key: str | None, choice: Choice) -> Iterator[ShownLine]:
        """key: of a file of the input bucket or an object of the quarantine bucket, or the URI of either; None for
        all. Raises UsageError for another URI, WorkFailed for an object that holds no quarantined lines."""
        source = ""
        if key is None:
            objects = self._of_dates([choice.date] if choice.date else quarantine_dates(self._s3, self._names))
        else:
            bucket, name = self._resolved(key)
            if bucket == self._names.quarantine_bucket:
                objects = self._named(name)
            else:
                source = s3_uri(bucket, name)
                objects = self._of_source(name, choice.date)
        yield from self._lines(objects, source, choice)

    def _lines(self, objects: Iterable[Listed], source: str, choice: Choice) -> Iterator[ShownLine]:
        released, date = ReleasedOf(), ""
        for listed in objects:
            place = place_of(listed.key)
            if place is not None and place.date != date:
                date = place.date
                released = released_of(self._records, date)
            marks = released.lines.get(listed.key, set())
            for line, raw in self._read(listed):
                if source in ("", line.source) and choice.takes_reason(line.reason):
                    yield ShownLine(line, raw, listed.key, (line.source, line.byte_offset) in marks)

    def _read(self, listed: Listed) -> Iterator[tuple[StoredLine, bytes]]:
        try:
            with damage_told(s3_uri(listed.bucket, listed.key), BAD_LINES):
                yield from whole_lines(self._s3.get_object(Bucket=listed.bucket, Key=listed.key)["Body"])
        except Damaged as error:
            if not error.is_gone:
                raise

    def _resolved(self, key: str) -> tuple[str, str]:
        """(bucket, key)."""
        if key.startswith("s3://"):
            try:
                bucket, name = split_s3_uri(key)
            except ValueError as error:
                raise UsageError(f"{key!r} is not s3://bucket/key.") from error
            if bucket not in (self._names.input_bucket, self._names.quarantine_bucket):
                raise UsageError(
                    f"{key!r} is neither in this environment's input bucket ({self._names.input_bucket}) nor in its "
                    f"quarantine ({self._names.quarantine_bucket})."
                )
            return bucket, name
        place = place_of(key)
        is_stored = place is not None and key.startswith(f"{place.date}/{MALFORMED}/")
        return (self._names.quarantine_bucket if is_stored else self._names.input_bucket), key

    def _named(self, key: str) -> Iterator[Listed]:
        found = (each for each in list_bucket(self._s3, self._names.quarantine_bucket, key) if each.key == key)
        listed = next(found, None)
        if listed is None:
            raise UsageError(f"s3://{self._names.quarantine_bucket}/{key} is not there.")
        yield listed

    def _of_source(self, key: str, date: str | None) -> Iterator[Listed]:
        """The objects that can hold lines of the file: those of its manifest, and where the ledger has forgotten that
        all of its date."""
        dates = [date] if date else [leading] if (leading := leading_date(key)) else dates_of(None, self._now)
        entries = list(self._tracking.entries((each, key) for each in dates).values())
        self.set_aside = [entry for entry in entries if entry.status == QUARANTINED]
        if entries:
            for entry in entries:
                if entry.manifest_id:
                    prefix = bad_lines_prefix(entry.date, entry.manifest_id)
                    yield from list_bucket(self._s3, self._names.quarantine_bucket, prefix)
        elif len(dates) == 1:
            yield from self._of_dates(dates)
        else:
            raise UsageError(f"The ledger has no file {key!r} (it remembers a file for 7 days): say --date as well.")

    def _of_dates(self, dates: Iterable[str]) -> Iterator[Listed]:
        for date in dates:
            for listed in list_kinds(self._s3, self._names.quarantine_bucket, date, (MALFORMED,)):
                place = place_of(listed.key)
                if place is not None and place.kind == MALFORMED:
                    yield listed
