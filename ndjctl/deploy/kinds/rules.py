"""EventBridge rules of the default bus, with their targets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from ndjctl.deploy.kinds.base import Aws, Kind, changed, foreign, found, parsed, tag_list, tag_map, until_accepted
from ndjctl.deploy.kinds.merging import entries, outside, overlaid, settable
from ndjctl.deploy.model import FieldChange, Observed, Resource

_RETRYABLE: Final = {
    "ConcurrentModificationException": "",
    # Targets that were removed a moment ago.
    "ValidationException": "Rule can't be deleted since it has targets",
}
_OF_TARGETS: Final = ("Targets", "Tags")


class RuleKind(Kind):
    """Fields: ScheduleExpression or EventPattern (parsed), Description, State, Targets (id -> ARN, those of others
    too) and Tags."""

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        observed: Observed | None = found(lambda: _observed(aws, resource))
        return observed

    def create(self, aws: Aws, resource: Resource) -> None:
        tags = resource.fields.get("Tags", {})
        rule = {key: value for key, value in resource.fields.items() if key not in _OF_TARGETS}
        _patiently(aws, lambda events: events.put_rule(Name=resource.name, Tags=tag_list(tags), **_as_text(rule)))
        targets = [{"Id": id_, "Arn": arn} for id_, arn in resource.fields.get("Targets", {}).items()]
        _put_targets(aws, resource.name, targets)

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        if outside(changes, *_OF_TARGETS):
            self._update_rule(aws, resource, outside(changes, *_OF_TARGETS))
        if "Targets" in changed(changes):
            arns, gone = entries(changes, "Targets")
            there = {target["Id"]: target for target in _targets(aws, resource.name)}
            _put_targets(aws, resource.name, [{**there.get(id_, {}), "Id": id_, "Arn": arns[id_]} for id_ in arns])
            _remove_targets(aws, resource.name, gone)
        if "Tags" in changed(changes):
            tags, gone = entries(changes, "Tags")
            arn = _arn(aws, resource)
            if tags:
                _patiently(aws, lambda events: events.tag_resource(ResourceARN=arn, Tags=tag_list(tags)))
            if gone:
                _patiently(aws, lambda events: events.untag_resource(ResourceARN=arn, TagKeys=gone))

    def _update_rule(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        """PutRule forgets what it is not given."""

        def replace(events: Any) -> None:
            rule = events.describe_rule(Name=resource.name)
            kept = settable(rule, events.meta.service_model.operation_model("PutRule").input_shape)
            if "EventPattern" in kept:
                kept["EventPattern"] = parsed(kept["EventPattern"])
            events.put_rule(**_as_text(overlaid(kept, changes)))

        _patiently(aws, replace)

    def delete(self, aws: Aws, resource: Resource) -> None:
        targets = found(lambda: _targets(aws, resource.name))
        if targets is None:
            return
        found(lambda: _remove_targets(aws, resource.name, [target["Id"] for target in targets]))
        found(lambda: _patiently(aws, lambda events: events.delete_rule(Name=resource.name)))


def _arn(aws: Aws, resource: Resource) -> str:
    return aws.arn("events", f"rule/{resource.name}")


def _observed(aws: Aws, resource: Resource) -> Observed:
    events = aws.client("events")
    rule = events.describe_rule(Name=resource.name)
    targets = _targets(aws, resource.name)
    tags = tag_map(events.list_tags_for_resource(ResourceARN=_arn(aws, resource)).get("Tags", []))
    ours = resource.fields.get("Targets", {})
    names = ("ScheduleExpression", "EventPattern", "Description", "State", "RoleArn")
    there = {name: rule[name] for name in names if rule.get(name)}
    if "EventPattern" in there:
        there["EventPattern"] = parsed(there["EventPattern"])
    special = sorted({key for target in targets if target["Id"] in ours for key in target} - {"Id", "Arn"})
    return Observed(
        {**there, "Targets": {target["Id"]: target["Arn"] for target in targets}, "Tags": tags},
        (
            *foreign([target["Id"] for target in targets], ours, "targets"),
            *foreign(special, {}, "settings of our target"),
            *foreign(there, resource.fields, "settings"),
            *foreign(tags, resource.fields.get("Tags", {}), "tags"),
        ),
    )


def _targets(aws: Aws, rule: str) -> list[dict[str, Any]]:
    events = aws.client("events")
    targets: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        page = events.list_targets_by_rule(Rule=rule, **more)
        targets += page.get("Targets", [])
        if not page.get("NextToken"):
            return targets
        more = {"NextToken": page["NextToken"]}


def _put_targets(aws: Aws, rule: str, targets: Sequence[Mapping[str, Any]]) -> None:
    if targets:
        _patiently(aws, lambda events: _whole(events.put_targets(Rule=rule, Targets=targets), "PutTargets"))


def _remove_targets(aws: Aws, rule: str, ids: Sequence[str]) -> None:
    if ids:
        _patiently(aws, lambda events: _whole(events.remove_targets(Rule=rule, Ids=ids), "RemoveTargets"))


def _whole(answer: Mapping[str, Any], operation: str) -> None:
    """Raises for the first entry that EventBridge refused: its answer is a success all the same."""
    for entry in answer.get("FailedEntries", []):
        about = {"Code": entry.get("ErrorCode", ""), "Message": entry.get("ErrorMessage", "")}
        raise ClientError({"Error": about}, operation)


def _patiently(aws: Aws, call: Callable[[Any], Any]) -> Any:
    """call(client), again while somebody else changes the same rule."""
    events = aws.client("events")
    return until_accepted(lambda: call(events), _RETRYABLE, aws.sleep)


def _as_text(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule's fields as PutRule takes them: the pattern as JSON."""
    if "EventPattern" not in rule:
        return dict(rule)
    return {**rule, "EventPattern": json.dumps(rule["EventPattern"], sort_keys=True)}
