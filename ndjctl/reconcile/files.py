"""Objects against the ledger: files that were never seen, that stand still, or of which a newer version lies there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ndjctl.contracts import (
    COMPLETED,
    FAILED,
    PENDING,
    QUARANTINED,
    RUNNING,
    STARTED,
    Names,
    PurgedObject,
    iso_utc,
    part_prefix,
    s3_uri,
)
from ndjctl.proof import is_stored
from ndjctl.quarantine.records import QuarantineRecords
from ndjctl.reconcile.findings import (
    EXAMPLES,
    MISSING,
    NEVER_SEEN,
    NO_REMEDY,
    STUCK,
    SUPERSEDED,
    Example,
    Findings,
    Remedy,
)
from ndjctl.reconcile.join import Pair, possible_dates
from ndjctl.reconcile.records import FileItem, ManifestItem, Records
from ndjctl.reconcile.remedies import rewriting
from ndjctl.reconcile.runs import Runs
from ndjctl.reconcile.streams import Cursor, Listed, list_bucket
from ndjctl.reconcile.unseen import Unseen, heads
from ndjctl.reconcile.verdicts import Clock, why_manifest_stands_still

_CHUNK = 500
_MOST_SUSPECTS = 10_000
_MANIFESTS_KEPT = 16_384


@dataclass(frozen=True)
class _Verdict:
    """counted: which of the day's counts the file adds to. kind: what is wrong, or empty. is_waiting: for a batch.
    is_purged: its copy in the quarantine was."""

    counted: str
    kind: str = ""
    remedy: Remedy = NO_REMEDY
    why: str = ""
    is_waiting: bool = False
    is_purged: bool = False


class FileCheck:
    """Judges pairs; whatever looks wrong is read afresh before it becomes a finding. Memory does not grow with their
    number."""

    def __init__(
        self,
        s3: Any,
        names: Names,
        records: Records,
        runs: Runs,
        unseen: Unseen,
        purges: QuarantineRecords,
        clock: Clock,
        findings: Findings,
        pool: ThreadPoolExecutor,
        page_items: int = 1000,
    ) -> None:
        self._s3 = s3
        self._names = names
        self._records = records
        self._runs = runs
        self._unseen = unseen
        self._purges = purges
        self._clock = clock
        self._findings = findings
        self._pool = pool
        self._page_items = page_items
        self._suspects: list[Pair] = []
        self._manifests: dict[str, ManifestItem | bool] = {}  # True: it is closed
        self._copies: dict[tuple[str, str], Cursor[Listed]] = {}
        self._purged: dict[str, list[PurgedObject]] = {}

    def take(self, pairs: Iterator[Pair], report: Callable[[int], None]) -> None:
        """Judges all pairs. report: told of so many more that are done."""
        while chunk := list(islice(pairs, _CHUNK)):
            self._load_manifests(chunk)
            for pair in chunk:
                verdict = self._judge(pair, fresh=False)
                if verdict.kind:
                    self._suspects.append(pair)
                else:
                    self._settle(pair, verdict)
            if len(self._suspects) >= _MOST_SUSPECTS:
                self._look_again()
            report(len(chunk))
        self._look_again()

    def _look_again(self) -> None:
        suspects, self._suspects = self._suspects, []
        self._purged = self._purged_copies(suspects)
        unseen: list[Listed] = []
        for start in range(0, len(suspects), _CHUNK):
            chunk = suspects[start : start + _CHUNK]
            there = heads(self._s3, self._pool, [pair.listed for pair in chunk if pair.listed is not None])
            items = self._records.files(pair.item.id for pair in chunk if pair.item is not None)
            for pair in chunk:
                listed = there.get(pair.listed) if pair.listed is not None else None
                item = items.get(pair.item.id) if pair.item is not None else None
                if item is None:
                    unseen += [listed] if listed is not None else []
                else:
                    again = Pair(pair.date, listed, item)
                    self._settle(again, self._judge(again, fresh=True))
        sifted = self._unseen.sift(unseen)
        for listed, item in sifted.entered:
            # Under another date it is that date's business.
            if item.date == possible_dates(listed)[0]:
                again = Pair(item.date, listed, item)
                self._settle(again, self._judge(again, fresh=True))
        for date in sifted.by_report:
            self._settle(Pair(date, None, None), _Verdict("by_report"))
        for listed, date in sifted.unseen:
            pair = Pair(date, listed, None)
            self._settle(pair, self._judge(pair, fresh=True))

    def _settle(self, pair: Pair, verdict: _Verdict) -> None:
        day = self._findings.day(pair.date)
        day.files += 1
        day.waiting += verdict.is_waiting
        day.purged_files += verdict.is_purged
        if verdict.counted:
            setattr(day, verdict.counted, getattr(day, verdict.counted) + 1)
        key = pair.listed.key if pair.listed is not None else pair.item.key if pair.item is not None else ""
        uri = s3_uri(self._names.input_bucket, key)
        if verdict.counted == "failed" and pair.item is not None and len(day.failed_examples) < EXAMPLES:
            # The reason begins with the place, as a rule.
            day.failed_examples.append(Example(uri, pair.item.error.removeprefix(f"{uri}: ")))
        if verdict.kind:
            self._findings.add(verdict.kind, pair.date, "file", verdict.remedy, [Example(uri, verdict.why)])

    # ------------------------------------------------------------------------------------------------ judgements

    def _judge(self, pair: Pair, fresh: bool) -> _Verdict:
        """fresh: nothing that was read before may be believed."""
        listed, item = pair.listed, pair.item
        if item is None:
            assert listed is not None  # noqa: S101 - a pair has one of them
            if self._clock.is_young(listed.modified):
                return _Verdict("in_flight")
            why = f"{listed.size_bytes:,} bytes of {iso_utc(listed.modified)}, and no event of it came"
            return _Verdict("", NEVER_SEEN, Remedy(("backfill", "--date", pair.date)), why)
        if listed is not None and listed.etag != item.etag:
            overwritten = self._overwritten(pair.date, listed, item)
            if overwritten is not None:
                return overwritten
        if item.status == COMPLETED:
            return self._completed(item, listed, fresh)
        if item.status == QUARANTINED:
            return self._quarantined(item, listed, fresh)
        if item.status == FAILED:
            return _Verdict("failed")
        return self._unfinished(item, fresh)

    def _overwritten(self, date: str, listed: Listed, item: FileItem) -> _Verdict | None:
        """None where the ledger knows of the version and it is not for an operator to act on."""
        if item.superseded_by == listed.etag:
            if item.status != COMPLETED:
                return None
            remedy = Remedy(("reprocess", "--superseded", "--date", date))
            return _Verdict("completed", SUPERSEDED, remedy, "a newer version of it is not converted")
        if self._clock.is_young(listed.modified) or self._clock.is_young(item.changed_at):
            return None
        kind = SUPERSEDED if item.status == COMPLETED else NEVER_SEEN
        why = f"the version of {iso_utc(listed.modified)} is newer than the ledger's, and no event of it came"
        counted = item.status if item.status in (COMPLETED, QUARANTINED, FAILED) else ""
        return _Verdict(counted, kind, Remedy(("backfill", "--date", date)), why)

    def _completed(self, item: FileItem, listed: Listed | None, fresh: bool) -> _Verdict:
        if self._manifest(item, fresh) is not None:
            return _Verdict("completed")
        prefix = part_prefix(item.date, item.manifest_id)
        if fresh and next(list_bucket(self._s3, self._names.output_bucket, prefix, page_items=1), None) is not None:
            return _Verdict("completed")  # its rows are counted with the parts
        why = f"it is completed, but there is nothing of its manifest {item.manifest_id or '(none)'}"
        if listed is None:
            why += ", and its object is gone"
        return _Verdict("completed", MISSING, rewriting(item.manifest_id, item.date, listed is None, ()), why)

    def _quarantined(self, item: FileItem, listed: Listed | None, fresh: bool) -> _Verdict:
        bucket = self._names.quarantine_bucket
        if fresh:
            is_there = bool(item.quarantine_key) and is_stored(self._s3, bucket, item.quarantine_key, item.size_bytes)
        else:
            copy = self._copy(item)
            is_there = copy is not None and copy.size_bytes == item.size_bytes
        if is_there:
            return _Verdict("quarantined")
        if fresh and any(each.size_bytes == item.size_bytes for each in self._purged.get(item.quarantine_key, ())):
            return _Verdict("quarantined", is_purged=True)
        remedy = Remedy(hint="the file is in the input bucket no more: send it again from where it came")
        if listed is not None and item.quarantine_key:
            source, target = s3_uri(listed.bucket, item.key), s3_uri(bucket, item.quarantine_key)
            remedy = Remedy(other=("aws", "s3", "cp", source, target))
        return _Verdict("quarantined", MISSING, remedy, f"its copy {item.quarantine_key} is not in the quarantine")

    def _purged_copies(self, suspects: Iterable[Pair]) -> dict[str, list[PurgedObject]]:
        """Copies of quarantined files that were purged, by their keys."""
        wanted: dict[str, set[str]] = {}
        for pair in suspects:
            if pair.item is not None and pair.item.status == QUARANTINED and pair.item.quarantine_key:
                wanted.setdefault(pair.item.date, set()).add(pair.item.quarantine_key)
        found: dict[str, list[PurgedObject]] = {}
        for date, keys in wanted.items():
            found |= self._purges.purged_of(date, keys)
        return found

    def _copy(self, item: FileItem) -> Listed | None:
        """From a listing that is walked along; None also where the key does not follow the order of the files."""
        folder = item.quarantine_key.removesuffix(item.key)
        if folder == item.quarantine_key:
            return None
        place = (item.date, folder)
        if place not in self._copies:
            entries = list_bucket(self._s3, self._names.quarantine_bucket, folder, self._page_items)
            self._copies[place] = Cursor(entries, lambda entry: entry.key)
        return self._copies[place].at(item.quarantine_key)

    def _unfinished(self, item: FileItem, fresh: bool) -> _Verdict:
        if self._clock.is_young(item.changed_at):
            return _Verdict("in_flight", is_waiting=item.status == PENDING)
        since = f"since {iso_utc(item.changed_at)}" if item.changed_at else "for an unknown time"
        sweep = Remedy(("sweep",))
        if item.status == PENDING:
            return _Verdict("", STUCK, sweep, f"pending {since}")
        manifest = self._manifest(item, fresh)
        if not isinstance(manifest, ManifestItem):
            remedy = Remedy(("redrive", "stuck", "--date", item.date))
            what = "is closed" if manifest else "is not known"
            return _Verdict("", STUCK, remedy, f"{item.status} {since}; its manifest {item.manifest_id} {what}")
        run = None
        if manifest.state in (STARTED, RUNNING) and manifest.run_id:
            run = self._runs.state(manifest.run_id, fresh)
        why = why_manifest_stands_still(manifest, run, self._runs.any_alive(), self._clock)
        if why is None:
            return _Verdict("in_flight")
        return _Verdict("", STUCK, sweep, f"{item.status} {since} in manifest {manifest.manifest_id}: {why}")

    # ------------------------------------------------------------------------------------------------ manifests

    def _manifest(self, item: FileItem, fresh: bool) -> ManifestItem | bool | None:
        """The item of an open manifest, True for a closed one, None where there is none."""
        if not item.manifest_id:
            return None
        if fresh:
            self._keep(item.manifest_id, self._records.manifest(item.date, item.manifest_id))
        return self._manifests.get(item.manifest_id)

    def _load_manifests(self, chunk: Iterable[Pair]) -> None:
        wanted = {
            pair.item.manifest_id: pair.item.date
            for pair in chunk
            if pair.item is not None and pair.item.manifest_id and pair.item.manifest_id not in self._manifests
        }
        for found in self._records.manifests((date, manifest_id) for manifest_id, date in wanted.items()).values():
            self._keep(found.manifest_id, found)

    def _keep(self, manifest_id: str, found: ManifestItem | None) -> None:
        if found is None:
            self._manifests.pop(manifest_id, None)
            return
        if len(self._manifests) >= _MANIFESTS_KEPT:
            del self._manifests[next(iter(self._manifests))]
        self._manifests[manifest_id] = found if found.is_open else True
