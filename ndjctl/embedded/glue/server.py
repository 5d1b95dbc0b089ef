"""Glue's protocol over HTTP: one POST an operation, JSON in and out, errors by name."""

from __future__ import annotations

import json
import logging
import socket
import uuid
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ndjctl.embedded.call_checks import glue_checks
from ndjctl.embedded.call_log import TOKEN_HEADER, CallLog
from ndjctl.embedded.gate import why_refused
from ndjctl.embedded.glue.errors import INTERNAL, SERIALIZATION, UNKNOWN_OPERATION, GlueError
from ndjctl.embedded.glue.operations import Operations
from ndjctl.embedded.glue.scope import scope_of

_log = logging.getLogger("ndjctl.glue")

_TARGET_PREFIX = "AWSGlue."
_MOST_BYTES = 4 * 1024 * 1024
_CONTENT_TYPE = "application/x-amz-json-1.1"


class GlueServer(ThreadingHTTPServer):
    """Serves operations on a socket that listens already. health: what GET /health answers. calls: records requests."""

    daemon_threads = True

    def __init__(
        self,
        listener: socket.socket,
        operations: Operations,
        health: Callable[[], dict[str, Any]],
        calls: CallLog | None = None,
    ) -> None:
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.operations = operations
        self.health = health
        self.calls = calls


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: GlueServer
    timeout = 75
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged; failures are, where they happen."""

    def do_GET(self) -> None:
        if self._refuse_strangers():
            return
        if self.path == "/health":
            self._answer(200, self.server.health())
        else:
            self._answer(404, {"message": f"there is no {self.path} here"})

    def do_POST(self) -> None:
        if self._refuse_strangers():
            return
        at = self.server.calls.now() if self.server.calls else None
        operation, request = "", None
        try:
            body = self._body()
            target = self.headers.get("X-Amz-Target", "")
            if not target.startswith(_TARGET_PREFIX):
                raise GlueError(
                    UNKNOWN_OPERATION, f"X-Amz-Target is {target!r}, and must be {_TARGET_PREFIX}<operation>"
                )
            operation = target.removeprefix(_TARGET_PREFIX)
            request = _parsed(body)
            response = self.server.operations.call(scope_of(self._lower_headers()), operation, request)
            status = 200
        except GlueError as error:
            status, response = 400, {"__type": error.code, "message": error.message}
        except Exception as error:
            _log.exception("%s failed", self.headers.get("X-Amz-Target"))
            status, response = 500, {"__type": INTERNAL, "message": f"{type(error).__name__}: {error}"}
        if at is not None and operation:
            self._record(at, operation, request, status)
        self._answer(status, response)

    def _record(self, at: datetime, operation: str, request: Any, status: int) -> None:
        scope = scope_of(self._lower_headers())
        assert self.server.calls is not None  # noqa: S101 - for the type checker
        self.server.calls.write_checks(
            glue_checks(operation, request, account=scope.account_id, region=scope.region),
            at=at,
            account=scope.account_id,
            region=scope.region,
            service="glue",
            operation=operation,
            status=status,
            token=self.headers.get(TOKEN_HEADER, ""),
        )

    def _refuse_strangers(self) -> bool:
        reason = why_refused(self._lower_headers())
        if reason is not None:
            self.close_connection = True
            self._answer(403, {"message": reason})
        return reason is not None

    def _lower_headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            # What follows is of unknown length: nothing more can be read from this connection.
            self.close_connection = True
            raise GlueError(SERIALIZATION, f"a body must have a Content-Length of {_MOST_BYTES} bytes at most")
        return self.rfile.read(int(length))

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", _CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise GlueError(SERIALIZATION, f"the body is not JSON: {error}") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
