"""`ndjctl destroy`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.confirm import LOOKED, confirm, confirm_name, only_looks
from ndjctl.cli.deploying import aws_of, deploying_of, run, target_of_profile
from ndjctl.cli.invocation import Invocation, command
from ndjctl.errors import CloudError, UsageError

if TYPE_CHECKING:
    from ndjctl.deploy.destruction import Destruction
    from ndjctl.deploy.kinds.base import Aws, Resource


def register(app: typer.Typer) -> None:
    command(app, "destroy")(destroy)


def destroy(
    invocation: Invocation,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Also buckets, tables and queues that hold something.")
    ] = False,
    stop_runs: Annotated[bool, typer.Option("--stop-runs", help="Stop runs that are under way.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove the environment. What holds data stays, unless --delete-data.

    Lists first what is there, with counts and sizes, and asks. Only what carries this environment's tag goes. It may be
    interrupted and run again.
    """
    from dataclasses import replace

    from ndjctl.deploy.deployment import Agreed
    from ndjctl.deploy.emptying import kinds_for_destruction
    from ndjctl.deploy.kinds.registry import KINDS
    from ndjctl.deploy.planner import ordered
    from ndjctl.output.destroy import destruction_view

    invocation.interrupted_note = "Interrupted: nothing was removed."
    target, aws = target_of_profile(invocation), aws_of(invocation)
    destruction = _look(ordered(target.resources(aws)), aws, delete_data)
    options = [*(["--delete-data"] if delete_data else []), *(["--stop-runs"] if stop_runs else [])]
    again = invocation.typed("destroy", *options)
    looks = only_looks(invocation, yes) or not destruction.going
    if looks or not invocation.options.json:
        next_ = f"{again} --yes" if looks and destruction.going and not destruction.owned else None
        invocation.out.show(destruction_view(invocation.env, aws.names.stack, destruction, aws.account_id, next_))
    _check_owner(destruction, target.profile.environment)
    if looks:
        if destruction.going:
            invocation.out.note(LOOKED)
        return
    if destruction.running and not stop_runs:
        are = "run is" if destruction.running == 1 else "runs are"
        raise UsageError(
            f"{destruction.running} {are} under way: wait for the end, or say --stop-runs. Nothing was removed."
        )
    if not yes:
        if target.profile.asks_for_its_name:
            confirm_name(target.profile.environment, "Nothing was removed")
        else:
            confirm(f"Remove {len(destruction.going)} resources of {invocation.env}?", "Nothing was removed")
    invocation.interrupted_note = f"Interrupted: what is removed is gone; run '{again}' again for the rest."
    target = replace(target, command="destroy")
    kinds = kinds_for_destruction(KINDS, deletes_data=delete_data, stops_runs=stop_runs)
    deploying = deploying_of(invocation, target, aws, destruction.plan, Agreed(), kinds)
    run(invocation, deploying)
    open_ = [*deploying.execution.failed, *deploying.execution.unreached]
    if open_:
        failed = deploying.execution.failed[0]
        raise CloudError(
            f"{len(open_)} of {len(destruction.going)} resources were not removed; the first, "
            f"{failed.step.resource.label}: {failed.reason.rstrip('.')}. Run '{again}' again for the rest."
        )


def _look(resources: list[Resource], aws: Aws, delete_data: bool) -> Destruction:
    from ndjctl.deploy.destruction import survey
    from ndjctl.deploy.kinds.registry import KINDS
    from ndjctl.deploy.looking import look
    from ndjctl.output.moving import counting

    with counting("looking", "resource", len(resources)) as progress:
        observed = look(resources, aws, KINDS, progress)
        return survey(resources, observed, aws, deletes_data=delete_data)


def _check_owner(destruction: Destruction, environment: str) -> None:
    """Raises UsageError where the names are those of another environment."""
    if not destruction.owned:
        return
    other = destruction.owned[0]
    owner, _, region = str(other.owner).partition(" in ")
    say = f"--set region={region}" if region else f"--env {owner}"
    raise UsageError(
        f"{len(destruction.owned)} of these resources belong to the environment {other.owner!r} "
        f"({other.resource.label}, ...), and nothing was removed: say {say}, or give {environment!r} the "
        f"names that it was deployed under ('suffix' in its profile, or --set suffix=...)."
    )
