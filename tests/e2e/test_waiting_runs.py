"""More manifests than runs may be under way: those that Glue refuses wait their turn, the oldest first."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ndjctl.aws import Cloud
from tests.e2e.conftest import Tool
from tests.e2e.pipeline_harness import DAY, Pipeline, made_at, started_order, wait

pytestmark = pytest.mark.e2e


def pipeline_of(tool: Tool, cloud: Cloud, concurrent_runs: int) -> Pipeline:
    """One file a manifest, so that every file is a run. One invocation at a time: of two at once each could start a
    run, and then the order of the starts would be one of milliseconds."""
    settings = (
        "batching.max_files_per_manifest=1",
        f"job.max_concurrent_runs={concurrent_runs}",
        "function.reserved_concurrency=1",
    )
    pipeline = Pipeline(tool, cloud, settings)
    pipeline.deploy()
    return pipeline


def fill(pipeline: Pipeline, files: int) -> list[dict[str, Any]]:
    """Puts files of three lines each; returns their manifests, the oldest first, once all are built."""
    for number in range(files):
        body = b"".join(b'{"file":%d,"n":%d}\n' % (number, n) for n in range(3))
        pipeline.put(f"{DAY}-{number:03d}.ndjson", body)
    pipeline.wait_for_events()
    manifests = pipeline.ask("manifests")["manifests"]
    assert len(manifests) == files
    return sorted(manifests, key=lambda manifest: str(manifest["id"]))


def check(pipeline: Pipeline, manifests: list[dict[str, Any]]) -> None:
    """Every manifest is done by one run of its own, started in the order of age, and every line is in one row."""
    done = pipeline.ask("manifests")
    assert done["states"] == {"done": len(manifests)}
    assert {manifest["attempt"] for manifest in done["manifests"]} == {1}
    runs = pipeline.runs()
    assert Counter(run["JobRunState"] for run in runs) == {"SUCCEEDED": len(manifests)}
    assert started_order(runs) == [manifest["id"] for manifest in manifests]
    assert [made_at(manifest) for manifest in manifests] == sorted(made_at(manifest) for manifest in manifests)
    found = pipeline.balance()
    assert found.holds
    assert (found.lines_in, found.rows_out) == (3 * len(manifests), 3 * len(manifests))


def test_a_refused_run_starts_when_a_slot_frees(tool: Tool, embedded: Cloud) -> None:
    pipeline = pipeline_of(tool, embedded, concurrent_runs=1)
    pipeline.lose(pipeline.names.run_state_rule)
    manifests = fill(pipeline, 2)
    first, second = pipeline.ask("manifests", "--open")["manifests"]
    assert (first["state"] in ("started", "running"), second["state"]) == (True, "ready")
    assert (first["attempt"], second["attempt"], second["run_id"], second["error"]) == (1, 0, None, None)
    shown = pipeline("manifests", "show", second["id"])
    assert "It waits for a run" in shown.out
    assert "-m ndjctl sweep" in shown.out

    # While the slot is taken Glue itself refuses, and a sweep leaves the manifest where it is.
    assert len(pipeline.unfinished_runs()) == 1
    with pytest.raises(pipeline.glue.exceptions.ConcurrentRunsExceededException):
        pipeline.glue.start_job_run(JobName=pipeline.names.job)
    while_full = pipeline.ask("sweep")
    assert (while_full["runs_started"], while_full["failed"], while_full["done"]) == ([], [], False)
    assert while_full["waiting"] == 1

    pipeline.wait_for_state(first["run_id"], ["SUCCEEDED"])
    after = pipeline.ask("sweep")
    assert [run["manifest_id"] for run in after["runs_started"]] == [second["id"]]
    pipeline.wait_for_state(after["runs_started"][0]["run_id"], ["SUCCEEDED"])
    assert pipeline.ask("sweep")["done"]
    check(pipeline, manifests)


@pytest.mark.slow
def test_the_end_of_a_run_starts_the_next_without_a_sweep(tool: Tool, embedded: Cloud) -> None:
    pipeline = pipeline_of(tool, embedded, concurrent_runs=1)
    pipeline.lose(pipeline.names.sweep_rule)
    manifests = fill(pipeline, 2)
    wait(lambda: pipeline.ask("manifests")["states"] == {"done": 2}, 240, lambda: f"{pipeline.ask('manifests')}")
    check(pipeline, manifests)


@pytest.mark.slow
def test_forty_manifests_through_five_slots_oldest_first(tool: Tool, embedded: Cloud, tmp_path: Path) -> None:
    pipeline = pipeline_of(tool, embedded, concurrent_runs=5)
    began = time.monotonic()
    manifests = fill(pipeline, 40)
    built_s = time.monotonic() - began
    most = 0
    refused = 0
    waiting: list[int] = []

    def look() -> None:
        nonlocal most, refused
        under_way = len(pipeline.unfinished_runs())
        most = max(most, under_way)
        states = pipeline.ask("manifests", "--open")["states"] if len(waiting) % 10 == 0 else {}
        waiting.append(states.get("ready", 0))
        refused += bool(states.get("ready")) and under_way == 5

    settled_s = pipeline.settle(timeout_s=3_000, each=look, pause_s=2.0)
    assert most == 5
    assert refused >= 3
    check(pipeline, manifests)
    runs = pipeline.runs()
    spent_s = [run["ExecutionTime"] for run in runs]
    figures = {"built_s": built_s, "settled_s": settled_s, "runs": len(runs), "mean_run_s": sum(spent_s) / len(runs)}
    (tmp_path / "figures.json").write_text(json.dumps(figures))
    print(json.dumps(figures))
