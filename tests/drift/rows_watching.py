"""Rows about rules, log retention, alarms, their topic and the dashboard."""

from __future__ import annotations

import json

from tests.drift.hands import Hands
from tests.drift.row import row

SWEEP, RUN_STATE = "rule/{n.sweep_rule}", "rule/{n.run_state_rule}"
LOGS, TOPIC, DASHBOARD = "log-group/{n.function_log_group}", "topic/{n.alarm_topic}", "dashboard/{n.dashboard}"
DEAD_LETTERS, NO_SWEEP = "alarm/{n.stack}-dead-letters", "alarm/{n.stack}-no-sweep"
PUT_RULE, TARGETS, ALARM = "events:PutRule", "events:PutTargets", "cloudwatch:PutMetricAlarm"


def narrow(hands: Hands) -> None:
    """Only of runs that succeeded."""
    rule = hands.names.run_state_rule
    pattern = json.loads(hands.events.describe_rule(Name=rule)["EventPattern"])
    pattern["detail"]["state"] = ["SUCCEEDED"]
    hands.rule(rule, EventPattern=json.dumps(pattern))


def about_other_job(hands: Hands) -> None:
    rule = hands.names.run_state_rule
    pattern = json.loads(hands.events.describe_rule(Name=rule)["EventPattern"])
    pattern["detail"]["jobName"] = ["other"]
    hands.rule(rule, EventPattern=json.dumps(pattern))


def unsubscribe(hands: Hands) -> None:
    topic = hands.arn("sns", hands.names.alarm_topic)
    for one in hands.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
        if one["Endpoint"].startswith("operators"):
            hands.sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])


ROWS = [
    row(
        "schedule",
        SWEEP,
        "ScheduleExpression",
        PUT_RULE,
        lambda h: h.rule(h.names.sweep_rule, ScheduleExpression="rate(1 hour)"),
    ),
    row("rule disabled", SWEEP, "State", PUT_RULE, lambda h: h.events.disable_rule(Name=h.names.sweep_rule)),
    row(
        "target removed",
        SWEEP,
        "Targets.manifest-builder",
        TARGETS,
        lambda h: h.events.remove_targets(Rule=h.names.sweep_rule, Ids=["manifest-builder"]),
    ),
    row(
        "target is the unpublished code",
        RUN_STATE,
        "Targets.manifest-builder",
        TARGETS,
        lambda h: h.aim(h.names.run_state_rule, Arn=h.arn("lambda", f"function:{h.names.function}")),
    ),
    row("pattern of another job", RUN_STATE, "EventPattern.detail.jobName", PUT_RULE, about_other_job),
    row("narrower pattern", RUN_STATE, "EventPattern.detail.state", PUT_RULE, narrow),
    row(
        "rule's tag",
        RUN_STATE,
        "Tags.team",
        "events:TagResource",
        lambda h: h.events.untag_resource(
            ResourceARN=h.arn("events", f"rule/{h.names.run_state_rule}"), TagKeys=["team"]
        ),
    ),
    row(
        "log retention",
        LOGS,
        "retentionInDays",
        "logs:PutRetentionPolicy",
        lambda h: h.logs.put_retention_policy(logGroupName=h.names.function_log_group, retentionInDays=1),
    ),
    row(
        "logs kept for ever",
        LOGS,
        "retentionInDays",
        "logs:PutRetentionPolicy",
        lambda h: h.logs.delete_retention_policy(logGroupName=h.names.function_log_group),
    ),
    row("threshold", DEAD_LETTERS, "Threshold", ALARM, lambda h: h.alarm("dead-letters", Threshold=1000.0)),
    row(
        "alarm's actions disabled",
        DEAD_LETTERS,
        "ActionsEnabled",
        ALARM,
        lambda h: h.cloudwatch.disable_alarm_actions(AlarmNames=[h.names.alarm("dead-letters")]),
    ),
    row(
        "alarm that tells nobody",
        DEAD_LETTERS,
        "AlarmActions",
        ALARM,
        lambda h: h.alarm("dead-letters", AlarmActions=[]),
    ),
    row(
        "what no data means",
        NO_SWEEP,
        "TreatMissingData",
        ALARM,
        lambda h: h.alarm("no-sweep", TreatMissingData="ignore"),
    ),
    row(
        "alarm about one dimension more",
        DEAD_LETTERS,
        "Dimensions.Other",
        ALARM,
        lambda h: h.alarm(
            "dead-letters",
            Dimensions=[
                {"Name": "QueueName", "Value": h.names.dead_letter_queue},
                {"Name": "Other", "Value": "x"},
            ],
        ),
    ),
    row(
        "alarm deleted",
        NO_SWEEP,
        "",
        ALARM,
        lambda h: h.cloudwatch.delete_alarms(AlarmNames=[h.names.alarm("no-sweep")]),
    ),
    row(
        "topic's statement",
        TOPIC,
        "Policy.AlarmsPublish.Principal.Service",
        "sns:SetTopicAttributes",
        lambda h: h.topic_policy(lambda s: s["AlarmsPublish"].update(Principal={"Service": "s3.amazonaws.com"})),
    ),
    row(
        "topic's statement removed",
        TOPIC,
        "Policy.AlarmsPublish",
        "sns:SetTopicAttributes",
        lambda h: h.topic_policy(lambda s: s.pop("AlarmsPublish")),
    ),
    row("nobody is told", "subscription/{n.alarm_topic}:operators@example.com", "", "sns:Subscribe", unsubscribe),
    row(
        "dashboard",
        DASHBOARD,
        "Body.widgets",
        "cloudwatch:PutDashboard",
        lambda h: h.dashboard(lambda body: body["widgets"].pop()),
    ),
    row(
        "dashboard with a setting more",
        DASHBOARD,
        "Body.start",
        "cloudwatch:PutDashboard",
        lambda h: h.dashboard(lambda body: body.update(start="-PT3H")),
    ),
    row(
        "dashboard deleted",
        DASHBOARD,
        "",
        "cloudwatch:PutDashboard",
        lambda h: h.cloudwatch.delete_dashboards(DashboardNames=[h.names.dashboard]),
    ),
]
