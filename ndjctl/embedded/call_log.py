"""A record of every AWS request that the embedded cloud was asked: who asked, for which action, on what.

One JSON object a line, one line for each action that IAM checks: a transaction of three items is three lines. Lines of
one request have its `request` in common. Nothing of a body is in it, and no credential.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from ndjctl.contracts import iso_utc
from ndjctl.embedded.call_checks import Check, Request, checks_of, operation_of
from ndjctl.embedded.callers import OTHER, caller_of
from ndjctl.embedded.environment import CALL_LOG
from ndjctl.embedded.gate import Application

VERSION = 1

_log = logging.getLogger("ndjctl.calls")

_MOST_BODY_BYTES = 20 * 1024 * 1024
_INTERNAL = ("/_ministack/", "/_ndjctl/", "/_localstack/")

TOKEN_HEADER = "x-amz-security-token"  # noqa: S105 - the name of a header


def _now() -> datetime:
    return datetime.now(timezone.utc)


class CallLog:
    """Adds to a file that other processes add to as well. Raises OSError when it cannot be opened."""

    def __init__(self, path: str, clock: Callable[[], datetime] = _now) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._clock = clock

    def now(self) -> datetime:
        return self._clock()

    def write(self, request: Request, *, at: datetime, status: int, token: str) -> None:
        """Adds the lines of a request. at: when it came. token: its session token."""
        self.write_checks(
            checks_of(request),
            at=at,
            account=request.account,
            region=request.region,
            service=request.service,
            operation=operation_of(request),
            status=status,
            token=token,
        )

    def write_checks(
        self,
        checks: Iterable[Check],
        *,
        at: datetime,
        account: str,
        region: str,
        service: str,
        operation: str,
        status: int,
        token: str,
    ) -> None:
        """As write, for a request that was understood elsewhere."""
        common = {
            "version": VERSION,
            "time": iso_utc(at),
            "request": uuid.uuid4().hex,
            "account": account,
            "region": region,
            "service": service,
            "operation": operation,
        }
        last = {"status": status, "caller": caller_of(token)}
        self._add({**common, "action": check.action, "resource": check.resource, **last} for check in checks)

    def write_hole(self, at: datetime) -> None:
        """Adds a line for a request of which nothing can be said."""
        self._add([{"version": VERSION, "time": iso_utc(at), "action": "unknown", "resource": "*", "caller": OTHER}])

    def _add(self, lines: Iterable[Mapping[str, Any]]) -> None:
        # At once, so that no line of another process comes into the middle.
        os.write(self._descriptor, "".join(f"{json.dumps(line)}\n" for line in lines).encode())


def opened_log(environ: Mapping[str, str]) -> CallLog | None:
    """The log that an environment asks for. Exits with a sentence when it cannot be written: a record with nothing in
    it would look like one of no calls."""
    path = environ.get(CALL_LOG)
    if not path:
        return None
    try:
        return CallLog(path)
    except OSError as error:
        sys.exit(f"{CALL_LOG} is {path}, which cannot be written: {error.strerror}")


def recording(application: Application, log: CallLog, understand: Callable[..., Request | None]) -> Application:
    """An ASGI application that records what the given one is asked and answers.

    understand: makes the Request of (scope, headers, body), in the context that the application served it in; None for
    what is no AWS request or is recorded elsewhere.
    """

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_INTERNAL):
            await application(scope, receive, send)
            return
        at = log.now()
        is_recorded = False
        parts: list[bytes] = []
        size = 0

        def record(status: int) -> None:
            nonlocal is_recorded
            is_recorded = True
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
            try:
                request = understand(scope, headers, b"".join(parts) if size <= _MOST_BODY_BYTES else b"")
                if request is not None:
                    log.write(request, at=at, status=status, token=headers.get(TOKEN_HEADER, ""))
            except Exception:
                # The request is answered all the same; whoever reads the record has to know that it has a hole.
                _log.exception("a request could not be recorded: %s %s", scope["method"], scope["path"])
                log.write_hole(at)

        async def receiving() -> Any:
            nonlocal size
            message = await receive()
            # Only operations that are posted say in their body what they are about.
            if scope["method"] == "POST" and message["type"] == "http.request":
                part = message.get("body", b"")
                size += len(part)
                if size <= _MOST_BODY_BYTES:
                    parts.append(part)
            return message

        async def sending(message: Any) -> None:
            # Before the answer goes out: whoever has it finds the line.
            if message["type"] == "http.response.start" and not is_recorded:
                record(message["status"])
            await send(message)

        try:
            await application(scope, receiving, sending)
        finally:
            if not is_recorded:
                record(500)

    return serve


def understanding(ministack: Any) -> Callable[..., Request | None]:
    """ministack: its module `app`."""
    from urllib.parse import parse_qs

    from ministack.core.responses import get_account_id, get_region
    from ministack.core.router import detect_service

    def understand(scope: Any, headers: dict[str, str], body: bytes) -> Request | None:
        method, path = scope["method"], scope["path"]
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        params = ministack._routing_params(method, path, headers, body, query)
        service = detect_service(method, path, headers, params)
        if service != "s3":  # where the encoding is that of the object
            body = ministack._decompress_request_body(body, headers)
            params = ministack._routing_params(method, path, headers, body, query)
        # The Glue endpoint records what it is asked, whichever way it came.
        if service in ("glue", "unknown_query"):
            return None
        bucket = ministack._extract_s3_vhost_bucket(headers.get("host", "")) if service == "s3" else None
        if bucket:
            path = f"/{bucket}{path}"
        return Request(service, method, path, headers, params, body, get_account_id(), get_region())

    return understand
