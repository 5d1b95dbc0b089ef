"""`ndjctl backfill`."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Annotated

import typer

from ndjctl.cli.confirm import LOOKED, YesOption, confirm, only_looks
from ndjctl.cli.dates import DateOption, checked_date
from ndjctl.cli.invocation import Invocation, command
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.cli.moving import RateOption
from ndjctl.cli.reconcile import GraceOption, clock_of, places_of
from ndjctl.cli.words import given
from ndjctl.errors import UsageError


def register(app: typer.Typer) -> None:
    command(app, "backfill")(backfill)


def backfill(
    invocation: Invocation,
    date: DateOption = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", help="Only keys that begin so, whatever their date.", metavar="PREFIX")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be entered.")] = False,
    yes: YesOption = False,
    rate: RateOption = None,
    grace_s: GraceOption = None,
) -> None:
    """Enter objects of the input bucket whose events never came, as if they had.

    Shows first what it is about to enter, and asks; with --json and without --yes it only looks. Files that are known
    stay as they are, and running it again enters only what is still missing. What a run's report says is converted is
    left out, even if the ledger has forgotten it.
    """
    from ndjctl.output.backfill import backfill_view, preview_lines
    from ndjctl.output.counting import counting
    from ndjctl.reconcile.events import send_events
    from ndjctl.reconcile.missed import find_missed
    from ndjctl.reconcile.spool import Spool

    if date is not None and prefix is not None:
        raise UsageError("--date and --prefix exclude each other: one date, or keys that begin in one way.")
    checked = checked_date(date)
    clock = clock_of(invocation, grace_s, datetime.now(timezone.utc))
    sent: int | None = None
    with told_when_not_deployed(invocation), Spool() as spool:
        places = places_of(invocation)
        with counting() as reporter:
            searched = find_missed(places, checked, prefix or "", clock, spool, reporter)
        next_ = None
        if spool.count and (dry_run or only_looks(invocation, yes)):
            options = (("--date", checked), ("--prefix", prefix), ("--rate", rate), ("--grace", grace_s))
            next_ = invocation.typed("backfill", *given(*options), "--yes")
            if not dry_run:
                invocation.out.note(LOOKED)
        elif spool.count:
            for line in preview_lines(spool, "file"):
                invocation.out.note(line)
            if not yes:
                confirm(f"Enter {'it' if spool.count == 1 else 'them'}?", "Nothing was entered")
            sent = 0

            def report(count: int) -> None:
                nonlocal sent
                sent = (sent or 0) + count
                reporter.done(count)
                invocation.interrupted_note = _interrupted(sent, spool.count)

            invocation.interrupted_note = _interrupted(0, spool.count)
            with counting("sent") as reporter:
                reporter.phase("sending events")
                send_events(
                    places.client("sqs"),
                    places.names.queue,
                    invocation.cloud.region,
                    (listed for listed, _ in spool.entries()),
                    rate_per_s=rate,
                    clock=time.monotonic,
                    sleep=time.sleep,
                    report=report,
                )
            next_ = invocation.typed("reconcile", *given(("--date", checked)))
        invocation.out.show(backfill_view(searched, spool, sent, dry_run, next_))


def _interrupted(sent: int, count: int) -> str:
    # Of the ten that were under way nobody knows.
    return (
        f"Interrupted: at least {sent:,} of {count:,} events were sent, and those go on; run the same command again "
        f"for the rest."
    )
