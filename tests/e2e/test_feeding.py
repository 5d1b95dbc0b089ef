"""Generated files in the embedded cloud's bucket: copies have events of their own, also those in parts; what the record
promises is what the pipeline quarantines and rescues; a kill -9 half way leaves nothing behind."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ndjctl.aws import Cloud
from ndjctl.contracts import s3_uri
from ndjctl.feeding.deleting import delete_all
from ndjctl.feeding.feed import feed
from ndjctl.feeding.generated import plan_generated
from ndjctl.feeding.journal import Fed, Journal
from ndjctl.feeding.objects import PlanObjects
from ndjctl.feeding.pace import AtOnce
from ndjctl.feeding.plan import FeedLimits
from ndjctl.generate.content import Generator
from ndjctl.generate.record import NEW_FIELD, OTHER_TYPE, Generated
from tests.e2e.conftest import Tool, rows_of
from tests.e2e.pipeline_harness import DAY, Pipeline
from tests.generate_world import recipe, share

pytestmark = pytest.mark.e2e

MIB = 2**20
LOWERED = FeedLimits(copy_limit_bytes=6 * MIB, copy_part_bytes=5 * MIB, upload_part_bytes=5 * MIB)
SETTINGS = ("size_rule.min_file_size_mb=0.0001", "size_rule.max_file_size_mb=100")


class Quiet:
    def sent(self, size_bytes: int) -> None: ...

    def fed(self, file: Fed) -> None: ...


def event_names(pipeline: Pipeline) -> dict[str, str]:
    """What the events in a queue of one's own were called, by key."""
    found: dict[str, str] = {}
    while messages := pipeline.sqs.receive_message(
        QueueUrl=pipeline.queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1
    ).get("Messages"):
        for message in messages:
            for record in json.loads(message["Body"]).get("Records", []):
                found[record["s3"]["object"]["key"]] = record["eventName"].removeprefix("s3:")
            pipeline.sqs.delete_message(QueueUrl=pipeline.queue_url, ReceiptHandle=message["ReceiptHandle"])
    return found


def value_at(row: dict[str, Any], pointer: str) -> Any:
    value: Any = row
    for name in pointer.split("/")[1:]:
        value = value.get(name) if isinstance(value, dict) else None
    return value


@pytest.mark.slow
def test_copies_come_in_as_events_and_the_record_is_what_comes_out(tool: Tool, embedded: Cloud, tmp_path: Path) -> None:
    pipeline = Pipeline(tool, embedded, SETTINGS)
    pipeline.deploy()
    words = ("--files", "4", "--unique", "2", "--records", "900", "--bad-lines", "2%", "--drift", "5%", "--date", DAY)
    made = pipeline.ask("generate", *words, "--upload", "--yes")
    assert (made["plan"]["uploads"], made["plan"]["copies"]) == (2, 2)

    # More of them, beyond the size that one request copies: the path of copies above 5 GB, with smaller parts.
    generator = Generator(recipe("flat", 3, share("1/100"), share("1/50"), size_bytes=11 * MIB))
    keys = [f"{DAY}-parts-{number}.ndjson" for number in range(3)]
    plan = plan_generated(generator, pipeline.names.input_bucket, keys, 1, LOWERED)
    assert [file.parts for file in plan.files] == [3, 3, 3]
    with Journal(tmp_path / "journal", plan.marker) as journal:
        facts = feed(
            plan,
            pipeline.s3,
            generator.content,
            journal,
            AtOnce(),
            clock=time.monotonic,
            sleep=time.sleep,
            progress=Quiet(),
        )
        source = journal.fed[keys[0]]
    bodies = {key: pipeline.s3.get_object(Bucket=plan.bucket, Key=key)["Body"].read() for key in keys}
    assert {f"sha256:{hashlib.sha256(body).hexdigest()}" for body in bodies.values()} == {facts[0].checksum}

    # A source that is no longer what it was is not copied.
    objects = PlanObjects(pipeline.s3, plan, lambda: False)
    for limits in (LOWERED, FeedLimits()):
        other = plan_generated(generator, plan.bucket, [f"{DAY}-no.ndjson", f"{DAY}-never.ndjson"], 1, limits)
        with pytest.raises(ClientError, match="Precondition"):
            objects.copy(other.files[1], Fed(source.key, source.size_bytes, "0" * 32, source.last_modified, False))
    assert not objects.abort_unfinished(frozenset(f"{DAY}-{name}.ndjson" for name in ("no", "never")))

    pipeline.wait_for_events()
    pipeline.settle(timeout_s=300)
    files = {file["key"]: file for file in pipeline.ask("files", "--date", DAY)["files"]}
    assert {file["status"] for file in files.values()} == {"completed"}
    record = Generated.from_json(Path(made["record"]).read_bytes(), "the record")
    promised = {file.name: file.facts for file in record.files} | dict.fromkeys(keys, facts[0])
    assert files.keys() == promised.keys()

    bad: dict[str, Counter[str]] = {key: Counter() for key in promised}
    entries = pipeline.s3.list_objects_v2(Bucket=pipeline.names.quarantine_bucket)["Contents"]
    for entry in entries:
        body = pipeline.s3.get_object(Bucket=pipeline.names.quarantine_bucket, Key=entry["Key"])["Body"].read()
        for line in body.splitlines():
            found = json.loads(line)
            bad[found["source"].rsplit("/", 1)[1]][found["reason"]] += 1
    rows: dict[str, list[dict[str, Any]]] = {key: [] for key in promised}
    for row in rows_of(embedded, pipeline.parts(), tmp_path):
        rows[row["_source_file"].rsplit("/", 1)[1]].append(row)
    for key, expected in promised.items():
        assert bad[key] == Counter(expected.bad_lines), key
        assert len(rows[key]) == expected.records, key
        rescued = [json.loads(row["_rescued"]) for row in rows[key] if row.get("_rescued")]
        pointers = Counter(pointer for values in rescued for pointer in values)
        for pointer in {place.pointer for place in expected.drifted}:
            kinds = {place.kind for place in expected.drifted if place.pointer == pointer}
            count = sum(n for place, n in expected.drifted.items() if place.pointer == pointer)
            in_column = sum(value_at(row, pointer) is not None for row in rows[key])
            assert kinds in ({NEW_FIELD}, {OTHER_TYPE})
            if kinds == {OTHER_TYPE}:
                assert pointers[pointer] == count, (key, pointer)
            else:
                assert pointers[pointer] + in_column == count, (key, pointer)
        assert set(pointers) <= {place.pointer for place in expected.drifted}
    assert pipeline.ask("reconcile", "--date", DAY, "--grace", "0")["findings"] == []

    with Journal(tmp_path / "journal", plan.marker) as journal:
        assert delete_all(plan, pipeline.s3, journal).objects == 3
    left = pipeline.s3.list_objects_v2(Bucket=plan.bucket)["Contents"]
    assert {entry["Key"] for entry in left} == {file.name for file in record.files}


@pytest.mark.slow
def test_a_kill_half_way_leaves_nothing_behind(tool: Tool, embedded: Cloud) -> None:
    pipeline = Pipeline(tool, embedded, SETTINGS)
    pipeline.deploy()
    # The events stay in the queue, to be looked at.
    pipeline.lambda_.update_event_source_mapping(UUID=pipeline.mapping["UUID"], Enabled=False)
    bucket = pipeline.names.input_bucket
    words = ("generate", "--files", "12", "--unique", "3", "--size", "60MB", "--shape", "tweets", "--date", DAY)
    command = [sys.executable, "-m", "ndjctl", *words, "--upload", "--yes", "--set", f"suffix={tool.suffix}"]

    def objects() -> list[str]:
        return [entry["Key"] for entry in pipeline.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def unfinished() -> list[Any]:
        return list(pipeline.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []))

    for is_time in (lambda: len(unfinished()) >= 2, lambda: len(objects()) >= 5):
        process = subprocess.Popen(
            command, env=tool.environment(), cwd=tool.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 90
        while not is_time() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it was quicker than this test"
    made = pipeline.ask(*words, "--upload", "--yes")
    assert made["files"] == 12
    assert made["files_already_there"] >= 5
    assert not unfinished()
    record = Generated.from_json(Path(made["record"]).read_bytes(), "the record")
    assert sorted(objects()) == [file.name for file in record.files]
    for file in record.files[:4]:
        body = pipeline.s3.get_object(Bucket=bucket, Key=file.name)["Body"].read()
        assert f"sha256:{hashlib.sha256(body).hexdigest()}" == file.facts.checksum
    names = event_names(pipeline)
    assert set(names) == {file.name for file in record.files}
    assert {names[file.name] for file in record.files[:3]} == {"ObjectCreated:CompleteMultipartUpload"}
    assert {names[file.name] for file in record.files[3:]} == {"ObjectCreated:Copy"}
    assert s3_uri(bucket, "") == made["where"]
    again = pipeline.ask(*words, "--upload", "--yes")
    assert again["files_already_there"] == 12
    assert event_names(pipeline) == {}
