"""The one model of a run's time and DPU hours: by hand, and the same for all who use it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.advice.throughput import throughput
from ndjctl.estimate import estimate
from ndjctl.forecast.rate import Rate, Rates, built_in, stated
from ndjctl.forecast.runs import (
    Batch,
    Quotas,
    billed_seconds,
    dpu_hours,
    files_per_manifest,
    least_manifests,
    rounds,
    run_seconds,
)
from ndjctl.loadtest.feeder import feed_plan_of
from ndjctl.loadtest.model import LoadSettings
from ndjctl.loadtest.planning import expect
from ndjctl.profiles import load_profile
from ndjctl.settings import Profile
from ndjctl.tune.measured import MeasuredRun, rates_for, summed_up
from ndjctl.tune.model import forecast


def prod(*assignments: str) -> Profile:
    return load_profile("prod", working_dir=Path("/nonexistent"), assignments=assignments).profile


def test_the_built_in_rates_are_those_of_the_bench() -> None:
    """README, "What it costs to convert": 81 and 62 MB/s (of 10**6 bytes) on two cores."""
    rates = {case: rate.mb_per_s_per_vcpu * 2**20 / 1e6 for case, rate in built_in()}
    assert rates == {"low": pytest.approx(40.5), "expected": pytest.approx(31), "high": pytest.approx(15.5)}
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert "(Spark local[2], reading and writing the embedded S3) 81; the whole Glue run 62" in text


def test_by_hand() -> None:
    """100 files of 3,500 MB on 19 workers of 8 vCPUs at 10 MB/s each: 350,000 / 1,520 s, and 60 s to start."""
    job, batching = prod("job.auto_scaling=false").job, prod().batching
    run_s = run_seconds(job, Rate(10, 60, "x"), 350_000)
    assert run_s == pytest.approx(60 + 350_000 / 1_520)
    assert dpu_hours(job, Rate(10, 60, "x", used_share=0.5), 3, run_s) == pytest.approx(3 * run_s / 3600 * 40)
    assert (billed_seconds(5), billed_seconds(61)) == (60, 61)
    assert (files_per_manifest(batching, 3_500), files_per_manifest(batching, 6_000)) == (100, 85)
    assert files_per_manifest(batching, 10**6) == 1 and files_per_manifest(batching, 0) == 100
    assert Batch.of(batching, 1, 60) == Batch(10, 600) and Batch.of(batching, 1, 7_200) == Batch(100, 50)
    assert (least_manifests(batching, 0, 0), least_manifests(batching, 101, 1)) == (0, 2)
    assert (rounds(31, 30), rounds(1, 0)) == (2, 1)


@given(st.integers(1, 200), st.integers(2, 200))
def test_all_who_forecast_agree(hundreds: int, workers: int) -> None:
    """A day of full manifests: tune, the load test's plan, redrive's estimate and the advice say the same of it."""
    files = 100 * hundreds
    profile = prod(
        f"load.files_per_day={files * 24}",
        f"job.workers={workers}",
        "load.min_file_size_mb=3500",
        "load.max_file_size_mb=3500",
        "batching.max_partial_age_s=3600",
    )
    rate = stated(profile.load).expected
    tuned = forecast(profile, rate, Quotas(), None, None)
    size_bytes = 3_500 * 2**20
    load = LoadSettings(1, files, size_bytes, 1)
    feed = feed_plan_of(load, "bucket", "2026-11-27", "20261127T120000Z-00aa")
    planned = expect(profile, load, feed, rate, Quotas(), None)
    estimated = estimate(profile, files, files * size_bytes)
    assert tuned.run_s == pytest.approx(planned.run_s) == pytest.approx(throughput(profile)._run_s(350_000))
    assert tuned.dpu_hours_per_day / 24 == pytest.approx(planned.dpu_hours) == pytest.approx(estimated.dpu_hours)
    assert planned.manifests == estimated.manifests == hundreds


def test_what_was_measured_wins_and_has_the_spread_of_its_runs() -> None:
    runs = [MeasuredRun(20_000 * rate, 30 + 500, 40, 11, None) for rate in (0.8, 0.9, 1.0, 1.1, 1.2)]
    rates = rates_for(prod(), summed_up(runs))
    assert [rate.mb_per_s_per_vcpu for _, rate in rates] == pytest.approx([1.1, 1.0, 0.9])
    assert rates.has_spread and rates.source.startswith("measured: 5 completed runs")
    few = rates_for(prod(), summed_up(runs[:2]))
    assert not few.has_spread and few == Rates.same(few.expected)
    typed = rates_for(prod("load.mb_per_s_per_vcpu=7"), None)
    assert {rate.mb_per_s_per_vcpu for _, rate in typed} == {7}
