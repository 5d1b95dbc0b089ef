"""Runs as the monitor sees them: read back to what it knows, their progress, and what they cost."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ndjctl.glue_runs import GlueRun
from ndjctl.health.facts import Run
from ndjctl.manifests import ManifestSummary
from ndjctl.monitor.model import RunProgress
from ndjctl.monitor.runs import RUN_CALLS, Pace, RunsSeen, SeenRun, cost_of, runs_panel
from ndjctl.profiles import load_profile

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc)
MIDNIGHT = NOW.replace(hour=0)
PROD = load_profile("prod", working_dir=Path("/nonexistent")).profile


class Glue:
    """runs: the newest first."""

    def __init__(self, runs: list[dict[str, Any]], page: int = 3) -> None:
        self.runs, self.page, self.calls = runs, page, 0

    def get_job_runs(self, JobName: str, MaxResults: int, NextToken: str = "0") -> dict[str, Any]:
        assert (JobName, MaxResults) == ("job", 200)
        self.calls += 1
        start = int(NextToken)
        answer = {"JobRuns": self.runs[start : start + self.page]}
        return {**answer, "NextToken": str(start + self.page)} if start + self.page < len(self.runs) else answer


def run(number: int, state: str = "SUCCEEDED", hours_ago: float = 1.0, **more: Any) -> dict[str, Any]:
    return {"Id": f"jr_{number}", "JobRunState": state, "StartedOn": NOW - timedelta(hours=hours_ago), **more}


def ids(seen: RunsSeen) -> tuple[list[str], bool]:
    runs, is_complete = seen.read(MIDNIGHT)
    return [each.run.run_id for each in runs], is_complete


def test_the_first_time_it_reads_back_to_midnight() -> None:
    glue = Glue([run(number, hours_ago=number) for number in range(1, 40)])
    assert ids(RunsSeen(glue, "job")) == ([f"jr_{number}" for number in range(1, 13)], True)
    assert glue.calls == 5, "12 hours of the day, 3 a page, and the page on which yesterday begins"


def test_later_it_reads_what_is_new() -> None:
    glue = Glue([run(number, hours_ago=number) for number in range(1, 12)])
    seen = RunsSeen(glue, "job")
    ids(seen)
    glue.runs.insert(0, run(0, hours_ago=0))
    glue.calls = 0
    found, is_complete = ids(seen)
    assert (found[:2], len(found), is_complete, glue.calls) == (["jr_0", "jr_1"], 12, True, 1)


def test_a_run_under_way_is_looked_at_until_it_has_ended() -> None:
    glue = Glue([*(run(number, hours_ago=number / 10) for number in range(1, 9)), run(9, "RUNNING", 1)])
    seen = RunsSeen(glue, "job")
    ids(seen)
    glue.runs[8] = run(9, "SUCCEEDED", 1)
    runs, _ = seen.read(MIDNIGHT)
    assert {each.run.run_id: each.run.state for each in runs}["jr_9"] == "SUCCEEDED"
    glue.calls = 0
    seen.read(MIDNIGHT)
    assert glue.calls == 1


def test_a_run_that_glue_forgot_is_none() -> None:
    glue = Glue([run(1, "RUNNING")])
    seen = RunsSeen(glue, "job")
    ids(seen)
    glue.runs = []
    assert ids(seen) == ([], True)


def test_a_run_under_way_counts_whenever_it_began_and_others_of_yesterday_do_not() -> None:
    glue = Glue([run(1, hours_ago=1), run(2, "RUNNING", 13), run(3, "FAILED", 14)])
    seen = RunsSeen(glue, "job")
    runs, is_complete = seen.read(MIDNIGHT)
    panel = runs_panel(runs, is_complete, {}, None, None, NOW, MIDNIGHT)
    assert [each.run.run_id for each in panel.under_way] == ["jr_2"]
    assert panel.today == {"SUCCEEDED": 1}
    assert panel.last_failed == ()


def test_so_many_calls_and_no_more() -> None:
    glue = Glue([run(number, hours_ago=number / 1_000) for number in range(1_000)])
    seen = RunsSeen(glue, "job")
    found, is_complete = ids(seen)
    assert (glue.calls, is_complete, len(found)) == (RUN_CALLS, False, 3 * RUN_CALLS)
    assert cost_of(seen.read(MIDNIGHT)[0], is_complete, PROD, MIDNIGHT).is_complete is False


def seen_run(state: str, seconds: int, *, dpu_s: float | None = None, dpus: float = 10, flex: bool = False) -> SeenRun:
    started = NOW - timedelta(seconds=seconds)
    told = GlueRun("jr_1", state, started, None, seconds, dpu_s, "")
    about = Run(told, "20261123T110000000Z-0a0a0a0a", "2026-11-23", 0, "G.1X", 10, dpus, 60)
    return SeenRun(about, "FLEX" if flex else "STANDARD")


@pytest.mark.parametrize(
    ("seen", "dpu_s"),
    [
        (seen_run("SUCCEEDED", 600), 6_000.0),
        (seen_run("SUCCEEDED", 600, dpu_s=1_234.5), 1_234.5),
        (seen_run("FAILED", 20), 600.0),  # a minute at least
        (seen_run("STARTING", 0), 600.0),  # it will be, for a minute at least
        (seen_run("STOPPED", 0), 0.0),  # it ended before it ran
    ],
)
def test_a_run_costs_what_is_billed(seen: SeenRun, dpu_s: float) -> None:
    assert seen.dpu_s == dpu_s
    cost = cost_of([seen], True, PROD, MIDNIGHT)
    assert cost.usd == pytest.approx(dpu_s / 3600 * 0.44)
    assert (cost.runs, cost.price_usd) == (1, 0.44)


def test_flex_costs_less_and_an_unknown_region_is_not_guessed() -> None:
    assert cost_of([seen_run("SUCCEEDED", 3_600, flex=True)], True, PROD, MIDNIGHT).usd == pytest.approx(2.9)
    there = PROD.model_copy(update={"region": "mars-north-1"})
    unknown = cost_of([seen_run("SUCCEEDED", 3_600)], True, there, MIDNIGHT)
    assert (unknown.usd, unknown.price_usd, unknown.dpu_hours) == (None, None, 10.0)
    assert "mars-north-1" in unknown.source


@pytest.mark.parametrize("region", ["us-east-1", "mars-north-1"])
def test_what_the_profile_states_of_a_dpu_hour_is_what_runs_cost(region: str) -> None:
    stated = PROD.cost.model_copy(update={"usd_per_dpu_hour": Decimal("0.2")})
    cost = cost_of(
        [seen_run("SUCCEEDED", 3_600)], True, PROD.model_copy(update={"region": region, "cost": stated}), MIDNIGHT
    )
    assert (cost.usd, cost.price_usd, cost.source) == (2.0, 0.2, f"{region}, cost.usd_per_dpu_hour of the profile")


MANIFEST_ID = "20261123T110000000Z-0a0a0a0a"
TAKEN_AT = NOW - timedelta(seconds=50)


def manifest(state: str = "running", files: int = 10, size_bytes: int = 1_000) -> ManifestSummary:
    """That a run took 50 s ago."""
    return ManifestSummary(
        manifest_id=MANIFEST_ID,
        date="2026-11-23",
        state=state,
        is_open=True,
        files=files,
        size_bytes=size_bytes,
        created_at=None,
        updated_at=None,
        started_at=TAKEN_AT,
        completed_at=None,
        attempt=1,
        run_id="jr_1",
        error="",
        parts=None,
    )


def progress(found: ManifestSummary, processing: int | None, pace: Pace | None) -> RunProgress:
    counts = None if processing is None else Counter({MANIFEST_ID: processing})
    (under_way,) = runs_panel(
        [seen_run("RUNNING", 90)], True, {MANIFEST_ID: found}, counts, pace, NOW, MIDNIGHT
    ).under_way
    return under_way


def test_progress_is_files_at_rest_and_until_then_a_promise() -> None:
    usual = Pace(bytes_per_s=10.0, run_s=100.0)
    at_rest = progress(manifest(), 4, usual)
    assert (at_rest.files_at_rest, at_rest.share, at_rest.is_estimate) == (6, 0.6, False)
    promised = progress(manifest(), 10, usual)
    assert (promised.files_at_rest, promised.share, promised.is_estimate) == (0, 0.5, True)
    assert progress(manifest(size_bytes=100), 10, usual).share == 0.99, "only the end is the end"
    assert progress(manifest(size_bytes=100), 10, Pace(10.0, 200.0)).share == 0.5, "a small one has a start, too"
    unknown = progress(manifest(), None, None)
    assert (unknown.files_at_rest, unknown.share) == (None, None)
    assert unknown.elapsed_s == 90.0


def test_a_manifest_that_no_run_has_taken_yet_is_at_its_beginning() -> None:
    starting = progress(manifest("started"), 0, Pace(10.0, 100.0))
    assert (starting.files_at_rest, starting.share, starting.is_estimate) == (None, 0.0, False)
