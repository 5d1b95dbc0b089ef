"""Thousands of small files, doubled events, ten builders at once, a run that is killed twice: every line once."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ndjctl.aws import Cloud
from tests.e2e.conftest import Tool
from tests.e2e.pipeline_harness import DAY, Pipeline, kill, started_order, wait

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FILES = 5_000
LINES = 20
BUILDERS = 10
MANIFEST_FILES = 500
BAD_EVERY = 50
"""Every so many files one has a line that is no JSON, and another one a blank line."""


def body_of(number: int) -> bytes:
    lines = [b'{"file":%d,"n":%d,"text":"line %d of %d"}' % (number, n, n, number) for n in range(LINES)]
    if number % BAD_EVERY == 7:
        lines[3] = b'{"cut":'
    if number % BAD_EVERY == 8:
        lines.insert(5, b"  ")
    return b"\n".join(lines) + b"\n"


def test_five_thousand_files_come_out_once(tool: Tool, embedded: Cloud, tmp_path: Path) -> None:
    settings = (
        f"batching.max_files_per_manifest={MANIFEST_FILES}",
        f"function.reserved_concurrency={BUILDERS + 1}",
        "job.max_concurrent_runs=2",
        "job.max_retries=1",
        "job.max_attempts=2",
    )
    pipeline = Pipeline(tool, embedded, settings)
    pipeline.deploy()
    mapping = pipeline.lambda_.get_event_source_mapping(UUID=pipeline.mapping["UUID"])
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": BUILDERS}
    figures: dict[str, float] = {}
    began = time.monotonic()

    def reached(step: str) -> None:
        figures[step] = round(time.monotonic() - began, 1)
        print(step, figures[step])

    bodies = {f"{DAY}-{number:05d}.ndjson": body_of(number) for number in range(FILES)}
    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(kill_twice, pipeline)
        assert pipeline.put_all(bodies, doubled=lambda number: number % 5 == 0) == FILES // 5
        reached("uploaded_s")
        pipeline.wait_for_events(timeout_s=1_800)
        reached("events_taken_s")
        victim = killed.result()
        reached("killed_s")
    pipeline.settle(timeout_s=3_000, pause_s=3.0)
    reached("settled_s")

    closed = pipeline.ask("manifests")
    assert set(closed["states"]) == {"done"}
    assert closed["files"] == FILES
    attempts = {manifest["id"]: manifest["attempt"] for manifest in closed["manifests"]}
    assert {name for name, attempt in attempts.items() if attempt != 1} == {victim}
    states = Counter(run["JobRunState"] for run in pipeline.runs())
    assert states == {"FAILED": 2, "SUCCEEDED": closed["count"]}

    bad = sum(number % BAD_EVERY == 7 for number in range(FILES))
    found = pipeline.balance()
    assert found.holds, found
    assert (found.lines_in, found.rows_out, found.lines_quarantined) == (FILES * LINES, FILES * LINES - bad, bad)
    rows, distinct, sources = pipeline.counted(tmp_path / "parts")
    assert (rows, distinct, sources) == (FILES * LINES - bad, FILES * LINES - bad, FILES)
    reconciled = pipeline("reconcile", "--date", DAY, "--json", timeout_s=600)
    assert reconciled.code == 0, reconciled.err + reconciled.out[-2_000:]

    figures["parts"], figures["manifests"] = len(pipeline.parts()), closed["count"]
    (tmp_path / "figures.json").write_text(json.dumps(figures))
    print(json.dumps(figures))


def kill_twice(pipeline: Pipeline) -> str:
    """Kills a run while it writes parts, and then the attempt that Glue makes in its place as soon as it has the
    manifest. Returns the manifest's id."""
    for number in range(FILES // MANIFEST_FILES):
        wait(lambda number=number: len(pipeline.runs()) > number, 900, lambda: "no run began", 0.5)  # type: ignore[misc]
        run = pipeline.runs()[number]
        run_id, manifest_id = str(run["Id"]), started_order([run])[0]
        pipeline.wait_for_state(run_id, ["RUNNING", "SUCCEEDED"], timeout_s=600)
        while pipeline.state(run_id) == "RUNNING" and not pipeline.has_unfinished_uploads():
            time.sleep(0.01)
        kill(run_id)
        if pipeline.wait_for_state(run_id, ["SUCCEEDED", "FAILED"]) == "SUCCEEDED":
            continue  # the moment was over too soon
        kill_when_it_has_taken(pipeline, manifest_id, f"{run_id}_attempt_1")
        return manifest_id
    pytest.fail("no run was caught while it wrote")


def kill_when_it_has_taken(pipeline: Pipeline, manifest_id: str, run_id: str) -> None:
    wait(lambda: pipeline.holder_of(manifest_id) == run_id, 600, lambda: f"{run_id} did not take {manifest_id}", 0.05)
    assert kill(run_id) >= 1
    assert pipeline.wait_for_state(run_id, ["SUCCEEDED", "FAILED"]) == "FAILED"
