"""A stack made from the template, in the embedded cloud: what the planner then finds to change."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from ndjctl.aws import Cloud
from ndjctl.bundles import Code, glue_bundle, lambda_bundle
from ndjctl.contracts import Names
from ndjctl.deploy.desired import desired_state
from ndjctl.deploy.kinds.base import Aws
from ndjctl.deploy.kinds.registry import KINDS
from ndjctl.deploy.looking import look
from ndjctl.deploy.planner import make_plan
from ndjctl.deploy.template import Template, cloudformation
from ndjctl.profiles import load_profile
from ndjctl.settings import Profile
from tests.deploy_world import utc_now
from tests.template_world import EVERYTHING, deployed

# What ministack's CloudFormation leaves out of what it makes: kind and field. cfn-lint and the unit tests see to these.
NOT_MADE_THERE = {
    ("bucket", "Encryption"),
    ("bucket", "Lifecycle"),
    ("bucket", "Tags"),
    ("table", "TimeToLive"),
    ("table", "PointInTimeRecovery"),
    ("table", "KMSMasterKeyArn"),
    ("role", "PermissionsBoundary"),
    ("function", "VpcConfig"),
    ("function", "KMSKeyArn"),
    ("function", "ReservedConcurrentExecutions"),
    ("alias", "Version.VpcConfig"),
    ("alias", "Version.KMSKeyArn"),
    ("topic", "KmsMasterKeyId"),
}
# The code is elsewhere, and the job is told so.
CODE_ELSEWHERE = {
    ("artifact", "create"),
    ("job", "Command.ScriptLocation"),
    ("job", "DefaultArguments.--extra-py-files"),
    ("role", "Policy.ReadObjects.Resource"),
}


def wanted(cloud: Cloud, *assignments: str) -> Profile:
    """Production with every setting given, under the names of this test."""
    settings = [*EVERYTHING, *assignments, f"suffix={cloud.names.suffix}"]
    return load_profile("prod", working_dir=Path("/nonexistent"), assignments=settings).profile


def code() -> Code:
    return Code(lambda_bundle().index, glue_bundle().index)


def put_code(cloud: Cloud, template: Template, bucket: str) -> None:
    """As the command says to: every file under its key."""
    files = {**lambda_bundle().files, **glue_bundle().files}
    for name, key in template.code.items():
        cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=files[name])


def set_stack(cloud: Cloud, template: Template, bucket: str, *, is_new: bool) -> None:
    stacks = cloud.client("cloudformation")
    arguments: dict[str, Any] = {
        "StackName": template.stack,
        "TemplateBody": json.dumps(template.document),
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "Parameters": [{"ParameterKey": "CodeBucket", "ParameterValue": bucket}],
    }
    (stacks.create_stack if is_new else stacks.update_stack)(**arguments)
    deadline = time.monotonic() + 60
    while True:
        status = stacks.describe_stacks(StackName=template.stack)["Stacks"][0]["StackStatus"]
        if not status.endswith("_IN_PROGRESS"):
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
    events = stacks.describe_stack_events(StackName=template.stack)["StackEvents"]
    failed = [
        f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason')}" for e in events if "FAILED" in e["ResourceStatus"]
    ]
    assert (status, failed) == ("CREATE_COMPLETE" if is_new else "UPDATE_COMPLETE", [])


def set_glue(cloud: Cloud, template: Template, bucket: str, *, is_new: bool) -> None:
    """CloudFormation there makes Glue's resources in a Glue that nobody sees, so they are made here, of the template's
    properties: those of a job are the arguments of CreateJob. Glue's endpoint checks them by AWS's own model."""
    glue = cloud.client("glue")
    for entry in deployed(template.document, bucket, cloud.account_id).values():
        properties = entry["Properties"]
        if entry["Type"] == "AWS::Glue::Connection" and is_new:
            glue.create_connection(**properties)
        if entry["Type"] == "AWS::Glue::Job" and is_new:
            glue.create_job(**properties)
        if entry["Type"] == "AWS::Glue::Job" and not is_new:
            update = {key: value for key, value in properties.items() if key not in ("Name", "Tags")}
            glue.update_job(JobName=properties["Name"], JobUpdate=update)


def differing(cloud: Cloud, profile: Profile) -> set[tuple[str, str]]:
    """Kind and field of all that the planner would change, "create" for a resource that it would make; without what
    could not be there."""

    def no_artifact(sha256: str) -> bytes:
        raise KeyError(sha256)

    names = Names(cloud.account_id, profile.suffix)
    resources = desired_state(profile, names, code())
    aws = Aws(cloud.client, profile.region, names, lambda _s: None, no_artifact, utc_now)
    found: set[tuple[str, str]] = set()
    for step in make_plan(resources, look(resources, aws, KINDS)).pending:
        labels = [change.label for change in step.changes] or [step.action]
        found |= {(step.resource.kind, label) for label in labels}
    skipped = {
        (kind, label) for kind, label in found for at, field in NOT_MADE_THERE if kind == at and label.startswith(field)
    }
    assert {kind for kind, _ in skipped} == {kind for kind, _ in NOT_MADE_THERE}
    return found - skipped


def live_memory_mb(cloud: Cloud, profile: Profile, qualifier: str = "live") -> int:
    name = Names(cloud.account_id, profile.suffix).function
    found = cloud.client("lambda").get_function_configuration(FunctionName=name, Qualifier=qualifier)
    return int(found["MemorySize"])


def test_the_planner_finds_what_cloudformation_cannot_express_and_nothing_else(embedded: Cloud) -> None:
    profile = wanted(embedded)
    template = cloudformation(profile, code())
    releases = f"releases-{profile.suffix}"
    embedded.client("s3").create_bucket(Bucket=releases)
    put_code(embedded, template, releases)
    set_stack(embedded, template, releases, is_new=True)
    set_glue(embedded, template, releases, is_new=True)
    assert differing(embedded, profile) == CODE_ELSEWHERE

    # The scripts bucket is there now: with the code in it, the stack is as 'deploy' would have it.
    scripts = Names(embedded.account_id, profile.suffix).scripts_bucket
    put_code(embedded, template, scripts)
    set_stack(embedded, template, "", is_new=False)
    set_glue(embedded, template, "", is_new=False)
    assert differing(embedded, profile) == set()

    # Another setting of the function is another version behind the alias; the one before stays.
    larger = wanted(embedded, "function.memory_mb=2048")
    assert differing(embedded, larger) == {("function", "MemorySize"), ("alias", "Version.MemorySize")}
    set_stack(embedded, cloudformation(larger, code()), "", is_new=False)
    assert differing(embedded, larger) == set()
    assert [live_memory_mb(embedded, profile, version) for version in ("live", "1", "2")] == [2048, 1024, 2048]
