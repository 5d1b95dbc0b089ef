"""SQS queues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ndjctl.deploy.desired.common import by_sid
from ndjctl.deploy.kinds.base import (
    Aws,
    FieldChange,
    Kind,
    Observed,
    Resource,
    changed,
    foreign,
    found,
    parsed,
    until_accepted,
)
from ndjctl.deploy.kinds.documents import merged_policy, whole_policy
from ndjctl.deploy.policies import to_json

# A queue of this name was deleted less than a minute ago.
_DELETED_RECENTLY = {"AWS.SimpleQueueService.QueueDeletedRecently": "", "QueueDeletedRecently": ""}


class QueueKind(Kind):
    """Fields are SQS's attributes, and the tags. Statements of others in the queue's policy stay."""

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        sqs = aws.client("sqs")
        url = self._url(aws, resource.name)
        if url is None:
            return None
        attributes = found(lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"])
        if attributes is None:
            return None
        tags = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        policy = by_sid(parsed(attributes.get("Policy")))
        fields: dict[str, Any] = {
            **attributes,
            "Policy": policy,
            "RedrivePolicy": _redrive(attributes.get("RedrivePolicy")),
            "Tags": tags,
        }
        waiting = int(attributes.get("ApproximateNumberOfMessages", 0))
        taken = int(attributes.get("ApproximateNumberOfMessagesNotVisible", 0))
        others = (
            *foreign(policy, resource.fields.get("Policy", policy), "policy statements"),
            *foreign(tags, resource.fields["Tags"], "tags"),
        )
        return Observed(fields, others, {"messages": waiting + taken})

    def create(self, aws: Aws, resource: Resource) -> None:
        attributes = {name: self._text(name, value) for name, value in resource.fields.items() if name != "Tags"}
        until_accepted(
            lambda: aws.client("sqs").create_queue(
                QueueName=resource.name, Attributes=attributes, tags=dict(resource.fields["Tags"])
            ),
            _DELETED_RECENTLY,
            aws.sleep,
        )

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        sqs, url, parts = aws.client("sqs"), self._url(aws, resource.name), changed(changes)
        if "Tags" in parts:
            sqs.tag_queue(QueueUrl=url, Tags=dict(resource.fields["Tags"]))
        attributes = {name: self._text(name, resource.fields[name]) for name in parts if name != "Tags"}
        if "Policy" in attributes:
            current = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
            attributes["Policy"] = merged_policy(current.get("Policy"), resource.fields["Policy"])
        if attributes:
            sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)

    def delete(self, aws: Aws, resource: Resource) -> None:
        url = self._url(aws, resource.name)
        if url is not None:
            found(lambda: aws.client("sqs").delete_queue(QueueUrl=url))

    def _url(self, aws: Aws, name: str) -> str | None:
        return found(lambda: aws.client("sqs").get_queue_url(QueueName=name)["QueueUrl"])  # type: ignore[no-any-return]

    def _text(self, name: str, value: Any) -> str:
        if name == "Policy":
            return whole_policy(value)
        return to_json(value) if isinstance(value, Mapping) else str(value)


def _redrive(text: str | None) -> dict[str, Any]:
    """SQS gives the number of receives as it was written: as a number or as text."""
    policy = parsed(text)
    if str(policy.get("maxReceiveCount", "")).isdigit():
        policy["maxReceiveCount"] = int(policy["maxReceiveCount"])
    return policy
