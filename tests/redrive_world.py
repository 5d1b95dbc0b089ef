"""What redrives and reprocesses touch, by moto: an environment's buckets, tracking table and queues, with a clock."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

import boto3
from moto import mock_aws
from moto.sqs.models import sqs_backends

from lambda_handler.dynamo import from_item, size_mb, to_item
from ndjctl import contracts
from ndjctl.contracts import OPEN_MANIFESTS_PARTITION, STATUS_INDEX, Attr, Manifest, ManifestFile, Names, SizeWindow
from ndjctl.ledger import Ledger
from ndjctl.redrive.choice import Choice
from ndjctl.redrive.dlq import DeadLetters
from ndjctl.redrive.moves import Mover
from ndjctl.redrive.tracking import Tracking

DAY = "2026-11-23"
NOW = datetime(2026, 11, 23, 14, 0, tzinfo=timezone.utc)
NAMES = Names("123456789012")
EVERYTHING = Choice()


@dataclass
class RedriveWorld:
    """run_states: what Glue says of runs, by id; others it does not know."""

    s3: Any
    dynamodb: Any
    sqs: Any
    dlq_url: str
    queue_url: str
    run_states: dict[str, str] = field(default_factory=dict)
    slept_s: list[float] = field(default_factory=list)
    ticks: int = 0

    def clock(self) -> datetime:
        self.ticks += 1
        return NOW + timedelta(seconds=self.ticks)

    @property
    def tracking(self) -> Tracking:
        table = NAMES.tracking_table
        return Tracking(self.dynamodb, table, Ledger(self.dynamodb, table, self.slept_s.append))

    @property
    def mover(self) -> Mover:
        window = SizeWindow(1, 50, min_mb=2 / 2**20, max_mb=5_000 / 2**20)
        return Mover(self.s3, self.tracking, NAMES.input_bucket, window, self.clock, self.slept_s.append)

    # ------------------------------------------------------------------------------------------------ what there is

    def put_object(self, key: str, body: bytes = b'{"a":1}\n') -> ManifestFile:
        etag = self.s3.put_object(Bucket=NAMES.input_bucket, Key=key, Body=body)["ETag"].strip('"')
        return ManifestFile(NAMES.input_bucket, key, len(body), etag)

    def track(self, file: ManifestFile, status: str, date: str = DAY, **more: Any) -> None:
        """The file's item, as the function and the job leave it. more: attributes besides."""
        item = {
            Attr.DATE_PREFIX: date,
            Attr.FILE_KEY: file.key,
            Attr.STATUS: status,
            Attr.BUCKET: file.bucket,
            Attr.SIZE_BYTES: file.size_bytes,
            Attr.FILE_SIZE_MB: size_mb(file.size_bytes),
            Attr.ETAG: file.etag,
            Attr.SEQUENCER: "01",
            Attr.UPLOAD_TIME: f"{date}T10:00:00.000Z",
            Attr.ATTEMPT: 1,
            Attr.TTL: 1,
            **more,
        }
        self.put(item)

    def put(self, item: Mapping[str, Any]) -> None:
        self.dynamodb.put_item(TableName=NAMES.tracking_table, Item=to_item(item))

    def item(self, key: str, date: str = DAY) -> dict[str, Any]:
        found = self.tracking.get({Attr.DATE_PREFIX: date, Attr.FILE_KEY: key})
        assert found is not None, key
        return found

    def statuses(self, date: str = DAY) -> dict[str, str]:
        items = map(from_item, self.dynamodb.scan(TableName=NAMES.tracking_table)["Items"])
        return {item[Attr.FILE_KEY]: item[Attr.STATUS] for item in items if item[Attr.DATE_PREFIX] == date}

    def open_manifest(self, manifest_id: str, state: str = contracts.RUNNING, **more: Any) -> None:
        key = contracts.manifest_item_key(manifest_id)
        self.put(
            {Attr.DATE_PREFIX: OPEN_MANIFESTS_PARTITION, Attr.FILE_KEY: key, Attr.STATE: state, Attr.DATE: DAY, **more}
        )

    def closed_manifest(self, manifest_id: str, state: str = contracts.DONE, **more: Any) -> None:
        partition, key = contracts.closed_manifests_partition(DAY), contracts.manifest_item_key(manifest_id)
        self.put({Attr.DATE_PREFIX: partition, Attr.FILE_KEY: key, Attr.STATE: state, Attr.DATE: DAY, **more})

    def put_manifest(self, manifest_id: str, *files: ManifestFile) -> Manifest:
        """The manifest's object."""
        manifest = Manifest(manifest_id, DAY, contracts.iso_utc(NOW), files)
        key = contracts.manifest_key(DAY, manifest_id)
        self.s3.put_object(Bucket=NAMES.manifest_bucket, Key=key, Body=manifest.to_json())
        return manifest

    # ------------------------------------------------------------------------------------------------ messages

    def send_dead(self, body: str) -> None:
        self.sqs.send_message(QueueUrl=self.dlq_url, MessageBody=body)

    def bodies(self, url: str) -> list[str]:
        """Of all messages, those included that somebody has received."""
        return sorted(message.body for message in self._queue(url)._messages)

    def bodies_in_view(self, url: str) -> list[str]:
        time.sleep(0.005)  # moto counts milliseconds, and is in doubt in the very one
        return sorted(message.body for message in self._queue(url)._messages if message.visible)

    def show_all(self, url: str) -> None:
        """What is hidden comes back into view after its time; here at once."""
        for message in self._queue(url)._messages:
            message.visible_at = 0
        self._queue(url)._pending_messages.clear()

    def empty(self, url: str) -> None:
        self._queue(url)._messages = []
        self._queue(url)._pending_messages.clear()

    def _queue(self, url: str) -> Any:
        """moto's own: the wire does not tell what is hidden."""
        return sqs_backends[NAMES.account_id]["us-east-1"].get_queue(url.rsplit("/", 1)[-1])


def nothing(_count: int) -> None:
    """Progress that nobody is told of."""


def dead(world: RedriveWorld, choice: Choice = EVERYTHING, sqs: Any = None) -> DeadLetters:
    """sqs: instead of the world's own client."""
    return DeadLetters(sqs or world.sqs, world.dlq_url, world.queue_url, world.tracking, choice)


def event(*keys: str, size: int = 8, etag: str = "e", at: str = f"{DAY}T11:00:00.000Z") -> str:
    """The body of a message about new objects."""
    records = [
        {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "eventTime": at,
            "s3": {
                "bucket": {"name": NAMES.input_bucket},
                "object": {"key": key, "size": size, "eTag": etag, "sequencer": "02"},
            },
        }
        for key in keys
    ]
    return json.dumps({"Records": records})


@lru_cache
def _client(service: str) -> Any:
    return boto3.client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


@contextmanager
def redrive_world() -> Iterator[RedriveWorld]:
    with mock_aws():
        s3, dynamodb, sqs = _client("s3"), _client("dynamodb"), _client("sqs")
        for bucket in NAMES.buckets:
            s3.create_bucket(Bucket=bucket)
        text = {"AttributeType": "S"}
        dynamodb.create_table(
            TableName=NAMES.tracking_table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, **text}
                for name in (Attr.DATE_PREFIX, Attr.FILE_KEY, Attr.STATUS, Attr.UPLOAD_TIME)
            ],
            KeySchema=_keys(Attr.DATE_PREFIX, Attr.FILE_KEY),
            GlobalSecondaryIndexes=[
                {
                    "IndexName": STATUS_INDEX,
                    "KeySchema": _keys(Attr.STATUS, Attr.UPLOAD_TIME),
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )
        urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in (NAMES.dead_letter_queue, NAMES.queue)]
        yield RedriveWorld(s3, dynamodb, sqs, urls[0], urls[1])


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
