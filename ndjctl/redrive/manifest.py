"""What it would come to, to write the parts of a closed manifest again.

For parts that are damaged, missing, or doubled by a stray. What its files have become since counts: those that are
another manifest's now, or failed, are left out; a file whose object is no longer the one that was converted would be
lost, so then nothing may be done, unless the loss of those whose object is gone is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ndjctl.aws import is_not_found
from ndjctl.contracts import (
    COMPLETED,
    DONE,
    FAILED,
    Attr,
    FormatError,
    Manifest,
    ManifestFile,
    Names,
    manifest_key,
    read_document,
    report_key,
    s3_uri,
)
from ndjctl.contracts.formats import REPORT_FORMAT, REPORT_VERSION
from ndjctl.errors import UsageError, WorkFailed
from ndjctl.items import Item
from ndjctl.manifests import manifest_dates
from ndjctl.redrive.moves import head
from ndjctl.redrive.stored import Stored, read_stored
from ndjctl.redrive.tracking import Entry, Tracking

_SAFE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,127}")
_THREADS = 16
_MOST_NAMED = 3


@dataclass(frozen=True)
class Included:
    """A file whose rows are written again. entry: None where the ledger has forgotten it."""

    file: ManifestFile
    entry: Entry | None

    @property
    def rows(self) -> int | None:
        """That it had when it was converted; None where the ledger has forgotten it."""
        return None if self.entry is None else self.entry.rows


GONE = "gone"
NEWER = "newer"
UNKNOWN = "unknown"


class Refused(NamedTuple):
    """A file without which the manifest cannot be written again. kind: GONE, there is no object; NEWER, it was
    overwritten, and the ledger has the file; UNKNOWN, it was, and the ledger has forgotten the file."""

    key: str
    kind: str


@dataclass
class Reopening:
    """What writing a manifest again comes to. given_up: files whose object is gone and that are to be failed, with the
    loss of their rows. left_out: (key, why). refused: it cannot be done while these are. is_open: it is open already.
    stored: its object, or what is to be put in its place.
    """

    manifest_id: str
    date: str
    included: list[Included] = field(default_factory=list)
    given_up: list[Included] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    is_open: bool = False
    state: str = ""
    closed: Item | None = None
    stored: Stored | None = None

    @property
    def fault(self) -> str:
        """What is wrong with its object, the end of a sentence; empty where it is as it should be."""
        return "" if self.stored is None else self.stored.fault

    @property
    def size_bytes(self) -> int:
        return sum(each.file.size_bytes for each in self.included)


@dataclass
class Finder:
    s3: Any
    tracking: Tracking
    names: Names

    def look(self, manifest_id: str, accepts_loss: bool = False) -> Reopening:
        """accepts_loss: files whose object is gone are given up instead of refused. Raises UsageError for a manifest
        that there is not, WorkFailed for one that cannot be written again."""
        if not _SAFE_ID.fullmatch(manifest_id):
            raise UsageError(f"{manifest_id!r} is no id of a manifest: they look like 20261123T143122123Z-7f3a9c12.")
        opened = self.tracking.open_manifest(manifest_id)
        if opened is not None:
            return Reopening(manifest_id, str(opened[Attr.DATE]), is_open=True, state=str(opened[Attr.STATE]))
        date, closed = self._place(manifest_id)
        found = Reopening(manifest_id, date, closed=closed)
        if found.closed is not None and found.closed[Attr.STATE] != DONE:
            raise WorkFailed(
                f"Manifest {manifest_id} ended {found.closed[Attr.STATE]} and has no output: its files are failed, "
                f"'ndjctl redrive failed --date {date}' enters them again."
            )
        found.stored = read_stored(self.s3, self.tracking, self.names, date, manifest_id, closed)
        self._sort(found, found.stored.manifest, accepts_loss)
        return found

    # ------------------------------------------------------------------------------------------------ what it has

    def _place(self, manifest_id: str) -> tuple[str, Item | None]:
        """(its date, its item if the ledger has it still)."""
        for date in self._dates(manifest_id):
            closed = self.tracking.closed_manifest(date, manifest_id)
            key = manifest_key(date, manifest_id)
            if closed is not None or head(self.s3, self.names.manifest_bucket, key) is not None:
                return date, closed
        raise UsageError(f"There is no manifest {manifest_id} in s3://{self.names.manifest_bucket}/manifests/.")

    def _dates(self, manifest_id: str) -> Iterator[str]:
        """Where it may be: mostly at the date of its making, else at any."""
        seen = set()
        if re.match(r"\d{8}T", manifest_id):
            try:
                made = datetime.strptime(manifest_id[:8], "%Y%m%d")  # noqa: DTZ007 - a date, no moment
            except ValueError:
                pass
            else:
                for days in (0, -1, 1):
                    seen.add(date := (made + timedelta(days=days)).strftime("%Y-%m-%d"))
                    yield date
        dates = sorted(manifest_dates(self.s3, self.names.manifest_bucket), reverse=True)
        yield from (date for date in dates if date not in seen)

    def _converted(self, found: Reopening) -> set[str]:
        """Keys that its run report calls completed; none without a report."""
        from botocore.exceptions import ClientError

        key = report_key(found.date, found.manifest_id)
        try:
            body = self.s3.get_object(Bucket=self.names.manifest_bucket, Key=key)["Body"].read()
        except ClientError as error:
            if not is_not_found(error):
                raise
            return set()
        try:
            report = read_document(body, REPORT_FORMAT, REPORT_VERSION, s3_uri(self.names.manifest_bucket, key))
        except FormatError as error:
            raise WorkFailed(f"{str(error).rstrip('.')}.") from error
        return {str(file["key"]) for file in report["files"] if file["status"] == COMPLETED}

    def _sort(self, found: Reopening, manifest: Manifest, accepts_loss: bool) -> None:
        entries = self.tracking.entries((found.date, file.key) for file in manifest.files)
        forgotten = [file for file in manifest.files if (found.date, file.key) not in entries]
        converted = self._converted(found) if forgotten else set()
        wanted = []
        for file in manifest.files:
            entry = entries.get((found.date, file.key))
            why = _left_out(found.manifest_id, entry, file.key in converted)
            if why is not None:
                found.left_out.append((file.key, why))
            else:
                wanted.append(Included(file, entry))
        with ThreadPoolExecutor(_THREADS) as pool:
            for each, kind in zip(wanted, pool.map(self._refusal, wanted), strict=True):
                if kind is None:
                    found.included.append(each)
                elif kind == GONE and accepts_loss:
                    found.given_up.append(each)
                else:
                    found.refused.append(Refused(each.file.key, kind))

    def _refusal(self, each: Included) -> str | None:
        facts = head(self.s3, each.file.bucket, each.file.key)
        if facts is None:
            return GONE
        if facts.etag == each.file.etag:
            return None
        return UNKNOWN if each.entry is None else NEWER


def _left_out(manifest_id: str, entry: Entry | None, was_converted: bool) -> str | None:
    """Why a file is no (longer) part of the manifest's output; None if it is."""
    if entry is None:
        return None if was_converted else "neither the ledger nor the run's report says that it was converted"
    if entry.manifest_id != manifest_id:
        return f"it is {entry.status} and no longer of this manifest"
    return f"it is failed: {entry.error}" if entry.status == FAILED else None


def refusal(manifest_id: str, refused: Sequence[Refused], typed: Callable[..., str]) -> str:
    """Why a manifest is not written again, and what to do about each of its files that are in the way. typed: words of
    a command -> what to type here."""
    giving_up = typed("reprocess", "--manifest", manifest_id, "--accept-loss")

    def keys(kind: str) -> list[str]:
        return [each.key for each in refused if each.kind == kind]

    steps = []
    if gone := keys(GONE):
        steps.append(
            f"{_named(gone)}: the object is gone; put it back with the same content (an older version of the bucket, a "
            f"backup), or give its rows up: '{giving_up}'"
        )
    if newer := keys(NEWER):
        steps.append(
            f"{_named(newer)}: overwritten since; '{typed('reprocess', *newer[:_MOST_NAMED])}' first, which gives the "
            f"newer version a manifest of its own, and this again at once"
        )
    if unknown := keys(UNKNOWN):
        steps.append(
            f"{_named(unknown)}: overwritten since, and the ledger has forgotten the file; "
            f"'{typed('backfill', '--prefix', unknown[0])}' first, which enters the newer version"
        )
    told = "; ".join(steps)
    return (
        f"Manifest {manifest_id} cannot be written again without losing rows, nothing was done. {told}. Then the same "
        f"command again."
    )


def _named(keys: Sequence[str]) -> str:
    told = ", ".join(repr(key) for key in keys[:_MOST_NAMED])
    return f"{told} and {len(keys) - _MOST_NAMED} more" if len(keys) > _MOST_NAMED else told


def named(pairs: Sequence[tuple[str, str]], most: int = 3) -> str:
    """Some of (key, why) as part of a sentence."""
    told = "; ".join(f"{key!r}: {why}" for key, why in pairs[:most])
    return f"{told}; and {len(pairs) - most} more" if len(pairs) > most else told
