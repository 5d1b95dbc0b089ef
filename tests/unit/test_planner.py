"""The plan as a pure function: what is compared, what is ours, in which order, and what is dangerous."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.deploy.dangers import FLAGS, objects_under
from ndjctl.deploy.documents import ACCOUNT_MARK, masked, plan_document, unmasked
from ndjctl.deploy.history import new_id
from ndjctl.deploy.model import ABSENT, ENVIRONMENT_TAG, REGION_TAG, Observed, Plan, Resource
from ndjctl.deploy.planner import differences, make_plan, ordered, plan_step


def changes(resource: Resource, fields: dict[str, Any], **facts: int) -> dict[str, tuple[Any, Any]]:
    return {c.label: (c.old, c.new) for c in differences(resource, Observed(fields, (), facts))}


def test_only_what_we_own_is_compared() -> None:
    resource = Resource("x", "x", {"a": 1, "b": {"c": 2}})
    assert changes(resource, {"a": 1, "b": {"c": 2, "theirs": 3}, "theirs": 4}) == {}
    assert changes(resource, {"a": 2, "b": {}}) == {"a": (2, 1), "b.c": (ABSENT, 2)}


def test_a_whole_mapping_is_ours_to_its_last_key_but_what_is_kept() -> None:
    resource = Resource("x", "x", {"e": {"v": {"A": "1"}}}, whole=(("e", "v"),), keep=("DD_*",))
    assert changes(resource, {"e": {"v": {"A": "1", "DD_KEY": "2", "B": "3"}, "w": 1}}) == {"e.v.B": ("3", ABSENT)}
    nested = Resource("x", "x", {"p": {"sid": {"Action": "a"}}}, whole=(("p",),))
    assert changes(nested, {"p": {"sid": {"Action": "a", "Condition": {}}}}) == {"p.sid.Condition": ({}, ABSENT)}


def test_what_must_not_be_there_is_a_change_only_where_it_is() -> None:
    resource = Resource("x", "x", {"args": {"--enable-metrics": ABSENT}})
    assert changes(resource, {"args": {}}) == {}
    assert changes(resource, {"args": {"--enable-metrics": "false"}}) == {"args.--enable-metrics": ("false", ABSENT)}


@pytest.mark.parametrize(("new", "old"), [(True, 1), (0, False), ("1", 1), ([1], [2])])
def test_values_that_look_alike_are_not_one(new: Any, old: Any) -> None:
    assert changes(Resource("x", "x", {"a": new}), {"a": old}) == {"a": (old, new)}


def test_numbers_are_compared_by_value() -> None:
    assert changes(Resource("x", "x", {"a": 900.0}), {"a": 900}) == {}


def test_values_of_others_are_hidden() -> None:
    resource = Resource("function", "f", {"Environment": {"Variables": {}}}, whole=(("Environment", "Variables"),))
    step = plan_step(resource, Observed({"Environment": {"Variables": {"TOKEN": "s3cret"}}}))
    assert [change.is_hidden for change in step.changes] == [True]
    for salt in ("", "salt"):
        assert "s3cret" not in str(plan_document(Plan((step,)), "123456789012", salt=salt))
    other = plan_step(resource, Observed({"Environment": {"Variables": {"TOKEN": "another"}}}))
    assert plan_document(Plan((step,)), "1" * 12, salt="s") != plan_document(Plan((other,)), "1" * 12, salt="s")


def test_resources_come_after_what_they_need() -> None:
    a, b, c = Resource("x", "a", {}, needs=("x/c",)), Resource("x", "b", {}), Resource("x", "c", {}, needs=("x/b",))
    assert [each.name for each in ordered([a, b, c])] == ["b", "c", "a"]
    with pytest.raises(ValueError, match="x/d needs x/e"):
        ordered([Resource("x", "d", {}, needs=("x/e",))])
    with pytest.raises(ValueError, match="need each other"):
        ordered([Resource("x", "d", {}, needs=("x/e",)), Resource("x", "e", {}, needs=("x/d",))])


def test_each_action() -> None:
    new = Resource("x", "new", {"a": 1})
    same = Resource("x", "same", {"a": 1})
    other = Resource("x", "other", {"a": 1})
    keyed = Resource("x", "keyed", {"k": {"a": 1}}, replaces=(("k",),))
    gone = Resource("x", "gone", {}, wanted=False)
    never = Resource("x", "never", {}, wanted=False)
    there = Observed({"a": 1})
    observed = {
        new.id: None,
        same.id: there,
        other.id: Observed({"a": 2}),
        keyed.id: Observed({"k": {"a": 2}}),
        gone.id: there,
        never.id: None,
    }
    plan = make_plan([new, same, other, keyed, gone, never], observed)
    assert [step.action for step in plan.steps] == ["create", "keep", "update", "replace", "delete", "keep"]
    assert len(plan.pending) == 4


def test_an_owner_is_another_environment_in_the_tag() -> None:
    resource = Resource("x", "x", {"Tags": {ENVIRONMENT_TAG: "dev"}})
    assert plan_step(resource, Observed({"Tags": {}})).owner is None
    assert plan_step(resource, Observed({"Tags": {ENVIRONMENT_TAG: "dev"}})).owner is None
    assert plan_step(resource, Observed({"Tags": {ENVIRONMENT_TAG: "prod"}})).owner == "prod"


@pytest.mark.parametrize(
    ("there", "owner"),
    [
        ({ENVIRONMENT_TAG: "prod", REGION_TAG: "us-east-1"}, "prod in us-east-1"),
        ({ENVIRONMENT_TAG: "prod", REGION_TAG: "eu-west-1"}, None),
        ({ENVIRONMENT_TAG: "prod"}, None),  # of before this tag
        ({ENVIRONMENT_TAG: "dev", REGION_TAG: "us-east-1"}, "dev"),
        ({REGION_TAG: "us-east-1"}, None),
    ],
)
def test_what_has_one_name_in_all_regions_is_its_regions_as_well(there: dict[str, str], owner: str | None) -> None:
    resource = Resource("role", "x", {"Tags": {ENVIRONMENT_TAG: "prod", REGION_TAG: "eu-west-1"}})
    assert plan_step(resource, Observed({"Tags": there})).owner == owner
    regional = Resource("queue", "x", {"Tags": {ENVIRONMENT_TAG: "prod"}})
    assert plan_step(regional, Observed({"Tags": {**there, ENVIRONMENT_TAG: "prod"}})).owner is None


RULE = {"Status": "Enabled", "Prefix": "manifests/", "Expiration": {"Days": 365}}
MANIFESTS = {"objects": 1, objects_under("manifests/"): 1}


@pytest.mark.parametrize(
    ("kind", "wanted", "there", "facts", "danger"),
    [
        # Objects that nothing deleted so far, or later.
        ("bucket", {"Lifecycle": {"r": RULE}}, {"Lifecycle": {}}, MANIFESTS, "deletes data"),
        ("bucket", {"Lifecycle": {"r": RULE}}, {"Lifecycle": {}}, {"objects": 1, objects_under("manifests/"): 0}, None),
        (
            "bucket",
            {"Lifecycle": {"r": RULE}},
            {"Lifecycle": {"r": {**RULE, "Expiration": {"Days": 366}}}},
            MANIFESTS,
            "deletes data",
        ),
        (
            "bucket",
            {"Lifecycle": {"r": RULE}},
            {"Lifecycle": {"r": {**RULE, "Expiration": {"Days": 364}}}},
            MANIFESTS,
            None,
        ),
        (
            "bucket",
            {"Lifecycle": {"r": RULE}},
            {"Lifecycle": {"r": {**RULE, "Prefix": "old/"}}},
            MANIFESTS,
            "deletes data",
        ),
        (
            "bucket",
            {"Lifecycle": {"r": RULE}},
            {"Lifecycle": {"r": {**RULE, "Status": "Disabled"}}},
            MANIFESTS,
            "deletes data",
        ),
        (
            "bucket",
            {"Lifecycle": {"r": {"Prefix": "", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}}},
            {"Lifecycle": {}},
            MANIFESTS,
            None,
        ),
        ("bucket", {"Lifecycle": {"r": ABSENT}}, {"Lifecycle": {"r": RULE}}, MANIFESTS, None),
        ("queue", {"MessageRetentionPeriod": "9"}, {"MessageRetentionPeriod": "10"}, {"messages": 1}, "deletes data"),
        ("queue", {"MessageRetentionPeriod": "9"}, {"MessageRetentionPeriod": "10"}, {"messages": 0}, None),
        ("queue", {"MessageRetentionPeriod": "10"}, {"MessageRetentionPeriod": "9"}, {"messages": 1}, None),
        ("table", {"PointInTimeRecovery": False}, {"PointInTimeRecovery": True}, {}, "deletes data"),
        ("table", {"PointInTimeRecovery": True}, {"PointInTimeRecovery": False}, {}, None),
        ("table", {"TimeToLive": "ttl"}, {"TimeToLive": "other"}, {"items": 1}, "deletes data"),
        ("table", {"TimeToLive": "ttl"}, {"TimeToLive": ABSENT}, {"items": 1}, None),
        # Lines that are older than the new retention go at once; a younger group has none.
        ("log-group", {"retentionInDays": 30}, {"Tags": {}}, {"size_bytes": 7, "age_days": 30}, "deletes data"),
        ("log-group", {"retentionInDays": 30}, {"Tags": {}}, {"size_bytes": 7, "age_days": 29}, None),
        ("log-group", {"retentionInDays": 30}, {"Tags": {}}, {"size_bytes": 7}, "deletes data"),  # nobody says how old
        ("log-group", {"retentionInDays": 30}, {"Tags": {}}, {"size_bytes": 0, "age_days": 400}, None),
        (
            "log-group",
            {"retentionInDays": 30},
            {"retentionInDays": 90},
            {"size_bytes": 7, "age_days": 60},
            "deletes data",
        ),
        ("log-group", {"retentionInDays": 30}, {"retentionInDays": 7}, {"size_bytes": 7, "age_days": 60}, None),
        ("log-group", {"retentionInDays": ABSENT}, {"retentionInDays": 7}, {"size_bytes": 7, "age_days": 60}, None),
        (
            "job",
            {"ExecutionProperty": {"MaxConcurrentRuns": 4}},
            {"ExecutionProperty": {"MaxConcurrentRuns": 9}},
            {"running": 5},
            "shrinks below what is running",
        ),
        (
            "job",
            {"ExecutionProperty": {"MaxConcurrentRuns": 5}},
            {"ExecutionProperty": {"MaxConcurrentRuns": 9}},
            {"running": 5},
            None,
        ),
    ],
)
def test_dangers(
    kind: str, wanted: dict[str, Any], there: dict[str, Any], facts: dict[str, int], danger: str | None
) -> None:
    ours = tuple(("Lifecycle", rule) for rule in wanted.get("Lifecycle", {}))
    step = plan_step(Resource(kind, "x", wanted, whole=ours), Observed(there, (), facts))
    assert step.action == "update"
    assert step.all_dangers == ({danger} if danger else set())


def test_replacing_and_deleting_are_dangers_of_their_own() -> None:
    table = Resource("table", "t", {"KeySchema": {"a": "HASH"}}, replaces=(("KeySchema",),))
    assert plan_step(table, Observed({"KeySchema": {"b": "HASH"}})).all_dangers == {"replaces a table"}
    queue = Resource("queue", "q", {}, wanted=False)
    assert plan_step(queue, Observed({}, (), {"messages": 3})).all_dangers == {"deletes data"}
    assert plan_step(queue, Observed({}, (), {"messages": 0})).all_dangers == set()
    assert set(FLAGS) == {"deletes data", "shrinks below what is running", "replaces a table"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab0123456789{}account", max_size=16),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_masking_leaves_no_account_and_comes_back(value: Any) -> None:
    account = "123456789012"
    told = {"arn": f"arn:aws:x:{account}:y", account: value}
    assert account not in str(masked(told, account)).replace(ACCOUNT_MARK, "")
    if ACCOUNT_MARK not in str(value):
        assert unmasked(masked(told, account), account) == told


FIELDS = st.dictionaries(
    st.sampled_from("abcd"), st.integers(0, 2) | st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2))
)


@given(FIELDS, FIELDS)
def test_a_plan_carried_out_is_a_plan_with_nothing_to_do(wanted: dict[str, Any], there: dict[str, Any]) -> None:
    """Applying each change to what is there makes it as wanted, and touches nothing else."""
    resource = Resource("x", "x", wanted)
    after: dict[str, Any] = {k: dict(v) if isinstance(v, dict) else v for k, v in there.items()}
    touched = set()
    for change in differences(resource, Observed(there)):
        touched.add(change.path[0])
        place = after
        for key in change.path[:-1]:
            place = place[key]
        place[change.path[-1]] = change.new
    assert list(differences(resource, Observed(after))) == []
    assert {k: v for k, v in after.items() if k not in touched} == {k: v for k, v in there.items() if k not in touched}


def test_ids_of_deployments_of_one_second_sort_by_time() -> None:
    moments = [datetime(2026, 11, 23, 14, 31, 7, ms * 1000, tzinfo=timezone.utc) for ms in (3, 40, 500)]
    ids = [new_id(at, token) for at, token in zip(moments, ("ffff", "8888", "0000"), strict=True)]
    assert ids == sorted(ids)
    assert ids[0] == "20261123T143107Z-003ffff"
