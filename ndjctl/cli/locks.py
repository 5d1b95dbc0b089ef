"""`ndjctl locks`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.dates import checked_date
from ndjctl.cli.invocation import Invocation, command, listing
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.errors import EXIT_FAILED, UsageError

if TYPE_CHECKING:
    from ndjctl.locks import Judged, Locks

app = typer.Typer()

_REWRITE = "rewrite-"


def locks(
    invocation: Invocation,
    include_free: Annotated[bool, typer.Option("--all", help="Also the locks that nobody holds.")] = False,
) -> None:
    """List the locks: who holds them, since when, until when, and whether the holder is provably dead.

    Batching locks are of a date and held by an invocation of the function, rewrite locks are of a manifest and held by
    a Glue run. A function takes an expired lock over by itself.
    """
    from ndjctl.output.locks import locks_view

    with told_when_not_deployed(invocation):
        judged = _told_skew(invocation, _locks(invocation).all())
        invocation.out.stream(
            locks_view(invocation.env, judged, include_free, break_=invocation.typed("locks", "break"))
        )


def break_(
    invocation: Invocation,
    subject: Annotated[
        str,
        typer.Argument(
            metavar="DATE",
            help="The lock's date, YYYY-MM-DD; or rewrite-ID of a manifest's rewrite lock, or enough of its beginning.",
        ),
    ],
) -> None:
    """Break a lock whose holder is provably dead; refuse otherwise, with exit code 1.

    Dead is who let the lease run out, by AWS's clock and with a minute to spare, or whose Glue run has ended. So is who
    has a lease that ends later than lock.ttl_s of the profile allows.
    """
    from ndjctl.output.locks import breaking_view

    if not subject.startswith(_REWRITE):
        subject = checked_date(subject, "'locks break'", f"YYYY-MM-DD or {_REWRITE}ID") or subject
    with told_when_not_deployed(invocation):
        found = _locks(invocation)
        if subject.startswith(_REWRITE):
            subject = _whole(invocation, found, subject)
        breaking = found.break_(subject)
    if breaking.verdict is not None:
        _tell_skew(invocation, breaking.verdict.aws_time)
    invocation.out.show(breaking_view(invocation.env, subject, breaking))
    if breaking.verdict is not None and not breaking.is_broken:
        raise typer.Exit(EXIT_FAILED)


def _whole(invocation: Invocation, locks: Locks, subject: str) -> str:
    """The whole name of a rewrite lock. Raises UsageError where it names no manifest or more than one."""
    from ndjctl.manifest_details import find_manifest

    prefix = subject.removeprefix(_REWRITE)
    if not prefix.strip():
        raise UsageError(f"{subject!r} names no lock: a manifest's id, or its beginning, comes after '{_REWRITE}'.")
    held = locks.named(subject)
    if len(held) == 1:
        return held[0]
    if held:
        raise UsageError(f"More than one lock has a name that begins with {subject!r}: {', '.join(held[:5])}.")
    # Such a lock is there only while a run has it: nobody may hold it, but the manifest has to exist.
    cloud = invocation.cloud
    _, _, manifest_id = find_manifest(cloud.client("dynamodb"), cloud.client("s3"), cloud.names, prefix)
    return f"{_REWRITE}{manifest_id}"


def _locks(invocation: Invocation) -> Locks:
    from ndjctl.locks import Locks

    cloud = invocation.cloud
    return Locks(cloud.client("dynamodb"), cloud.client("glue"), cloud.names, invocation.loaded.profile.lock.ttl_s)


def _told_skew(invocation: Invocation, judged: Iterator[Judged]) -> Iterator[Judged]:
    """Passes them on, and tells once if this machine's clock is off."""
    is_told = False
    for each in judged:
        if not is_told:
            is_told = _tell_skew(invocation, each.verdict.aws_time)
        yield each


def _tell_skew(invocation: Invocation, aws_time: datetime | None) -> bool:
    from ndjctl.locks import CLOCK_MARGIN_S
    from ndjctl.output.times import lasting

    if aws_time is None:
        return False
    ahead_s = (datetime.now(timezone.utc) - aws_time).total_seconds()
    if abs(ahead_s) > CLOCK_MARGIN_S:
        side = "ahead of" if ahead_s > 0 else "behind"
        invocation.out.note(f"This machine's clock is {lasting(abs(ahead_s))} {side} AWS's, which is what counts here.")
    return True


listing(app)(locks)
command(app, "break")(break_)
