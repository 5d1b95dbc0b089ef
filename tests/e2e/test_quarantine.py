"""`ndjctl quarantine` and the lists on the embedded cloud, as a user types them: a file that is released, mended lines,
a purge; and `reconcile` exits 0 after each of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ndjctl.aws import Cloud
from ndjctl.contracts import COMPLETED, PENDING, QUARANTINED
from tests.e2e.conftest import Tool
from tests.e2e.pipeline_harness import DAY, Pipeline

pytestmark = pytest.mark.e2e

FILE, SMALL = f"{DAY}-a.ndjson", f"{DAY}-[small] b.ndjson"
ROWS = 50
BAD = (b'{"n":1', b'{"n":1,"n":2}', b'{"n": "\xff"}')


def reconciled(pipeline: Pipeline) -> dict[str, Any]:
    """What is so of the day, nothing being given time to settle. Exit code 0."""
    document = pipeline.ask("reconcile", "--date", DAY, "--grace", "0")
    assert document["findings"] == []
    return dict(document["totals"])


def status(pipeline: Pipeline, key: str) -> str:
    found = pipeline.ask("files", "--date", DAY, "--key", key)["files"]
    assert [file["key"] for file in found] == [key]
    return str(found[0]["status"])


def test_release_mend_and_purge_and_each_time_nothing_is_lost(tool: Tool, embedded: Cloud, tmp_path: Path) -> None:
    pipeline = Pipeline(tool, embedded, ("size_rule.min_file_size_mb=0.0001",))
    pipeline.deploy()
    rows = [json.dumps({"n": n}).encode() for n in range(ROWS)]
    pipeline.put(FILE, b"\n".join([*rows, *BAD]))
    etag = pipeline.put(SMALL, b'{"n":7}\n')
    pipeline.wait_for_events()
    pipeline.settle(timeout_s=300)
    before = reconciled(pipeline)
    assert (before["lines"], before["rows"], before["bad_lines"], before["quarantined"]) == (ROWS + 3, ROWS, 3, 1)
    listed = pipeline.ask("quarantine", "list", "--date", DAY)
    assert (listed["totals"]["held"]["lines"], listed["totals"]["held"]["objects"]) == (3, 1)

    # A file with an exception to the size rule; its event comes once more.
    assert pipeline("quarantine", "release", SMALL, "--yes").code == 1, "the rule would set it aside again"
    assert status(pipeline, SMALL) == QUARANTINED
    assert pipeline("quarantine", "release", SMALL, "--ignore-size-rule", "--yes").code == 0
    pipeline.send_event(SMALL, 8, etag)
    pipeline.wait_for_events()
    assert status(pipeline, SMALL) != QUARANTINED

    # Lines that are mended, in the same batch.
    file = tool.home / "to mend.ndjson"
    pipeline.ask("quarantine", "show", FILE, "--save", file.name)
    assert sorted(file.read_bytes().splitlines()) == sorted(BAD)
    refused = pipeline("quarantine", "release", "--mended", file.name, "--yes")
    assert refused.code == 1 and "3 lines still no records" in refused.err
    file.write_bytes(b'{"n":101}\n\n{"n":103}\n')
    released = pipeline.ask("quarantine", "release", "--mended", file.name, "--yes")
    assert (released["lines"], released["marked"], released["lines_staying"]) == (2, 2, 1)
    assert released["status"] == PENDING
    pipeline.wait_for_events()
    pipeline.settle(timeout_s=300)
    assert status(pipeline, SMALL) == status(pipeline, released["key"]) == COMPLETED
    after = reconciled(pipeline)
    assert (after["lines"], after["rows"], after["bad_lines"]) == (ROWS + 6, ROWS + 3, 3)
    assert (after["quarantined"], after["completed"]) == (0, 3)
    again = pipeline.ask("quarantine", "release", "--mended", file.name, "--yes")
    assert (again["key"], again["entered"], again["status"]) == (released["key"], "there before", COMPLETED)
    assert (again["marked"], again["marked_before"]) == (0, 2)
    pipeline.wait_for_events()
    assert reconciled(pipeline) == after
    states = {row["state"]: row["count"] for row in pipeline.ask("quarantine", "list", "--date", DAY)["quarantine"]}
    # The function may have copied the mended lines for their size before it met their item.
    assert {"held", "released"} <= set(states) <= {"held", "released", "moved on"}

    # What is left is purged: lines are accounted for, and told apart.
    purged = pipeline.ask("quarantine", "purge", "--date", DAY, "--yes")
    assert (purged["purged_lines"], purged["left_count"]) == (3, 0)
    end = reconciled(pipeline)
    assert (end["lines"], end["rows"], end["bad_lines"], end["purged_lines"]) == (ROWS + 6, ROWS + 3, 0, 3)
    told = pipeline("reconcile", "--date", DAY)
    assert told.code == 0 and "+ 0 quarantined + 3 purged" in told.out
    again_file = tmp_path / FILE
    again_file.write_bytes(b"\n".join([*rows, *BAD]))
    ran = pipeline.ask("run", str(again_file))
    assert (ran["files_already_there"], ran["ok"], ran["lines_in"], ran["rows_out"]) == (1, True, ROWS + 3, ROWS)
    assert (ran["lines_quarantined"], ran["lines_purged"], ran["lost"]) == (0, 3, 0)
    actions = [each["action"] for each in pipeline.ask("quarantine", "history")["actions"]]
    assert actions == ["purge", "release-mended", "release"]

    # Of a file that is set aside the copy may be purged, too.
    pipeline.put(f"{DAY}-c.ndjson", b'{"n":8}\n')
    pipeline.wait_for_events()
    assert status(pipeline, f"{DAY}-c.ndjson") == QUARANTINED
    assert pipeline.ask("quarantine", "purge", "--reason", "too-small", "--yes")["purged_files"] >= 1
    assert reconciled(pipeline)["purged_files"] == 1
    again_file = tmp_path / f"{DAY}-c.ndjson"
    again_file.write_bytes(b'{"n":8}\n')
    ran = pipeline("run", str(again_file))
    assert ran.code == 0 and "1 file set aside by size, 1 of them purged since" in ran.out
    # Without the rule of this environment, which would come behind another.
    words = ("--set", f"suffix={tool.suffix}", "--set", "size_rule.min_file_size_mb=0", "--json")
    assert tool("quarantine", "backtest", *words).document["totals"]["freed"]["files"] == 1

    # The other lists.
    runs = pipeline.ask("runs")
    assert runs["states"] == {"SUCCEEDED": 2} and sum(run["files"] for run in runs["runs"]) == 3
    (run,) = pipeline.ask("runs", "--manifest", runs["runs"][0]["manifest_id"])["runs"]
    assert (run["date"], run["files"]) == (DAY, 2)
    queue = pipeline.ask("queue")
    assert queue["queue"]["settings"]["max_receives"] == 5 and queue["dead_letters"] == []
    assert pipeline.ask("files")["statuses"] == {"completed": 3, "quarantined": 1}
