"""`ndjctl monitor`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.interrupts import Terminated
from ndjctl.cli.invocation import Invocation, command
from ndjctl.cli.reconcile import GraceOption
from ndjctl.cli.remedies import typed_remedy
from ndjctl.errors import EXIT_FAILED, EXIT_INTERRUPTED, UsageError

if TYPE_CHECKING:
    from ndjctl.health.facts import Facts
    from ndjctl.health.model import Checked
    from ndjctl.monitor.model import Snapshot
    from ndjctl.monitor.watching import Monitor

DEFAULT_INTERVAL_S = 10.0
_COLLECTED_AFTER = 100_000
"""Objects made since the last collection."""


def register(app: typer.Typer) -> None:
    command(app, "monitor")(monitor)


def monitor(
    invocation: Invocation,
    once: Annotated[bool, typer.Option("--once", help="Look once, show it and end. So does --json.")] = False,
    interval_s: Annotated[
        float, typer.Option("--interval", help="Seconds between two looks.", min=1, max=3600, metavar="SECONDS")
    ] = DEFAULT_INTERVAL_S,
    web: Annotated[
        bool, typer.Option("--web", help="Show it on a page for a browser of this machine, with charts, until Ctrl-C.")
    ] = False,
    port: Annotated[
        int | None, typer.Option("--port", help="With --web: its port. Without it any free one.", min=0, max=65_535)
    ] = None,
    grace_s: GraceOption = None,
) -> None:
    """Show how the pipeline does: flow, backlog, queue, runs, failures and cost, and what to type where it is wrong.

    A live screen on a terminal until Ctrl-C (exit code 130), one screen below the other in a pipe. With --once the exit
    code is 1 when the headline is DOWN, and 0 when it is HEALTHY or DEGRADED; 'ndjctl doctor' is stricter.

    A look makes at most 123 calls of AWS, whatever the history, and mostly a third of that. What they may not read or
    what AWS throttles costs its own part of the screen. --web listens on 127.0.0.1 alone, and only shows.
    """
    if web and once:
        raise UsageError("--web and --once exclude each other: a page is looked at for a while.")
    if port is not None and not web:
        raise UsageError("--port goes with --web: nothing else listens.")
    watching = _open(invocation, grace_s)
    if web:
        _serve(invocation, watching, port or 0, interval_s)
    elif once or invocation.options.json:
        _show_once(invocation, watching)
    else:
        with _until_ctrl_c():
            _show_live(invocation, watching, interval_s)


@contextmanager
def _until_ctrl_c() -> Iterator[None]:
    """Ctrl-C is the way in which it ends, and no error. SIGTERM is somebody else's, who may want to know."""
    try:
        yield
    except Terminated:
        raise
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _open(invocation: Invocation, grace_s: float | None) -> Monitor:
    import gc
    from concurrent.futures import ThreadPoolExecutor

    from ndjctl.health.checks import check
    from ndjctl.health.looking import look
    from ndjctl.monitor.watching import THREADS, Monitor

    # AWS's answers are some hundred thousand objects without a circle among them: by default the collector walks them
    # again and again, which is a fifth of the time that a look takes.
    gc.set_threshold(_COLLECTED_AFTER, 20, 20)
    cloud, profile = invocation.cloud, invocation.loaded.profile
    pool = ThreadPoolExecutor(THREADS)

    def looked(now: datetime) -> tuple[Facts, tuple[Checked, ...]]:
        facts = look(cloud.client, cloud.names, profile, now, pool, grace_s=grace_s)
        return facts, check(facts)

    return Monitor(cloud, invocation.env, profile, looked, partial(datetime.now, timezone.utc), time.monotonic)


def _look(invocation: Invocation, watching: Monitor) -> Snapshot:
    """Raises UsageError where nothing is deployed."""
    snapshot = watching.refresh()
    if snapshot.is_not_deployed:
        raise UsageError(f"The environment {invocation.env} is not deployed: run '{invocation.typed('deploy')}' first.")
    return snapshot


def _show_once(invocation: Invocation, watching: Monitor) -> None:
    from ndjctl.output.monitor_live import monitor_view
    from ndjctl.output.progress import spinner

    with spinner("looking"):
        snapshot = _look(invocation, watching)
    invocation.out.show(monitor_view(snapshot, partial(typed_remedy, invocation)))
    if snapshot.health.word == "DOWN":
        raise typer.Exit(EXIT_FAILED)


def _show_live(invocation: Invocation, watching: Monitor, interval_s: float) -> None:
    from ndjctl.output.monitor_live import live_screen
    from ndjctl.output.progress import spinner

    with spinner("looking"):
        snapshot = _look(invocation, watching)
    with live_screen(partial(typed_remedy, invocation), interval_s) as show:
        while True:
            began = time.monotonic()
            show(snapshot)
            time.sleep(max(0.0, interval_s - (time.monotonic() - began)))
            snapshot = watching.refresh()


def _serve(invocation: Invocation, watching: Monitor, port: int, interval_s: float) -> None:
    from ndjctl.monitor.server import Shared, serve, url_of
    from ndjctl.output.monitor import monitor_document
    from ndjctl.output.monitor_live import served_view

    typed = partial(typed_remedy, invocation)
    documents = iter([monitor_document(_look(invocation, watching), typed)])

    def make() -> dict[str, object]:
        return next(documents, None) or monitor_document(watching.refresh(), typed)

    with serve(port, Shared(make, interval_s, time.monotonic)) as server, _until_ctrl_c():
        invocation.out.show(served_view(invocation.env, url_of(server), interval_s))
        server.serve_forever(poll_interval=0.5)
