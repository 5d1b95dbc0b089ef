"""One deployment in the simulator: the models, the real function and the real job between them, and time."""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus

from lambda_handler.config import settings_from
from lambda_handler.dynamo import from_item
from lambda_handler.handler import dispatch
from lambda_handler.services import Services
from ndjctl.contracts import AT_REST, MIB, OPEN_MANIFESTS_PARTITION, Attr, Env, iso_utc
from tests.lambda_model import ModelCloudWatch
from tests.simulator.actors import Broken, Process, Scheduler
from tests.simulator.client import Client
from tests.simulator.data import NORMAL_BYTES, Content, History
from tests.simulator.dynamo import DynamoDB
from tests.simulator.faults import Faults, NoFaults, Rates
from tests.simulator.glue import Glue
from tests.simulator.job_runs import INPUT, MANIFESTS, METRICS, OUTPUT, QUARANTINE, TABLE, JobRuns
from tests.simulator.s3 import S3, Object
from tests.simulator.sqs import Message, Queue

START = datetime(2026, 3, 14, 23, 53, tzinfo=timezone.utc)
"""Midnight comes while the files do."""
TIMEOUT_S = 300.0
LOCK_TTL_S = 60.0
SWEEP_EVERY_S = 60.0
_MESSAGES_AT_ONCE = 4
_INVOCATIONS_AT_ONCE = 6

ENVIRONMENT = {
    Env.TRACKING_TABLE: TABLE,
    Env.METRICS_TABLE: METRICS,
    Env.LOCK_TABLE: TABLE,
    Env.MANIFEST_BUCKET: MANIFESTS,
    Env.QUARANTINE_BUCKET: QUARANTINE,
    Env.OUTPUT_BUCKET: OUTPUT,
    Env.GLUE_JOB_NAME: "job",
    Env.MAX_FILES_PER_MANIFEST: "3",
    Env.MAX_BATCH_SIZE_GB: "0.001",
    Env.EXPECTED_FILE_SIZE_MB: "1",
    Env.SIZE_TOLERANCE_PERCENT: "50",
    Env.MIN_FILE_SIZE_MB: str(NORMAL_BYTES[0] / MIB),
    Env.MAX_FILE_SIZE_MB: str(NORMAL_BYTES[1] / MIB),
    Env.MAX_PARTIAL_AGE_SECONDS: "300",
    Env.LOCK_TTL_SECONDS: str(LOCK_TTL_S),
    Env.MAX_LOCK_WAIT_SECONDS: "5",
    Env.MAX_ATTEMPTS: "3",
    Env.LOG_LEVEL: "ERROR",
    Env.STACK: "sim",
}


class World:
    """rates: of what happens besides calls (events, runs, the schedule); none by default. trace: every call as (second,
    process, call, outcome). log: of the function and the job, if `verbose`."""

    def __init__(
        self,
        chance: random.Random,
        faults: Faults | None = None,
        rates: Rates | None = None,
        verbose: bool = False,
        **environment: str,
    ) -> None:
        self.chance, self.faults, self.rates = chance, faults or NoFaults(), rates or Rates()
        self.scheduler = Scheduler(START)
        self.clock: Callable[[], datetime] = self.scheduler.clock
        self.dynamodb = DynamoDB(
            {TABLE: (Attr.DATE_PREFIX, Attr.FILE_KEY), METRICS: ("metric_date", "metric_type")},
            TABLE,
            lambda: self.scheduler.now_s,
        )
        self.s3 = S3(self.clock)
        self.runs = JobRuns(self)
        self.glue = Glue(self.clock, self.runs.accepted)
        self.queue = Queue(visibility_s=400.0, max_receipts=3)
        self.cloudwatch = ModelCloudWatch()
        self.models = {"s3": self.s3, "dynamodb": self.dynamodb, "glue": self.glue, "cloudwatch": self.cloudwatch}
        level = {Env.LOG_LEVEL: "DEBUG"} if verbose else {}
        settings = settings_from({**ENVIRONMENT, **level, **environment})
        self.settings = dataclasses.replace(settings, page_items=2)
        self.verbose = verbose
        self.trace: list[tuple[float, str, str, str]] = []
        self.log: list[str] = []
        self.histories: dict[str, History] = {}
        self.fate = random.Random("manifests")
        """Decides on the objects of manifests alone, so that nothing else depends on how often it is asked."""
        self.lost_manifests: dict[str, bytes] = {}
        """What the objects of manifests were that somebody deleted or overwrote, by key; until they are put again."""
        self.rewritten = 0
        """How many of them were put again."""
        self.pending_since_s: dict[tuple[str, str], float] = {}
        self.on_sweep: Callable[[float, Any], None] = lambda began_s, answer: None
        self.told: dict[str, dict[str, float]] = {}
        """What each process told CloudWatch: values by metric."""
        self.told_exactly: Counter[str] = Counter()
        """Tellings that were compared with the ledger, value by value."""
        self.sweeping = False
        self._numbers: dict[str, int] = {}
        self._entropy = random.Random(chance.random())
        self.s3.on_put = self._object_came
        self.glue.is_known = lambda run: run["_known_at_s"] <= self.scheduler.now_s
        self.glue.refuse = self._refusal

    # --- files

    def upload(self, key: str, content: Content) -> None:
        """Puts the object; S3 tells of it, more or less."""
        history = self.histories.setdefault(key, History())
        answer = self.s3.put_object(Bucket=INPUT, Key=key, Body=content.body)
        history.contents[answer["ETag"].strip('"')] = content

    def delete(self, key: str) -> None:
        if key in self.s3.objects.get(INPUT, {}):
            self.s3.delete_object(Bucket=INPUT, Key=key)
            self.histories[key].deletes += 1

    def lose_manifest(self, key: str, garbage: bytes | None) -> None:
        """Somebody deletes the object of a manifest, or overwrites it."""
        was = self.s3.objects[MANIFESTS][key].body
        if garbage is None:
            self.s3.delete_object(Bucket=MANIFESTS, Key=key)
        else:
            self.s3.put_object(Bucket=MANIFESTS, Key=key, Body=garbage)
        self.lost_manifests[key] = was

    def _manifest_came(self, key: str, body: bytes) -> None:
        was = self.lost_manifests.pop(key, None)
        if was is not None:
            self.rewritten += 1
            if was != body:
                raise Broken(f"{key} was written again, and is not what it was")
        if self.fate.random() < self.rates.manifest_lost:
            garbage = self.fate.choice((None, b"garbage"))

            def lose() -> None:
                if self.rates.manifest_lost and key not in self.lost_manifests:
                    self.lose_manifest(key, garbage)

            self.scheduler.after(self.fate.choice((1.0, 30.0, 300.0)) * self.fate.random(), lose)

    def _object_came(self, bucket: str, key: str, found: Object) -> None:
        if bucket == MANIFESTS and key.startswith("manifests/"):
            self._manifest_came(key, found.body)
        if bucket != INPUT:
            return
        self.histories[key].puts += 1
        rates, draw = self.rates, self.chance.random
        if draw() < rates.event_lost:
            return
        for _ in range(2 if draw() < rates.event_doubled else 1):
            late_s = 900 * draw() if draw() < rates.event_late else 0.5 * draw()
            self.send(self.record(key, found, found.number), late_s)

    def record(self, key: str, found: Object, sequencer: int | None) -> dict[str, Any]:
        told = {"key": quote_plus(key, "/"), "size": len(found.body), "eTag": found.etag}
        return {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "eventTime": iso_utc(found.at),
            "s3": {
                "bucket": {"name": INPUT},
                "object": told if sequencer is None else {**told, "sequencer": f"{sequencer:X}"},
            },
        }

    def send(self, record: dict[str, Any], delay_s: float = 0.0) -> None:
        self.queue.send(json.dumps({"Records": [record]}), self.scheduler.now_s + delay_s)
        self._poll_later(delay_s)

    # --- the function

    tells_of_runs = True
    """Whether the function hears of a run's end at once."""
    is_polling = True
    """Whether messages are taken by themselves."""

    def _poll_later(self, delay_s: float) -> None:
        self.scheduler.after(delay_s + 0.05, self.poll)

    def poll(self) -> None:
        if not self.is_polling:
            return
        running = [process for process in self.scheduler.living if process.name.startswith("messages")]
        if len(running) >= _INVOCATIONS_AT_ONCE:
            return  # the end of one of them polls again
        messages = self.queue.receive(self.scheduler.now_s, _MESSAGES_AT_ONCE, self.chance)
        if messages:
            self.deliver(messages)
            self._poll_later(0.1)

    def deliver(self, messages: list[Message]) -> Process:
        event = {"Records": [message.as_record() for message in messages]}

        def ended(answer: Any, error: BaseException | None) -> None:
            self._poll_later(self.queue.visibility_s)
            if error is not None or answer is None:
                return  # all of them come back when they are visible again
            failures = frozenset(failure["itemIdentifier"] for failure in answer["batchItemFailures"])
            if self.chance.random() < self.rates.message_again:
                return  # it was done, and comes again all the same
            self.queue.delete(messages, failures)

        return self.invoke("messages", event, ended)

    def invoke(
        self, kind: str, event: Any, ended: Callable[[Any, BaseException | None], None] | None = None
    ) -> Process:
        """An invocation of the function, from now on. kind: what its name begins with."""
        name = self._name(kind)
        skew_s = self.skew()
        process: Process

        def work() -> Any:
            process.deadline_s = self.scheduler.now_s + TIMEOUT_S
            context = SimpleNamespace(
                aws_request_id=name,
                get_remaining_time_in_millis=lambda: 1000 * (process.deadline_s - self.scheduler.now_s),
            )
            services = Services(
                self.settings,
                make_client=lambda service: self.client(service, process),
                clock=lambda: self.scheduler.clock(skew_s),
                sleep=process.pause,
                entropy=lambda digits: f"{self._entropy.getrandbits(4 * digits):0{digits}x}",
                jitter=self._entropy.random,
                write_log=self.log.append,
            )
            return dispatch(event, context, services)

        def over(answer: Any, error: BaseException | None) -> None:
            self.note(process, "", "ended" if error is None else f"ended by {type(error).__name__} {error}"[:200])
            if ended is not None:
                ended(answer, error)

        process = self.scheduler.start(name, work, over)
        return process

    def sweep(self) -> Process:
        began_s = self.scheduler.now_s

        def ended(answer: Any, error: BaseException | None) -> None:
            if error is None:
                self.on_sweep(began_s, answer)

        return self.invoke("sweep", {"detail-type": "Scheduled Event"}, ended)

    def keep_sweeping(self) -> None:
        """A sweep every minute from now on, as the schedule has it."""
        if self.sweeping:
            return
        self.sweeping = True

        def tick() -> None:
            if not self.sweeping:
                return
            draw = self.chance.random
            if draw() >= self.rates.sweep_missed:
                self.sweep()
                if draw() < self.rates.sweep_doubled:
                    self.scheduler.after(draw() * 2, self.sweep)
            self.scheduler.after(SWEEP_EVERY_S, tick)

        self.scheduler.after(SWEEP_EVERY_S * self.chance.random(), tick)

    # --- looking

    def items(self) -> list[dict[str, Any]]:
        return [from_item(item) for item in self.dynamodb.tables[TABLE].items()]

    def file_items(self) -> list[dict[str, Any]]:
        return [item for item in self.items() if Attr.STATUS in item]

    def item(self, partition: str, sort: str) -> dict[str, Any] | None:
        stored = self.dynamodb.tables[TABLE].get((partition, sort))
        return from_item(stored.item) if stored else None

    def open_manifests(self) -> list[dict[str, Any]]:
        return [item for item in self.items() if item[Attr.DATE_PREFIX] == OPEN_MANIFESTS_PARTITION]

    def unrest(self) -> list[str]:
        """What is still going on, in words; empty at rest."""
        said = [f"process {process.name}" for process in self.scheduler.living]
        said += [f"run {run['Id']} {run['JobRunState']}" for run in self.glue.in_flight()]
        said += [f"message {message.number}" for message in [*self.queue.messages.values(), *self.queue.dead]]
        for item in self.items():
            if Attr.STATUS in item and item[Attr.STATUS] not in AT_REST:
                said.append(f"file {item[Attr.FILE_KEY]} {item[Attr.STATUS]}")
            elif item[Attr.DATE_PREFIX] == OPEN_MANIFESTS_PARTITION:
                said.append(f"manifest {item[Attr.FILE_KEY]} {item[Attr.STATE]}")
        return said

    def close(self) -> None:
        self.sweeping = False
        self.scheduler.end()

    # --- inside

    def client(self, service: str, process: Process) -> Client:
        return Client(service, self.models[service], self.scheduler, process, self.faults, self.note)

    def note(self, process: Process, call: str, outcome: str) -> None:
        self.trace.append((round(self.scheduler.now_s, 4), process.name, call, outcome))

    def _name(self, kind: str) -> str:
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return f"{kind}-{self._numbers[kind]}"

    def _refusal(self) -> str | None:
        if self.chance.random() >= self.rates.run_refused:
            return None
        return self.chance.choice(("ConcurrentRunsExceededException", "ResourceNumberLimitExceededException"))

    def skew(self) -> float:
        if self.chance.random() >= self.rates.skew:
            return 0.0
        return self.chance.choice((-60.0, 60.0, 120 * self.chance.random() - 60))
