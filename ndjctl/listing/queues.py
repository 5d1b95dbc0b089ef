"""The queue of file events and its dead-letter queue: what is in them by SQS's own counts, how old, and how they are
set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ndjctl.reading import Reading, attempt

AGE_LOOKBACK_S = 900
"""CloudWatch gets a queue's metrics every minute, some minutes late; of a queue that was empty for six hours it gets
none (Amazon SQS developer guide, "Available CloudWatch metrics for Amazon SQS")."""

_COUNTS = {
    "depth": "ApproximateNumberOfMessages",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}


@dataclass(frozen=True)
class QueueState:
    """One queue. depth: messages that can be received now; in_flight: received and not deleted; delayed: not to be
    received yet; all approximate, as SQS has them. age: seconds that the oldest message has been there, by CloudWatch;
    None where it has no data. visibility_s, retention_s, delay_s, wait_s: its settings. max_receives: deliveries before
    a message goes to the dead-letter queue, None where there is no such rule."""

    name: str
    depth: int
    in_flight: int
    delayed: int
    age: Reading[float | None]
    visibility_s: int
    retention_s: int
    delay_s: int
    wait_s: int
    max_receives: int | None
    is_encrypted: bool

    @property
    def messages(self) -> int:
        return self.depth + self.in_flight + self.delayed


def look_at_queue(sqs: Any, cloudwatch: Any, name: str, now: datetime, environment: str) -> QueueState:
    """Two calls of SQS and one of CloudWatch, which may be refused. Raises what boto3 raises for the others."""
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    counts = {field: int(attributes.get(attribute, 0)) for field, attribute in _COUNTS.items()}
    return QueueState(
        name=name,
        **counts,
        age=attempt(lambda: oldest_age_s(cloudwatch, name, now), environment),
        visibility_s=int(attributes.get("VisibilityTimeout", 0)),
        retention_s=int(attributes.get("MessageRetentionPeriod", 0)),
        delay_s=int(attributes.get("DelaySeconds", 0)),
        wait_s=int(attributes.get("ReceiveMessageWaitTimeSeconds", 0)),
        max_receives=_max_receives(attributes),
        is_encrypted=bool(attributes.get("KmsMasterKeyId")) or attributes.get("SqsManagedSseEnabled") == "true",
    )


def oldest_age_s(cloudwatch: Any, name: str, now: datetime) -> float | None:
    """The newest value that CloudWatch has of the last minutes."""
    answer = cloudwatch.get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": name}],
        StartTime=now - timedelta(seconds=AGE_LOOKBACK_S),
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )
    points = sorted(answer.get("Datapoints", []), key=lambda point: point["Timestamp"])
    return float(points[-1]["Maximum"]) if points else None


def _max_receives(attributes: Mapping[str, str]) -> int | None:
    try:
        return int(json.loads(attributes["RedrivePolicy"])["maxReceiveCount"])
    except (KeyError, TypeError, ValueError):
        return None
