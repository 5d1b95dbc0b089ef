"""Load tests on the embedded cloud with the real bundles, each command in a process of its tool."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ndjctl.aws import Cloud
from tests.e2e.conftest import Finished, Tool

pytestmark = pytest.mark.e2e

SIZES = ("--phase", "1", "--files", "6", "--file-size", "60KB", "--unique", "2", "--drift", "4")
SMALL = ("loadtest", *SIZES, "--yes", "--json")


def _load(tool: Tool, *words: str) -> Finished:
    return tool(*words, "--set", f"suffix={tool.suffix}")


def _left_behind(cloud: Cloud) -> list[str]:
    """Objects of all buckets and items of the ledger that a cleanup should have taken."""
    s3, names = cloud.client("s3"), cloud.names
    found = []
    for bucket in (names.input_bucket, names.output_bucket, names.quarantine_bucket, names.manifest_bucket):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        found += [f"{bucket}/{each['Key']}" for page in pages for each in page.get("Contents", [])]
        found += [f"{bucket}/{each['Key']}?" for each in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]
    items = cloud.client("dynamodb").scan(TableName=names.tracking_table)["Items"]
    found += [f"{each['date_prefix']['S']}/{each['file_key']['S']}" for each in items]
    return [each for each in found if "/loadtests/" not in each and not each.startswith("#locks/")]


def test_a_phase_passes_and_leaves_nothing_behind(tool: Tool, embedded: Cloud) -> None:
    done = _load(tool, *SMALL)
    assert done.code == 0, done.err
    document = done.document
    assert (document["verdict"], document["reasons"], document["counts"]) == ("PASS", [], {"completed": 6})
    lines = document["lines"]
    assert (lines["bad_lines"], lines["lost"], lines["duplicated"], lines["wrong_reasons"]) == (60, 0, 0, 0)
    assert lines["rows"] == lines["rows_expected"] > 100
    assert 0 < lines["surely_rescued"] <= lines["rescued_rows"] <= lines["drifted"] == 24
    assert document["runs"]["count"] == document["most_runs_at_once"] == 1
    assert _left_behind(embedded) == []
    assert _load(tool, "reconcile", "--json").code == 0
    page = Path(document["report"]["html"]).read_text("utf-8")
    assert "PASS" in page and "http" not in page.replace("http-equiv", "")
    listed = _load(tool, "loadtest", "list", "--json").document
    assert [each["verdict"] for each in listed["tests"]] == ["PASS"]
    compared = _load(tool, "loadtest", "compare", document["id"], document["id"][:17], "--json").document
    same = {"change": None, "better": None}
    assert compared["figures"][0] == {"name": "verdict", "unit": None, "a": "PASS", "b": "PASS", **same}
    # The next phase wants this one, with files as large.
    words = ("loadtest", "--phase", "2", "--files", "4", "--json")
    assert _load(tool, *words, "--file-size", "60KB").code == 0
    refused = _load(tool, *words, "--file-size", "61KB")
    assert refused.code == 1 and "phase 1 was not passed" in refused.err
    assert _load(tool, *words, "--file-size", "61KB", "--force").code == 0


def _killed_at(tool: Tool, stage: str) -> str:
    """kill -9 as soon as the stage is written down (or feeding has begun); the test's id."""
    return _killed_when(tool, lambda folder: _has(folder, stage))


def _killed_when(tool: Tool, is_due: Callable[[Path], bool], *words: str) -> str:
    """kill -9 as soon as that is so of the test's folder; its id."""
    home = tool.data_dir / "loadtests" / f"local-{tool.suffix}"
    before = set(home.glob("2*"))
    command = [sys.executable, "-m", "ndjctl", *SMALL, *words, "--set", f"suffix={tool.suffix}"]
    process = subprocess.Popen(
        command, env=tool.environment(), cwd=tool.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            for folder in set(home.glob("2*")) - before:
                if is_due(folder):
                    os.kill(process.pid, signal.SIGKILL)
                    return folder.name
            time.sleep(0.002)
    finally:
        process.kill()
        process.wait()
    raise AssertionError("it never came to that")


def _has(folder: Path, stage: str) -> bool:
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_bytes())
    except (OSError, ValueError):
        return False
    return stage in state["stages"] or (stage == "feeding" and "begun_at" in state["notes"])


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["planned", "feeding", "fed", "followed", "proven", "reported"])
def test_a_killed_test_goes_on_to_the_same_verdict(tool: Tool, embedded: Cloud, stage: str) -> None:
    test_id = _killed_at(tool, stage)
    # Once by the same command, once by its id.
    words = SMALL if stage in ("feeding", "proven") else ("loadtest", "--resume", test_id, "--json")
    done = _load(tool, *words)
    assert done.code == 0, done.err
    document = done.document
    assert (document["id"], document["verdict"], document["counts"]) == (test_id, "PASS", {"completed": 6})
    assert (document["lines"]["lost"], document["lines"]["duplicated"]) == (0, 0)
    assert _left_behind(embedded) == []
    assert _load(tool, "reconcile", "--json").code == 0


@pytest.mark.slow
def test_with_faults_it_has_to_pass_all_the_same(tool: Tool, embedded: Cloud) -> None:
    """Several manifests, so that one run can be killed and another started twice."""
    words = ("--files", "40", "--set", "batching.max_files_per_manifest=20", "--chaos")
    done = _load(tool, *SMALL, *words)
    assert done.code == 0, done.err
    document = done.document
    assert (document["verdict"], document["counts"], document["lost_events"]) == ("PASS", {"completed": 40}, 2)
    planted = [each.partition(":")[0] for each in document["faults"]]
    assert {"events", "throttled", "overwritten", "run killed", "run started twice", "function killed once"} <= set(
        planted
    )
    assert document["runs"]["failed"] >= 1
    assert _left_behind(embedded) == []
    assert _load(tool, "drift", "--json", *words[2:4]).document["drifted"] == 0


@pytest.mark.slow
def test_faults_of_a_killed_test_end_with_the_next_command(tool: Tool, embedded: Cloud) -> None:
    sqs = embedded.client("sqs")

    def is_planted(_: Path) -> bool:
        try:
            url = sqs.get_queue_url(QueueName=embedded.names.queue)["QueueUrl"]
        except sqs.exceptions.QueueDoesNotExist:
            return False
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
        return bool(found["Attributes"]["VisibilityTimeout"] == "30")

    test_id = _killed_when(tool, is_planted, "--chaos", "--rate", "1/s")
    drift = _load(tool, "drift", "--json")
    assert f"the load test {test_id} was killed amid its faults" in drift.err
    assert drift.document["drifted"] == 0
    assert "amid its faults" not in _load(tool, "drift", "--json").err


@pytest.mark.slow
def test_a_part_that_is_there_twice_is_found(tool: Tool, embedded: Cloud) -> None:
    """Under the name of the next part, while the test is between its last file and its proof."""
    test_id = _killed_at(tool, "followed")
    s3, bucket, date = (
        embedded.client("s3"),
        embedded.names.output_bucket,
        f"{test_id[:4]}-{test_id[4:6]}-{test_id[6:8]}",
    )
    (part,) = s3.list_objects_v2(Bucket=bucket, Prefix=f"parquet/{date}/")["Contents"]
    twin = part["Key"].replace("-00000.parquet", "-00001.parquet")
    s3.copy_object(Bucket=bucket, Key=twin, CopySource={"Bucket": bucket, "Key": part["Key"]})
    done = _load(tool, "loadtest", "--resume", test_id, "--json")
    assert done.code == 1
    assert any("lines more than once" in reason for reason in done.document["reasons"])
    assert _left_behind(embedded) == []


@pytest.mark.slow
def test_an_event_that_is_lost_is_found(tool: Tool, embedded: Cloud) -> None:
    """The bucket's notification is gone before the copies are made; it is there again afterwards."""
    _load(tool, "deploy")
    s3, bucket = embedded.client("s3"), embedded.names.input_bucket
    wiring = s3.get_bucket_notification_configuration(Bucket=bucket)
    wiring.pop("ResponseMetadata")
    process_words = (*SMALL, "--rate", "1")
    command = [sys.executable, "-m", "ndjctl", *process_words, "--set", f"suffix={tool.suffix}"]
    process = subprocess.Popen(
        command, env=tool.environment(), cwd=tool.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not s3.list_objects_v2(Bucket=bucket).get("KeyCount") and time.monotonic() < deadline:
        time.sleep(0.05)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    out, err = process.communicate(timeout=300)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=wiring)
    assert process.returncode == 1, err
    document = json.loads(out)
    assert document["verdict"] == "FAIL"
    assert any("no event came of" in reason for reason in document["reasons"]), document["reasons"]
    assert document["lines"]["duplicated"] == 0
    assert _left_behind(embedded) == []
