"""`ndjctl redrive` as a user types it, on the embedded cloud: looks, asks, moves, and says what comes next."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from ndjctl.aws import Cloud
from ndjctl.contracts import FAILED, MANIFESTED, Attr
from ndjctl.ledger import Ledger
from tests.e2e.conftest import Finished, Tool

pytestmark = pytest.mark.e2e

DAY = "2026-11-23"


@pytest.fixture
def typed(tool: Tool) -> Any:
    """The command in this test's own environment, which is deployed. Its exit code is checked."""
    options = ("--set", f"suffix={tool.suffix}")
    deployed = tool("deploy", *options)
    assert deployed.code == 0, deployed.err

    def run(*words: str, code: int = 0) -> Finished:
        finished = tool(*words, *options)
        assert finished.code == code, finished.err + finished.out
        assert "Traceback" not in finished.err
        return finished

    return run


def track(cloud: Cloud, key: str, status: str, **more: str) -> None:
    """An object without an event of its own (its name is none of a file), and a file's item."""
    s3, bucket = cloud.client("s3"), cloud.names.input_bucket
    etag = s3.put_object(Bucket=bucket, Key=key, Body=b'{"a":1}\n')["ETag"].strip('"')
    texts = {
        Attr.DATE_PREFIX: DAY,
        Attr.FILE_KEY: key,
        Attr.STATUS: status,
        Attr.BUCKET: bucket,
        Attr.ETAG: etag,
        Attr.UPLOAD_TIME: f"{DAY}T10:00:00.000Z",
        Attr.BATCH_ID: "m1",
        **more,
    }
    item: dict[str, Any] = {name: {"S": value} for name, value in texts.items()}
    item[Attr.SIZE_BYTES] = {"N": "8"}
    cloud.client("dynamodb").put_item(TableName=cloud.names.tracking_table, Item=item)


def statuses(cloud: Cloud, *keys: str) -> dict[str, str]:
    ledger = Ledger(cloud.client("dynamodb"), cloud.names.tracking_table, time.sleep)
    return {key: record.status for (_, key), record in ledger.get((DAY, key) for key in keys).items()}


@pytest.mark.slow
def test_failed_and_stuck_files(typed: Any, embedded: Cloud) -> None:
    gone, odd = "gone.txt", "[bold]odd\n.txt"  # no .ndjson behind: no event, so that nobody else enters them
    track(embedded, "a.txt", FAILED, error="no memory")
    track(embedded, gone, FAILED, error="no memory")
    track(embedded, odd, FAILED, error="\x1b[31mred")
    track(embedded, "stuck.txt", MANIFESTED)
    embedded.client("s3").delete_object(Bucket=embedded.names.input_bucket, Key=gone)

    seen = typed("redrive", "failed", "--json").document
    assert (seen["files"], seen["bytes"], seen["done"]) == (3, 24, False)
    assert seen["estimate"]["manifests"] == 1
    assert "DPU hour" in seen["estimate"]["basis"]
    screen = typed("redrive", "failed", code=2)
    assert "[bold]odd\\n.txt" in screen.out
    assert "\x1b" not in screen.out + screen.err
    assert "error: Nothing was changed: answer 'y', or say --yes." in screen.err
    assert set(statuses(embedded, "a.txt", gone, odd).values()) == {FAILED}

    done = typed("redrive", "failed", "--reason", "memory", "--rate", "100", "--yes", code=1)  # one of them is gone
    assert "1 file (8 B) pending again" in done.out
    assert f"gone: {gone}: it is no longer there" in done.out
    assert "ndjctl sweep" in done.out
    assert statuses(embedded, gone, odd) == {gone: FAILED, odd: FAILED}
    assert statuses(embedded, "a.txt")["a.txt"] != FAILED
    assert typed("redrive", "failed", "--date", "2026-11-22", "--json").document["files"] == 0

    assert typed("redrive", "stuck", "--json").document["files"] == 1
    done = typed("redrive", "stuck", "--yes", "--json").document
    assert (done["moved"], done["left"]) == (1, [])


def test_dead_letters(typed: Any, embedded: Cloud) -> None:
    sqs, names = embedded.client("sqs"), embedded.names
    dlq = sqs.get_queue_url(QueueName=names.dead_letter_queue)["QueueUrl"]
    key = f"{DAY}-late.ndjson"
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "eventTime": f"{DAY}T11:00:00.000Z",
        "s3": {
            "bucket": {"name": names.input_bucket},
            "object": {"key": key, "size": 8, "eTag": "x", "sequencer": "1"},
        },
    }
    sqs.send_message(QueueUrl=dlq, MessageBody=json.dumps({"Records": [record]}))
    sqs.send_message(QueueUrl=dlq, MessageBody="garbage")
    seen = typed("redrive", "dlq", "--json").document
    assert (seen["messages"], seen["messages_chosen"], seen["files"], seen["bytes"]) == (2, 1, 1, 8)
    assert seen["examples"][0]["objects"][0]["key"] == key
    assert seen["examples"][0]["reason"].startswith("never entered in the ledger")
    assert [each["begins"] for each in seen["not_events"]] == ["garbage"]
    assert typed("redrive", "dlq", "--reason", "nothing like it", "--json").document["messages_chosen"] == 0

    done = typed("redrive", "dlq", "--yes")
    assert "1 message (1 file, 8 B) sent back to the queue" in done.out
    deadline = time.monotonic() + 30
    while key not in statuses(embedded, key):  # the function has it now
        assert time.monotonic() < deadline
        time.sleep(0.2)
    left = sqs.receive_message(QueueUrl=dlq, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in left] == ["garbage"]


def test_what_cannot_be_understood(typed: Any, tool: Tool) -> None:
    assert "one of them" in typed("reprocess", code=2).err
    assert "one of them" in typed("reprocess", "a.ndjson", "--superseded", code=2).err
    assert "YYYY-MM-DD" in typed("redrive", "failed", "--date", "soon", code=2).err
    assert "leave them out with --manifest" in typed("reprocess", "--manifest", "x", "--date", DAY, code=2).err
    assert "No manifest has an id that begins with 'nope'" in typed("reprocess", "--manifest", "nope", code=2).err
    for words in (("redrive", "dlq"), ("redrive", "failed"), ("redrive", "stuck"), ("reprocess", "a.ndjson")):
        elsewhere = tool(*words, "--json", "--set", "suffix=nowhere")
        assert elsewhere.code == 2, elsewhere.err
        assert "is not deployed" in elsewhere.document["error"]["message"]
