"""`ndjctl sweep`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from ndjctl.cli.dates import checked_date
from ndjctl.cli.invocation import Invocation, command
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.errors import EXIT_FAILED, UsageError


def register(app: typer.Typer) -> None:
    command(app, "sweep")(sweep)


def sweep(
    invocation: Invocation,
    flush: Annotated[
        bool, typer.Option("--flush", help="Also take partial batches that are younger than their age limit.")
    ] = False,
    date: Annotated[
        str | None, typer.Option("--date", help="With --flush: of this date alone, YYYY-MM-DD (UTC).", metavar="DATE")
    ] = None,
) -> None:
    """Repair, follow, build and start now what the schedule would in its next turn, and show what it came to.

    Exit code 1 when a manifest failed.
    """
    from ndjctl.output.progress import spinner
    from ndjctl.output.sweep import sweep_view
    from ndjctl.sweeping import invoke_sweep

    if date is not None and not flush:
        raise UsageError("--date goes with --flush: a sweep looks after every date.")
    day = checked_date(date)
    invocation.interrupted_note = "Interrupted: the function's sweep goes on without us."
    cloud = invocation.cloud
    begun = time.monotonic()
    with told_when_not_deployed(invocation), spinner("sweeping"):
        report = invoke_sweep(cloud.client("lambda"), cloud.names.live_function, flush=flush, date=day)
    seconds, partial_age_s = time.monotonic() - begun, invocation.loaded.profile.batching.max_partial_age_s
    again, flushed = (invocation.typed("sweep", *words) for words in ((), ("--flush",)))
    inspect = invocation.typed("manifests")
    invocation.out.show(sweep_view(invocation.env, report, seconds, again, flushed, partial_age_s, inspect))
    if report.get("failed"):
        raise typer.Exit(EXIT_FAILED)
