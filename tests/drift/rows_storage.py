"""Rows about queues and tables."""

from __future__ import annotations

from typing import Any

from ndjctl.contracts import STATUS_INDEX
from ndjctl.deploy.policies import to_json
from tests.drift.hands import Hands
from tests.drift.row import row

QUEUE, DEAD_LETTERS = "queue/{n.queue}", "queue/{n.dead_letter_queue}"
TRACKING = "table/{n.tracking_table}"
SET, TABLE = "sqs:SetQueueAttributes", "dynamodb:UpdateTable"
SENDS = "InputBucketSendsFileEvents"


def ttl(hands: Hands, **specification: Any) -> None:
    hands.dynamodb.update_time_to_live(TableName=hands.names.tracking_table, TimeToLiveSpecification=specification)


def recovery(hands: Hands, is_on: bool) -> None:
    hands.dynamodb.update_continuous_backups(
        TableName=hands.names.tracking_table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": is_on}
    )


ROWS = [
    row("visibility", QUEUE, "VisibilityTimeout", SET, lambda h: h.set_queue(h.names.queue, VisibilityTimeout="30")),
    row(
        "retention",
        QUEUE,
        "MessageRetentionPeriod",
        SET,
        lambda h: h.set_queue(h.names.queue, MessageRetentionPeriod="60"),
    ),
    row(
        "long polling",
        QUEUE,
        "ReceiveMessageWaitTimeSeconds",
        SET,
        lambda h: h.set_queue(h.names.queue, ReceiveMessageWaitTimeSeconds="0"),
    ),
    row(
        "encryption of the queue",
        QUEUE,
        "SqsManagedSseEnabled",
        SET,
        lambda h: h.set_queue(h.names.queue, SqsManagedSseEnabled="false"),
    ),
    row(
        "receives before a message is dead",
        QUEUE,
        "RedrivePolicy.maxReceiveCount",
        SET,
        lambda h: h.set_queue(
            h.names.queue,
            RedrivePolicy=to_json(
                {"deadLetterTargetArn": h.arn("sqs", h.names.dead_letter_queue), "maxReceiveCount": "1"}
            ),
        ),
    ),
    row(
        "redrive policy removed",
        QUEUE,
        ("RedrivePolicy.deadLetterTargetArn", "RedrivePolicy.maxReceiveCount"),
        SET,
        lambda h: h.set_queue(h.names.queue, RedrivePolicy=""),
    ),
    row(
        "queue's statement for another bucket",
        QUEUE,
        f"Policy.{SENDS}.Condition.ArnEquals.aws:SourceArn",
        SET,
        lambda h: h.queue_policy(
            lambda s: s[SENDS]["Condition"]["ArnEquals"].update({"aws:SourceArn": "arn:aws:s3:::other"})
        ),
    ),
    row(
        "queue's statement without its condition",
        QUEUE,
        f"Policy.{SENDS}.Condition",
        SET,
        lambda h: h.queue_policy(lambda s: s[SENDS].pop("Condition")),
    ),
    row("queue's statement removed", QUEUE, f"Policy.{SENDS}", SET, lambda h: h.queue_policy(lambda s: s.pop(SENDS))),
    row(
        "queue's tag",
        QUEUE,
        "Tags.ndjctl:stack",
        "sqs:TagQueue",
        lambda h: h.sqs.untag_queue(QueueUrl=h.url(h.names.queue), TagKeys=["ndjctl:stack"]),
    ),
    row(
        "retention of dead letters",
        DEAD_LETTERS,
        "MessageRetentionPeriod",
        SET,
        lambda h: h.set_queue(h.names.dead_letter_queue, MessageRetentionPeriod="3600"),
    ),
    row(
        "index deleted",
        TRACKING,
        f"Indexes.{STATUS_INDEX}",
        TABLE,
        lambda h: h.table(GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": STATUS_INDEX}}]),
    ),
    row(
        "TTL off",
        TRACKING,
        "TimeToLive",
        "dynamodb:UpdateTimeToLive",
        lambda h: ttl(h, Enabled=False, AttributeName="ttl"),
    ),
    row(
        "recovery off",
        TRACKING,
        "PointInTimeRecovery",
        "dynamodb:UpdateContinuousBackups",
        lambda h: recovery(h, is_on=False),
    ),
    row(
        "protection off",
        TRACKING,
        "DeletionProtectionEnabled",
        TABLE,
        lambda h: h.table(DeletionProtectionEnabled=False),
    ),
    row(
        "table's tag",
        TRACKING,
        "Tags.team",
        "dynamodb:TagResource",
        lambda h: h.dynamodb.untag_resource(
            ResourceArn=h.arn("dynamodb", f"table/{h.names.tracking_table}"), TagKeys=["team"]
        ),
    ),
]
