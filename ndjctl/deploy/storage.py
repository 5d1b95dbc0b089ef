"""Buckets, queues and tables: what holds data or messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from ndjctl.aws import error_code, is_not_found
from ndjctl.contracts import FILE_SUFFIX, STATUS_INDEX, Attr
from ndjctl.deploy.changes import Change, differing, poll, settled
from ndjctl.errors import CloudError

PUBLIC_ACCESS_BLOCKED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
NOTIFICATION_ID = "ndjctl-file-events"


def ensure_bucket(s3: Any, name: str, region: str) -> Change:
    """A private bucket in the region. Raises CloudError when the name belongs to somebody else."""
    created = False
    try:
        s3.head_bucket(Bucket=name)
    except ClientError as error:
        if error_code(error) == "403":
            raise CloudError(
                f"The bucket {name} belongs to another account, or these credentials may not see it."
            ) from error
        if not is_not_found(error):
            raise
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=name, **place)
        created = True
    try:
        block = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    except ClientError as error:
        if not is_not_found(error):
            raise
        block = {}
    fields = differing(PUBLIC_ACCESS_BLOCKED, block)
    if fields:
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=PUBLIC_ACCESS_BLOCKED)
    return Change("bucket", name, "created") if created else settled("bucket", name, fields)


def ensure_notification(s3: Any, bucket: str, queue_arn: str) -> Change:
    """Object-created events of *.ndjson go to the queue. Other configurations of the bucket are kept."""
    desired = {
        "Id": NOTIFICATION_ID,
        "QueueArn": queue_arn,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "suffix", "Value": FILE_SUFFIX}]}},
    }
    current = s3.get_bucket_notification_configuration(Bucket=bucket)
    current.pop("ResponseMetadata", None)
    queues = current.get("QueueConfigurations", [])
    mine = next((q for q in queues if q.get("Id") == NOTIFICATION_ID), None)
    if mine is not None and not differing(_plain_filter(desired), _plain_filter(mine)):
        return Change("notification", bucket, "unchanged")
    current["QueueConfigurations"] = [q for q in queues if q.get("Id") != NOTIFICATION_ID] + [desired]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=current)
    return Change("notification", bucket, "updated" if mine else "created", ("QueueConfigurations",) if mine else ())


def _plain_filter(configuration: dict[str, Any]) -> dict[str, Any]:
    """S3 answers rule names as Suffix or suffix, whichever it likes."""
    rules = configuration.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    return {
        "QueueArn": configuration.get("QueueArn"),
        "Events": sorted(configuration.get("Events", [])),
        "rules": sorted((str(r["Name"]).lower(), r["Value"]) for r in rules),
    }


def ensure_queue(sqs: Any, name: str, attributes: dict[str, str]) -> Change:
    try:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    except ClientError as error:
        if not is_not_found(error):
            raise
        sqs.create_queue(QueueName=name, Attributes=attributes)
        return Change("queue", name, "created")
    observed = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    fields = differing(attributes, observed)
    if fields:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={field: attributes[field] for field in fields})
    return settled("queue", name, fields)


def ensure_tracking_table(dynamodb: Any, name: str, sleep: Callable[[float], None]) -> Change:
    """On demand, TTL on `ttl`, and the status index."""
    keys = {Attr.DATE_PREFIX: "HASH", Attr.FILE_KEY: "RANGE"}
    index = {
        "IndexName": STATUS_INDEX,
        "KeySchema": [
            {"AttributeName": Attr.STATUS, "KeyType": "HASH"},
            {"AttributeName": Attr.UPLOAD_TIME, "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "ALL"},
    }
    return _ensure_table(dynamodb, name, keys, index, [Attr.STATUS, Attr.UPLOAD_TIME], sleep)


def ensure_metrics_table(dynamodb: Any, name: str, sleep: Callable[[float], None]) -> Change:
    return _ensure_table(dynamodb, name, {"metric_date": "HASH", "metric_type": "RANGE"}, None, [], sleep)


def _ensure_table(
    dynamodb: Any,
    name: str,
    keys: dict[str, str],
    index: dict[str, Any] | None,
    indexed: list[str],
    sleep: Callable[[float], None],
) -> Change:
    schema = [{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()]
    definitions = [{"AttributeName": attribute, "AttributeType": "S"} for attribute in [*keys, *indexed]]
    created = False
    fields: list[str] = []
    try:
        table = dynamodb.describe_table(TableName=name)["Table"]
    except ClientError as error:
        if not is_not_found(error):
            raise
        dynamodb.create_table(
            TableName=name,
            KeySchema=schema,
            AttributeDefinitions=definitions,
            BillingMode="PAY_PER_REQUEST",
            **({"GlobalSecondaryIndexes": [index]} if index else {}),
        )
        created = True
    else:
        if {k["AttributeName"]: k["KeyType"] for k in table["KeySchema"]} != keys:
            raise CloudError(
                f"The table {name} exists with other keys than {' and '.join(keys)}; "
                f"move it away, or set a suffix in the profile."
            )
        if index and STATUS_INDEX not in {i["IndexName"] for i in table.get("GlobalSecondaryIndexes", [])}:
            _wait_active(dynamodb, name, sleep)
            dynamodb.update_table(
                TableName=name,
                AttributeDefinitions=definitions,
                GlobalSecondaryIndexUpdates=[{"Create": index}],
            )
            fields.append(STATUS_INDEX)
    _wait_active(dynamodb, name, sleep)
    ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if ttl.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
        dynamodb.update_time_to_live(
            TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": Attr.TTL}
        )
        fields.append("TimeToLive")
    return Change("table", name, "created") if created else settled("table", name, fields)


def _wait_active(dynamodb: Any, name: str, sleep: Callable[[float], None]) -> None:
    def active() -> bool:
        table = dynamodb.describe_table(TableName=name)["Table"]
        indexes = table.get("GlobalSecondaryIndexes", [])
        return table["TableStatus"] == "ACTIVE" and all(i.get("IndexStatus", "ACTIVE") == "ACTIVE" for i in indexes)

    poll(active, f"The table {name}", sleep)
