"""`ndjctl manifests`."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Annotated

import typer

from ndjctl.cli.dates import DateOption, checked_date
from ndjctl.cli.invocation import Invocation, command, listing
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.errors import UsageError

app = typer.Typer()


def manifests(
    invocation: Invocation,
    state: Annotated[
        str | None,
        typer.Option(
            "--state", help="Only this state: claiming, ready, started, running, done or abandoned.", metavar="STATE"
        ),
    ] = None,
    date: DateOption = None,
    is_open: Annotated[
        bool | None, typer.Option("--open/--closed", help="Only those that are not finished, or only those that are.")
    ] = None,
) -> None:
    """List the manifests: those that are not finished first, the oldest first.

    The closed ones are those that the ledger remembers, for 7 days.
    """
    from ndjctl.manifests import CLOSED_STATES, OPEN_STATES, list_manifests
    from ndjctl.output.manifests import manifests_view

    if state is not None and state not in OPEN_STATES + CLOSED_STATES:
        raise UsageError(f"--state takes one of {', '.join(OPEN_STATES + CLOSED_STATES)}; {state!r} is none of them.")
    if state is not None and is_open is not None and is_open != (state in OPEN_STATES):
        raise UsageError(f"No manifest is {state} and {'open' if is_open else 'closed'}: leave one of them out.")
    cloud = invocation.cloud
    with told_when_not_deployed(invocation):
        found = list_manifests(
            cloud.client("dynamodb"),
            cloud.client("s3"),
            cloud.names,
            state=state,
            date=checked_date(date),
            is_open=is_open,
        )
        now = datetime.now(timezone.utc)
        invocation.out.stream(manifests_view(invocation.env, found, now, f"{invocation.typed('manifests', 'show')} ID"))


def show(
    invocation: Invocation,
    manifest_id: Annotated[str, typer.Argument(metavar="ID", help="The manifest's id, or enough of its beginning.")],
) -> None:
    """Show a manifest's files, run, report and history, and what to do where something is wrong."""
    from ndjctl.manifest_advice import advise
    from ndjctl.manifest_details import describe
    from ndjctl.output.manifests import manifest_view

    if not manifest_id.strip():
        raise UsageError("ID is empty: name a manifest, or the beginning of its id.")
    cloud = invocation.cloud
    with told_when_not_deployed(invocation):
        details = describe(
            cloud.client("dynamodb"), cloud.client("s3"), cloud.client("glue"), cloud.names, manifest_id, time.sleep
        )
    now = datetime.now(timezone.utc)
    invocation.out.show(manifest_view(details, advise(details, now), now, invocation.typed))


listing(app)(manifests)
command(app, "show")(show)
