"""Reads the function's log for what tells of errors, and for proof that it works again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from ndjctl.contracts import parse_iso_utc
from ndjctl.health.facts import LogLine, LogLines
from ndjctl.health.log_lines import OF_FILES, OF_MESSAGES, event_of, fields_of, is_error

BACK_S = 900.0
"""How far back the quick look reads it: what went wrong before that and not since, is over."""

PATTERNS = ("ERROR", '"Task timed out"', '"Runtime exited"')
"""What CloudWatch is asked for, one after the other: its syntax for either of several terms is not everywhere the
same."""

PAGES = 2
"""Pages of a pattern that the quick look reads at most. A page may be empty though there are more: CloudWatch ends it
after the time that it may take."""
MOST_PAGES = 5
"""Of all patterns together, in their order."""
LINES_PER_PAGE = 100
_SUCCESSES = {True: "messages_taken", False: "sweep_done"}
"""What proves that messages are taken again, and that the rest works again."""
CALLS = MOST_PAGES + len(_SUCCESSES) + 1
"""With those that look for success, and the one for starts that were refused for want of room."""

_MESSAGE_CHARS = 2_000


def read_errors(logs: Any, group: str, since: datetime) -> LogLines:
    """Lines that tell of an error since then, without those of OF_FILES, in their order. Errors of messages count until
    messages were taken without one, all others until a sweep went well: what mends one of them says nothing of the
    other."""
    lines: dict[tuple[datetime, str], LogLine] = {}
    is_whole, left = True, MOST_PAGES
    for pattern in PATTERNS:
        found, pattern_is_whole, pages = _page_through(logs, group, since, pattern, min(PAGES, left))
        is_whole, left = is_whole and pattern_is_whole, left - pages
        lines |= {(line.at, line.message): line for line in found if is_error(line.message)}
    kept = sorted(lines.values(), key=lambda line: line.at)
    errors = [line for line in kept if event_of(line.message) not in OF_FILES]
    waits, _, _ = _page_through(logs, group, since, "run_waits", 1)
    open_errors: list[LogLine] = []
    for is_of_messages, success in _SUCCESSES.items():
        alike = [line for line in errors if (event_of(line.message) in OF_MESSAGES) is is_of_messages]
        if alike and not _is_made_good(logs, group, alike[-1], success):
            open_errors += alike
    return LogLines(tuple(sorted(open_errors, key=lambda line: line.at)), is_whole, since, waits=tuple(waits))


def _page_through(logs: Any, group: str, since: datetime, pattern: str, pages: int) -> tuple[list[LogLine], bool, int]:
    """(the lines, whether there are no more, how many pages were read)"""
    request: dict[str, Any] = {
        "logGroupName": group,
        "startTime": int(since.timestamp() * 1000),
        "filterPattern": pattern,
        "limit": LINES_PER_PAGE,
    }
    found: list[LogLine] = []
    for number in range(1, pages + 1):
        answer = logs.filter_log_events(**request)
        found += [line_of(event) for event in answer.get("events", [])]
        if not answer.get("nextToken"):
            return found, True, number
        request["nextToken"] = answer["nextToken"]
    return found, False, pages


def _is_made_good(logs: Any, group: str, last: LogLine, success: str) -> bool:
    """Whether another invocation than that of the last error of its kind has ended well after it: a sweep that could
    not build a date ends all the same."""
    found, _, _ = _page_through(logs, group, last.at, success, 1)
    return any(
        line.at > last.at
        and not (line.request_id and line.request_id == last.request_id)
        and _is_success(fields_of(line.message))
        for line in found
    )


def _is_success(fields: Mapping[str, Any]) -> bool:
    if fields.get("event") == "sweep_done":
        return fields.get("failed") == 0
    return fields.get("event") == "messages_taken" and fields.get("failed") == 0 and int(fields.get("messages", 0)) > 0


def line_of(event: Mapping[str, Any]) -> LogLine:
    """event: of CloudWatch Logs."""
    message = str(event.get("message", "")).rstrip()[:_MESSAGE_CHARS]
    at = datetime.fromtimestamp(int(event["timestamp"]) / 1000, timezone.utc)
    fields = fields_of(message)
    request_id = str(fields.get("request_id", "")) or _request_id(message)
    return LogLine(_moment(fields) or at, message, request_id)


def _moment(fields: Mapping[str, Any]) -> datetime | None:
    """By the line itself: what ships logs may stamp a batch of lines with one time."""
    try:
        return parse_iso_utc(str(fields["time"]))
    except (KeyError, ValueError):
        return None


def _request_id(message: str) -> str:
    found = re.search(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", message)
    return found[0] if found else ""


def since_of(now: datetime, back_s: float = BACK_S) -> datetime:
    return now - timedelta(seconds=back_s)


def pages_of_errors(logs: Any, group: str, since: datetime) -> Iterator[LogLine]:
    """Every line that tells of an error since then, read page by page, of one pattern after the other; a line that
    fits two of them comes twice. Those of OF_FILES are among them."""
    for pattern in PATTERNS:
        request: dict[str, Any] = {
            "logGroupName": group,
            "startTime": int(since.timestamp() * 1000),
            "filterPattern": pattern,
        }
        while True:
            answer = logs.filter_log_events(**request)
            for event in answer.get("events", []):
                line = line_of(event)
                if is_error(line.message):
                    yield line
            if not answer.get("nextToken"):
                break
            request["nextToken"] = answer["nextToken"]
