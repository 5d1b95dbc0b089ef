"""The function as a process of its own, from its zip and with real clients: what it takes to start, its memory, and
what it does when CloudWatch does not answer."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lambda_handler.dynamo import to_item
from lambda_handler.services import STOP_MARGIN_S
from ndjctl.bundles import lambda_bundle
from ndjctl.contracts import (
    METRICS,
    MIB,
    OPEN_MANIFESTS_PARTITION,
    PENDING,
    READY,
    RUNNING,
    Attr,
    Env,
    iso_utc,
    s3_uri,
)
from tests.aws_wire import served
from tests.lambda_model import client_error
from tests.lambda_world import DAY, World

MOST_START_S = 0.3
"""From the start of the interpreter to an answer, without a client. A first client costs as much again and more, all of
it botocore's own: 0.2 s to import and 0.1 to 0.15 s to make, measured on the same machine."""
MOST_MEMORY_BYTES = 256 * MIB

PROGRAM = """
import json, re, sys
from types import SimpleNamespace
import lambda_handler.handler as handler
assert handler.__file__.startswith(sys.argv[1]), handler.__file__
context = SimpleNamespace(aws_request_id="r", get_remaining_time_in_millis=lambda: 300_000)
answer = handler.handle(json.load(sys.stdin), context)
peak_kib = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
print(json.dumps({"answer": answer, "peak_bytes": peak_kib * 1024}), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def function_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("function") / "function.zip"
    path.write_bytes(lambda_bundle().files["function.zip"])
    return path


def environment(world: World, function_zip: Path, **more: str) -> dict[str, str]:
    settings = world.settings
    return {
        "PYTHONPATH": str(function_zip),
        "PYTHONNOUSERSITE": "1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_EC2_METADATA_DISABLED": "true",
        Env.TRACKING_TABLE: settings.tracking_table,
        Env.METRICS_TABLE: settings.metrics_table,
        Env.LOCK_TABLE: settings.lock_table,
        Env.MANIFEST_BUCKET: settings.manifest_bucket,
        Env.QUARANTINE_BUCKET: settings.quarantine_bucket,
        Env.OUTPUT_BUCKET: settings.output_bucket,
        Env.GLUE_JOB_NAME: settings.glue_job_name,
        Env.MAX_FILES_PER_MANIFEST: "100",
        Env.MAX_BATCH_SIZE_GB: "500",
        Env.EXPECTED_FILE_SIZE_MB: "3500",
        Env.SIZE_TOLERANCE_PERCENT: "20",
        Env.MIN_FILE_SIZE_MB: "0",
        Env.LOG_LEVEL: "INFO",
        **more,
    }


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs the CPU time of one child")
def test_it_starts_and_answers_in_under_300_ms(function_zip: Path) -> None:
    """CPU time, the least of several: what else the machine does is not its own."""
    program = (
        "import sys\nimport lambda_handler.handler as handler\n"
        "assert handler.__file__.startswith(sys.argv[1])\n"
        "try:\n    handler.handle({'no': 'event'}, None)\n"
        "except handler.UnknownInvocation:\n    sys.exit(7)\n"
    )
    taken_s = []
    for _ in range(7):
        child = subprocess.Popen(
            [sys.executable, "-c", program, str(function_zip)],
            env=environment(World(), function_zip),
            cwd=function_zip.parent,
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 7
        taken_s.append(usage.ru_utime + usage.ru_stime)
    assert min(taken_s) < MOST_START_S, taken_s


def invoke(world: World, event: Any, function_zip: Path, **more: str) -> dict[str, Any]:
    """{"answer": what the function returned, "peak_bytes": of its process, "log": its lines}."""
    with served(world) as url:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(function_zip)],
            env=environment(world, function_zip, AWS_ENDPOINT_URL=url, **more),
            cwd=function_zip.parent,
            input=json.dumps(event),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    found: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
    return {**found, "log": [json.loads(line) for line in done.stdout.splitlines()]}


def world_of(**changes: Any) -> World:
    world = World(page_items=500, **changes)
    world.dynamodb.keys_per_read = 100
    return world


def put(world: World, item: dict[str, Any]) -> None:
    """Into the table and its index, without the model's bookkeeping of late writes."""
    stored = to_item(item)
    key = (item[Attr.DATE_PREFIX], item[Attr.FILE_KEY])
    world.dynamodb.tables[world.settings.tracking_table][key] = stored
    world.dynamodb._index[world.settings.tracking_table][key] = stored


def put_pending(world: World, count: int) -> None:
    for number in range(count):
        key = f"landing/source-{number % 7}/{DAY}-events-{number:08d}.ndjson"
        facts = {Attr.STATUS: PENDING, Attr.BUCKET: world.input, Attr.SIZE_BYTES: 3_700_000_000, Attr.ETAG: "e" * 35}
        moment = {Attr.UPLOAD_TIME: f"2026-03-14T{number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}.000Z"}
        place = {Attr.DATE_PREFIX: DAY, Attr.FILE_KEY: key, Attr.TTL: 1_800_000_000, Attr.ATTEMPT: 0}
        put(world, {**place, **facts, **moment, Attr.SEQUENCER: "0" * 16, Attr.UPDATED_AT: "2026-03-14T00:00:00.000Z"})


def test_ten_messages_that_complete_a_manifest_of_a_hundred_files(function_zip: Path) -> None:
    world = world_of(max_files_per_manifest=100)
    put_pending(world, 90)
    messages = [
        {"messageId": str(number), "eventSource": "aws:sqs", "body": json.dumps({"Records": [world.upload()]})}
        for number in range(10)
    ]
    found = invoke(world, {"Records": messages}, function_zip)
    assert found["answer"] == {"batchItemFailures": []}
    (manifest,) = world.manifests()
    assert len(manifest[Attr.FILES]) == 100 and len(world.glue.runs) == 1
    world.check()
    assert found["peak_bytes"] < MOST_MEMORY_BYTES, f"{found['peak_bytes'] / MIB:.0f} MiB"


def test_a_sweep_over_a_thousand_open_manifests_and_twenty_thousand_pending_files(function_zip: Path) -> None:
    world = world_of()
    for number in range(1000):
        manifest_id = f"20260314T{number:09d}Z-{number:08x}"
        path = s3_uri(world.settings.manifest_bucket, f"manifests/{DAY}/manifest-{manifest_id}.json")
        state = {Attr.STATE: RUNNING, Attr.ATTEMPT: 1, Attr.RUN_ID: world.glue.add_run(f"jr_{number}", {})}
        moments = dict.fromkeys((Attr.CREATED_AT, Attr.STARTED_AT, Attr.UPDATED_AT, "sealed_at"), iso_utc(world.now))
        place = {Attr.DATE_PREFIX: OPEN_MANIFESTS_PARTITION, Attr.FILE_KEY: f"{manifest_id}#", Attr.DATE: DAY}
        put(world, {**place, **state, **moments, Attr.MANIFEST_PATH: path, Attr.FENCE: number, Attr.FILE_COUNT: 100})
    put_pending(world, 20_000)
    found = invoke(world, {"detail-type": "Scheduled Event"}, function_zip, **{Env.MAX_WAITING_MANIFESTS: "10"})
    answer = found["answer"]
    assert answer["open"] == 1010 and len(answer["manifests_created"]) == 10 and not answer["failed"]
    assert [item[Attr.STATE] for item in world.manifests() if item[Attr.STATE] != RUNNING] == [READY] * 10
    assert found["peak_bytes"] < MOST_MEMORY_BYTES, f"{found['peak_bytes'] / MIB:.0f} MiB"


# --- CloudWatch

SWEEP = {"detail-type": "Scheduled Event"}
ENDPOINT = "AWS_ENDPOINT_URL_CLOUDWATCH"


def test_a_sweep_publishes_by_a_real_client(function_zip: Path) -> None:
    world = world_of()
    put_pending(world, 3)
    invoke(world, SWEEP, function_zip, **{Env.STACK: "s"})
    ((_, data),) = world.cloudwatch.calls
    assert set(data) == {(metric.name, ("Stack=s",)) for metric in METRICS}


@contextmanager
def endpoint(kind: str) -> Iterator[str]:
    """Where nothing listens; or where what listens takes the connection and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if kind == "silent":
            listener.listen(16)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def swept(world: World, function_zip: Path, **more: str) -> tuple[float, dict[str, Any]]:
    began_s = time.monotonic()
    found = invoke(world, SWEEP, function_zip, **{Env.STACK: "s"}, **more)
    return time.monotonic() - began_s, found


@pytest.mark.parametrize("kind", ["refusing", "silent"])
def test_an_endpoint_that_does_not_answer_costs_a_few_seconds_and_a_warning(function_zip: Path, kind: str) -> None:
    usual_s, usual = swept(world_of(), function_zip)
    with endpoint(kind) as url:
        taken_s, found = swept(world_of(), function_zip, **{ENDPOINT: url})
    assert found["answer"] == usual["answer"]
    (warning,) = [line for line in found["log"] if line["level"] in ("WARNING", "ERROR")]
    assert warning["event"] == "metrics_not_published" and warning["level"] == "WARNING"
    # Two attempts of 2 s and a pause of up to 1, on a machine that does other things too.
    assert taken_s - usual_s < STOP_MARGIN_S


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
def test_a_refusal_costs_a_warning(function_zip: Path, code: str) -> None:
    world = world_of()
    world.cloudwatch.refuse_with = client_error(code, "PutMetricData")
    _, found = swept(world, function_zip)
    assert found["answer"]["done"]
    (warning,) = [line for line in found["log"] if line["level"] in ("WARNING", "ERROR")]
    assert warning["event"] == "metrics_not_published" and code in warning["why"]
