"""An environment on moto, and a pipeline of a few lines beside it that makes of a test's files what the real one would,
or what is planted: so that a whole load test takes a second."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ndjctl import contracts
from ndjctl.contracts import Attr, Manifest, ManifestFile, bad_line_facts, bad_line_json, iso_utc, s3_uri
from ndjctl.feeding.plan import FeedLimits
from ndjctl.generate.content import Generator
from ndjctl.generate.record import FileFacts
from ndjctl.loadtest.feeder import feed_plan_of, recipe_of
from ndjctl.loadtest.following import Sample
from ndjctl.loadtest.journal import Journal, begin
from ndjctl.loadtest.model import LoadSettings, new_test_id
from ndjctl.loadtest.running import World
from tests.functional.operations_world import NAMES, Operations

BUCKETS = (NAMES.input_bucket, NAMES.output_bucket, NAMES.quarantine_bucket, NAMES.manifest_bucket)


class Told:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.samples: list[Sample] = []

    def phase(self, name: str) -> None:
        self.phases.append(name)

    def sent(self, size_bytes: int) -> None: ...

    def sample(self, sample: Sample, files: int, left_s: float | None) -> None:
        self.samples.append(sample)

    def done(self, count: int) -> None: ...

    def note(self, text: str) -> None: ...


@dataclass
class Plan:
    """What goes wrong. lost_events: files whose events do not come. found: they have come by now. failing: files
    that the job fails. late_s: how much longer each takes. dpu_s: of the one run. copies: whether a part is there
    twice. torn: whether one is missing."""

    lost_events: int = 0
    found: bool = False
    failing: int = 0
    late_s: float = 0.0
    dpu_s: float = 60.0
    copies: bool = False
    torn: bool = False
    dead_letters: int = 0


@dataclass
class LoadWorld:
    folder: Path
    operations: Operations
    settings: LoadSettings
    planted: Plan = field(default_factory=Plan)
    told: Told = field(default_factory=Told)
    ahead: timedelta = timedelta(0)
    runs: list[dict[str, Any]] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.operations.deploy()
        self.before = self.everything()

    # ------------------------------------------------------------------------------------------------ the test

    def now(self) -> datetime:
        return datetime.now(timezone.utc) + self.ahead

    def sleep(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)

    def client(self, service: str) -> Any:
        own = {"lambda": self, "glue": self}
        return own.get(service) or getattr(self.operations, service)

    def world(self) -> World:
        return World(
            client=self.client,
            names=NAMES,
            region="us-east-1",
            dataset="default",
            settle_s=10,
            now=self.now,
            clock=lambda: self.now().timestamp(),
            sleep=self.sleep,
            version="0",
            reporter=self.told,
            keep_report=self.reports.append,
            limits=FeedLimits(),
            event_limit_s=60,
        )

    def begin(self) -> Journal:
        now = self.now()
        date, test_id = now.date().isoformat(), new_test_id(now, "00aa")
        feed = feed_plan_of(self.settings, NAMES.input_bucket, date, test_id)
        planned = {
            "configuration": {"hash": "c" * 12, "source": "test"},
            "expected": {"seconds": 10.0, "glue_usd": 0.01, "manifests": 1, "dpu_hours": 0.02, "basis": "said"},
            "feed": {**feed.to_dict(), "pace": "at once"},
            "dead_letters": 0,
            "remarks": [],
        }
        return begin(self.folder, "dev", test_id, self.settings, date, iso_utc(now), planned)

    def everything(self) -> dict[str, Any]:
        """All objects and items that there are, without the results of tests: what a test has to leave as it was."""
        s3, dynamodb = self.operations.s3, self.operations.dynamodb
        found: dict[str, Any] = {}
        for bucket in BUCKETS:
            listed = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
            found |= {f"{bucket}/{each['Key']}": each["ETag"] for each in listed}
            uploads = s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
            found |= {f"{bucket}/{each['Key']}?upload": each["UploadId"] for each in uploads}
        found = {key: value for key, value in found.items() if "/loadtests/" not in key}
        items = dynamodb.scan(TableName=NAMES.tracking_table)["Items"]
        return found | {f"{each['date_prefix']['S']}/{each['file_key']['S']}": each for each in items}

    # ------------------------------------------------------------------------------------------------ the pipeline

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        """A sweep: all that is in the input bucket and not in the ledger becomes one manifest, converted at once."""
        assert FunctionName == NAMES.live_function
        listed = self.operations.s3.list_objects_v2(Bucket=NAMES.input_bucket).get("Contents", [])
        known = {key.partition("/")[2] for key in self.everything() if not key.startswith("ndjson-")}
        new = [each for each in sorted(listed, key=lambda each: each["Key"]) if each["Key"] not in known]
        new = new[self.planted.lost_events :] if not known else new if self.planted.found else []
        if new:
            self._convert(new)
        return {"Payload": io.BytesIO(b"{}")}

    def _convert(self, listed: list[dict[str, Any]]) -> None:
        now = self.now()
        date, manifest_id = str(listed[0]["Key"])[:10], contracts.new_manifest_id(now, "0000abcd")
        files = tuple(
            ManifestFile(NAMES.input_bucket, each["Key"], each["Size"], each["ETag"].strip('"')) for each in listed
        )
        body = Manifest(manifest_id, date, iso_utc(now), files).to_json()
        s3 = self.operations.s3
        s3.put_object(Bucket=NAMES.manifest_bucket, Key=contracts.manifest_key(date, manifest_id), Body=body)
        s3.put_object(Bucket=NAMES.manifest_bucket, Key=contracts.report_key(date, manifest_id), Body=b"{}")
        generator = Generator(recipe_of(self.settings, date))
        facts: list[FileFacts] = []
        for number in range(self.settings.unique_files):
            content = generator.content(number)
            for _ in content:
                pass
            assert content.facts is not None
            facts.append(content.facts)
        converted = files[self.planted.failing :]
        self._write_parts(date, manifest_id, converted, facts)
        self._write_bad_lines(date, manifest_id, converted, facts)
        for file in files:
            self._track(date, manifest_id, file, now, is_failed=file not in converted)
        self._close(date, manifest_id, files, now)
        self.runs.append(
            {
                "Id": f"jr_{len(self.runs)}",
                "JobRunState": "SUCCEEDED",
                "StartedOn": now,
                "CompletedOn": now + timedelta(seconds=60),
                "ExecutionTime": 60,
                "DPUSeconds": self.planted.dpu_s,
                "MaxCapacity": 2.0,
                "Arguments": {
                    "--MANIFEST_PATH": s3_uri(NAMES.manifest_bucket, contracts.manifest_key(date, manifest_id))
                },
            }
        )
        for _ in range(self.planted.dead_letters):
            url = self.operations.sqs.get_queue_url(QueueName=NAMES.dead_letter_queue)["QueueUrl"]
            self.operations.sqs.send_message(QueueUrl=url, MessageBody="x")

    def _number(self, key: str) -> int:
        return int(key.rsplit("-", 1)[1].partition(".")[0]) % self.settings.unique_files

    def _write_parts(
        self, date: str, manifest_id: str, files: tuple[ManifestFile, ...], facts: list[FileFacts]
    ) -> None:
        half = len(files) // 2
        for part, chunk in enumerate((files[:half], files[half:])):
            if self.planted.torn and part == 1:
                continue
            sources = [f.uri for f in chunk for _ in range(facts[self._number(f.key)].records)]
            buffer = io.BytesIO()
            table = pa.table({contracts.SOURCE_COLUMN: pa.array(sources, pa.string())})
            pq.write_table(table, buffer)
            names = [contracts.part_key(date, manifest_id, part)]
            names += [contracts.part_key(date, f"{manifest_id}x", part)] if self.planted.copies and part == 0 else []
            for name in names:
                self.operations.s3.put_object(Bucket=NAMES.output_bucket, Key=name, Body=buffer.getvalue())

    def _write_bad_lines(
        self, date: str, manifest_id: str, files: tuple[ManifestFile, ...], facts: list[FileFacts]
    ) -> None:
        lines = []
        for file in files:
            for reason, count in facts[self._number(file.key)].bad_lines.items():
                told = bad_line_facts(file.uri, 0, None, reason, "there")
                lines += [b"".join(bad_line_json(told, b"broken"))] * count
        key = contracts.bad_lines_key(date, manifest_id, 0)
        self.operations.s3.put_object(Bucket=NAMES.quarantine_bucket, Key=key, Body=b"".join(lines))

    def _track(self, date: str, manifest_id: str, file: ManifestFile, now: datetime, is_failed: bool) -> None:
        done = {"status": "failed", "error": f"{file.uri}: boom"} if is_failed else {"status": "completed"}
        more = {} if is_failed else {Attr.COMPLETED_AT: iso_utc(now + timedelta(seconds=5 + self.planted.late_s))}
        self.operations.put(
            date,
            file.key,
            size_bytes=file.size_bytes,
            etag=file.etag,
            batch_id=manifest_id,
            upload_time=iso_utc(now),
            **done,
            **more,
        )

    def _close(self, date: str, manifest_id: str, files: tuple[ManifestFile, ...], now: datetime) -> None:
        sort = contracts.manifest_item_key(manifest_id)
        partition = contracts.closed_manifests_partition(date)
        self.operations.put(partition, sort, state="done", date=date, file_count=len(files), created_at=iso_utc(now))
        where = contracts.manifest_files_item_key(manifest_id)
        entries = [{"bucket": file.bucket, "key": file.key} for file in files]
        self.operations.put(where[Attr.DATE_PREFIX], where[Attr.FILE_KEY], files=entries)

    def get_job_runs(self, **_: Any) -> dict[str, Any]:
        return {"JobRuns": list(reversed(self.runs))}
