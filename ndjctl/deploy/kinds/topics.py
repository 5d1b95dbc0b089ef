"""The SNS topic that alarms go to, and who is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from ndjctl.deploy.desired.common import by_sid
from ndjctl.deploy.kinds.base import (
    Aws,
    Kind,
    changed,
    foreign,
    found,
    parsed,
    tag_list,
    tag_map,
    until_accepted,
)
from ndjctl.deploy.kinds.merging import entries, policy_with, under
from ndjctl.deploy.model import ABSENT, FieldChange, Observed, Resource

_RETRYABLE: Final = {"ConcurrentAccess": "", "StaleTag": ""}  # two changes of a topic's tags at the same time
_NEW_TOPIC: Final = {"NotFound": "Topic does not exist"}  # one of a moment ago
_PENDING, _ENDED = "PendingConfirmation", "Deleted"
"""What stands in place of a subscription's ARN until it is confirmed, and for a while after it was ended."""


class TopicKind(Kind):
    """Fields: Policy (by Sid), KmsMasterKeyId (where a key is asked for) and Tags. facts: `subscriptions`, with those
    that are not confirmed yet: they go with the topic."""

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        observed: Observed | None = found(lambda: _observed_topic(aws, resource))
        return observed

    def create(self, aws: Aws, resource: Resource) -> None:
        fields = resource.fields
        attributes = {"Policy": json.dumps(policy_with({}, fields["Policy"]))}
        if fields.get("KmsMasterKeyId", ABSENT) is not ABSENT:
            attributes["KmsMasterKeyId"] = fields["KmsMasterKeyId"]
        tags = tag_list(fields.get("Tags", {}))
        aws.client("sns").create_topic(Name=resource.name, Attributes=attributes, Tags=tags)

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        arn = aws.arn("sns", resource.name)
        statements = {change.path[1] for change in under(changes, "Policy")}
        if statements:
            ours = {sid: resource.fields["Policy"].get(sid, ABSENT) for sid in sorted(statements)}
            document = parsed(aws.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"].get("Policy"))
            _set_attribute(aws, arn, "Policy", json.dumps(policy_with(document, ours)))
        for change in under(changes, "KmsMasterKeyId"):
            _set_attribute(aws, arn, "KmsMasterKeyId", "" if change.new is ABSENT else change.new)
        if "Tags" in changed(changes):
            tags, gone = entries(changes, "Tags")
            if tags:
                _patiently(aws, lambda sns: sns.tag_resource(ResourceArn=arn, Tags=tag_list(tags)))
            if gone:
                _patiently(aws, lambda sns: sns.untag_resource(ResourceArn=arn, TagKeys=gone))

    def delete(self, aws: Aws, resource: Resource) -> None:
        found(lambda: aws.client("sns").delete_topic(TopicArn=aws.arn("sns", resource.name)))


def _observed_topic(aws: Aws, resource: Resource) -> Observed:
    sns, arn = aws.client("sns"), aws.arn("sns", resource.name)
    attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    tags = tag_map(sns.list_tags_for_resource(ResourceArn=arn).get("Tags", []))
    policy = by_sid(parsed(attributes.get("Policy")))
    key = {"KmsMasterKeyId": attributes["KmsMasterKeyId"]} if attributes.get("KmsMasterKeyId") else {}
    told = sum(int(attributes.get(f"Subscriptions{state}", 0)) for state in ("Confirmed", "Pending"))
    return Observed(
        {"Policy": policy, **key, "Tags": tags},
        (
            *foreign(policy, resource.fields.get("Policy", {}), "policy statements"),
            *foreign(tags, resource.fields.get("Tags", {}), "tags"),
        ),
        {"subscriptions": told},
    )


def _set_attribute(aws: Aws, arn: str, name: str, value: str) -> None:
    _patiently(aws, lambda sns: sns.set_topic_attributes(TopicArn=arn, AttributeName=name, AttributeValue=value))


def _patiently(aws: Aws, call: Callable[[Any], Any]) -> Any:
    sns = aws.client("sns")
    return until_accepted(lambda: call(sns), _RETRYABLE, aws.sleep)


class SubscriptionKind(Kind):
    """Named `<topic>:<address>`. Fields: Protocol. One that its owner has not confirmed is there, and says so."""

    def observe(self, aws: Aws, resource: Resource) -> Observed | None:
        listed = _subscriptions(aws, resource)
        ours = [one for one in listed if _is_ours(one, resource)]
        if not ours:
            return None
        others = len(listed) - len(ours)
        pending = all(one["SubscriptionArn"] == _PENDING for one in ours)
        return Observed(
            {"Protocol": ours[0]["Protocol"]},
            (
                *(("not confirmed yet",) if pending else ()),
                *((f"others who are told: {others}",) if others else ()),
            ),
        )

    def create(self, aws: Aws, resource: Resource) -> None:
        topic, _, address = resource.name.partition(":")
        protocol = resource.fields["Protocol"]
        sns, arn = aws.client("sns"), aws.arn("sns", topic)
        subscribe = partial(sns.subscribe, TopicArn=arn, Protocol=protocol, Endpoint=address)
        until_accepted(subscribe, _NEW_TOPIC, aws.sleep)

    def update(self, aws: Aws, resource: Resource, changes: Sequence[FieldChange]) -> None:
        """There is nothing to change: one of another protocol is another subscription."""
        if changes:
            self.create(aws, resource)

    def delete(self, aws: Aws, resource: Resource) -> None:
        sns = aws.client("sns")
        for one in _subscriptions(aws, resource):
            # One that nobody confirmed has no ARN to end it by: SNS drops it after some days, or with the topic.
            if _is_ours(one, resource) and one["SubscriptionArn"] != _PENDING:
                found(partial(sns.unsubscribe, SubscriptionArn=one["SubscriptionArn"]))


def _subscriptions(aws: Aws, resource: Resource) -> list[dict[str, Any]]:
    """All of the topic's that were not ended; none where there is no topic."""
    sns, arn = aws.client("sns"), aws.arn("sns", resource.name.partition(":")[0])
    listed: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        page = found(partial(sns.list_subscriptions_by_topic, TopicArn=arn, **more)) or {}
        listed += [one for one in page.get("Subscriptions", []) if one["SubscriptionArn"] != _ENDED]
        if not page.get("NextToken"):
            return listed
        more = {"NextToken": page["NextToken"]}


def _is_ours(subscription: dict[str, Any], resource: Resource) -> bool:
    address = resource.name.partition(":")[2]
    return bool(subscription["Endpoint"] == address and subscription["Protocol"] == resource.fields["Protocol"])
