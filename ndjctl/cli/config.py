"""`ndjctl config`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.invocation import Invocation, command
from ndjctl.errors import EXIT_FAILED, NdjctlError

if TYPE_CHECKING:
    from ndjctl.advice import AccountFacts, Observed

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
    """Check the settings against each other, the load, the account's quotas and key, and what is deployed.

    Changes nothing. What the account does not tell is said, and is no finding; nor is what is not deployed. Exit code 1
    when something is found.
    """
    from ndjctl.advice import advise
    from ndjctl.output.config import check_view

    loaded = invocation.loaded
    asked = Asked(OFFLINE) if offline else _asked(invocation)
    findings = advise(loaded.profile, asked.facts, asked.seen, _today())
    invocation.out.show(check_view(invocation.env, loaded, findings, asked.facts, asked.why, asked.seen, asked.remarks))
    if findings:
        raise typer.Exit(EXIT_FAILED)


def _today() -> date:
    return datetime.now(timezone.utc).date()


@dataclass(frozen=True)
class Asked:
    """What the account told, and what is deployed in it; None where it was not asked, and then why. remarks: what of
    the deployed resources could not be read."""

    why: str = ""
    facts: AccountFacts | None = None
    seen: Observed | None = None
    remarks: tuple[str, ...] = ()


def _asked(invocation: Invocation) -> Asked:
    from ndjctl.advice.account import ask_account
    from ndjctl.aws import translated
    from ndjctl.cli.deploying import aws_of, target_of_profile
    from ndjctl.deploy.kinds.registry import KINDS
    from ndjctl.deploy.seen import look_at_advised
    from ndjctl.output.progress import spinner

    try:
        with translated(invocation.env), spinner("asking the account"):
            cloud = invocation.cloud
            facts = ask_account(cloud.client, invocation.loaded.profile, cloud.names.function)
            aws = aws_of(invocation)
            resources = target_of_profile(invocation).resources(aws)
            seen, remarks = look_at_advised(resources, aws, KINDS, invocation.env)
            return Asked("", facts, seen, remarks)
    except NdjctlError as error:
        return Asked(str(error))


command(app, "show")(show)
command(app, "check")(check)
