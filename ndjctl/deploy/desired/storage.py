"""Buckets, queues and tables: what holds data or messages."""

from __future__ import annotations

from typing import Any

from ndjctl.contracts import FILE_SUFFIX, STATUS_INDEX, Attr
from ndjctl.deploy import policies
from ndjctl.deploy.desired.common import DAY_S, Setting, by_sid
from ndjctl.deploy.model import ABSENT, RETIRED_TAG, Resource

PUBLIC_ACCESS_BLOCKED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
NOTIFICATION_ID = "ndjctl-file-events"
RULE_PREFIX = "ndjctl-"
"""How the ids of our lifecycle rules begin."""

LONG_POLL_S = 20


def buckets(setting: Setting) -> tuple[Resource, ...]:
    """Private, encrypted, TLS only, and cleaned of what nobody needs any more."""
    return tuple(_bucket(setting, name) for name in setting.names.buckets)


def _bucket(setting: Setting, name: str) -> Resource:
    key = setting.profile.security.kms_key_arn
    encryption = (
        {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key, "BucketKeyEnabled": True}
        if key
        else {"SSEAlgorithm": "AES256"}
    )
    fields: dict[str, Any] = {
        "PublicAccessBlock": PUBLIC_ACCESS_BLOCKED,
        "Encryption": encryption,
        "ObjectOwnership": "BucketOwnerEnforced",
        "Policy": by_sid(policies.tls_only_policy(setting.arns, name)),
        "Lifecycle": _lifecycle(setting, name),
        "Tags": setting.global_tags,
    }
    ours = (*(("Policy", sid) for sid in fields["Policy"]), *(("Lifecycle", rule) for rule in fields["Lifecycle"]))
    return Resource("bucket", name, fields, whole=ours)


def _lifecycle(setting: Setting, name: str) -> dict[str, Any]:
    """Rules by id; Tags of one: for objects with all of these. The one of a setting that is left out must not be
    there."""
    names, retention = setting.names, setting.profile.retention
    # The scripts bucket has the name that Glue gives to everybody's: there only what is ours is cleaned.
    ours = f"{names.stack}/" if name == names.scripts_bucket else ""
    rules: dict[str, Any] = {
        "unfinished-uploads": {
            "Status": "Enabled",
            "Prefix": ours,
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": retention.unfinished_uploads_days},
        }
    }
    if name == names.manifest_bucket:
        rules["manifests"] = _expiring("manifests/", retention.manifests_days)
        rules["temporary"] = _expiring("glue-temp/", retention.temporary_days)
        rules["spark-events"] = _expiring("spark-events/", retention.spark_events_days)
    if name == names.scripts_bucket:
        rule = _expiring(ours, retention.scripts_days)
        rules["retired-code"] = rule if rule is ABSENT else {**rule, "Tags": {RETIRED_TAG: "true"}}
    if name == names.quarantine_bucket:
        rules["quarantine"] = _expiring("", retention.quarantine_days)
    return {f"{RULE_PREFIX}{about}": rule for about, rule in rules.items()}


def _expiring(prefix: str, days: int | None) -> Any:
    return ABSENT if days is None else {"Status": "Enabled", "Prefix": prefix, "Expiration": {"Days": days}}


def queues(setting: Setting) -> tuple[Resource, ...]:
    """Attributes as SQS has them: numbers as text. The two JSON ones are parsed."""
    names, arns, queue = setting.names, setting.arns, setting.profile.queue
    dead_letters = Resource(
        "queue",
        names.dead_letter_queue,
        {"MessageRetentionPeriod": _seconds(queue.dead_letter_retention_days), **_queue_common(setting)},
    )
    events = Resource(
        "queue",
        names.queue,
        {
            "VisibilityTimeout": str(setting.profile.visibility_s),
            "MessageRetentionPeriod": _seconds(queue.retention_days),
            "ReceiveMessageWaitTimeSeconds": str(LONG_POLL_S),
            "RedrivePolicy": {
                "deadLetterTargetArn": arns.queue(names.dead_letter_queue),
                "maxReceiveCount": queue.max_receives,
            },
            "Policy": by_sid(policies.queue_policy(arns)),
            **_queue_common(setting),
        },
        needs=(dead_letters.id,),
        whole=(("RedrivePolicy",), *(("Policy", sid) for sid in by_sid(policies.queue_policy(arns)))),
    )
    return dead_letters, events


def _queue_common(setting: Setting) -> dict[str, Any]:
    key = setting.profile.security.kms_key_arn
    encryption = {"KmsMasterKeyId": key} if key else {"SqsManagedSseEnabled": "true"}
    return {**encryption, "Tags": setting.tags}


def _seconds(days: float) -> str:
    return str(round(days * DAY_S))


def tables(setting: Setting) -> tuple[Resource, ...]:
    """Index projection: all attributes, because queries by status answer whole file items."""
    index = {
        STATUS_INDEX: {"KeySchema": {Attr.STATUS: "HASH", Attr.UPLOAD_TIME: "RANGE"}, "ProjectionType": "ALL"},
    }
    return (
        _table(
            setting,
            setting.names.tracking_table,
            {Attr.DATE_PREFIX: "HASH", Attr.FILE_KEY: "RANGE"},
            index,
        ),
        _table(setting, setting.names.metrics_table, {"metric_date": "HASH", "metric_type": "RANGE"}, {}),
    )


def _table(setting: Setting, name: str, keys: dict[str, str], indexes: dict[str, Any]) -> Resource:
    wanted = setting.profile.tables
    fields: dict[str, Any] = {
        "KeySchema": keys,
        "Indexes": indexes,
        "BillingMode": "PAY_PER_REQUEST",
        "TimeToLive": Attr.TTL,
        "PointInTimeRecovery": wanted.point_in_time_recovery,
        "DeletionProtectionEnabled": wanted.deletion_protection,
        "Tags": setting.tags,
    }
    if setting.profile.security.kms_key_arn is not None:
        fields["KMSMasterKeyArn"] = setting.profile.security.kms_key_arn
    return Resource("table", name, fields, whole=(("KeySchema",),), replaces=(("KeySchema",),))


def notification(setting: Setting) -> Resource:
    """Object-created events of *.ndjson go to the queue. Other configurations of the bucket are left alone."""
    names = setting.names
    fields = {
        "QueueArn": setting.arns.queue(names.queue),
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"suffix": FILE_SUFFIX},
    }
    needs = (f"bucket/{names.input_bucket}", f"queue/{names.queue}", f"mapping/{names.function}")
    return Resource("notification", names.input_bucket, fields, needs, whole=(("Filter",),))
