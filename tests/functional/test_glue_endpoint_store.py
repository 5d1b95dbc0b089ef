"""What the Glue endpoint keeps on disk: files of its first version, and events that EventBridge is still to be told."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ndjctl.embedded.glue.notices import Notices, detail
from ndjctl.embedded.glue.scope import Scope, scope_of
from ndjctl.embedded.glue.store import FAILED, RUNNING, STARTING, SUCCEEDED, Job, Store

# Written by the first version of the endpoint.
VERSION_1 = """
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
PRAGMA user_version=1;
"""

OTHER = Scope("111111111111", "eu-west-1")


def first_version(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.executescript(VERSION_1)
        connection.execute("INSERT INTO jobs VALUES ('job', ?, ?)", (json.dumps({"Role": "r"}), json.dumps({"a": "b"})))
        for number, state in enumerate((SUCCEEDED, RUNNING, STARTING)):
            connection.execute(
                "INSERT INTO runs (id, job_name, state, document, plan, pid, running_since) VALUES (?,?,?,?,?,?,?)",
                (f"jr_{number}", "job", state, json.dumps({"Attempt": number}), json.dumps({"p": 1}), 7, 1.5),
            )
    connection.close()


def test_a_file_of_the_first_version_is_of_the_default_account(tmp_path: Path) -> None:
    path = tmp_path / "glue.sqlite3"
    first_version(path)
    for _ in range(2):  # and is opened again as what it has become
        store = Store(path)
        assert store.job(Scope(), "job") == Job("job", {"Role": "r"}, {"a": "b"})
        assert store.job(OTHER, "job") is None
        assert [(run.id, run.state, run.pid) for run in store.runs_of(Scope(), "job", None, 9)] == [
            ("jr_2", STARTING, 7),
            ("jr_1", RUNNING, 7),
            ("jr_0", SUCCEEDED, 7),
        ]
        assert store.runs_of(OTHER, "job", None, 9) == []
        assert [run.id for run in store.unfinished()] == ["jr_1", "jr_2"]
        assert store.run("jr_1").scope == Scope()  # type: ignore[union-attr]
        store.close()
    store = Store(path)
    store.put_job(OTHER, Job("job", {"Role": "other"}, {}))
    store.add_run(OTHER, "jr_9", "job", {"Attempt": 0}, {})
    assert [run.id for run in store.unfinished(scope=OTHER)] == ["jr_9"]
    assert store.job(Scope(), "job").definition == {"Role": "r"}  # type: ignore[union-attr]
    store.delete_job(OTHER, "job")
    assert [job.name for job in store.jobs(Scope(), "", 9)] == ["job"]
    store.close()


def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "glue.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=3")
    connection.close()
    with pytest.raises(ValueError, match="has version 3; this program reads up to 2"):
        Store(path)


@pytest.mark.parametrize(
    ("headers", "scope"),
    [
        ({}, Scope()),
        ({"authorization": "AWS4-HMAC-SHA256 Credential=test/20260131/us-east-1/glue/aws4_request, X=y"}, Scope()),
        ({"authorization": "AWS4-HMAC-SHA256 Credential=111111111111/20260131/eu-west-1/glue/aws4_request"}, OTHER),
        ({"authorization": "AWS4 Credential=1111111111110/20260131/eu-west-1/glue/"}, Scope(region="eu-west-1")),
        ({"authorization": "Bearer x", "x-ndj-account": "111111111111"}, Scope("111111111111")),
        ({"x-ndj-account": "../../etc"}, Scope()),
    ],
)
def test_whose_a_request_is(headers: dict[str, str], scope: Scope) -> None:
    assert scope_of(headers) == scope


class Bus:
    """An EventBridge that refuses as long as it is told to."""

    def __init__(self) -> None:
        self.told: list[tuple[Scope, dict[str, Any]]] = []
        self.refusals: list[Exception] = []
        self.got = threading.Event()

    def deliver(self, scope: Scope, event: Mapping[str, Any]) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.told.append((scope, dict(event)))
        self.got.set()


def store_with_runs(path: Path, *ids: str) -> Store:
    store = Store(path)
    for run_id in ids:
        store.add_run(OTHER, run_id, "job", {}, {})
        store.add_notice(run_id, detail("job", run_id, FAILED, "ValueError: no"))
    return store


def wait_until_told(store: Store) -> None:
    deadline = time.monotonic() + 10
    while store.notices(9):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_events_are_told_in_order_and_again_when_nobody_took_them(tmp_path: Path) -> None:
    store, bus = store_with_runs(tmp_path / "s", "jr_1", "jr_2"), Bus()
    bus.refusals = [OSError("nobody there"), OSError("still nobody")]
    notices = Notices(store, bus.deliver)
    notices.start()
    wait_until_told(store)
    assert [(scope, event["jobRunId"]) for scope, event in bus.told] == [(OTHER, "jr_1"), (OTHER, "jr_2")]
    assert bus.told[0][1]["message"] == "Job run failed: ValueError: no" and bus.told[0][1]["severity"] == "ERROR"
    store.add_run(OTHER, "jr_3", "job", {}, {})
    store.add_notice("jr_3", detail("job", "jr_3", SUCCEEDED, None))
    notices.wake()
    wait_until_told(store)
    assert bus.told[-1][1]["jobRunId"] == "jr_3"
    notices.close()


def test_what_was_not_told_before_the_end_is_told_after_the_next_start(tmp_path: Path) -> None:
    store, bus = store_with_runs(tmp_path / "s", "jr_1"), Bus()
    bus.refusals = [OSError("nobody there")] * 1000
    notices = Notices(store, bus.deliver)
    notices.start()
    time.sleep(0.1)
    notices.close()
    store.close()
    store = Store(tmp_path / "s")
    bus.refusals = []
    notices = Notices(store, bus.deliver)
    notices.start()
    wait_until_told(store)
    notices.close()
    assert [event["jobRunId"] for _, event in bus.told] == ["jr_1"]


def test_an_event_that_nobody_will_ever_take_holds_up_no_other(tmp_path: Path) -> None:
    store, bus = store_with_runs(tmp_path / "s", "jr_1", "jr_2"), Bus()
    bus.refusals = [ValueError("404")]
    notices = Notices(store, bus.deliver)
    notices.start()
    wait_until_told(store)
    notices.close()
    assert [event["jobRunId"] for _, event in bus.told] == ["jr_2"]
