"""What the services besides Glue were used for, by CloudWatch: one query an hour or a day per metric. Pure, but for the
call itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from ndjctl.contracts import STATUS_INDEX, Names
from ndjctl.logs.glue import BASE_GROUP
from ndjctl.settings import Profile
from ndjctl.spent.arrivals import Span

ZERO = Decimal(0)
HOUR_S, DAY_S = 3600, 86_400
_METRIC_CALLS = 20
"""Pages of 100,800 values."""
_QUERIES_PER_CALL = 500

_DAYS_OF_A_MONTH = 30
_GIB = Decimal(2) ** 30


@dataclass(frozen=True)
class Metric:
    """A metric whose values are summed to a quantity of `key` (as ndjctl.prices names it). service, name: of the line
    of `ndjctl cost` that it measures. factor: units of that price in one of the metric. period_s: of a value. What is
    billed otherwise (storage) has a value a day."""

    service: str
    name: str
    key: str
    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]
    factor: Decimal = Decimal(1)
    statistic: str = "Sum"
    period_s: int = HOUR_S


def metrics(names: Names, profile: Profile) -> tuple[Metric, ...]:
    """Of an environment. Function durations are milliseconds at the profile's memory; a receive of SQS is a request
    whether it finds something or not; stored bytes are those of each day, a thirtieth of a month. Glue's log groups are
    those of every job of the account. An index consumes units of its own, which its table's metric does not have."""
    function = (("FunctionName", names.function),)
    memory_gb = Decimal(profile.function.memory_mb) / 1024
    rows = [
        Metric("AWS Lambda", "requests", "lambda.requests", "AWS/Lambda", "Invocations", function),
        Metric(
            "AWS Lambda",
            "memory",
            "lambda.gb_second_x86",
            "AWS/Lambda",
            "Duration",
            function,
            factor=memory_gb / 1000,
        ),
    ]
    rows += [
        Metric("Amazon SQS", "requests", "sqs.requests", "AWS/SQS", metric, (("QueueName", queue),))
        for queue in (names.queue, names.dead_letter_queue)
        for metric in (
            "NumberOfMessagesSent",
            "NumberOfMessagesReceived",
            "NumberOfMessagesDeleted",
            "NumberOfEmptyReceives",
        )
    ]
    units = (
        ("ConsumedWriteCapacityUnits", "writes", "dynamodb.write_units"),
        ("ConsumedReadCapacityUnits", "reads", "dynamodb.read_units"),
    )
    rows += [
        Metric("Amazon DynamoDB", what, key, "AWS/DynamoDB", metric, (("TableName", table),))
        for table in (names.tracking_table, names.metrics_table)
        for metric, what, key in units
    ]
    rows += [
        Metric(
            "Amazon DynamoDB",
            what,
            key,
            "AWS/DynamoDB",
            metric,
            (("TableName", names.tracking_table), ("GlobalSecondaryIndexName", STATUS_INDEX)),
        )
        for metric, what, key in units
    ]
    kept = (*_OF_BUCKETS, "Spark's events kept" if profile.job.spark_ui else "scripts kept")
    rows += [
        Metric(
            "Amazon S3",
            line,
            "s3.storage_gb_month",
            "AWS/S3",
            "BucketSizeBytes",
            (("BucketName", bucket), ("StorageType", "StandardStorage")),
            factor=1 / (_GIB * _DAYS_OF_A_MONTH),
            statistic="Average",
            period_s=DAY_S,
        )
        for bucket, line in zip(names.buckets, kept, strict=True)
    ]
    groups = [(names.function_log_group, "function's log")]
    groups += [(f"{BASE_GROUP}/{kind}", "logs of runs") for kind in ("output", "error", "logs-v2")]
    rows += [
        Metric(
            "Amazon CloudWatch",
            line,
            "cloudwatch.logs_ingested_gb",
            "AWS/Logs",
            "IncomingBytes",
            (("LogGroupName", group),),
            factor=1 / _GIB,
        )
        for group, line in groups
    ]
    return tuple(rows)


_OF_BUCKETS = ("input kept", "manifests kept", "Parquet kept", "quarantine kept")
"""Lines of the estimate, in the order of Names.buckets, whose last one has the job's program, and Spark's events."""

Points = tuple[tuple[datetime, Decimal], ...]
"""(the hour's or the day's begin, units of the price), in any order."""


@dataclass(frozen=True)
class Used:
    """One line besides Glue: units of `key`, by the hour or the day. points: none where CloudWatch has none. metric: in
    words."""

    service: str
    name: str
    key: str
    points: Points
    is_daily: bool = False
    metric: str = ""

    def quantity(self, since: datetime, span: Span) -> Decimal | None:
        """Of the hours that begin from `since` to the end of `span`; the hour that `since` is in counts as a whole.
        What has a value a day: their mean, for the days of `span`. None where CloudWatch has nothing: of the
        time for what has a value a day, else at all (an hour without a value had nothing)."""
        first = since.replace(minute=0, second=0, microsecond=0)
        if self.is_daily:
            first = first.replace(hour=0)
        values = [value for at, value in self.points if first <= at < span.end]
        if self.is_daily:
            return sum(values, ZERO) / len(values) * span.days if values else None
        return sum(values, ZERO) if self.points else None


def read_used(cloudwatch: Any, names: Names, profile: Profile, since: datetime, now: datetime) -> tuple[Used, ...]:
    """Everything from `since` on, a line for each service and name. Raises what boto3 raises."""
    wanted = metrics(names, profile)
    values: defaultdict[int, list[tuple[datetime, Decimal]]] = defaultdict(list)
    for first in range(0, len(wanted), _QUERIES_PER_CALL):
        queries = [_query(number, wanted[number]) for number in range(len(wanted))[first : first + _QUERIES_PER_CALL]]
        for result in _results(cloudwatch, queries, since, now):
            number = int(str(result["Id"])[1:])
            for at, value in zip(result.get("Timestamps", []), result.get("Values", []), strict=True):
                values[number].append((at.astimezone(timezone.utc), Decimal(str(value)) * wanted[number].factor))
    return _lines(wanted, values)


def nothing_used(names: Names, profile: Profile) -> tuple[Used, ...]:
    """The same lines where CloudWatch could not be asked."""
    return _lines(metrics(names, profile), {})


def _lines(wanted: Sequence[Metric], values: Mapping[int, Sequence[tuple[datetime, Decimal]]]) -> tuple[Used, ...]:
    found: dict[tuple[str, str, str, bool], list[tuple[datetime, Decimal]]] = {}
    told: defaultdict[tuple[str, str, str, bool], list[str]] = defaultdict(list)
    for number, metric in enumerate(wanted):
        about = (metric.service, metric.name, metric.key, metric.period_s == DAY_S)
        found.setdefault(about, []).extend(values.get(number, ()))
        told[about].append(f"{metric.namespace} {metric.metric}")
    return tuple(
        Used(*about[:3], tuple(points), about[3], ", ".join(dict.fromkeys(told[about])))
        for about, points in found.items()
    )


def _query(number: int, metric: Metric) -> dict[str, Any]:
    return {
        "Id": f"m{number}",
        "MetricStat": {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.metric,
                "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
            },
            "Period": metric.period_s,
            "Stat": metric.statistic,
        },
    }


def _results(cloudwatch: Any, queries: list[dict[str, Any]], since: datetime, now: datetime) -> Iterator[Any]:
    request: dict[str, Any] = {"StartTime": since, "EndTime": now, "MetricDataQueries": queries}
    for _ in range(_METRIC_CALLS):
        answer = cloudwatch.get_metric_data(**request)
        yield from answer.get("MetricDataResults", [])
        if not answer.get("NextToken"):
            return
        request["NextToken"] = answer["NextToken"]
