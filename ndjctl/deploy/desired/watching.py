"""What watches the pipeline when nobody does: log retention, alarms to a topic, a dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ndjctl.contracts import (
    FAILED_RUNS,
    METRIC_NAMESPACE,
    OLDEST_PENDING_AGE,
    STACK_DIMENSION,
    WAITING_MANIFESTS,
)
from ndjctl.deploy import policies
from ndjctl.deploy.desired import dashboard
from ndjctl.deploy.desired.common import Setting, by_sid
from ndjctl.deploy.model import ABSENT, Resource


@dataclass(frozen=True)
class Alarm:
    """One alarm: `statistic` of `metric` over `period_s`, above `threshold` in `periods` periods running.

    missing: what no data means. about: the end of its name. means: what an operator reads in the e-mail, and types."""

    about: str
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    statistic: str
    threshold: float
    period_s: int
    periods: int
    means: str
    missing: str = "notBreaching"


def alarm_list(setting: Setting) -> tuple[Alarm, ...]:
    """Every alarm of an environment."""
    names, wanted = setting.names, setting.profile.alarms
    events = {"QueueName": names.queue}
    function = {"FunctionName": names.function}
    stack = {STACK_DIMENSION: names.stack}
    return (
        Alarm(
            "dead-letters",
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            {"QueueName": names.dead_letter_queue},
            "Maximum",
            0,
            60,
            1,
            "Events could not be handled and wait in the dead-letter queue: ndjctl redrive dlq",
        ),
        Alarm(
            "oldest-message",
            "AWS/SQS",
            "ApproximateAgeOfOldestMessage",
            events,
            "Maximum",
            wanted.oldest_message_age_s,
            60,
            5,
            "File events wait too long for the function: look at its errors and throttles",
        ),
        Alarm(
            "oldest-pending-file",
            METRIC_NAMESPACE,
            OLDEST_PENDING_AGE.name,
            stack,
            "Maximum",
            wanted.oldest_pending_age_s,
            60,
            3,
            "A file waits too long for its manifest: ndjctl sweep --flush",
        ),
        Alarm(
            "waiting-manifests",
            METRIC_NAMESPACE,
            WAITING_MANIFESTS.name,
            stack,
            "Minimum",
            setting.profile.job.max_concurrent_runs,
            300,
            3,
            "More manifests wait for a run than can run at once: the backlog grows",
        ),
        Alarm(
            "run-failures",
            METRIC_NAMESPACE,
            FAILED_RUNS.name,
            stack,
            "Sum",
            0,
            300,
            1,
            "A Glue run failed: ndjctl errors",
        ),
        Alarm(
            "no-sweep",
            METRIC_NAMESPACE,
            WAITING_MANIFESTS.name,
            stack,
            "SampleCount",
            0,
            300,
            3,
            "The sweep does not run, so that no run is started or followed: look at the schedule and the function",
            missing="breaching",
        ),
        Alarm(
            "function-errors",
            "AWS/Lambda",
            "Errors",
            function,
            "Sum",
            0,
            300,
            2,
            "The function fails again and again: look at its log",
        ),
        Alarm(
            "function-throttles",
            "AWS/Lambda",
            "Throttles",
            function,
            "Sum",
            0,
            300,
            3,
            "The function is refused for concurrency: raise function.reserved_concurrency or the account's quota",
        ),
    )


def log_groups(setting: Setting) -> tuple[Resource, ...]:
    """The function's log group. Glue's groups belong to all jobs of an account and are left alone."""
    days, key = setting.profile.retention.logs_days, setting.profile.security.kms_key_arn
    fields: dict[str, Any] = {"retentionInDays": ABSENT if days is None else days, "Tags": setting.tags}
    if key is not None:
        fields["kmsKeyId"] = key
    return (Resource("log-group", setting.names.function_log_group, fields),)


def alarms(setting: Setting) -> tuple[Resource, ...]:
    """The topic, who is told, the alarms and the dashboard. Without alarms, none of them but the dashboard."""
    names, wanted = setting.names, setting.profile.alarms
    key = setting.profile.security.kms_key_arn
    topic = Resource(
        "topic",
        names.alarm_topic,
        {
            "Policy": by_sid(policies.topic_policy(setting.arns, names.alarm_topic)),
            **({"KmsMasterKeyId": key} if key else {}),
            "Tags": setting.tags,
        },
        whole=tuple(("Policy", sid) for sid in by_sid(policies.topic_policy(setting.arns, names.alarm_topic))),
        wanted=wanted.enabled,
    )
    subscriptions = (
        (Resource("subscription", f"{names.alarm_topic}:{wanted.email}", {"Protocol": "email"}, needs=(topic.id,)),)
        if wanted.enabled and wanted.email
        else ()
    )
    return (
        topic,
        *subscriptions,
        *(_alarm(setting, alarm, topic.id) for alarm in alarm_list(setting)),
        Resource("dashboard", names.dashboard, {"Body": dashboard.body(setting)}, whole=(("Body",),)),
    )


def _alarm(setting: Setting, alarm: Alarm, topic_id: str) -> Resource:
    """Fields are those of PutMetricAlarm."""
    # The one for a sample that never comes is raised by too few, all others by too much.
    operator = "LessThanOrEqualToThreshold" if alarm.statistic == "SampleCount" else "GreaterThanThreshold"
    actions = [setting.arns.topic(setting.names.alarm_topic)]
    fields = {
        "AlarmDescription": alarm.means,
        "Namespace": alarm.namespace,
        "MetricName": alarm.metric,
        "Dimensions": dict(alarm.dimensions),
        "Statistic": alarm.statistic,
        "Period": alarm.period_s,
        "EvaluationPeriods": alarm.periods,
        "DatapointsToAlarm": alarm.periods,
        "Threshold": float(alarm.threshold),
        "ComparisonOperator": operator,
        "TreatMissingData": alarm.missing,
        "ActionsEnabled": True,
        "AlarmActions": actions,
        "OKActions": actions,
        "Tags": setting.tags,
    }
    return Resource(
        "alarm",
        setting.names.alarm(alarm.about),
        fields,
        needs=(topic_id,),
        whole=(("Dimensions",),),  # with one more it is another metric's alarm
        wanted=setting.profile.alarms.enabled,
    )
