"""What the commands that plan and deploy have in common: options, what they use of the cloud, and the order of things:
look, show, ask, do, show.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl import __version__
from ndjctl.cli.confirm import confirm_name
from ndjctl.cli.invocation import Invocation
from ndjctl.errors import CloudError, UsageError

if TYPE_CHECKING:
    from ndjctl.deploy.deployment import Agreed, Deploying, Target
    from ndjctl.deploy.kinds.base import Aws, Kind
    from ndjctl.deploy.model import Plan

AllowDataLossOption = Annotated[
    bool, typer.Option("--allow-data-loss", help="Also do what deletes data, such as an earlier expiry of objects.")
]
AllowShrinkOption = Annotated[
    bool, typer.Option("--allow-shrink", help="Also shrink capacity below what is running at this moment.")
]
AllowReplaceOption = Annotated[
    bool, typer.Option("--allow-replace", help="Also replace a table that has other keys: what is in it is deleted.")
]
TakeOverOption = Annotated[
    bool, typer.Option("--take-over", help="Also change resources that are tagged as another environment's.")
]


def agreed_of(data_loss: bool, shrink: bool, replace: bool, take_over: bool) -> Agreed:
    from ndjctl.deploy.deployment import Agreed
    from ndjctl.deploy.model import Danger

    said: dict[Danger, bool] = {
        "deletes data": data_loss,
        "shrinks below what is running": shrink,
        "replaces a table": replace,
    }
    return Agreed(frozenset(danger for danger, is_said in said.items() if is_said), take_over)


def target_of_profile(invocation: Invocation) -> Target:
    """What the profile asks for, with the code of this version."""
    from ndjctl.bundles import Code, glue_bundle, lambda_bundle
    from ndjctl.deploy.deployment import Target

    loaded = invocation.loaded
    code = Code(lambda_bundle().index, glue_bundle().index)
    return Target(loaded.profile, loaded.source, loaded.overrides, code)


def aws_of(invocation: Invocation) -> Aws:
    from ndjctl.bundles import glue_bundle, lambda_bundle
    from ndjctl.deploy.deployment import artifacts_of
    from ndjctl.deploy.kinds.base import Aws

    cloud = invocation.cloud
    artifacts = artifacts_of((lambda_bundle(), glue_bundle()))
    return Aws(cloud.client, cloud.region, cloud.names, time.sleep, artifacts, now)


def make_plan(invocation: Invocation, target: Target, aws: Aws) -> Plan:
    from ndjctl.deploy.deployment import plan_for
    from ndjctl.deploy.kinds.registry import KINDS
    from ndjctl.output.moving import counting

    total = len(target.resources(aws))
    with counting("looking", "resource", total) as progress:
        return plan_for(target, aws, KINDS, progress)


def carry_out(
    invocation: Invocation,
    target: Target,
    aws: Aws,
    plan: Plan,
    agreed: Agreed,
    *,
    yes: bool,
    look: str,
    rest: str,
) -> None:
    """Shows the plan and asks where the environment wants it, deploys, and shows what was done. look: the command that
    shows what would be done, for where nobody can be asked. rest: what to do where not all was done. Raises UsageError
    where something was not agreed to, CloudError where not all was done."""
    from ndjctl.cli.advising import findings_of
    from ndjctl.deploy.deployment import check_agreed, check_code
    from ndjctl.output.plan import plan_view

    check_code(plan, aws)
    asks = target.profile.asks_for_its_name and not yes and bool(plan.pending)
    if asks and not invocation.options.json:
        findings, remarks = findings_of(invocation, target, plan)
        invocation.out.show(plan_view(invocation.env, target.source, plan, aws.account_id, findings, remarks))
    else:
        _tell_budget(invocation, target)
    check_agreed(plan, agreed, target.profile.environment)
    if asks and invocation.options.json:
        raise UsageError(
            f"Nothing was changed: {invocation.env} asks for its name, and with --json nobody is asked; say --yes, or "
            f"look with '{look}'."
        )
    if asks:
        confirm_name(target.profile.environment, "Nothing was changed")
    deploying = deploying_of(invocation, target, aws, plan, agreed)
    invocation.interrupted_note = f"Interrupted: what was done stays; {rest}."
    run(invocation, deploying)
    if deploying.retirement.remark:
        invocation.out.note(f"old code was not marked for removal: {deploying.retirement.remark}")
    open_ = [*deploying.execution.failed, *deploying.execution.unreached]
    if open_:
        first = deploying.execution.failed[0]
        raise CloudError(
            f"{len(open_)} of {len(deploying.execution.steps)} changes were not made; the first, "
            f"{first.step.resource.label}: {first.reason.rstrip('.')}. What was done stays: {rest}."
        )


def _tell_budget(invocation: Invocation, target: Target) -> None:
    """Says on stderr what is wrong with the budget of the day, where no plan with its findings is shown."""
    from ndjctl.advice.budget import budget_findings

    for finding in budget_findings(target.profile):
        invocation.out.note(f"{finding.severity}: {finding.sentence}")


def run(invocation: Invocation, deploying: Deploying) -> None:
    """Carries out, with progress on stderr, and shows what was done also where it was stopped."""
    from ndjctl.output.plan import deployed_view
    from ndjctl.output.stepping import Stepping

    begun = time.monotonic()
    steps = Stepping()
    deploying.aws.tell = steps.detail
    try:
        with invocation.cloud.deploying(), steps.shown(len(deploying.execution.steps)):
            deploying.run(lambda step: steps.begin(f"{step.action} {step.resource.label}"))
    finally:
        invocation.out.show(
            deployed_view(
                invocation.env,
                deploying.aws.names.stack,
                deploying.execution,
                deploying.plan,
                deploying.record.id if deploying.record else None,
                deploying.aws.account_id,
                time.monotonic() - begun,
            )
        )


def apply_quietly(invocation: Invocation) -> None:
    """Deploys without showing anything: for `run`, where deploying is not what was asked for. Raises CloudError where
    not all was done."""
    from ndjctl.deploy.deployment import Agreed, check_agreed

    target, aws = target_of_profile(invocation), aws_of(invocation)
    with invocation.cloud.deploying():
        plan = make_plan(invocation, target, aws)
        check_agreed(plan, Agreed(), target.profile.environment)
        deploying = deploying_of(invocation, target, aws, plan, Agreed())
        deploying.run(lambda _step: None)
    if deploying.execution.failed:
        first = deploying.execution.failed[0]
        raise CloudError(
            f"{first.step.resource.label} could not be made ({first.reason.rstrip('.')}): run "
            f"'{invocation.typed('deploy')}' for the rest."
        )


def deploying_of(
    invocation: Invocation,
    target: Target,
    aws: Aws,
    plan: Plan,
    agreed: Agreed,
    kinds: Mapping[str, Kind] | None = None,
) -> Deploying:
    """A plan ready to be carried out and written down. kinds: those of the registry, unless given."""
    from ndjctl.deploy.deployment import Deploying, Writing, caller
    from ndjctl.deploy.kinds.registry import KINDS

    by = caller(str(invocation.cloud.client("sts").get_caller_identity()["Arn"])) if plan.pending else ""
    writing = Writing(by, __version__, now, lambda: secrets.token_hex(2))
    return Deploying(target, plan, aws, kinds or KINDS, agreed, writing)


def now() -> datetime:
    return datetime.now(timezone.utc)
