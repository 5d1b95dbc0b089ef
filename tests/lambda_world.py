"""A small world for the manifest builder: S3 and DynamoDB as a model or as moto's, a Glue of our own, a clock, and ways
to die."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus

import boto3
from botocore.exceptions import ClientError

from lambda_handler.config import Settings
from lambda_handler.dynamo import from_item, to_item
from lambda_handler.handler import dispatch
from lambda_handler.manifests import SEALED_AT
from lambda_handler.services import Services
from ndjctl.contracts import (
    AT_REST,
    COMPLETED,
    DONE,
    OPEN_MANIFESTS_PARTITION,
    QUARANTINED,
    STATUS_INDEX,
    Attr,
    Manifest,
    SizeWindow,
    iso_utc,
    lock_item_key,
    split_s3_uri,
)
from tests.lambda_model import ModelCloudWatch, ModelDynamoDB, ModelS3, client_error

DAY = "2026-03-14"
_numbers = itertools.count(1)


class Death(BaseException):
    """The process is gone: nothing in it may act on this."""


@dataclass
class Plan:
    """What happens around the n-th call (from 1) of one invocation. die_at: dies before the first call of that name."""

    at: int = 0
    die_at: str = ""
    before: Callable[[], None] | None = None
    after: Callable[[], None] | None = None
    calls: list[str] = field(default_factory=list)
    dead: bool = False

    def around(self, name: str, call: Callable[..., Any], kwargs: dict[str, Any]) -> Any:
        if self.dead:
            raise Death
        self.calls.append(name)
        mine = len(self.calls) == self.at
        if name == self.die_at:
            self.die()
        if mine and self.before:
            self.before()
        try:
            return call(**kwargs)
        finally:
            if mine and self.after:
                self.after()

    def die(self) -> None:
        self.dead = True
        raise Death


class Tap:
    """A client whose calls go through a plan."""

    def __init__(self, service: str, client: Any, plan: Plan) -> None:
        self._service, self._client, self._plan = service, client, plan

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._client, name)
        return lambda **kwargs: self._plan.around(f"{self._service}.{name}", call, kwargs)


class FakeGlue:
    """Runs that last until they are told to end. Refuses what Glue refuses."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.max_concurrent = 10
        self.runs: list[dict[str, Any]] = []
        self.refuse_with: ClientError | None = None
        self.premature: list[str] = []

    def start_job_run(self, JobName: str, Arguments: dict[str, str]) -> dict[str, Any]:
        if self.refuse_with:
            raise self.refuse_with
        if len(self.in_flight()) >= self.max_concurrent:
            raise client_error("ConcurrentRunsExceededException", "StartJobRun")
        if self.world.manifest_at(Arguments["--MANIFEST_PATH"]) is None:
            self.premature.append(Arguments["--MANIFEST_PATH"])
        return {"JobRunId": self.add_run(f"jr_{len(self.runs)}", Arguments)}

    def add_run(self, run_id: str, arguments: dict[str, str]) -> str:
        run = {"Id": run_id, "JobRunState": "RUNNING", "StartedOn": self.world.now, "Arguments": arguments}
        self.runs.append(run)
        return run_id

    def get_job_run(self, JobName: str, RunId: str) -> dict[str, Any]:
        for run in self.runs:
            if run["Id"] == RunId:
                return {"JobRun": dict(run)}
        raise client_error("EntityNotFoundException", "GetJobRun")

    def get_job_runs(self, JobName: str, MaxResults: int = 2, NextToken: str = "0") -> dict[str, Any]:
        start, newest = int(NextToken), self.runs[::-1]
        page = {"JobRuns": [dict(run) for run in newest[start : start + 2]]}
        return {**page, "NextToken": str(start + 2)} if start + 2 < len(newest) else page

    def in_flight(self) -> list[dict[str, Any]]:
        return [run for run in self.runs if run["JobRunState"] == "RUNNING"]

    def end(self, run_id: str, state: str, message: str = "") -> None:
        (run,) = [run for run in self.runs if run["Id"] == run_id]
        run.update(JobRunState=state, CompletedOn=self.world.now, ErrorMessage=message)


class World:
    """One deployment of its own. Files of DAY unless named otherwise. moto: inside a running mock_aws."""

    def __init__(self, moto: bool = False, **changes: Any) -> None:
        number = next(_numbers) if moto else 0
        self.now = datetime(2026, 3, 14, 12, 0, tzinfo=timezone.utc)
        self.glue = FakeGlue(self)
        self.input = f"input-{number}"
        settings = {
            "tracking_table": f"tracking-{number}",
            "metrics_table": f"metrics-{number}",
            "lock_table": f"tracking-{number}",
            "manifest_bucket": f"manifests-{number}",
            "quarantine_bucket": f"quarantine-{number}",
            "output_bucket": f"output-{number}",
            "glue_job_name": "job",
            "max_files_per_manifest": 3,
            "max_batch_bytes": 10_000,
            "size_window": SizeWindow(1, 50, min_mb=2 / 2**20, max_mb=5_000 / 2**20),
            "max_partial_age_s": 600.0,
            "lock_ttl_s": 300.0,
            "max_lock_wait_s": 10.0,
            "max_attempts": 2,
            "log_level": "DEBUG",
            "stack": f"stack-{number}",
            "page_items": 2,
        }
        self.settings = Settings(**{**settings, **changes})
        self.lines: list[dict[str, Any]] = []
        self.methods: Counter[str] = Counter()
        self.expected: set[tuple[str, str]] = set()
        self._entropy = itertools.count(1)
        self._events = itertools.count(1)
        self.s3: Any
        self.dynamodb: Any
        self.cloudwatch: Any
        if moto:
            self._use_moto()
        else:
            keys = {self.settings.tracking_table: (Attr.DATE_PREFIX, Attr.FILE_KEY)}
            self.dynamodb = ModelDynamoDB({**keys, self.settings.metrics_table: ("metric_date", "metric_type")})
            self.s3 = ModelS3()
            self.cloudwatch = ModelCloudWatch()

    def _use_moto(self) -> None:
        self.s3 = boto3.client("s3", region_name="us-east-1")
        self.dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        self.cloudwatch = boto3.client("cloudwatch", region_name="us-east-1")
        settings = self.settings
        for bucket in (
            self.input,
            settings.manifest_bucket,
            settings.quarantine_bucket,
            settings.output_bucket,
        ):
            self.s3.create_bucket(Bucket=bucket)
        text = {"AttributeType": "S"}
        self.dynamodb.create_table(
            TableName=self.settings.tracking_table,
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
        self.dynamodb.create_table(
            TableName=self.settings.metrics_table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, **text} for name in ("metric_date", "metric_type")],
            KeySchema=_keys("metric_date", "metric_type"),
        )

    # --- doing

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def upload(self, name: str = "", size: int = 100, fill: str = "x", day: str = DAY) -> dict[str, Any]:
        """Puts an object and returns its S3 event record."""
        number = next(self._events)
        key = name or f"in/{day}-{number:03d}.ndjson"
        # Bodies differ by key, as in life; an upload of the same name and fill is the same bytes again.
        body = (fill + key).encode() * size
        etag = self.s3.put_object(Bucket=self.input, Key=key, Body=body[:size])["ETag"].strip('"')
        self.expected.add((day, key))
        return {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "eventTime": iso_utc(self.now + timedelta(milliseconds=number)),
            "s3": {
                "bucket": {"name": self.input},
                "object": {"key": quote_plus(key, "/"), "size": size, "eTag": etag, "sequencer": f"{number:X}"},
            },
        }

    def services(self, plan: Plan) -> Services:
        real = {"s3": self.s3, "dynamodb": self.dynamodb, "glue": self.glue, "cloudwatch": self.cloudwatch}
        return Services(
            self.settings,
            make_client=lambda service: Tap(service, real[service], plan),
            clock=lambda: self.now,
            sleep=self.later,
            entropy=lambda digits: f"{next(self._entropy):0{digits}x}",
            jitter=lambda: 0.5,
            write_log=lambda line: self.lines.append(json.loads(line)),
        )

    def invoke(self, event: Any, plan: Plan | None = None, remaining_s: float = 300) -> Any:
        plan = plan or Plan()
        context = SimpleNamespace(
            aws_request_id=f"request-{next(self._entropy)}",
            get_remaining_time_in_millis=lambda: remaining_s * 1000,
        )
        try:
            return dispatch(event, context, self.services(plan))
        finally:
            self.methods.update(plan.calls)

    def deliver(self, *records: Any, plan: Plan | None = None) -> list[str]:
        """One message a record, in one SQS batch. Returns the ids that come back: m0, m1, ..."""
        return self.send(*(json.dumps({"Records": [record]}) for record in records), plan=plan)

    def send(self, *bodies: str, plan: Plan | None = None, remaining_s: float = 300) -> list[str]:
        messages = [
            {"messageId": f"m{number}", "eventSource": "aws:sqs", "body": body} for number, body in enumerate(bodies)
        ]
        answer = self.invoke({"Records": messages}, plan, remaining_s)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def sweep(self, plan: Plan | None = None) -> dict[str, Any]:
        return self.invoke({"detail-type": "Scheduled Event"}, plan)

    def flush(self, plan: Plan | None = None, **options: str) -> dict[str, Any]:
        return self.invoke({"action": "flush", **options}, plan)

    def work_runs(self) -> None:
        """The job, as far as the ledger goes: completes the files that are its manifest's, and ends. It leaves the
        closing of the manifest to the sweep."""
        for run in self.glue.in_flight():
            manifest = self.manifest_at(run["Arguments"]["--MANIFEST_PATH"])
            assert manifest is not None
            for file in manifest.files:
                self.dynamodb.update_item(
                    TableName=self.settings.tracking_table,
                    Key=to_item({Attr.DATE_PREFIX: manifest.date, Attr.FILE_KEY: file.key}),
                    UpdateExpression="SET #s = :done",
                    ConditionExpression="#b = :id",
                    ExpressionAttributeNames={"#s": Attr.STATUS, "#b": Attr.BATCH_ID},
                    ExpressionAttributeValues=to_item({":done": COMPLETED, ":id": manifest.manifest_id}),
                )
            self.glue.end(run["Id"], "SUCCEEDED")

    def settle(self) -> dict[str, Any]:
        """Lets time pass, runs work and sweeps come, until nothing is left to do."""
        answer: dict[str, Any] = {}
        for _ in range(8):
            self.later(301)
            answer = self.flush()
            self.work_runs()
            if answer["done"]:
                return answer
        raise AssertionError(f"never at rest: {answer}")

    # --- looking

    def items(self) -> list[dict[str, Any]]:
        return self._table(self.settings.tracking_table)

    def _table(self, name: str) -> list[dict[str, Any]]:
        if isinstance(self.dynamodb, ModelDynamoDB):
            return [from_item(item) for item in self.dynamodb.tables[name].values()]
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=name)
        return [from_item(item) for page in pages for item in page["Items"]]

    def files(self) -> dict[str, dict[str, Any]]:
        return {item[Attr.FILE_KEY]: item for item in self.items() if Attr.STATUS in item}

    def statuses(self) -> Counter[str]:
        return Counter(item[Attr.STATUS] for item in self.files().values())

    def manifests(self) -> list[dict[str, Any]]:
        """Open ones first, then closed ones; each by age, with its list of files in it."""
        lists = {item[Attr.FILE_KEY]: item[Attr.FILES] for item in self.items() if Attr.FILES in item}
        found = [
            {Attr.FILES: lists.get(item[Attr.FILE_KEY], []), **item} for item in self.items() if Attr.STATE in item
        ]
        return sorted(found, key=lambda item: (item[Attr.DATE_PREFIX] != OPEN_MANIFESTS_PARTITION, item[Attr.FILE_KEY]))

    def lock(self, day: str = DAY) -> dict[str, Any]:
        key = to_item(lock_item_key(day))
        answer = self.dynamodb.get_item(TableName=self.settings.lock_table, Key=key, ConsistentRead=True)
        return from_item(answer["Item"])

    def counts(self) -> dict[str, int]:
        totals: Counter[str] = Counter()
        for item in self._table(self.settings.metrics_table):
            totals[item["metric_type"]] += item["count"]
        return dict(totals)

    def manifest_at(self, uri: str) -> Manifest | None:
        bucket, key = split_s3_uri(uri)
        try:
            return Manifest.from_json(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read(), uri)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "NoSuchKey"
            return None

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == name]

    def check(self) -> None:
        """What holds at any moment: the ledger and the manifest objects tell the same story."""
        assert not self.glue.premature, "a run was started before its manifest was written"
        assert not [name for name in self.methods if name.endswith(".scan")]
        files, manifests = self.files(), self.manifests()
        holders: dict[tuple[str, str], str] = {}
        claiming = {item[Attr.FILE_KEY] for item in manifests if item[Attr.STATE] == "claiming"}
        for manifest in manifests:
            manifest_id = manifest[Attr.FILE_KEY].removesuffix("#")
            if manifest[Attr.STATE] == "claiming" or SEALED_AT not in manifest:
                continue
            written = self.manifest_at(manifest[Attr.MANIFEST_PATH])
            assert written is not None and written.manifest_id == manifest_id
            assert [file.key for file in written.files] == [file["key"] for file in manifest[Attr.FILES]]
            assert len(written.files) <= self.settings.max_files_per_manifest
            for file in written.files:
                if files[file.key].get(Attr.BATCH_ID) == manifest_id:
                    assert files[file.key][Attr.ETAG] == file.etag
                    assert files[file.key][Attr.DATE_PREFIX] == written.date
                assert holders.setdefault((file.key, file.etag), manifest_id) == manifest_id, f"{file.key} is in two"
        for key, item in files.items():
            if Attr.BATCH_ID in item and f"{item[Attr.BATCH_ID]}#" not in claiming:
                assert holders.get((key, item[Attr.ETAG])) == item[Attr.BATCH_ID], f"{key} is in no manifest"

    def check_at_rest(self, runs_per_manifest: int = 1) -> None:
        """Every object uploaded is at rest in the ledger, by one run of one manifest; nothing is open."""
        self.check()
        files, manifests = self.files(), self.manifests()
        assert {(item[Attr.DATE_PREFIX], key) for key, item in files.items()} == self.expected
        assert {item[Attr.STATUS] for item in files.values()} <= AT_REST
        assert not [item for item in manifests if item[Attr.DATE_PREFIX] == OPEN_MANIFESTS_PARTITION]
        done = [item for item in manifests if item[Attr.STATE] == DONE]
        carried = Counter(file["key"] for item in done for file in item[Attr.FILES])
        assert set(carried.values()) <= {1}
        assert set(carried) == {key for key, item in files.items() if item[Attr.STATUS] == COMPLETED}
        for item in files.values():
            if item[Attr.STATUS] == QUARANTINED:
                self.s3.head_object(Bucket=self.settings.quarantine_bucket, Key=item[Attr.QUARANTINE_KEY])
        runs = Counter(run["Arguments"]["--MANIFEST_PATH"] for run in self.glue.runs)
        assert set(runs) == {item[Attr.MANIFEST_PATH] for item in done}
        assert max(runs.values(), default=1) <= runs_per_manifest, "a manifest had more than one run"


def _keys(hash_name: str, range_name: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": hash_name, "KeyType": "HASH"},
        {"AttributeName": range_name, "KeyType": "RANGE"},
    ]
