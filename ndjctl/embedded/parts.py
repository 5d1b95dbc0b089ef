"""The two processes of the embedded cloud: how each is started, recognised, asked for its health and ended."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any

from ndjctl.embedded import environment, keeping, processes
from ndjctl.embedded.processes import PortTaken
from ndjctl.embedded.record import CloudRecord, PartRecord
from ndjctl.embedded.status import endpoint_url, health
from ndjctl.errors import UsageError

SERVICES_PART = "services"
GLUE_PART = "glue"

_LOG_LIMIT_BYTES = 8 * 1024 * 1024
_PORT_PATIENCE_S = 1.0


@dataclass(frozen=True)
class Part:
    """One process of one data directory. setting: the name of the setting that gives its port, wanted_port its value,
    0 for any."""

    name: str
    module: str
    health_path: str
    setting: str
    stop_timeout_s: float
    data_dir: Path
    wanted_port: int
    sleep: Callable[[float], None]

    @property
    def words(self) -> tuple[str, ...]:
        """What its command line has, and no other process has."""
        return (self.module, "--data-dir", str(self.data_dir))

    @property
    def log_path(self) -> Path:
        return self.data_dir / "logs" / f"{self.name}.log"

    def is_alive(self, record: CloudRecord) -> bool:
        """Whether the process of the record runs."""
        return self.name in record.parts and processes.is_alive(record.parts[self.name].pid, self.words)

    def health(self, record: CloudRecord, timeout_s: float) -> dict[str, Any] | None:
        """Its health report; None when it gives none."""
        return health(record.port(self.name), self.health_path, timeout_s)

    def listen(self, record: CloudRecord) -> socket:
        """A listener on the port it is to have: the wanted one, else that of the record, else a free one.

        Raises UsageError when the wanted one cannot be had.
        """
        previous = record.port(self.name)
        # A process that was killed a moment ago may hold its port a little longer than its name.
        patience_s = _PORT_PATIENCE_S if previous and self.wanted_port in (0, previous) else 0.0
        try:
            return processes.listen_patiently(self.wanted_port or previous, patience_s=patience_s, sleep=self.sleep)
        except PortTaken as error:
            if not self.wanted_port:
                return processes.listen(0)
            raise UsageError(
                f"port {self.wanted_port} of {self.setting} is taken: end the program that holds it, or "
                f"set {self.setting} to another port, or to 0 for a free one"
            ) from error

    def spawn(
        self, listener: socket, ports: Mapping[str, int], environ: Mapping[str, str], started_at: str
    ) -> PartRecord:
        """Starts the process on its listener. ports: of all parts. environ: the user's. Raises OSError."""
        import_root = Path(__file__).resolve().parents[2]
        # -P keeps the working directory, which holds what users store, out of the modules' search path.
        command = [sys.executable, "-P", "-m", *self.words, "--fd", str(listener.fileno())]
        if self.name == SERVICES_PART:
            variables = environment.services_environment(
                environ,
                self.data_dir,
                port=ports[SERVICES_PART],
                glue_endpoint_url=endpoint_url(ports[GLUE_PART]),
                import_root=import_root,
            )
        else:
            variables = environment.glue_environment(environ, self.data_dir, import_root=import_root)
            command += ["--aws-endpoint", endpoint_url(ports[SERVICES_PART])]
        if self.log_path.exists() and self.log_path.stat().st_size > _LOG_LIMIT_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".1.log"))
        pid = processes.spawn(command, environ=variables, cwd=self.data_dir, log_path=self.log_path, listener=listener)
        return PartRecord(pid, ports[self.name], processes.created_at(pid), started_at)

    def end(self, pid: int) -> bool:
        """Ends a process of this part and all it left behind: True when it went by itself when asked."""
        by_itself = processes.terminate(pid, self.words, timeout_s=self.stop_timeout_s, sleep=self.sleep)
        self.end_leftovers()
        return by_itself

    def end_leftovers(self) -> None:
        """Kills what an ended process left: Lambda workers of the services, runs of the Glue endpoint."""
        processes.kill_members(None, environment.marker(self.name, self.data_dir))

    def end_unrecorded(self, record: CloudRecord) -> None:
        """Ends a server that the record does not know: its starter was killed before it wrote the record."""
        pid = processes.lock_holder(self.data_dir / keeping.SERVER_LOCKS[self.name])
        known = record.parts[self.name].pid if self.name in record.parts else None
        if pid is not None and pid != known and processes.is_alive(pid, self.words):
            self.end(pid)


def both_parts(data_dir: Path, *, port: int, glue_port: int, sleep: Callable[[float], None]) -> tuple[Part, Part]:
    """(Glue, services): the order they are stopped in, so that what runs say last still reaches the logs."""
    glue = Part(
        name=GLUE_PART,
        module="ndjctl.embedded.glue",
        health_path="/health",
        setting="embedded.glue_port",
        stop_timeout_s=10.0,
        data_dir=data_dir,
        wanted_port=glue_port,
        sleep=sleep,
    )
    services = Part(
        name=SERVICES_PART,
        module="ndjctl.embedded.server",
        health_path="/_ministack/health",
        setting="embedded.port",
        stop_timeout_s=30.0,
        data_dir=data_dir,
        wanted_port=port,
        sleep=sleep,
    )
    return glue, services
