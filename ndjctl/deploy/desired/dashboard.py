"""The CloudWatch dashboard: from events to Parquet, left to right and top to bottom."""

from __future__ import annotations

from typing import Any

from ndjctl.contracts import (
    FAILED_RUNS,
    GIVEN_UP_MANIFESTS,
    HELD_MANIFESTS,
    METRIC_NAMESPACE,
    OLDEST_PENDING_AGE,
    RUNNING_MANIFESTS,
    STACK_DIMENSION,
    WAITING_MANIFESTS,
    Metric,
)
from ndjctl.deploy.desired.common import Setting

_WIDTH, _HEIGHT = 8, 6  # three in a row of CloudWatch's 24 columns


def body(setting: Setting) -> dict[str, Any]:
    """The body of PutDashboard, parsed."""
    names = setting.names
    queue, dead_letters, function, job = names.queue, names.dead_letter_queue, names.function, names.job
    charts: list[tuple[str, str, list[list[Any]]]] = [
        (
            "Events: received and handled",
            "Sum",
            [
                ["AWS/SQS", "NumberOfMessagesSent", "QueueName", queue],
                ["AWS/SQS", "NumberOfMessagesDeleted", "QueueName", queue],
            ],
        ),
        (
            "Events waiting, and dead letters",
            "Maximum",
            [
                ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue],
                ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", dead_letters],
            ],
        ),
        (
            "Age of the oldest event (s)",
            "Maximum",
            [["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue]],
        ),
        (
            "Function: errors and throttles",
            "Sum",
            [
                ["AWS/Lambda", "Errors", "FunctionName", function],
                ["AWS/Lambda", "Throttles", "FunctionName", function],
            ],
        ),
        ("Function: duration (ms)", "Maximum", [["AWS/Lambda", "Duration", "FunctionName", function]]),
        ("Function: at once", "Maximum", [["AWS/Lambda", "ConcurrentExecutions", "FunctionName", function]]),
        ("Age of the oldest pending file (s)", "Maximum", [_ours(OLDEST_PENDING_AGE, names.stack)]),
        (
            "Manifests: waiting and running",
            "Maximum",
            [
                _ours(WAITING_MANIFESTS, names.stack),
                _ours(RUNNING_MANIFESTS, names.stack),
                *([_ours(HELD_MANIFESTS, names.stack)] if setting.profile.cost.hold_runs else []),
            ],
        ),
        (
            "Failed runs, and manifests given up",
            "Sum",
            [_ours(each, names.stack) for each in (FAILED_RUNS, GIVEN_UP_MANIFESTS)],
        ),
        (
            "Job: failed tasks",
            "Sum",
            [
                [
                    "Glue",
                    "glue.driver.aggregate.numFailedTasks",
                    *("JobName", job),
                    *("JobRunId", "ALL"),
                    *("Type", "count"),
                ]
            ],
        ),
    ]
    return {"widgets": [_widget(setting, number, *chart) for number, chart in enumerate(charts)]}


def _ours(metric: Metric, stack: str) -> list[Any]:
    return [METRIC_NAMESPACE, metric.name, STACK_DIMENSION, stack]


def _widget(setting: Setting, number: int, title: str, statistic: str, metrics: list[list[Any]]) -> dict[str, Any]:
    return {
        "type": "metric",
        "x": number % 3 * _WIDTH,
        "y": number // 3 * _HEIGHT,
        "width": _WIDTH,
        "height": _HEIGHT,
        "properties": {
            "title": title,
            "stat": statistic,
            "period": 60,
            "region": setting.profile.region,
            "metrics": metrics,
        },
    }
