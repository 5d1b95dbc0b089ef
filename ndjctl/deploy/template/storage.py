"""Buckets, queues and tables as CloudFormation has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ndjctl.contracts import Names
from ndjctl.deploy.model import Resource
from ndjctl.deploy.template.parts import Part, Parts, document, logical_id, present, tag_list


def bucket(resource: Resource, names: Names) -> Parts:
    fields, own = resource.fields, logical_id(resource.id, names)
    encryption = dict(fields["Encryption"])
    rule: dict[str, Any] = {"ServerSideEncryptionByDefault": encryption}
    if "BucketKeyEnabled" in encryption:
        rule["BucketKeyEnabled"] = encryption.pop("BucketKeyEnabled")
    properties = {
        "BucketName": resource.name,
        "PublicAccessBlockConfiguration": fields["PublicAccessBlock"],
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [rule]},
        "OwnershipControls": {"Rules": [{"ObjectOwnership": fields["ObjectOwnership"]}]},
        "LifecycleConfiguration": {
            "Rules": [_lifecycle_rule(about, rule) for about, rule in present(fields["Lifecycle"]).items()]
        },
        "Tags": tag_list(fields["Tags"]),
    }
    policy = {"Bucket": {"Ref": own}, "PolicyDocument": document(fields["Policy"])}
    return {
        own: Part("AWS::S3::Bucket", properties, leaving="Retain"),
        f"{own}Policy": Part("AWS::S3::BucketPolicy", policy),
    }


def _lifecycle_rule(about: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    properties = {"Id": about, **rule}
    tags = properties.pop("Tags", None)
    if tags is not None:
        properties["TagFilters"] = tag_list(tags)
    expiration = properties.pop("Expiration", None)
    if expiration is not None:
        properties["ExpirationInDays"] = expiration["Days"]
    return properties


def notification(resource: Resource, names: Names) -> Parts:
    """A property of the bucket, which so has to wait for all that the notification needs."""
    fields = resource.fields
    rules = [{"Name": name, "Value": value} for name, value in fields["Filter"].items()]
    configurations = [
        {"Event": event, "Queue": fields["QueueArn"], "Filter": {"S3Key": {"Rules": rules}}}
        for event in fields["Events"]
    ]
    properties = {"NotificationConfiguration": {"QueueConfigurations": configurations}}
    return {logical_id(resource.id, names): Part("AWS::S3::Bucket", properties, leaving="Retain")}


_SECONDS = ("VisibilityTimeout", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds")


def queue(resource: Resource, names: Names) -> Parts:
    own = logical_id(resource.id, names)
    properties: dict[str, Any] = {"QueueName": resource.name}
    for key, value in resource.fields.items():
        if key in _SECONDS:
            properties[key] = int(value)
        elif key == "SqsManagedSseEnabled":
            properties[key] = value == "true"
        elif key == "Tags":
            properties[key] = tag_list(value)
        elif key != "Policy":
            properties[key] = value
    parts = {own: Part("AWS::SQS::Queue", properties, leaving="Delete")}
    if "Policy" in resource.fields:
        policy = {"Queues": [{"Ref": own}], "PolicyDocument": document(resource.fields["Policy"])}
        parts[f"{own}Policy"] = Part("AWS::SQS::QueuePolicy", policy)
    return parts


def table(resource: Resource, names: Names) -> Parts:
    fields = resource.fields
    indexes = fields["Indexes"]
    # Every key of ours is text.
    keyed = dict.fromkeys([*fields["KeySchema"], *(key for index in indexes.values() for key in index["KeySchema"])])
    properties: dict[str, Any] = {
        "TableName": resource.name,
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keyed],
        "KeySchema": _keys(fields["KeySchema"]),
        "BillingMode": fields["BillingMode"],
        "TimeToLiveSpecification": {"AttributeName": fields["TimeToLive"], "Enabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": fields["PointInTimeRecovery"]},
        "DeletionProtectionEnabled": fields["DeletionProtectionEnabled"],
        "Tags": tag_list(fields["Tags"]),
    }
    if indexes:
        properties["GlobalSecondaryIndexes"] = [
            {
                "IndexName": name,
                "KeySchema": _keys(index["KeySchema"]),
                "Projection": {"ProjectionType": index["ProjectionType"]},
            }
            for name, index in indexes.items()
        ]
    if "KMSMasterKeyArn" in fields:
        properties["SSESpecification"] = {
            "SSEEnabled": True,
            "SSEType": "KMS",
            "KMSMasterKeyId": fields["KMSMasterKeyArn"],
        }
    return {logical_id(resource.id, names): Part("AWS::DynamoDB::Table", properties, leaving="Retain")}


def _keys(schema: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in schema.items()]
