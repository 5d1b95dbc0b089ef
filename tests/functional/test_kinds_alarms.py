"""Alarms and the dashboard: made, seen, mended and removed, with what others set in them left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ndjctl.aws import Cloud
from ndjctl.contracts import Names
from ndjctl.deploy.kinds.alarms import AlarmKind, DashboardKind
from tests.functional.kinds_world import (
    ACCOUNT,
    Canned,
    Subject,
    desired,
    made_and_gone,
    stopped_anywhere,
    subject,
)

NAMES = Names(ACCOUNT)
EMAIL = "alarms.email=ops@example.com"
Edit = Callable[[Subject], Any]


@pytest.fixture(params=["dead-letters", "no-sweep", "waiting-manifests"])
def alarm(embedded: Cloud, request: pytest.FixtureRequest) -> Subject:
    return subject(embedded, AlarmKind(), f"alarm/{embedded.names.alarm(request.param)}")


@pytest.fixture
def dashboard(embedded: Cloud) -> Subject:
    return subject(embedded, DashboardKind(), f"dashboard/{embedded.names.dashboard}")


def cloudwatch(one: Subject) -> Any:
    return one.aws.client("cloudwatch")


def alarm_arn(one: Subject) -> str:
    return one.aws.arn("cloudwatch", f"alarm:{one.resource.name}")


def described(one: Subject) -> dict[str, Any]:
    return dict(cloudwatch(one).describe_alarms(AlarmNames=[one.resource.name])["MetricAlarms"][0])


def alarm_state(one: Subject) -> Any:
    """Without what moves by itself."""
    fields = {
        key: value
        for key, value in described(one).items()
        if not key.startswith("State") and key != "AlarmConfigurationUpdatedTimestamp"
    }
    tags = cloudwatch(one).list_tags_for_resource(ResourceARN=alarm_arn(one))["Tags"]
    return fields, sorted(tags, key=str)


def put_alarm(one: Subject, **fields: Any) -> None:
    """PutMetricAlarm as somebody in the console does it: with everything that is there."""
    shape = cloudwatch(one).meta.service_model.operation_model("PutMetricAlarm").input_shape
    kept = {key: value for key, value in described(one).items() if key in shape.members}
    cloudwatch(one).put_metric_alarm(**{**kept, **fields})


def tag_alarm(one: Subject, key: str, value: str) -> None:
    cloudwatch(one).tag_resource(ResourceARN=alarm_arn(one), Tags=[{"Key": key, "Value": value}])


ALARM_EDITS: dict[str, Edit] = {
    "AlarmDescription": lambda one: put_alarm(one, AlarmDescription="other"),
    "Namespace": lambda one: put_alarm(one, Namespace="Other"),
    "MetricName": lambda one: put_alarm(one, MetricName="Other"),
    "Statistic": lambda one: put_alarm(one, Statistic="Average"),
    "Period": lambda one: put_alarm(one, Period=3600),
    "EvaluationPeriods": lambda one: put_alarm(one, EvaluationPeriods=9),
    "DatapointsToAlarm": lambda one: put_alarm(one, DatapointsToAlarm=9, EvaluationPeriods=9),
    "Threshold": lambda one: put_alarm(one, Threshold=4711),
    "ComparisonOperator": lambda one: put_alarm(one, ComparisonOperator="LessThanThreshold"),
    "TreatMissingData": lambda one: put_alarm(one, TreatMissingData="ignore"),
    "ActionsEnabled": lambda one: cloudwatch(one).disable_alarm_actions(AlarmNames=[one.resource.name]),
    "AlarmActions": lambda one: put_alarm(one, AlarmActions=[]),
    "OKActions": lambda one: put_alarm(one, OKActions=["arn:aws:sns:us-east-1:000000000000:other"]),
    "Tags.ndjctl:stack": lambda one: tag_alarm(one, "ndjctl:stack", "x"),
}
ALSO = {"DatapointsToAlarm": ["EvaluationPeriods", "DatapointsToAlarm"]}


@pytest.mark.parametrize("label", ALARM_EDITS)
def test_an_alarms_field_is_mended_alone(alarm: Subject, label: str) -> None:
    alarm.kind.create(alarm.aws, alarm.resource)
    before = alarm_state(alarm)
    ALARM_EDITS[label](alarm)
    assert alarm.labels() == ALSO.get(label, [label])
    alarm.kind.update(alarm.aws, alarm.resource, alarm.changes())
    assert alarm.labels() == []
    assert alarm_state(alarm) == before


def test_an_alarms_dimension_is_mended(alarm: Subject) -> None:
    alarm.settle()
    name, wanted = next(iter(alarm.resource.fields["Dimensions"].items()))
    put_alarm(alarm, Dimensions=[{"Name": name, "Value": "other"}, {"Name": "More", "Value": "1"}])
    assert alarm.labels() == [f"Dimensions.{name}", "Dimensions.More"]
    alarm.settle()
    assert described(alarm)["Dimensions"] == [{"Name": name, "Value": wanted}]


def test_an_alarm_comes_and_goes(alarm: Subject) -> None:
    made_and_gone(alarm)


def test_what_others_set_in_an_alarm_stays(alarm: Subject) -> None:
    alarm.settle()
    theirs = ["arn:aws:sns:us-east-1:000000000000:hush"]
    put_alarm(alarm, InsufficientDataActions=theirs, Unit="Count", Threshold=4711)
    tag_alarm(alarm, "team", "hush")
    assert alarm.observe().foreign == ("settings: InsufficientDataActions, Unit", "tags: team")
    assert alarm.labels() == ["Threshold"]
    alarm.settle()
    assert alarm.labels() == []
    after = described(alarm)
    assert (after["InsufficientDataActions"], after["Unit"]) == (theirs, "Count")
    assert alarm.observe().foreign == ("settings: InsufficientDataActions, Unit", "tags: team")


def test_an_alarm_stopped_midway_is_made_whole(alarm: Subject) -> None:
    def spoil(one: Subject) -> None:
        put_alarm(one, Threshold=4711)
        tag_alarm(one, "ndjctl:stack", "x")

    assert stopped_anywhere(alarm, spoil) == (2, 5)


ALARM = desired(NAMES)[f"alarm/{NAMES.alarm('dead-letters')}"]


def test_an_alarm_over_a_formula_becomes_one_over_our_metric() -> None:
    """CloudWatch refuses both at once, and the embedded cloud does not keep formulas."""
    aws = Canned("cloudwatch")
    formula = [{"Id": "m", "Expression": "SELECT 1", "ReturnData": True}]
    there = {
        "AlarmName": ALARM.name,
        "Metrics": formula,
        "ThresholdMetricId": "m",
        "EvaluationPeriods": 1,
        "ActionsEnabled": False,
        "Unit": "Count",
    }
    aws.answers("describe_alarms", {"MetricAlarms": [there]})
    aws.answers("list_tags_for_resource", {"Tags": []})
    aws.answers("describe_alarms", {"MetricAlarms": [there]})
    wanted = {key: value for key, value in ALARM.fields.items() if key not in ("Tags", "Dimensions")}
    dimensions = [{"Name": "QueueName", "Value": NAMES.dead_letter_queue}]
    aws.answers("put_metric_alarm", {}, AlarmName=ALARM.name, Unit="Count", Dimensions=dimensions, **wanted)
    aws.answers("tag_resource", {})
    one = Subject(AlarmKind(), aws.aws, ALARM)
    one.settle()
    aws.done()


def test_an_alarms_threshold_is_a_number_of_its_own_kind() -> None:
    aws = Canned("cloudwatch")
    fields = {key: value for key, value in ALARM.fields.items() if key not in ("Tags", "Dimensions")}
    dimensions = [{"Name": "QueueName", "Value": NAMES.dead_letter_queue}]
    aws.answers("describe_alarms", {"MetricAlarms": [{**fields, "Dimensions": dimensions, "Threshold": 0}]})
    aws.answers("list_tags_for_resource", {"Tags": [{"Key": k, "Value": v} for k, v in ALARM.fields["Tags"].items()]})
    assert Subject(AlarmKind(), aws.aws, ALARM).labels() == []


# Dashboards.


def put_body(one: Subject, body: str) -> None:
    cloudwatch(one).put_dashboard(DashboardName=one.resource.name, DashboardBody=body)


def test_a_dashboard_comes_and_goes(dashboard: Subject) -> None:
    made_and_gone(dashboard)


@pytest.mark.parametrize(
    ("body", "labels"),
    [
        ('{"widgets": []}', ["Body.widgets"]),
        ('{"start": "-PT1H"}', ["Body.widgets", "Body.start"]),
        ("no JSON", ["Body.widgets"]),
    ],
)
def test_a_dashboard_drawn_otherwise_is_drawn_again(dashboard: Subject, body: str, labels: list[str]) -> None:
    dashboard.settle()
    put_body(dashboard, body)
    assert dashboard.labels() == labels
    dashboard.settle()
    assert dashboard.observe().fields == dashboard.resource.fields


def test_a_dashboard_written_in_another_order_is_the_same(dashboard: Subject) -> None:
    dashboard.settle()
    widgets = [dict(reversed(widget.items())) for widget in dashboard.resource.fields["Body"]["widgets"]]
    put_body(dashboard, json.dumps({"widgets": widgets}, indent=3))
    assert dashboard.labels() == []


def test_a_dashboard_stopped_midway_is_made_whole(dashboard: Subject) -> None:
    assert stopped_anywhere(dashboard, lambda one: put_body(one, "{}")) == (2, 2)


def test_a_dashboard_that_cloudwatch_refuses_is_an_error() -> None:
    aws = Canned("cloudwatch")
    aws.refuses("put_dashboard", "InvalidParameterInput", "The field 'widgets' is wrong")
    with pytest.raises(ClientError, match="widgets"):
        DashboardKind().create(aws.aws, desired(NAMES)[f"dashboard/{NAMES.dashboard}"])
