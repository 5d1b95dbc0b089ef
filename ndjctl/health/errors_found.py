"""Failed runs, invocations, manifests and files of a time, grouped by cause: everything is read, little is kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from ndjctl.contracts import ABANDONED, FAILED, STATUS_INDEX, Attr, Names, parse_iso_utc
from ndjctl.glue_runs import run_of
from ndjctl.health.catalogue import UNKNOWN
from ndjctl.health.cause import Cause
from ndjctl.health.causes import cause_of, cause_of_line, cause_of_run, normalised
from ndjctl.health.log_lines import OF_FILES, event_of, told_by
from ndjctl.health.reading_logs import pages_of_errors
from ndjctl.items import Item, pages_of, projected
from ndjctl.manifests import list_manifests
from ndjctl.reading import Reading, attempt

Where = Literal["runs", "function", "manifests", "files"]
PLACES: tuple[Where, ...] = ("runs", "function", "manifests", "files")

MOST_GROUPS = 500
"""Of all places together; what is of none of them is counted in one more of its place."""
EXAMPLES = 3
OTHERS = "other messages"

_REMEMBERED = 10_000
"""Request ids of the log, so that an error that is told twice counts once."""
_TEXT_CHARS = 1_000


@dataclass(frozen=True)
class Failure:
    """One failure. subject: a run's, request's or manifest's id, or a key. at: None where nothing tells."""

    subject: str
    at: datetime | None
    text: str


@dataclass
class Group:
    """Failures of one place and cause; of no known cause, with one message but for ids, keys and numbers. pattern: that
    message, else empty. examples: the newest ones."""

    where: Where
    cause: Cause
    pattern: str
    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    examples: list[Failure] = field(default_factory=list)

    def add(self, failure: Failure) -> None:
        self.count += 1
        if failure.at is not None:
            self.first = min(self.first or failure.at, failure.at)
            self.last = max(self.last or failure.at, failure.at)
        self.examples = sorted([failure, *self.examples], key=_age, reverse=True)[:EXAMPLES]


def _age(failure: Failure) -> float:
    return failure.at.timestamp() if failure.at else 0.0


@dataclass
class Found:
    """groups: the largest first. not_read: places that AWS refused, wholly or from some page on, with what it said, and
    those that are not there."""

    since: datetime
    groups: list[Group] = field(default_factory=list)
    not_read: dict[Where, Reading[None]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(group.count for group in self.groups)

    @property
    def is_deployed(self) -> bool:
        """False where none of the places is there."""
        return not (len(self.not_read) == len(PLACES) and all(each.why == "absent" for each in self.not_read.values()))


class _Groups:
    def __init__(self) -> None:
        self.kept: dict[tuple[str, str, str], Group] = {}

    def add(self, where: Where, cause: Cause, failure: Failure) -> None:
        pattern = normalised(failure.text) if cause is UNKNOWN else ""
        key = (where, cause.code, pattern)
        if key not in self.kept and len(self.kept) >= MOST_GROUPS:
            pattern = OTHERS
            key = (where, UNKNOWN.code, pattern)
            cause = UNKNOWN
        self.kept.setdefault(key, Group(where, cause, pattern)).add(failure)


Progress = Callable[[int], None]


def find_errors(
    client: Callable[[str], Any],
    names: Names,
    environment: str,
    since: datetime,
    progress: Progress = lambda _more: None,
) -> Found:
    """Everything that failed since then, page by page. progress: called with how many more were found."""
    groups, found = _Groups(), Found(since)
    reads: dict[Where, Callable[[], Iterator[tuple[Cause, Failure]]]] = {
        "runs": lambda: failed_runs(client("glue"), names.job, since),
        "function": lambda: failed_invocations(client("logs"), names.function_log_group, since),
        "manifests": lambda: failed_manifests(client("dynamodb"), client("s3"), names, since),
        "files": lambda: failed_files(client("dynamodb"), names, since),
    }
    for where, read in reads.items():
        reading = attempt(lambda where=where, read=read: _take(groups, where, read(), progress), environment)  # type: ignore[misc]
        if reading.why == "absent":
            reading = replace(reading, sentence=f"{_place_of(where, names)} is not there")
        if not reading.was_read:
            found.not_read[where] = reading
    found.groups = sorted(groups.kept.values(), key=lambda group: (-group.count, PLACES.index(group.where)))
    return found


def _place_of(where: Where, names: Names) -> str:
    """What is read for it."""
    table = f"the table {names.tracking_table}"
    return {
        "runs": f"the job {names.job}",
        "function": f"the log group {names.function_log_group}",
        "manifests": f"{table}, or the bucket {names.manifest_bucket},",
        "files": table,
    }[where]


def _take(groups: _Groups, where: Where, failures: Iterator[tuple[Cause, Failure]], progress: Progress) -> None:
    for cause, failure in failures:
        groups.add(where, cause, failure)
        progress(1)


def failed_runs(glue: Any, job: str, since: datetime) -> Iterator[tuple[Cause, Failure]]:
    """Glue lists the newest runs first, so that the first older one that has ended before then is the end: a run may be
    as old as its time limit, and no older."""
    request: dict[str, Any] = {"JobName": job, "MaxResults": 200}
    while True:
        answer = glue.get_job_runs(**request)
        page = [run_of(each) for each in answer.get("JobRuns", [])]
        for run in page:
            if run.has_failed and (run.completed_at is None or run.completed_at >= since):
                text = f"{run.state}: {run.error or 'no message'}"[:_TEXT_CHARS]
                yield cause_of_run(run.state, run.error), Failure(run.run_id, run.completed_at, text)
        started = [run.started_at for run in page if run.started_at is not None]
        is_old = bool(started) and max(started) < since and all(run.has_ended for run in page)
        if is_old or not answer.get("NextToken"):
            return
        request["NextToken"] = answer["NextToken"]


def failed_invocations(logs: Any, group: str, since: datetime) -> Iterator[tuple[Cause, Failure]]:
    """By the log. An error that our code and Lambda both write is one."""
    told: OrderedDict[str, None] = OrderedDict()
    for line in pages_of_errors(logs, group, since):
        event = event_of(line.message)
        if event in OF_FILES:
            continue  # the ledger tells of these
        key = line.request_id if event in ("", "invocation_failed") else ""
        if key and key in told:
            continue
        if key:
            told[key] = None
            if len(told) > _REMEMBERED:
                told.popitem(last=False)
        text = told_by(line.message)[:_TEXT_CHARS]
        yield cause_of_line(line.message), Failure(line.request_id, line.at, text)


def failed_manifests(dynamodb: Any, s3: Any, names: Names, since: datetime) -> Iterator[tuple[Cause, Failure]]:
    """Those that were given up, and open ones whose last run failed or was refused."""
    for manifest in list_manifests(dynamodb, s3, names):
        at = manifest.completed_at or manifest.updated_at
        if manifest.error and (manifest.is_open or manifest.state == ABANDONED) and (at is None or at >= since):
            yield cause_of(manifest.error), Failure(manifest.manifest_id, at, manifest.error[:_TEXT_CHARS])


def failed_files(dynamodb: Any, names: Names, since: datetime) -> Iterator[tuple[Cause, Failure]]:
    """Those that are failed now, and have been since then."""
    projection, about = projected((Attr.FILE_KEY, Attr.ERROR, Attr.UPDATED_AT))
    request: Item = {
        "TableName": names.tracking_table,
        "IndexName": STATUS_INDEX,
        "KeyConditionExpression": "#status = :status",
        "ProjectionExpression": projection,
        "ExpressionAttributeNames": {**about, "#status": Attr.STATUS},
        "ExpressionAttributeValues": {":status": {"S": FAILED}},
    }
    for items, _ in pages_of(dynamodb, request):
        for item in items:
            at = _moment(item.get(Attr.UPDATED_AT))
            if at is None or at >= since:
                key, text = str(item[Attr.FILE_KEY]), str(item.get(Attr.ERROR) or "no reason recorded")
                yield cause_of(text.replace(key, "<file>")), Failure(key, at, text[:_TEXT_CHARS])


def _moment(text: Any) -> datetime | None:
    try:
        return parse_iso_utc(str(text))
    except ValueError:
        return None
