"""Ships what a run prints to CloudWatch Logs, as Glue does: its output and its errors, one stream a run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

OUTPUT_GROUP = "/aws-glue/jobs/output"
ERROR_GROUP = "/aws-glue/jobs/error"

_log = logging.getLogger("ndjctl.glue.logs")

_EVENTS_A_BATCH = 1000
_BYTES_A_BATCH = 900_000
_BYTES_AN_EVENT = 200_000
_READ_BYTES = 1 << 20


class LogTail:
    """Follows one growing file into one log stream, in order. Best effort: the file stays, whatever becomes of it."""

    def __init__(
        self, client: Any, group: str, stream: str, path: Path, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._group = group
        self._stream = stream
        self._path = path
        self._clock = clock
        self._offset = 0
        self._created = False

    def ship(self, *, ended: bool) -> None:
        """Sends the whole lines that are new; with `ended` also a last one without its line end.

        What ministack refuses is tried again at the next call, from the same place. Never raises.
        """
        try:
            while chunk := self._next_chunk(ended):
                self._send(chunk)
                self._offset += len(chunk)
        except Exception as error:
            _log.warning("logs of %s could not be shipped: %s", self._stream, error)

    def _next_chunk(self, ended: bool) -> bytes:
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._offset)
                chunk = stream.read(_READ_BYTES)
        except FileNotFoundError:
            return b""
        end = chunk.rfind(b"\n") + 1
        if end == 0 and (ended or len(chunk) == _READ_BYTES):
            return chunk
        return chunk[:end]

    def _send(self, chunk: bytes) -> None:
        if not self._created:
            self._create()
        timestamp = int(self._clock() * 1000)
        batch: list[dict[str, Any]] = []
        size = 0
        for line in chunk.splitlines():
            for start in range(0, max(len(line), 1), _BYTES_AN_EVENT):
                # CloudWatch Logs takes no empty message.
                piece = line[start : start + _BYTES_AN_EVENT] or b" "
                if len(batch) == _EVENTS_A_BATCH or size + len(piece) > _BYTES_A_BATCH:
                    self._put(batch)
                    batch, size = [], 0
                batch.append({"timestamp": timestamp, "message": piece.decode("utf-8", "replace")})
                size += len(piece) + 26
        if batch:
            self._put(batch)

    def _put(self, batch: list[dict[str, Any]]) -> None:
        self._client.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=batch)

    def _create(self) -> None:
        present = self._client.exceptions.ResourceAlreadyExistsException
        try:
            self._client.create_log_group(logGroupName=self._group)
        except present:
            pass
        try:
            self._client.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        except present:
            pass
        self._created = True
