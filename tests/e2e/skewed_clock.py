"""A machine whose clock is off, as far as AWS's answers tell: what stands between tool and cloud tells another time."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

_OWN = ("transfer-encoding", "connection", "date", "content-length")


@contextmanager
def off_by(seconds: float, endpoint_url: str, mended: Path) -> Iterator[str]:
    """An address that answers as endpoint_url does, but by whose Date this machine's clock is so much ahead. mended:
    once that file is there, it is right."""
    target = urlsplit(endpoint_url).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            connection = http.client.HTTPConnection(target, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            connection.request(self.command, self.path, self.rfile.read(length), {**headers, "Host": target})
            answer = connection.getresponse()
            body = answer.read()
            shift_s = 0.0 if mended.exists() else seconds
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _OWN:
                    self.send_header(name, value)
            told = datetime.now(timezone.utc) - timedelta(seconds=shift_s)
            self.send_header("Date", format_datetime(told, usegmt=True))
            kept = answer.getheader("content-length") if self.command == "HEAD" else None
            self.send_header("Content-Length", kept or str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            connection.close()

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _pass_on

        def log_message(self, *_arguments: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def programs_that_mend(folder: Path, mended: Path) -> Path:
    """A folder with `sudo` and `timedatectl`, of which the latter, asked to keep time with the network, sets the
    clock of off_by()."""
    folder.mkdir()
    for name, body in (
        ("sudo", 'exec "$@"'),
        ("timedatectl", f'[ "$*" = "set-ntp true" ] || exit 1\ntouch {mended}'),
    ):
        program = folder / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    return folder
