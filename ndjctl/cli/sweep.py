"""`ndjctl sweep`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.dates import checked_date
from ndjctl.cli.invocation import Invocation, command
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.cli.words import given
from ndjctl.errors import EXIT_FAILED, UsageError

if TYPE_CHECKING:
    from ndjctl.locks import Judged


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
    from ndjctl.output.sweep import Said, sweep_view
    from ndjctl.prices.stated import usd_per_dpu_hour
    from ndjctl.reading import Reading, attempt
    from ndjctl.sweeping import invoke_sweep, locked_dates

    if date is not None and not flush:
        raise UsageError("--date goes with --flush: a sweep looks after every date.")
    day = checked_date(date)
    invocation.interrupted_note = "Interrupted: the function's sweep goes on without us."
    cloud = invocation.cloud
    begun = time.monotonic()
    with told_when_not_deployed(invocation), spinner("sweeping"):
        report = invoke_sweep(cloud.client("lambda"), cloud.names.live_function, flush=flush, date=day)
    seconds, profile = time.monotonic() - begun, invocation.loaded.profile
    locked: Reading[tuple[Judged, ...]] = Reading(())
    if report.get("pending"):
        dynamodb, ttl_s = cloud.client("dynamodb"), profile.lock.ttl_s
        locked = attempt(lambda: locked_dates(dynamodb, cloud.names, ttl_s, day), profile.environment)
    price = usd_per_dpu_hour(profile)
    said = Said(
        again=invocation.typed("sweep"),
        flush=invocation.typed("sweep", "--flush", *given(("--date", day))),
        break_=invocation.typed("locks", "break"),
        partial_age_s=profile.batching.max_partial_age_s,
        inspect=invocation.typed("manifests"),
        lift=invocation.typed("cost", "lift"),
        usd_per_dpu_hour=None if price is None else float(price),
        is_flushed=flush,
        date=day,
    )
    invocation.out.show(sweep_view(invocation.env, report, seconds, said, locked.value))
    if report.get("failed"):
        raise typer.Exit(EXIT_FAILED)
