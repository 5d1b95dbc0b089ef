"""CloudWatch alarms and dashboards: what is raised, and what is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ndjctl.deploy.kinds.base import Aws, Kind, changed, foreign, found, parsed, tag_list, tag_map, until_accepted
from ndjctl.deploy.kinds.merging import asked_for, entries, outside, overlaid, present, settable
from ndjctl.deploy.model import FieldChange, Observed, Resource

_RETRYABLE: Final = {"ConcurrentModificationException": "", "ConflictException": ""}

_OTHER_SETTINGS: Final = (
    "InsufficientDataActions",
    "Unit",
    "ExtendedStatistic",
    "Metrics",
    "ThresholdMetricId",
    "EvaluationCriteria",
    "EvaluationWindow",
)
"""What somebody else may have set in an alarm. The rest of its fields are ours or CloudWatch's."""

_INSTEAD_OF: Final = {
    "MetricName": ("Metrics", "EvaluationCriteria", "EvaluationInterval"),
    "Statistic": ("ExtendedStatistic", "EvaluateLowSampleCountPercentile"),
    "Threshold": ("ThresholdMetricId",),
}
"""A field of an alarm, and those that CloudWatch refuses beside it."""


class AlarmKind(Kind):
    """Fields are those of PutMetricAlarm, with Dimensions as a mapping and the Threshold as a float."""

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        observed: Observed | None = found(lambda: _observed(aws, resource))
        return observed

    def create(self, aws: Aws, resource: Resource) -> None:
        fields = {**_as_put(resource.fields), "Tags": tag_list(resource.fields.get("Tags", {}))}
        _patiently(aws, lambda cloudwatch: cloudwatch.put_metric_alarm(AlarmName=resource.name, **fields))

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        """PutMetricAlarm forgets what it is not given, and takes tags only for a new alarm."""
        of_alarm = outside(changes, "Tags")

        def replace(cloudwatch: Any) -> None:
            there = _alarm(cloudwatch, resource.name) or resource.fields
            shape = cloudwatch.meta.service_model.operation_model("PutMetricAlarm").input_shape
            wanted = overlaid(settable(there, shape), of_alarm)
            refused = [name for field, names in _INSTEAD_OF.items() if field in wanted for name in names]
            kept = {key: value for key, value in wanted.items() if key not in refused}
            cloudwatch.put_metric_alarm(**{**_as_put(kept), "AlarmName": resource.name})

        if of_alarm:
            _patiently(aws, replace)
        if "Tags" in changed(changes):
            tags, gone = entries(changes, "Tags")
            arn = _arn(aws, resource)
            if tags:
                _patiently(aws, lambda cloudwatch: cloudwatch.tag_resource(ResourceARN=arn, Tags=tag_list(tags)))
            if gone:
                _patiently(aws, lambda cloudwatch: cloudwatch.untag_resource(ResourceARN=arn, TagKeys=gone))

    def delete(self, aws: Aws, resource: Resource) -> None:
        found(lambda: aws.client("cloudwatch").delete_alarms(AlarmNames=[resource.name]))


def _arn(aws: Aws, resource: Resource) -> str:
    return aws.arn("cloudwatch", f"alarm:{resource.name}")


def _observed(aws: Aws, resource: Resource) -> Observed | None:
    cloudwatch = aws.client("cloudwatch")
    alarm = _alarm(cloudwatch, resource.name)
    if alarm is None:
        return None
    tags = tag_map(cloudwatch.list_tags_for_resource(ResourceARN=_arn(aws, resource)).get("Tags", []))
    others = [name for name in _OTHER_SETTINGS if alarm.get(name)]
    return Observed(
        {**asked_for(resource, alarm), "Tags": tags},
        (*foreign(others, resource.fields, "settings"), *foreign(tags, resource.fields.get("Tags", {}), "tags")),
    )


def _alarm(cloudwatch: Any, name: str) -> dict[str, Any] | None:
    """The alarm in the shape of a resource's fields; None where there is none."""
    listed = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"]).get("MetricAlarms", [])
    if not listed:
        return None
    alarm = dict(listed[0])
    alarm["Dimensions"] = {one["Name"]: one["Value"] for one in alarm.get("Dimensions", [])}
    if alarm.get("Threshold") is not None:
        alarm["Threshold"] = float(alarm["Threshold"])
    return alarm


def _as_put(fields: Mapping[str, Any]) -> dict[str, Any]:
    """An alarm's fields as PutMetricAlarm takes them, without tags."""
    wanted = {key: value for key, value in present(fields).items() if key != "Tags"}
    dimensions = wanted.pop("Dimensions", {})
    listed = [{"Name": name, "Value": value} for name, value in sorted(dimensions.items())]
    return {**wanted, **({"Dimensions": listed} if listed else {})}


class DashboardKind(Kind):
    """Fields: Body, parsed. All of it is ours."""

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        answer = found(lambda: aws.client("cloudwatch").get_dashboard(DashboardName=resource.name))
        return None if answer is None else Observed({"Body": parsed(answer.get("DashboardBody"))})

    def create(self, aws: Aws, resource: Resource) -> None:
        body = json.dumps(resource.fields["Body"], sort_keys=True)
        _patiently(aws, lambda cloudwatch: cloudwatch.put_dashboard(DashboardName=resource.name, DashboardBody=body))

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        if changes:
            self.create(aws, resource)

    def delete(self, aws: Aws, resource: Resource) -> None:
        found(lambda: aws.client("cloudwatch").delete_dashboards(DashboardNames=[resource.name]))


def _patiently(aws: Aws, call: Callable[[Any], Any]) -> Any:
    """call(client), again while somebody else changes the same."""
    cloudwatch = aws.client("cloudwatch")
    return until_accepted(lambda: call(cloudwatch), _RETRYABLE, aws.sleep)
