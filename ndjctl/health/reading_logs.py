"""Reads the function's log for what tells of errors, and for proof that it works again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
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
"""Pages of a pattern that the quick look reads. A page may be empty though there are more: CloudWatch ends it after the
time that it may take."""
LINES_PER_PAGE = 100
CALLS = len(PATTERNS) * PAGES + 2
"""With the one that looks for success and the one for starts that were refused for want of room."""

_MESSAGE_CHARS = 2_000


def read_errors(logs: Any, group: str, since: datetime, *, pages: int = PAGES) -> LogLines:
    """Lines that tell of an error since then, without those of OF_FILES, in their order; and when the function was seen
    to work after the last of them. pages: of each pattern, at most."""
    lines: dict[tuple[datetime, str], LogLine] = {}
    is_whole = True
    for pattern in PATTERNS:
        found, pattern_is_whole = _page_through(logs, group, since, pattern, pages)
        is_whole &= pattern_is_whole
        lines |= {(line.at, line.message): line for line in found if is_error(line.message)}
    kept = sorted(lines.values(), key=lambda line: line.at)
    errors = [line for line in kept if event_of(line.message) not in OF_FILES]
    waits, _ = _page_through(logs, group, since, "run_waits", 1)
    told = LogLines(tuple(errors), is_whole, since, waits=tuple(waits))
    return replace(told, recovered_at=_recovered(logs, group, errors)) if errors else told


def _page_through(logs: Any, group: str, since: datetime, pattern: str, pages: int) -> tuple[list[LogLine], bool]:
    request: dict[str, Any] = {
        "logGroupName": group,
        "startTime": int(since.timestamp() * 1000),
        "filterPattern": pattern,
        "limit": LINES_PER_PAGE,
    }
    found: list[LogLine] = []
    for _ in range(pages):
        answer = logs.filter_log_events(**request)
        found += [line_of(event) for event in answer.get("events", [])]
        if not answer.get("nextToken"):
            return found, True
        request["nextToken"] = answer["nextToken"]
    return found, False


def _recovered(logs: Any, group: str, errors: list[LogLine]) -> datetime | None:
    """The first success of the last error's kind after it."""
    last = errors[-1]
    wanted = "messages_taken" if event_of(last.message) in OF_MESSAGES else "sweep_done"
    found, _ = _page_through(logs, group, last.at, wanted, 1)
    for line in sorted(found, key=lambda line: line.at):
        if line.at > last.at and _is_success(fields_of(line.message)):
            return line.at
    return None


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
