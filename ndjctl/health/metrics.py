"""The CloudWatch metrics of an environment that the quick look reads, all in one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from ndjctl.contracts import (
    FAILED_RUNS,
    GIVEN_UP_MANIFESTS,
    METRIC_NAMESPACE,
    METRIC_PERIOD_S,
    OLDEST_PENDING_AGE,
    RUNNING_MANIFESTS,
    WAITING_MANIFESTS,
    Metric,
    Names,
    metric_dimensions,
)
from ndjctl.health.facts import Points

BACK_S = 3600.0
"""How far back they are read, by minute."""

QUEUE_AGE = "queue_age_s"
MESSAGES_SENT = "messages_sent"
MESSAGES_DELETED = "messages_deleted"
INVOCATIONS = "invocations"
FUNCTION_ERRORS = "function_errors"
FUNCTION_THROTTLES = "function_throttles"
FUNCTION_DURATION = "function_duration_ms"
SWEEPS = "sweeps"
PENDING_AGE = "oldest_pending_age_s"
WAITING = "waiting_manifests"
RUNNING = "running_manifests"
RUN_FAILURES = "failed_runs"
GIVEN_UP = "given_up_manifests"


@dataclass(frozen=True)
class Query:
    """One metric by minute. statistic: as CloudWatch spells it."""

    name: str
    namespace: str
    metric: str
    dimensions: list[dict[str, str]]
    statistic: str


def queries(names: Names) -> tuple[Query, ...]:
    """Of an environment. The age of the oldest message is only here: SQS itself does not tell it."""
    queue = [{"Name": "QueueName", "Value": names.queue}]
    function = [{"Name": "FunctionName", "Value": names.function}]
    stack = metric_dimensions(names.stack)

    def own(name: str, metric: Metric, statistic: str = "") -> Query:
        return Query(name, METRIC_NAMESPACE, metric.name, stack, statistic or metric.statistic)

    return (
        Query(QUEUE_AGE, "AWS/SQS", "ApproximateAgeOfOldestMessage", queue, "Maximum"),
        Query(MESSAGES_SENT, "AWS/SQS", "NumberOfMessagesSent", queue, "Sum"),
        Query(MESSAGES_DELETED, "AWS/SQS", "NumberOfMessagesDeleted", queue, "Sum"),
        Query(INVOCATIONS, "AWS/Lambda", "Invocations", function, "Sum"),
        Query(FUNCTION_ERRORS, "AWS/Lambda", "Errors", function, "Sum"),
        Query(FUNCTION_THROTTLES, "AWS/Lambda", "Throttles", function, "Sum"),
        Query(FUNCTION_DURATION, "AWS/Lambda", "Duration", function, "Maximum"),
        own(SWEEPS, WAITING_MANIFESTS, "SampleCount"),
        own(PENDING_AGE, OLDEST_PENDING_AGE),
        own(WAITING, WAITING_MANIFESTS),
        own(RUNNING, RUNNING_MANIFESTS),
        own(RUN_FAILURES, FAILED_RUNS),
        own(GIVEN_UP, GIVEN_UP_MANIFESTS),
    )


def read_metrics(cloudwatch: Any, names: Names, now: datetime, back_s: float = BACK_S) -> Mapping[str, Points]:
    """Every one of them by its name, by minute, in one call (CloudWatch answers 100,800 values at once)."""
    wanted = queries(names)
    answer = cloudwatch.get_metric_data(
        StartTime=now - timedelta(seconds=back_s),
        EndTime=now,
        ScanBy="TimestampAscending",
        MetricDataQueries=[
            {
                "Id": f"m{number}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": query.namespace,
                        "MetricName": query.metric,
                        "Dimensions": query.dimensions,
                    },
                    "Period": METRIC_PERIOD_S,
                    "Stat": query.statistic,
                },
            }
            for number, query in enumerate(wanted)
        ],
    )
    found: dict[str, Points] = {query.name: () for query in wanted}
    for result in answer.get("MetricDataResults", []):
        name = wanted[int(str(result["Id"])[1:])].name
        points = zip(result.get("Timestamps", []), result.get("Values", []), strict=True)
        found[name] = tuple(sorted((when.astimezone(timezone.utc), float(value)) for when, value in points))
    return found
