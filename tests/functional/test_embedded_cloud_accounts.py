"""Accounts of the embedded cloud: its one address is enough, and two accounts with the same names do not meet."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from ndjctl.embedded import CloudStatus, EmbeddedCloud
from tests.functional.test_glue_endpoint import JOB, finished

pytest.importorskip("psutil")
pytest.importorskip("ministack")

FIRST, SECOND = "111111111111", "222222222222"

# What it writes, it writes under names that both accounts have.
SCRIPT = """
    import json, sys
    import boto3
    account = boto3.client("sts").get_caller_identity()["Account"]
    job = boto3.client("glue").get_job(JobName="job")["Job"]
    run_id = sys.argv[sys.argv.index("--JOB_RUN_ID") + 1]
    item = {"k": {"S": run_id}, "seen": {"S": account}, "role": {"S": job["Role"]}}
    boto3.client("dynamodb").put_item(TableName="seen", Item=item)
    print("this is", account)
"""


@pytest.fixture(scope="module")
def status(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudStatus]:
    cloud = EmbeddedCloud(tmp_path_factory.mktemp("accounts"))
    yield cloud.ensure_started()
    cloud.stop()


class Account:
    """One account, spoken to at the one address of the cloud."""

    def __init__(self, status: CloudStatus, account_id: str, region: str = "us-east-1") -> None:
        self.id = account_id
        self.region = region
        self._url = status.endpoint_url

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self._url,
            region_name=self.region,
            aws_access_key_id=self.id,
            aws_secret_access_key="test",
        )

    def set_up(self) -> None:
        """Job, table, and a rule that sends the events of runs to a queue: all with the same names everywhere."""
        s3, glue, events, sqs = (self.client(service) for service in ("s3", "glue", "events", "sqs"))
        s3.create_bucket(Bucket=f"scripts-{self.id}")
        s3.put_object(Bucket=f"scripts-{self.id}", Key="job.py", Body=textwrap.dedent(SCRIPT).encode())
        command = {**JOB["Command"], "ScriptLocation": f"s3://scripts-{self.id}/job.py"}
        glue.create_job(Name="job", **{**JOB, "Command": command, "Role": f"role-{self.id}"}, Tags={"of": self.id})
        self.client("dynamodb").create_table(
            TableName="seen",
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        queue = sqs.create_queue(QueueName="ended")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        pattern = {"source": ["aws.glue"], "detail-type": ["Glue Job State Change"], "detail": {"jobName": ["job"]}}
        events.put_rule(Name="ended", EventPattern=json.dumps(pattern))
        events.put_targets(Rule="ended", Targets=[{"Id": "queue", "Arn": arn}])

    def items(self) -> list[dict[str, str]]:
        found = self.client("dynamodb").scan(TableName="seen")["Items"]
        return [{name: value["S"] for name, value in item.items()} for item in found]

    def events(self, at_least: int) -> list[dict[str, Any]]:
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName="ended")["QueueUrl"]
        bodies: list[dict[str, Any]] = []
        deadline = time.monotonic() + 10
        while len(bodies) < at_least and time.monotonic() < deadline:
            for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
                bodies.append(json.loads(message["Body"]))
        return bodies


def test_two_accounts_with_the_same_names_do_not_meet(status: CloudStatus) -> None:
    accounts = [Account(status, FIRST), Account(status, SECOND)]
    for account in accounts:
        account.set_up()
    runs = {account.id: account.client("glue").start_job_run(JobName="job")["JobRunId"] for account in accounts}
    for account in accounts:
        glue, run_id = account.client("glue"), runs[account.id]
        assert finished(glue, "job", run_id, within_s=30)["JobRunState"] == "SUCCEEDED"
        assert glue.get_job(JobName="job")["Job"]["Role"] == f"role-{account.id}"
        assert [run["Id"] for run in glue.get_job_runs(JobName="job")["JobRuns"]] == [run_id]
        arn = f"arn:aws:glue:us-east-1:{account.id}:job/job"
        assert glue.get_tags(ResourceArn=arn)["Tags"] == {"of": account.id}
        assert account.items() == [{"k": run_id, "seen": account.id, "role": f"role-{account.id}"}]
        (event,) = account.events(1)
        assert (event["account"], event["region"], event["source"]) == (account.id, "us-east-1", "aws.glue")
        assert (event["detail-type"], event["detail"]["jobRunId"]) == ("Glue Job State Change", run_id)
        assert (event["detail"]["state"], event["detail"]["severity"]) == ("SUCCEEDED", "INFO")
        logs = account.client("logs")
        streams = logs.describe_log_streams(logGroupName="/aws-glue/jobs/output")["logStreams"]
        assert [stream["logStreamName"] for stream in streams] == [run_id]
        (line,) = logs.get_log_events(logGroupName="/aws-glue/jobs/output", logStreamName=run_id)["events"]
        assert line["message"] == f"this is {account.id}"

    first, second = (account.client("glue") for account in accounts)
    with pytest.raises(ClientError, match="EntityNotFoundException"):
        first.get_job_run(JobName="job", RunId=runs[SECOND])
    stopped = first.batch_stop_job_run(JobName="job", JobRunIds=[runs[SECOND]])
    assert stopped["Errors"][0]["ErrorDetail"]["ErrorCode"] == "EntityNotFoundException"
    with pytest.raises(ClientError, match="InvalidInputException"):
        first.get_tags(ResourceArn=f"arn:aws:glue:us-east-1:{SECOND}:job/job")
    first.delete_job(JobName="job")
    assert second.list_jobs()["JobNames"] == ["job"]
    # Regions are apart, too.
    assert Account(status, SECOND, "eu-west-1").client("glue").list_jobs()["JobNames"] == []


def test_the_address_of_glue_alone_and_the_common_one_are_the_same_glue(status: CloudStatus) -> None:
    common = Account(status, "test").client("glue")
    common.create_job(Name="é b", **JOB)
    alone = boto3.client(
        "glue",
        endpoint_url=status.glue_endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="000000000000",
        aws_secret_access_key="test",
    )
    assert alone.get_job(JobName="é b")["Job"]["Role"] == JOB["Role"]
    # Errors keep their names on the way through.
    with pytest.raises(common.exceptions.EntityNotFoundException):
        common.get_job(JobName="absent")
    assert common.list_jobs()["JobNames"] == ["é b"]


def test_a_session_of_a_role_is_of_the_account_of_the_role(status: CloudStatus) -> None:
    owner = Account(status, "333333333333")
    owner.client("iam").create_role(RoleName="deployer", AssumeRolePolicyDocument="{}")
    arn = f"arn:aws:iam::{owner.id}:role/deployer"
    given = (
        Account(status, "444444444444").client("sts").assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
    )
    glue = boto3.client(
        "glue",
        endpoint_url=status.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    glue.create_job(Name="by-session", **JOB)
    assert owner.client("glue").list_jobs()["JobNames"] == ["by-session"]
