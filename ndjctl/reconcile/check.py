"""The use case of `ndjctl reconcile`: the input bucket against the ledger against the outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ndjctl.contracts import Names, s3_uri
from ndjctl.quarantine.records import QuarantineRecords
from ndjctl.reconcile.files import FileCheck
from ndjctl.reconcile.findings import CHANGED, DUPLICATED, MISSING, NO_DATE, ORPHANED, STUCK, Example, Findings, Remedy
from ndjctl.reconcile.join import pairs
from ndjctl.reconcile.outputs import Output, Outputs
from ndjctl.reconcile.records import Records
from ndjctl.reconcile.remedies import look_at_inputs, rewriting
from ndjctl.reconcile.reports import Reports
from ndjctl.reconcile.runs import Runs
from ndjctl.reconcile.scope import Scope
from ndjctl.reconcile.strays import find_strays
from ndjctl.reconcile.streams import Listed, list_bucket
from ndjctl.reconcile.unseen import Unseen
from ndjctl.reconcile.verdicts import Clock

READERS = 24
"""Threads that read objects; with those that follow manifests they are as many as the client has connections."""

_LOST_SHOWN = 3
"""Of inputs that are not there any more, as examples of a finding; the others tell what is wrong with the output."""


class Reporter(Protocol):
    """Where it is told how far the work is."""

    def phase(self, name: str) -> None: ...
    def done(self, count: int) -> None: ...


@dataclass(frozen=True)
class Places:
    """The AWS side of one environment, as a reconciliation needs it. client: by service name. page_items: most entries
    of a page of a listing or query."""

    client: Callable[[str], Any]
    names: Names
    sleep: Callable[[float], None]
    page_items: int = 1000

    def records(self) -> Records:
        return Records(self.client("dynamodb"), self.names.tracking_table, self.sleep, min(self.page_items, 500))


@dataclass(frozen=True)
class Parts:
    """What the steps of a reconciliation share."""

    records: Records
    reports: Reports
    runs: Runs
    unseen: Unseen
    purges: QuarantineRecords
    readers: ThreadPoolExecutor


@dataclass(frozen=True)
class Reconciled:
    """messages_waiting: in the queue of events, and on their way from it. dead_letters: events that could not be taken.
    Both are approximate, as SQS has them."""

    scope: Scope
    findings: Findings
    begun_at: datetime
    grace_s: float
    messages_waiting: int
    dead_letters: int

    @property
    def ok(self) -> bool:
        return self.findings.total == 0

    @property
    def in_flight(self) -> int:
        return sum(day.in_flight for day in self.findings.days.values())


@contextmanager
def opened(places: Places, clock: Clock) -> Iterator[Parts]:
    """The parts of a reconciliation, over one pool of readers."""
    names, s3 = places.names, places.client("s3")
    with ThreadPoolExecutor(READERS, thread_name_prefix="readers") as readers:
        records = places.records()
        reports = Reports(s3, names.manifest_bucket, names.output_bucket, readers)
        purges = QuarantineRecords(s3, names.manifest_bucket)
        unseen = Unseen(s3, names.quarantine_bucket, records, reports, purges, clock, readers)
        runs = Runs(lambda: places.client("glue"), names.job)
        yield Parts(records, reports, runs, unseen, purges, readers)


def outputs_of(places: Places, parts: Parts, clock: Clock, only_orphans: bool = False) -> Outputs:
    return Outputs(
        places.client("s3"),
        places.names,
        parts.records,
        parts.reports,
        parts.runs,
        parts.purges,
        clock,
        parts.readers,
        only_orphans,
        places.page_items,
    )


def reconcile(places: Places, scope: Scope, clock: Clock, reporter: Reporter) -> Reconciled:
    """Reads everything and changes nothing. Raises CloudError and what boto3 raises."""
    findings = Findings()
    names, s3 = places.names, places.client("s3")
    waiting, dead = _messages(places.client("sqs"), names)
    with opened(places, clock) as parts:
        reporter.phase("comparing the input bucket with the ledger")
        check = FileCheck(
            s3,
            names,
            parts.records,
            parts.runs,
            parts.unseen,
            parts.purges,
            clock,
            findings,
            parts.readers,
            places.page_items,
        )
        listing = list_bucket(s3, names.input_bucket, page_items=places.page_items)
        check.take(pairs(listing, parts.records.files_of, scope.dates, scope.wants), reporter.done)
        outputs = outputs_of(places, parts, clock)
        for date in sorted({*scope.dates, *findings.days}):
            reporter.phase(f"counting rows in the Parquet of {date}")
            for output in outputs.of_date(date):
                _take(output, findings, s3, parts.readers)
                reporter.done(output.parts)
        reporter.phase("looking for objects outside the folders of dates")
        for stray in find_strays(s3, names.output_bucket, places.page_items):
            remedy = Remedy(("reconcile", "--remove-orphans"))
            findings.add(ORPHANED, NO_DATE, "object", remedy, [_example(stray, "it lies in no folder of a date")])
            reporter.done(1)
    return Reconciled(scope, findings, clock.now, clock.grace.total_seconds(), waiting, dead)


def _take(output: Output, findings: Findings, s3: Any, readers: ThreadPoolExecutor) -> None:
    day = findings.day(output.date)
    judged = output.judged
    day.lines += judged.lines
    day.rows += judged.rows
    day.bad_lines += judged.bad_lines
    day.moving_rows += judged.moving_rows
    day.moving_bad_lines += judged.moving_bad_lines
    day.purged_lines += judged.purged_lines
    day.parts += output.parts
    day.parts_as_written += output.parts_as_written
    day.open_manifests += output.is_open
    # Whose examples are not kept, its inputs need no look either.
    inputs = output.inputs if judged.problems and not findings.is_full else {}
    lost, newer, is_gone = look_at_inputs(s3, readers, inputs)
    remedy = rewriting(output.manifest_id, output.date, is_gone, newer)
    for kind, unit in ((MISSING, "item"), (DUPLICATED, "item"), (CHANGED, "object")):
        examples = judged.examples(kind)
        if examples:
            subjects = len({example.subject for example in examples})
            findings.add(kind, output.date, unit, remedy, [*lost[:_LOST_SHOWN], *examples], subjects)
    for orphan in output.orphans:
        findings.add(
            ORPHANED, output.date, "object", orphans_remedy(output.date), [_example(orphan.listed, orphan.why)]
        )
    if output.stands_still:
        example = Example(f"manifest {output.manifest_id}", f"it is not closed: {output.stands_still}")
        findings.add(STUCK, output.date, "manifest", Remedy(("sweep",)), [example])


def orphans_remedy(date: str) -> Remedy:
    return Remedy(("reconcile", "--remove-orphans", "--date", date))


def _example(orphan: Listed, why: str) -> Example:
    return Example(s3_uri(orphan.bucket, orphan.key), f"{orphan.size_bytes:,} bytes; {why}")


def _messages(sqs: Any, names: Names) -> tuple[int, int]:
    wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def count(queue: str) -> int:
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
        return sum(int(answer.get(name, 0)) for name in wanted)

    return count(names.queue), count(names.dead_letter_queue)
