"""Structured log: one JSON object a line on stdout, where Lambda collects it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime

from ndjctl.contracts import iso_utc

_RANKS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
_MAX_CHARS = 1100
"""Of one text; the longest key has 1024 bytes. An error of a library may quote whatever it was given."""


def write_stdout(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Log:
    """Writes lines with level, time, request_id, event and the fields given. Never a payload: keys, ids, numbers.

    Text is escaped to ASCII, so that no key can break a line or forge another.
    """

    def __init__(
        self, level: str, clock: Callable[[], datetime], write: Callable[[str], None], request_id: str
    ) -> None:
        self._threshold = _RANKS[level]
        self._clock = clock
        self._write = write
        self._request_id = request_id

    def _line(self, level: str, event: str, fields: dict[str, object]) -> None:
        if _RANKS[level] >= self._threshold:
            time = iso_utc(self._clock())
            told = {name: _bounded(value) for name, value in fields.items()}
            record = {"level": level, "time": time, "request_id": self._request_id, "event": event, **told}
            self._write(json.dumps(record, default=str))

    def debug(self, event: str, **fields: object) -> None:
        self._line("DEBUG", event, fields)

    def info(self, event: str, **fields: object) -> None:
        self._line("INFO", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._line("WARNING", event, fields)

    def error(self, event: str, error: BaseException | str, **fields: object) -> None:
        """`error` is told by its kind and message, with the place where it was raised, not by its traceback."""
        if isinstance(error, BaseException):
            frame = error.__traceback__
            while frame is not None and frame.tb_next is not None:
                frame = frame.tb_next
            if frame is not None:
                fields["raised_at"] = f"{frame.tb_frame.f_globals.get('__name__')}:{frame.tb_lineno}"
            error = f"{type(error).__name__}: {error}"
        self._line("ERROR", event, {**fields, "error": error})


def _bounded(value: object) -> object:
    if isinstance(value, str) and len(value) > _MAX_CHARS:
        return f"{value[: _MAX_CHARS - 3]}..."
    return value
