"""An environment whose pipeline has done its work, by moto: files, their items, manifests, Parquet, reports. Everything
a reconciliation reads, so that one thing of it can be made wrong."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from lambda_handler.dynamo import to_item
from ndjctl.contracts import (
    COMPLETED,
    DONE,
    OPEN_MANIFESTS_PARTITION,
    PARQUET_METADATA_KEY,
    PENDING,
    REPORT_FORMAT,
    RUN_MARK,
    SOURCE_COLUMN,
    Attr,
    Names,
    bad_line_facts,
    bad_line_json,
    bad_lines_key,
    closed_manifests_partition,
    iso_utc,
    manifest_item_key,
    part_key,
    report_key,
    s3_uri,
)
from ndjctl.reconcile.check import Places, Reconciled, reconcile
from ndjctl.reconcile.scope import scope_of
from ndjctl.reconcile.verdicts import Clock

DAY = "2026-03-14"
PAGE = 2
"""Every listing and query pages."""


class Silent:
    """A reporter that says nothing."""

    def phase(self, name: str) -> None: ...
    def done(self, count: int) -> None: ...


class FakeGlue:
    """runs: state by id."""

    def __init__(self) -> None:
        self.runs: dict[str, str] = {}
        self.asked = 0

    def get_job_run(self, JobName: str, RunId: str) -> dict[str, Any]:
        self.asked += 1
        if RunId not in self.runs:
            raise ClientError({"Error": {"Code": "EntityNotFoundException", "Message": "no"}}, "GetJobRun")
        return {"JobRun": {"Id": RunId, "JobRunState": self.runs[RunId], "ErrorMessage": ""}}

    def get_job_runs(self, JobName: str, MaxResults: int) -> dict[str, Any]:
        return {"JobRuns": [{"Id": run, "JobRunState": state} for run, state in self.runs.items()]}


def parquet(rows: Mapping[str, int], per_group: int = 10_000, about: Mapping[str, Any] | None = None) -> bytes:
    """A part with so many rows of each source. about: its own metadata."""
    sources = [uri for uri, count in rows.items() for _ in range(count)]
    column = pa.array(sources, pa.string()).dictionary_encode()
    table = pa.table({"n": pa.array(range(len(sources)), pa.int64()), SOURCE_COLUMN: column})
    if about is not None:
        table = table.replace_schema_metadata({PARQUET_METADATA_KEY: json.dumps(about)})
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=per_group)
    return sink.getvalue()


def bad_lines(sources: Sequence[str], raw: bytes = b'{"cut', **more: Any) -> bytes:
    facts = [bad_line_facts(uri, 0, 1, "not JSON", 'at "raw": "x') for uri in sources]
    return b"".join(piece for fact in facts for piece in bad_line_json({**fact, **more}, raw))


@lru_cache
def _client(service: str) -> Any:
    """One for all tests: to make a client takes longer than most of them."""
    return boto3.client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


class World:
    """now: of the reconciliation; objects and items are from `aged` before it unless they are made otherwise."""

    def __init__(self, suffix: str) -> None:
        self.names = Names("123456789012", suffix)
        self.s3, self.dynamodb, self.sqs = (_client(service) for service in ("s3", "dynamodb", "sqs"))
        self.glue = FakeGlue()
        self.started = datetime.now(timezone.utc)
        self.now = self.started + timedelta(hours=1)
        self.changed_at = iso_utc(self.started)
        for bucket in self.names.buckets:
            self.s3.create_bucket(Bucket=bucket)
        for queue in (self.names.queue, self.names.dead_letter_queue):
            self.sqs.create_queue(QueueName=queue)
        self.dynamodb.create_table(
            TableName=self.names.tracking_table,
            KeySchema=[
                {"AttributeName": Attr.DATE_PREFIX, "KeyType": "HASH"},
                {"AttributeName": Attr.FILE_KEY, "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": Attr.DATE_PREFIX, "AttributeType": "S"},
                {"AttributeName": Attr.FILE_KEY, "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )

    # ------------------------------------------------------------------------------------------------ what there is

    def places(self, page_items: int = PAGE) -> Places:
        clients = {"s3": self.s3, "dynamodb": self.dynamodb, "sqs": self.sqs, "glue": self.glue}
        return Places(clients.__getitem__, self.names, lambda _seconds: None, page_items)

    def clock(self, grace_s: float = 600) -> Clock:
        return Clock(self.now, timedelta(seconds=grace_s))

    def uri(self, key: str) -> str:
        return s3_uri(self.names.input_bucket, key)

    def put_input(self, key: str, body: bytes = b'{"a":1}\n') -> str:
        """Its ETag."""
        return str(self.s3.put_object(Bucket=self.names.input_bucket, Key=key, Body=body)["ETag"]).strip('"')

    def put_item(self, partition: str, sort: str, **attributes: Any) -> None:
        item = {Attr.DATE_PREFIX: partition, Attr.FILE_KEY: sort, Attr.UPDATED_AT: self.changed_at, **attributes}
        self.dynamodb.put_item(TableName=self.names.tracking_table, Item=to_item(item))

    def put_file(self, key: str, date: str = DAY, status: str = PENDING, **attributes: Any) -> None:
        """The object and its item."""
        self.put_item(date, key, **{Attr.STATUS: status, Attr.ETAG: self.put_input(key), **attributes})

    def set_file(self, key: str, date: str = DAY, **attributes: Any) -> None:
        """Changes attributes of an item; None removes one."""
        names = {f"#{name}": name for name in attributes}
        sets = ", ".join(f"#{name} = :{name}" for name, value in attributes.items() if value is not None)
        removes = ", ".join(f"#{name}" for name, value in attributes.items() if value is None)
        values = to_item({f":{name}": value for name, value in attributes.items() if value is not None})
        self.dynamodb.update_item(
            TableName=self.names.tracking_table,
            Key=to_item({Attr.DATE_PREFIX: date, Attr.FILE_KEY: key}),
            UpdateExpression=(f"SET {sets} " if sets else "") + (f"REMOVE {removes}" if removes else ""),
            ExpressionAttributeNames=names,
            **({"ExpressionAttributeValues": values} if values else {}),
        )

    def put_manifest(self, manifest_id: str, keys: Sequence[str], date: str = DAY, **attributes: Any) -> None:
        """A closed one, or an open one if `attributes` have a state of an open one."""
        state = attributes.get(Attr.STATE, DONE)
        partition = closed_manifests_partition(date) if state in (DONE, "abandoned") else OPEN_MANIFESTS_PARTITION
        files = [{Attr.BUCKET: self.names.input_bucket, "key": key, Attr.SIZE_BYTES: 8, Attr.ETAG: "e"} for key in keys]
        about = {Attr.STATE: state, Attr.DATE: date, Attr.FILES: files, Attr.RUN_ID: "jr_1", Attr.PARTS: 1}
        self.put_item(partition, manifest_item_key(manifest_id), **{**about, **attributes})

    def drop_manifest(self, manifest_id: str, date: str = DAY) -> None:
        for partition in (OPEN_MANIFESTS_PARTITION, closed_manifests_partition(date)):
            key = to_item({Attr.DATE_PREFIX: partition, Attr.FILE_KEY: manifest_item_key(manifest_id)})
            self.dynamodb.delete_item(TableName=self.names.tracking_table, Key=key)

    def drop_file(self, key: str, date: str = DAY) -> None:
        self.dynamodb.delete_item(
            TableName=self.names.tracking_table, Key=to_item({Attr.DATE_PREFIX: date, Attr.FILE_KEY: key})
        )

    def put_part(self, manifest_id: str, number: int, rows: Mapping[str, int], date: str = DAY, **about: Any) -> str:
        """Its key. rows: by key of the input. about: of its metadata."""
        key = part_key(date, manifest_id, number)
        sources = {self.uri(name): count for name, count in rows.items()}
        body = parquet(sources, about={"run_id": "jr_1", **about})
        self.s3.put_object(Bucket=self.names.output_bucket, Key=key, Body=body)
        return key

    def put_bad_lines(
        self,
        manifest_id: str,
        number: int,
        keys: Sequence[str],
        date: str = DAY,
        marks: Mapping[str, str] | None = None,
        raw: bytes = b'{"cut',
    ) -> str:
        """Its key. keys: the source of each line. marks: None for those of the manifest's own run."""
        key = bad_lines_key(date, manifest_id, number)
        body = bad_lines([self.uri(name) for name in keys], raw)
        metadata = {RUN_MARK: "jr_1"} if marks is None else dict(marks)
        self.s3.put_object(Bucket=self.names.quarantine_bucket, Key=key, Body=body, Metadata=metadata)
        return key

    def put_report(
        self,
        manifest_id: str,
        rows: Mapping[str, int],
        date: str = DAY,
        parts: int | Sequence[Mapping[str, Any]] = 1,
        **more: Any,
    ) -> None:
        """parts: what is said of them, or of how many nothing is said. more: members."""
        files = []
        for key, count in rows.items():
            etag = self.s3.head_object(Bucket=self.names.input_bucket, Key=key)["ETag"].strip('"')
            place = {"bucket": self.names.input_bucket, "key": key, "etag": etag, "status": COMPLETED}
            files.append({**place, "lines": count, "rows": count, "bad_lines": 0})
        document = {"format": REPORT_FORMAT, "version": 1, "manifest_id": manifest_id, "date": date}
        told = [{}] * parts if isinstance(parts, int) else list(parts)
        body = json.dumps({**document, "files": files, "parts": told, **more}).encode()
        self.s3.put_object(Bucket=self.names.manifest_bucket, Key=report_key(date, manifest_id), Body=body)

    def convert(self, manifest_id: str, rows: Mapping[str, int], date: str = DAY) -> None:
        """Files, with so many rows each, as a manifest that is done leaves them: in two parts, one bad line in each."""
        keys = list(rows)
        for key, count in rows.items():
            counts = {Attr.LINES: count + 1, Attr.ROWS: count, Attr.BAD_LINES: 1}
            self.put_file(key, date, COMPLETED, **{Attr.BATCH_ID: manifest_id, **counts})
        self.put_manifest(manifest_id, keys, date, **{Attr.PARTS: 2})
        half = {key: count // 2 for key, count in rows.items()}
        self.put_part(manifest_id, 0, half, date)
        self.put_part(manifest_id, 1, {key: count - half[key] for key, count in rows.items()}, date)
        self.put_bad_lines(manifest_id, 0, keys, date)

    def parts_on_record(self, manifest_id: str, count: int, date: str = DAY) -> list[dict[str, Any]]:
        """What the report of a run says of the parts that are there now, and of the bad lines beside them."""
        places = (
            ("", "rows", self.names.output_bucket, part_key),
            ("bad_lines_", "bad_lines", self.names.quarantine_bucket, bad_lines_key),
        )
        found: list[dict[str, Any]] = [{"number": number} for number in range(count)]
        for number, (kind, counted, bucket, key_of) in itertools.product(range(count), places):
            key = key_of(date, manifest_id, number)
            try:
                answer = self.s3.get_object(Bucket=bucket, Key=key)
            except self.s3.exceptions.NoSuchKey:
                continue
            body = answer["Body"].read()
            lines = pq.read_metadata(io.BytesIO(body)).num_rows if not kind else len(body.splitlines())
            about = {"uri": s3_uri(bucket, key), "etag": answer["ETag"].strip('"'), "size_bytes": len(body)}
            found[number] |= {f"{kind}{name}": value for name, value in about.items()} | {counted: lines}
        return found

    # ------------------------------------------------------------------------------------------------ what is found

    def reconcile(self, date: str | None = DAY, grace_s: float = 600, page_items: int = PAGE) -> Reconciled:
        scope = scope_of(date, None, self.now)
        return reconcile(self.places(page_items), scope, self.clock(grace_s), Silent())

    def found(self, date: str | None = DAY, grace_s: float = 600) -> list[tuple[str, int, str]]:
        """(kind, count, words of the remedy) of every finding."""
        kept = self.reconcile(date, grace_s).findings.kept
        return [(each.kind, each.count, " ".join(each.remedy.words or each.remedy.other)) for each in kept]
