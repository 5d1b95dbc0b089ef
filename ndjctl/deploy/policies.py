"""Who may do what: roles' trust and permissions and the queue's policy, as pure data with every resource named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ndjctl.contracts import METRIC_NAMESPACE, STATUS_INDEX
from ndjctl.deploy.arns import Arns
from ndjctl.settings import Network, Security

VERSION = "2012-10-17"
NO_SECURITY = Security()
NO_NETWORK = Network()

GLUE_NAMESPACE = "Glue"
"""Of CloudWatch, where Glue puts the metrics of jobs (Glue developer guide, "Monitoring with Amazon CloudWatch")."""

LEDGER_ACTIONS = [
    "dynamodb:GetItem",
    "dynamodb:BatchGetItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "dynamodb:ConditionCheckItem",
]


def to_json(document: Mapping[str, Any]) -> str:
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


def function_policy(arns: Arns, security: Security = NO_SECURITY, network: Network = NO_NETWORK) -> dict[str, Any]:
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
        _metrics(METRIC_NAMESPACE),
        _logs(arns, names.function_log_group),
        *_key(security),
        *([_function_network()] if network.subnets else []),
    )


def job_policy(
    arns: Arns, security: Security = NO_SECURITY, network: Network = NO_NETWORK, *, metrics: bool = False
) -> dict[str, Any]:
    """What the conversion job does, and nothing else. metrics: whether Glue writes the job's metrics, which it does as
    the job's role, into a namespace of its own (Glue developer guide, "Job monitoring and debugging")."""
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
        *([_metrics(GLUE_NAMESPACE)] if metrics else []),
        _logs(arns, "/aws-glue/jobs/*"),
        *_key(security),
        *(_job_network(arns, network) if network.subnets else []),
    )


def tls_only_policy(arns: Arns, bucket: str) -> dict[str, Any]:
    """Nobody reads or writes a bucket without encryption on the way."""
    return _document(
        {
            "Sid": "NdjctlTlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arns.bucket(bucket), arns.objects(bucket)],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )


def topic_policy(arns: Arns, topic: str) -> dict[str, Any]:
    """Only alarms of this account may publish."""
    return _document(
        {
            "Sid": "AlarmsPublish",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": arns.topic(topic),
            "Condition": {
                "ArnLike": {"aws:SourceArn": arns.alarm(f"{arns.names.stack}-*")},
                "StringEquals": {"aws:SourceAccount": arns.names.account_id},
            },
        }
    )


def _metrics(namespace: str) -> dict[str, Any]:
    """PutMetricData takes no resource; the namespace is what can be named."""
    return _allow("Metrics", ["cloudwatch:PutMetricData"], ["*"]) | {
        "Condition": {"StringEquals": {"cloudwatch:namespace": namespace}}
    }


def _key(security: Security) -> list[dict[str, Any]]:
    if security.kms_key_arn is None:
        return []
    return [_allow("Key", ["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"], [security.kms_key_arn])]


def _function_network() -> dict[str, Any]:
    """As AWSLambdaVPCAccessExecutionRole has it: Lambda asks for all of these, and for every resource, when a function
    with a VPC is made (Lambda developer guide, "Giving Lambda functions access to resources in a VPC")."""
    actions = [
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    ]
    return _allow("Network", actions, ["*"])


def _job_network(arns: Arns, network: Network) -> list[dict[str, Any]]:
    """What Glue does with the role to place its workers in a subnet (Glue developer guide, AWSGlueServiceRole)."""
    places = [
        *(arns.ec2("subnet", subnet) for subnet in network.subnets),
        *(arns.ec2("security-group", group) for group in network.security_group_ids),
        arns.network_interfaces(),
    ]
    looks = [
        "ec2:DescribeVpcEndpoints",
        "ec2:DescribeRouteTables",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcAttribute",
    ]
    connections = [arns.connection(arns.names.connection(subnet)) for subnet in network.subnets]
    return [
        _allow("Connections", ["glue:GetConnection"], [arns.catalog(), *connections]),
        _allow("NetworkLooks", looks, ["*"]),  # EC2 allows no resource to be named for its Describe calls
        _allow("Network", ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"], places),
        _allow("NetworkTags", ["ec2:CreateTags", "ec2:DeleteTags"], [arns.network_interfaces()])
        | {"Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["aws-glue-service-resource"]}}},
    ]


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
