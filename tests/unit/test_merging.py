"""Laying changes over what is there: exactly they become true, and nothing else moves."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ndjctl.deploy.desired.common import by_sid
from ndjctl.deploy.kinds.merging import overlaid, policy_with, present
from ndjctl.deploy.model import ABSENT, FieldChange, Observed, Resource
from ndjctl.deploy.planner import differences

KEYS = st.sampled_from(["a", "b", "c", "d"])
LEAVES = st.integers(0, 3) | st.booleans() | st.text(max_size=2) | st.lists(st.integers(0, 2), max_size=2)


def trees(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(KEYS, st.recursive(leaves, lambda inner: st.dictionaries(KEYS, inner, max_size=3)))


def leaves_of(tree: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if not isinstance(tree, dict):
        return {path: tree}
    return {place: leaf for key, inner in tree.items() for place, leaf in leaves_of(inner, (*path, key)).items()}


@given(trees(LEAVES | st.just(ABSENT)), trees(LEAVES))
def test_the_changes_of_a_plan_make_what_is_there_as_wanted(desired: dict[str, Any], live: dict[str, Any]) -> None:
    resource = Resource("job", "j", desired)
    before = copy.deepcopy(live)
    changes = list(differences(resource, Observed(live)))
    after = overlaid(live, changes)
    assert list(differences(resource, Observed(after))) == []
    assert live == before
    touched = [change.path for change in changes]
    for path, leaf in leaves_of(live).items():
        if not any(path[: len(place)] == place for place in touched):
            assert leaves_of(after)[path] == leaf


@given(trees(LEAVES))
def test_no_change_changes_nothing(live: dict[str, Any]) -> None:
    assert overlaid(live, []) == live


def test_a_new_mapping_brings_nothing_that_must_not_be_there() -> None:
    change = FieldChange(("Arguments",), ABSENT, {"--a": "1", "--b": ABSENT})
    assert overlaid({}, [change]) == {"Arguments": {"--a": "1"}}
    assert present({"x": {"y": ABSENT}, "z": ABSENT}) == {"x": {}}


SIDS = st.sampled_from(["One", "Two", "Three", None])
STATEMENTS = st.lists(
    st.tuples(SIDS, st.sampled_from(["a:X", "b:Y"])), max_size=4, unique_by=lambda pair: pair[0] or object()
).map(lambda pairs: [{**({"Sid": sid} if sid else {}), "Action": action} for sid, action in pairs])


@given(STATEMENTS, st.dictionaries(st.sampled_from(["One", "Two"]), st.just(ABSENT) | st.just({"Action": "c:Z"})))
def test_a_policy_gets_our_statements_and_keeps_all_others(there: list[Any], ours: dict[str, Any]) -> None:
    document = {"Version": "2008-10-17", "Id": "theirs", "Statement": there}
    merged = policy_with(document, ours)
    assert (merged["Version"], merged["Id"]) == ("2008-10-17", "theirs")
    kept = [statement for statement in there if statement.get("Sid") not in ours]
    assert merged["Statement"][: len(kept)] == kept
    assert by_sid({"Statement": merged["Statement"][len(kept) :]}) == present(ours)


def test_a_statement_without_a_name_goes_by_its_place() -> None:
    document = {"Statement": [{"Sid": "One", "Action": "a:X"}, {"Action": "b:Y"}]}
    assert set(by_sid(document)) == {"One", "statement 2"}
    assert policy_with(document, {"statement 2": ABSENT})["Statement"] == [document["Statement"][0]]
    assert policy_with({"Statement": {"Action": "b:Y"}}, {})["Statement"] == [{"Action": "b:Y"}]
