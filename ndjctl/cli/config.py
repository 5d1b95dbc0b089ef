"""`ndjctl config`."""

from __future__ import annotations

import typer

from ndjctl.cli.invocation import Invocation, command
from ndjctl.errors import EXIT_FAILED

app = typer.Typer(no_args_is_help=True, help="Show and check the settings of an environment.")


def show(invocation: Invocation) -> None:
    """Show every setting of the environment, with presets and --set applied."""
    from ndjctl.output.views import profile_view
    from ndjctl.settings import contradictions

    invocation.out.show(profile_view(invocation.loaded, contradictions(invocation.loaded.profile)))


def check(invocation: Invocation) -> None:
    """Check the settings against each other, such as the size rule against the stated load.

    Exit code 1 when something is found.
    """
    from ndjctl.output.views import findings_view
    from ndjctl.settings import contradictions

    findings = contradictions(invocation.loaded.profile)
    invocation.out.show(findings_view(invocation.env, invocation.loaded.source, findings))
    if findings:
        raise typer.Exit(EXIT_FAILED)


command(app, "show")(show)
command(app, "check")(check)
