"""One line of a log: what it says, whether it is a JSON line of ours or anybody's text. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, NamedTuple

from ndjctl.contracts import parse_iso_utc

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_PLATFORM = ("INIT_START", "START RequestId", "END RequestId", "REPORT RequestId", "EXTENSION", "TELEMETRY")
"""How the lines begin that Lambda itself writes for each invocation."""
_ERRORS = ("[ERROR]", "Traceback (most recent call last)", "ERROR ")
_TIMED_OUT = " Task timed out after "


class RawEvent(NamedTuple):
    """An event as CloudWatch Logs gives it. at_ms: epoch milliseconds."""

    event_id: str
    at_ms: int
    group: str
    stream: str
    message: str


@dataclass(frozen=True)
class Line:
    """at: when it was written, UTC: by its own word where it has one, else by CloudWatch's. level: one of LEVELS; empty
    where the line has none. event: of a JSON line of ours, else empty. fields: its other members. message: the line as
    it is, without its end. is_platform: one that Lambda itself writes for an invocation."""

    at: datetime
    level: str
    event: str
    fields: Mapping[str, Any]
    raw: RawEvent
    message: str
    is_platform: bool = field(default=False)


def line_of(raw: RawEvent) -> Line:
    """What an event says. Whatever is no JSON line of ours is taken as text."""
    message = raw.message.rstrip("\r\n")
    at = datetime.fromtimestamp(raw.at_ms / 1000, timezone.utc)
    record = _record(message)
    if record is not None:
        fields = {name: value for name, value in record.items() if name not in ("time", "level", "event")}
        own, level = _moment(record.get("time")), str(record.get("level", "")).upper()
        return Line(own or at, level if level in LEVELS else "", str(record["event"]), fields, raw, message)
    is_error = message.startswith(_ERRORS) or _TIMED_OUT in message
    return Line(at, "ERROR" if is_error else "", "", {}, raw, message, message.startswith(_PLATFORM))


def _record(message: str) -> dict[str, Any] | None:
    if not message.startswith("{"):
        return None
    try:
        record = json.loads(message)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("event"), str) else None


def _moment(text: Any) -> datetime | None:
    try:
        return parse_iso_utc(str(text))
    except ValueError:
        return None


def has_text(line: Line, text: str) -> bool:
    """Whether a line has `text` in it, taken literally, letters of either size. Also where it was escaped in JSON."""
    wanted = text.casefold()
    if wanted in line.message.casefold():
        return True
    return any(wanted in str(value).casefold() for value in (line.event, *line.fields.values()))
