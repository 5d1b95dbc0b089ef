"""The template is the desired state: every resource, every field, in an order that can be made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.contracts import Names
from ndjctl.deploy.model import ABSENT, Resource
from ndjctl.deploy.template import LEFT_OUT, cloudformation, parts_of
from ndjctl.deploy.template.marks import ACCOUNT as ACCOUNT_MARK
from ndjctl.deploy.template.marks import CODE_BUCKET as CODE_BUCKET_MARK
from ndjctl.deploy.template.marks import REGION as REGION_MARK
from ndjctl.deploy.template.marks import resolved
from ndjctl.exports import JSON, YAML, as_text
from tests.template_world import ACCOUNT, CODE_BUCKET, PROFILES, REGION, code, deployed, desired, leaves, profile
from tests.template_world import template as template_of

every_profile = pytest.mark.parametrize("about", PROFILES)

# Fields whose name is another there: the last word of ours -> that of CloudFormation's.
RENAMED = {
    "KMSMasterKeyArn": "KMSMasterKeyId",
    "TimeToLive": "AttributeName",
    "PointInTimeRecovery": "PointInTimeRecoveryEnabled",
    "FunctionArn": "FunctionName",
    "Days": "ExpirationInDays",
    "Service": "Principal",
    "AWS:SourceArn": "SourceArn",
    "QueueArn": "Queue",
    "Events": "Event",
    "Body": "DashboardBody",
}
SAID_ELSEWHERE = {
    ("function", "CodeSha256"): "by the version, and by the digest in the key of the code",
    ("permission", "Effect"): "by the type: a Lambda permission allows",
    ("alias", "Published"): "by the version that the alias is on: CloudFormation publishes it",
}
# What CloudFormation writes as a list of pairs: the name of the list of ours -> where a pair has the value.
PAIRS = {"Tags": "Value", "Dimensions": "Value", "Filter": "Value", "Targets": "Arn", "KeySchema": "KeyType"}


def names_of(about: str) -> Names:
    return Names(ACCOUNT, profile(about).suffix)


def made(resource: Resource, about: str) -> dict[tuple[str, ...], str]:
    """What is made of a resource alone, by its place, with the code in the scripts bucket."""
    properties = {name: part.properties for name, part in parts_of(resource, names_of(about)).items()}
    document = {**template_of(about).document, "Resources": resolved(properties)}
    return {path: str(value).lower() for path, value in leaves(deployed(document, ""))}


def is_there(resource: Resource) -> bool:
    return resource.wanted and resource.kind not in LEFT_OUT


def ids(resource: Resource, about: str) -> set[str]:
    """What a resource is called in the template. A version is called by what it holds, the account's mark included."""
    if resource.kind == "alias":
        return {n for n in template_of(about).document["Resources"] if n.startswith("FunctionVersion")} | {
            "FunctionAlias"
        }
    return set(parts_of(resource, names_of(about)))


def entries(resource: Resource, about: str, document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: document[name]["Properties"] for name in ids(resource, about)}


@every_profile
def test_every_value_of_every_resource_stands_in_the_template(about: str) -> None:
    resources = deployed(template_of(about).document)
    seen = 0
    for resource in desired(about):
        if not is_there(resource):
            continue
        # The version has the function's configuration, and says which code the function is to have.
        both = [each for each in desired(about) if each.kind in ("function", "alias")]
        there = [
            leaf
            for each in (both if resource in both else [resource])
            for leaf in leaves(entries(each, about, resources))
        ]
        values = {str(value).lower() for _, value in there} | {word.lower() for path, _ in there for word in path}
        if resource.kind == "dashboard":
            (body,) = (json.loads(value) for path, value in there if path[-1] == "DashboardBody")
            assert body == resource.fields["Body"]
            continue
        for path, value in leaves(resource.fields):
            seen += 1
            where = (about, resource.id, path, value)
            if value is ABSENT:
                assert path[-1].lower() not in values, where
            elif isinstance(value, str) and value.startswith(f"s3://{names_of(about).scripts_bucket}/"):
                assert value.split("/", 3)[3] in {v.split("/", 3)[-1] for v in values}, where
            elif value not in ("", [], {}):
                assert str(value).lower() in values or (resource.kind, *path) in SAID_ELSEWHERE, where
    assert seen > 250


@every_profile
def test_every_resource_has_its_own_name_there(about: str) -> None:
    resources = deployed(template_of(about).document)
    for resource in desired(about):
        if not is_there(resource) or resource.kind == "permission":
            continue
        values = {str(value) for _, value in leaves(entries(resource, about, resources))}
        # The alias and the mapping are of the function, which their own reference names.
        wanted = {"alias": "live", "mapping": "${}:live", "subscription": resource.name.split(":")[-1]}
        name = wanted.get(resource.kind, resource.name)
        assert any(value.endswith(name.removeprefix("${}")) for value in values), resource.id


def changed_value(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if value in ("true", "false"):
        return "false" if value == "true" else "true"
    if isinstance(value, str) and value.isdecimal():
        return str(int(value) + 1)
    if isinstance(value, str):
        return value + "x"
    return value + 1


def with_value(value: Any, path: tuple[str, ...], new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, Mapping):
        return {key: with_value(each, path[1:], new) if key == path[0] else each for key, each in value.items()}
    return [with_value(each, path[1:], new) if str(at) == path[0] else each for at, each in enumerate(value)]


@pytest.mark.parametrize("about", ["dev", "everything"])
def test_a_changed_field_changes_what_is_called_so_and_nothing_else(about: str) -> None:
    checked = 0
    for resource in desired(about):
        if not is_there(resource):
            continue
        before = made(resource, about)
        for path, value in leaves(resource.fields):
            if value is ABSENT or value == {} or (resource.kind, *path) in SAID_ELSEWHERE:
                continue
            new = ["x"] if value == [] else changed_value(value)
            changed = replace(resource, fields=with_value(resource.fields, path, new))
            after = made(changed, about)
            gone = {at: before[at] for at in before if after.get(at) != before[at]}
            come = {at: after[at] for at in after if before.get(at) != after[at]}
            where = (resource.id, path, value, gone, come)
            if resource.kind == "alias":  # a version of its own, whatever it is that changed
                assert any(at[0].startswith("FunctionVersion") and at[0] not in {b[0] for b in before} for at in come)
                continue
            if value in ("", []):
                assert any("x" in each for each in come.values()), where
                continue
            assert come, where
            assert all(str(value).lower() in each for each in gone.values()), where
            assert all(str(new).lower() in each for each in come.values()), where
            named = [word for word in path if not word.isdecimal()]
            expected = {"DashboardBody"} if resource.kind == "dashboard" else {named[-1], RENAMED.get(named[-1])}
            expected |= {PAIRS.get(named[-2])} if len(named) > 1 else set()
            assert all({str(word).lower() for word in expected} & {word.lower() for word in at} for at in come), where
            checked += 1
    assert checked > 250


def test_what_is_to_be_gone_is_not_there() -> None:
    document = template_of("no alarms").document
    unwanted = [resource for resource in desired("no alarms") if not resource.wanted]
    assert len(unwanted) > 5
    assert not {"AWS::SNS::Topic", "AWS::CloudWatch::Alarm"} & {r["Type"] for r in document["Resources"].values()}
    assert "RetentionInDays" not in document["Resources"]["FunctionLogGroup"]["Properties"]


def references(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        own = {value["Ref"]} if "Ref" in value else {value["Fn::GetAtt"][0]} if "Fn::GetAtt" in value else set()
        return own.union(*(references(inner) for inner in value.values()))
    return set().union(*(references(inner) for inner in value)) if isinstance(value, list) else set()


@every_profile
def test_what_a_resource_needs_is_made_before_it_and_nothing_waits_in_a_circle(about: str) -> None:
    document = template_of(about).document["Resources"]
    direct = {
        name: (set(entry.get("DependsOn", [])) | references(entry["Properties"])) & set(document)
        for name, entry in document.items()
    }

    def before(name: str, on_the_way: tuple[str, ...] = ()) -> set[str]:
        assert name not in on_the_way, on_the_way
        return direct[name].union(*(before(each, (*on_the_way, name)) for each in direct[name]))

    order = {name: before(name) for name in document}
    by_id = {resource.id: resource for resource in desired(about)}
    for resource in by_id.values():
        mine = ids(resource, about)
        for need in resource.needs:
            needed = ids(by_id[need], about) - mine
            for name in mine - {f"{each}Policy" for each in mine}:
                assert needed - {f"{name}Policy"} <= order[name], (resource.id, need)


def test_what_holds_data_stays_when_the_stack_goes() -> None:
    document = template_of("everything").document["Resources"]
    kept = {name for name, entry in document.items() if entry.get("DeletionPolicy") == "Retain"}
    holding = {n for n, entry in document.items() if entry["Type"] in ("AWS::S3::Bucket", "AWS::DynamoDB::Table")}
    assert len(holding) == 7
    assert kept == holding | {name for name in document if name.startswith("FunctionVersion")}
    assert all(e.get("DeletionPolicy") == e.get("UpdateReplacePolicy") for e in document.values())


def version_id(**settings: Any) -> str:
    more = [f"{path}={value}" for path, value in settings.items()]
    (found,) = (n for n in template_of("prod", *more).document["Resources"] if n.startswith("FunctionVersion"))
    return str(found)


def test_a_version_is_named_by_what_it_holds() -> None:
    plain = version_id()
    assert plain == version_id()
    assert plain == version_id(**{"function.reserved_concurrency": 50, "tags.team": "x", "job.workers": 3})
    assert plain != version_id(**{"function.memory_mb": 2048})
    assert plain != version_id(**{"batching.max_files_per_manifest": 7})
    other = replace(code(), function=replace(code().function, sha256={"function.zip": "00" * 32}))
    assert plain not in cloudformation(profile("prod"), other).document["Resources"]


def test_the_code_comes_from_the_bucket_of_the_parameter() -> None:
    template = template_of("prod")
    names, resources = names_of("prod"), deployed(template.document)
    scripts = f"s3://{CODE_BUCKET}/"
    assert resources["Function"]["Properties"]["Code"] == {
        "S3Bucket": CODE_BUCKET,
        "S3Key": template.code["function.zip"],
    }
    job = resources["Job"]["Properties"]
    assert job["Command"]["ScriptLocation"] == scripts + template.code["glue_batch_job.py"]
    assert job["DefaultArguments"]["--extra-py-files"] == scripts + template.code["glue_job.zip"]

    def readable(code_bucket: str) -> list[str]:
        role = deployed(template.document, code_bucket)["JobRole"]["Properties"]
        (policy,) = role["Policies"]
        (reading,) = (s for s in policy["PolicyDocument"]["Statement"] if s["Sid"] == "ReadObjects")
        return list(reading["Resource"])

    mine = f"arn:aws:s3:::{names.scripts_bucket}/*"
    assert mine in readable(CODE_BUCKET)
    assert set(readable(CODE_BUCKET)) - set(readable("")) == {f"arn:aws:s3:::{CODE_BUCKET}/{names.stack}/*"}
    assert deployed(template.document, "")["Function"]["Properties"]["Code"]["S3Bucket"] == names.scripts_bucket


def test_no_account_and_no_mark_is_in_a_template() -> None:
    for about in ("local", "dev", "prod"):
        text = json.dumps(template_of(about).document, ensure_ascii=False)
        assert ACCOUNT not in text and "\ue000" not in text and "\ue001" not in text
        assert text.count(REGION) == text.count(f'"{REGION}"]') + text.count(f"in {REGION}:") + text.count(
            f'for {REGION}"'
        )


def test_logical_ids_do_not_depend_on_the_suffix_and_are_letters_and_digits() -> None:
    def stable(*more: str) -> set[str]:
        return {n for n in template_of("dev", *more).document["Resources"] if not n.startswith("FunctionVersion")}

    assert stable() == stable("suffix=two")
    assert all(name.isalnum() and name.isascii() for name in template_of("everything").document["Resources"])


@pytest.mark.parametrize(("form", "read"), [(JSON, json.loads), (YAML, yaml.safe_load)])
@every_profile
def test_both_forms_say_the_same(about: str, form: str, read: Callable[[str], Any]) -> None:
    document = template_of(about).document
    text = as_text(document, form)
    assert read(text) == document
    assert text.isascii() and text.endswith("\n") and "!Sub" not in text and "&id" not in text


texts = st.lists(st.sampled_from([ACCOUNT_MARK, REGION_MARK, CODE_BUCKET_MARK, "$", "{", "}", "!", "${", "a", "arn:x"]))


@given(texts.map("".join))
def test_marks_are_filled_in_and_all_else_stays_as_it_was(text: str) -> None:
    document = {"Conditions": {}, "Resources": {"X": resolved({"Tag": text})}}
    expected = text
    for mark, value in ((ACCOUNT_MARK, ACCOUNT), (REGION_MARK, REGION), (CODE_BUCKET_MARK, CODE_BUCKET)):
        expected = expected.replace(mark, value)
    assert deployed(document)["X"] == {"Tag": expected}


def test_a_mark_in_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="a key cannot hold"):
        resolved({ACCOUNT_MARK: 1})
