"""What a change of capacity comes to: by hand for one case, and what must hold for all."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.advice import AccountFacts
from ndjctl.forecast.rate import BILLED_START_S, MB_PER_S_PER_VCPU, Rate
from ndjctl.forecast.runs import Quotas
from ndjctl.output.tune import tune_view
from ndjctl.prices import dpu_price
from ndjctl.profiles import load_profile
from ndjctl.settings import Profile
from ndjctl.tune.measured import LEAST_RUN_S, Measured, MeasuredRun, rate_for, summed_up
from ndjctl.tune.model import Backlog, Forecast, forecast
from ndjctl.tune.prediction import Prediction, _prices, predict

TODAY = date(2026, 11, 27)
RATE = Rate(10.0, 60.0, "by hand")
NO_QUOTAS = Quotas()


def profile(*assignments: str, env: str = "prod", preset: str | None = None) -> Profile:
    return load_profile(env, working_dir=Path("/nonexistent"), preset=preset, assignments=assignments).profile


SMALL = (
    "load.files_per_day=2400",
    "load.peak_files_per_hour=400",
    "load.min_file_size_mb=3000",
    "load.max_file_size_mb=4000",
    "batching.max_files_per_manifest=10",
    "job.worker_type=G.1X",
    "job.workers=11",
    "job.max_concurrent_runs=2",
    "job.auto_scaling=false",
)


def forecast_of(*assignments: str, quotas: Quotas = NO_QUOTAS, backlog: int = 0, rate: Rate = RATE) -> Forecast:
    return forecast(profile(*SMALL, *assignments), rate, quotas, Backlog(backlog), 0.5)


def test_one_case_by_hand() -> None:
    """100 files an hour of 3,500 MB in tens; 40 task slots of 10 MB/s make 35,000 MB in 87.5 s, and a start."""
    found = forecast_of(backlog=1000)
    assert (found.files_per_manifest, found.manifest_mb, found.run_s) == (10, 35_000, 147.5)
    assert found.billed_s == 147.5
    waited = forecast_of(rate=replace(RATE, wait_s=60))
    assert (waited.run_s, waited.billed_s, waited.dpu_hours_per_day) == (207.5, 147.5, found.dpu_hours_per_day)
    assert (found.runs_per_hour, found.peak_runs_per_hour) == (10, 40)
    assert found.concurrent_needed == pytest.approx(40 * 147.5 / 3600)
    assert (found.concurrent_allowed, found.limited_by) == (2, "job.max_concurrent_runs")
    assert found.files_per_hour_possible == pytest.approx(2 * 3600 / 147.5 * 10)
    # Ten files come in 360 s; in the peak in 90.
    assert (found.lag_s, found.peak_lag_s) == (360 + 60 + 147.5, 90 + 60 + 147.5)
    assert found.backlog_hours == pytest.approx(1000 / (2 * 3600 / 147.5 * 10 - 100))
    assert found.dpu_hours_per_day == pytest.approx(240 * 147.5 / 3600 * 11)
    assert found.usd_per_day == pytest.approx(240 * 147.5 / 3600 * 11 * 0.5)
    assert found.keeps_promise


def test_more_than_can_be_converted_grows_without_end() -> None:
    found = forecast_of("load.files_per_day=24000", backlog=10)
    assert found.concurrent_needed > found.concurrent_allowed
    assert (found.lag_s, found.backlog_hours, found.keeps_promise) == (None, None, False)
    assert found.peak_lag_s is not None and found.peak_lag_s > 1800


def test_few_files_are_flushed_by_their_age_in_smaller_manifests() -> None:
    found = forecast_of("load.files_per_day=24", "load.peak_files_per_hour=1")
    assert (found.files_per_manifest, found.runs_per_hour) == (1, 1)
    assert found.lag_s == 600 + 60 + 60 + 3500 / 400
    assert forecast_of("load.files_per_day=0", "load.peak_files_per_hour=0").dpu_hours_per_day == 0


def test_a_short_run_is_billed_a_minute() -> None:
    found = forecast_of("load.files_per_day=24", rate=Rate(1000, 1, "x"))
    assert found.dpu_hours_per_day == pytest.approx(24 * 60 / 3600 * 11)


@pytest.mark.parametrize(
    ("quotas", "allowed", "limited_by"),
    [
        (Quotas(1, 10, 1000), 1, "the quota of runs per account"),
        (Quotas(10, 1, 1000), 1, "the quota of runs per job"),
        (Quotas(10, 10, 12), 1, "the quota of DPUs"),
        (Quotas(10, 10, 5), 0, "the quota of DPUs"),
        (Quotas(2, 2, 22), 2, "job.max_concurrent_runs"),
    ],
)
def test_the_least_limit_holds(quotas: Quotas, allowed: int, limited_by: str) -> None:
    found = forecast_of(quotas=quotas, backlog=1)
    assert (found.concurrent_allowed, found.limited_by) == (allowed, limited_by)
    assert (found.lag_s is None) == (allowed == 0)


def test_auto_scaling_costs_the_share_that_was_measured() -> None:
    rate = Rate(10, 60, "x", used_share=0.5)
    assert forecast_of("job.auto_scaling=true", rate=rate).dpu_hours_per_day == pytest.approx(
        forecast_of(rate=rate).dpu_hours_per_day / 2
    )


# ---------------------------------------------------------------------------------------------- what must hold

_NUMBERS = {
    "files": st.integers(0, 500_000),
    "workers": st.integers(2, 200),
    "runs": st.integers(1, 200),
    "batch": st.integers(1, 500),
    "rate": st.floats(0.1, 200),
    "backlog": st.integers(0, 10**6),
}


def _case(files: int, workers: int, runs: int, batch: int, rate: float, backlog: int) -> Forecast:
    assignments = (
        f"load.files_per_day={files}",
        f"job.workers={workers}",
        f"job.max_concurrent_runs={runs}",
        f"batching.max_files_per_manifest={batch}",
    )
    return forecast_of(*assignments, backlog=backlog, rate=Rate(rate, 60, "x"))


def _not_slower(worse: Forecast, better: Forecast) -> None:
    assert better.run_s <= worse.run_s
    assert better.files_per_hour_possible >= worse.files_per_hour_possible * (1 - 1e-12)
    assert better.concurrent_needed <= worse.concurrent_needed * (1 + 1e-12)
    for name in ("lag_s", "peak_lag_s", "backlog_hours"):
        before, after = getattr(worse, name), getattr(better, name)
        assert before is None or (after is not None and after <= before * (1 + 1e-9))


@given(**_NUMBERS, more=st.integers(1, 90))
def test_more_workers_are_never_slower(
    files: int, workers: int, runs: int, batch: int, rate: float, backlog: int, more: int
) -> None:
    _not_slower(
        _case(files, workers, runs, batch, rate, backlog), _case(files, workers + more, runs, batch, rate, backlog)
    )


@given(**_NUMBERS, more=st.integers(1, 500))
def test_more_runs_at_once_are_never_slower_and_cost_the_same(
    files: int, workers: int, runs: int, batch: int, rate: float, backlog: int, more: int
) -> None:
    before = _case(files, workers, runs, batch, rate, backlog)
    after = _case(files, workers, runs + more, batch, rate, backlog)
    _not_slower(before, after)
    assert after.dpu_hours_per_day == before.dpu_hours_per_day


@given(**_NUMBERS, times=st.floats(1, 10))
def test_a_higher_rate_is_never_slower_nor_dearer(
    files: int, workers: int, runs: int, batch: int, rate: float, backlog: int, times: float
) -> None:
    before = _case(files, workers, runs, batch, rate, backlog)
    after = _case(files, workers, runs, batch, rate * times, backlog)
    _not_slower(before, after)
    assert after.dpu_hours_per_day <= before.dpu_hours_per_day


@given(**_NUMBERS, more=st.integers(1, 10**6))
def test_a_larger_backlog_is_never_gone_sooner(
    files: int, workers: int, runs: int, batch: int, rate: float, backlog: int, more: int
) -> None:
    before = _case(files, workers, runs, batch, rate, backlog).backlog_hours
    after = _case(files, workers, runs, batch, rate, backlog + more).backlog_hours
    assert after is None or (before is not None and before <= after)


# ---------------------------------------------------------------------------------------------- what was measured


def run(size_mb: float, seconds: float, slots: int = 40, dpus: float = 11, dpu_s: float | None = None) -> MeasuredRun:
    return MeasuredRun(size_mb, seconds, slots, dpus, dpu_s)


@given(st.floats(0.5, 100), st.floats(20, 90), st.lists(st.floats(1, 4), min_size=5, max_size=30))
def test_start_and_rate_are_found_again_where_sizes_differ(rate: float, start_s: float, times: list[float]) -> None:
    times = [*times, 1.0, 4.0]
    runs = [run(rate * 40 * LEAST_RUN_S * each, start_s + LEAST_RUN_S * each) for each in times]
    found = summed_up(runs).rate
    assert found is not None
    assert found.mb_per_s_per_vcpu == pytest.approx(rate, rel=1e-6)
    assert found.start_s == pytest.approx(start_s, rel=1e-5)
    assert "fitted" in found.source


def test_manifests_of_one_size_take_the_start_that_is_assumed() -> None:
    measured = summed_up([run(40_000, BILLED_START_S + 200, dpu_s=2000)] * 3)
    assert measured.rate is not None
    assert measured.rate.mb_per_s_per_vcpu == pytest.approx(5)
    assert measured.rate.used_share == pytest.approx(2000 / (11 * 230))
    assert measured.mb_per_s_per_dpu == pytest.approx(20)
    assert "3 completed runs" in measured.rate.source and "assumed" in measured.rate.source


@given(st.lists(st.tuples(st.floats(0.01, 10**6), st.floats(0, 10**5)), max_size=20))
def test_a_rate_is_above_nothing_whatever_was_measured(pairs: list[tuple[float, float]]) -> None:
    measured = summed_up([run(size_mb, seconds) for size_mb, seconds in pairs])
    long = [seconds for _, seconds in pairs if seconds >= LEAST_RUN_S]
    assert (measured.rate is None) == (not long)
    if measured.rate is not None:
        assert measured.rate.mb_per_s_per_vcpu > 0
        assert 0 <= measured.rate.start_s <= min(long) / 2


def test_where_the_rate_is_from() -> None:
    short = summed_up([run(1, 8)])
    assert (short.rate, short.looked_at) == (None, 1)
    built_in = rate_for(profile(), short)
    assert built_in.mb_per_s_per_vcpu == MB_PER_S_PER_VCPU
    assert built_in.source.startswith("built in") and "none of 1 completed runs" in built_in.source
    given_ = rate_for(profile("load.mb_per_s_per_vcpu=7"), Measured(None, 0, 0, None))
    assert given_.mb_per_s_per_vcpu == 7
    assert "of the profile" in given_.source and "no completed run" in given_.source
    assert rate_for(profile("load.mb_per_s_per_vcpu=7"), Measured(RATE, 3, 3, 1.0)) is RATE


# ---------------------------------------------------------------------------------------------- both beside each other


def predicted(*assignments: str, preset: str | None = None, facts: AccountFacts | None = None) -> Prediction:
    measured = Measured(RATE, 3, 3, 1.0)
    proposed = profile(*assignments, preset=preset)
    return predict(profile(), "x", proposed, assignments, measured, facts or AccountFacts(), None, TODAY)


def test_a_preset_is_judged_under_the_load_that_comes_and_not_its_own() -> None:
    found = predicted(preset="light")
    assert found.load.files_per_day == 338_000
    assert {(each.path, each.proposed) for each in found.changes} == {
        ("batching.max_batch_size_gb", 400.0),
        ("job.max_concurrent_runs", 20),
        ("job.workers", 15),
    }
    assert predicted("load.files_per_day=50000", preset="light").load.files_per_day == 50_000


def test_a_rate_that_is_typed_wins_over_the_measured_one() -> None:
    assert predicted().rate is RATE
    assert predicted("load.mb_per_s_per_vcpu=3").rate.mb_per_s_per_vcpu == 3


def test_what_is_proposed_is_warned_of() -> None:
    found = predicted("job.timeout_min=1", facts=AccountFacts(glue_task_dpus=100, remarks=("not checked: x",)))
    assert {"job-timeout", "dpus"} <= {finding.code for finding in found.warnings}
    assert (found.proposed.limited_by, found.remarks) == ("the quota of DPUs", ("not checked: x",))


def test_what_the_account_pays_counts_for_both_sides_but_not_for_another_version() -> None:
    found, listed = predicted("cost.usd_per_dpu_hour=0.22"), predicted()
    assert found.price is not None and (found.price.usd, found.price.as_of) == (0.22, None)
    for side in ("now", "proposed"):
        assert getattr(found, side).usd_per_day == pytest.approx(getattr(listed, side).usd_per_day / 2)
    now = profile("cost.usd_per_dpu_hour=0.22")
    other = profile("cost.usd_per_dpu_hour=0.22", "job.glue_version=6.0")
    assert [price and price.usd for price in _prices(now, other)] == [0.22, 0.308]
    there = profile("cost.usd_per_dpu_hour=0.3", "region=eu-north-1")
    assert [price and price.usd for price in _prices(profile(), there)] == [0.44, 0.3]


def test_a_region_without_a_price_is_said() -> None:
    assert dpu_price("eu-north-1", "4.0") is None
    found = predicted("region=eu-north-1")
    assert (found.price, found.proposed.usd_per_day) == (None, None)
    assert tune_view("prod", found, None, "x").document["price"] is None
