"""What runs: the code in the scripts bucket, the Glue job, the function with what feeds and wakes it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ndjctl.contracts import FUNCTION_ALIAS, FUNCTION_ZIP, GLUE_SCRIPT, LAMBDA_HANDLER, s3_uri
from ndjctl.deploy.desired import arguments
from ndjctl.deploy.desired.common import Setting
from ndjctl.deploy.model import ABSENT, Resource

SWEEP_SCHEDULE = "rate(1 minute)"
PYTHON_OF_GLUE = "3"
RULE_TARGET = "manifest-builder"
"""The id of our target in a rule; a rule's other targets are left alone."""


def artifacts(setting: Setting) -> tuple[Resource, ...]:
    """Every file of both bundles, by its content."""
    return tuple(
        _artifact(setting, bundle.digest, name, sha256)
        for bundle in (setting.code.function, setting.code.job)
        for name, sha256 in sorted(bundle.sha256.items())
    )


def _artifact(setting: Setting, digest: str, name: str, sha256: str) -> Resource:
    bucket = setting.names.scripts_bucket
    place = f"{bucket}/{setting.artifact_key(digest, name)}"
    return Resource("artifact", place, {"Sha256": sha256, "Retired": ABSENT}, needs=(f"bucket/{bucket}",))


def job(setting: Setting) -> tuple[Resource, ...]:
    """The Glue job, and a connection for each subnet of its workers. Fields are those of Glue's JobUpdate."""
    profile, names = setting.profile, setting.names
    connections = tuple(
        Resource(
            "connection",
            names.connection(subnet),
            {
                "ConnectionType": "NETWORK",
                "PhysicalConnectionRequirements": {
                    "SubnetId": subnet,
                    "AvailabilityZone": zone,
                    "SecurityGroupIdList": sorted(profile.network.security_group_ids),
                },
            },
        )
        for subnet, zone in profile.network.subnets.items()
    )
    job = profile.job
    scripts = [resource.id for resource in artifacts(setting)]
    fields: dict[str, Any] = {
        "Role": setting.arns.role(names.job_role),
        "ExecutionProperty": {"MaxConcurrentRuns": job.max_concurrent_runs},
        "Command": {
            "Name": job.command,
            "ScriptLocation": s3_uri(names.scripts_bucket, setting.artifact_key(setting.code.job.digest, GLUE_SCRIPT)),
            "PythonVersion": PYTHON_OF_GLUE,
        },
        "DefaultArguments": arguments.job_arguments(setting),
        "MaxRetries": job.max_retries,
        "Timeout": job.timeout_min,
        "WorkerType": job.worker_type,
        "NumberOfWorkers": job.workers,
        "GlueVersion": job.glue_version,
        "Tags": setting.tags,
    }
    if connections:
        fields["Connections"] = {"Connections": [connection.name for connection in connections]}
    needs = (f"role/{names.job_role}", *scripts, *(connection.id for connection in connections))
    return *connections, Resource("job", names.job, fields, needs)


def function(setting: Setting) -> tuple[Resource, ...]:
    """The function, the version of it that is live, and the queue that feeds that."""
    profile, names = setting.profile, setting.names
    code_sha256 = setting.code.function.sha256[FUNCTION_ZIP]
    network, key = profile.network, profile.security.kms_key_arn
    configuration: dict[str, Any] = {
        "Runtime": profile.function.runtime,
        "Role": setting.arns.role(names.function_role),
        "Handler": LAMBDA_HANDLER,
        "MemorySize": profile.function.memory_mb,
        "Timeout": profile.function.timeout_s,
        "Environment": {"Variables": arguments.function_environment(setting)},
        "VpcConfig": {
            "SubnetIds": sorted(network.subnets),
            "SecurityGroupIds": sorted(network.security_group_ids),
        },
        "KMSKeyArn": key or "",
        # As Lambda spells a digest.
        "CodeSha256": base64.b64encode(bytes.fromhex(code_sha256)).decode(),
    }
    body = Resource(
        "function",
        names.function,
        {
            **configuration,
            "ReservedConcurrentExecutions": profile.function.reserved_concurrency,
            "Tags": setting.tags,
        },
        needs=(f"role/{names.function_role}", f"log-group/{names.function_log_group}", _function_zip(setting)),
        whole=(("Environment", "Variables"),),
        keep=tuple(profile.function.keep_variables),
    )
    live = Resource(
        "alias",
        names.live_function,
        {"Published": True, "Version": configuration, "Weights": {}},  # all of it to one version, which never changes
        needs=(body.id,),
        whole=(("Version", "Environment", "Variables"), ("Weights",)),
        keep=body.keep,
    )
    mapping = Resource(
        "mapping",
        names.function,
        {
            "FunctionArn": setting.arns.alias(),
            "Enabled": True,
            "BatchSize": profile.function.batch_size,
            "MaximumBatchingWindowInSeconds": profile.function.batch_window_s,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": pollers(profile.function.reserved_concurrency)},
        },
        needs=(live.id, f"queue/{names.queue}"),
    )
    return body, live, mapping


def _function_zip(setting: Setting) -> str:
    bundle = setting.code.function
    return f"artifact/{setting.names.scripts_bucket}/{setting.artifact_key(bundle.digest, FUNCTION_ZIP)}"


def pollers(reserved_concurrency: int) -> int:
    """Batches of messages that are worked on at once. One less than the reserved concurrency, because the sweep and the
    tool invoke the function too: a batch that finds no slot comes back only when its messages are visible again, which
    is after six times the function's timeout, and after a few times it is a dead letter. SQS takes 2 at least."""
    return max(2, reserved_concurrency - 1)


def events(setting: Setting) -> tuple[Resource, ...]:
    """What wakes the function: the sweep's schedule, and the end of a run. Each rule with the permission it needs."""
    names = setting.names
    ended = {
        "source": ["aws.glue"],
        "detail-type": ["Glue Job State Change"],
        "detail": {"jobName": [names.job]},
    }
    return (
        *_rule(
            setting,
            names.sweep_rule,
            "sweep",
            {"ScheduleExpression": SWEEP_SCHEDULE, "Description": "Flushes partial batches and follows runs"},
        ),
        *_rule(
            setting,
            names.run_state_rule,
            "run-state",
            {"EventPattern": ended, "Description": "Follows a run that ended and starts what waits"},
        ),
    )


def _rule(setting: Setting, name: str, about: str, what: Mapping[str, Any]) -> tuple[Resource, ...]:
    alias = f"alias/{setting.names.live_function}"
    rule = Resource(
        "rule",
        name,
        {**what, "State": "ENABLED", "Targets": {RULE_TARGET: setting.arns.alias()}, "Tags": setting.tags},
        needs=(alias,),
        whole=(("EventPattern",),),  # with a key more it would match less
    )
    permission = Resource(
        "permission",
        f"{setting.names.live_function}:ndjctl-{about}-{FUNCTION_ALIAS}",
        {
            "Effect": "Allow",
            "Action": "lambda:InvokeFunction",
            "Principal": {"Service": "events.amazonaws.com"},
            "Condition": {"ArnLike": {"AWS:SourceArn": setting.arns.rule(name)}},
        },
        needs=(alias, rule.id),
        whole=(("Principal",), ("Condition",)),
    )
    return rule, permission
