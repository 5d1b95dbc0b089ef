"""What the function and the job really ask of AWS, against the policies that they really have."""

from __future__ import annotations

from pathlib import Path

import pytest

from ndjctl.aws import Cloud
from ndjctl.contracts import Names
from ndjctl.deploy import policies
from ndjctl.deploy.arns import Arns
from tests.e2e.conftest import Tool
from tests.policy_world import REGION, iam_of, is_allowed, pipeline_calls, refused

NAMES = Names("123456789012")
ARNS = Arns(REGION, NAMES)
OTHER = Arns(REGION, Names("123456789012", "other"))
FUNCTION, JOB = policies.function_policy(ARNS), policies.job_policy(ARNS)


def test_every_call_of_a_run_is_allowed(tool: Tool, embedded: Cloud, cloud_dir: Path, tmp_path: Path) -> None:
    """Good lines, bad lines, a file of a forbidden size, a sweep; and whatever tests before this one did."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "2026-01-01-a.ndjson").write_text('{"a": 1}\n' * 200 + "{broken\n")
    (folder / "2026-01-01-b.ndjson").write_text('{"a": "text"}\n' * 50)
    (folder / "2026-01-02-large.ndjson").write_text('{"a": 2}\n' * 3000)
    tool.run(folder, "--set", "size_rule.max_file_size_mb=0.02")
    assert tool("sweep", "--set", f"suffix={tool.suffix}").code == 0

    denied, judged = refused(pipeline_calls(cloud_dir / "calls.jsonl"), iam_of(embedded.endpoint_url))
    assert denied == set()
    mine = {(call.role, call.action) for call in judged if call.role.endswith(tool.suffix)}
    for role, actions in (
        (
            embedded.names.function_role,
            {
                "cloudwatch:PutMetricData",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
                "glue:StartJobRun",
                "s3:GetObject",
                "s3:PutObject",
            },
        ),
        (
            embedded.names.job_role,
            {"dynamodb:UpdateItem", "s3:GetObject", "s3:ListBucket", "s3:PutObject", "logs:PutLogEvents"},
        ),
    ):
        missing = actions - {action for r, action in mine if r == role}
        assert not missing, f"{role} never asked for {missing}: the record is not what it is thought to be"
    call = next(call for call in judged if call.role == embedded.names.job_role and call.action == "s3:ListBucket")
    whole = policies.job_policy(Arns(REGION, embedded.names))
    assert is_allowed(whole, call.action, call.resource)
    without = {**whole, "Statement": [each for each in whole["Statement"] if each["Sid"] != "ListBuckets"]}
    assert not is_allowed(without, call.action, call.resource), "the judge allows everything"


# What AWS's own services do with the role, which no client of ours asks for: polling the queue and writing the log of a
# function (Lambda developer guide), fetching the script and writing the logs of a job (Glue developer guide).
@pytest.mark.parametrize(
    ("document", "action", "resource"),
    [
        (FUNCTION, "sqs:ReceiveMessage", ARNS.queue(NAMES.queue)),
        (FUNCTION, "sqs:DeleteMessage", ARNS.queue(NAMES.queue)),
        (FUNCTION, "sqs:GetQueueAttributes", ARNS.queue(NAMES.queue)),
        (FUNCTION, "logs:CreateLogStream", f"{ARNS.log_group(NAMES.function_log_group)}:*"),
        (FUNCTION, "logs:PutLogEvents", f"{ARNS.log_group(NAMES.function_log_group)}:log-stream:x"),
        (JOB, "s3:GetObject", f"{ARNS.bucket(NAMES.scripts_bucket)}/{NAMES.stack}/0123/glue_batch_job.py"),
        (JOB, "logs:PutLogEvents", f"{ARNS.log_group('/aws-glue/jobs/error')}:log-stream:jr_1"),
        (JOB, "s3:PutObject", f"{ARNS.bucket(NAMES.manifest_bucket)}/spark-events/x"),
    ],
)
def test_what_services_do_with_the_roles_is_allowed(document: dict[str, object], action: str, resource: str) -> None:
    assert is_allowed(document, action, resource)


INPUT = f"{ARNS.bucket(NAMES.input_bucket)}/a.ndjson"
OUTPUT = f"{ARNS.bucket(NAMES.output_bucket)}/parquet/2026-01-01/part-x-0.parquet"
MUST_NOT = [
    # What came in is nobody's to change or remove.
    ("both", "s3:PutObject", INPUT),
    ("both", "s3:DeleteObject", INPUT),
    ("both", "s3:DeleteObjectVersion", OUTPUT),
    ("both", "s3:DeleteBucket", ARNS.bucket(NAMES.output_bucket)),
    ("both", "s3:PutBucketPolicy", ARNS.bucket(NAMES.input_bucket)),
    ("both", "s3:PutLifecycleConfiguration", ARNS.bucket(NAMES.quarantine_bucket)),
    ("both", "s3:PutObject", f"{ARNS.bucket(NAMES.scripts_bucket)}/{NAMES.stack}/0123/glue_batch_job.py"),
    ("function", "s3:PutObject", OUTPUT),
    ("function", "s3:DeleteObject", f"{ARNS.bucket(NAMES.output_bucket)}/elsewhere/x"),
    ("function", "s3:DeleteObject", f"{ARNS.bucket(NAMES.manifest_bucket)}/manifests/2026-01-01/manifest-1.json"),
    ("function", "s3:DeleteObject", f"{ARNS.bucket(NAMES.quarantine_bucket)}/2026-01-01/too-large/x.ndjson"),
    # Another environment of the same account, and everybody else's.
    ("both", "s3:GetObject", f"{OTHER.bucket(OTHER.names.input_bucket)}/a.ndjson"),
    ("both", "s3:PutObject", f"{OTHER.bucket(OTHER.names.manifest_bucket)}/x"),
    ("both", "dynamodb:UpdateItem", OTHER.table(OTHER.names.tracking_table)),
    ("both", "glue:StartJobRun", OTHER.job()),
    ("function", "sqs:ReceiveMessage", OTHER.queue(OTHER.names.queue)),
    ("both", "s3:GetObject", "arn:aws:s3:::somebody-elses/x"),
    ("both", "logs:PutLogEvents", f"{ARNS.log_group('/aws/lambda/another')}:log-stream:x"),
    # The ledger's tables themselves.
    ("both", "dynamodb:DeleteTable", ARNS.table(NAMES.tracking_table)),
    ("both", "dynamodb:UpdateTable", ARNS.table(NAMES.tracking_table)),
    ("both", "dynamodb:Scan", ARNS.table(NAMES.tracking_table)),
    ("job", "dynamodb:Query", ARNS.table(NAMES.tracking_table)),
    # What runs.
    ("job", "glue:StartJobRun", ARNS.job()),
    ("both", "glue:UpdateJob", ARNS.job()),
    ("both", "glue:DeleteJob", ARNS.job()),
    ("both", "lambda:InvokeFunction", ARNS.function()),
    ("both", "lambda:UpdateFunctionCode", ARNS.function()),
    ("both", "sqs:SendMessage", ARNS.queue(NAMES.queue)),
    ("both", "sqs:PurgeQueue", ARNS.queue(NAMES.queue)),
    ("job", "sqs:ReceiveMessage", ARNS.queue(NAMES.queue)),
    # Rights.
    ("both", "iam:PassRole", ARNS.role(NAMES.job_role)),
    ("both", "iam:PutRolePolicy", ARNS.role(NAMES.function_role)),
    ("both", "sts:AssumeRole", ARNS.role(NAMES.job_role)),
    ("both", "kms:Decrypt", f"arn:aws:kms:{REGION}:123456789012:key/1"),
    ("both", "ec2:CreateNetworkInterface", f"arn:aws:ec2:{REGION}:123456789012:subnet/subnet-1"),
    ("job", "cloudwatch:PutMetricData", "*"),
]


@pytest.mark.parametrize(("who", "action", "resource"), MUST_NOT)
def test_what_they_must_not_do_is_denied(who: str, action: str, resource: str) -> None:
    documents = {"function": [FUNCTION], "job": [JOB], "both": [FUNCTION, JOB]}[who]
    assert not any(is_allowed(document, action, resource) for document in documents)


def test_metrics_go_into_our_namespace_only() -> None:
    assert is_allowed(FUNCTION, "cloudwatch:PutMetricData", "*", namespace="ndjctl")
    assert not is_allowed(FUNCTION, "cloudwatch:PutMetricData", "*", namespace="AWS/Lambda")
    assert not is_allowed(FUNCTION, "cloudwatch:PutMetricData", "*")


def test_the_jobs_metrics_go_into_glues_namespace_only_and_only_where_they_are_on() -> None:
    with_metrics = policies.job_policy(ARNS, metrics=True)
    assert is_allowed(with_metrics, "cloudwatch:PutMetricData", "*", namespace="Glue")
    for other in ("ndjctl", "AWS/Glue", "glue"):
        assert not is_allowed(with_metrics, "cloudwatch:PutMetricData", "*", namespace=other)
    assert not is_allowed(with_metrics, "cloudwatch:PutMetricData", "*")
    assert not is_allowed(JOB, "cloudwatch:PutMetricData", "*", namespace="Glue")


def test_a_key_with_a_line_end_is_judged_as_any_other() -> None:
    odd = f"arn:aws:s3:::{NAMES.input_bucket}/a\nb.ndjson"
    assert is_allowed(JOB, "s3:GetObject", odd)
    assert not is_allowed(JOB, "s3:DeleteObject", odd)
