"""`plan`, `drift`, `rollback` and `deploy` say what to type next, and what they say is taken as it is printed."""

from __future__ import annotations

import json
import shlex
import time

import pytest
from botocore.exceptions import ClientError

from tests.deploy_command import Command, command

pytest.importorskip("psutil")
pytest.importorskip("ministack")

__all__ = ["command"]


def typed(command: Command, next_: str, code: int = 0) -> str:
    """Types a command as it was printed, but for the suffix and the environment, which are added anew."""
    words = shlex.split(next_)[1:]
    at = words.index("--env")
    del words[at : at + 2]
    return command.does(*words, code=code).out


def with_data(command: Command) -> None:
    command.hands.client("s3").put_object(Bucket=command.names.quarantine_bucket, Key="a", Body=b"1")


def test_what_a_plan_says_to_type_has_the_flags_that_it_needs(command: Command) -> None:
    command.does("deploy")
    with_data(command)
    shorter = ("--set", "retention.quarantine_days=3")
    planned = command.does("plan", "--json", *shorter).document
    assert planned["next"].endswith("deploy --allow-data-loss --env dev --set retention.quarantine_days=3")
    assert "to do it: ndjctl deploy --allow-data-loss" in command.does("plan", *shorter).out
    path = command.folder / "a plan"
    saved = command.does("plan", "--json", "--out", path, *shorter).document["next"]
    assert shlex.split(saved)[1:] == ["deploy", "--plan", str(path), "--allow-data-loss"]
    typed(command, planned["next"])
    assert command.changes(*shorter) == {}


def test_a_plan_over_another_environment_says_names_of_its_own_first_and_how_to_take_over(command: Command) -> None:
    command.does("deploy", env="prod", typed="prod\n")
    found = command.does("plan", "--json").document
    assert found["next"].endswith("ndjctl plan --env dev --set suffix=dev")
    shown = command.does("plan").out.splitlines()
    assert shown[-2].startswith("with names of its own: ") and shown[-1].startswith("or, to take these over: ")
    apart = json.loads(typed(command, f"{found['next']} --json"))
    assert (apart["owners"], apart["take_over"], apart["update"]) == ([], None, 0)
    assert apart["next"].endswith("ndjctl deploy --env dev --set suffix=dev")
    assert "deploy --allow-data-loss --take-over --env dev" in found["take_over"]  # dev keeps no recovery points
    typed(command, found["take_over"])
    assert command.changes() == {}


def test_drift_is_mended_by_what_it_says_and_by_no_more(command: Command) -> None:
    """Where the profile asks for something else by now, a deployment would do that as well."""
    command.does("deploy")
    with_data(command)
    command.hands.client("lambda").update_function_configuration(FunctionName=command.names.function, MemorySize=777)
    assert command.does("drift", "--json", code=1).document["next"].endswith("ndjctl deploy --env dev")

    (record,) = command.does("history", "--json").document["deployments"]
    edited = ("--set", "job.timeout_min=7")
    next_ = command.does("drift", "--json", *edited, code=1).document["next"]
    assert shlex.split(next_)[1:] == ["rollback", record["id"], "--env", "dev", *edited]
    assert f"to mend it: ndjctl rollback {record['id']}" in command.does("drift", *edited, code=1).out
    typed(command, next_)  # of the newest deployment
    command.does("drift")
    assert command.changes(*edited) == {f"job/{command.names.job}": ["Timeout"]}

    command.does("deploy", "--set", "retention.quarantine_days=3", "--allow-data-loss")
    s3 = command.hands.client("s3")
    s3.delete_bucket_lifecycle(Bucket=command.names.quarantine_bucket)
    assert " --allow-data-loss " in command.does("drift", "--json", code=1).document["next"]


def test_drift_tells_what_others_have_put_there(command: Command) -> None:
    command.does("deploy")
    iam = command.hands.client("iam")
    iam.tag_role(RoleName=command.names.job_role, Tags=[{"Key": "team", "Value": "data"}])
    told = command.does("drift").out
    assert f"left alone: role {command.names.job_role}: tags: team" in told
    iam.untag_role(RoleName=command.names.job_role, TagKeys=["ndjctl:stack"])
    told = command.does("drift", code=1).out
    assert f"left alone: role {command.names.job_role}: tags: team" in told
    assert "Tags.ndjctl:stack" in told


def test_with_json_a_protected_environment_needs_a_yes(command: Command) -> None:
    with command.writes() as writes:
        answer = command.does("deploy", "--json", env="prod", code=2)
        assert answer.document["error"]["message"] == answer.error
        assert "with --json nobody is asked; say --yes, or look with 'ndjctl plan --json --env prod'." in answer.error
    assert writes == []
    command.does("deploy", "--json", "--yes", env="prod")
    command.does("deploy", "--json", env="prod")  # nothing is to be done, and nobody is to be asked
    command.does("deploy", "--json", "--yes", "--set", "job.workers=3", env="prod")
    first = command.does("history", "--json", env="prod").document["deployments"][1]["id"]
    with command.writes() as writes:
        answer = command.does("rollback", "--json", env="prod", code=2)
        assert f"say --yes, or look with 'ndjctl history {first} --json --env prod'." in answer.error
    assert writes == []
    command.does("rollback", "--json", "--yes", env="prod")
    looked = command.does("destroy", "--json", env="prod").document
    assert (looked["done"], looked["next"]) == (False, "ndjctl destroy --env prod --yes")


def lines(command: Command) -> None:
    """What somebody may want to read after the environment is gone."""
    logs, group = command.hands.client("logs"), command.names.function_log_group
    logs.create_log_stream(logGroupName=group, logStreamName="theirs")
    line = {"timestamp": round(time.time() * 1000), "message": "x" * 2_000}
    logs.put_log_events(logGroupName=group, logStreamName="theirs", logEvents=[line])


def test_a_log_with_lines_is_listed_with_its_size_and_stays(command: Command) -> None:
    command.does("deploy")
    command.quiet()
    lines(command)
    logs, group = command.hands.client("logs"), command.names.function_log_group
    told = command.does("destroy", "--json").document["resources"]
    (about,) = [each for each in told if each["kind"] == "log-group"]
    assert (about["fate"], about["count"]) == ("stays: it holds data", None)
    assert about["size_bytes"] >= 2_000
    shown = command.does("destroy", typed="no\n", code=2).out
    (line,) = [line for line in shown.splitlines() if "log-group" in line]
    assert line.startswith("= stays log-group")
    assert "KiB, it holds data" in line
    command.does("destroy", "--yes")
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] != []
    command.does("destroy", "--yes", "--delete-data")
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []


def test_a_table_to_be_replaced_is_shown_with_what_is_lost(command: Command) -> None:
    dynamodb, table = command.hands.client("dynamodb"), command.names.tracking_table
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(3):
        dynamodb.put_item(TableName=table, Item={"id": {"S": str(number)}, "text": {"S": "x" * 1_000}})
    (lost,) = command.does("plan", "--json").document["lost"]
    assert (lost["kind"], lost["name"], lost["items"]) == ("table", table, 3)
    (line,) = [line for line in command.does("plan").out.splitlines() if line.startswith("! replace table")]
    assert "about 3 items" in line
    assert "would be lost" in line
    dynamodb.delete_table(TableName=table)


def test_words_of_values_and_names(command: Command) -> None:
    """What is not there is told in one way, and a log group is told with one slash."""
    command.does("deploy")
    lambda_ = command.hands.client("lambda")
    lambda_.delete_function_concurrency(FunctionName=command.names.function)
    shown = command.does("plan").out
    assert "ReservedConcurrentExecutions: (none) -> 5" in shown
    assert "null" not in shown
    command.does("deploy")
    id_ = command.does("history", "--json").document["deployments"][0]["id"]
    assert "ReservedConcurrentExecutions: (none) -> 5" in command.does("history", id_).out
    error = command.does("export", "cloudformation", "--format", "xml", code=2).error
    assert "'xml' is not one of" in error
    assert "Value error" not in error


def test_a_refused_record_of_the_history_says_what_it_is(command: Command) -> None:
    command.does("deploy")

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")

    with command.writes() as writes, command.meeting("s3", "PutObject", refuse):
        refused = command.does("deploy", "--set", "job.workers=3", code=3)
    place = f"s3://{command.names.scripts_bucket}/{command.names.stack}/deployments/"
    said = f"The history of deployments cannot be written ({place}): AWS refused PutObject (AccessDenied"
    assert said in refused.error
    assert [each for each in writes if each != "s3:PutObject"] == []
