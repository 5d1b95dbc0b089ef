"""What a text of a failed run, a failed invocation or a failed file tells of its cause. Pure.

The causes themselves are in ndjctl.health.catalogue; what mends them, in ndjctl.health.remedies.
"""

from __future__ import annotations

import re

from ndjctl.health.catalogue import CAUSES, MESSAGE, NO_CAPACITY, RUN_TIMED_OUT, STOPPED, UNKNOWN
from ndjctl.health.cause import Cause
from ndjctl.health.log_lines import NOT_UNDERSTOOD, event_of, told_by

_BY_STATE = {"TIMEOUT": RUN_TIMED_OUT, "STOPPED": STOPPED, "EXPIRED": NO_CAPACITY}
_BY_CODE = {cause.code: cause for cause in (*CAUSES, UNKNOWN)}


_FILE = re.compile(r"s3a?://\S+\.ndjson\b")


def cause_of(text: str) -> Cause:
    """The cause that a text tells: of a run's ErrorMessage, a ledger's `error` or `reason`, or a log line. UNKNOWN
    where it is none of these. A file's URI in it tells nothing, whatever the file is called."""
    told = _FILE.sub("<file>", text)
    return next((cause for cause in CAUSES if cause.fits(told)), UNKNOWN)


def cause_of_run(state: str, message: str) -> Cause:
    """The cause of a run that did not succeed. state: as Glue has it: some of them say it all."""
    told = cause_of(message)
    if told is not UNKNOWN:
        return told
    return _BY_STATE.get(state, UNKNOWN)


def cause_of_line(message: str) -> Cause:
    """The cause that a line of the function's log tells, by its event where that says it."""
    return MESSAGE if event_of(message) in NOT_UNDERSTOOD else cause_of(told_by(message))


def cause_named(code: str) -> Cause:
    """Raises KeyError for a code that is none."""
    return _BY_CODE[code]


_KEPT_CHARS = 300
_BLANKS = re.compile(r"\s+")
_VARYING = (
    (re.compile(r"s3a?://\S+?(?=[:,;)]?(\s|$))"), "<uri>"),
    (re.compile(r"arn:aws[\w-]*:\S+?(?=[:,;)]?(\s|$))"), "<arn>"),
    (re.compile(r"\bjr_[0-9a-f]+(_attempt_\d+)?\b"), "<run>"),
    (re.compile(r"\b\d{8}T\d{6,9}Z-[0-9a-f]+\b"), "<manifest>"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?Z?)?"), "<time>"),
    (re.compile(r"\S+\.(ndjson|jsonl|parquet)\b"), "<file>"),
    (re.compile(r"0x[0-9a-f]+", re.IGNORECASE), "<n>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\d+([.,]\d+)*"), "<n>"),
)


def normalised(text: str) -> str:
    """A message without what differs from one time to the next (keys, URIs, ids, times, numbers), on one line: what
    messages of unknown causes are grouped by. At most 300 characters."""
    told = _BLANKS.sub(" ", text[: 8 * _KEPT_CHARS]).strip()
    for pattern, mark in _VARYING:
        told = pattern.sub(mark, told)
    return told if len(told) <= _KEPT_CHARS else told[: _KEPT_CHARS - 3] + "..."
