"""`ndjctl quarantine release` and `ndjctl quarantine purge`."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ndjctl.cli.confirm import YesOption
from ndjctl.cli.dates import DateOption, checked_date
from ndjctl.cli.files import OlderThanOption
from ndjctl.cli.invocation import Invocation
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.cli.moving import RateOption, ReasonOption, Work, look_and_move, now, pacer, parts_of
from ndjctl.cli.since import since_moment
from ndjctl.cli.words import given
from ndjctl.errors import EXIT_FAILED, UsageError

if TYPE_CHECKING:
    from ndjctl.quarantine.entering import Entering
    from ndjctl.quarantine.log import ActionLog
    from ndjctl.quarantine.records import QuarantineRecords
    from ndjctl.reconcile.reports import Reports

_READERS = 16


def release(
    invocation: Invocation,
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="KEY", help="S3 keys of quarantined files, or s3:// URIs.")
    ] = None,
    date: DateOption = None,
    reason: ReasonOption = None,
    ignore_size_rule: Annotated[
        bool,
        typer.Option(
            "--ignore-size-rule", help="Also files that the size rule would set aside again: once, for this version."
        ),
    ] = False,
    mended: Annotated[
        Path | None,
        typer.Option(
            "--mended",
            help="Instead, convert the lines of this file, which 'quarantine show --save' wrote.",
            metavar="FILE",
        ),
    ] = None,
    rate: RateOption = None,
    yes: YesOption = False,
) -> None:
    """Send quarantined files into the pipeline again, or lines that were mended.

    A file that the size rule would set aside again is refused, unless that is to be ignored for the version that is
    there; a newer version has to meet the rule. Mended lines become a new file of their own; the same lines are entered
    once, however often they are released. What is in the quarantine stays there, marked as released. Shows what it
    comes to and asks first; with --json and without --yes it only looks. Exit code 1 when anything was refused.
    """
    if mended is not None:
        if keys or date is not None or reason is not None or ignore_size_rule or rate is not None:
            raise UsageError("--mended goes alone: it is about the lines of that file.")
        _release_mended(invocation, mended, yes)
        return
    if not keys and date is None and reason is None:
        raise UsageError(
            "Say what to release: KEY ... for files, --date or --reason for those of a date or reason, or --mended "
            "FILE for lines that were mended."
        )
    with told_when_not_deployed(invocation):
        is_whole = _release_files(invocation, keys or [], checked_date(date), reason, ignore_size_rule, rate, yes)
    if not is_whole:
        raise typer.Exit(EXIT_FAILED)


def _release_files(
    invocation: Invocation,
    keys: list[str],
    date: str | None,
    reason: str | None,
    is_exception: bool,
    rate: float | None,
    yes: bool,
) -> bool:
    from ndjctl.estimate import estimate
    from ndjctl.output.progress import counted
    from ndjctl.output.quarantine_moves import release_view
    from ndjctl.quarantine.log import RELEASE
    from ndjctl.quarantine.release import QuarantinedFiles, ReleaseRecorder
    from ndjctl.redrive.choice import Choice
    from ndjctl.redrive.work import Outcome, Preview, look, move_all

    parts = parts_of(invocation)
    profile = invocation.loaded.profile
    words = ("quarantine", "release", *(as_argument(key, parts.mover.bucket) for key in keys))
    options = given(("--date", date), ("--reason", reason), ("--ignore-size-rule", is_exception), ("--rate", rate))
    with _opened(invocation) as (entering, reports, records):
        files = QuarantinedFiles(
            parts.tracking,
            parts.mover,
            invocation.cloud.names,
            entering,
            reports,
            Choice(reason, date),
            keys,
            is_exception,
            now(),
        )
        refused = 0

        def look_at_them(progress: Any) -> Preview:
            nonlocal refused
            seen = look(files.pages(), Preview(), progress)
            seen.refused, refused = files.refused, files.refused_count
            return seen

        def move(_seen: Preview, progress: Any) -> Outcome:
            log = _log(invocation)
            logged = log.begin(RELEASE, " ".join((*keys, *options))[:_MOST_WHAT])
            with ReleaseRecorder(records, logged, now) as recorder:
                outcome = move_all(files.pages(), lambda each: recorder.add(files.move(each)), pacer(rate), progress)
            counts = {"files": outcome.moved, "bytes": outcome.size_bytes, "left": len(outcome.left)}
            log.end(logged, {**counts, "exceptions_to_the_size_rule": int(is_exception)})
            return outcome

        work = Work(
            words=(*words, *options),
            look=look_at_them,
            move=move,
            count=lambda seen: int(seen.files),
            view=lambda seen, done, next_: release_view(
                seen,
                refused,
                done,
                is_exception,
                estimate(profile, seen.files, seen.size_bytes),
                invocation.typed("sweep", "--flush"),
                next_,
            ),
            question=lambda seen: f"Release {counted(seen.files, 'quarantined file')}?",
            verb="released",
        )
        done = look_and_move(invocation, work, yes)
    return not refused and (done is None or done.is_whole)


def _release_mended(invocation: Invocation, path: Path, yes: bool) -> None:
    from ndjctl.contracts import MIB
    from ndjctl.output.progress import counted
    from ndjctl.output.quarantine_moves import mended_view
    from ndjctl.paths import shown
    from ndjctl.quarantine.log import RELEASE_MENDED
    from ndjctl.quarantine.mended import MendedLines, MendedOutcome
    from ndjctl.quarantine.mended_file import MendedFile, look

    cloud = invocation.cloud
    max_line_bytes = invocation.loaded.profile.job.max_line_mb * MIB
    file = look(path, max_line_bytes, cloud.names.quarantine_bucket)
    parts = parts_of(invocation)

    def move(seen: MendedFile, progress: Any) -> MendedOutcome:
        with _opened(invocation) as (entering, reports, _):
            lines = MendedLines(cloud.client("s3"), cloud.names, parts.tracking, parts.mover, entering, reports, now)
            before = lines.done(seen)
            if before is not None:
                return before
            log = _log(invocation)
            logged = log.begin(RELEASE_MENDED, f"{seen.lines} lines, sha256 {seen.digest}")
            outcome = lines.release(seen, logged)
            log.end(logged, {"lines": seen.lines, "bytes": seen.size_bytes, "marked": outcome.marked})
            progress(seen.lines)
            return outcome

    work = Work(
        words=("quarantine", "release", *given(("--mended", path))),
        look=lambda _progress: file,
        move=move,
        count=lambda seen: int(seen.lines),
        view=lambda seen, done, next_: mended_view(
            seen, shown(path), done, invocation.typed("sweep", "--flush"), next_
        ),
        question=lambda seen: f"Convert {counted(seen.lines, 'mended line')}?",
        noun="line",
        verb="released",
        rest="run the same command again: what is done is not done twice",
    )
    with told_when_not_deployed(invocation):
        look_and_move(invocation, work, yes)


def purge(
    invocation: Invocation,
    date: DateOption = None,
    reason: ReasonOption = None,
    older_than: OlderThanOption = None,
    yes: YesOption = False,
) -> None:
    """Delete from the quarantine for good: lines and files of a date, of a reason, or older than a time.

    What goes is put on record first, so that 'reconcile' knows it as purged and not as missing. Of an object of lines
    only those of the reason go. Input objects are not touched. Shows what it comes to and asks first, in a protected
    environment for its name; with --json and without --yes it only looks. Exit code 1 when anything was left.
    """
    from ndjctl.output.quarantine_moves import purge_view
    from ndjctl.quarantine.log import PURGE
    from ndjctl.quarantine.purge import PurgeOutcome, Purger
    from ndjctl.quarantine.purge_look import PurgeLook, PurgePreview
    from ndjctl.reconcile.spool import Spool
    from ndjctl.redrive.choice import Choice

    if date is None and reason is None and older_than is None:
        raise UsageError("Say what to purge: --date, --reason or --older-than, or several of them.")
    choice = Choice(reason, checked_date(date))
    before = since_moment(older_than, now(), "--older-than")
    options = given(("--date", date), ("--reason", reason), ("--older-than", older_than))
    cloud, profile = invocation.cloud, invocation.loaded.profile
    with told_when_not_deployed(invocation), Spool() as spool, ThreadPoolExecutor(_READERS) as readers:
        s3 = cloud.client("s3")

        def move(_seen: PurgePreview, progress: Any) -> PurgeOutcome:
            log = _log(invocation)
            logged = log.begin(PURGE, " ".join(options))
            ledger = _ledger(invocation)
            outcome = Purger(s3, cloud.names, ledger, now, readers).purge(logged, choice, spool, progress)
            counts = {"lines": outcome.lines, "files": outcome.files, "bytes": outcome.size_bytes}
            log.end(logged, {**counts, "left": outcome.left_count})
            return outcome

        work = Work(
            words=("quarantine", "purge", *options),
            look=lambda progress: PurgeLook(s3, cloud.names, readers).look(choice, before, spool, progress),
            move=move,
            count=lambda seen: int(seen.objects),
            view=purge_view,
            question=lambda seen: f"Delete this from {cloud.names.quarantine_bucket} for good?",
            after=("reconcile", *given(("--date", date))),
            noun="object",
            verb="purged",
            name=profile.environment if profile.asks_for_its_name else "",
        )
        done = look_and_move(invocation, work, yes)
    if done is not None and done.left_count:
        raise typer.Exit(EXIT_FAILED)


_MOST_WHAT = 1_000
"""Characters of what was typed that the log keeps."""


def as_argument(key: str, bucket: str) -> str:
    """A key that begins like an option is no argument; its URI is one."""
    return f"s3://{bucket}/{key}" if key.startswith("-") else key


@contextmanager
def _opened(invocation: Invocation) -> Iterator[tuple[Entering, Reports, QuarantineRecords]]:
    from ndjctl.quarantine.entering import Entering
    from ndjctl.quarantine.records import QuarantineRecords
    from ndjctl.reconcile.reports import Reports

    cloud = invocation.cloud
    names, s3 = cloud.names, cloud.client("s3")
    with ThreadPoolExecutor(_READERS) as readers:
        entering = Entering(cloud.client("dynamodb"), names.tracking_table, now, time.sleep)
        reports = Reports(s3, names.manifest_bucket, names.output_bucket, readers)
        yield entering, reports, QuarantineRecords(s3, names.manifest_bucket)


def _ledger(invocation: Invocation) -> Any:
    from ndjctl.ledger import Ledger

    return Ledger(invocation.cloud.client("dynamodb"), invocation.cloud.names.tracking_table, time.sleep)


def _log(invocation: Invocation) -> ActionLog:
    """Of whoever these credentials are."""
    from ndjctl.deploy.deployment import caller
    from ndjctl.quarantine.log import ActionLog

    cloud = invocation.cloud
    by = caller(str(cloud.client("sts").get_caller_identity()["Arn"]))
    return ActionLog(cloud.client("dynamodb"), cloud.names.tracking_table, by, now, lambda: secrets.token_hex(4))
