"""Jobs, runs and connections on disk, apart by account and region. Whatever was answered to a caller is in here
first."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ndjctl.embedded.glue import schema
from ndjctl.embedded.glue.scope import Scope

STARTING = "STARTING"
RUNNING = "RUNNING"
STOPPING = "STOPPING"
STOPPED = "STOPPED"
SUCCEEDED = "SUCCEEDED"
FAILED = "FAILED"
TIMEOUT = "TIMEOUT"

UNFINISHED = (STARTING, RUNNING, STOPPING)


@dataclass(frozen=True)
class Job:
    """definition: as GetJob shows it."""

    name: str
    definition: dict[str, Any]
    tags: dict[str, str]


@dataclass(frozen=True)
class Connection:
    """document: as GetConnection shows it."""

    name: str
    document: dict[str, Any]
    tags: dict[str, str]


@dataclass(frozen=True)
class Run:
    """document: as GetJobRun shows it, without its state. plan: what it runs, fixed when it was accepted. pid: of its
    driver, once it had one. running_since: epoch seconds."""

    sequence: int
    scope: Scope
    id: str
    job_name: str
    state: str
    document: dict[str, Any]
    plan: dict[str, Any]
    pid: int | None
    running_since: float | None


@dataclass(frozen=True)
class Notice:
    """What EventBridge is to be told of a run: the detail of the event."""

    sequence: int
    scope: Scope
    detail: dict[str, Any]


class Store:
    """One SQLite file. Every method may be called from any thread; each is one transaction unless within `together`."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        schema.prepare(self._connection, str(path))

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

    def job(self, scope: Scope, name: str) -> Job | None:
        rows = self._rows("SELECT * FROM jobs WHERE account = ? AND region = ? AND name = ?", (*_key(scope), name))
        return _job(rows[0]) if rows else None

    def jobs(self, scope: Scope, after: str, limit: int) -> list[Job]:
        """Jobs by name, from the first one after `after`."""
        rows = self._rows(
            "SELECT * FROM jobs WHERE account = ? AND region = ? AND name > ? ORDER BY name LIMIT ?",
            (*_key(scope), after, limit),
        )
        return [_job(row) for row in rows]

    def put_job(self, scope: Scope, job: Job) -> None:
        self._change(
            "INSERT OR REPLACE INTO jobs (account, region, name, definition, tags) VALUES (?, ?, ?, ?, ?)",
            (*_key(scope), job.name, json.dumps(job.definition), json.dumps(job.tags)),
        )

    def delete_job(self, scope: Scope, name: str) -> None:
        self._change("DELETE FROM jobs WHERE account = ? AND region = ? AND name = ?", (*_key(scope), name))

    # ---------------------------------------------------------------------------------------------- connections

    def connection(self, scope: Scope, name: str) -> Connection | None:
        rows = self._rows(
            "SELECT * FROM connections WHERE account = ? AND region = ? AND name = ?", (*_key(scope), name)
        )
        return _connection(rows[0]) if rows else None

    def connections(self, scope: Scope, after: str, limit: int) -> list[Connection]:
        """Connections by name, from the first one after `after`."""
        rows = self._rows(
            "SELECT * FROM connections WHERE account = ? AND region = ? AND name > ? ORDER BY name LIMIT ?",
            (*_key(scope), after, limit),
        )
        return [_connection(row) for row in rows]

    def put_connection(self, scope: Scope, connection: Connection) -> None:
        self._change(
            "INSERT OR REPLACE INTO connections (account, region, name, document, tags) VALUES (?, ?, ?, ?, ?)",
            (*_key(scope), connection.name, json.dumps(connection.document), json.dumps(connection.tags)),
        )

    def delete_connection(self, scope: Scope, name: str) -> None:
        self._change("DELETE FROM connections WHERE account = ? AND region = ? AND name = ?", (*_key(scope), name))

    # ---------------------------------------------------------------------------------------------- runs

    def run(self, run_id: str) -> Run | None:
        """A run of any account: its id is unique among all."""
        rows = self._rows("SELECT * FROM runs WHERE id = ?", (run_id,))
        return _run(rows[0]) if rows else None

    def runs_of(self, scope: Scope, job_name: str, before: int | None, limit: int) -> list[Run]:
        """Runs of a job, newest first, from the first one before the sequence number."""
        rows = self._rows(
            "SELECT * FROM runs WHERE account = ? AND region = ? AND job_name = ? AND sequence < ? "
            "ORDER BY sequence DESC LIMIT ?",
            (*_key(scope), job_name, 2**62 if before is None else before, limit),
        )
        return [_run(row) for row in rows]

    def unfinished(self, states: Sequence[str] = UNFINISHED, scope: Scope | None = None) -> list[Run]:
        """Runs in these states, oldest first; of every account unless a scope is given."""
        marks = ",".join("?" * len(states))
        rows = self._rows(f"SELECT * FROM runs WHERE state IN ({marks}) ORDER BY sequence", tuple(states))  # noqa: S608
        return [run for run in map(_run, rows) if scope in (None, run.scope)]

    def add_run(self, scope: Scope, run_id: str, job_name: str, document: dict[str, Any], plan: dict[str, Any]) -> None:
        """A new run in state STARTING."""
        self._change(
            "INSERT INTO runs (account, region, id, job_name, state, document, plan) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*_key(scope), run_id, job_name, STARTING, json.dumps(document), json.dumps(plan)),
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

    # ---------------------------------------------------------------------------------------------- notices

    def add_notice(self, run_id: str, detail: dict[str, Any]) -> None:
        """Something to be told of a run; kept until it was told."""
        self._change("INSERT INTO notices (run_id, document) VALUES (?, ?)", (run_id, json.dumps(detail)))

    def notices(self, limit: int) -> list[Notice]:
        """What is still to be told, oldest first."""
        rows = self._rows(
            "SELECT notices.sequence, notices.document, runs.account, runs.region FROM notices "
            "JOIN runs ON runs.id = notices.run_id ORDER BY notices.sequence LIMIT ?",
            (limit,),
        )
        return [Notice(row["sequence"], _scope(row), json.loads(row["document"])) for row in rows]

    def drop_notice(self, notice: Notice) -> None:
        """It was told."""
        self._change("DELETE FROM notices WHERE sequence = ?", (notice.sequence,))


def _key(scope: Scope) -> tuple[str, str]:
    return scope.account_id, scope.region


def _scope(row: sqlite3.Row) -> Scope:
    return Scope(row["account"], row["region"])


def _job(row: sqlite3.Row) -> Job:
    return Job(row["name"], json.loads(row["definition"]), json.loads(row["tags"]))


def _connection(row: sqlite3.Row) -> Connection:
    return Connection(row["name"], json.loads(row["document"]), json.loads(row["tags"]))


def _run(row: sqlite3.Row) -> Run:
    return Run(
        row["sequence"],
        _scope(row),
        row["id"],
        row["job_name"],
        row["state"],
        json.loads(row["document"]),
        json.loads(row["plan"]),
        row["pid"],
        row["running_since"],
    )
