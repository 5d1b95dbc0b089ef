"""`ndjctl locks`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.dates import checked_date
from ndjctl.cli.invocation import Invocation, command, listing
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.errors import EXIT_FAILED

if TYPE_CHECKING:
    from ndjctl.locks import Judged, Locks

app = typer.Typer()


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
        typer.Argument(metavar="DATE", help="The lock's date, YYYY-MM-DD; or rewrite-ID of a manifest's rewrite lock."),
    ],
) -> None:
    """Break a lock whose holder is provably dead; refuse otherwise, with exit code 1.

    Dead is who let the lease run out, by AWS's clock and with a minute to spare, or whose Glue run has ended.
    """
    from ndjctl.output.locks import breaking_view

    if not subject.startswith("rewrite-"):
        subject = checked_date(subject, "'locks break'") or subject
    with told_when_not_deployed(invocation):
        breaking = _locks(invocation).break_(subject)
    if breaking.verdict is not None:
        _tell_skew(invocation, breaking.verdict.aws_time)
    invocation.out.show(breaking_view(invocation.env, subject, breaking))
    if breaking.verdict is not None and not breaking.is_broken:
        raise typer.Exit(EXIT_FAILED)


def _locks(invocation: Invocation) -> Locks:
    from ndjctl.locks import Locks

    cloud = invocation.cloud
    return Locks(cloud.client("dynamodb"), cloud.client("glue"), cloud.names)


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
