"""Judgements on one file or one manifest, from what was read about it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ndjctl.contracts import CLAIMING, COMPLETED, READY, PurgedObject, split_s3_uri
from ndjctl.reconcile.findings import DUPLICATED, MISSING, Example
from ndjctl.reconcile.records import FileItem, ManifestItem
from ndjctl.reconcile.reports import ReportedFile
from ndjctl.reconcile.runs import RunState


@dataclass(frozen=True)
class Clock:
    """now: when the reconciliation began. grace: what has changed since less than that is on its way."""

    now: datetime
    grace: timedelta

    def is_young(self, moment: datetime | None) -> bool:
        return moment is not None and moment > self.now - self.grace


def why_manifest_stands_still(
    manifest: ManifestItem, run: RunState | None, others_run: bool, clock: Clock
) -> str | None:
    """None where an open manifest is on its way. run: of a manifest that has one. others_run: whether there are runs
    whose end it may be waiting for."""
    if manifest.state == CLAIMING:
        return None if clock.is_young(manifest.changed_at) else "its builder died before it was ready"
    if manifest.state == READY:
        is_waiting = others_run or clock.is_young(manifest.changed_at)
        return None if is_waiting else "it is ready, no run of it was started, and no other run is under way"
    if run is None or run.is_alive or clock.is_young(run.ended_at or manifest.started_at):
        return None
    if run.state == "unknown":
        return f"Glue does not know its run {manifest.run_id}"
    message = f": {run.message}" if run.message else ""
    return f"its run {manifest.run_id} ended {run.state}{message}"


# ---------------------------------------------------------------------------------------------------- outputs


@dataclass(frozen=True)
class Expected:
    """Rows and bad lines of one source that a manifest's output is to hold. is_open: it may hold any number, because
    the file is on its way from one manifest to another. why: said of rows that are not to be there."""

    lines: int = 0
    rows: int = 0
    bad_lines: int = 0
    is_open: bool = False
    why: str = ""


@dataclass
class Problem:
    kind: str
    subject: str
    why: str


@dataclass
class Judged:
    """What is wrong with a manifest's output, and its counts. lines: of the files that it completed, by the ledger or
    the report. rows, bad_lines: of files at rest. moving_rows, moving_bad_lines: of files that are on their way, which
    have no number of lines yet. purged_lines: that are not there because they were purged."""

    lines: int = 0
    rows: int = 0
    bad_lines: int = 0
    moving_rows: int = 0
    moving_bad_lines: int = 0
    purged_lines: int = 0
    problems: list[Problem] = field(default_factory=list)

    def examples(self, kind: str) -> list[Example]:
        return [Example(problem.subject, problem.why) for problem in self.problems if problem.kind == kind]


def expected_of(manifest_id: str, item: FileItem | None, reported: ReportedFile | None) -> Expected:
    """By the ledger, and where it has forgotten the file by the report of the manifest's run."""
    if item is None:
        if reported is None:
            return Expected(why="neither the ledger nor the run's report has this file under it")
        return Expected(reported.lines, reported.rows, reported.bad_lines)
    if item.status == COMPLETED:
        if item.manifest_id == manifest_id:
            return Expected(item.lines, item.rows, item.bad_lines)
        return Expected(why=f"the file was completed by manifest {item.manifest_id or '(none)'}")
    if item.replaces == manifest_id:
        return Expected(is_open=True)
    if item.manifest_id == manifest_id:
        # A file that its run left unfinished is a finding of its own.
        is_failed = item.status not in ("manifested", "processing")
        return Expected(is_open=not is_failed, why=f"the file is {item.status}" if is_failed else "")
    return Expected(why=f"the file is {item.status}, to be converted by another manifest")


NOTHING_PURGED: Mapping[str, int] = {}


def judge_output(
    expected: Mapping[str, Expected],
    rows: Counter[str],
    bad_lines: Counter[str],
    missing_parts: Iterable[int],
    unreadable: Iterable[tuple[str, str]],
    purged: Mapping[str, int] = NOTHING_PURGED,
) -> Judged:
    """expected: by source URI. unreadable: (URI, what is wrong) of parts and objects of bad lines. purged: bad lines
    that were deleted on purpose, by source URI; they stand for bad lines that are not there, and for no others. Without
    problems, lines are rows, bad lines and purged lines together."""
    judged = Judged()
    problems = judged.problems
    problems += [Problem(MISSING, uri, why) for uri, why in unreadable]
    for number in missing_parts:
        problems.append(Problem(MISSING, f"part {number:05d}", "the part is not there"))
    for uri in sorted({*expected, *rows, *bad_lines}):
        wanted = expected.get(uri) or Expected(why="no such file is in the manifest")
        if wanted.is_open:
            judged.moving_rows += rows[uri]
            judged.moving_bad_lines += bad_lines[uri]
            continue
        judged.lines += wanted.lines
        judged.rows += rows[uri]
        judged.bad_lines += bad_lines[uri]
        gone = min(purged.get(uri, 0), max(wanted.bad_lines - bad_lines[uri], 0))
        judged.purged_lines += gone
        problems += _of_source(uri, wanted, rows[uri], bad_lines[uri] + gone)
    return judged


def _of_source(uri: str, wanted: Expected, rows: int, bad_lines: int) -> Iterable[Problem]:
    because = f" ({wanted.why})" if wanted.why else ""
    if wanted.lines != wanted.rows + wanted.bad_lines:
        yield Problem(
            MISSING if wanted.lines > wanted.rows + wanted.bad_lines else DUPLICATED,
            uri,
            f"the ledger has {wanted.lines:,} lines, but {wanted.rows:,} rows and {wanted.bad_lines:,} bad lines",
        )
    for found, right, what in ((rows, wanted.rows, "rows"), (bad_lines, wanted.bad_lines, "quarantined lines")):
        if found < right:
            yield Problem(MISSING, uri, f"{found:,} {what} of {right:,}")
        elif found > right:
            yield Problem(DUPLICATED, uri, f"{found:,} {what} instead of {right:,}{because}")


def purged_lines(purged: Iterable[PurgedObject], there: Mapping[str, str], run_id: str) -> Counter[str]:
    """Bad lines of each source that were purged. there: ETags of the objects of bad lines that are, by key. run_id: of
    the run whose output it is, empty where nobody knows. A purge that died before it deleted anything has taken
    nothing, and one that was begun again counts once."""
    taken = {
        (each.key, each.etag): each
        for each in purged
        if there.get(each.key) != each.etag and (not run_id or each.run_id in ("", run_id))
    }
    lines: Counter[str] = Counter()
    for each in taken.values():
        lines.update(each.lines)
    return lines


def keys_of(uris: Iterable[str], bucket: str) -> dict[str, str]:
    """URI -> key, of those that are of this bucket."""
    found = {}
    for uri in uris:
        try:
            place = split_s3_uri(uri)
        except ValueError:
            continue
        if place[0] == bucket:
            found[uri] = place[1]
    return found
