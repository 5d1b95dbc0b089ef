"""Jobs and runs on disk. Whatever was answered to a caller is in here first."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STARTING = "STARTING"
RUNNING = "RUNNING"
STOPPING = "STOPPING"
STOPPED = "STOPPED"
SUCCEEDED = "SUCCEEDED"
FAILED = "FAILED"
TIMEOUT = "TIMEOUT"

UNFINISHED = (STARTING, RUNNING, STOPPING)

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE jobs (name TEXT PRIMARY KEY, definition TEXT NOT NULL, tags TEXT NOT NULL);
CREATE TABLE runs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    job_name TEXT NOT NULL,
    state TEXT NOT NULL,
    document TEXT NOT NULL,
    plan TEXT NOT NULL,
    pid INTEGER,
    running_since REAL
);
CREATE INDEX runs_by_job ON runs (job_name, sequence);
CREATE INDEX runs_by_state ON runs (state, sequence);
"""


@dataclass(frozen=True)
class Job:
    """definition: as GetJob shows it."""

    name: str
    definition: dict[str, Any]
    tags: dict[str, str]


@dataclass(frozen=True)
class Run:
    """document: as GetJobRun shows it, without its state. plan: what it runs, fixed when it was accepted. pid: of its
    driver, once it had one. running_since: epoch seconds."""

    sequence: int
    id: str
    job_name: str
    state: str
    document: dict[str, Any]
    plan: dict[str, Any]
    pid: int | None
    running_since: float | None


class Store:
    """One SQLite file. Every method may be called from any thread; each is one transaction unless within `together`."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > _SCHEMA_VERSION:
            raise ValueError(f"{path} has version {version}; this program reads up to {_SCHEMA_VERSION}: upgrade it")
        if version == 0:
            self._connection.executescript(f"BEGIN;{_SCHEMA};PRAGMA user_version={_SCHEMA_VERSION};COMMIT;")

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Makes what is done within it one transaction, which no other thread sees a part of."""
        with self._lock:
            self._depth += 1
            try:
                if self._depth == 1:
                    self._connection.execute("BEGIN IMMEDIATE")
                yield
                if self._depth == 1:
                    self._connection.execute("COMMIT")
            except BaseException:
                if self._depth == 1 and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    def _rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return list(self._connection.execute(statement, parameters).fetchall())

    def _change(self, statement: str, parameters: Sequence[Any]) -> int:
        with self.together():
            return self._connection.execute(statement, parameters).rowcount

    # ---------------------------------------------------------------------------------------------- jobs

    def job(self, name: str) -> Job | None:
        rows = self._rows("SELECT * FROM jobs WHERE name = ?", (name,))
        return _job(rows[0]) if rows else None

    def jobs(self, after: str, limit: int) -> list[Job]:
        """Jobs by name, from the first one after `after`."""
        rows = self._rows("SELECT * FROM jobs WHERE name > ? ORDER BY name LIMIT ?", (after, limit))
        return [_job(row) for row in rows]

    def put_job(self, job: Job) -> None:
        self._change(
            "INSERT OR REPLACE INTO jobs (name, definition, tags) VALUES (?, ?, ?)",
            (job.name, json.dumps(job.definition), json.dumps(job.tags)),
        )

    def delete_job(self, name: str) -> None:
        self._change("DELETE FROM jobs WHERE name = ?", (name,))

    # ---------------------------------------------------------------------------------------------- runs

    def run(self, run_id: str) -> Run | None:
        rows = self._rows("SELECT * FROM runs WHERE id = ?", (run_id,))
        return _run(rows[0]) if rows else None

    def runs_of(self, job_name: str, before: int | None, limit: int) -> list[Run]:
        """Runs of a job, newest first, from the first one before the sequence number."""
        rows = self._rows(
            "SELECT * FROM runs WHERE job_name = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?",
            (job_name, 2**62 if before is None else before, limit),
        )
        return [_run(row) for row in rows]

    def unfinished(self, states: Sequence[str] = UNFINISHED) -> list[Run]:
        """Runs in these states, oldest first."""
        marks = ",".join("?" * len(states))
        rows = self._rows(f"SELECT * FROM runs WHERE state IN ({marks}) ORDER BY sequence", tuple(states))  # noqa: S608
        return [_run(row) for row in rows]

    def count_unfinished(self, job_name: str) -> int:
        rows = self._rows(
            "SELECT COUNT(*) FROM runs WHERE job_name = ? AND state IN (?, ?, ?)", (job_name, *UNFINISHED)
        )
        return int(rows[0][0])

    def add_run(self, run_id: str, job_name: str, document: dict[str, Any], plan: dict[str, Any]) -> None:
        """A new run in state STARTING."""
        self._change(
            "INSERT INTO runs (id, job_name, state, document, plan) VALUES (?, ?, ?, ?, ?)",
            (run_id, job_name, STARTING, json.dumps(document), json.dumps(plan)),
        )

    def move_run(
        self,
        run_id: str,
        origins: Sequence[str],
        state: str,
        changes: dict[str, Any],
        *,
        running_since: float | None = None,
    ) -> bool:
        """Moves a run to another state and changes its document; False when it is in none of the states `origins`."""
        with self.together():
            run = self.run(run_id)
            if run is None or run.state not in origins:
                return False
            self._change(
                "UPDATE runs SET state = ?, document = ?, running_since = COALESCE(?, running_since) WHERE id = ?",
                (state, json.dumps({**run.document, **changes}), running_since, run_id),
            )
            return True

    def note_process(self, run_id: str, pid: int) -> None:
        """Which process the driver of a run is."""
        self._change("UPDATE runs SET pid = ? WHERE id = ?", (pid, run_id))


def _job(row: sqlite3.Row) -> Job:
    return Job(row["name"], json.loads(row["definition"]), json.loads(row["tags"]))


def _run(row: sqlite3.Row) -> Run:
    return Run(
        row["sequence"],
        row["id"],
        row["job_name"],
        row["state"],
        json.loads(row["document"]),
        json.loads(row["plan"]),
        row["pid"],
        row["running_since"],
    )
