"""The faults of a test with `--chaos`: which, when and to what is fixed by the seed, and each is planted once.

While files are fed, the function takes no events. Then all events are taken out of the queue and sent again: in another
order, some of them late, some twice, some never. The function is killed twice and throttled once while it takes them.
Of the runs, the first is killed, and the next is started a second time. Some objects are overwritten with the same
bytes. The lost events are found as `ndjctl backfill` finds them, and the same verdict is demanded as without all this.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote_plus

from ndjctl.aws import error_code
from ndjctl.contracts import Names
from ndjctl.generate.mix import Mix
from ndjctl.loadtest.following import Sample
from ndjctl.loadtest.journal import Journal

SHARE = 20
"""One file in so many is hit by each of the faults of events."""
LATE_S = 15
VISIBILITY_S = 30
"""Of a message whose invocation died, while there is chaos: with the usual half an hour a test would take as long."""
THROTTLED_S = 4.0
_SOON_S = 0.5
_EMPTY_LOOKS = 3
_PER_CALL = 10  # of SQS


Call = tuple[str, str, dict[str, Any]]
"""boto3's name of a service, of a method of its client, and the arguments."""


class Killer(Protocol):
    """What kills processes of the embedded cloud, and sees to it that settings which were changed are put back even if
    this process dies: ndjctl.embedded.faults.Faults."""

    def kill_run(self, run_id: str) -> int: ...
    def kill_function(self, function: str) -> int: ...
    def begin(self, test_id: str, region: str, put_back: Sequence[Call]) -> None: ...
    def end(self, client: Callable[[str], Any]) -> None: ...


@dataclass(frozen=True)
class Schedule:
    """Which files are hit, by their numbers. order: in which the events are sent, of all files."""

    order: tuple[int, ...]
    lost: frozenset[int]
    twice: frozenset[int]
    late: frozenset[int]
    overwritten: tuple[int, ...]


def schedule(seed: int, files: int) -> Schedule:
    """The same for the same seed. No file is hit by two faults of its event, so that what is lost is lost. Pure."""
    mix = Mix("chaos", seed)
    order = mix.sample(range(files), files)
    hit = mix.sample(range(files), files)
    count = max(1, files // SHARE)
    lost, twice, late, overwritten = (hit[number * count : (number + 1) * count] for number in range(4))
    return Schedule(tuple(order), frozenset(lost), frozenset(twice), frozenset(late), tuple(sorted(overwritten)))


@dataclass
class Chaos:
    """Plants the faults of one test. region: of its environment. keys: of its files, by number. reserved: concurrency
    of the function, as it is deployed. visibility_s: of the queue, the same."""

    client: Callable[[str], Any]
    names: Names
    region: str
    killer: Killer
    journal: Journal
    keys: Sequence[str]
    seed: int
    reserved: int
    visibility_s: int
    sleep: Callable[[float], None]
    _planned: Schedule = field(init=False)

    def __post_init__(self) -> None:
        self._planned = schedule(self.seed, len(self.keys))

    @property
    def done(self) -> list[str]:
        """What was planted, a sentence each."""
        return list(self.journal.noted("faults", []))

    def _note(self, name: str, sentence: str) -> None:
        self.journal.note("faults", [*self.done, f"{name}: {sentence}"])

    def _is_done(self, name: str) -> bool:
        return any(each.startswith(f"{name}: ") for each in self.done)

    # ------------------------------------------------------------------------------------------------ when

    def begin(self) -> None:
        """Before files are fed."""
        self.killer.begin(self.journal.test_id, self.region, self._put_back())
        self._hides(VISIBILITY_S)
        if not self._is_done("events"):
            self._listens(False)

    def step(self, sample: Sample, is_fed: bool) -> None:
        """Plants what is due by now: at most a few seconds' work."""
        if not is_fed:
            return
        if not self._is_done("events"):
            self._mix_events()
            self._listens(True)
            self.sleep(_SOON_S)  # so that it has taken some when it is killed
            self._kill_function()
        elif not self._is_done("function killed twice"):
            self._kill_function()
        elif not self._is_done("throttled"):
            self._throttle()
        elif not self._is_done("overwritten"):
            self._overwrite()
        if sample.in_work and not self._is_done("run killed"):
            self._kill_run()
        elif sample.in_work and not self._is_done("run started twice"):
            self._start_twice()

    def end(self) -> None:
        """Puts back what was set. May be called again."""
        self.killer.end(self.client)

    def _put_back(self) -> list[Call]:
        """The calls that make the queue and the function what they are as deployed."""
        function = {"FunctionName": self.names.function, "ReservedConcurrentExecutions": self.reserved}
        queue = {"QueueUrl": self._url, "Attributes": {"VisibilityTimeout": str(self.visibility_s)}}
        return [
            *(("lambda", "update_event_source_mapping", {"UUID": uuid, "Enabled": True}) for uuid in self._mappings()),
            ("lambda", "put_function_concurrency", function),
            ("sqs", "set_queue_attributes", queue),
        ]

    # ------------------------------------------------------------------------------------------------ events

    @property
    def _url(self) -> str:
        return str(self.client("sqs").get_queue_url(QueueName=self.names.queue)["QueueUrl"])

    def _hides(self, seconds: int) -> None:
        self.client("sqs").set_queue_attributes(QueueUrl=self._url, Attributes={"VisibilityTimeout": str(seconds)})

    def _mappings(self) -> list[str]:
        pages = self.client("lambda").get_paginator("list_event_source_mappings")
        found = pages.paginate(FunctionName=self.names.live_function)
        return [str(mapping["UUID"]) for page in found for mapping in page.get("EventSourceMappings", [])]

    def _listens(self, is_on: bool) -> None:
        for uuid in self._mappings():
            self.client("lambda").update_event_source_mapping(UUID=uuid, Enabled=is_on)

    def _mix_events(self) -> None:
        numbers = {key: number for number, key in enumerate(self.keys)}
        found: dict[int, str] = {}
        others: list[str] = []
        for body in self._take_all():
            number = numbers.get(_key_of(body))
            if number is None:
                others.append(body)
            else:
                found[number] = body
        planned = self._planned
        send: list[tuple[str, int]] = [(body, 0) for body in others]
        for number in planned.order:
            if number in found and number not in planned.lost:
                send.append((found[number], LATE_S if number in planned.late else 0))
                send += [(found[number], 2)] if number in planned.twice else []
        self._send(send)
        lost, twice, late = (len(found.keys() & each) for each in (planned.lost, planned.twice, planned.late))
        self._note(
            "events",
            f"{len(found)} sent in another order, {lost} of them never, {twice} twice, {late} {LATE_S} s late",
        )

    def _take_all(self) -> Iterator[str]:
        sqs, empty = self.client("sqs"), 0
        while empty < _EMPTY_LOOKS:
            answer = sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=_PER_CALL, WaitTimeSeconds=1)
            messages = answer.get("Messages", [])
            empty = 0 if messages else empty + 1
            for message in messages:
                yield str(message["Body"])
                sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])

    def _send(self, bodies: Sequence[tuple[str, int]]) -> None:
        for start in range(0, len(bodies), _PER_CALL):
            entries = [
                {"Id": str(number), "MessageBody": body, "DelaySeconds": delay_s}
                for number, (body, delay_s) in enumerate(bodies[start : start + _PER_CALL])
            ]
            self.client("sqs").send_message_batch(QueueUrl=self._url, Entries=entries)

    def _overwrite(self) -> None:
        s3, bucket, count = self.client("s3"), self.names.input_bucket, 0
        for number in self._planned.overwritten:
            answer = s3.get_object(Bucket=bucket, Key=self.keys[number])
            if "-" in answer["ETag"]:
                answer["Body"].close()
                continue  # of parts: put in one piece it would be another version
            body = answer["Body"].read()
            s3.put_object(Bucket=bucket, Key=self.keys[number], Body=body, Metadata=answer["Metadata"])
            count += 1
        self._note("overwritten", f"{count} objects with the same bytes")

    # ------------------------------------------------------------------------------------------------ function, runs

    def _throttle(self) -> None:
        lambda_ = self.client("lambda")
        lambda_.put_function_concurrency(FunctionName=self.names.function, ReservedConcurrentExecutions=0)
        self.sleep(THROTTLED_S)
        lambda_.put_function_concurrency(FunctionName=self.names.function, ReservedConcurrentExecutions=self.reserved)
        self._note("throttled", f"every invocation of the function for {THROTTLED_S:g} s")

    def _kill_function(self) -> None:
        killed = self.killer.kill_function(self.names.function)
        if not killed:
            return  # it is not running: the next step tries again
        name = "function killed twice" if self._is_done("function killed once") else "function killed once"
        self._note(name, f"{killed} processes")

    def _running(self) -> dict[str, Any] | None:
        """The first run for a manifest that is under way."""
        answer = self.client("glue").get_job_runs(JobName=self.names.job, MaxResults=50)
        under_way = [run for run in answer.get("JobRuns", []) if run.get("JobRunState") == "RUNNING"]
        return under_way[-1] if under_way else None

    def _kill_run(self) -> None:
        run = self._running()
        if run is not None:
            self._note("run killed", f"{run['Id']}, {self.killer.kill_run(str(run['Id']))} processes")

    def _start_twice(self) -> None:
        from botocore.exceptions import ClientError

        run = self._running()
        if run is None:
            return
        try:
            again = self.client("glue").start_job_run(JobName=self.names.job, Arguments=run["Arguments"])
            self._note("run started twice", f"{run['Id']}, as {again['JobRunId']}")
        except ClientError as error:
            if error_code(error) != "ConcurrentRunsExceededException":
                raise


def _key_of(body: str) -> str:
    """Of the object that a notification is of; empty for what is none."""
    try:
        return unquote_plus(str(json.loads(body)["Records"][0]["s3"]["object"]["key"]))
    except (KeyError, IndexError, TypeError, ValueError):
        return ""
