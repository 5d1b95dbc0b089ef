"""What a profile becomes at AWS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from ndjctl.bundles import Bundle, Code
from ndjctl.contracts import Names
from ndjctl.deploy import policies
from ndjctl.deploy.arns import Arns
from ndjctl.deploy.desired import desired_state
from ndjctl.deploy.documents import plain
from ndjctl.deploy.kinds.registry import KINDS
from ndjctl.deploy.model import ABSENT, ENVIRONMENT_TAG, Resource
from ndjctl.deploy.planner import ordered
from ndjctl.profiles import load_profile

NAMES = Names("123456789012")
JOB = Bundle({"glue_batch_job.py": b"script", "glue_job.zip": b"library"})
CODE = Code(Bundle({"function.zip": b"function"}).index, JOB.index)
EVERYTHING = (
    "security.kms_key_arn=arn:aws:kms:us-east-1:123456789012:key/1234abcd",
    "security.permissions_boundary_arn=arn:aws:iam::123456789012:policy/boundary",
    "network.subnets.subnet-0a1b2c=us-east-1a",
    "network.security_group_ids=[sg-0a1b2c]",
    "alarms.email=operators@example.com",
    "retention.quarantine_days=90",
    "tags.team=data",
)


class Desired(dict[str, Resource]):
    """Resources by id, and the parts of some that tests ask for often."""

    @property
    def function(self) -> Any:
        return self[f"function/{self.names.function}"].fields

    @property
    def job(self) -> Any:
        return self[f"job/{self.names.job}"].fields

    @property
    def queue(self) -> Any:
        return self[f"queue/{self.names.queue}"].fields

    names = NAMES


def desired(env: str, *assignments: str, names: Names = NAMES) -> Desired:
    profile = load_profile(env, working_dir=Path("/nonexistent"), assignments=assignments).profile
    found = Desired((resource.id, resource) for resource in desired_state(profile, names, CODE))
    found.names = names
    return found


FUNCTION_POLICY = policies.function_policy(Arns("us-east-1", NAMES))
JOB_POLICY = policies.job_policy(Arns("us-east-1", NAMES), metrics=True)


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
    statements = {each["Sid"]: each for each in FUNCTION_POLICY["Statement"]}
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
    assert dev["--enable-continuous-cloudwatch-log"] is ABSENT
    assert prod["--enable-continuous-cloudwatch-log"] == "true"
    assert desired("dev", "job.metrics=false").job["DefaultArguments"]["--enable-metrics"] is ABSENT


def test_the_job_is_told_what_it_plans_by() -> None:
    prod = desired("prod").job["DefaultArguments"]
    assert prod["--TASK_SLOTS"] == "152"  # 19 workers of G.2X with 8 vCPUs each, and the driver's
    assert (prod["--PART_SIZE_MB"], prod["--MAX_LINE_MB"]) == ("256", "64")
    assert prod["--MAX_BAD_LINES"] is prod["--MAX_BAD_PERCENT"] is ABSENT
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
    assert state[f"mapping/{NAMES.function}"].fields["ScalingConfig"] == {"MaximumConcurrency": batches}


def test_the_queue_outlives_the_functions_retries() -> None:
    state = desired("prod")
    assert int(state.queue["VisibilityTimeout"]) >= 6 * 300 + 5
    redrive = state.queue["RedrivePolicy"]
    assert redrive["maxReceiveCount"] >= 5
    assert redrive["deadLetterTargetArn"].endswith(":ndjson-parquet-sqs-file-events-dlq")


@pytest.mark.parametrize("env", ["local", "dev", "prod"])
def test_aws_takes_the_requests(env: str) -> None:
    """Against the services' own models, as botocore has them."""
    state = desired(env, *EVERYTHING)
    job = {key: value for key, value in plain(state.job).items() if key != "Tags"}
    _valid("glue", "CreateJob", {"Name": NAMES.job, **job})
    _valid("glue", "UpdateJob", {"JobName": NAMES.job, "JobUpdate": job})


def _valid(service: str, operation: str, request: dict[str, Any]) -> None:
    shape = ServiceModel(Loader().load_service_model(service, "service-2")).operation_model(operation).input_shape
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("document", [FUNCTION_POLICY, JOB_POLICY])
def test_no_permission_is_for_everything(document: dict[str, Any]) -> None:
    for statement in document["Statement"]:
        assert all(not action.endswith("*") for action in statement["Action"]), statement
        if statement["Resource"] == ["*"]:  # where the service allows no resource to be named
            assert statement["Action"] == ["cloudwatch:PutMetricData"]
            namespace = "ndjctl" if document is FUNCTION_POLICY else "Glue"
            assert statement["Condition"]["StringEquals"] == {"cloudwatch:namespace": namespace}
        else:
            assert all(resource.startswith("arn:aws:") for resource in statement["Resource"])


def test_the_job_may_write_metrics_where_it_has_any() -> None:
    role = f"role/{NAMES.job_role}"
    assert "Metrics" in desired("prod")[role].fields["Policy"]
    assert "Metrics" not in desired("prod", "job.metrics=false")[role].fields["Policy"]


def test_only_the_input_bucket_may_fill_the_queue() -> None:
    statement = policies.queue_policy(Arns("us-east-1", NAMES))["Statement"][0]
    assert statement["Condition"]["ArnEquals"]["aws:SourceArn"] == "arn:aws:s3:::ndjson-input-sqs-123456789012"
    assert statement["Condition"]["StringEquals"]["aws:SourceAccount"] == "123456789012"


def test_two_environments_of_one_account_share_nothing() -> None:
    def names_in(state: Desired) -> set[str]:
        text = json.dumps([[resource.id, plain(resource.fields)] for resource in state.values()])
        words = set(text.replace("/", '"').replace(":", '"').split('"'))
        return {word for word in words if word.startswith(("ndjson-", "aws-glue-scripts"))}

    plain_names, other = names_in(desired("dev")), names_in(desired("dev", names=Names("123456789012", "blue")))
    assert len(plain_names) > 15
    assert not plain_names & other


def test_every_resource_has_a_kind_and_a_name_of_its_own() -> None:
    for env in ("local", "dev", "prod"):
        profile = load_profile(env, working_dir=Path("/nonexistent"), assignments=EVERYTHING).profile
        resources = desired_state(profile, NAMES, CODE)
        assert len({resource.id for resource in resources}) == len(resources)
        assert {resource.kind for resource in resources} == set(KINDS)
        assert len(ordered(resources)) == len(resources)


def test_everything_that_takes_tags_says_whose_it_is() -> None:
    untagged = {"alias", "artifact", "connection", "dashboard", "mapping", "notification", "permission", "subscription"}
    for resource in desired("prod", *EVERYTHING).values():
        if resource.kind in untagged:
            assert "Tags" not in resource.fields
        else:
            assert resource.fields["Tags"][ENVIRONMENT_TAG] == "prod"
            assert resource.fields["Tags"]["team"] == "data"


def test_the_profiles_tags_cannot_forge_an_owner() -> None:
    state = desired("dev", "tags.ndjctl:environment=prod")
    assert state.function["Tags"][ENVIRONMENT_TAG] == "dev"


def test_without_alarms_they_go() -> None:
    state = desired("prod", "alarms.enabled=false")
    gone = {resource.kind for resource in state.values() if not resource.wanted}
    assert gone == {"topic", "alarm"}
    assert all(resource.wanted for resource in desired("prod").values())


def test_everything_optional_is_in_its_place() -> None:
    state = desired("prod", *EVERYTHING)
    key = EVERYTHING[0].partition("=")[2]
    text = {id_: json.dumps(plain(resource.fields)) for id_, resource in state.items()}
    encrypted = {resource.kind for id_, resource in state.items() if key in text[id_]}
    assert encrypted == {"bucket", "queue", "table", "role", "log-group", "topic", "function", "alias"}
    bounded = {id_ for id_ in text if "policy/boundary" in text[id_]}
    assert bounded == {f"role/{NAMES.job_role}", f"role/{NAMES.function_role}"}
    assert state.function["VpcConfig"] == {"SubnetIds": ["subnet-0a1b2c"], "SecurityGroupIds": ["sg-0a1b2c"]}
    assert state.job["Connections"] == {"Connections": [NAMES.connection("subnet-0a1b2c")]}
    assert f"subscription/{NAMES.alarm_topic}:operators@example.com" in state
    quarantine = state[f"bucket/{NAMES.quarantine_bucket}"].fields["Lifecycle"]["ndjctl-quarantine"]
    assert quarantine["Expiration"] == {"Days": 90}


def test_nothing_of_the_input_the_parquet_or_the_reports_ever_expires() -> None:
    for env in ("local", "dev", "prod"):
        state = desired(env, "retention.quarantine_days=1", "retention.manifests_days=8")
        for bucket in NAMES.buckets:
            for rule in state[f"bucket/{bucket}"].fields["Lifecycle"].values():
                if rule is ABSENT or "Expiration" not in rule:
                    continue
                if bucket == NAMES.scripts_bucket:  # code, once it is marked
                    assert (rule["Prefix"], rule["Tags"]) == (f"{NAMES.stack}/", {"ndjctl:retired": "true"})
                    continue
                assert bucket in (NAMES.manifest_bucket, NAMES.quarantine_bucket)
                assert bucket == NAMES.quarantine_bucket or rule["Prefix"] in (
                    "manifests/",
                    "glue-temp/",
                    "spark-events/",
                )
