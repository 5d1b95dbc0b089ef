"""Log groups: how long their lines are kept, and under which key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Final

from ndjctl.deploy.kinds.base import Aws, Kind, changed, foreign, found, until_accepted
from ndjctl.deploy.kinds.merging import entries, under
from ndjctl.deploy.model import ABSENT, FieldChange, Observed, Resource

_RETRYABLE: Final = {"OperationAbortedException": ""}  # two changes of one group at the same time


class LogGroupKind(Kind):
    """Fields: retentionInDays (ABSENT: never expires), kmsKeyId (where a key is asked for) and Tags. facts:
    `size_bytes`, as CloudWatch counts them, and `age_days` of the group: its events are no older."""

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        observed: Observed | None = found(lambda: _observed(aws, resource))
        return observed

    def create(self, aws: Aws, resource: Resource) -> None:
        logs, fields = aws.client("logs"), resource.fields
        key = {"kmsKeyId": fields["kmsKeyId"]} if fields.get("kmsKeyId", ABSENT) is not ABSENT else {}
        logs.create_log_group(logGroupName=resource.name, tags=dict(fields.get("Tags", {})), **key)
        _set_retention(aws, resource.name, fields.get("retentionInDays", ABSENT))

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        for change in under(changes, "retentionInDays"):
            _set_retention(aws, resource.name, change.new)
        for change in under(changes, "kmsKeyId"):
            _set_key(aws, resource.name, change.new)
        if "Tags" in changed(changes):
            tags, gone = entries(changes, "Tags")
            logs, arn = aws.client("logs"), _arn(aws, resource)
            if tags:
                until_accepted(lambda: logs.tag_resource(resourceArn=arn, tags=tags), _RETRYABLE, aws.sleep)
            if gone:
                until_accepted(lambda: logs.untag_resource(resourceArn=arn, tagKeys=gone), _RETRYABLE, aws.sleep)

    def delete(self, aws: Aws, resource: Resource) -> None:
        logs = aws.client("logs")
        found(lambda: until_accepted(lambda: logs.delete_log_group(logGroupName=resource.name), _RETRYABLE, aws.sleep))


def _arn(aws: Aws, resource: Resource) -> str:
    return aws.arn("logs", f"log-group:{resource.name}")


def _observed(aws: Aws, resource: Resource) -> Observed | None:
    logs = aws.client("logs")
    group = _group(logs, resource.name)
    if group is None:
        return None
    tags = logs.list_tags_for_resource(resourceArn=_arn(aws, resource)).get("tags", {})
    settings = {key: group[key] for key in ("retentionInDays", "kmsKeyId") if group.get(key)}
    return Observed(
        {**settings, "Tags": tags},
        foreign(tags, resource.fields.get("Tags", {}), "tags"),
        {"size_bytes": group.get("storedBytes", 0), **_age(aws, group)},
    )


def _age(aws: Aws, group: Mapping[str, Any]) -> dict[str, int]:
    """Whole days, by the group's creationTime (milliseconds since 1970)."""
    if "creationTime" not in group:
        return {}
    made = datetime.fromtimestamp(group["creationTime"] / 1000, timezone.utc)
    return {"age_days": max(0, (aws.clock() - made).days)}


def _group(logs: Any, name: str) -> dict[str, Any] | None:
    """The group of exactly that name. AWS sorts the groups that begin with it, so that it is on the first page."""
    for group in logs.describe_log_groups(logGroupNamePrefix=name).get("logGroups", []):
        if group["logGroupName"] == name:
            return dict(group)
    return None


def _set_retention(aws: Aws, name: str, days: Any) -> None:
    logs = aws.client("logs")
    if days is ABSENT:
        # A new group has none, and taking away none is no error.
        until_accepted(lambda: logs.delete_retention_policy(logGroupName=name), _RETRYABLE, aws.sleep)
    else:
        put = {"logGroupName": name, "retentionInDays": days}
        until_accepted(lambda: logs.put_retention_policy(**put), _RETRYABLE, aws.sleep)


def _set_key(aws: Aws, name: str, key: Any) -> None:
    logs = aws.client("logs")
    if key is ABSENT:
        until_accepted(lambda: logs.disassociate_kms_key(logGroupName=name), _RETRYABLE, aws.sleep)
    else:
        until_accepted(lambda: logs.associate_kms_key(logGroupName=name, kmsKeyId=key), _RETRYABLE, aws.sleep)
