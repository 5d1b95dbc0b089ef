"""`ndjctl export`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ndjctl.cli.invocation import Invocation, command
from ndjctl.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Write an environment down for other tools.")


class Format(str, Enum):
    JSON = "json"
    YAML = "yaml"


def cloudformation(
    invocation: Invocation,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", readable=False, help="File for the template, instead of stdout.", metavar="FILE"),
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="How the template is written; functions have their long form.")
    ] = Format.JSON,
    bundles: Annotated[
        Path | None,
        typer.Option(
            "--bundles",
            readable=False,
            help="Folder for the code that the template names; made if need be.",
            metavar="DIR",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that hold something else.")] = False,
) -> None:
    """Write the resources of the environment as a CloudFormation template.

    They are those of 'deploy', with every field. It needs no account, CloudFormation fills that in. The parameter
    CodeBucket names a bucket of yours that holds the code; the commands for uploading it and for making the stack are
    told at the end.
    """
    from ndjctl.exports import export_cloudformation
    from ndjctl.output.export import export_view, next_steps

    if invocation.options.json and out is None and form is Format.YAML:
        raise UsageError("With --json the template is a part of the JSON document: name a file with --out for YAML.")
    made = export_cloudformation(invocation.loaded.profile, form.value, out, bundles, force)
    invocation.out.show(export_view(made))
    if not invocation.options.json:
        for line in next_steps(made):
            invocation.out.note(line)


command(app, "cloudformation")(cloudformation)
