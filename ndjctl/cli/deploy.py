"""`ndjctl plan` and `ndjctl deploy`."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl import __version__
from ndjctl.cli.advising import findings_of
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
from ndjctl.cli.invocation import Invocation, command, typed_plain
from ndjctl.cli.loadtesting import tell_passed_phases
from ndjctl.errors import EXIT_FAILED, UsageError

if TYPE_CHECKING:
    from ndjctl.deploy.deployment import Target
    from ndjctl.deploy.kinds.base import Aws
    from ndjctl.deploy.plan_file import SavedPlan


def register(app: typer.Typer) -> None:
    command(app, "plan")(plan)
    command(app, "deploy")(deploy)


def plan(
    invocation: Invocation,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Save the plan; 'ndjctl deploy --plan FILE' does exactly that.", metavar="FILE"),
    ] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 when there are changes.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Show also what is as it should be.")] = False,
) -> None:
    """Show what 'deploy' would create, change and leave alone, field by field. Nothing is changed.

    With --json the account's id is written as {account}.
    """
    from ndjctl.deploy.deployment import needed_for, own_suffix
    from ndjctl.deploy.plan_file import write_plan
    from ndjctl.output.plan import plan_view

    target, aws = target_of_profile(invocation), aws_of(invocation)
    planned = make_plan(invocation, target, aws)
    options = needed_for(planned).options
    words = ("deploy", *(() if out is None else ("--plan", str(out))), *options)
    if out is not None:
        write_plan(
            out,
            planned,
            account_id=aws.account_id,
            settings=target.profile.model_dump(mode="json"),
            source=target.source,
            overrides=target.overrides,
            made_at=f"{now():%Y-%m-%dT%H:%M:%SZ}",
            version=__version__,
            salt=secrets.token_hex(16),
        )
    next_ = take_over = None
    if planned.pending:
        next_ = invocation.typed(*words) if out is None else typed_plain(*words)
    if planned.foreign_owners:
        # The last --set counts.
        own_names = f"{invocation.typed('plan')} --set suffix={own_suffix(target.profile, planned)}"
        next_, take_over = own_names, next_
    findings, remarks = findings_of(invocation, target, planned)
    invocation.out.show(
        plan_view(
            invocation.env,
            target.source,
            planned,
            aws.account_id,
            findings,
            remarks,
            shows_kept=everything,
            next_=next_,
            take_over=take_over,
        )
    )
    if exit_code and planned.pending:
        raise typer.Exit(EXIT_FAILED)


def deploy(
    invocation: Invocation,
    plan_file: Annotated[
        Path | None,
        typer.Option("--plan", help="Do exactly what a saved plan says, or nothing.", metavar="FILE"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for the environment's name.")] = False,
    allow_data_loss: AllowDataLossOption = False,
    allow_shrink: AllowShrinkOption = False,
    allow_replace: AllowReplaceOption = False,
    take_over: TakeOverOption = False,
) -> None:
    """Bring every resource of the environment into being, or up to date.

    Safe to run again: what is as the profile says is kept. In prod it shows the plan and asks for the environment's
    name first. Exit code 3 when something could not be done; the rest is done all the same.
    """
    from ndjctl.deploy.plan_file import check_same

    agreed = agreed_of(allow_data_loss, allow_shrink, allow_replace, take_over)
    invocation.interrupted_note = "Interrupted: nothing was changed."
    if plan_file is None:
        target, aws = target_of_profile(invocation), aws_of(invocation)
        planned = make_plan(invocation, target, aws)
        rest = f"run '{invocation.typed('deploy', *agreed.options)}' again for the rest"
    else:
        saved = _read(invocation, plan_file)
        aws = aws_of(invocation)
        target = _target_of_plan(saved, aws)
        planned = make_plan(invocation, target, aws)
        check_same(saved, planned, aws.account_id)
        rest = "make a plan again for the rest"  # half of this one is done: it does not fit any more
    look = invocation.typed("plan", "--json")
    tell_passed_phases(invocation, target)
    carry_out(invocation, target, aws, planned, agreed, yes=yes, look=look, rest=rest)


def _read(invocation: Invocation, path: Path) -> SavedPlan:
    """The saved plan, whose environment becomes that of the command. Raises UsageError where another was named, or
    settings were: a plan has its own."""
    from ndjctl.deploy.documents import unmasked
    from ndjctl.deploy.plan_file import read_plan

    saved = read_plan(path)
    options = invocation.options
    given = {"--set": options.assignments, "--preset": options.preset, "--profile-dir": options.profile_dir}
    named = [name for name, value in given.items() if value]
    if named:
        raise UsageError(f"A saved plan has its settings in it: leave {' and '.join(named)} out.")
    if options.env is not None and options.env != saved.environment:
        raise UsageError(f"The plan {path} is one for {saved.environment}, not for {options.env}: leave --env out.")
    # Enough to reach the account; its id comes into the settings when it is known.
    reachable = unmasked(saved.settings, "0" * 12)
    invocation.use_profile(saved.environment, reachable, str(path), saved.overrides)
    return saved


def _target_of_plan(saved: SavedPlan, aws: Aws) -> Target:
    from ndjctl.bundles import Code, glue_bundle, lambda_bundle
    from ndjctl.deploy.deployment import Target
    from ndjctl.settings import Profile

    profile = Profile.model_validate(saved.settings_for(aws.account_id))
    return Target(profile, saved.source, saved.overrides, Code(lambda_bundle().index, glue_bundle().index))
