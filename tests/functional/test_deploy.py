"""Deploying into the embedded cloud: everything there, again nothing to do, and each change mended alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ndjctl.aws import Cloud
from ndjctl.bundles import Bundle, glue_bundle, lambda_bundle
from ndjctl.contracts import STATUS_INDEX
from ndjctl.deploy.apply import deploy
from ndjctl.deploy.changes import Change
from ndjctl.deploy.desired import desired_state
from ndjctl.errors import CloudError
from ndjctl.profiles import load_profile

Deploy = Callable[..., list[Change]]


@pytest.fixture
def deployed(embedded: Cloud) -> Deploy:
    def run(*assignments: str, env: str = "dev", job: Bundle | None = None) -> list[Change]:
        profile = load_profile(env, working_dir=Path("/nonexistent"), assignments=assignments).profile
        bundle = job or glue_bundle()
        state = desired_state(profile, embedded.names, bundle)
        return list(deploy(embedded.client, state, lambda_bundle(), bundle, time.sleep))

    return run


def changed(changes: list[Change]) -> dict[str, tuple[str, ...]]:
    return {f"{c.kind} {c.action}": c.fields for c in changes if c.action != "unchanged"}


def test_everything_comes_into_being_and_stays(embedded: Cloud, deployed: Deploy) -> None:
    first = deployed()
    assert {c.action for c in first} == {"created"}
    assert changed(deployed()) == {}
    table = embedded.client("dynamodb").describe_table(TableName=embedded.names.tracking_table)["Table"]
    assert [i["IndexName"] for i in table["GlobalSecondaryIndexes"]] == [STATUS_INDEX]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    ttl = embedded.client("dynamodb").describe_time_to_live(TableName=embedded.names.tracking_table)[
        "TimeToLiveDescription"
    ]
    assert (ttl["AttributeName"], ttl["TimeToLiveStatus"]) == ("ttl", "ENABLED")
    notification = embedded.client("s3").get_bucket_notification_configuration(Bucket=embedded.names.input_bucket)
    assert len(notification["QueueConfigurations"]) == 1
    rule = embedded.client("events").describe_rule(Name=embedded.names.run_state_rule)
    assert json.loads(rule["EventPattern"])["detail"] == {"jobName": [embedded.names.job]}
    policy = embedded.client("lambda").get_policy(FunctionName=embedded.names.function)["Policy"]
    assert f"rule/{embedded.names.run_state_rule}" in policy and f"rule/{embedded.names.sweep_rule}" in policy
    job = embedded.client("glue").get_job(JobName=embedded.names.job)["Job"]
    bucket, _, key = job["Command"]["ScriptLocation"].removeprefix("s3://").partition("/")
    assert embedded.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"] > 0


@pytest.mark.parametrize(
    ("assignment", "kind", "field"),
    [
        ("function.memory_mb=1024", "function updated", "MemorySize"),
        ("batching.max_files_per_manifest=7", "function updated", "Environment.Variables.MAX_FILES_PER_MANIFEST"),
        ("function.reserved_concurrency=9", "function updated", "ReservedConcurrentExecutions"),
        ("function.batch_size=5", "mapping updated", "BatchSize"),
        ("function.timeout_s=200", "queue updated", "VisibilityTimeout"),
        ("job.workers=3", "job updated", "NumberOfWorkers"),
        ("job.metrics=false", "job updated", "DefaultArguments.--enable-metrics"),
        ("job.spark_conf.spark.x.y=1", "job updated", "DefaultArguments.--conf"),
    ],
)
def test_a_changed_setting_updates_its_field(deployed: Deploy, assignment: str, kind: str, field: str) -> None:
    deployed()
    found = changed(deployed(assignment))
    assert field in found[kind]
    assert changed(deployed(assignment)) == {}


def test_others_things_are_kept(embedded: Cloud, deployed: Deploy) -> None:
    deployed()
    s3, lambda_ = embedded.client("s3"), embedded.client("lambda")
    theirs = {"Id": "theirs", "QueueArn": "arn:aws:sqs:us-east-1:000000000000:x", "Events": ["s3:ObjectRemoved:*"]}
    embedded.client("sqs").create_queue(QueueName="x")
    current = s3.get_bucket_notification_configuration(Bucket=embedded.names.input_bucket)["QueueConfigurations"]
    current[0]["Events"] = ["s3:ObjectCreated:Put"]
    s3.put_bucket_notification_configuration(
        Bucket=embedded.names.input_bucket, NotificationConfiguration={"QueueConfigurations": [*current, theirs]}
    )
    variables = lambda_.get_function_configuration(FunctionName=embedded.names.function)["Environment"]["Variables"]
    lambda_.update_function_configuration(
        FunctionName=embedded.names.function,
        Environment={"Variables": {**variables, "THEIRS": "1", "LOG_LEVEL": "ERROR"}},
    )
    assert changed(deployed()) == {
        "notification updated": ("QueueConfigurations",),
        "function updated": ("Environment.Variables.LOG_LEVEL",),
    }
    ids = {
        q["Id"]
        for q in s3.get_bucket_notification_configuration(Bucket=embedded.names.input_bucket)["QueueConfigurations"]
    }
    assert "theirs" in ids
    after = lambda_.get_function_configuration(FunctionName=embedded.names.function)["Environment"]["Variables"]
    assert after == {**variables, "THEIRS": "1"}


def test_a_lost_permission_is_given_back(embedded: Cloud, deployed: Deploy) -> None:
    deployed()
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::elsewhere/*"}
    embedded.client("iam").put_role_policy(
        RoleName=embedded.names.job_role,
        PolicyName="ndjctl",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    assert changed(deployed()) == {"role updated": ("policy",)}


def test_new_code_goes_beside_the_old(embedded: Cloud, deployed: Deploy) -> None:
    deployed()
    before = embedded.client("s3").list_objects_v2(Bucket=embedded.names.scripts_bucket)["KeyCount"]
    other = Bundle({**glue_bundle().files, "glue_batch_job.py": b"# other\n"})
    found = changed(deployed(job=other))
    assert "scripts created" in found
    assert "Command.ScriptLocation" in found["job updated"]
    assert embedded.client("s3").list_objects_v2(Bucket=embedded.names.scripts_bucket)["KeyCount"] == before + 2


def test_a_table_with_other_keys_is_not_touched(embedded: Cloud, deployed: Deploy) -> None:
    embedded.client("dynamodb").create_table(
        TableName=embedded.names.tracking_table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(CloudError, match="exists with other keys"):
        deployed()
