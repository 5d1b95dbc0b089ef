"""A day of files through the real function and the real ledger, without faults: what it calls, and what that costs.

    python -m tests.simulator.day                              338,000 files, the busiest hour 1.5 times the mean
    python -m tests.simulator.day --files 35000 --per-hour 7000

Counted: all calls of the function, and the job's calls to the ledger, its manifest and its report. Not counted: the
data itself (input, Parquet), which costs the same whatever the control path does; the job's time.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import itertools
import json
import math
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from glue_job import ledger
from lambda_handler.config import settings_from
from lambda_handler.handler import dispatch
from lambda_handler.services import Services
from ndjctl.contracts import MIB, Attr, Env, iso_utc
from tests.lambda_model import ModelCloudWatch
from tests.simulator.actors import SerialPool
from tests.simulator.compact import CompactDynamoDB
from tests.simulator.dynamo import Billed
from tests.simulator.glue import Glue, Run
from tests.simulator.ledger_job import LedgerJob
from tests.simulator.measures import Cpu, Peak, imported_bytes
from tests.simulator.prices import CLIENT_CPU_S, CPU_SHARE, INVOCATION_S, LATENCY_S
from tests.simulator.s3 import S3
from tests.simulator.tally import Tally

START = datetime(2026, 3, 14, tzinfo=timezone.utc)
BATCH, WINDOW_S = 10, 5.0
SWEEP_EVERY_S = 60.0
RUN_STARTS_S, RUN_LASTS_S = 60.0, 720.0
MAX_CONCURRENT_RUNS = 50
DOUBLED = 0.01
"""Of the events."""
_SLICE_STEP = 500
"""Five manifests: slices of two and of three would differ by a half."""

ENVIRONMENT = {
    Env.TRACKING_TABLE: "tracking",
    Env.METRICS_TABLE: "metrics",
    Env.LOCK_TABLE: "tracking",
    Env.MANIFEST_BUCKET: "ndjson-manifests-123456789012",
    Env.QUARANTINE_BUCKET: "ndjson-quarantine-123456789012",
    Env.OUTPUT_BUCKET: "ndjson-output-sqs-123456789012",
    Env.GLUE_JOB_NAME: "ndjson-parquet-sqs-streaming-processor",
    Env.MAX_FILES_PER_MANIFEST: "100",
    Env.MAX_BATCH_SIZE_GB: "500",
    Env.EXPECTED_FILE_SIZE_MB: "3500",
    Env.SIZE_TOLERANCE_PERCENT: "20",
    Env.MAX_FILE_SIZE_MB: "4700",
    Env.LOG_LEVEL: "INFO",
    Env.STACK: "ndjson-parquet-sqs",
}
"""The profile prod."""


@dataclass
class Load:
    """files: how many. per_hour: None for a day's curve whose busiest hour is 1.5 times the mean."""

    files: int = 338_000
    per_hour: float | None = None
    seed: int = 1

    def arrivals(self) -> Iterator[float]:
        """Seconds of the day, ascending."""
        chance = random.Random(self.seed)
        if self.per_hour is not None:
            yield from (3600 * number / self.per_hour for number in range(self.files))
            return
        # The nights are quiet and the afternoons busy: 1 + sin/2 over the day, by its inverse at even steps.
        at_s, step = 0.0, 86_400 / self.files
        for _ in range(self.files):
            at_s += step / (1 + 0.5 * math.sin(2 * math.pi * (at_s / 86_400 - 0.35))) * (0.5 + chance.random())
            yield at_s


@dataclass
class Day:
    """One day's run. tally: what was counted, in slices of the files done. progress: told of the files that came."""

    load: Load
    progress: Callable[[int], None] = lambda files: None
    tally: Tally = field(default_factory=Tally)
    now_s: float = 0.0
    done: int = 0
    waited: int = 0
    memory: Peak = field(default_factory=lambda: Peak(every=101))

    def __post_init__(self) -> None:
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._chance = random.Random(self.load.seed)
        self._messages: list[str] = []
        self._settings = settings_from(ENVIRONMENT)
        self._cpu = Cpu(every=29)
        tables = {"tracking": (Attr.DATE_PREFIX, Attr.FILE_KEY), "metrics": ("metric_date", "metric_type")}
        self.dynamodb = CompactDynamoDB(tables, "tracking", lambda: self.now_s)
        self.dynamodb.bill = self._bill
        self.s3 = S3(self.clock)
        self.glue = Glue(self.clock, self._run_accepted)
        self.glue.max_concurrent, self.glue.page_runs = MAX_CONCURRENT_RUNS, 100
        self._who = "function"
        self._came = 0
        self._after(SWEEP_EVERY_S, self._sweep)
        functions = {
            "s3": self.s3,
            "dynamodb": self.dynamodb,
            "glue": self.glue,
            "cloudwatch": ModelCloudWatch(),
        }
        clients = {name: _Counted(self, name, model) for name, model in functions.items()}
        self._job_clients = [_Counted(self, name, functions[name], "job") for name in ("s3", "dynamodb")]
        entropy = random.Random(self.load.seed)
        self._services = Services(
            self._settings,
            make_client=lambda service: clients[service],
            clock=self.clock,
            sleep=self._sleep,
            entropy=lambda digits: f"{entropy.getrandbits(4 * digits):0{digits}x}",
            jitter=entropy.random,
            write_log=self._count_log,
        )

    def clock(self) -> datetime:
        return START + timedelta(seconds=self.now_s)

    def run(self) -> Tally:
        """Until every file is at rest."""
        with patch.object(ledger, "ThreadPoolExecutor", SerialPool):
            slice_files = max(round(self.load.files / 20 / _SLICE_STEP), 1) * _SLICE_STEP
            for number, at_s in enumerate(self.load.arrivals(), 1):
                self.arrive_at(at_s)
                if number % slice_files == 0:
                    self.tally.cut(number, self.done, self.now_s)
                    self.progress(number)
            self._flush_messages()
            while self.done < self.load.files:
                self._until(self.now_s + 600)
                assert self.now_s < 4 * 86_400, f"{self.load.files - self.done} files never come to rest"
            self.tally.cut(self.load.files, self.done, self.now_s)
        return self.tally

    def run_until(self, when_s: float) -> None:
        """Without a file."""
        self._until(when_s)

    def arrive_at(self, at_s: float) -> None:
        """Everything until then, and one file."""
        self._until(at_s)
        self._came += 1
        self._arrive(self._came)

    # --- what happens

    def _after(self, delay_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now_s + delay_s, next(self._numbers), act))

    def _until(self, when_s: float) -> None:
        while self._events and self._events[0][0] <= when_s:
            at_s, _, act = heapq.heappop(self._events)
            self.now_s = max(self.now_s, at_s)
            act()
        self.now_s = max(self.now_s, when_s)

    def _sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.tally.slept_s += seconds

    def _arrive(self, number: int) -> None:
        at = self.clock()
        record = {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:CompleteMultipartUpload",
            "eventTime": iso_utc(at),
            "s3": {
                "bucket": {"name": "ndjson-input-sqs-123456789012"},
                "object": {
                    "key": f"incoming/{at:%Y-%m-%d}-sensor-{number % 97:02d}-{number:06d}.ndjson",
                    "size": (3500 + number % 900) * MIB,
                    "eTag": f"{number:032x}-480",
                    "sequencer": f"{number:018X}",
                },
            },
        }
        body = json.dumps({"Records": [record]})
        for _ in range(2 if self._chance.random() < DOUBLED else 1):
            self.tally.count("sqs", "send", "sqs")
            if not self._messages:
                self._after(WINDOW_S, self._flush_messages)
            self._messages.append(body)
            if len(self._messages) >= BATCH:
                self._flush_messages()

    def _flush_messages(self) -> None:
        if not self._messages:
            return
        bodies, self._messages = self._messages, []
        self.tally.count("sqs", "receive", "sqs")
        self.tally.count("sqs", "delete", "sqs")
        records = [
            {"messageId": f"m{number}", "eventSource": "aws:sqs", "body": body} for number, body in enumerate(bodies)
        ]
        answer = self._invoke({"Records": records})
        assert answer == {"batchItemFailures": []}

    def _sweep(self) -> None:
        self._after(SWEEP_EVERY_S, self._sweep)
        answer = self._invoke({"detail-type": "Scheduled Event"})
        self.waited = max(self.waited, answer["waiting"])

    def _invoke(self, event: Any) -> Any:
        context = SimpleNamespace(aws_request_id=f"request-{next(self._numbers)}")
        self.tally.latency_s = 0.0
        before = self.tally.calls.total()
        self._cpu.begin()
        with self.memory.watched():
            answer = dispatch(event, context, self._services)
        calls = self.tally.calls.total() - before
        cpu_s = self._cpu.end(calls) + CLIENT_CPU_S * calls
        self.tally.invocation(INVOCATION_S + self.tally.latency_s + cpu_s / CPU_SHARE)
        return answer

    def _run_accepted(self, run: Run) -> None:
        self._after(RUN_STARTS_S, lambda: self._run_begins(run))

    def _run_begins(self, run: Run) -> None:
        path = run["Arguments"]["--MANIFEST_PATH"]
        job = LedgerJob(*self._job_clients, self._settings.tracking_table, path, run["Id"], self.clock)
        job.begin()
        self._after(RUN_LASTS_S - RUN_STARTS_S, lambda: self._run_ends(run, job))

    def _run_ends(self, run: Run, job: LedgerJob) -> None:
        job.end()
        self.glue.end(run, "SUCCEEDED")
        self.done += len(job.manifest.files)
        detail = {"jobName": self._settings.glue_job_name, "jobRunId": run["Id"], "state": "SUCCEEDED"}
        self._invoke({"detail-type": "Glue Job State Change", "detail": detail})

    # --- counting

    def _bill(self, billed: Billed) -> None:
        self.tally.bill(billed, self._who)

    def _count_log(self, line: str) -> None:
        self.tally.log_bytes += len(line) + 1

    def around(self, name: str, who: str, act: Callable[..., Any], kwargs: dict[str, Any]) -> Any:
        self._who = who
        service, _, operation = name.partition(".")
        self.tally.count(service, operation, who)
        self.tally.latency_s += LATENCY_S[name]
        with self._cpu.in_model():
            return act(**kwargs)


class _Counted:
    """A client whose calls are counted."""

    def __init__(self, day: Day, service: str, model: Any, who: str = "function") -> None:
        self._day, self._service, self._model, self._of = day, service, model, who

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        act = getattr(self._model, operation)
        name = f"{self._service}.{operation}"
        return lambda **kwargs: self._day.around(name, self._of, act, kwargs)


def simulate(load: Load, progress: Callable[[int], None] = lambda files: None) -> Day:
    day = Day(load, progress)
    gc.disable()  # hundreds of thousands of items that all stay are gone through for nothing
    try:
        day.run()
    finally:
        gc.enable()
    return day


def main() -> None:
    parser = argparse.ArgumentParser(description="A day of files: calls, units, price.")
    parser.add_argument("--files", type=int, default=338_000)
    parser.add_argument("--per-hour", type=float, help="evenly so many an hour, instead of a day's curve")
    given = parser.parse_args()
    began, imported = time.monotonic(), imported_bytes() / MIB

    def progress(files: int) -> None:
        sys.stderr.write(f"{files} of {given.files} files, {time.monotonic() - began:.0f} s\n")

    day = simulate(Load(given.files, given.per_hour), progress)
    print(day.tally.told(given.files, day.now_s))
    print(f"most manifests waiting at a sweep: {day.waited}")
    added = day.memory.peak_bytes / MIB
    print(f"memory of the function: {imported:.0f} MiB with its clients, {added:.1f} MiB more in an invocation")


if __name__ == "__main__":
    main()
