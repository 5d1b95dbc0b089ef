"""Runs of the Glue job: started in the order of their manifests' age, followed to their end, retried up to the limit.

A start is announced in the manifest's item before StartJobRun is called and settled after it. So two sweeps do not
start the same manifest, and an announcement that was never settled says that a run may be in flight unrecorded: only
then is the list of runs searched for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from botocore.exceptions import ClientError

from lambda_handler import metrics
from lambda_handler.dynamo import ABSENT, Item, error_code
from lambda_handler.manifests import (
    GIVEN_UP_AT,
    START_REQUESTED_AT,
    close,
    fail_file,
    manifest_id_of,
    open_manifests,
    read_open,
    unfinished_files,
    update_open,
)
from lambda_handler.report import Report
from lambda_handler.services import Invocation
from ndjctl.contracts import ABANDONED, DONE, READY, STARTED, Attr, JobArg, ManifestFile, parse_iso_utc

START_UNSETTLED_S = 60
"""An announced start is another invocation's business until this old, and a run may be unknown to GetJobRun as long."""
RETRY_GRACE_S = 30
"""How long after a run's end Glue itself is given to start the next attempt (MaxRetries)."""

_CLOCK_SKEW_S = 120
_RUN_PAGES = 5
_RUNS_PER_PAGE = 100
_ERROR_CHARS = 1000

_ENDED = {"SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED", "ERROR", "EXPIRED"}
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


def start_waiting(inv: Invocation, report: Report) -> None:
    """Starts READY manifests, oldest first, until there is no room. Never raises for one manifest."""
    for item in open_manifests(inv):
        if inv.short_of_time():
            report.cut_short = True
            return
        if item[Attr.STATE] != READY:
            continue
        try:
            if not _start(inv, item, report):
                return
        except Exception as error:
            inv.log.error("start_failed", error, manifest_id=manifest_id_of(item))
            report.failed(manifest_id_of(item), f"{type(error).__name__}: {error}", given_up=False)


def _start(inv: Invocation, item: Item, report: Report) -> bool:
    """False: no use in trying the next manifest."""
    manifest_id = manifest_id_of(item)
    as_read = {Attr.STATE: READY, START_REQUESTED_AT: item.get(START_REQUESTED_AT, ABSENT)}
    attempt = int(item[Attr.ATTEMPT])
    if START_REQUESTED_AT in item:
        requested_at = parse_iso_utc(item[START_REQUESTED_AT])
        if inv.now() < requested_at + timedelta(seconds=START_UNSETTLED_S):
            return True
        run_id = _unrecorded_run(inv, item, requested_at)
        if run_id:
            _settle(inv, manifest_id, as_read, run_id, report)
            return True
    else:
        attempt += 1
    announced = {Attr.STATE: READY, START_REQUESTED_AT: inv.now_iso(), Attr.ATTEMPT: attempt}
    if not update_open(inv, manifest_id, announced, as_read):
        return True
    try:
        answer = inv.services.glue.start_job_run(
            JobName=inv.settings.glue_job_name, Arguments={f"--{JobArg.MANIFEST_PATH}": item[Attr.MANIFEST_PATH]}
        )
    except ClientError as error:
        return _refused(inv, manifest_id, announced, error, report)
    inv.counters.add(item[Attr.DATE], metrics.RUNS_STARTED)
    inv.log.info("run_started", manifest_id=manifest_id, run_id=answer["JobRunId"], attempt=attempt)
    _settle(inv, manifest_id, announced, answer["JobRunId"], report)
    return True


def _settle(inv: Invocation, manifest_id: str, announced: Item, run_id: str, report: Report) -> None:
    change = {Attr.STATE: STARTED, Attr.RUN_ID: run_id, Attr.STARTED_AT: inv.now_iso()}
    if not update_open(inv, manifest_id, change, announced, remove=(START_REQUESTED_AT, Attr.ERROR)):
        inv.log.debug("run_was_quicker", manifest_id=manifest_id, run_id=run_id)
    report.started(manifest_id, run_id)


def _refused(inv: Invocation, manifest_id: str, announced: Item, error: ClientError, report: Report) -> bool:
    code = error_code(error)
    if code in _MAYBE_ACCEPTED or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) >= 500:
        raise error  # the announcement stands: a later sweep looks for the run
    text = _told(str(error))
    # The attempt was none. The announcement goes, so that the next sweep may try at once.
    change: Item = {Attr.ATTEMPT: announced[Attr.ATTEMPT] - 1}
    if code in _NO_ROOM:
        inv.log.info("run_waits", manifest_id=manifest_id, why=code)
    else:
        change[Attr.ERROR] = text
        inv.log.error("run_refused", text, manifest_id=manifest_id)
        report.failed(manifest_id, text, given_up=False)
    update_open(inv, manifest_id, change, announced, remove=(START_REQUESTED_AT,))
    return code not in _NO_ROOM and code not in _SAME_FOR_ALL


def _unrecorded_run(inv: Invocation, item: Item, requested_at: datetime) -> str | None:
    """The run that an unsettled start of this manifest led to, in flight or ended; None when there is none."""
    since = requested_at - timedelta(seconds=_CLOCK_SKEW_S)
    before = str(item.get(Attr.RUN_ID, ""))
    for run in _runs_since(inv, since):
        if run.get("Arguments", {}).get(f"--{JobArg.MANIFEST_PATH}") != item[Attr.MANIFEST_PATH]:
            continue
        # Not the run of the attempt before, nor a retry of it by Glue.
        if not before or _base_id(run["Id"]) != _base_id(before):
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


def follow(inv: Invocation, summary: Item, report: Report) -> None:
    """Acts on the end of a STARTED or RUNNING manifest's run, if it has ended without closing its manifest."""
    manifest_id = manifest_id_of(summary)
    run_id = str(summary[Attr.RUN_ID])
    run = _last_attempt(inv, run_id)
    if run is None:
        started_at = parse_iso_utc(str(summary.get(Attr.STARTED_AT, summary[Attr.CREATED_AT])))
        if inv.now() < started_at + timedelta(seconds=START_UNSETTLED_S):
            return
        state, error = "LOST", f"Glue does not know the run {run_id}"
    else:
        state = str(run["JobRunState"])
        if state not in _ENDED or _may_be_retried(inv, run, state):
            return
        error = _told(f"run {run['Id']} ended {state}: {run.get('ErrorMessage') or 'no message'}")
    item = read_open(inv, manifest_id)
    if item is None or item.get(Attr.RUN_ID) != run_id or item[Attr.STATE] != summary[Attr.STATE]:
        return  # it has moved on since it was listed
    unfinished = unfinished_files(inv, item)
    if GIVEN_UP_AT in item:
        _give_up(inv, item, unfinished, str(item[Attr.ERROR]), report)
        return
    if not unfinished:
        if close(inv, item, DONE):
            inv.log.info("manifest_closed", manifest_id=manifest_id, run_id=run_id)
            report.repaired(manifest_id, DONE)
        return
    if state == "SUCCEEDED":
        error = f"run {run_id} ended SUCCEEDED, with {len(unfinished)} of its files unfinished"
    as_read = {name: item[name] for name in (Attr.STATE, Attr.RUN_ID, Attr.ATTEMPT)}
    if int(item[Attr.ATTEMPT]) < inv.settings.max_attempts:
        if update_open(inv, manifest_id, {Attr.STATE: READY, Attr.ERROR: error}, as_read, remove=(START_REQUESTED_AT,)):
            inv.log.warning("run_will_be_retried", manifest_id=manifest_id, run_id=run_id, why=error)
            report.repaired(manifest_id, READY)
        return
    # Said before it is done: a death half-way would otherwise leave files at rest and a manifest that looks done.
    given_up = {Attr.ERROR: error, GIVEN_UP_AT: inv.now_iso()}
    if update_open(inv, manifest_id, given_up, as_read):
        _give_up(inv, {**item, **given_up}, unfinished, error, report)


def _give_up(inv: Invocation, item: Item, unfinished: list[ManifestFile], error: str, report: Report) -> None:
    manifest_id = manifest_id_of(item)
    for file in unfinished:
        if inv.short_of_time():
            report.cut_short = True
            return
        fail_file(inv, item, file, error)
    if close(inv, item, ABANDONED):
        inv.log.error("manifest_abandoned", error, manifest_id=manifest_id, run_id=item[Attr.RUN_ID])
        report.failed(manifest_id, error, given_up=True)
        report.repaired(manifest_id, ABANDONED)


def _last_attempt(inv: Invocation, run_id: str) -> dict[str, Any] | None:
    """The run, or the last of the retries that Glue itself made of it (<id>_attempt_<n>); None when it is unknown."""
    run = _get_run(inv, run_id)
    latest = run
    while latest is not None and latest["JobRunState"] in _ENDED - {"SUCCEEDED"}:
        run = latest
        latest = _get_run(inv, _next_attempt_id(latest["Id"]))
    return latest or run


def _get_run(inv: Invocation, run_id: str) -> dict[str, Any] | None:
    try:
        run: dict[str, Any] = inv.services.glue.get_job_run(JobName=inv.settings.glue_job_name, RunId=run_id)["JobRun"]
    except ClientError as error:
        if error_code(error) == "EntityNotFoundException":
            return None
        raise
    return run


def _may_be_retried(inv: Invocation, run: dict[str, Any], state: str) -> bool:
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


def _told(text: str) -> str:
    return text if len(text) <= _ERROR_CHARS else text[: _ERROR_CHARS - 3] + "..."
