"""Tells EventBridge of runs that ended, as Glue does: `Glue Job State Change`, in the account of the run.

What is to be told is in the store, written with the state itself: a kill in between delays an event and loses none.
"""

from __future__ import annotations

import http.client
import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from ndjctl.embedded.glue.scope import Scope
from ndjctl.embedded.glue.store import FAILED, STOPPED, SUCCEEDED, TIMEOUT, Store
from ndjctl.embedded.run_events import PATH

_log = logging.getLogger("ndjctl.glue.notices")

_LONGEST_PAUSE_S = 15.0
_TIMEOUT_S = 10.0
_AT_ONCE = 20

_SAYS = {
    SUCCEEDED: ("INFO", "Job run succeeded"),
    FAILED: ("ERROR", "Job run failed"),
    TIMEOUT: ("WARN", "Job run timed out"),
    STOPPED: ("INFO", "Job run stopped"),
}

Deliver = Callable[[Scope, Mapping[str, Any]], None]
"""Hands over one event. Raises OSError when it may work later, ValueError when it never will."""


def detail(job_name: str, run_id: str, state: str, message: str | None) -> dict[str, Any]:
    """The detail of the event of a run that ended in `state`."""
    severity, words = _SAYS[state]
    return {
        "jobName": job_name,
        "severity": severity,
        "state": state,
        "jobRunId": run_id,
        "message": f"{words}: {message}" if message else words,
    }


class Notices:
    """Delivers what the store holds, in order, until it is closed."""

    def __init__(self, store: Store, deliver: Deliver) -> None:
        self._store = store
        self._deliver = deliver
        self._woken = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There may be a new one."""
        self._woken.set()

    def close(self, timeout_s: float = 2.0) -> None:
        """What was not told by now is told after the next start."""
        self._closing.set()
        self._woken.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        pause_s = 0.2
        while not self._closing.is_set():
            self._woken.clear()
            try:
                self._tell_all()
                pause_s = 0.2
                self._woken.wait()
            except Exception as error:
                _log.warning("EventBridge could not be told of a run that ended, and is told later: %s", error)
                self._closing.wait(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _tell_all(self) -> None:
        while (waiting := self._store.notices(_AT_ONCE)) and not self._closing.is_set():
            for notice in waiting:
                if self._closing.is_set():
                    return
                try:
                    self._deliver(notice.scope, notice.detail)
                except ValueError as error:
                    _log.warning("EventBridge was not told of a run that ended: %s", error)
                self._store.drop_notice(notice)


def over_http(services_url: str) -> Deliver:
    """Delivers to the process of the services."""
    address = urlsplit(services_url)

    def deliver(scope: Scope, event: Mapping[str, Any]) -> None:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT_S)
        try:
            connection.request("POST", PATH, json.dumps({**asdict(scope), "detail": event}))
            status = connection.getresponse().status
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        if 400 <= status < 500:
            raise ValueError(f"{services_url} takes no events of Glue ({status})")
        if status != 200:
            raise OSError(f"{services_url} answered {status}")

    return deliver
