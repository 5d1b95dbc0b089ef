"""Lines of the function's log: which of them tell of an error, and what they say. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

OF_FILES = frozenset({"manifest_abandoned", "file_failed", "metric_not_written"})
"""Events of level ERROR that tell what became of a manifest or a file, and nothing of the function itself."""
NOT_UNDERSTOOD = frozenset({"message_not_understood", "record_not_understood"})
"""Of messages that are no S3 events: nothing but these messages fails."""
OF_MESSAGES = NOT_UNDERSTOOD | {"message_failed", "file_not_tracked"}
"""Of the taking of messages; all others are of the sweep, which also builds what an invocation with messages could not,
or of the invocation as a whole."""

_ERROR_LEVELS = ("ERROR", "CRITICAL")
_ERROR_TEXT = re.compile(r"^\[ERROR\]|Task timed out|Runtime exited|^[\w.]*(Error|Exception)\b")


def is_error(message: str) -> bool:
    """Whether a line of the function's log tells of an error: one of its own of that level, or what Lambda or Python
    write when an invocation ends in one."""
    fields = fields_of(message)
    if fields:
        return fields.get("level") in _ERROR_LEVELS
    return _ERROR_TEXT.search(message) is not None


def event_of(message: str) -> str:
    """The event of a line of ours; empty for a line of Lambda's or Python's."""
    return str(fields_of(message).get("event", ""))


def told_by(message: str) -> str:
    """What a line says went wrong: the `error` of ours, else its first line that is no heading of a traceback."""
    fields = fields_of(message)
    if fields:
        return str(fields.get("error") or fields.get("why") or fields.get("event") or "")
    lines = [line for line in message.splitlines() if line.strip()]
    return (lines[0] if lines else "").removeprefix("[ERROR] ").strip()


def fields_of(message: str) -> Mapping[str, Any]:
    """The fields of a line of ours; empty for any other."""
    if not message.startswith("{"):
        return {}
    try:
        fields = json.loads(message)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
