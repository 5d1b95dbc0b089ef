"""Every price that the tool knows by a key: what it is for, its unit, and how the AWS Price List names it. Pure.

The names are those of GetProducts: a service code, and attributes of its products. A usage type begins with a prefix of
its region ("USE2-", "EU-", "eu-west-1-"), in us-east-1 mostly with none; here it is without.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

INSTANCE_TYPES = ("m7g.2xlarge", "m7i.2xlarge", "c7g.4xlarge", "m5.xlarge")
"""Of EC2, that are compared. In this order: ARM with 8 vCPU and 32 GB, x86 with the same, ARM with 16 vCPU and 32 GB,
x86 with 4 vCPU and 16 GB."""

GB = "GB (2**30 bytes)"
GB_SECOND, GB_HOUR, GB_MONTH = (f"GB {time} (GB: 2**30 bytes)" for time in ("second", "hour", "month"))

_PREFIX = r"(?:[A-Za-z0-9]+(?:-[a-z]+-\d)?-)?"


@dataclass(frozen=True)
class Product:
    """service_code, attributes: what GetProducts is asked for (TERM_MATCH). usage_type: without the region's prefix;
    empty where the attributes say enough. region_attribute: the attribute that has the region in it; empty for what has
    one price in all regions."""

    service_code: str
    usage_type: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    region_attribute: str = "regionCode"

    def is_named(self, usage_type: str) -> bool:
        """Whether that is this product's usage type in some region."""
        return not self.usage_type or re.fullmatch(_PREFIX + re.escape(self.usage_type), usage_type) is not None


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
        item("dpu_hour", "runs, Glue up to 5.1", "ETL-DPU-Hour"),
        item("flex_dpu_hour", "the same, FLEX", "ETL-Flex-DPU-Hour"),
        item("v6_dpu_hour", "runs, Glue from 6.0", "ETL-DPU-Hour-Gen2"),
        item("v6_flex_dpu_hour", "the same, FLEX", "ETL-Flex-DPU-Hour-Gen2"),
    )


def _requests_and_tables() -> tuple[Item, ...]:
    aws_lambda, sqs, dynamodb = "AWSLambda", "AWSQueueService", "AmazonDynamoDB"
    indexed = {"volumeType": "Amazon DynamoDB - Indexed DataStore"}
    x86, arm = Product(aws_lambda, "Lambda-GB-Second"), Product(aws_lambda, "Lambda-GB-Second-ARM")
    return (
        Item("lambda.gb_second_x86", "AWS Lambda", "memory x86", GB_SECOND, x86),
        Item("lambda.gb_second_arm", "AWS Lambda", "memory ARM", GB_SECOND, arm),
        Item("lambda.requests", "AWS Lambda", "requests", "request", Product(aws_lambda, "Request")),
        # Its usage type is Requests-RBP in us-east-1 and Requests-Tier1 elsewhere.
        Item("sqs.requests", "Amazon SQS", "requests", "request", Product(sqs, "", {"queueType": "Standard"})),
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
            GB_MONTH,
            Product(dynamodb, "TimedStorage-ByteHrs", indexed),
        ),
        Item(
            "dynamodb.pitr_gb_month",
            "Amazon DynamoDB",
            "point-in-time recovery",
            GB_MONTH,
            Product(dynamodb, "TimedPITRStorage-ByteHrs"),
        ),
    )


def _storage() -> tuple[Item, ...]:
    s3, standard = "AmazonS3", {"volumeType": "Standard"}
    out = Product("AWSDataTransfer", "DataTransfer-Out-Bytes", {"transferType": "AWS Outbound"}, "fromRegionCode")
    stored = Product(s3, "TimedStorage-ByteHrs", standard)
    return (
        Item("s3.storage_gb_month", "Amazon S3", "storage, Standard", GB_MONTH, stored),
        Item("s3.put_requests", "Amazon S3", "PUT, COPY, POST, LIST", "request", Product(s3, "Requests-Tier1")),
        Item("s3.get_requests", "Amazon S3", "GET and others", "request", Product(s3, "Requests-Tier2")),
        Item("transfer.out_gb", "Data transfer", "out to the internet", GB, out),
    )


def _cloudwatch() -> tuple[Item, ...]:
    name, code = "Amazon CloudWatch", "AmazonCloudWatch"

    def item(key: str, words: str, unit: str, usage_type: str, attributes: Mapping[str, str] | None = None) -> Item:
        return Item(f"cloudwatch.{key}", name, words, unit, Product(code, usage_type, attributes or {}))

    dashboard = Product(code, "DashboardsUsageHour", {"usagetype": "DashboardsUsageHour"}, region_attribute="")

    return (
        item("logs_ingested_gb", "logs ingested", GB, "DataProcessing-Bytes", {"operation": "PutLogEvents"}),
        item("logs_stored_gb_month", "logs stored, compressed", GB_MONTH, "TimedStorage-ByteHrs"),
        item("metric_month", "metrics of one's own", "metric month", "CW:MetricMonitorUsage"),
        item("alarm_month", "alarms, standard", "alarm month", "CW:AlarmMonitorUsage"),
        Item("cloudwatch.dashboard_month", name, "dashboards", "dashboard month", dashboard),
        item("api_requests", "API requests", "request", "CW:Requests"),
    )


def _vcpu_and_memory() -> tuple[Item, ...]:
    found: list[Item] = []
    for architecture, mark in (("x86", ""), ("arm", "ARM-")):
        words = "x86" if architecture == "x86" else "ARM"
        emr = {"productFamily": "EMR Serverless"}
        for key, unit, emr_type, ecs_type in (
            ("vcpu_hour", "vCPU hour", "vCPUHours", "vCPU-Hours:perCPU"),
            ("gb_hour", GB_HOUR, "MemoryGBHours", "GB-Hours"),
        ):
            what = ("vCPU" if key == "vcpu_hour" else "memory") + f" {words}"
            serverless = Product("ElasticMapReduce", f"EMR-SERVERLESS-{mark}{emr_type}", emr)
            fargate = Product("AmazonECS", f"Fargate-{mark}{ecs_type}")
            found += [
                Item(f"emr_serverless.{key}_{architecture}", "Amazon EMR Serverless", what, unit, serverless),
                Item(f"fargate.{key}_{architecture}", "AWS Fargate", what, unit, fargate),
                Item(f"fargate.spot_{key}_{architecture}", "AWS Fargate", f"{what} Spot", unit, None),
            ]
    return tuple(sorted(found, key=lambda each: (each.service != "Amazon EMR Serverless", "Spot" in each.words)))


def _others() -> tuple[Item, ...]:
    email = Product("AmazonSNS", "DeliveryAttempts-SMTP")
    firehose, athena = "AmazonKinesisFirehose", Product("AmazonAthena", "DataScannedInTB")
    converted = Product(firehose, "", {"operation": "DataFormatConversion"})
    ingested = Product(firehose, "BilledBytes", {"group": "Event-by-Event Processing"})
    return (
        Item("sns.email_notifications", "Amazon SNS", "e-mails", "e-mail", email),
        Item("kms.key_month", "AWS KMS", "keys of one's own", "key month", Product("awskms", "KMS-Keys")),
        Item("kms.requests", "AWS KMS", "requests, symmetric", "request", Product("awskms", "KMS-Requests")),
        Item("firehose.ingested_gb", "Amazon Data Firehose", "ingested", GB, ingested),
        Item("firehose.converted_gb", "Amazon Data Firehose", "converted to Parquet", GB, converted),
        Item("athena.scanned_tb", "Amazon Athena", "scanned", "TB (2**40 bytes)", athena),
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
            Item(f"ec2.{name}_hour", "Amazon EC2", f"{name} Linux", "hour", Product("AmazonEC2", usage_type, linux)),
            Item(f"ec2.{name}_spot_hour", "Amazon EC2", f"{name} Linux Spot", "hour", None),
            Item(f"emr.{name}_hour", "Amazon EMR on EC2", name, "hour", Product("ElasticMapReduce", usage_type, emr)),
        ]
    return tuple(sorted(found, key=lambda each: each.service))


ITEMS: Mapping[str, Item] = {item.key: item for item in _items()}
"""By key, in the order in which they are listed: by service."""
