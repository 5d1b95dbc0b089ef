"""A budget of the day on the embedded cloud: runs are held when it is spent, everything says so, and once it is lifted
all is converted and nothing lost."""

from __future__ import annotations

import pytest

from ndjctl.aws import Cloud
from tests.e2e.conftest import Tool
from tests.e2e.pipeline_harness import DAY, Pipeline, wait

pytestmark = pytest.mark.e2e

FILES = 2


def test_runs_over_the_budget_wait_and_once_it_is_lifted_all_are_converted(tool: Tool, embedded: Cloud) -> None:
    # A run is billed for a minute of two DPUs at least, which is more than a cent: one run starts, and no second.
    budget = ("cost.max_per_day=0.01", "cost.hold_runs=true")
    pipeline = Pipeline(tool, embedded, ("batching.max_files_per_manifest=1", *budget))
    pipeline.deploy()
    bodies = [b"".join(b'{"file":%d,"n":%d}\n' % (number, n) for n in range(3)) for number in range(FILES)]
    keys = [f"{DAY}-{number:03d}.ndjson" for number in range(FILES)]
    for key, body in zip(keys, bodies, strict=True):
        pipeline.put(key, body)
    pipeline.wait_for_events()
    wait(lambda: pipeline.ask("manifests")["states"].get("done") == 1, 240, lambda: f"{pipeline.ask('manifests')}")

    swept = pipeline.ask("sweep")
    assert (swept["held"], swept["waiting"], swept["runs_started"]) == (FILES - 1, FILES - 1, [])
    assert swept["budget"]["spent_dpu_s"] > swept["budget"]["limit_dpu_s"] == 81.818
    assert len(pipeline.runs()) == 1
    assert "1 manifest is held by the budget: $0.0" in pipeline("sweep").out

    checks = {each["code"]: each for each in pipeline.ask("doctor", "--quick", code=1)["checks"]}
    assert checks["runs-held"]["verdict"] == "fail" and "1 manifest waits" in checks["runs-held"]["sentence"]
    assert {checks[code]["verdict"] for code in ("starts", "budget")} == {"pass"}
    shown = pipeline.ask("monitor", "--once")
    # As the function counts, once the run has ended.
    assert shown["cost"]["budget"]["share"] == pytest.approx(swept["budget"]["spent_dpu_s"] / 81.818, rel=1e-3)
    assert shown["cost"]["budget"]["share"] > 1 and shown["cost"]["budget"]["held_since"]
    assert shown["health"]["headline"] == "DEGRADED"
    waiting = [key for key in keys if pipeline.ask("explain", key)["verdict"]["code"] == "held-by-budget"]
    assert len(waiting) == FILES - 1

    # Looking changes nothing; a lift that cannot be read neither.
    looked = pipeline.ask("cost", "lift")
    assert (looked["done"], looked["waiting"]) == (False, 1) and "--yes" in looked["next"]
    assert pipeline.ask("cost", "lift", "--usd", "many", code=2)["error"]

    lifted = pipeline.ask("cost", "lift", "--yes")
    assert lifted["done"] and lifted["before"]["held_since"] and lifted["after"]["limit_usd"] is None
    # Of this sweep or of the schedule's, whichever comes first.
    wait(lambda: pipeline.ask("sweep")["done"], 240, lambda: f"{pipeline.ask('manifests')}")
    assert len(pipeline.runs()) == FILES
    assert "No run is held" in pipeline("cost", "lift").out
    assert pipeline.ask("reconcile")["findings"] == []
    found = pipeline.balance()
    assert found.holds and (found.lines_in, found.rows_out) == (3 * FILES, 3 * FILES)

    # Taken back, the next one waits again.
    assert pipeline.ask("cost", "lift", "--undo")["done"]
    pipeline.put(f"{DAY}-more.ndjson", bodies[0])
    pipeline.wait_for_events()
    wait(lambda: pipeline.ask("sweep")["held"] == 1, 60, lambda: f"{pipeline.ask('manifests')}")
    # A function that is deployed without a budget holds nothing, whatever the ledger has of before.
    assert pipeline.ask("cost", "lift")["before"]["held_since"]
    free = Pipeline(tool, embedded, ("batching.max_files_per_manifest=1",))
    free.deploy()
    assert "No run is held" in free("cost", "lift").out
