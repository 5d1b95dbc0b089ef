"""Starts of runs of the Glue job, in the order of their manifests' age, and what Glue knows of runs.

A start is announced in the manifest's item before StartJobRun is called and settled after it. So two sweeps do not
start the same manifest, and an announcement that was never settled says that a run may be in flight unrecorded: only
then is the list of runs searched for it.

A start that is refused for want of room ends the pass: the others would be refused too. One that is refused for a
reason of its manifest's own is tried again after a pause that grows, and given up after MOST_REFUSALS in a row, about
two hours; those behind it start meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any

from botocore.exceptions import ClientError

from lambda_handler import metrics
from lambda_handler.budget import Budget
from lambda_handler.dynamo import ABSENT, Item, error_code
from lambda_handler.manifests import manifest_id_of, open_manifests, update_open
from lambda_handler.report import Report
from lambda_handler.services import Invocation
from ndjctl.contracts import CLAIMING, READY, STARTED, Attr, JobArg, parse_iso_utc

START_UNSETTLED_S = 120
"""An announced start is another invocation's business until this old, and a run may be unknown to GetJobRun as long: a
minute, and another for clocks that differ."""
RETRY_GRACE_S = 30
"""How long after a run's end Glue itself is given to start the next attempt (MaxRetries)."""
MOST_REFUSALS = 12

_WAITING = (CLAIMING, READY)
_LONGEST_PAUSE_S = 600
_MOST_UNANSWERED = 3
"""Starts without an answer in one pass, after which Glue itself is taken to be in trouble."""

_CLOCK_SKEW_S = 120
_RUN_PAGES = 5
_RUNS_PER_PAGE = 100
_ERROR_CHARS = 1000

ENDED = {"SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED", "ERROR", "EXPIRED"}
_NO_ROOM = {
    "ConcurrentRunsExceededException",
    "ResourceNumberLimitExceededException",
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "RequestLimitExceeded",
}
_SAME_FOR_ALL = {
    "EntityNotFoundException",
    "AccessDeniedException",
    "UnrecognizedClientException",
    "ExpiredTokenException",
}
"""Errors of the job or of the rights to it: the next manifest would meet them too."""
_MAYBE_ACCEPTED = {"InternalServiceException", "OperationTimeoutException", "InternalFailure", "ServiceUnavailable"}


@dataclass(frozen=True)
class Queue:
    """The open manifests once those that could be have been started. waiting: that have no run yet. running: that have
    one. has_room: whether another could be started, as far as is known. held: of the waiting, by the day's budget."""

    waiting: int
    running: int
    has_room: bool
    held: int = 0


class _Start(Enum):
    STARTED = "started"
    NOT_NOW = "not now"  # for a reason of this manifest's own
    NO_ROOM = "no room"  # for any manifest
    HELD = "held"  # by the budget of the day
    NO_ANSWER = "no answer"


def count_waiting(inv: Invocation) -> int:
    return sum(item[Attr.STATE] in _WAITING for item in open_manifests(inv))


def start_waiting(inv: Invocation, report: Report, at_once: bool = False) -> Queue:
    """Starts READY manifests, oldest first, until there is no room. at_once: those too that were refused a moment ago.
    Never raises for one manifest."""
    waiting, running, unanswered, has_room = 0, 0, 0, True
    budget = Budget(inv)
    for item in open_manifests(inv):
        if item[Attr.STATE] not in _WAITING:
            running += 1
            continue
        waiting += 1
        if item[Attr.STATE] != READY or Attr.GIVEN_UP_AT in item or not has_room:
            continue
        if inv.short_of_time():
            report.cut_short, has_room = True, False
            continue
        try:
            start = _start(inv, item, report, budget, at_once)
        except Exception as error:
            inv.log.error("start_failed", error, manifest_id=manifest_id_of(item))
            report.failed(manifest_id_of(item), f"{type(error).__name__}: {error}", given_up=False)
            start = _Start.NO_ANSWER
        if start is _Start.STARTED:
            waiting, running = waiting - 1, running + 1
        unanswered += start is _Start.NO_ANSWER
        has_room = start is not _Start.NO_ROOM and unanswered < _MOST_UNANSWERED
    budget.record()
    report.measured(budget.as_dict(), budget.held)
    return Queue(waiting, running, has_room and not budget.held, budget.held)


def _start(inv: Invocation, item: Item, report: Report, budget: Budget, at_once: bool) -> _Start:
    manifest_id = manifest_id_of(item)
    as_read = {name: item.get(name, ABSENT) for name in (Attr.STATE, Attr.START_REQUESTED_AT, Attr.REFUSED_AT)}
    attempt, refusals = int(item[Attr.ATTEMPT]), int(item.get(Attr.REFUSALS, 0))
    if Attr.START_REQUESTED_AT in item:
        requested_at = parse_iso_utc(item[Attr.START_REQUESTED_AT])
        if inv.now() < requested_at + timedelta(seconds=_pause_s(refusals)):
            return _Start.NOT_NOW
        run_id = _unrecorded_run(inv, item, requested_at)
        if run_id:
            _settle(inv, manifest_id, as_read, run_id, report)
            return _Start.STARTED
        refusals += 1
    else:
        if Attr.REFUSED_AT in item and not at_once:
            again_at = parse_iso_utc(item[Attr.REFUSED_AT]) + timedelta(seconds=_pause_s(refusals - 1))
            if inv.now() < again_at:
                return _Start.NOT_NOW
        attempt += 1
    if not budget.allows():
        return _Start.HELD
    announced = {
        Attr.STATE: READY,
        Attr.START_REQUESTED_AT: inv.now_iso(),
        Attr.ATTEMPT: attempt,
        Attr.REFUSALS: refusals,
    }
    if not update_open(inv, manifest_id, announced, {**as_read, Attr.GIVEN_UP_AT: ABSENT}):
        return _Start.NOT_NOW
    try:
        answer = inv.services.glue.start_job_run(
            JobName=inv.settings.glue_job_name, Arguments={f"--{JobArg.MANIFEST_PATH}": item[Attr.MANIFEST_PATH]}
        )
    except ClientError as error:
        return _refused(inv, manifest_id, announced, error, report)
    budget.started()
    inv.counters.add(item[Attr.DATE], metrics.RUNS_STARTED)
    inv.log.info("run_started", manifest_id=manifest_id, run_id=answer["JobRunId"], attempt=attempt)
    _settle(inv, manifest_id, announced, answer["JobRunId"], report)
    return _Start.STARTED


def _pause_s(refusals: int) -> float:
    """How long to leave a manifest alone after so many starts in a row that led to no run: it must not be in the way of
    others at every sweep."""
    return float(min(START_UNSETTLED_S << refusals, _LONGEST_PAUSE_S))


def _settle(inv: Invocation, manifest_id: str, announced: Item, run_id: str, report: Report) -> None:
    change = {Attr.STATE: STARTED, Attr.RUN_ID: run_id, Attr.STARTED_AT: inv.now_iso()}
    remove = (Attr.START_REQUESTED_AT, Attr.ERROR, Attr.REFUSALS, Attr.REFUSED_AT)
    if not update_open(inv, manifest_id, change, announced, remove):
        inv.log.debug("run_was_quicker", manifest_id=manifest_id, run_id=run_id)
    report.started(manifest_id, run_id)


def _refused(inv: Invocation, manifest_id: str, announced: Item, error: ClientError, report: Report) -> _Start:
    code = error_code(error)
    if code in _MAYBE_ACCEPTED or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) >= 500:
        raise error  # the announcement stands: a later sweep looks for the run
    text = told(str(error))
    # The attempt was none. The announcement goes, so that the next sweep may try at once.
    change: Item = {Attr.ATTEMPT: announced[Attr.ATTEMPT] - 1}
    if code in _NO_ROOM:
        inv.log.info("run_waits", manifest_id=manifest_id, why=code)
        update_open(inv, manifest_id, change, announced, remove=(Attr.START_REQUESTED_AT,))
        return _Start.NO_ROOM
    inv.log.error("run_refused", text, manifest_id=manifest_id)
    change[Attr.ERROR] = text
    if code in _SAME_FOR_ALL:
        report.failed(manifest_id, text, given_up=False)
        update_open(inv, manifest_id, change, announced, remove=(Attr.START_REQUESTED_AT,))
        return _Start.NO_ROOM
    change |= {Attr.REFUSALS: announced[Attr.REFUSALS] + 1, Attr.REFUSED_AT: inv.now_iso()}
    if change[Attr.REFUSALS] >= MOST_REFUSALS:
        # The next sweep fails its files and closes it.
        change[Attr.GIVEN_UP_AT] = inv.now_iso()
    report.failed(manifest_id, text, given_up=False)
    update_open(inv, manifest_id, change, announced, remove=(Attr.START_REQUESTED_AT,))
    return _Start.NOT_NOW


def _unrecorded_run(inv: Invocation, item: Item, requested_at: datetime) -> str | None:
    """The run that an unsettled start of this manifest led to, in flight or ended; None when there is none."""
    since = requested_at - timedelta(seconds=_CLOCK_SKEW_S)
    before = str(item.get(Attr.RUN_ID, ""))
    for run in _runs_since(inv, since):
        if run.get("Arguments", {}).get(f"--{JobArg.MANIFEST_PATH}") != item[Attr.MANIFEST_PATH]:
            continue
        # Not the run of the attempt before, nor a retry of it by Glue, nor anything older.
        if run["Id"] == _base_id(before):
            return None
        if _base_id(run["Id"]) != _base_id(before):
            return str(run["Id"])
    return None


def _runs_since(inv: Invocation, since: datetime) -> Iterator[dict[str, Any]]:
    """Glue lists the newest runs first."""
    request: dict[str, Any] = {"JobName": inv.settings.glue_job_name, "MaxResults": _RUNS_PER_PAGE}
    for _ in range(_RUN_PAGES):
        answer = inv.services.glue.get_job_runs(**request)
        for run in answer.get("JobRuns", []):
            if run.get("StartedOn") is not None and _utc(run["StartedOn"]) < since:
                return
            yield run
        if not answer.get("NextToken"):
            return
        request["NextToken"] = answer["NextToken"]


def last_attempt(inv: Invocation, run_id: str) -> dict[str, Any] | None:
    """The run, or the last of the retries that Glue itself made of it (<id>_attempt_<n>); None when it is unknown."""
    run = get_run(inv, run_id)
    latest = run
    while latest is not None and latest["JobRunState"] in ENDED - {"SUCCEEDED"}:
        run = latest
        latest = get_run(inv, _next_attempt_id(latest["Id"]))
    return latest or run


def get_run(inv: Invocation, run_id: str) -> dict[str, Any] | None:
    try:
        run: dict[str, Any] = inv.services.glue.get_job_run(JobName=inv.settings.glue_job_name, RunId=run_id)["JobRun"]
    except ClientError as error:
        if error_code(error) == "EntityNotFoundException":
            return None
        raise
    return run


def may_be_retried(inv: Invocation, run: dict[str, Any], state: str) -> bool:
    if state in ("SUCCEEDED", "STOPPED") or run.get("CompletedOn") is None:
        return False
    return inv.now() < _utc(run["CompletedOn"]) + timedelta(seconds=RETRY_GRACE_S)


def _base_id(run_id: str) -> str:
    return re.sub(r"_attempt_\d+$", "", run_id)


def _next_attempt_id(run_id: str) -> str:
    match = re.search(r"_attempt_(\d+)$", run_id)
    return f"{_base_id(run_id)}_attempt_{int(match.group(1)) + 1 if match else 1}"


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(timezone.utc)


def told(text: str) -> str:
    return text if len(text) <= _ERROR_CHARS else text[: _ERROR_CHARS - 3] + "..."
