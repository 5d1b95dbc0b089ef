"""`ndjctl config`."""

from __future__ import annotations

from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.invocation import Invocation, command
from ndjctl.errors import EXIT_FAILED, NdjctlError

if TYPE_CHECKING:
    from ndjctl.advice import AccountFacts

app = typer.Typer(no_args_is_help=True, help="Show and check the settings of an environment.")

OFFLINE = "--offline was given"


def show(invocation: Invocation) -> None:
    """Show every setting of the environment, with presets and --set applied."""
    from ndjctl.advice import advise
    from ndjctl.output.config import profile_view

    loaded = invocation.loaded
    invocation.out.show(profile_view(loaded, advise(loaded.profile, None, None, _today())))


def check(
    invocation: Invocation,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask the account nothing: the settings against each other only.")
    ] = False,
) -> None:
    """Check the settings against each other, the load, and the account's quotas and key.

    Changes nothing. What the account does not tell is said, and is no finding. Exit code 1 when something is found.
    """
    from ndjctl.advice import advise
    from ndjctl.output.config import check_view

    loaded = invocation.loaded
    facts, why = (None, OFFLINE) if offline else _asked(invocation)
    findings = advise(loaded.profile, facts, None, _today())
    invocation.out.show(check_view(invocation.env, loaded, findings, facts, why))
    if findings:
        raise typer.Exit(EXIT_FAILED)


def _today() -> date:
    return datetime.now(timezone.utc).date()


def _asked(invocation: Invocation) -> tuple[AccountFacts | None, str]:
    """What the account told; or None and why it could not be asked."""
    from ndjctl.advice.account import ask_account
    from ndjctl.aws import translated
    from ndjctl.output.progress import spinner

    try:
        with translated(invocation.env), spinner("asking the account"):
            cloud = invocation.cloud
            return ask_account(cloud.client, invocation.loaded.profile, cloud.names.function), ""
    except NdjctlError as error:
        return None, str(error)


command(app, "show")(show)
command(app, "check")(check)
