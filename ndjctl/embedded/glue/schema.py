"""The tables of the Glue endpoint's store, and how those of an earlier version become them."""

from __future__ import annotations

import sqlite3

from ndjctl.embedded.environment import ACCOUNT_ID, REGION

VERSION = 2

_NEW = """
CREATE TABLE jobs (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    definition TEXT NOT NULL,
    tags TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE TABLE connections (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    tags TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE TABLE notices (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL,
    document TEXT NOT NULL
);
"""

_RUNS = """
CREATE TABLE runs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    job_name TEXT NOT NULL,
    state TEXT NOT NULL,
    document TEXT NOT NULL,
    plan TEXT NOT NULL,
    pid INTEGER,
    running_since REAL
);
"""

_INDEXES = """
CREATE INDEX runs_by_job ON runs (account, region, job_name, sequence);
CREATE INDEX runs_by_state ON runs (state, sequence);
"""

# Version 1 knew one account and one region: all that it kept is of those.
_FROM_1 = f"""
ALTER TABLE jobs RENAME TO jobs_1;
{_NEW}
INSERT INTO jobs SELECT '{ACCOUNT_ID}', '{REGION}', name, definition, tags FROM jobs_1;
DROP TABLE jobs_1;
ALTER TABLE runs ADD COLUMN account TEXT NOT NULL DEFAULT '{ACCOUNT_ID}';
ALTER TABLE runs ADD COLUMN region TEXT NOT NULL DEFAULT '{REGION}';
DROP INDEX runs_by_job;
DROP INDEX runs_by_state;
{_INDEXES}
"""  # noqa: S608 - both are constants of ours

_STEPS = {0: _NEW + _RUNS + _INDEXES, 1: _FROM_1}


def prepare(connection: sqlite3.Connection, name: str) -> None:
    """Makes the tables, or brings those of an earlier version up to date, all or nothing.

    Raises ValueError for a file of a later version, sqlite3.Error for one that is no database.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise ValueError(f"{name} has version {version}; this program reads up to {VERSION}: upgrade it")
    if version < VERSION:
        connection.executescript(f"BEGIN;{_STEPS[version]};PRAGMA user_version={VERSION};COMMIT;")
