"""Limits of an account of the embedded cloud: what Service Quotas answers is what is enforced."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from ndjctl.embedded import CloudStatus, EmbeddedCloud
from tests.functional.test_glue_endpoint import JOB, finished

pytest.importorskip("psutil")
pytest.importorskip("ministack")

LIMITS = {
    "NDJ_GLUE_MAX_RUNS_PER_ACCOUNT": "4",
    "NDJ_GLUE_MAX_RUNS_PER_JOB": "2",
    "NDJ_GLUE_MAX_DPUS": "25",
    "NDJ_LAMBDA_CONCURRENCY": "150",
}
SMALL = {"WorkerType": "G.025X", "NumberOfWorkers": 2}


def start(folder: Path, **variables: str) -> tuple[EmbeddedCloud, CloudStatus]:
    cloud = EmbeddedCloud(folder, environ={**os.environ, **variables})
    return cloud, cloud.ensure_started()


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudStatus]:
    cloud, status = start(tmp_path_factory.mktemp("limited"), **LIMITS)
    yield status
    cloud.stop()


@pytest.fixture
def account(request: pytest.FixtureRequest) -> str:
    """An account that no other test has."""
    return f"{abs(hash(request.node.name)) % 10**12:012d}"


def client(status: CloudStatus, service: str, account: str, region: str = "us-east-1") -> Any:
    return boto3.client(
        service,
        endpoint_url=status.endpoint_url,
        region_name=region,
        aws_access_key_id=account,
        aws_secret_access_key="test",
    )


def jobs(glue: Any, count: int, **fields: Any) -> list[str]:
    names = [f"job-{number}" for number in range(count)]
    for name in names:
        glue.create_job(Name=name, **{**JOB, **fields}, ExecutionProperty={"MaxConcurrentRuns": 9}, Timeout=60)
    return names


def hold(status: CloudStatus, account: str) -> str:
    """Where a script is that runs until it is stopped."""
    s3 = client(status, "s3", account)
    s3.create_bucket(Bucket=f"scripts-{account}")
    s3.put_object(Bucket=f"scripts-{account}", Key="job.py", Body=b"import time; time.sleep(300)")
    return f"s3://scripts-{account}/job.py"


@pytest.fixture
def glue(limited: CloudStatus, account: str) -> Iterator[Any]:
    glue = client(limited, "glue", account)
    yield glue
    for name in glue.list_jobs()["JobNames"]:
        runs = [run["Id"] for run in glue.get_job_runs(JobName=name)["JobRuns"]]
        if runs:
            glue.batch_stop_job_run(JobName=name, JobRunIds=runs[:25])


def refused(glue: Any, job: str, **fields: Any) -> str:
    with pytest.raises(glue.exceptions.ResourceNumberLimitExceededException) as caught:
        glue.start_job_run(JobName=job, **fields)
    return str(caught.value)


def test_runs_of_a_job(limited: CloudStatus, glue: Any, account: str) -> None:
    command = {**JOB["Command"], "ScriptLocation": hold(limited, account)}
    first, second = jobs(glue, 2, **SMALL, Command=command)
    for _ in range(2):
        glue.start_job_run(JobName=first)
    assert "'Max concurrent job runs per job' (L-F574AED9) is 2" in refused(glue, first)
    glue.start_job_run(JobName=second)


def test_runs_of_the_account_and_not_of_others(limited: CloudStatus, glue: Any, account: str) -> None:
    command = {**JOB["Command"], "ScriptLocation": hold(limited, account)}
    names = jobs(glue, 3, **SMALL, Command=command)
    started = [glue.start_job_run(JobName=name)["JobRunId"] for name in (*names, names[0])]
    assert "'Max concurrent job runs per account' (L-5E4153CA) is 4" in refused(glue, names[1])
    # Other accounts and regions have room of their own.
    elsewhere = client(limited, "glue", account, "eu-west-1")
    (name,) = jobs(elsewhere, 1, **SMALL, Command=command)
    run_id = elsewhere.start_job_run(JobName=name)["JobRunId"]
    elsewhere.batch_stop_job_run(JobName=name, JobRunIds=[run_id])
    # What ends makes room.
    glue.batch_stop_job_run(JobName=names[1], JobRunIds=[started[1]])
    assert finished(glue, names[1], started[1])["JobRunState"] == "STOPPED"
    glue.start_job_run(JobName=names[1])


def test_dpus_of_the_account(limited: CloudStatus, glue: Any, account: str) -> None:
    command = {**JOB["Command"], "ScriptLocation": hold(limited, account)}
    first, second = jobs(glue, 2, Command=command)  # 10 DPUs a run
    glue.start_job_run(JobName=first)
    assert "'Max task DPUs per account' (L-08F3B322) is 25" in refused(
        glue, second, WorkerType="G.1X", NumberOfWorkers=16
    )
    glue.start_job_run(JobName=second, WorkerType="G.1X", NumberOfWorkers=15)
    assert "it would be 25.5" in refused(glue, first, **SMALL)


def test_the_limit_of_the_job_itself_comes_first(limited: CloudStatus, glue: Any, account: str) -> None:
    command = {**JOB["Command"], "ScriptLocation": hold(limited, account)}
    glue.create_job(Name="job", **{**JOB, **SMALL, "Command": command})
    glue.start_job_run(JobName="job")
    with pytest.raises(glue.exceptions.ConcurrentRunsExceededException):
        glue.start_job_run(JobName="job")


def values(quotas: Any, service: str, operation: str = "list_service_quotas", size: int = 1) -> dict[str, float]:
    pages = quotas.get_paginator(operation).paginate(ServiceCode=service, PaginationConfig={"PageSize": size})
    return {quota["QuotaName"]: quota["Value"] for page in pages for quota in page["Quotas"]}


def test_service_quotas_answers_what_is_enforced(limited: CloudStatus, account: str) -> None:
    quotas = client(limited, "service-quotas", account, "eu-west-1")
    glue = {
        "Max concurrent job runs per account": 4.0,
        "Max concurrent job runs per job": 2.0,
        "Max task DPUs per account": 25.0,
    }
    for size in (1, 2, 3, 100):
        assert values(quotas, "glue", size=size) == glue
    assert values(quotas, "lambda") == {"Concurrent executions": 150.0}
    limit = client(limited, "lambda", account).get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    assert limit == 150
    assert values(quotas, "glue", "list_aws_default_service_quotas", 2) == dict(
        zip(glue, (200.0, 1000.0, 1000.0), strict=True)
    )
    quota = quotas.get_service_quota(ServiceCode="glue", QuotaCode="L-08F3B322")["Quota"]
    assert (quota["QuotaName"], quota["Value"]) == ("Max task DPUs per account", 25.0)
    assert quota["QuotaArn"] == f"arn:aws:servicequotas:eu-west-1:{account}:glue/L-08F3B322"
    assert (quota["Adjustable"], quota["GlobalQuota"], quota["ServiceName"]) == (True, False, "AWS Glue")
    default = quotas.get_aws_default_service_quota(ServiceCode="lambda", QuotaCode="L-B99A9384")["Quota"]
    assert (default["Value"], default["QuotaName"]) == (1000.0, "Concurrent executions")


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        ("list_service_quotas", {"ServiceCode": "athena"}, "NoSuchResourceException"),
        ("get_service_quota", {"ServiceCode": "glue", "QuotaCode": "L-00000000"}, "NoSuchResourceException"),
        ("get_service_quota", {"ServiceCode": "lambda", "QuotaCode": "L-08F3B322"}, "NoSuchResourceException"),
        ("list_service_quotas", {"ServiceCode": "glue", "NextToken": "bm8="}, "InvalidPaginationTokenException"),
        ("list_services", {}, "UnknownOperationException"),
    ],
)
def test_what_there_is_no_quota_of(
    limited: CloudStatus, account: str, operation: str, request_: dict[str, str], code: str
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(client(limited, "service-quotas", account), operation)(**request_)
    assert caught.value.response["Error"]["Code"] == code


def test_without_settings_the_limits_are_those_of_a_new_account(tmp_path: Path) -> None:
    junk = {"NDJ_GLUE_MAX_DPUS": "0", "NDJ_GLUE_MAX_RUNS_PER_JOB": "many", "NDJ_LAMBDA_CONCURRENCY": "-1"}
    cloud, status = start(tmp_path / "c", **junk)
    try:
        quotas = client(status, "service-quotas", "000000000000")
        assert list(values(quotas, "glue").values()) == [200.0, 1000.0, 1000.0]
        assert values(quotas, "lambda") == {"Concurrent executions": 1000.0}
        settings = client(status, "lambda", "000000000000").get_account_settings()
        assert settings["AccountLimit"]["ConcurrentExecutions"] == 1000
    finally:
        cloud.reset()
