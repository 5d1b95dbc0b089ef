"""What the folder of shell scripts made that the tool replaces: its own commands, as boto3 calls, with the values of
the reference. Nothing of it knows of ndjctl.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from ndjctl.aws import Cloud
from tests.reference import SPARK_CONF, expected, names_of

REGION = "us-east-1"


def variables(names: dict[str, str], env: str) -> dict[str, str]:
    """--environment Variables={...} of its function."""
    wanted = expected(env)
    return {
        "TRACKING_TABLE": names["tracking_table"],
        "METRICS_TABLE": names["metrics_table"],
        "LOCK_TABLE": names["tracking_table"],
        "MANIFEST_BUCKET": names["manifest_bucket"],
        "QUARANTINE_BUCKET": names["quarantine_bucket"],
        "GLUE_JOB_NAME": names["job"],
        "LOG_LEVEL": str(wanted["log_level"]),
        "MAX_FILES_PER_MANIFEST": str(wanted["batching.max_files_per_manifest"]),
        "MAX_BATCH_SIZE_GB": str(wanted["batching.max_batch_size_gb"]),
        "EXPECTED_FILE_SIZE_MB": str(wanted["size_rule.expected_file_size_mb"]),
        "SIZE_TOLERANCE_PERCENT": str(wanted["size_rule.size_tolerance_percent"]),
        "LOCK_TTL_SECONDS": str(wanted["lock.ttl_s"]),
        "MAX_LOCK_WAIT_SECONDS": str(wanted["lock.max_wait_s"]),
        "DD_API_KEY": "f0e1d2c3b4a5",
    }


def job(names: dict[str, str], env: str, account_id: str) -> dict[str, Any]:
    """The definition that create-job and update-job were given."""
    wanted = expected(env)
    conf = " --conf ".join(f"{name}={value}" for name, value in SPARK_CONF.items())
    return {
        "Role": f"arn:aws:iam::{account_id}:role/ndjson-parquet-sqs-glue-role",
        "Description": "NDJSON to Parquet",
        "Command": {
            "Name": "glueetl",
            "ScriptLocation": f"s3://{names['scripts_bucket']}/scripts/glue_streaming_job.py",
            "PythonVersion": "3",
        },
        "GlueVersion": wanted["job.glue_version"],
        "WorkerType": wanted["job.worker_type"],
        "NumberOfWorkers": wanted["job.workers"],
        "Timeout": wanted["job.timeout_min"],
        "MaxRetries": wanted["job.max_retries"],
        "ExecutionProperty": {"MaxConcurrentRuns": wanted["job.max_concurrent_runs"]},
        "DefaultArguments": {
            "--job-language": "python",
            "--enable-metrics": "true",
            "--enable-spark-ui": "true",
            "--enable-job-insights": "true",
            "--enable-auto-scaling": "true" if wanted["job.auto_scaling"] else "false",
            "--enable-glue-datacatalog": "true",
            "--MANIFEST_BUCKET": names["manifest_bucket"],
            "--OUTPUT_BUCKET": names["output_bucket"],
            "--conf": conf,
        },
    }


def deploy(cloud: Cloud, env: str) -> None:
    """Everything that it made, in its order, and what had come by then: objects, items, messages."""
    names = names_of(cloud.account_id)
    _storage(cloud, names)
    _roles(cloud)
    _function(cloud, names, env)
    _job(cloud, names, env)
    _events(cloud, names)
    _what_came(cloud, names)


def _storage(cloud: Cloud, names: dict[str, str]) -> None:
    s3, dynamodb, sqs = cloud.client("s3"), cloud.client("dynamodb"), cloud.client("sqs")
    for about in ("input", "manifest", "output", "quarantine", "scripts"):
        s3.create_bucket(Bucket=names[f"{about}_bucket"])
    s3.put_bucket_tagging(
        Bucket=names["input_bucket"], Tagging={"TagSet": [{"Key": "cost-center", "Value": "analytics"}]}
    )
    s3.put_bucket_lifecycle_configuration(
        Bucket=names["output_bucket"],
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "to-ia",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "parquet/"},
                    "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}],
                }
            ]
        },
    )
    for table, keys in (
        (names["tracking_table"], ("date_prefix", "file_key")),
        (names["metrics_table"], ("metric_date", "metric_type")),
    ):
        dynamodb.create_table(
            TableName=table,
            KeySchema=[
                {"AttributeName": name, "KeyType": kind} for name, kind in zip(keys, ("HASH", "RANGE"), strict=True)
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            BillingMode="PAY_PER_REQUEST",
        )
    for queue in (names["dead_letter_queue"], names["queue"]):
        sqs.create_queue(QueueName=queue, Attributes={"VisibilityTimeout": "300"})


def _roles(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    for role, service, managed in (
        ("ndjson-parquet-sqs-glue-role", "glue", "service-role/AWSGlueServiceRole"),
        ("ndjson-parquet-sqs-manifest-builder-role", "lambda", "service-role/AWSLambdaBasicExecutionRole"),
    ):
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))
        iam.attach_role_policy(RoleName=role, PolicyArn=f"arn:aws:iam::aws:policy/{managed}")


def _function(cloud: Cloud, names: dict[str, str], env: str) -> None:
    lambda_, wanted = cloud.client("lambda"), expected(env)
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("lambda_function.py", "def lambda_handler(event, context):\n    return {}\n")
    lambda_.create_function(
        FunctionName=names["function"],
        Runtime="python3.11",
        Role=f"arn:aws:iam::{cloud.account_id}:role/ndjson-parquet-sqs-manifest-builder-role",
        Handler="lambda_function.lambda_handler",
        Code={"ZipFile": body.getvalue()},
    )
    lambda_.get_waiter("function_active_v2").wait(FunctionName=names["function"])
    lambda_.update_function_configuration(
        FunctionName=names["function"],
        MemorySize=wanted["function.memory_mb"],
        Timeout=wanted["function.timeout_s"],
        Environment={"Variables": variables(names, env)},
    )
    lambda_.get_waiter("function_updated_v2").wait(FunctionName=names["function"])
    lambda_.put_function_concurrency(
        FunctionName=names["function"], ReservedConcurrentExecutions=wanted["function.reserved_concurrency"]
    )


def _job(cloud: Cloud, names: dict[str, str], env: str) -> None:
    glue, definition = cloud.client("glue"), job(names, env, cloud.account_id)
    cloud.client("s3").put_object(
        Bucket=names["scripts_bucket"], Key="scripts/glue_streaming_job.py", Body=b"print('hello')\n"
    )
    first = {**definition, "NumberOfWorkers": 2, "ExecutionProperty": {"MaxConcurrentRuns": 1}}
    glue.create_job(Name=names["job"], **first)
    glue.update_job(JobName=names["job"], JobUpdate=definition)


def _events(cloud: Cloud, names: dict[str, str]) -> None:
    """A mapping to the function itself, for it has no alias; a notification under an id of its own, and another one."""
    sqs, s3 = cloud.client("sqs"), cloud.client("s3")
    queue = f"arn:aws:sqs:{REGION}:{cloud.account_id}:{names['queue']}"
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue,
            },
            {
                "Sid": "Auditors",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{cloud.account_id}:root"},
                "Action": "sqs:GetQueueAttributes",
                "Resource": queue,
            },
        ],
    }
    url = sqs.get_queue_url(QueueName=names["queue"])["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    # Not enabled yet: what was sent stays where it is until the function can take it.
    cloud.client("lambda").create_event_source_mapping(
        FunctionName=names["function"], EventSourceArn=queue, BatchSize=10, Enabled=False
    )
    sqs.create_queue(QueueName="auditors")
    audit = f"arn:aws:sqs:{REGION}:{cloud.account_id}:auditors"
    s3.put_bucket_notification_configuration(
        Bucket=names["input_bucket"],
        NotificationConfiguration={
            "QueueConfigurations": [
                {
                    "Id": "ndjson-upload-events",
                    "QueueArn": queue,
                    "Events": ["s3:ObjectCreated:*"],
                    "Filter": {"Key": {"FilterRules": [{"Name": "suffix", "Value": ".ndjson"}]}},
                },
                {"Id": "audit", "QueueArn": audit, "Events": ["s3:ObjectRemoved:*"]},
            ]
        },
        SkipDestinationValidation=True,
    )


def _what_came(cloud: Cloud, names: dict[str, str]) -> None:
    s3, dynamodb, sqs = cloud.client("s3"), cloud.client("dynamodb"), cloud.client("sqs")
    for about, key in (
        ("output", "parquet/2026-11-20/part-0.parquet"),
        ("manifest", "manifests/2026-11-20/manifest-1.json"),
        ("quarantine", "2026-11-20/too-large/x.ndjson"),
    ):
        s3.put_object(Bucket=names[f"{about}_bucket"], Key=key, Body=key.encode())
    item = {
        "date_prefix": "2026-11-20",
        "file_key": "x.ndjson",
        "status": "completed",
        "upload_time": "2026-11-20T01:00",
    }
    dynamodb.put_item(TableName=names["tracking_table"], Item={key: {"S": value} for key, value in item.items()})
    count = {"metric_date": {"S": "2026-11-20"}, "metric_type": {"S": "manifests"}, "count": {"N": "7"}}
    dynamodb.put_item(TableName=names["metrics_table"], Item=count)
    url = sqs.get_queue_url(QueueName=names["dead_letter_queue"])["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
