"""Entry point of the function: SQS batches of S3 notifications, the sweep's schedule, changes of a run's state, and the
tool's actions."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from lambda_handler.config import ConfigError, settings_from
from lambda_handler.events import BadMessage, Decoded, decode
from lambda_handler.log import Log, write_stdout
from lambda_handler.report import Report
from lambda_handler.services import Invocation, Services
from lambda_handler.sweep import build_after_messages, sweep, take_run_event
from lambda_handler.tracking import track
from ndjctl.contracts import ACTION, ACTION_FLUSH, ACTION_SWEEP, PENDING

_SCHEDULE = "Scheduled Event"
_RUN_STATE = "Glue Job State Change"


class UnknownInvocation(Exception):
    """The function was invoked with something that it has no work for."""


def handle(event: Any, context: Any) -> dict[str, Any]:
    """What Lambda calls. An SQS batch: {"batchItemFailures": [...]}; a sweep or flush: see Report.as_dict.

    Raises ConfigError when the environment is unusable (all messages then come back), UnknownInvocation, ValueError for
    a flush of no date."""
    try:
        services = _services()
    except ConfigError as error:
        # Without settings there is no level to log at.
        log = Log("DEBUG", Services.clock, write_stdout, str(getattr(context, "aws_request_id", "")))
        log.error("configuration_unusable", str(error))
        raise
    return dispatch(event, context, services)


@lru_cache(maxsize=1)
def _services() -> Services:
    return Services(settings_from(os.environ))


def dispatch(event: Any, context: Any, services: Services) -> dict[str, Any]:
    """One invocation with the given services; results and errors as of `handle`."""
    inv = Invocation(services, _request_id(context, services), _remaining_of(context))
    try:
        return _route(event, inv)
    except Exception as error:
        inv.log.error("invocation_failed", error)
        raise
    finally:
        inv.counters.flush(inv)
        inv.signals.publish(inv)


def _route(event: Any, inv: Invocation) -> dict[str, Any]:
    if isinstance(event, Mapping):
        records = event.get("Records")
        if isinstance(records, list) and all(_is_sqs(record) for record in records):
            return _take_messages(inv, records)
        action = event.get(ACTION)
        if event.get("detail-type") == _SCHEDULE or action == ACTION_SWEEP:
            return sweep(inv)
        if event.get("detail-type") == _RUN_STATE:
            return _take_run_state(inv, event.get("detail"))
        if action == ACTION_FLUSH:
            return sweep(inv, flush=True, flush_date=_date(event.get("date")))
    raise UnknownInvocation("this function takes SQS batches, its schedule, and the actions sweep and flush")


def _take_run_state(inv: Invocation, detail: Any) -> dict[str, Any]:
    """Raises UnknownInvocation for an event that names no run. One of another job is none of ours."""
    run_id = detail.get("jobRunId") if isinstance(detail, Mapping) else None
    if not isinstance(run_id, str) or not run_id:
        raise UnknownInvocation("the state change names no run of a job")
    if detail.get("jobName") != inv.settings.glue_job_name:
        inv.log.debug("run_of_another_job", run_id=run_id)
        return Report().as_dict()
    return take_run_event(inv, run_id)


def _take_messages(inv: Invocation, messages: list[Mapping[str, Any]]) -> dict[str, Any]:
    failed: list[str] = []
    touched: set[str] = set()
    for message in messages:
        message_id = str(message["messageId"])
        try:
            done = not inv.short_of_time() and _take_message(inv, message_id, str(message.get("body", "")), touched)
        except Exception as error:
            inv.log.error("message_failed", error, message_id=message_id)
            done = False
        if not done:
            failed.append(message_id)
    if touched:
        try:
            build_after_messages(inv)
        except Exception as error:
            # The files are in the ledger: the sweep builds what this could not.
            inv.log.error("batching_failed", error)
    inv.log.info("messages_taken", messages=len(messages), failed=len(failed), dates=sorted(touched))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _take_message(inv: Invocation, message_id: str, body: str, touched: set[str]) -> bool:
    """Tracks every object of the message. False when it has to come back, in the end to the dead-letter queue."""
    try:
        decoded: Decoded = decode(body)
    except BadMessage as error:
        inv.log.error("message_not_understood", str(error), message_id=message_id)
        return False
    for ignored in decoded.ignored:
        inv.log.info("record_ignored", event_name=ignored.event_name, file_key=ignored.file_key, why=ignored.why)
    for problem in decoded.problems:
        inv.log.error("record_not_understood", problem, message_id=message_id)
    failures = len(decoded.problems)
    for created in decoded.created:
        try:
            tracked = track(inv, created)
        except Exception as error:
            inv.log.error("file_not_tracked", error, file_key=created.key, message_id=message_id)
            failures += 1
        else:
            if tracked is not None and tracked.status == PENDING:
                touched.add(tracked.date)
    return failures == 0


def _is_sqs(record: Any) -> bool:
    return isinstance(record, Mapping) and record.get("eventSource") == "aws:sqs"


def _date(value: Any) -> str | None:
    """Raises ValueError for what is no YYYY-MM-DD."""
    if value is None:
        return None
    if not isinstance(value, str) or len(value) != 10:
        raise ValueError(f"date {value!r} is not YYYY-MM-DD")
    datetime.strptime(value, "%Y-%m-%d")  # noqa: DTZ007 - a date, no moment
    return value


def _request_id(context: Any, services: Services) -> str:
    return str(getattr(context, "aws_request_id", "") or services.entropy(32))


def _remaining_of(context: Any) -> Callable[[], float]:
    """Seconds that the invocation has left; without end where nothing says so."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return (lambda: remaining() / 1000) if callable(remaining) else (lambda: math.inf)
