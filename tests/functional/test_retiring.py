"""Code that nobody returns to is marked and then expires; what is live, or may be returned to, never is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from ndjctl.bundles import Bundle, Code
from ndjctl.deploy.history import Deployment, History, Result
from ndjctl.deploy.kinds.base import Aws
from ndjctl.deploy.kinds.buckets import ArtifactKind
from ndjctl.deploy.model import ABSENT, Resource
from ndjctl.deploy.planner import plan_step
from ndjctl.deploy.retiring import KEPT_DEPLOYMENTS, retire
from tests.deploy_command import Command, command, of_other_code
from tests.functional.kinds_world import ACCOUNT, aws_of
from tests.functional.operations_world import NAMES

__all__ = ["command"]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    with mock_aws():
        clients = {"s3": boto3.client("s3", region_name="us-east-1")}
        clients["s3"].create_bucket(Bucket=NAMES.scripts_bucket)
        yield aws_of(clients.__getitem__, NAMES)


def code(number: int) -> Code:
    """Of one version of the tool."""
    return Code(Bundle({"function.zip": b"%d" % number}).index, Bundle({"glue_job.zip": b"%d" % number}).index)


def upload(aws: Aws, number: int) -> list[str]:
    """The keys of a version's files, which are put there."""
    keys = []
    for bundle in (code(number).function, code(number).job):
        for name in bundle.sha256:
            keys.append(f"{NAMES.stack}/{bundle.digest[:16]}/{name}")
            aws.client("s3").put_object(Bucket=NAMES.scripts_bucket, Key=keys[-1], Body=b"%d" % number)
    return keys


def record(at: int, number: int, result: Result = "done", command: str = "deploy") -> Deployment:
    id_ = f"{datetime.fromtimestamp(at * 60, timezone.utc):%Y%m%dT%H%M%SZ}-0"
    used = code(number)
    return Deployment(id_, "", "", command, "", "dev", "", (), {}, used, [], result)


def history(aws: Aws, records: Sequence[Deployment]) -> History:
    found = History(aws.client("s3"), NAMES)
    for each in records:
        found.put(each)
    return found


def marked(aws: Aws) -> set[str]:
    s3 = aws.client("s3")
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=NAMES.scripts_bucket)["Contents"]]
    tagged = {
        key: {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=NAMES.scripts_bucket, Key=key)["TagSet"]}
        for key in keys
    }
    return {key for key, tags in tagged.items() if tags.get("ndjctl:retired") == "true"}


def test_what_the_last_deployments_do_not_use_is_marked_once(aws: Aws) -> None:
    uploaded = {number: upload(aws, number) for number in range(14)}
    records = [record(at, at) for at in range(13)] + [record(13, 13, "failed"), record(14, 12)]
    told = history(aws, records)
    # The one just done, ten before it, and what failed between: 12, 13, 12, 11 ... 3 are used.
    assert retire(aws, told, code(12), "dev").files == 6
    assert marked(aws) == {key for number in (0, 1, 2) for key in uploaded[number]}
    again = retire(aws, told, code(12), "dev")
    assert (again.files, again.remark) == (0, "")
    assert KEPT_DEPLOYMENTS == 10


def test_nothing_else_is_touched(aws: Aws) -> None:
    """Nobody else's objects, not the history, not another environment's code, and nothing that is no file of code."""
    s3 = aws.client("s3")
    digest = "0123456789abcdef"
    for key in (
        f"{NAMES.stack}/notes.txt",
        f"{NAMES.stack}/{digest}",
        f"{NAMES.stack}/{digest}/deeper/x.py",
        f"{NAMES.stack}/{digest}0/x.py",
        f"{NAMES.stack}-blue/{digest}/x.py",
        f"{digest}/x.py",
        "scripts/their_job.py",
    ):
        s3.put_object(Bucket=NAMES.scripts_bucket, Key=key, Body=b"1")
    upload(aws, 1)
    assert retire(aws, history(aws, [record(1, 1)]), code(1), "dev").files == 0
    assert marked(aws) == set()
    s3.put_object(Bucket=NAMES.scripts_bucket, Key=f"{NAMES.stack}/{digest}/x.py", Body=b"1")
    assert retire(aws, history(aws, []), code(1), "dev").files == 1
    assert marked(aws) == {f"{NAMES.stack}/{digest}/x.py"}


def test_tags_of_others_and_the_bytes_stay_and_the_days_begin_anew(aws: Aws) -> None:
    s3, bucket = aws.client("s3"), NAMES.scripts_bucket
    key = upload(aws, 1)[0]
    s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": [{"Key": "team", "Value": "a=b+c"}]})
    retire(aws, history(aws, []), code(2), "dev")
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]}
    assert tags == {"team": "a=b+c", "ndjctl:retired": "true"}
    there = s3.get_object(Bucket=bucket, Key=key)
    assert there["Body"].read() == b"1"
    assert there["Metadata"] == {"ndjctl-retired": f"{aws.clock():%Y-%m-%dT%H:%M:%SZ}"}

    # Wanted again it is a change of its own, which takes the mark away and nothing else.
    sha256 = code(1).function.sha256["function.zip"]
    resource = Resource("artifact", f"{bucket}/{key}", {"Sha256": sha256, "Retired": ABSENT})
    kind = ArtifactKind()
    step = plan_step(resource, kind.observe(aws, resource))
    assert [(change.label, change.old) for change in step.changes] == [("Retired", "true")]
    kind.update(aws, resource, step.changes)
    assert plan_step(resource, kind.observe(aws, resource)).action == "keep"
    assert s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == [{"Key": "team", "Value": "a=b+c"}]


def test_what_cannot_be_told_or_done_stays_and_is_said(aws: Aws) -> None:
    upload(aws, 1)
    told = history(aws, [record(1, 2)])
    aws.client("s3").put_object(
        Bucket=NAMES.scripts_bucket, Key=f"{NAMES.stack}/deployments/20300101T000000Z-1.json", Body=b"{}"
    )
    done = retire(aws, told, code(2), "dev")
    assert "is not a record of a deployment" in done.remark
    assert marked(aws) == set()

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "CopyObject")

    aws.client("s3").meta.events.register("before-call.s3.CopyObject", refuse)
    done = retire(aws, history_without(aws), code(2), "dev")
    assert (done.files, done.remark.startswith("AWS refused CopyObject (AccessDenied: no)")) == (0, True)
    with pytest.raises(ZeroDivisionError):  # a bug is no remark
        retire(replace(aws, client=lambda _service: 1 // 0), told, code(2), "dev")


def history_without(aws: Aws) -> History:
    s3 = aws.client("s3")
    s3.delete_object(Bucket=NAMES.scripts_bucket, Key=f"{NAMES.stack}/deployments/20300101T000000Z-1.json")
    return History(s3, NAMES)


def test_a_return_to_code_that_is_marked_and_to_code_that_is_gone(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psutil")
    pytest.importorskip("ministack")
    command.does("deploy")
    s3, bucket = command.hands.client("s3"), command.names.scripts_bucket
    told = History(s3, command.names)
    (first,) = told.newest("dev")
    old = {f"{bucket}/{each['Key']}" for each in s3.list_objects_v2(Bucket=bucket)["Contents"]} - {""}
    with command.writes() as writes:
        command.does("deploy")
    assert writes == []

    of_other_code(monkeypatch)
    with command.writes() as writes:
        command.does("deploy")
    assert "s3:CopyObject" not in writes  # one deployment ago
    newest = next(told.newest("dev"))
    for number in range(KEPT_DEPLOYMENTS):
        told.put(replace(newest, id=f"{newest.id}{number}"))  # between that and the next
    with command.writes() as writes:
        command.does("deploy", "--set", "job.workers=3")
    assert writes.count("s3:CopyObject") == 3
    with command.writes() as writes:
        command.does("deploy", "--set", "job.workers=4", "--set", "retention.scripts_days=null")
    assert "s3:CopyObject" not in writes

    command.does("rollback", first.id)
    back = next(told.newest("dev"))
    changed = {f"{c['kind']}/{c['name']}": c.get("fields") for c in back.changes if c["kind"] == "artifact"}
    assert set(changed) == {f"artifact/{name}" for name in old if "/deployments/" not in name}
    assert all([field["path"] for field in fields or []] == ["Retired"] for fields in changed.values())
    command.does("drift")

    command.does("deploy")
    for name in changed:
        s3.delete_object(Bucket=bucket, Key=name.split("/", 2)[2])
    with command.writes() as writes:
        refused = command.does("rollback", first.id, "--json", code=2)
    assert writes == []
    assert "The code of that deployment is gone (s3://" in refused.error
    assert "only what this version of ndjctl has can be uploaded" in refused.error
    assert ACCOUNT not in refused.out
