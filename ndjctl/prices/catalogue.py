"""Every price that the tool knows by a key: what it is for, its unit, and how the AWS Price List names it. Pure.

The names are those of GetProducts: a service code, and attributes of its products. A usage type begins with a prefix of
its region ("USE2-", "EU-", "eu-west-1-"), in us-east-1 mostly with none; here it is without.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

INSTANCE_TYPES = ("m7g.2xlarge", "m7i.2xlarge", "c7g.4xlarge")
"""Of EC2, that are compared: ARM and x86 with 8 vCPU and 32 GB, ARM with 16 vCPU and 32 GB."""

GB = "GB of 2**30 bytes"

_PREFIX = r"(?:[A-Za-z0-9]+(?:-[a-z]+-\d)?-)?"


@dataclass(frozen=True)
class Product:
    """service_code, attributes: what GetProducts is asked for (TERM_MATCH). usage_type: without the region's prefix.
    region_attribute: the attribute that has the region in it."""

    service_code: str
    usage_type: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    region_attribute: str = "regionCode"

    def is_named(self, usage_type: str) -> bool:
        """Whether that is this product's usage type in some region."""
        return re.fullmatch(_PREFIX + re.escape(self.usage_type), usage_type) is not None


@dataclass(frozen=True)
class Item:
    """service, words: such as "AWS Glue", "DPU hour". unit: of which the price is for one. product: None where the
    Price List has no such item."""

    key: str
    service: str
    words: str
    unit: str
    product: Product | None


def _items() -> tuple[Item, ...]:
    return (
        *_glue(),
        *_requests_and_tables(),
        *_storage(),
        *_cloudwatch(),
        *_vcpu_and_memory(),
        *_others(),
        *_instances(),
    )


def _glue() -> tuple[Item, ...]:
    def item(key: str, words: str, usage_type: str) -> Item:
        return Item(f"glue.{key}", "AWS Glue", words, "DPU hour", Product("AWSGlue", usage_type))

    return (
        item("dpu_hour", "runs of Glue 5.1 and before", "ETL-DPU-Hour"),
        item("flex_dpu_hour", "the same, FLEX", "ETL-Flex-DPU-Hour"),
        item("v6_dpu_hour", "runs of Glue 6.0", "ETL-DPU-Hour-Gen2"),
        item("v6_flex_dpu_hour", "the same, FLEX", "ETL-Flex-DPU-Hour-Gen2"),
    )


def _requests_and_tables() -> tuple[Item, ...]:
    aws_lambda, sqs, dynamodb = "AWSLambda", "AWSQueueService", "AmazonDynamoDB"
    indexed = {"volumeType": "Amazon DynamoDB - Indexed DataStore"}
    x86, arm = Product(aws_lambda, "Lambda-GB-Second"), Product(aws_lambda, "Lambda-GB-Second-ARM")
    return (
        Item("lambda.gb_second_x86", "AWS Lambda", "memory, x86", f"second of a {GB}", x86),
        Item("lambda.gb_second_arm", "AWS Lambda", "memory, ARM", f"second of a {GB}", arm),
        Item("lambda.requests", "AWS Lambda", "requests", "request", Product(aws_lambda, "Request")),
        Item("sqs.requests", "Amazon SQS", "requests, standard queue", "request", Product(sqs, "Requests-RBP")),
        Item(
            "dynamodb.write_units",
            "Amazon DynamoDB",
            "writes on demand",
            "write unit of 1 KB",
            Product(dynamodb, "WriteRequestUnits"),
        ),
        Item(
            "dynamodb.read_units",
            "Amazon DynamoDB",
            "reads on demand",
            "read unit of 4 KB",
            Product(dynamodb, "ReadRequestUnits"),
        ),
        Item(
            "dynamodb.storage_gb_month",
            "Amazon DynamoDB",
            "tables and indexes",
            f"month of a {GB}",
            Product(dynamodb, "TimedStorage-ByteHrs", indexed),
        ),
        Item(
            "dynamodb.pitr_gb_month",
            "Amazon DynamoDB",
            "point-in-time recovery",
            f"month of a {GB}",
            Product(dynamodb, "TimedPITRStorage-ByteHrs"),
        ),
    )


def _storage() -> tuple[Item, ...]:
    s3, standard = "AmazonS3", {"volumeType": "Standard"}
    out = Product("AWSDataTransfer", "DataTransfer-Out-Bytes", {"transferType": "AWS Outbound"}, "fromRegionCode")
    stored = Product(s3, "TimedStorage-ByteHrs", standard)
    return (
        Item("s3.storage_gb_month", "Amazon S3", "storage, Standard", f"month of a {GB}", stored),
        Item("s3.put_requests", "Amazon S3", "PUT, COPY, POST, LIST", "request", Product(s3, "Requests-Tier1")),
        Item("s3.get_requests", "Amazon S3", "GET and others", "request", Product(s3, "Requests-Tier2")),
        Item("transfer.out_gb", "data transfer", "out to the internet", GB, out),
    )


def _cloudwatch() -> tuple[Item, ...]:
    name, code = "Amazon CloudWatch", "AmazonCloudWatch"

    def item(key: str, words: str, unit: str, usage_type: str, attributes: Mapping[str, str] | None = None) -> Item:
        return Item(f"cloudwatch.{key}", name, words, unit, Product(code, usage_type, attributes or {}))

    return (
        item("logs_ingested_gb", "logs, ingested", GB, "DataProcessing-Bytes", {"operation": "PutLogEvents"}),
        item("logs_stored_gb_month", "logs, stored (compressed)", f"month of a {GB}", "TimedStorage-ByteHrs"),
        item("metric_month", "metrics of one's own", "metric and month", "CW:MetricMonitorUsage"),
        item("alarm_month", "alarms, standard", "alarm and month", "CW:AlarmMonitorUsage"),
        item("dashboard_month", "dashboards", "dashboard and month", "DashboardsUsageHour"),
        item("api_requests", "API requests", "request", "CW:Requests"),
    )


def _vcpu_and_memory() -> tuple[Item, ...]:
    found: list[Item] = []
    for architecture, mark in (("x86", ""), ("arm", "ARM-")):
        words = "x86" if architecture == "x86" else "ARM"
        emr = {"productFamily": "EMR Serverless"}
        for key, unit, emr_type, ecs_type in (
            ("vcpu_hour", "vCPU hour", "vCPUHours", "vCPU-Hours:perCPU"),
            ("gb_hour", f"hour of a {GB}", "MemoryGBHours", "GB-Hours"),
        ):
            what = ("vCPU" if key == "vcpu_hour" else "memory") + f", {words}"
            serverless = Product("ElasticMapReduce", f"EMR-SERVERLESS-{mark}{emr_type}", emr)
            fargate = Product("AmazonECS", f"Fargate-{mark}{ecs_type}")
            found += [
                Item(f"emr_serverless.{key}_{architecture}", "EMR Serverless", what, unit, serverless),
                Item(f"fargate.{key}_{architecture}", "AWS Fargate", what, unit, fargate),
                Item(f"fargate.spot_{key}_{architecture}", "AWS Fargate", f"{what}, Spot", unit, None),
            ]
    return tuple(sorted(found, key=lambda each: (each.service != "EMR Serverless", "Spot" in each.words)))


def _others() -> tuple[Item, ...]:
    email = Product("AmazonSNS", "DeliveryAttempts-SMTP")
    firehose, athena = "AmazonKinesisFirehose", Product("AmazonAthena", "DataScannedInTB")
    converted = Product(firehose, "DataFormatConversion-Bytes")
    return (
        Item("sns.email_notifications", "Amazon SNS", "e-mails", "e-mail", email),
        Item("kms.key_month", "AWS KMS", "keys of one's own", "key and month", Product("awskms", "KMS-Keys")),
        Item("kms.requests", "AWS KMS", "requests, symmetric", "request", Product("awskms", "KMS-Requests")),
        Item("firehose.ingested_gb", "Amazon Data Firehose", "ingested", GB, Product(firehose, "BilledBytes")),
        Item("firehose.converted_gb", "Amazon Data Firehose", "converted to Parquet", GB, converted),
        Item("athena.scanned_tb", "Amazon Athena", "scanned", "TB of 2**40 bytes", athena),
    )


def _instances() -> tuple[Item, ...]:
    found: list[Item] = []
    for name in INSTANCE_TYPES:
        linux = {
            "instanceType": name,
            "operatingSystem": "Linux",
            "tenancy": "Shared",
            "preInstalledSw": "NA",
            "capacitystatus": "Used",
        }
        usage_type, emr = f"BoxUsage:{name}", {"instanceType": name, "softwareType": "EMR"}
        found += [
            Item(f"ec2.{name}_hour", "Amazon EC2", f"{name}, Linux", "hour", Product("AmazonEC2", usage_type, linux)),
            Item(f"ec2.{name}_spot_hour", "Amazon EC2", f"{name}, Linux, Spot", "hour", None),
            Item(f"emr.{name}_hour", "EMR on EC2", name, "hour", Product("ElasticMapReduce", usage_type, emr)),
        ]
    return tuple(sorted(found, key=lambda each: each.service))


ITEMS: Mapping[str, Item] = {item.key: item for item in _items()}
"""By key, in the order in which they are listed: by service."""
