"""What a profile becomes at AWS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from ndjctl.bundles import Bundle
from ndjctl.contracts import Names
from ndjctl.deploy import policies
from ndjctl.deploy.changes import differing
from ndjctl.deploy.desired import DesiredState, desired_state
from ndjctl.profiles import load_profile

NAMES = Names("123456789012")
BUNDLE = Bundle({"glue_batch_job.py": b"script", "glue_job.zip": b"library"})


def desired(env: str, *assignments: str, names: Names = NAMES) -> DesiredState:
    profile = load_profile(env, working_dir=Path("/nonexistent"), assignments=assignments).profile
    return desired_state(profile, names, BUNDLE)


def test_the_functions_environment_holds_the_references_variables() -> None:
    variables = desired("prod").function["Environment"]["Variables"]
    assert (
        variables
        | {
            "TRACKING_TABLE": "ndjson-parquet-sqs-file-tracking",
            "METRICS_TABLE": "ndjson-parquet-sqs-metrics",
            "LOCK_TABLE": "ndjson-parquet-sqs-file-tracking",
            "MANIFEST_BUCKET": "ndjson-manifests-123456789012",
            "QUARANTINE_BUCKET": "ndjson-quarantine-123456789012",
            "GLUE_JOB_NAME": "ndjson-parquet-sqs-streaming-processor",
            "MAX_FILES_PER_MANIFEST": "100",
            "MAX_BATCH_SIZE_GB": "500",
            "EXPECTED_FILE_SIZE_MB": "3500",
            "SIZE_TOLERANCE_PERCENT": "20",
            "MAX_FILE_SIZE_MB": "4700",
            "LOCK_TTL_SECONDS": "300",
            "MAX_LOCK_WAIT_SECONDS": "10",
            "LOG_LEVEL": "INFO",
        }
        == variables
    )
    assert "MIN_FILE_SIZE_MB" not in variables
    assert variables["OUTPUT_BUCKET"] == "ndjson-output-sqs-123456789012"
    assert variables["MAX_WAITING_MANIFESTS"] == "100"


def test_the_function_may_delete_output_and_nothing_that_is_not_made_from_the_input() -> None:
    statements = {each["Sid"]: each for each in desired("prod").function_policy["Statement"]}
    deleting = [each for each in statements.values() if "s3:DeleteObject" in each["Action"]]
    (only,) = deleting
    assert [resource.removeprefix("arn:aws:s3:::") for resource in only["Resource"]] == [
        "ndjson-output-sqs-123456789012/parquet/*",
        "ndjson-quarantine-123456789012/*/malformed/*",
        "ndjson-manifests-123456789012/reports/*",
    ]
    assert "s3:ListBucketMultipartUploads" in statements["ListOutput"]["Action"]


def test_glues_switches_are_present_or_absent() -> None:
    dev, prod = desired("dev").job["DefaultArguments"], desired("prod").job["DefaultArguments"]
    for arguments in (dev, prod):
        for switch in ("--enable-metrics", "--enable-spark-ui", "--enable-job-insights"):
            assert arguments[switch] == "true"
    assert (dev["--enable-auto-scaling"], prod["--enable-auto-scaling"]) == ("false", "true")
    assert "--enable-continuous-cloudwatch-log" not in dev
    assert prod["--enable-continuous-cloudwatch-log"] == "true"
    assert "--enable-metrics" not in desired("dev", "job.metrics=false").job["DefaultArguments"]


def test_the_job_is_told_what_it_plans_by() -> None:
    prod = desired("prod").job["DefaultArguments"]
    assert prod["--TASK_SLOTS"] == "152"  # 19 workers of G.2X with 8 vCPUs each, and the driver's
    assert (prod["--PART_SIZE_MB"], prod["--MAX_LINE_MB"]) == ("256", "64")
    assert not {"--MAX_BAD_LINES", "--MAX_BAD_PERCENT"} & set(prod)
    limited = desired("prod", "job.max_bad_lines=0", "job.max_bad_percent=0.5", "job.worker_type=G.025X")
    arguments = limited.job["DefaultArguments"]
    assert (arguments["--MAX_BAD_LINES"], arguments["--MAX_BAD_PERCENT"]) == ("0", "0.5")
    assert arguments["--TASK_SLOTS"] == "38"


def test_spark_settings_travel_as_one_argument() -> None:
    conf = desired("prod").job["DefaultArguments"]["--conf"]
    assert conf.split(" --conf ") == sorted(conf.split(" --conf "))
    assert "spark.sql.files.maxPartitionBytes=512MB" in conf.split(" --conf ")


@pytest.mark.parametrize(("reserved", "batches"), [(1, 2), (2, 2), (3, 2), (5, 4), (10, 9)])
def test_the_queue_leaves_one_invocation_to_the_sweep_and_the_tool(reserved: int, batches: int) -> None:
    state = desired("prod", f"function.reserved_concurrency={reserved}")
    assert state.mapping["ScalingConfig"] == {"MaximumConcurrency": batches}


def test_the_queue_outlives_the_functions_retries() -> None:
    state = desired("prod")
    assert int(state.queue_attributes["VisibilityTimeout"]) >= 6 * 300 + 5
    redrive = json.loads(state.queue_attributes["RedrivePolicy"])
    assert redrive["maxReceiveCount"] >= 5
    assert redrive["deadLetterTargetArn"].endswith(":ndjson-parquet-sqs-file-events-dlq")


@pytest.mark.parametrize("env", ["local", "dev", "prod"])
def test_aws_takes_the_requests(env: str) -> None:
    """Against the services' own models, as botocore has them."""
    state = desired(env)
    _valid("glue", "CreateJob", {"Name": NAMES.job, **state.job})
    _valid("glue", "UpdateJob", {"JobName": NAMES.job, "JobUpdate": state.job})
    _valid("lambda", "CreateFunction", {**state.function, "Code": {"ZipFile": b"x"}})
    _valid("lambda", "CreateEventSourceMapping", {"FunctionName": "f", "EventSourceArn": "a", **state.mapping})
    _valid("sqs", "CreateQueue", {"QueueName": NAMES.queue, "Attributes": state.queue_attributes})


def _valid(service: str, operation: str, request: dict[str, Any]) -> None:
    shape = ServiceModel(Loader().load_service_model(service, "service-2")).operation_model(operation).input_shape
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("document", [desired("prod").function_policy, desired("prod").job_policy])
def test_no_permission_is_for_everything(document: dict[str, Any]) -> None:
    for statement in document["Statement"]:
        assert all(not action.endswith("*") for action in statement["Action"]), statement
        assert all(resource.startswith("arn:aws:") and resource != "*" for resource in statement["Resource"])


def test_only_the_input_bucket_may_fill_the_queue() -> None:
    statement = policies.queue_policy(policies.Arns("us-east-1", NAMES))["Statement"][0]
    assert statement["Condition"]["ArnEquals"]["aws:SourceArn"] == "arn:aws:s3:::ndjson-input-sqs-123456789012"
    assert statement["Condition"]["StringEquals"]["aws:SourceAccount"] == "123456789012"


def test_two_environments_of_one_account_share_nothing() -> None:
    def names_in(state: DesiredState) -> set[str]:
        text = json.dumps([state.function, state.job, state.queue_attributes, state.job_policy, state.function_policy])
        return {word for word in text.replace("/", '"').replace(":", '"').split('"') if word.startswith("ndjson-")}

    plain, other = names_in(desired("dev")), names_in(desired("dev", names=Names("123456789012", "blue")))
    assert plain
    assert not plain & other


def test_only_what_we_own_is_compared() -> None:
    assert differing({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 2, "theirs": 3}, "theirs": 4}) == []
    assert differing({"a": 1, "b": {"c": 2}}, {"a": 2, "b": {}}) == ["a", "b.c"]
    assert differing({"p": '{"x":1,"y":2}'}, {"p": '{ "y": 2, "x": 1 }'}) == []
    assert differing({"p": '{"x":1}'}, {"p": "{broken"}) == ["p"]
