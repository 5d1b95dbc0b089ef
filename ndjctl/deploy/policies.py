"""Who may do what: roles' trust and permissions and the queue's policy, as pure data with every resource named."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ndjctl.contracts import STATUS_INDEX, Names

VERSION = "2012-10-17"

LEDGER_ACTIONS = [
    "dynamodb:GetItem",
    "dynamodb:BatchGetItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "dynamodb:ConditionCheckItem",
]


@dataclass(frozen=True)
class Arns:
    """ARNs of one environment's resources."""

    region: str
    names: Names

    def _regional(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.names.account_id}:{resource}"

    def role(self, name: str) -> str:
        return f"arn:aws:iam::{self.names.account_id}:role/{name}"

    def queue(self, name: str) -> str:
        return self._regional("sqs", name)

    def table(self, name: str) -> str:
        return self._regional("dynamodb", f"table/{name}")

    def function(self) -> str:
        return self._regional("lambda", f"function:{self.names.function}")

    def job(self) -> str:
        return self._regional("glue", f"job/{self.names.job}")

    def rule(self, name: str) -> str:
        return self._regional("events", f"rule/{name}")

    def log_group(self, group: str) -> str:
        return self._regional("logs", f"log-group:{group}")

    def bucket(self, name: str) -> str:
        return f"arn:aws:s3:::{name}"

    def objects(self, name: str) -> str:
        return f"arn:aws:s3:::{name}/*"


def to_json(document: dict[str, Any]) -> str:
    """One spelling of a document, so that equal documents compare equal as text."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def trust_policy(service: str) -> dict[str, Any]:
    return _document(
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"},
    )


def queue_policy(arns: Arns) -> dict[str, Any]:
    """Only this account's input bucket may send file events."""
    return _document(
        {
            "Sid": "InputBucketSendsFileEvents",
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arns.queue(arns.names.queue),
            "Condition": {
                "ArnEquals": {"aws:SourceArn": arns.bucket(arns.names.input_bucket)},
                "StringEquals": {"aws:SourceAccount": arns.names.account_id},
            },
        }
    )


def function_policy(arns: Arns) -> dict[str, Any]:
    """What the manifest builder does, and nothing else."""
    names = arns.names
    return _document(
        _allow(
            "Queue",
            ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"],
            [arns.queue(names.queue)],
        ),
        _allow("ReadInput", ["s3:GetObject", "s3:GetObjectTagging"], [arns.objects(names.input_bucket)]),
        # Without it a missing object answers 403 instead of 404, and absent cannot be told from forbidden.
        _allow("ListInput", ["s3:ListBucket"], [arns.bucket(names.input_bucket), arns.bucket(names.manifest_bucket)]),
        _allow(
            "WriteQuarantine",
            ["s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload"],
            [arns.objects(names.quarantine_bucket)],
        ),
        # What a manifest that is given up has left: its parts, its bad lines, its report.
        _allow(
            "DeleteOutput",
            ["s3:DeleteObject", "s3:AbortMultipartUpload"],
            [
                f"{arns.bucket(names.output_bucket)}/parquet/*",
                f"{arns.bucket(names.quarantine_bucket)}/*/malformed/*",
                f"{arns.bucket(names.manifest_bucket)}/reports/*",
            ],
        ),
        _allow(
            "ListOutput",
            ["s3:ListBucket", "s3:ListBucketMultipartUploads"],
            [arns.bucket(names.output_bucket), arns.bucket(names.quarantine_bucket)],
        ),
        _allow("Manifests", ["s3:PutObject", "s3:GetObject"], [arns.objects(names.manifest_bucket)]),
        _allow(
            "Ledger",
            [*LEDGER_ACTIONS, "dynamodb:Query"],
            [
                arns.table(names.tracking_table),
                f"{arns.table(names.tracking_table)}/index/{STATUS_INDEX}",
                arns.table(names.metrics_table),
            ],
        ),
        _allow("Runs", ["glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns"], [arns.job()]),
        _logs(arns, f"/aws/lambda/{names.function}"),
    )


def job_policy(arns: Arns) -> dict[str, Any]:
    """What the conversion job does, and nothing else."""
    names = arns.names
    return _document(
        _allow("ReadObjects", ["s3:GetObject"], [arns.objects(names.input_bucket), arns.objects(names.scripts_bucket)]),
        _allow(
            "WriteObjects",
            [
                "s3:GetObject",
                "s3:PutObject",
                "s3:DeleteObject",
                "s3:AbortMultipartUpload",
                "s3:ListMultipartUploadParts",
            ],
            [
                arns.objects(names.output_bucket),
                arns.objects(names.quarantine_bucket),
                arns.objects(names.manifest_bucket),
            ],
        ),
        _allow(
            "ListBuckets",
            ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"],
            [arns.bucket(bucket) for bucket in names.buckets],
        ),
        _allow(
            "Ledger",
            LEDGER_ACTIONS,
            [arns.table(names.tracking_table), arns.table(names.metrics_table)],
        ),
        _allow("Runs", ["glue:GetJobRun"], [arns.job()]),
        _logs(arns, "/aws-glue/jobs/*"),
    )


def _logs(arns: Arns, group: str) -> dict[str, Any]:
    return _allow(
        "Logs",
        ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
        [arns.log_group(group), f"{arns.log_group(group)}:*"],
    )


def _allow(sid: str, actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": VERSION, "Statement": list(statements)}
