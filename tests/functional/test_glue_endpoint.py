"""The Glue endpoint's protocol, jobs and run records, asked by boto3 over HTTP. Nothing here needs S3: the runs either
wait for their turn or fail at their launch."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ndjctl.embedded.status import health

pytest.importorskip("psutil")

ROOT = Path(__file__).resolve().parents[2]
JOB: dict[str, Any] = {
    "Role": "arn:aws:iam::000000000000:role/r",
    "Command": {"Name": "glueetl", "ScriptLocation": "s3://scripts/job.py", "PythonVersion": "3"},
    "GlueVersion": "4.0",
    "WorkerType": "G.1X",
    "NumberOfWorkers": 10,
}


def start_endpoint(data_dir: Path, aws_endpoint: str, **environ: str) -> tuple[subprocess.Popen[bytes], int]:
    """An endpoint on a free port, and the port."""
    from ndjctl.embedded.processes import listen

    with listen(0) as listener:
        port = listener.getsockname()[1]
    (data_dir / "tmp").mkdir(parents=True, exist_ok=True)
    options = {
        "--data-dir": str(data_dir),
        "--port": str(port),
        "--aws-endpoint": aws_endpoint,
        "--minute-seconds": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "ndjctl.embedded.glue", *(word for option in options.items() for word in option)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        | {"AWS_DEFAULT_REGION": "us-east-1", **environ},
    )
    deadline = time.monotonic() + 20
    while health(port, "/health", 1.0) is None:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.03)
    return process, port


def glue_client(port: int, **options: Any) -> Any:
    return boto3.client(
        "glue",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, **options),
    )


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    process, port = start_endpoint(tmp_path_factory.mktemp("glue"), "http://127.0.0.1:9")
    yield port
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


@pytest.fixture(scope="module")
def glue(port: int) -> Any:
    return glue_client(port)


@pytest.fixture(scope="module")
def unchecked(port: int) -> Any:
    """A client that sends whatever it is given."""
    return glue_client(port, parameter_validation=False)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


def refused(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    ("change", "code", "mentions"),
    [
        ({"WorkerTyp": "G.1X"}, "ValidationException", "WorkerTyp"),
        ({"Command": {**JOB["Command"], "Script": "x"}}, "ValidationException", "Command.Script"),
        ({"Role": None}, "ValidationException", "Role"),
        ({"NumberOfWorkers": "ten"}, "SerializationException", "NumberOfWorkers"),
        ({"NumberOfWorkers": True}, "SerializationException", "NumberOfWorkers"),
        ({"MaxRetries": 1.5}, "SerializationException", "MaxRetries"),
        ({"MaxRetries": 2**31}, "SerializationException", "MaxRetries"),
        ({"DefaultArguments": {"--a": 1}}, "SerializationException", "--a"),
        ({"Connections": {"Connections": "x"}}, "SerializationException", "Connections"),
        ({"WorkerType": "G.3X"}, "ValidationException", "enum"),
        ({"Timeout": 0}, "ValidationException", "Timeout"),
        ({"GlueVersion": "four"}, "ValidationException", "GlueVersion"),
        ({"GlueVersion": "4.7"}, "InvalidInputException", "4.7"),
        ({"Description": "x" * 2049}, "ValidationException", "Description"),
        ({"MaxCapacity": 10.0}, "InvalidInputException", "Max Capacity"),
        ({"NumberOfWorkers": None}, "InvalidInputException", "both"),
        ({"NumberOfWorkers": 1}, "InvalidInputException", "minimum"),
        ({"MaxRetries": 11}, "InvalidInputException", "MaxRetries"),
        ({"ExecutionProperty": {"MaxConcurrentRuns": 0}}, "InvalidInputException", "MaxConcurrentRuns"),
        ({"Command": {"Name": "pythonshell", "ScriptLocation": "s3://a/b"}}, "InvalidInputException", "glueetl"),
        ({"Command": {"Name": "glueetl", "ScriptLocation": "file:///x"}}, "InvalidInputException", "s3://"),
    ],
)
def test_bad_job_is_refused(glue: Any, port: int, change: dict[str, Any], code: str, mentions: str) -> None:
    # Sent as it is: without its own checks boto3 fails to serialise some of these.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    body = json.dumps({"Name": "bad", **JOB, **change})
    connection.request("POST", "/", body, {"X-Amz-Target": "AWSGlue.CreateJob"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    assert (response.status, answer["__type"]) == (400, code), answer
    assert mentions in answer["message"]
    assert glue.batch_get_jobs(JobNames=["bad"])["JobsNotFound"] == ["bad"]


def test_clients_that_check_nothing_are_checked_here(unchecked: Any) -> None:
    assert refused(unchecked.create_job, **{**JOB, "Name": "bad", "WorkerType": "G.3X"})[0] == "ValidationException"
    assert refused(unchecked.create_job, Name="bad", Role="r")[0] == "ValidationException"
    assert refused(unchecked.start_job_run, JobName=7)[0] == "SerializationException"


@pytest.mark.parametrize(
    ("body", "target", "code"),
    [
        (b"{", "AWSGlue.GetJobs", "SerializationException"),
        (b"[]", "AWSGlue.GetJobs", "SerializationException"),
        (b'{"MaxResults": NaN}', "AWSGlue.GetJobs", "SerializationException"),
        (b"[" * 100_000, "AWSGlue.GetJobs", "SerializationException"),
        (b"{}", "AWSGlue.GetDatabases", "UnknownOperationException"),
        (b"{}", "AWSGlue.call", "UnknownOperationException"),
        (b"{}", "DynamoDB_20120810.ListTables", "UnknownOperationException"),
        (b"", "AWSGlue.GetJob", "ValidationException"),
    ],
)
def test_bad_body_is_refused(port: int, body: bytes, target: str, code: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", "/", body, {"X-Amz-Target": target})
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["__type"]) == (400, code)


@pytest.mark.parametrize("header", [{"Origin": "http://x.test"}, {"Host": "x.test"}, {"Sec-Fetch-Site": "cross-site"}])
def test_web_pages_are_refused(port: int, header: dict[str, str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", "/", b"{}", {"X-Amz-Target": "AWSGlue.GetJobs", **header})
    assert connection.getresponse().status == 403


def test_job_comes_back_as_given_with_defaults(glue: Any, name: str) -> None:
    glue.create_job(Name=name, **JOB, DefaultArguments={"--a": "b é"}, Tags={"t": "1"})
    job = glue.get_job(JobName=name)["Job"]
    assert {key: job[key] for key in JOB} == JOB
    assert job["DefaultArguments"] == {"--a": "b é"}
    assert job["ExecutionProperty"] == {"MaxConcurrentRuns": 1}
    assert (job["MaxRetries"], job["Timeout"], job["MaxCapacity"], job["AllocatedCapacity"]) == (0, 2880, 10.0, 10)
    assert job["CreatedOn"] == job["LastModifiedOn"]
    assert "Tags" not in job


def test_create_of_a_present_job_is_refused(glue: Any, name: str) -> None:
    glue.create_job(Name=name, **JOB)
    assert refused(glue.create_job, Name=name, **JOB)[0] == "AlreadyExistsException"
    other = {**JOB, "NumberOfWorkers": 5}
    assert refused(glue.create_job, Name=name, **other)[0] == "IdempotentParameterMismatchException"
    assert glue.get_job(JobName=name)["Job"]["NumberOfWorkers"] == 10


def test_update_replaces_the_whole_definition(glue: Any, name: str) -> None:
    glue.create_job(Name=name, **JOB, DefaultArguments={"--a": "b"}, MaxRetries=2, Timeout=7, Description="d")
    update = {"Role": JOB["Role"], "Command": JOB["Command"], "WorkerType": "G.2X", "NumberOfWorkers": 4}
    glue.update_job(JobName=name, JobUpdate=update)
    job = glue.get_job(JobName=name)["Job"]
    assert (job["MaxCapacity"], job["MaxRetries"], job["Timeout"]) == (8.0, 0, 2880)
    assert not {"DefaultArguments", "Description", "GlueVersion"} & job.keys()
    assert job["LastModifiedOn"] > job["CreatedOn"]
    assert refused(glue.update_job, JobName="absent", JobUpdate=update)[0] == "EntityNotFoundException"
    assert refused(glue.update_job, JobName=name, JobUpdate={"Role": "r"})[0] == "InvalidInputException"


def test_absent_job(glue: Any) -> None:
    assert refused(glue.get_job, JobName="absent")[0] == "EntityNotFoundException"
    assert refused(glue.start_job_run, JobName="absent")[0] == "EntityNotFoundException"
    assert refused(glue.get_job_runs, JobName="absent")[0] == "EntityNotFoundException"
    assert refused(glue.get_job_run, JobName="absent", RunId="jr_1")[0] == "EntityNotFoundException"
    assert glue.delete_job(JobName="absent")["JobName"] == "absent"


def test_delete(glue: Any, name: str) -> None:
    glue.create_job(Name=name, **JOB)
    assert glue.delete_job(JobName=name)["JobName"] == name
    assert refused(glue.get_job, JobName=name)[0] == "EntityNotFoundException"


def test_jobs_are_listed_page_by_page(glue: Any, name: str) -> None:
    names = [f"{name}-{number}" for number in range(5)]
    for each in names:
        glue.create_job(Name=each, **JOB, Tags={"test": name})
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = glue.list_jobs(MaxResults=2, **token)
        assert len(page["JobNames"]) <= 2
        seen += page["JobNames"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert [each for each in seen if each in names] == names and len(seen) == len(set(seen))
    assert [job["Name"] for page in glue.get_paginator("get_jobs").paginate() for job in page["Jobs"]] == seen
    assert glue.list_jobs(Tags={"test": name})["JobNames"] == names
    assert refused(glue.list_jobs, NextToken="bm9uc2Vuc2U=")[0] == "InvalidInputException"


def test_tags(glue: Any, name: str) -> None:
    arn = f"arn:aws:glue:us-east-1:000000000000:job/{name}"
    assert refused(glue.get_tags, ResourceArn=arn)[0] == "EntityNotFoundException"
    glue.create_job(Name=name, **JOB, Tags={"a": "1"})
    glue.tag_resource(ResourceArn=arn, TagsToAdd={"b": "2", "a": "3"})
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"a": "3", "b": "2"}
    glue.untag_resource(ResourceArn=arn, TagsToRemove=["a", "c"])
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"b": "2"}


NETWORK: dict[str, Any] = {
    "Name": "into-the-vpc",
    "ConnectionType": "NETWORK",
    "ConnectionProperties": {},
    "PhysicalConnectionRequirements": {
        "SubnetId": "subnet-1",
        "SecurityGroupIdList": ["sg-1", "sg-2"],
        "AvailabilityZone": "us-east-1a",
    },
}


def test_connection_comes_back_as_given(glue: Any, name: str) -> None:
    assert refused(glue.get_connection, Name=name)[0] == "EntityNotFoundException"
    given = {**NETWORK, "Name": name, "Description": "d é"}
    assert glue.create_connection(ConnectionInput=given, Tags={"t": "1"})["CreateConnectionStatus"] == "READY"
    shown = glue.get_connection(Name=name)["Connection"]
    assert {key: shown[key] for key in given} == given
    assert (shown["Status"], shown["CreationTime"]) == ("READY", shown["LastUpdatedTime"])
    assert refused(glue.create_connection, ConnectionInput=given)[0] == "AlreadyExistsException"

    # An update replaces all of it, and keeps the tags.
    changed = {**NETWORK, "Name": name, "PhysicalConnectionRequirements": {"SubnetId": "subnet-2"}}
    glue.update_connection(Name=name, ConnectionInput=changed)
    shown = glue.get_connection(Name=name)["Connection"]
    assert "Description" not in shown and shown["PhysicalConnectionRequirements"] == {"SubnetId": "subnet-2"}
    assert shown["LastUpdatedTime"] > shown["CreationTime"]
    arn = f"arn:aws:glue:us-east-1:000000000000:connection/{name}"
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"t": "1"}
    glue.tag_resource(ResourceArn=arn, TagsToAdd={"u": "2"})
    glue.untag_resource(ResourceArn=arn, TagsToRemove=["t"])
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"u": "2"}

    glue.delete_connection(ConnectionName=name)
    assert refused(glue.delete_connection, ConnectionName=name)[0] == "EntityNotFoundException"
    assert refused(glue.update_connection, Name=name, ConnectionInput=changed)[0] == "EntityNotFoundException"


def test_connections_are_listed_page_by_page(glue: Any, name: str) -> None:
    names = [f"{name}-{number}" for number in range(3)]
    for each in names:
        glue.create_connection(ConnectionInput={**NETWORK, "Name": each, "MatchCriteria": [each]})
    pages = list(glue.get_paginator("get_connections").paginate(PaginationConfig={"PageSize": 2}))
    assert [each["Name"] for page in pages for each in page["ConnectionList"]] == names and len(pages) == 2
    only = glue.get_connections(Filter={"MatchCriteria": [names[1]], "ConnectionType": "NETWORK"})["ConnectionList"]
    assert [each["Name"] for each in only] == [names[1]]
    assert glue.get_connections(Filter={"ConnectionType": "JDBC"})["ConnectionList"] == []


@pytest.mark.parametrize(
    ("change", "code", "mentions"),
    [
        ({"ConnectionType": "JDBC"}, "InvalidInputException", "NETWORK"),
        ({"ConnectionType": "TUNNEL"}, "ValidationException", "enum"),
        ({"PhysicalConnectionRequirements": {}}, "InvalidInputException", "SubnetId"),
        ({"PhysicalConnectionRequirements": {"Subnet": "s"}}, "ValidationException", "Subnet"),
        ({"ConnectionProperties": None}, "ValidationException", "ConnectionProperties"),
        ({"Name": ""}, "ValidationException", "Name"),
    ],
)
def test_bad_connection_is_refused(port: int, change: dict[str, Any], code: str, mentions: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    body = json.dumps({"ConnectionInput": {**NETWORK, **change}})
    connection.request("POST", "/", body, {"X-Amz-Target": "AWSGlue.CreateConnection"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    assert (response.status, answer["__type"]) == (400, code), answer
    assert mentions in answer["message"]


def test_a_job_is_not_started_without_its_connection(glue: Any, name: str) -> None:
    connections = {"Connections": [name]}
    glue.create_job(Name=name, **JOB, Connections=connections)
    code, message = refused(glue.start_job_run, JobName=name)
    assert code == "EntityNotFoundException" and name in message
    assert glue.get_job_runs(JobName=name)["JobRuns"] == []
    glue.create_connection(ConnectionInput={**NETWORK, "Name": name})
    assert glue.start_job_run(JobName=name)["JobRunId"]
    assert glue.get_job(JobName=name)["Job"]["Connections"] == connections
    update = {"Role": JOB["Role"], "Command": JOB["Command"], "Connections": {"Connections": []}}
    assert refused(glue.update_job, JobName=name, JobUpdate=update)[0] == "InvalidInputException"


def finished(glue: Any, job: str, run_id: str, within_s: float = 15.0) -> dict[str, Any]:
    deadline = time.monotonic() + within_s
    while True:
        run: dict[str, Any] = glue.get_job_run(JobName=job, RunId=run_id)["JobRun"]
        if run["JobRunState"] not in ("STARTING", "RUNNING", "STOPPING"):
            return run
        assert time.monotonic() < deadline, run
        time.sleep(0.05)


def test_run_without_a_reachable_script_fails_and_is_tried_again(glue: Any, name: str) -> None:
    glue.create_job(Name=name, **JOB, MaxRetries=1)
    run_id = glue.start_job_run(JobName=name)["JobRunId"]
    assert run_id.startswith("jr_") and len(run_id) == 67
    run = finished(glue, name, run_id)
    assert run["JobRunState"] == "FAILED" and run["ErrorMessage"].startswith("LAUNCH ERROR | s3://scripts/job.py")
    again = finished(glue, name, f"{run_id}_attempt_1")
    assert (again["Attempt"], again["PreviousRunId"], again["JobRunState"]) == (1, run_id, "FAILED")
    runs = glue.get_job_runs(JobName=name)["JobRuns"]
    assert [each["Id"] for each in runs] == [f"{run_id}_attempt_1", run_id]


def test_runs_are_listed_newest_first_page_by_page(glue: Any, unchecked: Any, name: str) -> None:
    glue.create_job(Name=name, **JOB, ExecutionProperty={"MaxConcurrentRuns": 10})
    started = [glue.start_job_run(JobName=name)["JobRunId"] for _ in range(5)]
    pages = list(glue.get_paginator("get_job_runs").paginate(JobName=name, PaginationConfig={"PageSize": 2}))
    assert [len(page["JobRuns"]) for page in pages] == [2, 2, 1]
    assert [run["Id"] for page in pages for run in page["JobRuns"]] == started[::-1]
    assert refused(unchecked.get_job_runs, JobName=name, MaxResults=201)[0] == "ValidationException"
    assert refused(unchecked.get_job_runs, JobName=name, MaxResults=0)[0] == "ValidationException"


def test_run_takes_its_own_capacity_and_timeout(glue: Any, name: str) -> None:
    glue.create_job(Name=name, **JOB, ExecutionProperty={"MaxConcurrentRuns": 3}, Timeout=9)
    assert refused(glue.start_job_run, JobName=name, MaxCapacity=2.0, WorkerType="G.1X")[0] == "InvalidInputException"
    assert refused(glue.start_job_run, JobName=name, JobRunQueuingEnabled=True)[0] == "InvalidInputException"
    plain = glue.start_job_run(JobName=name)["JobRunId"]
    own = glue.start_job_run(JobName=name, WorkerType="G.2X", NumberOfWorkers=3, Timeout=4, Arguments={"--x": "y"})
    run = glue.get_job_run(JobName=name, RunId=plain)["JobRun"]
    assert (run["MaxCapacity"], run["Timeout"], run["WorkerType"], run["Attempt"]) == (10.0, 9, "G.1X", 0)
    assert run["GlueVersion"] == "4.0" and run["Arguments"] == {}
    run = glue.get_job_run(JobName=name, RunId=own["JobRunId"])["JobRun"]
    assert (run["MaxCapacity"], run["Timeout"], run["WorkerType"]) == (6.0, 4, "G.2X")
    assert run["Arguments"] == {"--x": "y"}


def test_listener_serves_only_loopback(port: int) -> None:
    import psutil

    listening = [c for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr.port == port]
    assert [connection.laddr.ip for connection in listening] == ["127.0.0.1"]
