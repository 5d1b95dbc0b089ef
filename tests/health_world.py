"""Facts of an environment with which nothing is wrong, to be changed a little."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ndjctl.budget import NOTHING_SPENT
from ndjctl.contracts import Env, Names
from ndjctl.glue_runs import GlueRun
from ndjctl.health import metrics
from ndjctl.health.facts import (
    Clock,
    Facts,
    Files,
    FileSeen,
    Function,
    Job,
    LogLine,
    LogLines,
    LostObject,
    OpenManifest,
    OpenManifests,
    Points,
    Queue,
    Rule,
    Run,
    Runs,
    Sample,
    SourceMapping,
    Wiring,
)
from ndjctl.manifests import ManifestSummary
from ndjctl.profiles import load_profile
from ndjctl.reading import Reading, Why

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=timezone.utc)
NAMES = Names("123456789012")
PROFILE = load_profile("prod", working_dir=Path("/nonexistent")).profile
QUEUE_ARN = f"arn:aws:sqs:us-east-1:123456789012:{NAMES.queue}"
LIVE_ARN = f"arn:aws:lambda:us-east-1:123456789012:function:{NAMES.live_function}"
DAY = "2026-11-27"


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def read(value: Any) -> Reading[Any]:
    return Reading(value)


def refused(why: Why = "denied") -> Reading[Any]:
    return Reading(why=why, sentence=f"AWS refused it ({why}).")


def queue(**attributes: Any) -> Queue:
    return Queue("http://q", {name: str(value) for name, value in attributes.items()})


def summary(manifest_id: str, state: str, *, age_s: float = 10, **changes: Any) -> ManifestSummary:
    made = ManifestSummary(
        manifest_id=manifest_id,
        date=DAY,
        state=state,
        is_open=True,
        files=3,
        size_bytes=3_000,
        created_at=ago(age_s),
        updated_at=ago(age_s),
        started_at=None,
        completed_at=None,
        attempt=1,
        run_id="",
        error="",
        parts=None,
    )
    return replace(made, **changes)


def open_manifests(*summaries: ManifestSummary, **changes: Any) -> Reading[OpenManifests]:
    return Reading(OpenManifests(tuple(OpenManifest(each, **changes) for each in summaries), is_whole=True))


def run(run_id: str, state: str, *, age_s: float = 400, lasted_s: int = 300, error: str = "", **changes: Any) -> Run:
    ended = state not in ("RUNNING", "STARTING", "WAITING")
    glue = GlueRun(
        run_id=run_id,
        state=state,
        started_at=ago(age_s),
        completed_at=ago(age_s - lasted_s) if ended else None,
        execution_s=lasted_s,
        dpu_s=None,
        error=error,
    )
    made = Run(
        run=glue,
        manifest_id="m1",
        manifest_date=DAY,
        attempt=0,
        worker_type="G.2X",
        workers=20,
        dpus=40.0,
        timeout_min=120,
    )
    return replace(made, **changes)


def runs(*several: Run) -> Reading[Runs]:
    return Reading(Runs(several, is_whole=True))


def file(status: str, *, age_s: float = 10, key: str = f"{DAY}-a.ndjson", **changes: Any) -> FileSeen:
    made = FileSeen(
        date=DAY,
        key=key,
        status=status,
        size_bytes=4 * 2**30,
        uploaded_at=ago(age_s),
        updated_at=ago(age_s),
        manifest_id="",
        why="",
        quarantine_key="",
    )
    return replace(made, **changes)


def files(*several: FileSeen) -> Reading[Files]:
    return Reading(Files(several, is_whole=True))


def log(*messages: str, age_s: float = 60, **changes: Any) -> Reading[LogLines]:
    lines = tuple(LogLine(ago(age_s), message, "") for message in messages)
    return Reading(LogLines(lines, True, ago(900), **changes))


def ours(event: str, error: str = "", level: str = "ERROR", **fields: Any) -> str:
    """A line of the function's own."""
    return json.dumps({"level": level, "event": event, "error": error, **fields})


def minutes(**points: Sequence[tuple[float, float]]) -> Reading[dict[str, Points]]:
    """Metrics by name: (age in seconds, value). A sweep a minute ago, unless said otherwise."""
    told: dict[str, Points] = {query.name: () for query in metrics.queries(NAMES)}
    told[metrics.SWEEPS] = ((ago(60), 1.0),)
    told |= {name: tuple(sorted((ago(age_s), value) for age_s, value in each)) for name, each in points.items()}
    return Reading(told)


def lost(key: str, date: str = DAY) -> LostObject:
    return LostObject(date, key, 5, ago(4_000))


def healthy(**changes: Any) -> Facts:
    """Nothing is wrong with it, but for what is changed."""
    policy = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{NAMES.input_bucket}"}},
            }
        ]
    }
    variables = {Env.EXPECTED_FILE_SIZE_MB: "3500", Env.SIZE_TOLERANCE_PERCENT: "20", Env.MAX_FILE_SIZE_MB: "4700"}
    function = Function("3", "Active", "", "python3.13", 1024, 300, variables, 10, ago(86_400))
    job = Job("glueetl", "4.0", "G.2X", 20, 30, 120, 2, "s3://scripts/x.py", {}, ago(86_400))
    rule = Rule(NAMES.sweep_rule, True, "rate(1 minute)", (LIVE_ARN,))
    facts = Facts(
        at=NOW,
        names=NAMES,
        profile=PROFILE,
        region="us-east-1",
        clock=read(Clock(0.3)),
        queue=read(queue(Policy=json.dumps(policy))),
        dead_letters=read(queue()),
        function=read(function),
        mappings=read((SourceMapping("u1", LIVE_ARN, "Enabled", "OK", 10),)),
        wirings=read((Wiring(QUEUE_ARN, ("s3:ObjectCreated:*",), "", ".ndjson"),)),
        sweep_rule=read(rule),
        run_state_rule=read(replace(rule, name=NAMES.run_state_rule, schedule="")),
        job=read(job),
        runs=runs(),
        open_manifests=open_manifests(),
        oldest={status: files() for status in ("pending", "manifested", "processing")},
        failed=files(),
        quarantined=files(),
        locks=read(()),
        errors=log(),
        metrics=minutes(),
        sample=read(Sample(10, (), True)),
        missing_tables=read(()),
        missing_buckets=read(()),
        budget=read(NOTHING_SPENT),
        grace_s=PROFILE.batching.max_partial_age_s + 300,
    )
    return replace(facts, **changes)


def changed(part: str, **changes: Any) -> dict[str, Reading[Any]]:
    """One part of healthy() with some of it changed."""
    return {part: Reading(replace(getattr(healthy(), part).value, **changes))}
