"""`ndjctl local`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.confirm import YesOption, confirm
from ndjctl.cli.invocation import Invocation, command
from ndjctl.errors import UsageError

if TYPE_CHECKING:
    from ndjctl.embedded.cloud import EmbeddedCloud

app = typer.Typer(no_args_is_help=True, help="The embedded cloud on this machine.")

DEFAULT_ACCOUNT = "000000000000"
"""The account that `--env local` acts in."""

AccountOption = Annotated[
    str, typer.Option("--account", help="Account to act in: any 12 digits; it need not be there yet.", metavar="ID")
]


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


def env(
    invocation: Invocation,
    account: AccountOption = DEFAULT_ACCOUNT,
) -> None:
    """Print shell lines that point --env prod, the aws CLI and boto3 at the embedded cloud; start it if needed.

    For eval "$(ndjctl local env --account 111122223333)": what that shell runs from then on acts in that account of the
    embedded cloud. Accounts, regions and their limits are apart, as on AWS.
    """
    from ndjctl.embedded.shell import checked_account, client_variables
    from ndjctl.output.cloud import variables_view

    account_id = checked_account(account)
    status = _cloud(invocation).ensure_started(invocation.out.note)
    region = invocation.loaded.profile.region
    variables = client_variables(str(status.endpoint_url), account_id, region, os.environ)
    invocation.out.show(variables_view(variables))


def _cloud(invocation: Invocation) -> EmbeddedCloud:
    from ndjctl.embedded.provider import embedded_cloud

    profile = invocation.loaded.profile
    if profile.cloud != "embedded":
        raise UsageError(
            f"The environment {invocation.env} is not an embedded cloud: leave out --env, or use '--env local'."
        )
    return embedded_cloud(profile, invocation.data_dir)


for function in (start, stop, status, reset, env):
    command(app, function.__name__)(function)
