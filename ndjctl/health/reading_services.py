"""Reads what an environment is made of: queues, function, what wires them, rules, the job and its newest runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from ndjctl.aws import is_not_found
from ndjctl.contracts import FUNCTION_ALIAS, JobArg, Names, parse_iso_utc
from ndjctl.glue_runs import run_of, utc_of
from ndjctl.health.facts import Clock, Function, Job, Queue, Rule, Run, Runs, SourceMapping, Wiring
from ndjctl.locks import aws_time_of

RUNS_PER_PAGE = 200
"""The most that GetJobRuns gives at once; more than an hour's worth at 140 manifests an hour."""

_MANIFEST = re.compile(r"/manifests/(\d{4}-\d\d-\d\d)/manifest-([^/]+)\.json$")


def read_clock(sts: Any, now: datetime) -> Clock:
    """now: by this machine's clock. AWS tells its time with a refusal too, such as one for a clock that is off."""
    from botocore.exceptions import ClientError

    try:
        metadata = sts.get_caller_identity().get("ResponseMetadata", {})
    except ClientError as error:
        metadata = error.response.get("ResponseMetadata", {})
    aws_time = aws_time_of(metadata)
    # AWS cuts its time down to the second: half of one is the best guess at what is missing.
    return Clock(None if aws_time is None else (now - aws_time).total_seconds() - 0.5)


def read_queue(sqs: Any, name: str) -> Queue:
    url = str(sqs.get_queue_url(QueueName=name)["QueueUrl"])
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]).get("Attributes", {})
    return Queue(url, {str(key): str(value) for key, value in attributes.items()})


def read_function(lambda_: Any, names: Names) -> Function:
    """The version that is live."""
    answer = lambda_.get_function(FunctionName=names.function, Qualifier=FUNCTION_ALIAS)
    configuration = answer["Configuration"]
    reserved = answer.get("Concurrency", {}).get("ReservedConcurrentExecutions")
    return Function(
        version=str(configuration.get("Version", "")),
        state=str(configuration.get("State", "Active")),
        state_reason=str(configuration.get("StateReason", "")),
        runtime=str(configuration.get("Runtime", "")),
        memory_mb=int(configuration.get("MemorySize", 0)),
        timeout_s=int(configuration.get("Timeout", 0)),
        variables=configuration.get("Environment", {}).get("Variables", {}),
        reserved_concurrency=None if reserved is None else int(reserved),
        modified_at=_lambda_moment(str(configuration.get("LastModified", ""))),
    )


def _lambda_moment(text: str) -> datetime | None:
    """Lambda writes 2026-11-27T17:53:09.262+0000."""
    try:
        return parse_iso_utc(re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text))
    except ValueError:
        return None


def read_mappings(lambda_: Any, queue_arn: str) -> tuple[SourceMapping, ...]:
    """Of the queue to any function; the first page, which holds 100."""
    answer = lambda_.list_event_source_mappings(EventSourceArn=queue_arn, MaxItems=100)
    return tuple(
        SourceMapping(
            mapping_id=str(each["UUID"]),
            function_arn=str(each.get("FunctionArn", "")),
            state=str(each.get("State", "")),
            last_result=str(each.get("LastProcessingResult", "")),
            batch_size=int(each.get("BatchSize", 0)),
        )
        for each in answer.get("EventSourceMappings", [])
    )


def read_wirings(s3: Any, bucket: str) -> tuple[Wiring, ...]:
    answer = s3.get_bucket_notification_configuration(Bucket=bucket)
    return tuple(_wiring(each) for each in answer.get("QueueConfigurations", []))


def _wiring(configuration: Mapping[str, Any]) -> Wiring:
    rules = configuration.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    told = {str(rule.get("Name", "")).lower(): str(rule.get("Value", "")) for rule in rules}
    return Wiring(
        queue_arn=str(configuration.get("QueueArn", "")),
        events=tuple(map(str, configuration.get("Events", []))),
        prefix=told.get("prefix", ""),
        suffix=told.get("suffix", ""),
    )


def missing_tables(dynamodb: Any, names: Names) -> tuple[str, ...]:
    """Names of the tables that are not there. One that is being made counts as there."""
    tables = (names.tracking_table, names.metrics_table)
    return tuple(table for table in tables if not _is_there(partial(dynamodb.describe_table, TableName=table)))


def missing_buckets(s3: Any, names: Names) -> tuple[str, ...]:
    """Names of the buckets that are not there, but for the input bucket: what it tells the queue is asked of it."""
    buckets = (bucket for bucket in names.buckets if bucket != names.input_bucket)
    return tuple(bucket for bucket in buckets if not _is_there(partial(s3.head_bucket, Bucket=bucket)))


def _is_there(ask: Callable[[], Any]) -> bool:
    from botocore.exceptions import ClientError

    try:
        ask()
    except ClientError as error:
        if not is_not_found(error):
            raise
        return False
    return True


def read_rule(events: Any, name: str) -> Rule:
    rule = events.describe_rule(Name=name)
    targets = events.list_targets_by_rule(Rule=name).get("Targets", [])
    return Rule(
        name=name,
        is_enabled=rule.get("State", "ENABLED") != "DISABLED",
        schedule=str(rule.get("ScheduleExpression", "")),
        targets=tuple(str(target.get("Arn", "")) for target in targets),
    )


def read_job(glue: Any, name: str) -> Job:
    job = glue.get_job(JobName=name)["Job"]
    command = job.get("Command", {})
    return Job(
        command=str(command.get("Name", "")),
        glue_version=str(job.get("GlueVersion", "")),
        worker_type=str(job.get("WorkerType", "")),
        workers=int(job.get("NumberOfWorkers") or 0),
        max_concurrent_runs=int(job.get("ExecutionProperty", {}).get("MaxConcurrentRuns") or 1),
        timeout_min=int(job.get("Timeout") or 0),
        max_retries=int(job.get("MaxRetries") or 0),
        script_uri=str(command.get("ScriptLocation", "")),
        arguments=job.get("DefaultArguments", {}),
        modified_at=utc_of(job.get("LastModifiedOn")),
    )


def read_runs(glue: Any, name: str) -> Runs:
    """The newest ones, one page."""
    answer = glue.get_job_runs(JobName=name, MaxResults=RUNS_PER_PAGE)
    return Runs(tuple(run_seen(run) for run in answer.get("JobRuns", [])), not answer.get("NextToken"))


def run_seen(answer: Mapping[str, Any]) -> Run:
    """answer: a JobRun as Glue tells it."""
    path = str(answer.get("Arguments", {}).get(f"--{JobArg.MANIFEST_PATH}", ""))
    place = _MANIFEST.search(path)
    capacity = answer.get("MaxCapacity")
    return Run(
        run=run_of(answer),
        manifest_id=place[2] if place else "",
        manifest_date=place[1] if place else "",
        attempt=int(answer.get("Attempt") or 0),
        worker_type=str(answer.get("WorkerType", "")),
        workers=int(answer.get("NumberOfWorkers") or 0),
        dpus=None if capacity is None else float(capacity),
        timeout_min=int(answer.get("Timeout") or 0),
    )
