"""Log lines: one JSON object each, on stderr. They name keys, counts and errors, never the content of a record."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, TextIO

from ndjctl.contracts import iso_utc

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


class Log:
    """Writes events of at least `level`. common: fields that every line carries."""

    def __init__(
        self,
        level: str = "INFO",
        stream: TextIO | None = None,
        clock: Callable[[], datetime] = utc_now,
        common: dict[str, Any] | None = None,
    ) -> None:
        self._least = LEVELS.index(level)
        self._stream = stream
        self._clock = clock
        self.common = dict(common or {})

    def debug(self, event: str, **fields: Any) -> None:
        self._write("DEBUG", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._write("INFO", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._write("WARNING", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._write("ERROR", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        if LEVELS.index(level) < self._least:
            return
        line = {"time": iso_utc(self._clock()), "level": level, "event": event, **self.common, **fields}
        stream = self._stream or sys.stderr
        stream.write(json.dumps(line, ensure_ascii=True, default=str) + "\n")
        stream.flush()
