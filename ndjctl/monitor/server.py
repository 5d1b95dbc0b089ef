"""The page of `ndjctl monitor --web`: on this machine alone, for reading alone, and one refresh for all who look.

What is served are four files of this package and the newest snapshot. A browser that a foreign page has talked into
asking here (DNS rebinding) names another host than this machine's loopback, and is refused.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from socketserver import TCPServer
from typing import Any

from ndjctl import __version__
from ndjctl.errors import NdjctlError, UsageError

ADDRESS = "127.0.0.1"
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
SNAPSHOT_PATH = "/api/snapshot"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/monitor.js": ("monitor.js", "text/javascript; charset=utf-8"),
    "/charts.js": ("charts.js", "text/javascript; charset=utf-8"),
    "/monitor.css": ("monitor.css", "text/css; charset=utf-8"),
    "/favicon.svg": ("favicon.svg", "image/svg+xml"),
}
_SOCKET_TIMEOUT_S = 30.0


class Shared:
    """The newest snapshot's document. make: makes one anew. interval_s: how old it may be. timer: seconds of a steady
    clock. Nothing is made while nobody asks."""

    def __init__(self, make: Callable[[], Mapping[str, Any]], interval_s: float, timer: Callable[[], float]) -> None:
        self._make, self._interval_s, self._timer = make, interval_s, timer
        self._lock = threading.Lock()
        self._body = b""
        self._made_at = 0.0

    def body(self) -> bytes:
        """JSON. Whoever finds it too old makes it anew; others get the last one meanwhile, or wait for the first one.
        Raises what `make` raises."""
        if self._is_fresh():
            return self._body
        if self._lock.acquire(blocking=not self._body):
            try:
                if not self._is_fresh():
                    document = {**self._make(), "interval_s": self._interval_s}
                    self._body = json.dumps(document).encode()
                    self._made_at = self._timer()
            finally:
                self._lock.release()
        return self._body

    def _is_fresh(self) -> bool:
        return bool(self._body) and self._timer() - self._made_at < self._interval_s


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, shared: Shared) -> None:
        self.shared = shared
        root = files("ndjctl.monitor") / "page"
        self.page = {path: (root.joinpath(name).read_bytes(), kind) for path, (name, kind) in _PAGE.items()}
        super().__init__((ADDRESS, port), _Handler)

    def server_bind(self) -> None:
        """Without HTTPServer's, which asks the name service what this machine is called."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, int(self.server_address[1])


def serve(port: int, shared: Shared) -> ThreadingHTTPServer:
    """A server that listens and has to be run (serve_forever) and closed. port: 0 for any that is free. Raises
    UsageError where the port cannot be had."""
    try:
        return _Server(port, shared)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"Port {port} cannot be listened on ({reason}): name another, or leave --port out.") from error


def url_of(server: ThreadingHTTPServer) -> str:
    return f"http://{ADDRESS}:{server.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = f"ndjctl/{__version__}"
    sys_version = ""
    timeout = _SOCKET_TIMEOUT_S

    def do_GET(self) -> None:
        if not self._is_for_here():
            self._answer(421, b"This page answers on this machine's loopback alone.\n", "text/plain; charset=utf-8")
            return
        path = self.path.partition("?")[0]
        if path == SNAPSHOT_PATH:
            self._snapshot()
        elif path in self.server.page:
            self._answer(200, *self.server.page[path])
        else:
            self._answer(404, b"There is no such page.\n", "text/plain; charset=utf-8")

    do_HEAD = do_GET

    def _refuse(self) -> None:
        self.close_connection = True  # the body of the request is not read
        self._answer(405, b"This page is for reading.\n", "text/plain; charset=utf-8", {"Allow": "GET, HEAD"})

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = _refuse

    def _is_for_here(self) -> bool:
        host = (self.headers.get("Host") or "").lower()
        name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
        return name in LOOPBACK_NAMES

    def _snapshot(self) -> None:
        try:
            body, status = self.server.shared.body(), 200
        except Exception as error:
            # Whatever it is: the page says so and asks again, and the next one that asks tries anew.
            kind = "" if isinstance(error, NdjctlError) else f"{type(error).__name__}: "
            body, status = json.dumps({"error": f"{kind}{error}"}).encode(), 503
        self._answer(status, body, "application/json; charset=utf-8")

    def _answer(self, status: int, body: bytes, kind: str, more: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, **(more or {}), "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal is the operator's."""
