"""`ndjctl runs`."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Annotated

import typer

from ndjctl.cli.dates import checked_date
from ndjctl.cli.invocation import Invocation, NdjsonOption, command
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.cli.since import SinceOption, since_moment
from ndjctl.errors import UsageError

# As GetJobRuns has them (AWS Glue API reference, "JobRun", JobRunState).
STATES = (
    "STARTING",
    "RUNNING",
    "STOPPING",
    "STOPPED",
    "SUCCEEDED",
    "FAILED",
    "TIMEOUT",
    "ERROR",
    "WAITING",
    "EXPIRED",
)


def register(app: typer.Typer) -> None:
    command(app, "runs")(runs)


def runs(
    invocation: Invocation,
    status: Annotated[
        str | None,
        typer.Option("--status", help="Only this state: running, succeeded, failed, timeout, ...", metavar="STATE"),
    ] = None,
    since: SinceOption = None,
    date: Annotated[
        str | None,
        typer.Option("--date", help="Only runs of manifests of this date, YYYY-MM-DD (UTC).", metavar="DATE"),
    ] = None,
    manifest: Annotated[
        str, typer.Option("--manifest", help="Only runs of manifests whose id begins so.", metavar="ID")
    ] = "",
    ndjson: NdjsonOption = False,
) -> None:
    """List the runs of the Glue job, the newest first, with their manifests, durations, DPU hours and errors.

    Glue keeps runs for 90 days. DPU hours are those that Glue counts; where it does not tell, of a run's capacity for
    the time that it is billed for, a minute at least. All pages are read, those before --since not.
    """
    from ndjctl.ledger import Ledger
    from ndjctl.listing.runs import RunFilter, list_runs
    from ndjctl.output.runs import runs_view

    invocation.print_lines(ndjson)
    state = None if status is None else status.upper()
    if state is not None and state not in STATES:
        raise UsageError(f"--status takes one of {', '.join(STATES)}; {status!r} is none of them.")
    moment = since_moment(since, datetime.now(timezone.utc))
    wanted = RunFilter(state, moment, checked_date(date), manifest)
    cloud = invocation.cloud
    with told_when_not_deployed(invocation):
        ledger = Ledger(cloud.client("dynamodb"), cloud.names.tracking_table, time.sleep)
        found = list_runs(cloud.client("glue"), cloud.names.job, ledger, wanted)
        invocation.out.stream(runs_view(invocation.env, found, f"{invocation.typed('manifests', 'show')} MANIFEST"))
