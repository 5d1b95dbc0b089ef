"""`ndjctl cost --actual` after a load test: to the second what the run records say, and a killed and a doubled run as
waste."""

from __future__ import annotations

import threading
import time
from decimal import Decimal
from typing import Any

import pytest

from ndjctl.aws import Cloud
from ndjctl.embedded.faults import Faults
from ndjctl.glue_runs import ENDED, SUCCEEDED
from tests.e2e.conftest import Finished, Tool

pytestmark = pytest.mark.e2e


def _records(cloud: Cloud) -> list[dict[str, Any]]:
    return list(cloud.client("glue").get_job_runs(JobName=cloud.names.job)["JobRuns"])


def _billed(run: dict[str, Any]) -> Decimal:
    """Without auto scaling Glue tells no DPUSeconds: the time at all workers, a minute at least."""
    assert "DPUSeconds" not in run
    return Decimal(max(run["ExecutionTime"], 60) if run["ExecutionTime"] else 0) * Decimal(str(run["MaxCapacity"]))


def _ran(run: dict[str, Any]) -> float:
    return float(run["ExecutionTime"] * run["MaxCapacity"])


def _kill_the_first_run(tool: Tool, cloud: Cloud) -> None:
    faults, deadline = Faults(tool.data_dir / "local"), time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if any(faults.kill_run(run["Id"]) for run in _records(cloud) if run["JobRunState"] == "RUNNING"):
                return
        except cloud.client("glue").exceptions.EntityNotFoundException:
            pass  # it is not deployed yet
        time.sleep(0.1)


def _double(cloud: Cloud) -> None:
    """The same manifest a second time, as nobody should."""
    glue, first = cloud.client("glue"), _records(cloud)[0]
    run_id = glue.start_job_run(JobName=cloud.names.job, Arguments=first["Arguments"])["JobRunId"]
    deadline = time.monotonic() + 120
    while glue.get_job_run(JobName=cloud.names.job, RunId=run_id)["JobRun"]["JobRunState"] not in ENDED:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_killed_and_a_doubled_run_are_waste(tool: Tool, embedded: Cloud) -> None:
    def ndjctl(*words: str) -> Finished:
        done = tool(*words, "--json", "--set", f"suffix={tool.suffix}")
        assert done.code == 0, done.err
        return done

    killer = threading.Thread(target=_kill_the_first_run, args=(tool, embedded))
    killer.start()
    small = ("--phase", "1", "--files", "3", "--file-size", "50KB", "--bad-lines", "1")
    # The killed run is billed for its minute, too: twice what was estimated.
    ndjctl("loadtest", *small, "--max-cost-ratio", "2.5", "--keep", "--yes")
    killer.join()
    _double(embedded)

    found = ndjctl("cost", "--actual").document
    records = _records(embedded)
    states = sorted(run["JobRunState"] for run in records)
    assert states == ["FAILED", SUCCEEDED, SUCCEEDED]
    period = found["spent"]
    assert Decimal(str(period["dpu_s"])) == sum(map(_billed, records))
    parts = period["parts"]
    assert sum(Decimal(str(part["dpu_s"])) for part in parts.values()) == Decimal(str(period["dpu_s"]))
    assert sum(Decimal(str(part["usd"])) for part in parts.values()) == Decimal(str(period["glue_usd"]))
    assert (parts["retried"]["runs"], parts["duplicate"]["runs"], parts["useful"]["runs"]) == (1, 1, 1)
    failed = next(run for run in records if run["JobRunState"] == "FAILED")
    assert parts["retried"]["dpu_s"] == _ran(failed)
    assert parts["duplicate"]["dpu_s"] == _ran(records[0])
    assert parts["minimum"]["dpu_s"] == float(sum(map(_billed, records))) - sum(map(_ran, records))
    runs = found["runs"]
    assert (runs["starts_told"], runs["duplicates_unsure"], runs["later_attempts"]) == (1, 0, 1)
    assert (found["each"]["manifests"], found["each"]["files"]) == (1, 3)
    reasons = found["beside_estimate"]["reasons"]
    assert sum(Decimal(str(reason["usd"])) for reason in reasons) == Decimal(
        str(found["beside_estimate"]["difference_usd"])
    )
    # The other commands that tell of these runs say the same.
    assert ndjctl("runs").document["dpu_hours"] == pytest.approx(period["dpu_s"] / 3600, abs=1e-3)
    assert ndjctl("monitor").document["cost"]["usd_today"] == pytest.approx(period["glue_usd"], abs=1e-4)
