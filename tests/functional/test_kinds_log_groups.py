"""Log groups: made, seen, mended and removed, with the tags of others left alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from ndjctl.aws import Cloud
from ndjctl.contracts import Names
from ndjctl.deploy.emptying import kinds_for_destruction
from ndjctl.deploy.kinds.log_groups import LogGroupKind
from ndjctl.deploy.kinds.registry import KINDS
from ndjctl.deploy.model import ABSENT
from ndjctl.errors import CloudError
from tests.functional.kinds_world import (
    ACCOUNT,
    KEY,
    NOW,
    Canned,
    Subject,
    change,
    desired,
    made_and_gone,
    mended_alone,
    stopped_anywhere,
    subject,
)

NAMES = Names(ACCOUNT)
EMAIL = "alarms.email=ops@example.com"
Edit = Callable[[Subject], Any]


@pytest.fixture
def group(embedded: Cloud) -> Subject:
    return subject(embedded, LogGroupKind(), f"log-group/{embedded.names.function_log_group}")


def group_arn(one: Subject) -> str:
    return one.aws.arn("logs", f"log-group:{one.resource.name}")


def logs(one: Subject) -> Any:
    return one.aws.client("logs")


def group_state(one: Subject) -> Any:
    found = logs(one).describe_log_groups(logGroupNamePrefix=one.resource.name)["logGroups"]
    return found, logs(one).list_tags_for_resource(resourceArn=group_arn(one))["tags"]


def test_a_log_group_comes_and_goes(group: Subject) -> None:
    made_and_gone(group)


def test_a_log_group_is_told_from_those_whose_names_begin_with_its_name(group: Subject) -> None:
    logs(group).create_log_group(logGroupName=f"{group.resource.name}-other")
    assert group.kind.observe(group.aws, group.resource) is None


GROUP_EDITS: dict[str, Edit] = {
    "retentionInDays": lambda one: logs(one).put_retention_policy(logGroupName=one.resource.name, retentionInDays=365),
    "retentionInDays ": lambda one: logs(one).delete_retention_policy(logGroupName=one.resource.name),
    "Tags.ndjctl:stack": lambda one: logs(one).tag_resource(resourceArn=group_arn(one), tags={"ndjctl:stack": "x"}),
    "Tags.ndjctl:stack ": lambda one: logs(one).untag_resource(resourceArn=group_arn(one), tagKeys=["ndjctl:stack"]),
}


@pytest.mark.parametrize("label", GROUP_EDITS)
def test_a_log_groups_field_is_mended_alone(group: Subject, label: str) -> None:
    mended_alone(group, GROUP_EDITS[label], label.strip(), group_state)


def test_a_log_group_that_never_expires_is_left_so_and_made_so(embedded: Cloud) -> None:
    id_ = f"log-group/{embedded.names.function_log_group}"
    group = subject(embedded, LogGroupKind(), id_, "retention.logs_days=null")
    assert group.resource.fields["retentionInDays"] is ABSENT
    group.settle()
    assert group.labels() == []
    logs(group).put_retention_policy(logGroupName=group.resource.name, retentionInDays=7)
    assert group.labels() == ["retentionInDays"]
    group.settle()
    assert group.labels() == []
    assert "retentionInDays" not in group_state(group)[0][0]


def test_a_log_group_made_under_a_key_has_it(embedded: Cloud) -> None:
    id_ = f"log-group/{embedded.names.function_log_group}"
    group = subject(embedded, LogGroupKind(), id_, f"security.kms_key_arn={KEY}")
    group.settle()
    assert group.labels() == []
    assert group.observe().fields["kmsKeyId"] == KEY


def test_a_log_groups_foreign_tags_stay(group: Subject) -> None:
    group.settle()
    logs(group).tag_resource(resourceArn=group_arn(group), tags={"team": "hush", "ndjctl:stack": "x"})
    assert group.observe().foreign == ("tags: team",)
    group.settle()
    assert group_state(group)[1]["team"] == "hush"


def test_a_log_group_stopped_midway_is_made_whole(group: Subject) -> None:
    def spoil(one: Subject) -> None:
        for label in ("retentionInDays", "Tags.ndjctl:stack "):
            GROUP_EDITS[label](one)

    assert stopped_anywhere(group, spoil) == (3, 4)


GROUP = desired(NAMES)[f"log-group/{NAMES.function_log_group}"]


def test_a_key_comes_and_goes_on_a_log_group() -> None:
    """The embedded cloud takes a key only for a new group."""
    aws = Canned("logs")
    aws.refuses("associate_kms_key", "OperationAbortedException", "Multiple concurrent requests")
    aws.answers("associate_kms_key", {}, logGroupName=GROUP.name, kmsKeyId=KEY)
    aws.answers("disassociate_kms_key", {}, logGroupName=GROUP.name)
    LogGroupKind().update(aws.aws, GROUP, change("kmsKeyId", KEY))
    LogGroupKind().update(aws.aws, GROUP, change("kmsKeyId", ABSENT, KEY))
    assert len(aws.slept_s) == 1
    aws.done()


def test_a_log_group_that_goes_while_it_is_looked_at_is_not_there() -> None:
    aws = Canned("logs")
    aws.answers("describe_log_groups", {"logGroups": [{"logGroupName": GROUP.name, "storedBytes": 7}]})
    aws.refuses("list_tags_for_resource", "ResourceNotFoundException", "no such group")
    assert LogGroupKind().observe(aws.aws, GROUP) is None


@pytest.mark.parametrize(
    ("age", "age_days"), [(timedelta(days=30, hours=1), 30), (timedelta(days=29, hours=23), 29), (timedelta(-1), 0)]
)
def test_a_log_group_tells_its_size_and_age(age: timedelta, age_days: int) -> None:
    aws = Canned("logs")
    made_ms = round((NOW - age).timestamp() * 1000)
    group = {"logGroupName": GROUP.name, "storedBytes": 7, "creationTime": made_ms}
    aws.answers("describe_log_groups", {"logGroups": [group]})
    aws.answers("list_tags_for_resource", {"tags": {}})
    observed = LogGroupKind().observe(aws.aws, GROUP)
    assert observed is not None and observed.facts == {"size_bytes": 7, "age_days": age_days}


@pytest.mark.parametrize("size_bytes", [0, 7])
def test_a_log_that_is_written_while_it_is_to_go_stays(size_bytes: int) -> None:
    """It was empty when it was listed."""
    aws = Canned("logs")
    group = {"logGroupName": GROUP.name, "storedBytes": size_bytes}
    aws.answers("describe_log_groups", {"logGroups": [group]})
    aws.answers("list_tags_for_resource", {"tags": {}})
    removing = kinds_for_destruction(KINDS, deletes_data=False)["log-group"]
    if size_bytes:
        with pytest.raises(CloudError, match="It has lines by now, and stays"):
            removing.delete(aws.aws, GROUP)
    else:
        aws.answers("delete_log_group", {}, logGroupName=GROUP.name)
        removing.delete(aws.aws, GROUP)
    aws.done()
