"""Asks the function for its sweep: what its schedule does, now."""

from __future__ import annotations

import json
from typing import Any

from ndjctl.contracts import ACTION, ACTION_FLUSH, ACTION_SWEEP, Names
from ndjctl.errors import CloudError
from ndjctl.health.reading_ledger import read_locks
from ndjctl.locks import BATCHING, Judged


def invoke_sweep(lambda_: Any, function: str, *, flush: bool = False, date: str | None = None) -> dict[str, Any]:
    """The report of the function's sweep (lambda_handler's Report.as_dict). flush: partial batches of any age are taken
    too, of `date` (YYYY-MM-DD) alone if it is given. Raises CloudError when the function itself fails."""
    event: dict[str, str] = {ACTION: ACTION_FLUSH if flush else ACTION_SWEEP}
    if date is not None:
        event["date"] = date
    answer = lambda_.invoke(FunctionName=function, Payload=json.dumps(event).encode())
    payload = answer["Payload"].read()
    if answer.get("FunctionError"):
        raise CloudError(f"The function {function} failed: {_error_message(payload)}.")
    try:
        report = json.loads(payload)
    except ValueError as error:
        raise CloudError(f"The function {function} answered no JSON: {payload[:200]!r}.") from error
    if not isinstance(report, dict):
        raise CloudError(f"The function {function} answered no report: {payload[:200]!r}.")
    return report


def locked_dates(dynamodb: Any, names: Names, ttl_s: float, date: str | None) -> tuple[Judged, ...]:
    """The batching locks that are held now, of `date` alone if it is given: a sweep leaves those dates as they are. One
    page. ttl_s: how long a lease lasts, in seconds."""
    held = read_locks(dynamodb, names, ttl_s)
    return tuple(each for each in held if each.lock.kind == BATCHING and date in (None, each.lock.subject))


def _error_message(payload: bytes) -> str:
    try:
        document = json.loads(payload)
        return f"{document.get('errorType', 'error')}: {document.get('errorMessage', '')}".rstrip(". ")
    except (ValueError, AttributeError):
        return repr(payload[:200])
