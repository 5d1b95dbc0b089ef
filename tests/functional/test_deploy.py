"""Deploying into an empty account: everything there, again nothing to do, and a changed setting changes its fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ndjctl.bundles import Bundle, glue_bundle
from ndjctl.contracts import STATUS_INDEX
from ndjctl.deploy.deployment import Agreed, check_agreed
from ndjctl.deploy.model import ENVIRONMENT_TAG
from ndjctl.errors import UsageError
from tests.deploy_world import Environment, environment, labels, quieten


@pytest.fixture(scope="module")
def env(cloud_dir: Path) -> Iterator[Environment]:
    env = environment(cloud_dir, "100000000004", "dev")
    yield env
    quieten(env.hands)


def test_everything_comes_into_being_once(cloud_dir: Path) -> None:
    env = environment(cloud_dir, "100000000007", "dev")
    first = env.plan()
    assert {step.action for step in first.pending} == {"create"}
    assert len(first.pending) == len(first.steps)
    deploying = env.deploy(plan=first)
    assert deploying.execution.failed == []
    assert len(deploying.execution.outcomes) == len(first.steps)

    with env.recording() as calls:
        again = env.deploy()
    assert again.execution.steps == []
    assert [str(call) for call in calls if call.is_write] == []
    quieten(env.hands)


def test_what_is_there_is_what_the_pipeline_needs(env: Environment) -> None:
    env.deploy()
    client, names = env.hands.client, env.names
    table = client("dynamodb").describe_table(TableName=names.tracking_table)["Table"]
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == [STATUS_INDEX]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    ttl = client("dynamodb").describe_time_to_live(TableName=names.tracking_table)["TimeToLiveDescription"]
    assert (ttl["AttributeName"], ttl["TimeToLiveStatus"]) == ("ttl", "ENABLED")
    told = client("s3").get_bucket_notification_configuration(Bucket=names.input_bucket)["QueueConfigurations"]
    assert [each["QueueArn"].rsplit(":", 1)[-1] for each in told] == [names.queue]
    rule = client("events").describe_rule(Name=names.run_state_rule)
    assert json.loads(rule["EventPattern"])["detail"] == {"jobName": [names.job]}
    policy = client("lambda").get_policy(FunctionName=names.function, Qualifier="live")["Policy"]
    assert f"rule/{names.run_state_rule}" in policy and f"rule/{names.sweep_rule}" in policy
    job = client("glue").get_job(JobName=names.job)["Job"]
    for uri in (job["Command"]["ScriptLocation"], job["DefaultArguments"]["--extra-py-files"]):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        assert client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"] > 0


SETTINGS: list[tuple[str, list[str]]] = [
    ("function.memory_mb=1024", ["function MemorySize", "alias Version.MemorySize"]),
    (
        "batching.max_files_per_manifest=7",
        [f"{kind}Environment.Variables.MAX_FILES_PER_MANIFEST" for kind in ("function ", "alias Version.")],
    ),
    (
        "function.reserved_concurrency=9",
        ["function ReservedConcurrentExecutions", "mapping ScalingConfig.MaximumConcurrency"],
    ),
    ("function.batch_size=5", ["mapping BatchSize"]),
    ("function.timeout_s=200", ["queue VisibilityTimeout", "function Timeout", "alias Version.Timeout"]),
    ("job.workers=3", ["job DefaultArguments.--TASK_SLOTS", "job NumberOfWorkers"]),
    ("job.max_concurrent_runs=9", ["job ExecutionProperty.MaxConcurrentRuns", "alarm Threshold"]),
    ("job.metrics=false", ["role Policy.Metrics", "job DefaultArguments.--enable-metrics"]),
    ("job.spark_conf.spark.x.y=1", ["job DefaultArguments.--conf"]),
    ("queue.max_receives=7", ["queue RedrivePolicy.maxReceiveCount"]),
    ("retention.quarantine_days=9", ["bucket Lifecycle.ndjctl-quarantine"]),
    ("retention.spark_events_days=null", ["bucket Lifecycle.ndjctl-spark-events"]),
    ("tables.point_in_time_recovery=true", ["table PointInTimeRecovery", "table PointInTimeRecovery"]),
]
"""A setting, and the fields (with the kinds of their resources) that it changes."""


def test_a_changed_setting_changes_its_fields_and_no_other(env: Environment) -> None:
    env.deploy()
    for assignment, fields in SETTINGS:
        plan = env.plan(assignment)
        found = [f"{step.resource.kind} {change.label}" for step in plan.pending for change in step.changes]
        assert (assignment, found) == (assignment, fields)
        assert {step.action for step in plan.pending} == {"update"}
    together = [assignment for assignment, _ in SETTINGS]
    assert env.deploy(*together).execution.failed == []
    assert labels(env.plan(*together)) == []
    env.deploy()
    assert labels(env.plan()) == []


def test_alarms_that_are_not_wanted_any_more_go_and_come_back(env: Environment) -> None:
    env.deploy()
    off = env.plan("alarms.enabled=false")
    assert {(step.action, step.resource.kind) for step in off.pending} == {("delete", "alarm"), ("delete", "topic")}
    env.deploy("alarms.enabled=false", plan=off)
    assert labels(env.plan("alarms.enabled=false")) == []
    assert len(env.plan().pending) == len(off.pending)
    env.deploy()
    assert labels(env.plan()) == []


def test_new_code_goes_beside_the_old(env: Environment) -> None:
    env.deploy()
    job = f"job/{env.names.job}"
    other = replace(env, job=Bundle({**glue_bundle().files, "glue_batch_job.py": b"# other\n"}))
    plan = other.plan()
    created = {step.resource.kind for step in plan.pending if step.action == "create"}
    assert created == {"artifact"}
    assert [label for label in labels(plan) if not label.startswith("create")] == [
        f"{job} Command.ScriptLocation",
        f"{job} DefaultArguments.--extra-py-files",
    ]
    other.deploy(plan=plan)
    # The code that was there before still is: a run under way has it, and a rollback finds it.
    assert labels(env.plan()) == [f"{job} Command.ScriptLocation", f"{job} DefaultArguments.--extra-py-files"]
    env.deploy()
    assert labels(env.plan()) == []


def test_a_table_with_other_keys_is_not_touched_unless_that_is_agreed(cloud_dir: Path) -> None:
    env = environment(cloud_dir, "100000000005", "dev")
    dynamodb, table = env.hands.client("dynamodb"), env.names.tracking_table
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    plan = env.plan()
    (step,) = [step for step in plan.pending if step.action == "replace"]
    assert step.resource.id == f"table/{table}"
    with pytest.raises(UsageError, match=r"replaces a table .*--allow-replace"):
        check_agreed(plan, Agreed(), "dev")
    agreed = Agreed(frozenset({"replaces a table"}))
    check_agreed(plan, agreed, "dev")
    assert env.deploy(plan=plan, agreed=agreed).execution.failed == []
    keys = dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]
    assert [key["AttributeName"] for key in keys] == ["date_prefix", "file_key"]
    assert labels(env.plan()) == []
    quieten(env.hands)


def test_a_deployment_is_written_down(env: Environment) -> None:
    env.deploy()
    before = env.history.ids()
    env.deploy()  # nothing to do, nothing to tell
    assert env.history.ids() == before
    env.deploy("job.workers=4")
    newest = next(env.history.newest("dev"))
    assert newest.id not in before
    assert (newest.environment, newest.result, newest.overrides) == ("dev", "done", ("job.workers=4",))
    assert {step["kind"] for step in newest.changes} == {"job"}
    assert newest.settings["job"]["workers"] == 4
    env.deploy()


def test_every_resource_that_takes_tags_says_whose_it_is(env: Environment) -> None:
    env.deploy()
    tagged = [step for step in env.plan().steps if "Tags" in step.resource.fields]
    assert {step.resource.kind for step in tagged} == {
        *("bucket", "queue", "table", "role", "log-group", "job", "function", "rule", "topic", "alarm"),
    }
    for step in tagged:
        assert step.observed is not None
        assert step.observed.fields["Tags"][ENVIRONMENT_TAG] == "dev"
