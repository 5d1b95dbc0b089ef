"""`ndjctl sweep --flush` on moto: what it leaves, and why, is told; it never tells to type itself again for that."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.operations_world import DAY, Answer, Operations, now

LEFT = {"waiting": 0, "open": 0, "pending": 2, "cut_short": False, "done": False}


class Sweeping:
    """The function, which answers `report`."""

    def __init__(self, **report: Any) -> None:
        self._report = report

    def invoke(self, **_: Any) -> dict[str, Any]:
        return {"Payload": io.BytesIO(json.dumps(self._report).encode())}


@pytest.fixture
def deployed(operations: Operations) -> Operations:
    operations.deploy()
    operations.clients["lambda"] = Sweeping(**LEFT)
    return operations


def held(deployed: Operations, date: str, lease_s: float) -> None:
    ends_at = int((now() + timedelta(seconds=lease_s)).timestamp())
    deployed.lock(date, holder="x", expires_at=ends_at, fence=7)


def said(answer: Answer) -> str:
    return " ".join(answer.out.split())


def test_the_date_of_a_lock_that_a_dead_one_holds_is_named_with_what_breaks_it(deployed: Operations) -> None:
    held(deployed, DAY, 36_000)
    deployed.lock("2026-11-22", fence=3)
    out = said(deployed("sweep", "--flush"))
    assert f"{DAY} is left: x holds its lock, and its lease ends at" in out
    assert f"next: ndjctl locks break --env dev {DAY}" in out
    assert "takes it now" not in out
    assert "2026-11-22" not in out
    (locked,) = deployed("sweep", "--flush", "--json").document["locked"]
    assert (locked["lock"], locked["holder"], locked["dead"]) == (DAY, "x", True)


def test_a_living_holder_is_waited_for(deployed: Operations) -> None:
    held(deployed, DAY, 200)
    out = said(deployed("sweep", "--flush"))
    assert f"{DAY} is left: x holds its lock, and its lease is not over" in out
    assert "next: ndjctl sweep --flush --env dev, when it is released or over, at the latest" in out
    assert "locks break" not in out


def test_of_the_date_that_was_asked_for_alone(deployed: Operations) -> None:
    held(deployed, "2026-11-22", 36_000)
    assert deployed("sweep", "--flush", "--date", DAY, "--json").document["locked"] == []


def test_a_flush_that_leaves_files_without_a_lock_names_no_flush(deployed: Operations) -> None:
    out = said(deployed("sweep", "--flush"))
    assert "2 files stay pending: they came meanwhile, or as many manifests wait for a run as may" in out
    assert "takes it now" not in out
    assert "are of other dates" in said(deployed("sweep", "--flush", "--date", DAY))


def test_locks_are_read_only_where_something_is_left_and_may_be_refused(deployed: Operations) -> None:
    class Refusing:
        def query(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Query")

    deployed.clients["dynamodb"] = Refusing()
    assert deployed("sweep", "--flush", "--json").document["locked"] is None
    assert "2 files stay pending" in said(deployed("sweep", "--flush"))
    deployed.clients["lambda"] = Sweeping(**{**LEFT, "pending": 0, "done": True})
    assert deployed("sweep", "--flush", "--json").document["locked"] == []
