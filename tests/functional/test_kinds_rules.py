"""EventBridge rules: made, seen, mended and removed, with the targets and tags of others left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ndjctl.aws import Cloud
from ndjctl.contracts import Names
from ndjctl.deploy.desired.compute import RULE_TARGET
from ndjctl.deploy.kinds.rules import RuleKind
from ndjctl.deploy.model import ABSENT
from tests.functional.kinds_world import (
    ACCOUNT,
    Canned,
    Subject,
    change,
    desired,
    stopped_after_each_call,
    subject,
)

NAMES = Names(ACCOUNT)
OTHER_ARN = "arn:aws:lambda:us-east-1:000000000000:function:other"


@pytest.fixture(params=["sweep", "run-state"])
def rule(embedded: Cloud, request: pytest.FixtureRequest) -> Subject:
    name = embedded.names.sweep_rule if request.param == "sweep" else embedded.names.run_state_rule
    return subject(embedded, RuleKind(), f"rule/{name}")


@pytest.fixture
def schedule(embedded: Cloud) -> Subject:
    return subject(embedded, RuleKind(), f"rule/{embedded.names.sweep_rule}")


@pytest.fixture
def pattern(embedded: Cloud) -> Subject:
    return subject(embedded, RuleKind(), f"rule/{embedded.names.run_state_rule}")


def events(rule: Subject) -> Any:
    return rule.aws.client("events")


def by_hand(rule: Subject, **fields: Any) -> None:
    """PutRule as somebody in the console does it: with everything that is there."""
    there = events(rule).describe_rule(Name=rule.resource.name)
    names = ("ScheduleExpression", "EventPattern", "State", "Description", "RoleArn")
    kept = {name: there[name] for name in names if there.get(name)}
    events(rule).put_rule(Name=rule.resource.name, **{**kept, **fields})


def state(rule: Subject) -> tuple[Any, Any, Any]:
    """All of a rule, as EventBridge tells it."""
    there = events(rule).describe_rule(Name=rule.resource.name)
    there.pop("ResponseMetadata")
    targets = events(rule).list_targets_by_rule(Rule=rule.resource.name)["Targets"]
    tags = events(rule).list_tags_for_resource(ResourceARN=there["Arn"])["Tags"]
    return there, sorted(targets, key=str), sorted(tags, key=str)


def tag(rule: Subject, key: str, value: str) -> None:
    arn = rule.aws.arn("events", f"rule/{rule.resource.name}")
    events(rule).tag_resource(ResourceARN=arn, Tags=[{"Key": key, "Value": value}])


def put_target(rule: Subject, **target: Any) -> None:
    events(rule).put_targets(Rule=rule.resource.name, Targets=[target])


def test_a_new_rule_is_as_wanted(rule: Subject) -> None:
    assert rule.kind.observe(rule.aws, rule.resource) is None
    rule.kind.create(rule.aws, rule.resource)
    assert rule.labels() == []
    assert rule.observe().foreign == ()


EDITS: dict[str, Callable[[Subject], None]] = {
    "Description": lambda rule: by_hand(rule, Description="mine"),
    "State": lambda rule: events(rule).disable_rule(Name=rule.resource.name),
    f"Targets.{RULE_TARGET}": lambda rule: put_target(rule, Id=RULE_TARGET, Arn=OTHER_ARN),
    f"Targets.{RULE_TARGET} ": lambda rule: events(rule).remove_targets(Rule=rule.resource.name, Ids=[RULE_TARGET]),
    "Tags.ndjctl:environment": lambda rule: tag(rule, "ndjctl:environment", "other"),
}


@pytest.mark.parametrize("label", EDITS)
def test_a_field_changed_by_hand_is_named_and_mended_alone(rule: Subject, label: str) -> None:
    rule.kind.create(rule.aws, rule.resource)
    before = state(rule)
    EDITS[label](rule)
    assert rule.labels() == [label.strip()]
    rule.kind.update(rule.aws, rule.resource, rule.changes())
    assert rule.labels() == []
    assert state(rule) == before


def test_the_schedule_is_mended(schedule: Subject) -> None:
    schedule.settle()
    by_hand(schedule, ScheduleExpression="rate(5 minutes)")
    assert schedule.labels() == ["ScheduleExpression"]
    schedule.settle()
    assert schedule.labels() == []


def test_the_pattern_is_mended_where_it_differs(pattern: Subject) -> None:
    pattern.settle()
    wanted = pattern.resource.fields["EventPattern"]
    by_hand(pattern, EventPattern=json.dumps({**wanted, "detail": {"jobName": ["other"]}}))
    assert pattern.labels() == ["EventPattern.detail.jobName"]
    pattern.settle()
    assert pattern.labels() == []
    assert pattern.observe().fields["EventPattern"] == wanted


def test_what_narrows_the_pattern_goes_where_the_pattern_is_ours_alone(pattern: Subject) -> None:
    pattern.settle()
    wanted = pattern.resource.fields["EventPattern"]
    narrow = {**wanted, "detail": {**wanted["detail"], "state": ["FAILED"]}, "region": ["eu-west-1"]}
    by_hand(pattern, EventPattern=json.dumps(narrow))
    ours = replace(pattern, resource=replace(pattern.resource, whole=(("EventPattern",), ("EventPattern", "detail"))))
    assert ours.labels() == ["EventPattern.detail.state", "EventPattern.region"]
    ours.settle()
    assert ours.observe().fields["EventPattern"] == wanted


def test_what_others_added_stays_and_its_values_are_not_told(rule: Subject) -> None:
    rule.kind.create(rule.aws, rule.resource)
    put_target(rule, Id="pager", Arn=OTHER_ARN, Input='{"secret": "hush"}')
    put_target(rule, Id=RULE_TARGET, Arn=OTHER_ARN, Input='{"secret": "hush"}', RetryPolicy={"MaximumRetryAttempts": 3})
    tag(rule, "team", "hush")
    by_hand(rule, Description="mine", RoleArn="arn:aws:iam::000000000000:role/hush")
    observed = rule.observe()
    assert observed.foreign == (
        "targets: pager",
        "settings of our target: Input, RetryPolicy",
        "settings: RoleArn",
        "tags: team",
    )
    assert observed.fields["Targets"]["pager"] == OTHER_ARN
    assert rule.labels() == ["Description", f"Targets.{RULE_TARGET}"]
    rule.settle()
    assert rule.labels() == []
    assert rule.observe().foreign == observed.foreign
    there, targets, tags = state(rule)
    assert there["RoleArn"].endswith("hush")
    ours = next(target for target in targets if target["Id"] == RULE_TARGET)
    assert ours["RetryPolicy"] == {"MaximumRetryAttempts": 3} and "hush" in ours["Input"]
    assert {"Key": "team", "Value": "hush"} in tags


def test_a_target_that_must_go_goes(rule: Subject) -> None:
    rule.settle()
    put_target(rule, Id="old", Arn=OTHER_ARN)
    ours = rule.wanting(Targets={**rule.resource.fields["Targets"], "old": ABSENT})
    assert ours.labels() == ["Targets.old"]
    ours.settle()
    assert ours.labels() == []
    assert set(rule.observe().fields["Targets"]) == {RULE_TARGET}


def test_a_rule_is_deleted_with_its_targets_once_and_again(rule: Subject) -> None:
    rule.kind.create(rule.aws, rule.resource)
    put_target(rule, Id="pager", Arn=OTHER_ARN)
    rule.kind.delete(rule.aws, rule.resource)
    assert rule.kind.observe(rule.aws, rule.resource) is None
    rule.kind.delete(rule.aws, rule.resource)


def test_a_rule_stopped_midway_is_made_whole(rule: Subject) -> None:
    def spoil() -> None:
        rule.settle()
        events(rule).remove_targets(Rule=rule.resource.name, Ids=[RULE_TARGET])
        put_target(rule, Id="pager", Arn=OTHER_ARN)
        tag(rule, "ndjctl:stack", "other")
        by_hand(rule, Description="mine")

    def remove() -> None:
        rule.kind.delete(rule.aws, rule.resource)

    assert stopped_after_each_call(rule, lambda aws: rule.settle(aws), remove) == 3
    assert stopped_after_each_call(rule, lambda aws: rule.settle(aws), spoil) == 8
    assert "pager" in rule.observe().fields["Targets"]


def test_a_removal_stopped_midway_is_finished(rule: Subject) -> None:
    def removed_by(aws: Any) -> None:
        rule.kind.delete(aws, rule.resource)
        rule.settle()

    assert stopped_after_each_call(rule, removed_by, rule.settle) == 3


# What the embedded cloud never answers.

RULE = desired(NAMES)[f"rule/{NAMES.sweep_rule}"]


def test_a_rule_that_others_change_is_asked_again() -> None:
    aws = Canned("events")
    message = "Rule is being modified"
    aws.refuses("put_rule", "ConcurrentModificationException", message)
    aws.answers("put_rule", {"RuleArn": "arn:aws:events:us-east-1:123456789012:rule/r"})
    failed = {"TargetId": RULE_TARGET, "ErrorCode": "ConcurrentModificationException", "ErrorMessage": message}
    aws.answers("put_targets", {"FailedEntryCount": 1, "FailedEntries": [failed]})
    aws.answers("put_targets", {"FailedEntryCount": 0, "FailedEntries": []})
    RuleKind().create(aws.aws, RULE)
    assert len(aws.slept_s) == 2
    aws.done()


def test_a_target_that_eventbridge_refuses_is_an_error() -> None:
    aws = Canned("events")
    failed = {"TargetId": RULE_TARGET, "ErrorCode": "LimitExceededException", "ErrorMessage": "too many targets"}
    aws.answers("list_targets_by_rule", {})
    aws.answers("put_targets", {"FailedEntryCount": 1, "FailedEntries": [failed]})
    with pytest.raises(ClientError, match="too many targets"):
        RuleKind().update(aws.aws, RULE, change(f"Targets.{RULE_TARGET}", OTHER_ARN))
    assert aws.slept_s == []


def test_targets_removed_a_moment_ago_are_waited_for() -> None:
    aws = Canned("events")
    aws.answers("list_targets_by_rule", {"Targets": [{"Id": "a", "Arn": OTHER_ARN}], "NextToken": "more"})
    aws.answers("list_targets_by_rule", {"Targets": [{"Id": "b", "Arn": OTHER_ARN}]}, Rule=RULE.name, NextToken="more")
    aws.answers("remove_targets", {"FailedEntryCount": 0}, Rule=RULE.name, Ids=["a", "b"])
    aws.refuses("delete_rule", "ValidationException", "Rule can't be deleted since it has targets.")
    aws.answers("delete_rule", {})
    RuleKind().delete(aws.aws, RULE)
    assert len(aws.slept_s) == 1
    aws.done()


def test_a_rule_that_goes_while_it_is_removed_is_no_error() -> None:
    aws = Canned("events")
    aws.answers("list_targets_by_rule", {"Targets": [{"Id": "a", "Arn": OTHER_ARN}]})
    aws.refuses("remove_targets", "ResourceNotFoundException", "Rule does not exist")
    aws.refuses("delete_rule", "ResourceNotFoundException", "Rule does not exist")
    RuleKind().delete(aws.aws, RULE)
    aws.done()
