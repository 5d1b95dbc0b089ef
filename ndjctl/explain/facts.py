"""What was observed of one file, each part on its own: one that could not be read says so. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ndjctl.contracts import (
    ABANDONED,
    CLAIMING,
    FILE_SUFFIX,
    OPEN_MANIFESTS_PARTITION,
    TTL_DAYS,
    Attr,
    Env,
    ManifestFile,
    date_prefix,
    leading_date,
    parse_iso_utc,
    s3_uri,
)
from ndjctl.glue_runs import GlueRun
from ndjctl.health.facts import SLACK_S, Facts
from ndjctl.items import Item
from ndjctl.logs.lines import Line
from ndjctl.reading import Reading


@dataclass(frozen=True)
class StoredVersion:
    """One version of the object. etag: without quotes, empty for a deletion."""

    at: datetime
    size_bytes: int
    etag: str
    is_latest: bool
    is_deletion: bool


@dataclass(frozen=True)
class InputObject:
    size_bytes: int
    etag: str
    modified_at: datetime


@dataclass(frozen=True)
class DeadLetter:
    """The message about this file in the dead-letter queue. is_found: whether there is one. why: it is there. seen:
    messages that were looked at. is_whole: whether these are all."""

    is_found: bool
    why: str
    receives: int
    seen: int
    is_whole: bool


@dataclass(frozen=True)
class FileLog:
    """Lines of the function's log about this file, the oldest first. is_whole: whether all was read."""

    lines: Sequence[Line]
    is_whole: bool


@dataclass(frozen=True)
class ManifestFacts:
    """item: of the ledger, None where it has forgotten it. entry: this file in the manifest's object. has_object:
    whether there is one. damage: a sentence on it, if it is no manifest."""

    manifest_id: str
    date: str
    item: Item | None
    has_object: bool
    entry: ManifestFile | None
    damage: str = ""

    @property
    def is_open(self) -> bool:
        return self.item is not None and self.item.get(Attr.DATE_PREFIX) == OPEN_MANIFESTS_PARTITION

    @property
    def state(self) -> str:
        """Empty where the ledger has forgotten it."""
        return str((self.item or {}).get(Attr.STATE, ""))

    @property
    def error(self) -> str:
        return str((self.item or {}).get(Attr.ERROR, ""))

    @property
    def fault(self) -> str:
        """What is wrong with its object, the end of a sentence; empty where it is as it should be."""
        if self.damage:
            return f"damaged ({self.damage.rstrip('.')})"
        return "" if self.has_object or self.state in (CLAIMING, ABANDONED) else "gone"

    def moment(self, name: str) -> datetime | None:
        return moment_of(self.item or {}, name)


@dataclass(frozen=True)
class ReportedFile:
    """What a run's report says of the file, and of its manifest. Counts are None where it was not completed."""

    manifest_id: str
    run_id: str
    completed_at: datetime | None
    status: str
    etag: str
    lines: int | None
    rows: int | None
    bad_lines: int | None
    error: str
    parts: int
    schema_version: int | None


@dataclass(frozen=True)
class Parts:
    """Parquet parts of the manifest that are there."""

    present: int
    size_bytes: int


@dataclass(frozen=True)
class Counted:
    """Rows of this file in the Parquet, and lines of it in the quarantine, counted there. parts: URIs of those that
    hold any. problems: what could not be read as it should."""

    rows: int
    bad_lines: int
    parts: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class BadLine:
    """One quarantined line of the file. line_number: from 1, None where the job did not know it."""

    line_number: int | None
    byte_offset: int
    reason: str
    detail: str


@dataclass(frozen=True)
class BadLines:
    """objects: of the manifest's bad lines. examples: of this file, the first ones that were met."""

    objects: int
    examples: tuple[BadLine, ...]


@dataclass(frozen=True)
class ReleasedLines:
    """lines: quarantined lines of the file that were mended and released. is_whole: whether all records of releases
    were read."""

    lines: int
    is_whole: bool


@dataclass(frozen=True)
class FileFacts:
    """event_s: what an event may take before it counts as lost. env: of the whole environment. object: None where there
    is none. items: of the ledger, one a date. forgotten: a report of a run about the file, where the ledger has no
    item. set_aside: whether the copy in the quarantine that the ledger (or, without an item, the size rule's folders)
    tells of is there. Readings of what was not asked for hold None."""

    key: str
    bucket: str
    at: datetime
    event_s: float
    env: Facts
    object: Reading[InputObject | None]
    versions: Reading[tuple[StoredVersion, ...]]
    items: Reading[tuple[Item, ...]]
    log: Reading[FileLog | None]
    letter: Reading[DeadLetter | None]
    manifest: Reading[ManifestFacts | None]
    runs: Reading[tuple[GlueRun, ...]]
    report: Reading[ReportedFile | None]
    forgotten: Reading[ReportedFile | None]
    parts: Reading[Parts | None]
    set_aside: Reading[bool | None]
    bad_lines: Reading[BadLines | None]
    released: Reading[ReleasedLines | None]
    counted: Reading[Counted | None]

    @property
    def uri(self) -> str:
        return s3_uri(self.bucket, self.key)

    @property
    def is_file(self) -> bool:
        """Whether the pipeline takes a key like this."""
        return self.key.endswith(FILE_SUFFIX)

    @property
    def item(self) -> Item | None:
        """The ledger's item: of several the newest."""
        items = self.items.value or ()
        return max(items, key=lambda item: str(item.get(Attr.DATE_PREFIX)), default=None)

    def text(self, name: str) -> str:
        """Of the item; empty where it has none."""
        return str((self.item or {}).get(name) or "")

    def number(self, name: str) -> int | None:
        value = (self.item or {}).get(name)
        return None if value is None else int(value)

    def moment(self, name: str) -> datetime | None:
        return moment_of(self.item or {}, name)

    @property
    def status(self) -> str:
        return self.text(Attr.STATUS)

    @property
    def date(self) -> str:
        """The ledger's, else the one that it would get."""
        found = self.text(Attr.DATE_PREFIX) or leading_date(self.key)
        if found:
            return found
        there = self.object.value
        return date_prefix(self.key, there.modified_at if there is not None else self.at)

    @property
    def converted(self) -> ReportedFile | None:
        """What a report says of a file without an item: of the version that is there, or of a file that is gone."""
        report, there = self.forgotten.value, self.object.value
        return report if report is not None and (there is None or report.etag == there.etag) else None

    @property
    def is_expired(self) -> bool:
        """Whether the object is so old that the ledger may have forgotten it in its own time: it drops an item some
        days after its last change, and not to the minute."""
        return self.age_s is None or self.age_s > (TTL_DAYS - 1) * 86_400.0

    @property
    def is_newer(self) -> bool:
        """Whether the object that is there is another version than the one that the ledger has."""
        there, item = self.object.value, self.item
        return there is not None and item is not None and there.etag != str(item.get(Attr.ETAG, ""))

    @property
    def is_newer_known(self) -> bool:
        """Whether the ledger knows that newer version."""
        there = self.object.value
        return there is not None and there.etag == self.text(Attr.SUPERSEDED_BY)

    @property
    def age_s(self) -> float | None:
        """Since the object was stored."""
        there = self.object.value
        return None if there is None else (self.at - there.modified_at).total_seconds()

    @property
    def partial_age_s(self) -> float:
        """How long a partial batch waits, by the function that is live."""
        function = self.env.function.value
        text = function.variables.get(Env.MAX_PARTIAL_AGE_SECONDS, "") if function is not None else ""
        return float(text) if text.isdigit() else float(self.env.profile.batching.max_partial_age_s)

    @property
    def event_grace(self) -> timedelta:
        """How long `backfill` leaves an object to its own event."""
        return timedelta(seconds=self.env.profile.batching.max_partial_age_s + SLACK_S)


def moment_of(item: Item, name: str) -> datetime | None:
    try:
        return parse_iso_utc(str(item[name]))
    except (KeyError, ValueError):
        return None
