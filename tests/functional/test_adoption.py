"""What is there already is taken over: without replacement, without loss, and with everything of others left alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from ndjctl.deploy.desired.storage import NOTIFICATION_ID
from tests import predecessor
from tests.deploy_command import Command, command
from tests.deploy_dump import Dump, different, dump
from tests.reference import names_of

pytest.importorskip("psutil")
pytest.importorskip("ministack")

__all__ = ["command"]


def same(before: Any, after: Any, *path: str) -> Any:
    """One value of both dumps, which must be one."""
    for part in path:
        before, after = before[part], after[part]
    assert after == before, path
    return after


def test_what_the_predecessor_made_is_taken_over(command: Command) -> None:
    names, cloud = names_of(command.account_id), command.hands
    masked = names_of("{account}")
    predecessor.deploy(cloud, "dev")
    identities, before = identities_of(command), dump(cloud, with_ids=True, with_data=True)

    planned = command.does("plan", "--json").document
    actions = {f"{change['kind']}/{change['name']}": change["action"] for change in planned["changes"]}
    there = [
        *(f"bucket/{masked[f'{about}_bucket']}" for about in ("input", "manifest", "output", "quarantine", "scripts")),
        *(f"table/{names[table]}" for table in ("tracking_table", "metrics_table")),
        *(f"queue/{names[queue]}" for queue in ("queue", "dead_letter_queue")),
        *(f"role/{role}" for role in (command.names.function_role, command.names.job_role)),
        f"function/{names['function']}",
        f"mapping/{names['function']}",
        f"job/{names['job']}",
    ]
    assert {actions[each] for each in there} == {"update"}
    assert set(actions.values()) == {"create", "update"}  # nothing is replaced or deleted
    left_alone = {(each["kind"], each["what"]) for each in planned["left_alone"]}
    assert {
        ("bucket", "tags: cost-center"),
        ("bucket", "lifecycle rules: to-ia"),
        ("queue", "policy statements: Auditors, statement 1"),
        ("job", "arguments: --enable-glue-datacatalog"),
        ("notification", "notifications: audit"),
    } <= left_alone

    # One rule would delete something that is there, after a time; those for which nothing is there do not.
    assert planned["dangers"] == ["deletes data"]
    refused = command.does("deploy", code=2)
    assert "objects under manifests/ expire after 90 days): say --allow-data-loss" in refused.error
    assert "glue-temp" not in refused.error
    assert different(dump(cloud, with_ids=True, with_data=True), before) == {}

    command.does("deploy", "--allow-data-loss", "--set", "function.keep_variables=[DD_*]")
    assert command.changes("--set", "function.keep_variables=[DD_*]") == {}
    assert identities_of(command) == identities
    after = dump(cloud, with_ids=True, with_data=True)
    _nothing_is_lost(before, after, names)
    _others_are_left_alone(before, after, names)
    _and_it_is_ours(command, after, names)


def identities_of(command: Command) -> dict[str, Any]:
    """What a replacement would change: ids and times that the services gave."""
    names, cloud = names_of(command.account_id), command.hands
    dynamodb, iam, lambda_ = cloud.client("dynamodb"), cloud.client("iam"), cloud.client("lambda")
    tables = [dynamodb.describe_table(TableName=names[f"{about}_table"])["Table"] for about in ("tracking", "metrics")]
    roles = [iam.get_role(RoleName=role)["Role"] for role in (command.names.function_role, command.names.job_role)]
    (mapping,) = lambda_.list_event_source_mappings()["EventSourceMappings"]
    sqs = cloud.client("sqs")
    queues = [sqs.get_queue_url(QueueName=names[queue])["QueueUrl"] for queue in ("queue", "dead_letter_queue")]
    made = [
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["CreatedTimestamp"])["Attributes"]["CreatedTimestamp"]
        for url in queues
    ]
    return {
        "tables": [(table["TableId"], table["CreationDateTime"]) for table in tables],
        "roles": [(role["RoleId"], role["CreateDate"]) for role in roles],
        "mapping": mapping["UUID"],
        "function": lambda_.get_function(FunctionName=names["function"])["Configuration"]["FunctionArn"],
        "job": cloud.client("glue").get_job(JobName=names["job"])["Job"]["CreatedOn"],
        "queues": made,
        "buckets": {b["Name"]: b["CreationDate"] for b in cloud.client("s3").list_buckets()["Buckets"]},
    }


def _nothing_is_lost(before: Dump, after: Dump, names: dict[str, str]) -> None:
    """Every object, item and message is there still, and the old script."""
    for key in before:
        if key.startswith(("object/", "items/", "messages/")):
            assert after[key] == before[key], key
    assert f"object/{names['scripts_bucket']}/scripts/glue_streaming_job.py@null" in after


def _others_are_left_alone(before: Dump, after: Dump, names: dict[str, str]) -> None:
    assert different({"queue": before["queue/auditors"]}, {"queue": after["queue/auditors"]}) == {}
    for role in ("ndjson-parquet-sqs-glue-role", "ndjson-parquet-sqs-manifest-builder-role"):
        same(before, after, f"role/{role}", "attached")
    tags = after[f"bucket/{names['input_bucket']}"]["bucket_tagging"]
    assert {"Key": "cost-center", "Value": "analytics"} in tags
    rules = after[f"bucket/{names['output_bucket']}"]["bucket_lifecycle_configuration"]["Rules"]
    assert [rule["ID"] for rule in rules if rule["ID"] == "to-ia"] == ["to-ia"]
    statements = after[f"queue/{names['queue']}"]["Policy"]["Statement"]
    for statement in before[f"queue/{names['queue']}"]["Policy"]["Statement"]:
        assert statement in statements
    sent = after[f"bucket/{names['input_bucket']}"]["bucket_notification_configuration"]["QueueConfigurations"]
    assert sorted(each["Id"] for each in sent) == ["audit", "ndjson-upload-events"]
    job = after[f"job/{names['job']}"]
    assert job["Description"] == "NDJSON to Parquet"
    assert job["DefaultArguments"]["--enable-glue-datacatalog"] == "true"
    variables = after[f"function/{names['function']}"]["configuration"]["Environment"]["Variables"]
    assert variables["DD_API_KEY"] == "f0e1d2c3b4a5"


def _and_it_is_ours(command: Command, after: Dump, names: dict[str, str]) -> None:
    (mapping,) = after[f"mapping/{names['queue']}"]
    assert (mapping["FunctionArn"].rsplit(":", 1)[-1], mapping["State"]) == ("live", "Enabled")
    function = after[f"function/{names['function']}"]
    for each in (function["configuration"], function["aliases"]["live"]["version"]):
        assert each["Handler"] == "lambda_handler.handler.handle"
    assert after[f"queue/{names['queue']}"]["RedrivePolicy"]["maxReceiveCount"] == 5
    table = after[f"table/{names['tracking_table']}"]["table"]
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["status-index"]
    listed = command.hands.client("dynamodb").query(
        TableName=names["tracking_table"],
        IndexName="status-index",
        KeyConditionExpression="#s = :s",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":s": {"S": "completed"}},
    )
    assert [item["file_key"]["S"] for item in listed["Items"]] == ["x.ndjson"]


def test_a_function_made_by_hand_whose_alias_is_on_its_unpublished_code_is_taken_over(command: Command) -> None:
    """As `aws lambda create-alias --function-version '$LATEST'` makes it."""
    predecessor.deploy(command.hands, "dev")
    lambda_, name = command.hands.client("lambda"), command.names.function
    lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion="$LATEST")
    assert "Published" in command.changes()[f"alias/{command.names.live_function}"]
    assert "version $LATEST -> a new one (Published" in command.does("plan").out
    command.does("drift", code=1)
    command.does("destroy", "--json")
    command.does("deploy", "--allow-data-loss")
    assert lambda_.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "1"
    assert command.changes() == {}


def test_the_log_that_lambda_began_by_itself_is_taken_over_without_a_flag(command: Command) -> None:
    """It has no retention. None of its lines is as old as the one that it gets."""
    logs, group = command.hands.client("logs"), command.names.function_log_group
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    line = {"timestamp": round(time.time() * 1000), "message": "START"}
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[line])
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["storedBytes"] > 0
    assert "retentionInDays" in command.changes()[f"log-group/{group}"]
    assert command.does("plan", "--json").document["dangers"] == []
    command.does("deploy")
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 14


def test_a_queue_that_the_bucket_tells_twice_is_told_once(command: Command) -> None:
    """By a notification of the predecessor and one of ours, of which S3 takes one only; whoever else is told stays."""
    command.does("deploy")
    s3 = command.hands.client("s3")
    there = s3.get_bucket_notification_configuration(Bucket=command.names.input_bucket)["QueueConfigurations"]
    arn = there[0]["QueueArn"]
    theirs = {"Id": "old", "QueueArn": arn, "Events": ["s3:ObjectCreated:Put"]}
    s3.put_bucket_notification_configuration(
        Bucket=command.names.input_bucket, NotificationConfiguration={"QueueConfigurations": [*there, theirs]}
    )
    assert list(command.changes()) == [f"notification/{names_of('{account}')['input_bucket']}"]
    command.does("deploy")
    now = s3.get_bucket_notification_configuration(Bucket=command.names.input_bucket)["QueueConfigurations"]
    assert [each["Id"] for each in now] == [NOTIFICATION_ID]


# ------------------------------------------------------------------------------------------ two environments


def of(world: Dump, mine: Callable[[str], bool]) -> Dump:
    return {key: value for key, value in world.items() if mine(key)}


@pytest.mark.parametrize(("first", "second"), [("", "blue"), pytest.param("blue", "", marks=pytest.mark.slow)])
def test_two_environments_of_one_account_do_not_touch_each_other(command: Command, first: str, second: str) -> None:
    """The names of one are the beginnings of the other's."""

    def mine(key: str) -> bool:
        return ("blue" in key) == (first == "blue")

    def world() -> Dump:
        return of(dump(command.hands, with_ids=True, with_data=True), mine)

    command.suffix = first
    command.does("deploy")
    s3 = command.hands.client("s3")
    s3.put_object(Bucket=command.named(first).quarantine_bucket, Key="k", Body=b"1")
    command.at_rest()
    before = world()
    assert len(before) > 27

    command.suffix = second
    command.does("deploy")
    assert different(world(), before) == {}
    command.does("deploy", "--set", "function.memory_mb=768", "--set", "job.workers=3", "--set", "tags.team=blue")
    assert different(world(), before) == {}
    assert len(command.does("history", "--json").document["deployments"]) == 2
    command.does("rollback")
    assert different(world(), before) == {}
    s3.put_object(Bucket=command.named(second).quarantine_bucket, Key="k", Body=b"1")
    command.does("destroy", "--yes")
    assert different(world(), before) == {}
    command.does("destroy", "--yes", "--delete-data")
    assert different(world(), before) == {}
    assert of(dump(command.hands, with_data=True), lambda key: not mine(key)) == {}

    command.suffix = first
    assert command.changes() == {}


@pytest.mark.slow
def test_the_names_of_another_environment_are_refused_unless_taken_over(command: Command) -> None:
    command.does("deploy", env="prod", typed="prod\n")
    command.at_rest()
    before = dump(command.hands, with_ids=True, with_data=True)

    planned = command.does("plan")
    assert "resources of these names belong to the environment 'prod'" in planned.out
    assert "(it belongs to the environment 'prod')" in planned.out
    assert command.does("plan", "--json").document["owners"] == ["prod"]
    with command.writes() as writes:
        for words in (("deploy",), ("deploy", "--yes"), ("deploy", "--json"), ("deploy", "--allow-data-loss")):
            refused = command.does(*words, code=2)
            assert "belong to the environment 'prod'" in refused.error
            assert "--take-over" in refused.error
        for words in (("destroy", "--yes"), ("destroy", "--yes", "--json"), ("destroy", "--yes", "--delete-data")):
            refused = command.does(*words, code=2)
            assert "belong to the environment 'prod'" in refused.error
            assert "nothing was removed" in refused.error
        for words in (("rollback",), ("rollback", command.does("history", "--json").document["deployments"][0]["id"])):
            assert "'dev'" in command.does(*words, code=2).error
    assert writes == []
    assert different(dump(command.hands, with_ids=True, with_data=True), before) == {}

    taken = command.does("deploy", "--take-over", "--allow-data-loss", "--json").document
    assert (taken["not_done"], taken["created"]) == (0, 0)
    assert command.changes() == {}
    tags = command.hands.client("lambda").list_tags(
        Resource=f"arn:aws:lambda:us-east-1:{command.account_id}:function:{command.names.function}"
    )["Tags"]
    assert tags["ndjctl:environment"] == "dev"
    # Its history has both, and each goes back to its own only.
    told = command.does("history", "--json").document["deployments"]
    assert [each["environment"] for each in told] == ["dev", "prod"]
    assert "nothing to return to" in command.does("rollback", code=2).error
    assert "belong to the environment 'dev'" in command.does("plan", env="prod").out


ELSEWHERE = ("--set", "region=eu-west-1")


def test_the_same_environment_in_another_region_is_refused(command: Command) -> None:
    """Buckets and roles have one name in all regions."""
    command.does("deploy")
    command.at_rest()
    before = dump(command.hands, with_ids=True, with_data=True)
    tags = command.hands.client("s3").get_bucket_tagging(Bucket=command.names.output_bucket)["TagSet"]
    assert {"Key": "ndjctl:region", "Value": "us-east-1"} in tags

    with command.writes() as writes:
        for words in (
            *(("plan",), ("drift",), ("rollback",), ("deploy",), ("deploy", "--take-over", "--json")),
            *(("destroy",), ("destroy", "--yes", "--delete-data", "--json")),
        ):
            refused = command.does(*words, *ELSEWHERE, code=2)
            if words != ("rollback",):
                assert "lies in us-east-1, and this environment is to be in eu-west-1" in refused.error
                assert "--set suffix=..." in refused.error
    assert writes == []
    assert different(dump(command.hands, with_ids=True, with_data=True), before) == {}

    # Without its buckets, and so without its history, its roles still say whose they are.
    command.does("destroy", "--yes", "--delete-data")
    roles = command.hands.client("iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    theirs = [{"Key": "ndjctl:environment", "Value": "dev"}, {"Key": "ndjctl:region", "Value": "us-east-1"}]
    roles.create_role(RoleName=command.names.job_role, AssumeRolePolicyDocument=trust, Tags=theirs)
    assert command.does("plan", "--json", *ELSEWHERE).document["owners"] == ["dev in us-east-1"]
    refused = command.does("deploy", *ELSEWHERE, code=2)
    assert "belong to the environment 'dev in us-east-1'" in refused.error
    assert "--take-over" in refused.error
    refused = command.does("destroy", "--yes", *ELSEWHERE, code=2)
    assert "say --set region=us-east-1" in refused.error


@pytest.mark.slow
def test_with_a_suffix_it_is_in_two_regions(command: Command) -> None:
    command.does("deploy")
    command.at_rest()
    before = dump(command.hands, with_ids=True, with_data=True)
    command.suffix = "eu"
    command.does("deploy", *ELSEWHERE)
    assert command.changes(*ELSEWHERE) == {}
    command.does("drift", *ELSEWHERE)
    command.does("destroy", "--yes", "--delete-data", *ELSEWHERE)
    assert different(dump(command.hands, with_ids=True, with_data=True), before) == {}


def test_what_has_no_owner_is_taken_over_without_a_word(command: Command) -> None:
    """Made by hand, or by other tools: their tags are kept."""
    iam = command.hands.client("iam")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:*"}]}
    iam.create_role(
        RoleName=command.names.job_role,
        AssumeRolePolicyDocument=json.dumps(trust),
        Tags=[{"Key": "team", "Value": "data"}],
    )
    assert "Trust.Principal" in command.changes()[f"role/{command.names.job_role}"]
    command.does("deploy")
    assert command.changes() == {}
    tags = {tag["Key"]: tag["Value"] for tag in iam.list_role_tags(RoleName=command.names.job_role)["Tags"]}
    assert tags["team"] == "data"
