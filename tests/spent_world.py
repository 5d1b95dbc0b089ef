"""Runs of the job as GetJobRuns gives them, for tests of what was spent."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from ndjctl.contracts import manifest_key, s3_uri
from ndjctl.spent.runs import SpentRun, spent_run
from ndjctl.spent.waste import LedgerManifest, RunTimes

NOON = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
DAY = "2026-11-26"


def at(minutes: float) -> datetime:
    """So long after noon."""
    return NOON + timedelta(minutes=minutes)


def job_run(
    run_id: str,
    state: str = "SUCCEEDED",
    *,
    manifest: str = "m1",
    begun: float = 0,
    seconds: int = 600,
    told: float | None = None,
    started: datetime | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Of 10 G.1X. begun: minutes after noon, if `started` does not say when. seconds: of its execution. told:
    DPUSeconds."""
    first = started or at(begun)
    document = {
        "Id": run_id,
        "Attempt": int(run_id.partition("_attempt_")[2] or 0),
        "JobRunState": state,
        "StartedOn": first,
        "ExecutionTime": seconds,
        "Arguments": {"--MANIFEST_PATH": s3_uri("b", manifest_key(DAY, manifest))} if manifest else {},
        "WorkerType": "G.1X",
        "NumberOfWorkers": 10,
        "MaxCapacity": 10.0,
        "GlueVersion": "4.0",
        "ExecutionClass": "STANDARD",
        "Timeout": 60,
    }
    if state not in ("STARTING", "RUNNING", "STOPPING", "WAITING"):
        document["CompletedOn"] = first + timedelta(seconds=seconds)
    if told is not None:
        document["DPUSeconds"] = told
    return {**document, **more}


def run(*about: Any, **more: Any) -> SpentRun:
    return spent_run(job_run(*about, **more))


def closed(run_id: str, done: float, files: int = 100, size_bytes: int = 10**9) -> LedgerManifest:
    """done: minutes after noon."""
    return LedgerManifest(files, size_bytes, run_id, at(done))


def times(run_id: str, began: float, *, spark_s: str = "0", busy_s: str = "0") -> RunTimes:
    """began: minutes after noon."""
    return RunTimes(run_id, at(began), Decimal(spark_s), Decimal(busy_s))
