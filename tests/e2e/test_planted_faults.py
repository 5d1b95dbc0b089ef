"""Faults planted into a pipeline at rest: `reconcile` finds each, and the command that it names mends it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ndjctl.aws import Cloud
from ndjctl.contracts import MANIFESTED, RUNNING, Attr, part_key, split_s3_uri
from tests.e2e.conftest import Tool
from tests.e2e.pipeline_harness import DAY, Pipeline, kill, wait

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FILES = 3
LINES = 10
GONE_ID = "20260101T000000000Z-0badf00d"
"""Of a manifest that nothing knows."""


def at_rest(tool: Tool, cloud: Cloud) -> Pipeline:
    """A pipeline that has converted a full batch, and of which `reconcile` finds nothing to say."""
    settings = (f"batching.max_files_per_manifest={FILES}", "job.max_retries=0", "job.max_attempts=2")
    pipeline = Pipeline(tool, cloud, settings)
    pipeline.deploy()
    put(pipeline, range(FILES))
    pipeline.wait_for_events()
    pipeline.settle(timeout_s=300)
    assert reconciled(pipeline, code=0)["findings"] == []
    return pipeline


def put(pipeline: Pipeline, numbers: range) -> None:
    for number in numbers:
        pipeline.put(name_of(number), b"".join(b'{"file":%d,"n":%d}\n' % (number, n) for n in range(LINES)))


def name_of(number: int) -> str:
    return f"{DAY}-{number:03d}.ndjson"


def reconciled(pipeline: Pipeline, code: int) -> dict[str, Any]:
    return pipeline.ask("reconcile", "--date", DAY, "--grace", "0", code=code)


# ---------------------------------------------------------------------------------------------- the faults


def a_part_deleted(pipeline: Pipeline) -> None:
    bucket, key = split_s3_uri(pipeline.parts()[-1])
    pipeline.s3.delete_object(Bucket=bucket, Key=key)


def a_stray_part(pipeline: Pipeline) -> None:
    bucket, key = split_s3_uri(pipeline.parts()[0])
    source = {"Bucket": bucket, "Key": key}
    pipeline.s3.copy_object(Bucket=bucket, Key=part_key(DAY, GONE_ID, 0), CopySource=source)


def a_part_beyond_the_last(pipeline: Pipeline) -> None:
    """What a run leaves that was cut into more parts than the one after it."""
    bucket, key = split_s3_uri(pipeline.parts()[0])
    (manifest,) = pipeline.ask("manifests")["manifests"]
    beyond = part_key(DAY, manifest["id"], manifest["parts"])
    pipeline.s3.copy_object(Bucket=bucket, Key=beyond, CopySource={"Bucket": bucket, "Key": key})


def an_event_lost(pipeline: Pipeline, number: int = FILES) -> None:
    bucket = pipeline.names.input_bucket
    before = pipeline.s3.get_bucket_notification_configuration(Bucket=bucket)
    before.pop("ResponseMetadata")
    pipeline.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    put(pipeline, range(number, number + 1))
    pipeline.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=before)


def a_file_left_manifested(pipeline: Pipeline) -> None:
    """As a manifest leaves it that is gone before it was run."""
    put(pipeline, range(FILES, FILES + 1))
    pipeline.wait_for_events()
    pipeline.cloud.client("dynamodb").update_item(
        TableName=pipeline.names.tracking_table,
        Key={Attr.DATE_PREFIX: {"S": DAY}, Attr.FILE_KEY: {"S": name_of(FILES)}},
        UpdateExpression="SET #status = :manifested, #batch = :gone",
        ConditionExpression="#status = :pending",
        ExpressionAttributeNames={"#status": Attr.STATUS, "#batch": Attr.BATCH_ID},
        ExpressionAttributeValues={
            ":manifested": {"S": MANIFESTED},
            ":pending": {"S": "pending"},
            ":gone": {"S": GONE_ID},
        },
    )


def a_run_killed_by_hand(pipeline: Pipeline) -> None:
    """And nobody is told of it: the event of its end would be enough to start it again."""
    pipeline.lose(pipeline.names.run_state_rule)
    put(pipeline, range(FILES, 2 * FILES))
    pipeline.wait_for_events()
    (manifest,) = pipeline.ask("manifests", "--open")["manifests"]
    run_id = manifest["run_id"]
    wait(lambda: pipeline.holder_of(manifest["id"]) == run_id, 180, lambda: f"{run_id} did not take its manifest", 0.02)
    assert kill(run_id) >= 1
    assert pipeline.wait_for_state(run_id, ["FAILED", "SUCCEEDED"]) == "FAILED"
    shown = pipeline.ask("manifests", "show", manifest["id"])
    assert (shown["state"], shown["runs"][-1]["state"]) == (RUNNING, "FAILED")


FAULTS = [
    (a_part_deleted, "missing", "reprocess --manifest"),
    (a_stray_part, "orphaned", "reconcile --remove-orphans"),
    (a_part_beyond_the_last, "orphaned", "reconcile --remove-orphans"),
    (an_event_lost, "never_seen", f"backfill --date {DAY}"),
    (a_file_left_manifested, "stuck", f"redrive stuck --date {DAY}"),
    (a_run_killed_by_hand, "stuck", "sweep"),
]


@pytest.mark.parametrize(("plant", "kind", "remedy"), FAULTS, ids=[fault[0].__name__ for fault in FAULTS])
def test_a_planted_fault_is_found_and_mended_by_the_command_that_is_named(
    tool: Tool, embedded: Cloud, tmp_path: Path, plant: Callable[[Pipeline], None], kind: str, remedy: str
) -> None:
    pipeline = at_rest(tool, embedded)
    plant(pipeline)
    found = reconciled(pipeline, code=1)["findings"]
    assert {finding["kind"] for finding in found} == {kind}, found
    assert {remedy in finding["remedy"] for finding in found} == {True}, found
    mend(pipeline, {finding["remedy"] for finding in found})
    check(pipeline, tmp_path)


def mend(pipeline: Pipeline, commands: set[str]) -> None:
    """Types the commands as they are named; --yes is the answer to their question."""
    for command in sorted(commands):
        words = shlex.split(command)
        words = words[words.index("ndjctl") + 1 :]
        finished = pipeline.tool(*words, *([] if words[0] == "sweep" else ["--yes"]))
        assert finished.code == 0, f"{command}: {finished.err}{finished.out}"
    pipeline.wait_for_events()
    pipeline.settle(timeout_s=400)


def check(pipeline: Pipeline, folder: Path) -> None:
    """Nothing is found any more, and every line that was put is one row."""
    document = reconciled(pipeline, code=0)
    assert (document["ok"], document["findings"]) == (True, [])
    lines = sum(pipeline.lines.values())
    assert (document["totals"]["lines"], document["totals"]["rows"]) == (lines, lines)
    found = pipeline.balance()
    assert found.holds and found.lines_in == lines
    assert pipeline.counted(folder / "parts") == (lines, lines, len(pipeline.lines))


def test_all_of_them_at_once(tool: Tool, embedded: Cloud, tmp_path: Path) -> None:
    pipeline = at_rest(tool, embedded)
    a_run_killed_by_hand(pipeline)
    a_stray_part(pipeline)
    a_part_deleted(pipeline)
    an_event_lost(pipeline, 2 * FILES)
    found = reconciled(pipeline, code=1)["findings"]
    assert {finding["kind"] for finding in found} == {"missing", "orphaned", "never_seen", "stuck"}, found
    mend(pipeline, {finding["remedy"] for finding in found})
    check(pipeline, tmp_path)
