"""Saves ministack's state while it runs. By itself it saves only when it is asked to end, and a kill asks nobody."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ndjctl.contracts import iso_utc
from ndjctl.embedded.record import write_atomically

FILE_NAME = "snapshot.json"

_log = logging.getLogger("ndjctl.snapshots")

GetState = Callable[[], Any]


@dataclass(frozen=True)
class Snapshot:
    """One save. saved_at: ISO 8601, UTC, when it began: all that was acknowledged before is in it. failed: the
    services whose state could not be written; theirs is that of an earlier save. final: made on the way out."""

    saved_at: str
    duration_s: float
    services: int
    failed: tuple[str, ...]
    final: bool
    pid: int


def read_snapshot(data_dir: Path) -> Snapshot | None:
    """The last save of a data directory; None when there is none that can be read."""
    try:
        document = json.loads((data_dir / FILE_NAME).read_text("utf-8"))
        return Snapshot(
            saved_at=str(document["saved_at"]),
            duration_s=float(document["duration_s"]),
            services=int(document["services"]),
            failed=tuple(str(name) for name in document["failed"]),
            final=bool(document["final"]),
            pid=int(document["pid"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Snapshots:
    """Decides when to save, and saves.

    services: gives the current {name: function that returns a copy of the state}. save: writes the state of one
    service, given as such a dict of one entry. saved_version: tells one written state of a service from the next.
    on_loop: runs a function where requests are served and returns its result, so that a copy of a service's state is
    never taken in the middle of a request.
    """

    MINIMUM_INTERVAL_S = 2.0
    SHARE_OF_TIME = 20
    """A save is followed by at least this many times its own duration without one: 5 % of the time at most."""
    LINGER_S = 10.0
    """Queue pollers and schedules go on changing state for a while after the request that set them off."""
    ATTEMPTS = 4

    def __init__(
        self,
        services: Callable[[], Mapping[str, GetState]],
        save: Callable[[dict[str, GetState]], None],
        saved_version: Callable[[str], object],
        *,
        record_path: Path,
        pid: int,
        on_loop: Callable[[Callable[[], Any]], Any],
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._services = services
        self._save = save
        self._saved_version = saved_version
        self._record_path = record_path
        self._pid = pid
        self._on_loop = on_loop
        self._clock = clock
        self._timer = timer
        self._one_at_a_time = threading.Lock()
        self._changed_until = 0.0
        self._last_end = timer()
        self._last_duration_s = 0.0

    def touched(self) -> None:
        """Something may have changed the state just now."""
        self._changed_until = self._timer() + self.LINGER_S

    def is_due(self) -> bool:
        """Whether something may have changed since the last save and enough time has passed."""
        pause = max(self.MINIMUM_INTERVAL_S, self.SHARE_OF_TIME * self._last_duration_s)
        now = self._timer()
        began = self._last_end - self._last_duration_s
        return now - self._last_end >= pause and self._changed_until > began

    def run(self, stopping: threading.Event) -> None:
        """Saves whenever it is due, until `stopping` is set. Never raises: a failed save is logged and tried again."""
        while not stopping.wait(0.25):
            if self.is_due():
                try:
                    self.save_all(self._services(), final=False)
                except Exception:
                    _log.exception("the state could not be saved; it is tried again")

    def save_all(self, services: Mapping[str, GetState], *, final: bool) -> Snapshot:
        """Saves every service. Services that cannot be saved are named in the result, and their last save stays."""
        with self._one_at_a_time:
            begin = self._timer()
            saved_at = iso_utc(self._clock())
            failed = tuple(name for name, get_state in services.items() if not self._save_one(name, get_state, final))
            self._last_end = self._timer()
            self._last_duration_s = self._last_end - begin
            snapshot = Snapshot(saved_at, self._last_duration_s, len(services), failed, final, self._pid)
            if failed:
                _log.error("the state of %s could not be saved", ", ".join(failed))
                self.touched()
            try:
                write_atomically(self._record_path, json.dumps(asdict(snapshot)))
            except OSError as error:
                _log.error("%s could not be written: %s", self._record_path, error)
            return snapshot

    def _save_one(self, name: str, get_state: GetState, final: bool) -> bool:
        """A final save is called where requests are served, and nothing is served any more: it copies in place."""
        for attempt in range(self.ATTEMPTS):
            try:
                state = get_state() if final else self._on_loop(get_state)
            except RuntimeError as error:
                # A poller's thread changed a dictionary while it was copied.
                _log.warning("the state of %s changed while it was copied (attempt %d): %s", name, attempt + 1, error)
                continue
            except Exception:
                _log.exception("the state of %s could not be copied", name)
                return False
            if state is None:
                return True
            before = self._saved_version(name)
            self._save({name: lambda state=state: state})  # type: ignore[misc]
            if self._saved_version(name) != before:
                return True
        return False
