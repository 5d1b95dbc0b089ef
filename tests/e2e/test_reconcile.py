"""`ndjctl reconcile` and `backfill` on the embedded cloud, as a user types them: a healthy environment, then one fault
after the other, found with the command that mends it."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ndjctl.aws import Cloud
from ndjctl.contracts import (
    ACTION,
    ACTION_FLUSH,
    OPEN_MANIFESTS_PARTITION,
    Attr,
    closed_manifests_partition,
    manifest_item_key,
    part_key,
    split_s3_uri,
)
from tests.e2e.conftest import Finished, Tool

pytestmark = pytest.mark.e2e

DAY = "2026-01-31"
A, B = f"{DAY}-a.ndjson", f"{DAY}-b.ndjson"


class Scene:
    """An environment with two converted files, three bad lines in one of them."""

    def __init__(self, tool: Tool, cloud: Cloud, folder: Path) -> None:
        self.tool, self.cloud, self.names = tool, cloud, cloud.names
        self.s3, self.dynamodb = cloud.client("s3"), cloud.client("dynamodb")
        folder.mkdir()
        for name, bad in ((A, 3), (B, 0)):
            lines = [b'{"cut"' if n < bad else json.dumps({"n": n}).encode() for n in range(500)]
            (folder / name).write_bytes(b"\n".join(lines))
        result = tool.run(folder)
        assert (result["lines_in"], result["rows_out"], result["lines_quarantined"]) == (1000, 997, 3)
        # One of each, unless a slow machine had a sweep come between the two uploads.
        self.manifest_id = result["manifest_ids"][0]
        self.part = split_s3_uri(result["parquet"][0])[1]

    def type(self, *arguments: str) -> Finished:
        return self.tool(*arguments, "--set", f"suffix={self.tool.suffix}")

    def document(self, *arguments: str, code: int) -> dict[str, Any]:
        finished = self.type(*arguments, "--json")
        assert finished.code == code, finished.err + finished.out
        return finished.document

    def found(self, *options: str) -> list[tuple[str, int, str]]:
        """(kind, count, remedy) of every finding, nothing being given time to settle."""
        finished = self.type("reconcile", "--json", "--grace", "0", *options)
        document = finished.document
        assert finished.code == (0 if document["ok"] else 1), finished.err
        return [(each["kind"], each["count"], self.plain(each["remedy"])) for each in document["findings"]]

    def plain(self, remedy: str) -> str:
        assert remedy.endswith(f" --set suffix={self.tool.suffix}")
        return remedy.partition("ndjctl ")[2].partition(" --set")[0]

    def body(self, key: str) -> bytes:
        return bytes(self.s3.get_object(Bucket=self.names.output_bucket, Key=key)["Body"].read())

    def put_output(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.names.output_bucket, Key=key, Body=body)

    @contextmanager
    def events_lost(self) -> Iterator[None]:
        bucket = self.names.input_bucket
        kept = self.s3.get_bucket_notification_configuration(Bucket=bucket)
        kept.pop("ResponseMetadata")
        self.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        try:
            yield
        finally:
            self.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=kept)

    def set_status(self, key: str, status: str) -> None:
        self.dynamodb.update_item(
            TableName=self.names.tracking_table,
            Key={Attr.DATE_PREFIX: {"S": DAY}, Attr.FILE_KEY: {"S": key}},
            UpdateExpression="SET #status = :status",
            ExpressionAttributeNames={"#status": Attr.STATUS},
            ExpressionAttributeValues={":status": {"S": status}},
        )

    def status(self, key: str) -> str:
        place = {Attr.DATE_PREFIX: {"S": DAY}, Attr.FILE_KEY: {"S": key}}
        item = self.dynamodb.get_item(TableName=self.names.tracking_table, Key=place, ConsistentRead=True)
        return str(item.get("Item", {}).get(Attr.STATUS, {}).get("S", ""))

    def reopen_manifest(self, state: str) -> None:
        """As if its run had been killed."""
        table = self.names.tracking_table
        sort = {"S": manifest_item_key(self.manifest_id)}
        closed = {Attr.DATE_PREFIX: {"S": closed_manifests_partition(DAY)}, Attr.FILE_KEY: sort}
        item = self.dynamodb.get_item(TableName=table, Key=closed)["Item"]
        self.dynamodb.delete_item(TableName=table, Key=closed)
        opened = {Attr.DATE_PREFIX: {"S": OPEN_MANIFESTS_PARTITION}, Attr.STATE: {"S": state}}
        self.dynamodb.put_item(TableName=table, Item=item | opened)

    def flush(self) -> None:
        payload = json.dumps({ACTION: ACTION_FLUSH}).encode()
        self.cloud.client("lambda").invoke(FunctionName=self.names.live_function, Payload=payload)

    def until(self, keys: list[str], status: str, timeout_s: float = 180) -> None:
        deadline = time.monotonic() + timeout_s
        while any(self.status(key) != status for key in keys):
            assert time.monotonic() < deadline, [self.status(key) for key in keys]
            self.flush()
            time.sleep(1)


@pytest.mark.slow
def test_every_fault_is_found_and_names_what_mends_it(tool: Tool, embedded: Cloud, tmp_path: Path) -> None:
    scene = Scene(tool, embedded, tmp_path / "in")
    reprocess = f"reprocess --manifest {scene.manifest_id}"

    healthy = scene.type("reconcile")
    assert healthy.code == 0, healthy.err
    assert "PROVEN  2 files at rest, nothing lost, nothing twice: 1,000 lines = 997 rows + 3 quarantined" in healthy.out
    assert "changed since its run wrote it" in healthy.out
    assert len(healthy.out.splitlines()) == 3
    assert scene.found("--date", DAY) == scene.found("--since", DAY) == []
    assert "Nothing is there of 2026-01-30" in scene.type("reconcile", "--date", "2026-01-30").out

    # A part is gone; another holds its rows twice.
    part = scene.body(scene.part)
    scene.s3.delete_object(Bucket=scene.names.output_bucket, Key=scene.part)
    assert scene.found() == [("missing", 3, reprocess)]
    table = pq.read_table(io.BytesIO(part))
    sink = io.BytesIO()
    pq.write_table(pa.concat_tables([table, table]), sink)
    scene.put_output(scene.part, sink.getvalue())
    assert scene.found() == [("duplicated", 2, reprocess), ("changed", 1, reprocess)]

    # The same number of rows of each file, and another row in the place of one.
    sink = io.BytesIO()
    pq.write_table(pa.concat_tables([table.slice(1), table.slice(1, 1)]), sink)
    scene.put_output(scene.part, sink.getvalue())
    assert scene.found() == [("changed", 1, reprocess)]
    scene.put_output(scene.part, part)
    assert scene.found() == []

    # Strays, and their removal.
    strays = [part_key(DAY, scene.manifest_id, 7), part_key(DAY, "20260131T000000000Z-deadbeef", 0)]
    strays.append(f"parquet/{DAY}/[copy] of a part.parquet")
    strays.append(f"parquet/{DAY}/sub/{scene.part.rsplit('/', 1)[1]}")
    outside = f"parquet/{scene.part.rsplit('/', 1)[1]}"
    for stray in strays:
        scene.put_output(stray, part)
    assert scene.found() == [("orphaned", 4, f"reconcile --remove-orphans --date {DAY}")]
    told = scene.type("reconcile")
    assert told.code == 1 and "NOT PROVEN  4 orphaned" in told.out and "[copy] of a part.parquet" in told.out
    refused = scene.type("reconcile", "--remove-orphans", "--date", DAY)
    assert refused.code == 2 and "Nothing was moved" in refused.err and strays[1] in refused.err
    assert len(scene.found()) == 1
    removed = scene.document("reconcile", "--remove-orphans", "--date", DAY, "--yes", code=0)
    assert (removed["found"], removed["moved"], removed["moved_bytes"]) == (4, 4, 4 * len(part))
    kept = scene.s3.list_objects_v2(Bucket=scene.names.quarantine_bucket, Prefix=f"{DAY}/orphaned/")["Contents"]
    assert {each["Key"] for each in kept} == {f"{DAY}/orphaned/{stray}" for stray in strays}
    assert scene.found() == []
    scene.put_output(outside, part)
    assert scene.found("--date", "2026-01-30") == [("orphaned", 1, "reconcile --remove-orphans")]
    assert scene.document("reconcile", "--remove-orphans", "--date", "2026-01-30", "--yes", code=0)["moved"] == 1
    assert scene.found() == []

    # A file is left manifested though its manifest is closed.
    scene.set_status(B, "manifested")
    assert scene.found() == [("stuck", 1, f"redrive stuck --date {DAY}")]
    assert scene.type("reconcile").code == 0, "it changed a moment ago, so it may be on its way"
    scene.set_status(B, "completed")
    assert scene.found() == []

    # The run was killed: its manifest is open, Glue says that the run has ended, and a sweep carries on from there.
    scene.reopen_manifest("started")
    for key in (A, B):
        scene.set_status(key, "processing")
    # The schedule's own sweep may be the first to come.
    assert scene.found() in ([("stuck", 2, "sweep")], [])
    scene.until([A, B], "completed")
    assert scene.found() == []


def test_a_lost_event_is_found_and_backfilled(tool: Tool, embedded: Cloud, tmp_path: Path) -> None:
    scene = Scene(tool, embedded, tmp_path / "in")
    lost = f"{DAY}-[lost] a+b ü.ndjson"
    bucket = scene.names.input_bucket
    with scene.events_lost():
        scene.s3.put_object(Bucket=bucket, Key=lost, Body=b'{"n":1}\n{"n":2}\n')
    backfill = f"backfill --date {DAY} --grace 0"
    assert scene.found() == [("never_seen", 1, backfill)]
    assert scene.document("reconcile", code=0)["totals"]["in_flight"] == 1, "its event may still come"

    command = ("backfill", "--date", DAY, "--grace", "0")
    shown = scene.document(*command, "--dry-run", code=0)
    assert (shown["missed"], shown["missed_bytes"], shown["events_sent"]) == (1, 16, 0)
    assert shown["first_missed"] == [f"s3://{bucket}/{lost}"]
    refused = scene.type(*command)
    assert refused.code == 2 and "Nothing was entered" in refused.err and lost in refused.err
    assert scene.status(lost) == ""
    assert scene.document(*command, "--yes", "--rate", "100", code=0)["events_sent"] == 1
    scene.until([lost], "completed")
    assert scene.found() == []
    assert scene.document(*command, "--yes", code=0)["events_sent"] == 0

    # An overwrite whose event was lost: entered like any other, it is recorded and left for the operator.
    with scene.events_lost():
        scene.s3.put_object(Bucket=bucket, Key=A, Body=b'{"n":"new"}\n')
    assert scene.found() == [("superseded", 1, backfill)]
    assert scene.document(*command, "--yes", code=0)["events_sent"] == 1
    deadline = time.monotonic() + 60
    while scene.found() != [("superseded", 1, f"reprocess --superseded --date {DAY}")]:
        assert time.monotonic() < deadline, scene.found()
        time.sleep(1)
    assert scene.document(*command, "--yes", code=0)["events_sent"] == 0


def test_what_cannot_be_meant_is_refused(tool: Tool) -> None:
    for words in (
        ("reconcile", "--date", "2026-1-31"),
        ("reconcile", "--date", "20260131"),
        ("reconcile", "--since", "9999-01-01"),
        ("reconcile", "--date", DAY, "--since", DAY),
        ("reconcile", "--yes"),
        ("backfill", "--date", "yesterday"),
        ("backfill", "--date", DAY, "--prefix", "in/"),
        ("backfill", "--rate", "0"),
    ):
        finished = tool(*words)
        assert finished.code == 2, (words, finished.err)
        assert len(finished.err.splitlines()) == 1 and "Traceback" not in finished.err
