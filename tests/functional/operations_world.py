"""An environment's tables and buckets on moto, filled by hand, and the tool's commands run in this process."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lambda_handler.dynamo import from_item, to_item
from ndjctl import contracts, providers
from ndjctl.aws import Cloud, open_aws
from ndjctl.cli import boundary
from ndjctl.cli.main import app
from ndjctl.contracts import Attr, Manifest, ManifestFile, Names, iso_utc
from ndjctl.settings import Profile

DAY = "2026-11-23"
ACCOUNT = "123456789012"
REGION = "us-east-1"
NAMES = Names(ACCOUNT)
_INDEX_KEYS = ((Attr.STATUS, "HASH"), (Attr.UPLOAD_TIME, "RANGE"))


def now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass
class Operations:
    """Made within a running mock_aws. clients: what a command gets instead of moto's client of a service."""

    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    dynamodb: Any = field(default_factory=lambda: boto3.client("dynamodb", REGION))
    s3: Any = field(default_factory=lambda: boto3.client("s3", REGION))
    sqs: Any = field(default_factory=lambda: boto3.client("sqs", REGION))
    clients: dict[str, Any] = field(default_factory=dict)

    def deploy(self) -> None:
        keys = ((Attr.DATE_PREFIX, "HASH"), (Attr.FILE_KEY, "RANGE"))
        self.dynamodb.create_table(
            TableName=NAMES.tracking_table,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in (*keys, *_INDEX_KEYS)],
            BillingMode="PAY_PER_REQUEST",
            GlobalSecondaryIndexes=[
                {
                    "IndexName": contracts.STATUS_INDEX,
                    "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in _INDEX_KEYS],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )
        for queue in (NAMES.queue, NAMES.dead_letter_queue):
            self.sqs.create_queue(QueueName=queue)
        for bucket in NAMES.buckets:
            self.s3.create_bucket(Bucket=bucket)

    def __call__(self, *words: str) -> Answer:
        """`ndjctl --env dev` with these words."""
        self.monkeypatch.setattr(sys, "argv", ["ndjctl", *words, "--env", "dev"])
        self.monkeypatch.setattr(providers, "open_cloud", self._open_cloud)
        self.capsys.readouterr()
        code = boundary.run(app)
        out, err = self.capsys.readouterr()
        assert "Traceback" not in err
        return Answer(code, out, err)

    def _open_cloud(self, profile: Profile, *_: Any) -> Cloud:
        cloud = open_aws(profile.region, profile.suffix)
        cloud._clients.update(self.clients)
        return cloud

    def put(self, partition: str, sort: str, **attributes: Any) -> None:
        item = {Attr.DATE_PREFIX: partition, Attr.FILE_KEY: sort, **attributes}
        self.dynamodb.put_item(TableName=NAMES.tracking_table, Item=to_item(item))

    def get(self, partition: str, sort: str) -> dict[str, Any] | None:
        key = to_item({Attr.DATE_PREFIX: partition, Attr.FILE_KEY: sort})
        item = self.dynamodb.get_item(TableName=NAMES.tracking_table, Key=key).get("Item")
        return from_item(item) if item else None

    def lock(self, name: str, **attributes: Any) -> None:
        self.put(contracts.LOCKS_PARTITION, f"{name}#", **attributes)

    def manifest(
        self,
        manifest_id: str,
        state: str,
        *,
        date: str = DAY,
        files: int = 2,
        age_s: float = 100,
        status: str | None = None,
        stored: bool = True,
        **attributes: Any,
    ) -> Manifest:
        """Its object (stored), its item, and the items of its files, in `status`."""
        made = iso_utc(now() - timedelta(seconds=age_s))
        entries = tuple(
            ManifestFile(NAMES.input_bucket, f"{manifest_id}/{number}.ndjson", 1000 + number, f"e{number}")
            for number in range(files)
        )
        manifest = Manifest(manifest_id, date, made, entries)
        if stored:
            stored_as = contracts.manifest_key(date, manifest_id)
            self.s3.put_object(Bucket=NAMES.manifest_bucket, Key=stored_as, Body=manifest.to_json())
        is_open = state in (contracts.CLAIMING, contracts.READY, contracts.STARTED, contracts.RUNNING)
        candidates = [{"bucket": f.bucket, "key": f.key, "size_bytes": f.size_bytes, "etag": f.etag} for f in entries]
        item = {
            Attr.STATE: state,
            Attr.DATE: date,
            Attr.CREATED_AT: made,
            Attr.UPDATED_AT: made,
            Attr.FILE_COUNT: len(entries),
            Attr.SIZE_BYTES: manifest.size_bytes,
            Attr.ATTEMPT: 1,
            **({} if is_open else {Attr.COMPLETED_AT: iso_utc(now())}),
            **attributes,
        }
        key = contracts.manifest_files_item_key(manifest_id)
        self.put(key[Attr.DATE_PREFIX], key[Attr.FILE_KEY], files=candidates)
        partition = contracts.OPEN_MANIFESTS_PARTITION if is_open else contracts.closed_manifests_partition(date)
        self.put(partition, contracts.manifest_item_key(manifest_id), **item)
        for entry in entries if status else ():
            self.put(date, entry.key, status=status, batch_id=manifest_id, size_bytes=entry.size_bytes, etag=entry.etag)
        return manifest


class GlueStub:
    """Glue's answers about runs. runs: (state, when it completed) by id; aws_time: what its header Date says."""

    def __init__(self, runs: Mapping[str, tuple[str, datetime | None]], aws_time: datetime | None) -> None:
        self.runs = runs
        self._metadata = {"HTTPHeaders": {"date": format_datetime(aws_time, usegmt=True)} if aws_time else {}}

    def get_job_run(self, *, JobName: str, RunId: str) -> dict[str, Any]:
        assert JobName == NAMES.job
        if RunId not in self.runs:
            error = {"Code": "EntityNotFoundException", "Message": f"JobRun {RunId} not found."}
            raise ClientError({"Error": error, "ResponseMetadata": self._metadata}, "GetJobRun")
        state, completed_at = self.runs[RunId]
        run = {"Id": RunId, "JobRunState": state, "StartedOn": now(), "ExecutionTime": 3}
        return {
            "JobRun": run | ({"CompletedOn": completed_at} if completed_at else {}),
            "ResponseMetadata": self._metadata,
        }
