"""DESIGN's reference tables, read back through the AWS APIs after a deployment into an account that was empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from ndjctl.contracts import FUNCTION_ALIAS
from tests.deploy_world import Environment, environment, labels, quieten
from tests.reference import NAMES, PRESETS, REFERENCE, expected, names_of

ACCOUNTS = {"dev": "100000000001", "prod": "100000000002"}
NOT_IN_AWS = {"load.files_per_day"}
"""Settings of the tables that no resource has."""


@pytest.fixture(scope="module")
def environments(cloud_dir: Path) -> Iterator[Mapping[str, Environment]]:
    environments = {env: environment(cloud_dir, account, env) for env, account in ACCOUNTS.items()}
    yield environments
    for each in environments.values():
        quieten(each.hands)


class Deployed:
    """What AWS says of an environment: asked by the names of the reference, without the tool's own names or eyes."""

    def __init__(self, account: str, client: Callable[[str], Any]) -> None:
        self.name = names_of(account)
        self.client = client

    @cached_property
    def live(self) -> Any:
        """The configuration of the version that runs."""
        return self.client("lambda").get_function_configuration(
            FunctionName=self.name["function"], Qualifier=FUNCTION_ALIAS
        )

    @cached_property
    def function(self) -> Any:
        return self.client("lambda").get_function(FunctionName=self.name["function"])

    @cached_property
    def job(self) -> Any:
        return self.client("glue").get_job(JobName=self.name["job"])["Job"]

    def both(self, field: str) -> Any:
        """A field of the function, which is the same in the version that runs."""
        values = [configuration[field] for configuration in (self.live, self.function["Configuration"])]
        assert values[0] == values[1]
        return values[0]


Read = Callable[[Deployed], object]


def variable(name: str, kind: Callable[[str], object] = int) -> Read:
    return lambda there: kind(there.both("Environment")["Variables"][name])


def configured(field: str) -> Read:
    return lambda there: there.both(field)


def of_job(*path: str) -> Read:
    def read(there: Deployed) -> object:
        value = there.job
        for part in path:
            value = value[part]
        return value

    return read


def present(argument: str) -> Read:
    """A switch of Glue that is on by being there: on is 'true', off is its absence, and nothing else is either."""
    return lambda there: {"true": True, None: False}[there.job["DefaultArguments"].get(argument)]


def spelled(argument: str) -> Read:
    """A switch whose value counts, and which is there in any case."""
    return lambda there: {"true": True, "false": False}[there.job["DefaultArguments"][argument]]


def spark_conf(there: Deployed) -> object:
    text = there.job["DefaultArguments"]["--conf"]
    return dict(pair.split("=", 1) for pair in text.split(" --conf "))


def region(there: Deployed) -> object:
    """Of every ARN that has one."""
    arns = [there.function["Configuration"]["FunctionArn"]]
    arns += [there.client("dynamodb").describe_table(TableName=there.name["tracking_table"])["Table"]["TableArn"]]
    (one,) = {arn.split(":")[3] for arn in arns}
    return one


READ: Mapping[str, Read] = {
    "log_level": variable("LOG_LEVEL", str),
    "batching.max_files_per_manifest": variable("MAX_FILES_PER_MANIFEST"),
    "batching.max_batch_size_gb": variable("MAX_BATCH_SIZE_GB"),
    "size_rule.expected_file_size_mb": variable("EXPECTED_FILE_SIZE_MB"),
    "size_rule.size_tolerance_percent": variable("SIZE_TOLERANCE_PERCENT"),
    "lock.ttl_s": variable("LOCK_TTL_SECONDS"),
    "lock.max_wait_s": variable("MAX_LOCK_WAIT_SECONDS"),
    "function.memory_mb": configured("MemorySize"),
    "function.timeout_s": configured("Timeout"),
    "function.reserved_concurrency": lambda there: there.function["Concurrency"]["ReservedConcurrentExecutions"],
    "job.glue_version": of_job("GlueVersion"),
    "job.command": of_job("Command", "Name"),
    "job.worker_type": of_job("WorkerType"),
    "job.workers": of_job("NumberOfWorkers"),
    "job.max_concurrent_runs": of_job("ExecutionProperty", "MaxConcurrentRuns"),
    "job.timeout_min": of_job("Timeout"),
    "job.max_retries": of_job("MaxRetries"),
    "job.metrics": present("--enable-metrics"),
    "job.spark_ui": present("--enable-spark-ui"),
    "job.job_insights": present("--enable-job-insights"),
    "job.auto_scaling": spelled("--enable-auto-scaling"),
    "job.continuous_log": present("--enable-continuous-cloudwatch-log"),
    "job.spark_conf": spark_conf,
    "region": region,
}


def test_every_setting_of_the_reference_is_read_back() -> None:
    settings = {path for path, _, _ in REFERENCE} | {path for preset in PRESETS.values() for path in preset}
    assert set(READ) == settings - NOT_IN_AWS


@pytest.mark.parametrize("preset", [None, *PRESETS])
@pytest.mark.parametrize("env", ACCOUNTS)
def test_every_value_is_as_the_reference_says(
    environments: Mapping[str, Environment], env: str, preset: str | None
) -> None:
    world = environments[env]
    world.preset = preset
    deploying = world.deploy()
    assert deploying.execution.failed == []
    assert labels(world.plan()) == []
    there = Deployed(ACCOUNTS[env], world.hands.client)
    wanted = expected(env, preset)
    assert {path: read(there) for path, read in READ.items()} == {path: wanted[path] for path in READ}


@pytest.mark.parametrize("env", ACCOUNTS)
def test_everything_has_the_name_of_the_reference(environments: Mapping[str, Environment], env: str) -> None:
    """And the account holds nothing else of its kind."""
    world = environments[env]
    world.deploy()
    client, names = world.hands.client, names_of(ACCOUNTS[env])
    queues = client("sqs").list_queues()["QueueUrls"]
    there = {
        "buckets": {bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]},
        "tables": set(client("dynamodb").list_tables()["TableNames"]),
        "functions": {each["FunctionName"] for each in client("lambda").list_functions()["Functions"]},
        "jobs": set(client("glue").list_jobs()["JobNames"]),
        "queues": {url.rsplit("/", 1)[-1] for url in queues},
    }
    assert there == {
        "buckets": {name for attribute, name in names.items() if attribute.endswith("_bucket")},
        "tables": {names["tracking_table"], names["metrics_table"]},
        "functions": {names["function"]},
        "jobs": {names["job"]},
        "queues": {names["queue"], names["dead_letter_queue"]},
    }
    tags = client("lambda").get_function(FunctionName=names["function"])["Tags"]
    assert tags["ndjctl:stack"] == names["stack"] == NAMES["stack"]


def test_the_variables_and_arguments_name_the_references_resources(environments: Mapping[str, Environment]) -> None:
    world = environments["prod"]
    world.deploy()
    there = Deployed(ACCOUNTS["prod"], world.hands.client)
    variables, arguments = there.both("Environment")["Variables"], there.job["DefaultArguments"]
    named = {
        "TRACKING_TABLE": "tracking_table",
        "METRICS_TABLE": "metrics_table",
        "LOCK_TABLE": "tracking_table",
        "MANIFEST_BUCKET": "manifest_bucket",
        "QUARANTINE_BUCKET": "quarantine_bucket",
        "GLUE_JOB_NAME": "job",
    }
    assert {name: variables[name] for name in named} == {name: there.name[what] for name, what in named.items()}
    assert there.job["Command"]["ScriptLocation"].startswith(f"s3://{there.name['scripts_bucket']}/")
    assert there.job["Command"]["ScriptLocation"].endswith("/glue_batch_job.py")
    assert "--MANIFEST_PATH" not in arguments  # each run names its own
