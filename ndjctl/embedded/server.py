"""The process that serves every service but Glue: ministack, with its state saved while it runs.

Run as `python -m ndjctl.embedded.server --data-dir DIR --fd N`, where N is a listening socket and the environment is
that of ndjctl.embedded.environment.services_environment.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from ndjctl.embedded import snapshots
from ndjctl.embedded.environment import CALL_LOG
from ndjctl.embedded.gate import gated
from ndjctl.embedded.hooks import hooked
from ndjctl.embedded.processes import hold_lock, kill_members

MODULE = "ndjctl.embedded.server"
LOCK_NAME = "services.lock"


def main(arguments: list[str] | None = None) -> NoReturn:
    """Serves until SIGTERM. Exit code 0 when everything was saved, 1 when something was not or it could not start."""
    parser = argparse.ArgumentParser(prog=MODULE)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--fd", type=int, required=True)
    options = parser.parse_args(arguments)
    # Lambda functions inherit this environment, and must not find the tool's own modules in it.
    os.environ.pop("PYTHONPATH", None)
    if hold_lock(options.data_dir / LOCK_NAME) is None:
        sys.exit(f"another process already serves {options.data_dir}")
    try:
        asyncio.run(_serve(options.data_dir, options.fd))
    except Exception:
        logging.getLogger(MODULE).exception("the services stopped")
    _leave(1)


async def _serve(data_dir: Path, descriptor: int) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack import app as ministack
    from ministack.core import persistence

    loop = asyncio.get_running_loop()
    application = hooked(ministack, data_dir)
    os.environ.pop(CALL_LOG, None)  # of no concern to the functions, which inherit the rest
    saver = snapshots.Snapshots(
        ministack._build_persistence_save_dict,
        persistence.save_all,
        _saved_version(Path(persistence.STATE_DIR)),
        record_path=data_dir / snapshots.FILE_NAME,
        pid=os.getpid(),
        on_loop=_on_loop(loop),
    )
    last: list[snapshots.Snapshot] = []
    # ministack calls this on its way out; the record of the final save is what a stop goes by.
    ministack.save_all = lambda services: last.append(saver.save_all(services, final=True))

    asked_to_end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_end.set)
    stopping = threading.Event()
    thread = threading.Thread(target=saver.run, args=(stopping,), name="snapshots", daemon=True)

    async def shutdown() -> None:
        await asked_to_end.wait()
        stopping.set()
        # Waited for on another thread: a save under way needs this loop.
        await loop.run_in_executor(None, thread.join)

    config = Config()
    config.bind = [f"fd://{descriptor}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1.0
    config.loglevel = "WARNING"
    thread.start()
    saver.touched()
    await serve(gated(application, saver.touched), config, shutdown_trigger=shutdown)
    _leave(0 if last and not last[-1].failed else 1)


def _leave(code: int) -> NoReturn:
    """Ends this process and its children. The usual way out would wait for threads that wait for Lambda workers."""
    if os.getsid(0) == os.getpid():
        kill_members(os.getpid())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _on_loop(loop: asyncio.AbstractEventLoop) -> Callable[[Callable[[], Any]], Any]:
    async def call(function: Callable[[], Any]) -> Any:
        return function()

    def run(function: Callable[[], Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(call(function), loop).result(timeout=60)

    return run


def _saved_version(state_dir: Path) -> Callable[[str], object]:
    """ministack logs a failed save and returns as if it had worked. A save that worked put a new file in place."""

    def version(service: str) -> object:
        try:
            status = (state_dir / f"{service}.json").stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    return version


if __name__ == "__main__":
    main()
