"""Takes accepted runs through their states: starts them in turn, ends them when asked or when their time is up, tries
failed ones again, and accounts for those that were under way when an earlier endpoint was killed.

Glue gives every run machines of its own; here they share one. So at most `parallel` run at once, and the others stay
STARTING, in the order they came. A run's Timeout and ExecutionTime count from when it runs, as on Glue.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ndjctl.embedded.environment import PARALLEL_RUNS
from ndjctl.embedded.glue import workspace
from ndjctl.embedded.glue.driver import Clients, Driver, end_processes
from ndjctl.embedded.glue.notices import detail
from ndjctl.embedded.glue.store import (
    FAILED,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    SUCCEEDED,
    TIMEOUT,
    UNFINISHED,
    Run,
    Store,
)

_log = logging.getLogger("ndjctl.glue")

_TICK_S = 0.05
_LOG_INTERVAL_S = 1.0
_KEPT_DIRECTORIES = 50

LOST = "The embedded cloud was killed while this run was under way"
STOPPED_WITH_CLOUD = "The embedded cloud was stopped while this run was under way"


def parallel_runs(environ: Mapping[str, str]) -> int:
    """How many runs may be under way at once: NDJ_GLUE_PARALLEL_RUNS when it is a positive number, else 1, or 2 on
    four cores and more."""
    text = environ.get(PARALLEL_RUNS, "")
    if text.isdecimal() and int(text) > 0:
        return int(text)
    return 2 if (os.cpu_count() or 1) >= 4 else 1


class Supervisor:
    """runs_dir: where the runs' directories are. tell: called when there is a new notice in the store. minute_s:
    seconds in a minute of Timeout. clock: epoch seconds."""

    def __init__(
        self,
        store: Store,
        runs_dir: Path,
        environ: Mapping[str, str],
        clients: Clients,
        glue_endpoint_url: str,
        tell: Callable[[], None],
        *,
        parallel: int,
        minute_s: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._runs_dir = runs_dir
        self._environ = environ
        self._clients = clients
        self._glue_endpoint_url = glue_endpoint_url
        self._tell = tell
        self._parallel = parallel
        self._minute_s = minute_s
        self._clock = clock
        self._woken = threading.Event()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._conducted: dict[str, threading.Thread] = {}
        self._scheduler = threading.Thread(target=self._schedule, name="scheduler", daemon=True)

    def recover(self) -> int:
        """Ends what an earlier endpoint left running and closes its runs. Returns how many were lost.

        Runs that had not begun are kept and start in their turn.
        """
        lost = 0
        for run in self._store.unfinished():
            end_processes(run.pid, run.id)
            if run.state == RUNNING:
                self._finish(run, (RUNNING,), FAILED, LOST)
                lost += 1
            elif run.state == STOPPING:
                self._finish(run, (STOPPING,), STOPPED)
        return lost

    def start(self) -> None:
        self._scheduler.start()

    def wake(self) -> None:
        self._woken.set()

    def stop(self, run_id: str) -> bool:
        """Asks for the end of a run; False when it is finished already. One that has not begun is STOPPED at once."""
        now = self._clock()
        with self._lock:
            begun = run_id in self._conducted
            if not begun and self._end(run_id, (STARTING,), STOPPED, {"LastModifiedOn": now, "CompletedOn": now}):
                self._tell()
                return True
        return self._store.move_run(run_id, UNFINISHED, STOPPING, {"LastModifiedOn": now})

    def close(self, timeout_s: float = 4.0) -> None:
        """Ends all runs that are under way and waits for it. Those that have not begun are kept for the next start."""
        self._closing.set()
        self._woken.set()
        deadline = time.monotonic() + timeout_s
        for thread in [self._scheduler, *self._conducted.values()]:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    # ---------------------------------------------------------------------------------------------- scheduling

    def _schedule(self) -> None:
        while not self._closing.is_set():
            self._woken.clear()
            try:
                self._start_waiting()
            except Exception:
                _log.exception("the waiting runs could not be looked at; they are looked at again")
            self._woken.wait(5.0)

    def _start_waiting(self) -> None:
        for run in self._store.unfinished((STARTING,)):
            with self._lock:
                if self._closing.is_set() or len(self._conducted) >= self._parallel:
                    return
                if run.id in self._conducted:
                    continue
                thread = threading.Thread(target=self._conduct, args=(run,), name=run.id, daemon=True)
                self._conducted[run.id] = thread
            thread.start()

    def _conduct(self, run: Run) -> None:
        directory = self._runs_dir / run.id
        try:
            self._take_through(run, directory)
        except Exception as error:
            _log.exception("run %s ended in an error of the endpoint", run.id)
            end_processes(None, run.id)
            self._finish(run, UNFINISHED, FAILED, f"The embedded Glue failed: {type(error).__name__}: {error}")
        finally:
            workspace.clear_scratch(directory)
            workspace.prune(self._runs_dir, keep=_KEPT_DIRECTORIES, active=set(self._conducted))
            with self._lock:
                self._conducted.pop(run.id, None)
            self._woken.set()

    def _take_through(self, run: Run, directory: Path) -> None:
        try:
            driver = Driver.prepare(run, directory, self._environ, self._clients, self._glue_endpoint_url)
        except (workspace.LaunchError, OSError) as error:
            self._finish(run, (STARTING,), FAILED, f"LAUNCH ERROR | {error}")
            self._finish(run, (STOPPING,), STOPPED)
            return
        if self._closing.is_set():
            return
        now = self._clock()
        began = time.monotonic()
        # Written before the script starts: a kill in between loses a run, and never starts one twice.
        if not self._store.move_run(run.id, (STARTING,), RUNNING, {"LastModifiedOn": now}, running_since=now):
            self._finish(run, (STOPPING,), STOPPED)
            return
        try:
            self._store.note_process(run.id, driver.launch())
            state, message = self._watch(run, driver, began)
        finally:
            driver.end()
        execution_s = time.monotonic() - began
        driver.ship_logs(ended=True)
        self._finish(run, UNFINISHED, state, message, execution_s)

    def _watch(self, run: Run, driver: Driver, began: float) -> tuple[str, str | None]:
        """Waits for the end of a run: (state to finish in, error message)."""
        limit_s = run.document["Timeout"] * self._minute_s
        shipped = began
        while True:
            code = driver.exit_code()
            if code is not None:
                return (SUCCEEDED, None) if code == 0 else (FAILED, driver.error_message(code))
            if self._closing.is_set():
                return STOPPED, STOPPED_WITH_CLOUD
            current = self._store.run(run.id)
            if current is not None and current.state == STOPPING:
                return STOPPED, None
            now = time.monotonic()
            if now - began >= limit_s:
                return TIMEOUT, f"Job run timed out after {run.document['Timeout']} min"
            if now - shipped >= _LOG_INTERVAL_S:
                driver.ship_logs()
                shipped = time.monotonic()
            time.sleep(_TICK_S)

    # ---------------------------------------------------------------------------------------------- finishing

    def _finish(
        self, run: Run, origins: tuple[str, ...], state: str, message: str | None = None, execution_s: float = 0.0
    ) -> None:
        """Writes how a run ended, and in the same transaction the next attempt if it failed and may be retried."""
        now = self._clock()
        changes: dict[str, Any] = {
            "LastModifiedOn": now,
            "CompletedOn": now,
            # None only of one that never ran: a run that was killed at once was billed for its minute.
            "ExecutionTime": max(1, round(execution_s)) if execution_s else 0,
        }
        if _tells_dpu_seconds(run):
            changes["DPUSeconds"] = round(execution_s * run.document["MaxCapacity"], 3)
        if message is not None:
            changes["ErrorMessage"] = message
        with self._store.together():
            if not self._end(run.id, origins, state, changes):
                return
            attempt = run.document["Attempt"] + 1
            # Glue tries a run that failed again, and not one that was stopped or ran out of time.
            if state == FAILED and attempt <= run.plan["max_retries"]:
                document = {
                    **run.document,
                    "Attempt": attempt,
                    "PreviousRunId": run.id,
                    "StartedOn": now,
                    "LastModifiedOn": now,
                }
                next_id = f"{run.plan['first_run_id']}_attempt_{attempt}"
                self._store.add_run(run.scope, next_id, run.job_name, document, run.plan)
        self._tell()

    def _end(self, run_id: str, origins: tuple[str, ...], state: str, changes: dict[str, Any]) -> bool:
        """Moves a run to its last state, and notes with it what EventBridge is to be told."""
        with self._store.together():
            run = self._store.run(run_id)
            if run is None or not self._store.move_run(run_id, origins, state, changes):
                return False
            self._store.add_notice(run_id, detail(run.job_name, run_id, state, changes.get("ErrorMessage")))
            return True


def _tells_dpu_seconds(run: Run) -> bool:
    """Only of FLEX runs and with auto scaling (AWS Glue API reference, JobRun)."""
    auto_scaling = str(run.plan["arguments"].get("--enable-auto-scaling", ""))
    return run.document.get("ExecutionClass") == "FLEX" or auto_scaling.lower() == "true"
