"""What stands before the servers of the embedded cloud: they run code for whoever may ask, so only programs of this
machine may, and no web page that its user happens to look at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")

HEALTH_PATHS = ("/_ministack/health", "/_ministack/ready")

_READS = ("Get", "List", "Describe", "Query", "Scan", "BatchGet", "Filter")

Application = Callable[[Any, Any, Any], Awaitable[None]]


def why_refused(headers: Mapping[str, str]) -> str | None:
    """Why a request with these headers (names in lower case) is refused; None when it is not.

    A browser names the page a request comes from, and a name that a foreign DNS server made point here is no name of
    this machine.
    """
    host = headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name.lower() not in _LOCAL_NAMES and not name.lower().endswith(".localhost"):
        return "the embedded cloud answers only to 127.0.0.1 and localhost"
    if headers.get("origin") or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return "the embedded cloud does not answer to web pages"
    return None


def may_change_state(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Whether a request can change what the services hold. Errs on the side of yes."""
    if path in HEALTH_PATHS or method in ("GET", "HEAD", "OPTIONS"):
        return False
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    return not operation.startswith(_READS)


def gated(application: Application, touched: Callable[[], None]) -> Application:
    """An ASGI application that refuses what why_refused says, and tells `touched` when state may have changed."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await application(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = why_refused(headers)
        if scope["type"] != "http":
            if refusal is None:
                await application(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        if refusal is not None:
            body = refusal.encode()
            content = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": content})
            await send({"type": "http.response.body", "body": body})
            return
        changes = may_change_state(scope["method"], scope["path"], headers)
        try:
            await application(scope, receive, send)
        finally:
            if changes:
                touched()

    return serve
