"""Glue connections: made, seen, mended and removed, with what others set in them left alone."""

from __future__ import annotations

from typing import Any

import pytest

from ndjctl.aws import Cloud
from ndjctl.contracts import Names
from ndjctl.deploy.kinds.jobs import ConnectionKind
from tests.functional.kinds_world import (
    ACCOUNT,
    Canned,
    Subject,
    desired,
    made_and_gone,
    mended_alone,
    stopped_anywhere,
    subject,
)

NAMES = Names(ACCOUNT)
NETWORK = (
    "network.subnets={subnet-0a1: us-east-1a}",
    "network.security_group_ids=[sg-0b, sg-0a]",
)


@pytest.fixture
def connection(embedded: Cloud) -> Subject:
    id_ = f"connection/{embedded.names.connection('subnet-0a1')}"
    return subject(embedded, ConnectionKind(), id_, *NETWORK)


def state(one: Subject) -> Any:
    there = one.aws.client("glue").get_connection(Name=one.resource.name)["Connection"]
    return {key: value for key, value in there.items() if key != "LastUpdatedTime"}


def by_hand(one: Subject, **requirements: Any) -> None:
    """UpdateConnection as somebody in the console does it."""
    there = state(one)
    names = ("Name", "ConnectionType", "ConnectionProperties")
    given = {key: there[key] for key in names if key in there}
    given["PhysicalConnectionRequirements"] = {**there["PhysicalConnectionRequirements"], **requirements}
    one.aws.client("glue").update_connection(Name=one.resource.name, ConnectionInput=given)


def test_a_connection_comes_and_goes(connection: Subject) -> None:
    made_and_gone(connection)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("SubnetId", "subnet-ffff"),
        ("AvailabilityZone", "us-east-1f"),
        ("SecurityGroupIdList", ["sg-ffff"]),
    ],
)
def test_a_connections_field_is_mended_alone(connection: Subject, field: str, value: Any) -> None:
    label = f"PhysicalConnectionRequirements.{field}"
    mended_alone(connection, lambda one: by_hand(one, **{field: value}), label, state)


def test_a_connection_stopped_midway_is_made_whole(connection: Subject) -> None:
    assert stopped_anywhere(connection, lambda one: by_hand(one, SubnetId="subnet-ffff")) == (2, 3)


# What the embedded cloud does not have: connections with secrets, groups in another order.

CONNECTION = desired(NAMES, *NETWORK)[f"connection/{NAMES.connection('subnet-0a1')}"]
LIVE = {"Name": CONNECTION.name, **CONNECTION.fields}


def test_a_connection_is_compared_whatever_the_order_of_its_groups() -> None:
    glue = Canned("glue")
    wanted = CONNECTION.fields["PhysicalConnectionRequirements"]
    swapped = {**wanted, "SecurityGroupIdList": ["sg-0b", "sg-0a"]}
    theirs = {"ConnectionProperties": {"PASSWORD": "hush"}, "Description": "hush"}
    glue.answers(
        "get_connection",
        {"Connection": {**LIVE, **theirs, "PhysicalConnectionRequirements": swapped}},
        Name=CONNECTION.name,
        HidePassword=True,
    )
    one = Subject(ConnectionKind(), glue.aws, CONNECTION)
    observed = one.observe()
    assert observed.foreign == ("settings: ConnectionProperties, Description",)
    assert "hush" not in repr(observed)


def test_a_connection_keeps_what_others_set() -> None:
    glue = Canned("glue")
    wanted = CONNECTION.fields["PhysicalConnectionRequirements"]
    live = {**LIVE, "PhysicalConnectionRequirements": {**wanted, "SubnetId": "subnet-ffff"}}
    theirs = {"ConnectionProperties": {"PASSWORD": "hush"}, "Description": "theirs"}
    glue.answers("get_connection", {"Connection": live})
    one = Subject(ConnectionKind(), glue.aws, CONNECTION)
    changes = one.changes()
    assert [change.label for change in changes] == ["PhysicalConnectionRequirements.SubnetId"]
    glue.answers("get_connection", {"Connection": {**live, **theirs}}, Name=CONNECTION.name)
    glue.answers("update_connection", {}, Name=CONNECTION.name, ConnectionInput={**LIVE, **theirs})
    one.kind.update(one.aws, one.resource, changes)
    glue.done()


def test_a_connection_that_is_gone_is_no_error() -> None:
    glue = Canned("glue")
    glue.answers("delete_connection", {}, ConnectionName=CONNECTION.name)
    glue.refuses("delete_connection", "EntityNotFoundException", "Connection not found")
    for _ in range(2):
        ConnectionKind().delete(glue.aws, CONNECTION)
    glue.done()
