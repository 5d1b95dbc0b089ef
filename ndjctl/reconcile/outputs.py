"""The outputs of one date, manifest by manifest: what the ledger says of each beside its Parquet parts and its
quarantined lines. Read along: both come in the order of the manifests' ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ndjctl.contracts import (
    ABANDONED,
    COMPLETED,
    FAILED,
    MANIFESTED,
    PENDING,
    PROCESSING,
    RUNNING,
    STARTED,
    Names,
    PurgedObject,
    bad_lines_prefix,
    part_prefix,
    s3_uri,
)
from ndjctl.quarantine.records import QuarantineRecords
from ndjctl.reconcile.comparing import compare
from ndjctl.reconcile.digests import Digests
from ndjctl.reconcile.naming import (
    group_of,
    group_of_manifest,
    is_passed_over,
    manifest_id_in,
    name_in_folder,
    part_number,
)
from ndjctl.reconcile.parts import Content, read_bad_lines, read_part
from ndjctl.reconcile.records import FileItem, ManifestItem, Records
from ndjctl.reconcile.reports import Report, ReportedFile, Reports
from ndjctl.reconcile.runs import Runs
from ndjctl.reconcile.streams import Listed, grouped, list_bucket, ordered_map
from ndjctl.reconcile.verdicts import (
    Clock,
    Judged,
    expected_of,
    judge_output,
    keys_of,
    purged_lines,
    why_manifest_stands_still,
)

_MANIFESTS_AT_ONCE = 8
_MOST_SOURCES = 5_000
"""Looked up of parts that no manifest is known of."""

_UNFINISHED = (PENDING, MANIFESTED, PROCESSING)


@dataclass(frozen=True)
class Orphan:
    """An object that belongs to no output. manifest_id: empty where its name has none."""

    listed: Listed
    date: str
    manifest_id: str
    why: str


@dataclass
class Output:
    """What was found of one manifest. is_open: a run may still write or replace its parts, so none of them is counted.
    stands_still: why it is open although all its files are at rest, or None. parts: that were counted.
    parts_as_written: of those, that are what their runs wrote. inputs: where there are problems, the ETags of the
    versions that it was made of, by URI, without those that are another manifest's now or failed."""

    date: str
    manifest_id: str
    judged: Judged = field(default_factory=Judged)
    orphans: list[Orphan] = field(default_factory=list)
    is_open: bool = False
    stands_still: str | None = None
    parts: int = 0
    parts_as_written: int = 0
    inputs: dict[str, str] = field(default_factory=dict)

    @property
    def is_fine(self) -> bool:
        return not (self.judged.problems or self.orphans or self.stands_still)


@dataclass(frozen=True)
class _Seen:
    """One look at a manifest, or at an object whose name names none (manifest_id empty)."""

    date: str
    manifest_id: str
    item: ManifestItem | None
    parts: Sequence[Listed]
    bad_lines: Sequence[Listed]
    purged: Sequence[PurgedObject] = ()


class Outputs:
    """only_orphans: rows are neither read nor judged."""

    def __init__(
        self,
        s3: Any,
        names: Names,
        records: Records,
        reports: Reports,
        runs: Runs,
        purges: QuarantineRecords,
        clock: Clock,
        readers: ThreadPoolExecutor,
        only_orphans: bool = False,
        page_items: int = 1000,
    ) -> None:
        self._s3 = s3
        self._names = names
        self._records = records
        self._reports = reports
        self._runs = runs
        self._purges = purges
        self._clock = clock
        self._readers = readers
        self._only_orphans = only_orphans
        self._digests = Digests(s3)
        self._page_items = page_items

    def of_date(self, date: str) -> Iterator[Output]:
        """What is wrong in it was looked at twice, the second time afresh."""
        names = self._names
        closed = ((group_of_manifest(item.manifest_id), item) for item in self._records.closed_manifests(date))
        opened = ((group_of_manifest(item.manifest_id), item) for item in self._records.open_manifests(date))
        parts = self._named(names.output_bucket, _folder(part_prefix(date, "")))
        bad_lines = self._named(names.quarantine_bucket, _folder(bad_lines_prefix(date, "")))
        purged = ((group_of(each.key), each) for each in self._purges.purged(date) if manifest_id_in(each.key))
        found: Iterable[tuple[str, list[list[Any]]]] = grouped(closed, opened, parts, bad_lines, purged)
        groups = (group for group in found if any(group[1][:4]))
        with ThreadPoolExecutor(_MANIFESTS_AT_ONCE, thread_name_prefix="manifests") as pool:
            yield from ordered_map(pool, lambda group: self._of_group(date, *group), groups, 2 * _MANIFESTS_AT_ONCE)

    def again(self, date: str, manifest_id: str, listed: Listed) -> Output:
        """A fresh look at a manifest, or at an object whose name names none."""
        if manifest_id:
            return self._look(self._fresh(date, manifest_id))
        there = [entry for entry in list_bucket(self._s3, listed.bucket, listed.key) if entry.key == listed.key]
        return self._look(_Seen(date, "", None, there, ()))

    def _named(self, bucket: str, prefix: str) -> Iterator[tuple[str, Listed]]:
        """Objects by what their manifest is called in the merge."""
        for listed in list_bucket(self._s3, bucket, prefix, self._page_items):
            if not is_passed_over(name_in_folder(listed.key), listed.size_bytes):
                yield group_of(listed.key), listed

    def _of_group(self, date: str, name: str, group: list[list[Any]]) -> Output:
        closed, opened, parts, bad_lines, purged = group
        item: ManifestItem | None = next(iter([*closed, *opened]), None)
        objects: list[Listed] = [*parts, *bad_lines]
        ids = (manifest_id_in(listed.key) for listed in objects)
        manifest_id = item.manifest_id if item else next((each for each in ids if group_of_manifest(each) == name), "")
        output = Output(date, manifest_id)
        if manifest_id:
            seen = _Seen(date, manifest_id, item, *(_of(manifest_id, each) for each in (parts, bad_lines, purged)))
            output = self._look(seen)
            if not output.is_fine:
                output = self._look(self._fresh(date, manifest_id))
        for listed in objects:
            if manifest_id_in(listed.key) != manifest_id or not manifest_id:
                output.orphans += self.again(date, "", listed).orphans
        return output

    def _fresh(self, date: str, manifest_id: str) -> _Seen:
        item = self._records.manifest(date, manifest_id)

        def objects(bucket: str, prefix: str) -> list[Listed]:
            found = list_bucket(self._s3, bucket, prefix, self._page_items)
            return _of(manifest_id, found)

        return _Seen(
            date,
            manifest_id,
            item,
            objects(self._names.output_bucket, part_prefix(date, manifest_id)),
            objects(self._names.quarantine_bucket, bad_lines_prefix(date, manifest_id)),
            self._purges.purged_where(date, lambda key: manifest_id_in(key) == manifest_id),
        )

    # ------------------------------------------------------------------------------------------------ one manifest

    def _look(self, seen: _Seen) -> Output:
        output = Output(seen.date, seen.manifest_id, parts=len(seen.parts))
        item = seen.item
        if not seen.manifest_id:
            self._orphan(output, seen, (*seen.parts, *seen.bad_lines), "its name is none that a manifest gives")
        elif item is None:
            self._unknown(output, seen)
        elif item.is_open:
            output.is_open, output.parts = True, 0
            output.stands_still = None if self._only_orphans else self._why_open(item)
        else:
            items = self._items(seen.date, item.files)
            is_needed = not self._only_orphans or any(uri not in items for uri in item.files)
            report = self._reports.of(seen.date, seen.manifest_id) if is_needed else None
            if item.state == ABANDONED and not _completed_here(seen.manifest_id, item.files, items, report):
                self._orphan(output, seen, (*seen.parts, *seen.bad_lines), "its manifest was given up")
            else:
                self._known(output, seen, item.files, items, report, item.parts)
        return output

    def _why_open(self, item: ManifestItem) -> str | None:
        """None too where one of its files is unfinished: then that is the finding."""
        run = self._runs.state(item.run_id) if item.state in (STARTED, RUNNING) and item.run_id else None
        why = why_manifest_stands_still(item, run, self._runs.any_alive(), self._clock)
        if why is None:
            return None
        whole = self._records.manifest(item.date, item.manifest_id)
        if whole is None or not whole.is_open or (whole.state, whole.run_id) != (item.state, item.run_id):
            return None
        items = self._items(item.date, whole.files).values()
        return None if any(each.status in _UNFINISHED for each in items) else why

    def _unknown(self, output: Output, seen: _Seen) -> None:
        """The ledger has no such manifest: a report of its run, or files that name it, may still say whose it is."""
        objects = (*seen.parts, *seen.bad_lines)
        report = self._reports.of(seen.date, seen.manifest_id)
        if report is not None:
            items = self._items(seen.date, report.files)
            if report.files and not _completed_here(seen.manifest_id, report.files, items, report):
                self._orphan(output, seen, objects, "the ledger has each of its files under another manifest")
            else:
                self._known(output, seen, tuple(report.files), items, report, report.parts)
            return
        sources = {uri for content in self._read(seen.parts, seen.bad_lines) for uri in content.rows}
        items = self._items(seen.date, sorted(sources)[:_MOST_SOURCES])
        if _completed_here(seen.manifest_id, items, items, None):
            self._known(output, seen, tuple(items), items, None, None)
        else:
            self._orphan(output, seen, objects, "the ledger knows no such manifest")

    def _known(
        self,
        output: Output,
        seen: _Seen,
        files: Sequence[str],
        items: Mapping[str, FileItem],
        report: Report | None,
        count: int | None,
    ) -> None:
        """files: URIs of the manifest's files. count: of its parts, None if it is not known."""

        def is_beyond(listed: Listed) -> bool:
            return count is not None and part_number(listed.key) >= count

        beyond = [listed for listed in (*seen.parts, *seen.bad_lines) if is_beyond(listed)]
        self._orphan(output, seen, beyond, f"its manifest has {count} {'part' if count == 1 else 'parts'}")
        if self._only_orphans:
            return
        parts = [listed for listed in seen.parts if not is_beyond(listed)]
        contents = self._read(parts, [listed for listed in seen.bad_lines if not is_beyond(listed)])
        rows: Counter[str] = Counter()
        bad_lines: Counter[str] = Counter()
        for content in contents:
            (rows if content.listed.bucket == self._names.output_bucket else bad_lines).update(content.rows)
        missing: Iterable[int] = ()
        if _completed_here(seen.manifest_id, files, items, report):
            missing = sorted(set(range(count or 0)) - {part_number(listed.key) for listed in parts})
        reported = report.files if report else {}
        expected = {uri: expected_of(seen.manifest_id, items.get(uri), reported.get(uri)) for uri in files}
        unreadable = [(s3_uri(c.listed.bucket, c.listed.key), c.problem) for c in contents if c.problem]
        run_id = seen.item.run_id if seen.item is not None else report.run_id if report is not None else ""
        there = {listed.key: listed.etag for listed in seen.bad_lines}
        purged = purged_lines(seen.purged, there, run_id)
        output.judged = judge_output(expected, rows, bad_lines, missing, unreadable, purged)
        compared = compare(contents, report, lambda other: self._reports.of(output.date, other), self._digests.agree)
        output.judged.problems += compared.problems
        output.parts_as_written = sum(listed.bucket == self._names.output_bucket for listed in compared.as_written)
        if output.judged.problems:
            output.inputs = _inputs(seen.manifest_id, files, items, reported)

    def _read(self, parts: Iterable[Listed], bad_lines: Iterable[Listed]) -> list[Content]:
        def read(reader: Callable[[Any, Listed], Content], listed: Listed) -> Any:
            return self._readers.submit(reader, self._s3, listed)

        futures = [read(read_part, part) for part in parts] + [read(read_bad_lines, lines) for lines in bad_lines]
        return [future.result() for future in futures]

    def _items(self, date: str, uris: Iterable[str]) -> dict[str, FileItem]:
        """By URI, of those that the ledger has under this date."""
        keys = keys_of(uris, self._names.input_bucket)
        items = self._records.files((date, key) for key in keys.values())
        return {uri: items[date, key] for uri, key in keys.items() if (date, key) in items}

    @staticmethod
    def _orphan(output: Output, seen: _Seen, objects: Iterable[Listed], why: str) -> None:
        output.orphans += [Orphan(listed, seen.date, seen.manifest_id, why) for listed in objects]


def _inputs(
    manifest_id: str, files: Iterable[str], items: Mapping[str, FileItem], reported: Mapping[str, ReportedFile]
) -> dict[str, str]:
    found = {}
    for uri in files:
        item = items.get(uri)
        if item is None and uri in reported:
            found[uri] = reported[uri].etag
        elif item is not None and item.manifest_id == manifest_id and item.status != FAILED:
            found[uri] = item.etag
    return found


def _completed_here(
    manifest_id: str, files: Iterable[str], items: Mapping[str, FileItem], report: Report | None
) -> bool:
    """Whether any of the files was completed by this manifest, by the ledger, or by the report where it has forgotten
    the file."""
    for uri in files:
        item = items.get(uri)
        if item is None:
            if report is not None and uri in report.files:
                return True
        elif item.status == COMPLETED and item.manifest_id == manifest_id:
            return True
    return False


def _folder(prefix: str) -> str:
    return prefix[: prefix.rindex("/") + 1]


def _of(manifest_id: str, objects: Iterable[Any]) -> list[Any]:
    """Those that have a key which the manifest gives."""
    return [each for each in objects if manifest_id_in(each.key) == manifest_id]
