"""`ndjctl local`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ndjctl.cli.confirm import YesOption, confirm
from ndjctl.cli.invocation import Invocation, command
from ndjctl.errors import UsageError

if TYPE_CHECKING:
    from ndjctl.embedded.cloud import EmbeddedCloud

app = typer.Typer(no_args_is_help=True, help="The embedded cloud on this machine.")


def start(invocation: Invocation) -> None:
    """Start the embedded cloud; nothing happens if it runs."""
    from ndjctl.output.cloud import status_view

    invocation.out.show(status_view(_cloud(invocation).ensure_started(invocation.out.note)))


def stop(invocation: Invocation) -> None:
    """Stop the embedded cloud and keep all that is in it."""
    from ndjctl.output.cloud import status_view

    invocation.out.show(status_view(_cloud(invocation).stop(invocation.out.note)))


def status(invocation: Invocation) -> None:
    """Show whether the embedded cloud runs, where it answers and where it keeps its data."""
    from ndjctl.output.cloud import status_view

    invocation.out.show(status_view(_cloud(invocation).status()))


def reset(
    invocation: Invocation,
    yes: YesOption = False,
) -> None:
    """Stop the embedded cloud and delete everything in it.

    Asks first, unless --yes says so.
    """
    from ndjctl.output.cloud import status_view

    cloud = _cloud(invocation)
    if not yes:
        confirm(f"Delete everything in {cloud.data_dir}?", "Nothing was deleted")
    cloud.reset(invocation.out.note)
    invocation.out.show(status_view(cloud.status()))


def _cloud(invocation: Invocation) -> EmbeddedCloud:
    from ndjctl.embedded.provider import embedded_cloud

    profile = invocation.loaded.profile
    if profile.cloud != "embedded":
        raise UsageError(
            f"The environment {invocation.env} is not an embedded cloud: leave out --env, or use '--env local'."
        )
    return embedded_cloud(profile, invocation.data_dir)


for function in (start, stop, status, reset):
    command(app, function.__name__)(function)
