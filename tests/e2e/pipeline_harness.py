"""A deployed pipeline of its own on the session's embedded cloud: objects in, sweeps, runs, kills, and the proof."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import duckdb
import psutil

from ndjctl.aws import Cloud
from ndjctl.contracts import (
    OPEN_MANIFESTS_PARTITION,
    RUNNING,
    Attr,
    count_lines,
    iso_utc,
    manifest_item_key,
    parse_iso_utc,
    s3_uri,
    split_s3_uri,
)
from ndjctl.embedded.glue.spark import RUN_MARKER
from ndjctl.items import read_item
from ndjctl.proof import Balance, balance, gather
from ndjctl.sweeping import invoke_sweep
from tests.e2e.conftest import Finished, Tool

DAY = f"{datetime.now(timezone.utc):%Y-%m-%d}"
"""Leads the names of files, so that a test that runs into midnight keeps its date."""
UNFINISHED = ("STARTING", "RUNNING", "STOPPING", "WAITING")


@dataclass
class Pipeline:
    """lines: records of every object that was put, by its URI. settings: `--set` assignments of this environment."""

    tool: Tool
    cloud: Cloud
    settings: tuple[str, ...]
    lines: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = self.cloud.names
        self.s3, self.sqs = self.cloud.client("s3"), self.cloud.client("sqs")
        self.glue, self.lambda_ = self.cloud.client("glue"), self.cloud.client("lambda")

    def __call__(self, *words: str, timeout_s: float = 240) -> Finished:
        """`ndjctl` with these words, in this environment."""
        chosen = (f"suffix={self.tool.suffix}", *self.settings)
        return self.tool(*words, *(word for setting in chosen for word in ("--set", setting)), timeout_s=timeout_s)

    def ask(self, *words: str, code: int = 0) -> dict[str, Any]:
        """The document of `ndjctl ... --json`."""
        finished = self(*words, "--json")
        assert finished.code == code, f"{finished.code}: {finished.err}{finished.out[-2_000:]}"
        return finished.document

    def deploy(self) -> None:
        deployed = self("deploy")
        assert deployed.code == 0, deployed.err
        self.queue_url = self.sqs.get_queue_url(QueueName=self.names.queue)["QueueUrl"]
        (self.mapping,) = self.lambda_.list_event_source_mappings(FunctionName=self.names.live_function)[
            "EventSourceMappings"
        ]

    def lose(self, rule: str) -> None:
        """The function hears nothing of a rule of its environment any more: the end of a run, or its schedule."""
        self.cloud.client("events").disable_rule(Name=rule)

    # ---------------------------------------------------------------------------------------------- what comes in

    def put(self, key: str, body: bytes) -> str:
        """Uploads an object; its event comes by itself. Returns its etag."""
        etag = str(self.s3.put_object(Bucket=self.names.input_bucket, Key=key, Body=body)["ETag"]).strip('"')
        self.lines[s3_uri(self.names.input_bucket, key)] = count_lines([body])
        return etag

    def put_all(self, bodies: Mapping[str, bytes], *, doubled: Callable[[int], bool], threads: int = 8) -> int:
        """Uploads all of them, and sends a second copy of the event of those whose number is `doubled`, while their
        first may still be under way. Returns how many were doubled."""

        def send(numbered: tuple[int, tuple[str, bytes]]) -> int:
            number, (key, body) = numbered
            etag = self.put(key, body)
            if doubled(number):
                self.send_event(key, len(body), etag)
            return int(doubled(number))

        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(send, enumerate(bodies.items())))

    def send_event(self, key: str, size_bytes: int, etag: str) -> None:
        """One more event of an object, as S3 writes it."""
        head = self.s3.head_object(Bucket=self.names.input_bucket, Key=key)
        record = {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "eventTime": iso_utc(head["LastModified"]),
            "s3": {
                "bucket": {"name": self.names.input_bucket},
                "object": {"key": key, "size": size_bytes, "eTag": etag, "sequencer": "00"},
            },
        }
        self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=json.dumps({"Records": [record]}))

    def queued(self) -> int:
        """Messages that are not done with."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)["Attributes"]
        return sum(int(count) for count in found.values())

    def wait_for_events(self, timeout_s: float = 120) -> float:
        """Seconds until every event has been taken."""
        return wait(lambda: self.queued() == 0, timeout_s, lambda: f"{self.queued()} events are not taken")

    # ---------------------------------------------------------------------------------------------- what goes on

    def sweep(self, *, flush: bool = False) -> dict[str, Any]:
        """The function's sweep, without the start of a Python process that the command costs."""
        return invoke_sweep(self.lambda_, self.names.live_function, flush=flush)

    def settle(self, *, timeout_s: float, each: Callable[[], None] = lambda: None, pause_s: float = 1.0) -> float:
        """Sweeps and flushes, as the schedule would, until nothing is pending or open. Seconds that it took. each:
        called in every round."""
        last: dict[str, Any] = {}

        def done() -> bool:
            each()
            last.update(self.sweep(flush=True))
            return bool(last["done"]) and self.queued() == 0

        return wait(done, timeout_s, lambda: f"not at rest: {last}", pause_s)

    def runs(self) -> list[dict[str, Any]]:
        """Every run of the job, in the order that Glue took them."""
        found: list[dict[str, Any]] = []
        request: dict[str, Any] = {"JobName": self.names.job}
        while True:
            answer = self.glue.get_job_runs(**request)
            found += answer["JobRuns"]
            if not answer.get("NextToken"):
                return found[::-1]
            request["NextToken"] = answer["NextToken"]

    def unfinished_runs(self) -> list[dict[str, Any]]:
        return [run for run in self.runs() if run["JobRunState"] in UNFINISHED]

    def state(self, run_id: str) -> str:
        """Empty when Glue does not know the run."""
        try:
            return str(self.glue.get_job_run(JobName=self.names.job, RunId=run_id)["JobRun"]["JobRunState"])
        except self.glue.exceptions.EntityNotFoundException:
            return ""

    def wait_for_state(self, run_id: str, states: Iterable[str], timeout_s: float = 180) -> str:
        wanted = tuple(states)
        wait(lambda: self.state(run_id) in wanted, timeout_s, lambda: f"{run_id} is {self.state(run_id)}", 0.02)
        return self.state(run_id)

    def holder_of(self, manifest_id: str) -> str:
        """The run that has taken an open manifest; empty before one has."""
        item, _ = read_item(
            self.cloud.client("dynamodb"),
            self.names.tracking_table,
            OPEN_MANIFESTS_PARTITION,
            manifest_item_key(manifest_id),
        )
        return str(item[Attr.RUN_ID]) if item is not None and item[Attr.STATE] == RUNNING else ""

    def has_unfinished_uploads(self) -> bool:
        """Whether a run is writing parts right now."""
        return bool(self.s3.list_multipart_uploads(Bucket=self.names.output_bucket).get("Uploads"))

    # ---------------------------------------------------------------------------------------------- what came out

    def balance(self) -> Balance:
        """Every line that was put against the rows and bad lines of every closed manifest."""
        manifests = self.ask("manifests", "--closed")["manifests"]
        evidence = gather(self.s3, self.names, {(each["date"], each["id"]) for each in manifests})
        assert set(evidence.rows) | set(evidence.bad_lines) <= set(self.lines)
        return balance(self.lines, evidence)

    def counted(self, folder: Path) -> tuple[int, int, int]:
        """(rows, distinct records, distinct sources) of everything in the output bucket, whichever manifest it is of,
        by a reader that is not ours. A record is its `file` and `n`."""
        folder.mkdir(exist_ok=True)
        for number, uri in enumerate(self.parts()):
            bucket, key = split_s3_uri(uri)
            self.s3.download_file(bucket, key, str(folder / f"{number}.parquet"))
        query = "SELECT count(*), count(DISTINCT (file, n)), count(DISTINCT _source_file) FROM read_parquet(?)"
        (row,) = duckdb.connect().execute(query, [str(folder / "*.parquet")]).fetchall()
        return int(row[0]), int(row[1]), int(row[2])

    def parts(self) -> list[str]:
        """URIs of everything in the output bucket, whichever manifest it is of."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.names.output_bucket)
        return [s3_uri(self.names.output_bucket, entry["Key"]) for page in pages for entry in page.get("Contents", [])]


def kill(run_id: str) -> int:
    """kill -9 of every process of a run: its driver, the JVM, the workers. How many there were."""
    killed = 0
    for process in psutil.process_iter():
        try:
            if process.environ().get(RUN_MARKER) == run_id:
                os.kill(process.pid, signal.SIGKILL)
                killed += 1
        except (psutil.Error, ProcessLookupError):
            continue
    return killed


def wait(is_done: Callable[[], bool], timeout_s: float, told: Callable[[], str], pause_s: float = 0.2) -> float:
    """Seconds that it took. Fails with what `told` says after timeout_s."""
    began = time.monotonic()
    while not is_done():
        assert time.monotonic() - began < timeout_s, f"{told()} after {timeout_s:g} s"
        time.sleep(pause_s)
    return time.monotonic() - began


def started_order(runs: Iterable[Mapping[str, Any]]) -> list[str]:
    """The manifests that runs are of, in the order that Glue took the runs."""
    paths = [str(run["Arguments"]["--MANIFEST_PATH"]) for run in runs]
    return [path.rsplit("/manifest-", 1)[1].removesuffix(".json") for path in paths]


def made_at(manifest: Mapping[str, Any]) -> float:
    return parse_iso_utc(str(manifest["created_at"])).timestamp()
