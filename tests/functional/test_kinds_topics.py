"""The alarm topic and who is told: made, seen, mended and removed, with what others set left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ndjctl.aws import Cloud
from ndjctl.contracts import Names
from ndjctl.deploy.kinds.topics import SubscriptionKind, TopicKind
from ndjctl.deploy.model import ABSENT
from tests.functional.kinds_world import (
    ACCOUNT,
    KEY,
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
def topic(embedded: Cloud) -> Subject:
    return subject(embedded, TopicKind(), f"topic/{embedded.names.alarm_topic}")


@pytest.fixture
def subscription(embedded: Cloud, topic: Subject) -> Subject:
    topic.settle()
    return subject(embedded, SubscriptionKind(), f"subscription/{embedded.names.alarm_topic}:ops@example.com", EMAIL)


def sns(one: Subject) -> Any:
    return one.aws.client("sns")


def topic_arn(one: Subject) -> str:
    return one.aws.arn("sns", one.resource.name)


def set_attribute(one: Subject, name: str, value: str) -> None:
    sns(one).set_topic_attributes(TopicArn=topic_arn(one), AttributeName=name, AttributeValue=value)


def policy(one: Subject) -> Any:
    return json.loads(sns(one).get_topic_attributes(TopicArn=topic_arn(one))["Attributes"]["Policy"])


def topic_state(one: Subject) -> Any:
    attributes = dict(sns(one).get_topic_attributes(TopicArn=topic_arn(one))["Attributes"])
    attributes["Policy"] = json.loads(attributes["Policy"])
    return attributes, sorted(sns(one).list_tags_for_resource(ResourceArn=topic_arn(one))["Tags"], key=str)


def test_a_topic_comes_and_goes(topic: Subject) -> None:
    made_and_gone(topic)


def spoil_policy(one: Subject) -> None:
    document = policy(one)
    document["Statement"][0]["Condition"]["StringEquals"]["aws:SourceAccount"] = "999999999999"
    set_attribute(one, "Policy", json.dumps(document))


def tag_topic(one: Subject, key: str, value: str) -> None:
    sns(one).tag_resource(ResourceArn=topic_arn(one), Tags=[{"Key": key, "Value": value}])


TOPIC_EDITS: dict[str, Edit] = {
    "Policy.AlarmsPublish.Condition.StringEquals.aws:SourceAccount": spoil_policy,
    "Tags.ndjctl:stack": lambda one: tag_topic(one, "ndjctl:stack", "x"),
}


@pytest.mark.parametrize("label", TOPIC_EDITS)
def test_a_topics_field_is_mended_alone(topic: Subject, label: str) -> None:
    mended_alone(topic, TOPIC_EDITS[label], label, topic_state)


def default_statement(arn: str) -> dict[str, Any]:
    """What SNS gives to a topic that is made without a policy."""
    return {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": ["SNS:Publish", "SNS:Subscribe"],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": "000000000000"}},
    }


def test_a_topic_made_by_others_keeps_its_statements_and_gets_ours(topic: Subject) -> None:
    sns(topic).create_topic(Name=topic.resource.name)
    theirs = {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [default_statement(topic_arn(topic))]}
    set_attribute(topic, "Policy", json.dumps(theirs))
    tag_topic(topic, "team", "hush")
    assert topic.labels() == ["Policy.AlarmsPublish", "Tags.ndjctl:environment", "Tags.ndjctl:stack"]
    foreign = ("policy statements: __default_statement_ID", "tags: team")
    assert topic.observe().foreign == foreign
    topic.settle()
    assert topic.labels() == []
    assert topic.observe().foreign == foreign
    document = policy(topic)
    assert document["Statement"][0] == theirs["Statement"][0]
    assert {key: document[key] for key in ("Version", "Id")} == {"Version": "2008-10-17", "Id": "__default_policy_ID"}


def test_a_topic_gets_a_key_and_has_it(embedded: Cloud, topic: Subject) -> None:
    topic.settle()
    id_ = f"topic/{embedded.names.alarm_topic}"
    with_key = subject(embedded, TopicKind(), id_, f"security.kms_key_arn={KEY}")
    assert with_key.labels() == ["KmsMasterKeyId"]
    with_key.settle()
    assert with_key.labels() == []
    topic.wanting(KmsMasterKeyId=ABSENT).settle()
    assert "KmsMasterKeyId" not in topic.observe().fields
    with_key.kind.delete(with_key.aws, with_key.resource)
    with_key.settle()
    assert with_key.labels() == []


def test_a_topic_stopped_midway_is_made_whole(topic: Subject) -> None:
    def spoil(one: Subject) -> None:
        for edit in TOPIC_EDITS.values():
            edit(one)

    assert stopped_anywhere(topic, spoil) == (2, 5)


TOPIC = desired(NAMES)[f"topic/{NAMES.alarm_topic}"]


def test_tags_of_a_topic_that_others_tag_are_asked_again() -> None:
    aws = Canned("sns")
    aws.refuses("tag_resource", "ConcurrentAccess", "Can't perform multiple operations on a tag simultaneously.")
    aws.answers("tag_resource", {})
    TopicKind().update(aws.aws, TOPIC, change("Tags.ndjctl:stack", "s"))
    assert len(aws.slept_s) == 1
    aws.done()


def test_a_topic_tells_who_goes_with_it() -> None:
    aws = Canned("sns")
    attributes = {"SubscriptionsConfirmed": "2", "SubscriptionsPending": "1", "Policy": "no JSON"}
    aws.answers("get_topic_attributes", {"Attributes": attributes})
    aws.answers("list_tags_for_resource", {"Tags": []})
    observed = TopicKind().observe(aws.aws, TOPIC)
    assert observed is not None and observed.facts == {"subscriptions": 3}
    assert observed.fields["Policy"] == {}


# Subscriptions.


def test_a_subscription_comes_and_goes(subscription: Subject) -> None:
    made_and_gone(subscription)


def test_a_subscription_of_no_topic_is_not_there(subscription: Subject, topic: Subject) -> None:
    topic.kind.delete(topic.aws, topic.resource)
    assert subscription.kind.observe(subscription.aws, subscription.resource) is None
    subscription.kind.delete(subscription.aws, subscription.resource)


def test_others_who_are_told_are_counted_and_stay(subscription: Subject, topic: Subject) -> None:
    subscription.settle()
    sns(topic).subscribe(TopicArn=topic_arn(topic), Protocol="email", Endpoint="hush@example.com")
    assert subscription.observe().foreign == ("others who are told: 1",)
    subscription.kind.delete(subscription.aws, subscription.resource)
    left = sns(topic).list_subscriptions_by_topic(TopicArn=topic_arn(topic))["Subscriptions"]
    assert [one["Endpoint"] for one in left] == ["hush@example.com"]


SUBSCRIPTION = desired(NAMES, EMAIL)[f"subscription/{NAMES.alarm_topic}:ops@example.com"]


def listed(arn: str, endpoint: str = "ops@example.com", protocol: str = "email") -> dict[str, str]:
    return {"SubscriptionArn": arn, "Endpoint": endpoint, "Protocol": protocol}


def test_a_subscription_that_nobody_confirmed_yet_is_there_and_cannot_be_ended() -> None:
    aws = Canned("sns")
    for _ in range(2):
        aws.answers("list_subscriptions_by_topic", {"Subscriptions": [listed("PendingConfirmation")]})
    one = Subject(SubscriptionKind(), aws.aws, SUBSCRIPTION)
    assert one.observe().foreign == ("not confirmed yet",)
    one.kind.delete(one.aws, one.resource)
    aws.done()


def test_a_subscription_on_a_later_page_is_found_and_ended_ones_are_not_there() -> None:
    aws = Canned("sns")
    arn = "arn:aws:sns:us-east-1:123456789012:t:1"
    first = [listed("Deleted"), listed(arn, protocol="email-json"), listed(arn, endpoint="x@example.com")]
    for _ in range(2):
        aws.answers("list_subscriptions_by_topic", {"Subscriptions": first, "NextToken": "more"})
        aws.answers(
            "list_subscriptions_by_topic",
            {"Subscriptions": [listed(f"{arn}/ours")]},
            TopicArn=aws.aws.arn("sns", NAMES.alarm_topic),
            NextToken="more",
        )
    aws.refuses("unsubscribe", "NotFound", "Subscription does not exist")
    one = Subject(SubscriptionKind(), aws.aws, SUBSCRIPTION)
    assert one.labels() == []
    one.kind.delete(one.aws, one.resource)
    aws.done()


def test_a_topic_of_a_moment_ago_is_waited_for() -> None:
    aws = Canned("sns")
    aws.refuses("subscribe", "NotFound", "Topic does not exist")
    aws.answers("subscribe", {"SubscriptionArn": "pending confirmation"})
    SubscriptionKind().create(aws.aws, SUBSCRIPTION)
    assert len(aws.slept_s) == 1
    aws.done()
