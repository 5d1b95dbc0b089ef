"""`ndjctl history`, `ndjctl rollback` and `ndjctl drift`: what was deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.deploying import (
    AllowDataLossOption,
    AllowReplaceOption,
    AllowShrinkOption,
    TakeOverOption,
    agreed_of,
    aws_of,
    carry_out,
    make_plan,
    now,
    target_of_profile,
)
from ndjctl.cli.invocation import Invocation, command
from ndjctl.errors import EXIT_FAILED

if TYPE_CHECKING:
    from ndjctl.deploy.history import History


def register(app: typer.Typer) -> None:
    command(app, "drift")(drift)
    command(app, "history")(history)
    command(app, "rollback")(rollback)


def drift(invocation: Invocation) -> None:
    """Show which fields were changed by hand since the last deployment.

    Compares with what the last deployment asked for; where there is no record of one, with the profile. It says what
    mends it: 'ndjctl deploy', or 'ndjctl rollback' with that deployment's id where the profile or the code is another
    one by now. Exit code 1 when something drifted.
    """
    from ndjctl.deploy.drifting import last_asked
    from ndjctl.output.plan import drift_view

    aws = aws_of(invocation)
    asked = last_asked(_history(invocation), target_of_profile(invocation))
    planned = make_plan(invocation, asked.target, aws)
    next_ = invocation.typed(*asked.mending(planned)) if planned.pending else None
    invocation.out.show(drift_view(invocation.env, asked.against, planned, aws.account_id, next_))
    if planned.pending:
        raise typer.Exit(EXIT_FAILED)


def history(
    invocation: Invocation,
    deployment: Annotated[
        str | None, typer.Argument(help="Id of a deployment, or its beginning: shows its diff.", metavar="ID")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", help="How many, the newest first.", min=1, metavar="N")] = 20,
) -> None:
    """List who deployed what and when, or show one deployment with its diff."""
    from ndjctl.output.history import deployment_view, history_view

    records, account_id = _history(invocation), invocation.cloud.account_id
    ids = records.ids()
    if deployment is not None:
        found = records.find(deployment)
        can_return = found.command != "destroy" and found.environment == invocation.env
        next_ = invocation.typed("rollback", found.id) if can_return else None
        status = found.status(ids[0], now())
        invocation.out.show(deployment_view(invocation.env, found, status, account_id, next_))
        return
    listed, unreadable = records.readable(ids[:limit])
    region = invocation.loaded.profile.region
    invocation.out.show(history_view(invocation.env, region, listed, unreadable, ids, now(), account_id))


def rollback(
    invocation: Invocation,
    deployment: Annotated[
        str | None,
        typer.Argument(help="Id of a deployment, or its beginning; without it the one before.", metavar="ID"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for the environment's name.")] = False,
    allow_data_loss: AllowDataLossOption = False,
    allow_shrink: AllowShrinkOption = False,
    allow_replace: AllowReplaceOption = False,
    take_over: TakeOverOption = False,
) -> None:
    """Return code and settings to an earlier deployment.

    The code of both bundles comes from the scripts bucket, by its content. The profile on this machine stays as it is:
    the next 'ndjctl deploy' goes by that again.
    """
    from ndjctl.deploy.deployment import rollback_target

    agreed = agreed_of(allow_data_loss, allow_shrink, allow_replace, take_over)
    invocation.interrupted_note = "Interrupted: nothing was changed."
    aws = aws_of(invocation)
    target, chosen = rollback_target(_history(invocation), deployment, invocation.env)
    planned = make_plan(invocation, target, aws)
    invocation.out.note(f"back to {chosen.id}, deployed {chosen.at} by {chosen.by} with ndjctl {chosen.version}")
    look = invocation.typed("history", chosen.id, "--json")
    rest = f"run '{invocation.typed('rollback', chosen.id, *agreed.options)}' again for the rest"
    carry_out(invocation, target, aws, planned, agreed, yes=yes, look=look, rest=rest)


def _history(invocation: Invocation) -> History:
    from ndjctl.deploy.history import History

    cloud = invocation.cloud
    return History(cloud.client("s3"), cloud.names)
