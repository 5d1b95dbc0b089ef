"""A pipeline's worth of AWS around the Glue job, by moto, with the tasks run in this process instead of Spark."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import lru_cache, partial
from typing import Any

import boto3
import pyarrow.parquet as pq
from moto import mock_aws

from glue_job.driver import Services
from glue_job.log import Log
from glue_job.main import main
from glue_job.s3_store import S3Store
from ndjctl import contracts
from ndjctl.contracts import OPEN_MANIFESTS_PARTITION, Attr, Manifest, ManifestFile

DATE = "2026-11-23"
NOW = datetime(2026, 11, 23, 14, 0, tzinfo=timezone.utc)
INPUT, MANIFESTS, OUTPUT, QUARANTINE = "input", "manifests", "output", "quarantine"
TABLE, METRICS = "tracking", "metrics"
RUN = "jr_1"


@dataclass
class World:
    """run_states: what Glue says of runs, by id; others it does not know. before_part: called before every task,
    on_result: what becomes of its result. after_parts: called when all tasks of a round are done.
    sleep: what the job waits by."""

    s3: Any
    dynamodb: Any
    run_states: dict[str, str] = field(default_factory=dict)
    before_part: Callable[[Any], None] = lambda _task: None
    on_result: Callable[[Any], Any] = lambda result: result
    after_parts: Callable[[], None] = lambda: None
    log: io.StringIO = field(default_factory=io.StringIO)
    ticks: int = 0
    slots: int = 2
    sleep: Callable[[float], None] = time.sleep

    def clock(self) -> datetime:
        self.ticks += 1
        return NOW + timedelta(seconds=self.ticks)

    # ------------------------------------------------------------------------------------------------ before a run

    def put_file(self, key: str, body: bytes) -> ManifestFile:
        etag = self.s3.put_object(Bucket=INPUT, Key=key, Body=body)["ETag"].strip('"')
        return ManifestFile(INPUT, key, len(body), etag)

    def put_manifest(
        self, files: Iterable[ManifestFile], manifest_id: str = "m1", state: str = contracts.READY, **more: str
    ) -> Manifest:
        """The manifest object, its item (more: further attributes) and the items of its files."""
        manifest = Manifest(manifest_id, DATE, contracts.iso_utc(NOW), tuple(files))
        key = contracts.manifest_key(DATE, manifest_id)
        self.s3.put_object(Bucket=MANIFESTS, Key=key, Body=manifest.to_json())
        item = {Attr.STATE: state, Attr.DATE: DATE, "kept": "as it was", **more}
        self.put_item(OPEN_MANIFESTS_PARTITION, contracts.manifest_item_key(manifest_id), item)
        for file in manifest.files:
            self.put_item(DATE, file.key, {Attr.STATUS: contracts.MANIFESTED, Attr.BATCH_ID: manifest_id})
        return manifest

    def put_item(self, partition: str, sort: str, attributes: dict[str, str]) -> None:
        item = {Attr.DATE_PREFIX: partition, Attr.FILE_KEY: sort, **attributes}
        self.dynamodb.put_item(TableName=TABLE, Item={name: {"S": value} for name, value in item.items()})

    def manifest_of(self, *bodies: bytes, manifest_id: str = "m1") -> Manifest:
        """A manifest of files a.ndjson, b.ndjson ... with these bodies."""
        files = [
            self.put_file(f"{manifest_id}/{chr(ord('a') + number)}.ndjson", body) for number, body in enumerate(bodies)
        ]
        return self.put_manifest(files, manifest_id)

    # ------------------------------------------------------------------------------------------------ the run

    def run(self, manifest: Manifest, run_id: str = RUN, **more: str) -> int:
        """main() with the arguments of the pipeline and `more`. Raises JobFailed."""
        arguments = {
            "MANIFEST_PATH": contracts.s3_uri(MANIFESTS, contracts.manifest_key(DATE, manifest.manifest_id)),
            "TRACKING_TABLE": TABLE,
            "METRICS_TABLE": METRICS,
            "MANIFEST_BUCKET": MANIFESTS,
            "OUTPUT_BUCKET": OUTPUT,
            "QUARANTINE_BUCKET": QUARANTINE,
            "JOB_NAME": "job",
            "JOB_RUN_ID": run_id,
            "enable-metrics": "true",
            **more,
        }
        argv = [text for name, value in arguments.items() for text in (f"--{name}", value)]
        log = Log("DEBUG", self.log, self.clock)
        services = Services(
            self.s3,
            self.dynamodb,
            lambda: _Glue(self.run_states),
            self._run_parts,
            self._task_slots,
            self.clock,
            log,
            lambda seconds: self.sleep(seconds),
        )
        return main(argv, services)

    def _task_slots(self, stated: int | None) -> int:
        return stated or self.slots

    def _run_parts(self, function: Any, tasks: list[Any]) -> list[Any]:
        results = []
        for task in tasks:
            self.before_part(task)
            results.append(self.on_result(partial(function, store=S3Store(self.s3))(task)))
        self.after_parts()
        return results

    # ------------------------------------------------------------------------------------------------ after a run

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def body(self, bucket: str, key: str) -> bytes:
        return self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def rows(self, prefix: str = "") -> list[dict[str, Any]]:
        """Rows of all parts, in their order."""
        found: list[dict[str, Any]] = []
        for key in self.keys(OUTPUT, prefix):
            found += pq.read_table(io.BytesIO(self.body(OUTPUT, key))).to_pylist()
        return found

    def bad_lines(self, prefix: str = "") -> list[dict[str, Any]]:
        keys = self.keys(QUARANTINE, prefix)
        return [json.loads(line) for key in keys for line in self.body(QUARANTINE, key).splitlines()]

    def report(self, manifest: Manifest) -> dict[str, Any]:
        return json.loads(self.body(MANIFESTS, contracts.report_key(DATE, manifest.manifest_id)))

    def schema_versions(self) -> list[str]:
        return [key for key in self.keys(MANIFESTS) if key.startswith("schemas/")]

    def item(self, partition: str, sort: str) -> dict[str, Any] | None:
        key = {Attr.DATE_PREFIX: {"S": partition}, Attr.FILE_KEY: {"S": sort}}
        item = self.dynamodb.get_item(TableName=TABLE, Key=key).get("Item")
        return item and {name: int(value["N"]) if "N" in value else value["S"] for name, value in item.items()}

    def file_item(self, file: ManifestFile) -> dict[str, Any]:
        item = self.item(DATE, file.key)
        assert item is not None
        return item

    def open_item(self, manifest: Manifest) -> dict[str, Any] | None:
        return self.item(OPEN_MANIFESTS_PARTITION, contracts.manifest_item_key(manifest.manifest_id))

    def closed_item(self, manifest: Manifest) -> dict[str, Any] | None:
        partition = contracts.closed_manifests_partition(DATE)
        return self.item(partition, contracts.manifest_item_key(manifest.manifest_id))

    def counter(self, metric_type: str) -> int:
        key = {"metric_date": {"S": DATE}, "metric_type": {"S": metric_type}}
        item = self.dynamodb.get_item(TableName=METRICS, Key=key).get("Item")
        return int(item["count"]["N"]) if item else 0

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.log.getvalue().splitlines()]


class _Glue:
    """The one call that the job makes of Glue."""

    def __init__(self, run_states: dict[str, str]) -> None:
        self._run_states = run_states

    def get_job_run(self, JobName: str, RunId: str) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        if RunId not in self._run_states:
            raise ClientError({"Error": {"Code": "EntityNotFoundException", "Message": "no"}}, "GetJobRun")
        return {"JobRun": {"JobRunState": self._run_states[RunId]}}


@lru_cache
def _client(service: str) -> Any:
    """One for all tests: to make a client takes longer than most of them."""
    return boto3.client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


@contextmanager
def glue_world() -> Iterator[World]:
    with mock_aws():
        s3, dynamodb = _client("s3"), _client("dynamodb")
        make_places(s3, dynamodb)
        yield World(s3, dynamodb)


def make_places(s3: Any, dynamodb: Any) -> None:
    """The buckets and tables of a World."""
    for bucket in (INPUT, MANIFESTS, OUTPUT, QUARANTINE):
        s3.create_bucket(Bucket=bucket)
    for table, partition, sort in ((TABLE, Attr.DATE_PREFIX, Attr.FILE_KEY), (METRICS, "metric_date", "metric_type")):
        dynamodb.create_table(
            TableName=table,
            KeySchema=[
                {"AttributeName": partition, "KeyType": "HASH"},
                {"AttributeName": sort, "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": partition, "AttributeType": "S"},
                {"AttributeName": sort, "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
