"""Roles, the function with its queue and schedule, and the Glue job: what runs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from ndjctl.aws import is_not_found
from ndjctl.bundles import Bundle
from ndjctl.deploy import policies
from ndjctl.deploy.changes import Change, differing, poll, settled, until_accepted
from ndjctl.deploy.desired import SWEEP_SCHEDULE, DesiredState

INLINE_POLICY = "ndjctl"
SWEEP_TARGET = "manifest-builder"
SWEEP_STATEMENT = "ndjctl-sweep"
RUN_STATE_STATEMENT = "ndjctl-run-state"


def ensure_role(iam: Any, name: str, service: str, policy: dict[str, Any]) -> Change:
    """A role that `service` assumes, with one inline policy of ours. Other policies on it are left alone."""
    trust = policies.trust_policy(service)
    fields = []
    created = False
    try:
        role = iam.get_role(RoleName=name)["Role"]
    except ClientError as error:
        if not is_not_found(error):
            raise
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=policies.to_json(trust))
        created = True
    else:
        if role.get("AssumeRolePolicyDocument") != trust:
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=policies.to_json(trust))
            fields.append("AssumeRolePolicyDocument")
    try:
        observed = iam.get_role_policy(RoleName=name, PolicyName=INLINE_POLICY)["PolicyDocument"]
    except ClientError as error:
        if not is_not_found(error):
            raise
        observed = None
    if observed != policy:
        iam.put_role_policy(RoleName=name, PolicyName=INLINE_POLICY, PolicyDocument=policies.to_json(policy))
        fields.append("policy")
    return Change("role", name, "created") if created else settled("role", name, fields)


def ensure_function(lambda_: Any, desired: DesiredState, bundle: Bundle, sleep: Callable[[float], None]) -> Change:
    """The function's code, configuration and reserved concurrency. Variables of others in its environment stay."""
    name = desired.names.function
    code = bundle.files["function.zip"]
    try:
        observed = lambda_.get_function_configuration(FunctionName=name)
    except ClientError as error:
        if not is_not_found(error):
            raise
        until_accepted(
            lambda: lambda_.create_function(**desired.function, Code={"ZipFile": code}),
            {"InvalidParameterValueException": "role"},  # a role of a moment ago is not assumable yet
            sleep,
        )
        _wait_ready(lambda_, name, sleep)
        lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=desired.function_concurrency)
        return Change("function", name, "created")
    fields = []
    # Before the code: older code ignores a variable that it does not know, newer code cannot do without it.
    changed = differing(desired.function, observed)
    if changed:
        _wait_ready(lambda_, name, sleep)
        variables = observed.get("Environment", {}).get("Variables", {}) | desired.function["Environment"]["Variables"]
        lambda_.update_function_configuration(**desired.function | {"Environment": {"Variables": variables}})
        fields += changed
    if observed.get("CodeSha256") != base64.b64encode(hashlib.sha256(code).digest()).decode():
        _wait_ready(lambda_, name, sleep)
        lambda_.update_function_code(FunctionName=name, ZipFile=code)
        fields.append("code")
    concurrency = lambda_.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
    if concurrency != desired.function_concurrency:
        lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=desired.function_concurrency)
        fields.append("ReservedConcurrentExecutions")
    _wait_ready(lambda_, name, sleep)
    return settled("function", name, fields)


def _wait_ready(lambda_: Any, name: str, sleep: Callable[[float], None]) -> None:
    def ready() -> bool:
        state = lambda_.get_function_configuration(FunctionName=name)
        return bool(state.get("State", "Active") == "Active" and state.get("LastUpdateStatus") != "InProgress")

    poll(ready, f"The function {name}", sleep)


def ensure_mapping(lambda_: Any, desired: DesiredState, queue_arn: str, sleep: Callable[[float], None]) -> Change:
    """The queue feeds the function."""
    name = desired.names.function
    found = lambda_.list_event_source_mappings(FunctionName=name, EventSourceArn=queue_arn)["EventSourceMappings"]
    if not found:
        until_accepted(
            lambda: lambda_.create_event_source_mapping(
                FunctionName=name, EventSourceArn=queue_arn, Enabled=True, **desired.mapping
            ),
            {"InvalidParameterValueException": "role"},
            sleep,
        )
        return Change("mapping", name, "created")
    fields = differing(desired.mapping, found[0])
    if found[0].get("State") in ("Disabled", "Disabling"):
        fields.append("Enabled")
    if fields:
        lambda_.update_event_source_mapping(UUID=found[0]["UUID"], Enabled=True, **desired.mapping)
    return settled("mapping", name, fields)


def ensure_schedule(events: Any, lambda_: Any, desired: DesiredState, arns: policies.Arns) -> Change:
    """The sweep runs on its schedule."""
    rule = {"ScheduleExpression": SWEEP_SCHEDULE, "State": "ENABLED"}
    about = "Flushes partial batches and follows runs"
    return _ensure_rule(events, lambda_, desired, arns, desired.names.sweep_rule, rule, about, SWEEP_STATEMENT)


def ensure_run_state_rule(events: Any, lambda_: Any, desired: DesiredState, arns: policies.Arns) -> Change:
    """The function hears of the end of a run at once: it is followed, and its slot filled, before the next sweep."""
    pattern = {
        "source": ["aws.glue"],
        "detail-type": ["Glue Job State Change"],
        "detail": {"jobName": [desired.names.job]},
    }
    rule = {"EventPattern": policies.to_json(pattern), "State": "ENABLED"}
    about = "Follows a run that ended and starts what waits"
    return _ensure_rule(events, lambda_, desired, arns, desired.names.run_state_rule, rule, about, RUN_STATE_STATEMENT)


def _ensure_rule(
    events: Any,
    lambda_: Any,
    desired: DesiredState,
    arns: policies.Arns,
    name: str,
    wanted: dict[str, Any],
    about: str,
    statement: str,
) -> Change:
    kind = "schedule" if "ScheduleExpression" in wanted else "rule"
    created = False
    try:
        fields = differing(wanted, events.describe_rule(Name=name))
    except ClientError as error:
        if not is_not_found(error):
            raise
        created = True
        fields = []
    if created or fields:
        events.put_rule(Name=name, Description=about, **wanted)
    targets = [] if created else events.list_targets_by_rule(Rule=name)["Targets"]
    if not any(t["Id"] == SWEEP_TARGET and t["Arn"] == arns.function() for t in targets):
        events.put_targets(Rule=name, Targets=[{"Id": SWEEP_TARGET, "Arn": arns.function()}])
        fields.append("target")
    if not _may_be_invoked(lambda_, desired.names.function, statement, arns.rule(name)):
        lambda_.add_permission(
            FunctionName=desired.names.function,
            StatementId=statement,
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=arns.rule(name),
        )
        fields.append("permission")
    return Change(kind, name, "created") if created else settled(kind, name, fields)


def _may_be_invoked(lambda_: Any, function: str, statement: str, rule_arn: str) -> bool:
    try:
        policy = lambda_.get_policy(FunctionName=function)["Policy"]
    except ClientError as error:
        if not is_not_found(error):
            raise
        return False
    return statement in policy and rule_arn in policy


def ensure_scripts(s3: Any, desired: DesiredState, bundle: Bundle) -> Change:
    """The job's bundle in the scripts bucket, under a folder named by its content: a run under way keeps its own."""
    bucket = desired.names.scripts_bucket
    uploaded = []
    for name, body in bundle.files.items():
        key = desired.script_keys[name]
        try:
            if s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(body):
                continue
        except ClientError as error:
            if not is_not_found(error):
                raise
        s3.put_object(Bucket=bucket, Key=key, Body=body)
        uploaded.append(name)
    if len(uploaded) == len(bundle.files):
        return Change("scripts", bucket, "created")
    return settled("scripts", bucket, uploaded)


def ensure_job(glue: Any, desired: DesiredState, sleep: Callable[[float], None]) -> Change:
    """The Glue job. UpdateJob replaces the whole definition, so what others set in it is carried over."""
    name = desired.names.job
    try:
        observed = glue.get_job(JobName=name)["Job"]
    except ClientError as error:
        if not is_not_found(error):
            raise
        until_accepted(lambda: glue.create_job(Name=name, **desired.job), {"InvalidInputException": "role"}, sleep)
        return Change("job", name, "created")
    fields = differing(desired.job, observed)
    ours = set(desired.job["DefaultArguments"])
    # Glue's switches that the profile turned off must go, since their presence alone counts.
    stale = [a for a in observed.get("DefaultArguments", {}) if a.startswith("--enable-") and a not in ours]
    fields += [f"DefaultArguments.{argument}" for argument in stale]
    if fields:
        kept = {k: v for k, v in observed.get("DefaultArguments", {}).items() if k not in stale}
        foreign = {
            k: observed[k]
            for k in (
                "Description",
                "Connections",
                "NonOverridableArguments",
                "SecurityConfiguration",
                "NotificationProperty",
            )
            if observed.get(k)
        }
        update = foreign | desired.job | {"DefaultArguments": kept | desired.job["DefaultArguments"]}
        glue.update_job(JobName=name, JobUpdate=update)
    return settled("job", name, fields)
