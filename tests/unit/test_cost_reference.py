"""The reference's own figures: with its assumptions put in they come out where its arithmetic holds, and where it does
not, what it would have to be. Each figure stands in docs/cost.md as it is computed here."""

from __future__ import annotations

from decimal import Decimal as D
from functools import cache
from pathlib import Path

import pytest

from ndjctl.advice.throughput import peak_files_per_hour
from ndjctl.cost.estimate import Case, case_of
from ndjctl.cost.usage import Given, usage
from ndjctl.forecast.rate import Rate, built_in
from ndjctl.forecast.runs import run_seconds
from ndjctl.prices import built_in_book
from ndjctl.profiles import load_profile
from ndjctl.settings import Profile

PAGE = (Path(__file__).parents[2] / "docs/cost.md").read_text(encoding="utf-8")
FILES, FILE_BYTES, MANIFESTS, RUN_S = 338_000, 3_500_000_000, 3_380, D(300)
REFERENCE = Given(FILES, FILE_BYTES, RUN_S, MANIFESTS)


@cache
def profile(env: str) -> Profile:
    return load_profile(env, working_dir=Path("/nonexistent")).profile


def case(env: str, given: Given) -> Case:
    book = built_in_book("us-east-1")
    assert book is not None
    rate = built_in().expected
    return case_of(profile(env), usage(profile(env), given, rate), book, alarms=8)


def glue_usd_per_month(env: str, given: Given) -> D:
    return sum((each.usd_per_month for each in case(env, given).lines if each.service == "AWS Glue"), D(0))


def told(text: str) -> None:
    assert text in PAGE, f"docs/cost.md does not say {text!r}"


def test_prods_glue_comes_out() -> None:
    """3,380 manifests x 5 min x 40 DPUs x 0.44 USD: 4,957 a day, 148.7 thousand a month."""
    month = glue_usd_per_month("prod", REFERENCE)
    assert month / 30 == pytest.approx(D(4_957), rel=D("0.01"))
    assert month == pytest.approx(D(148_590), rel=D("0.01"))
    assert usage(profile("prod"), Given(FILES, FILE_BYTES), built_in().expected).manifests == MANIFESTS
    told(f"${month / 30:,.2f}")
    told(f"${month:,.0f}")


def test_devs_glue_comes_out_if_it_runs_for_eight_minutes_a_day() -> None:
    """18 USD a month are 1.36 DPU hours a day: 491 s of 10 DPUs."""
    given = Given(files_per_day=50, file_bytes=15_000, run_s=D(491), manifests_per_day=1)
    assert glue_usd_per_month("dev", given) == pytest.approx(D(18), rel=D("0.01"))
    told("491 s")
    # The 8,000 files a day that it is meant for cost more, however short their runs are.
    least = glue_usd_per_month("dev", Given(files_per_day=8_000, run_s=D(1)))
    assert least > 18 * D(10)
    told(f"${least:,.0f}")


def test_two_shifts_save_nothing() -> None:
    half = Given(FILES // 2, FILE_BYTES, RUN_S, MANIFESTS // 2)
    assert 2 * glue_usd_per_month("prod", half) == pytest.approx(glue_usd_per_month("prod", REFERENCE))
    told("two shifts")


def test_twelve_runs_at_once_are_for_an_even_day_only() -> None:
    """3,380 x 5 min of 1,440; and the stated peak of 7,000 files an hour is half of an even hour."""
    even = MANIFESTS * RUN_S / 86_400
    assert 11 < even < 12
    told(f"{even:.1f}")
    stated = profile("prod").load.peak_files_per_hour
    assert stated == 7_000
    assert stated * RUN_S / 100 / 3600 == pytest.approx(D("5.83"), abs=D("0.01"))
    assert stated < peak_files_per_hour(profile("prod")) == pytest.approx(FILES / 24)
    told(f"{FILES / 24:,.0f}")
    busiest = even * D("1.5")
    assert busiest > 12
    told(f"{busiest:.1f}")


def test_the_storage_is_of_another_load() -> None:
    """525 TB to 1.5 PB a month are 5,000 to 14,286 files a day, not 338,000."""
    day = case("prod", REFERENCE).usage.input_bytes
    assert day == D("1.183e15")
    told("1.18 PB a day")
    told(f"{day * 30 / 10**15:.1f} PB a month")
    for stated, files in ((D("525e12"), 5_000), (D("1.5e15"), 14_286)):
        assert stated / 30 / FILE_BYTES == pytest.approx(D(files), rel=D("0.001"))
        told(f"{files:,}")


def test_thirty_thousand_a_month_are_runs_of_a_minute() -> None:
    """And a manifest of 350 GB in a minute is more than a whole run was ever measured to do."""
    needed_s = D(30_000) / glue_usd_per_month("prod", REFERENCE) * RUN_S
    assert glue_usd_per_month("prod", Given(FILES, FILE_BYTES, needed_s, MANIFESTS)) == pytest.approx(D(30_000))
    told(f"{needed_s:.1f} s")
    job = profile("prod").job
    needed = float(100 * FILE_BYTES / needed_s / job.task_slots) / 1e6
    told(f"{needed:.0f} MB/s")
    measured = built_in()
    assert needed > measured.expected.mb_per_s_per_vcpu * 2**20 / 1e6
    assert run_seconds(job, measured.low, 100 * FILE_BYTES / 2**20) > needed_s


def test_five_minutes_a_run_are_a_third_of_the_measured_rate() -> None:
    job = profile("prod").job
    size_mb = 100 * FILE_BYTES / 2**20
    assumed = size_mb / job.task_slots / (float(RUN_S) - 90)
    assert run_seconds(job, Rate(assumed, 90, "x"), size_mb) == pytest.approx(300)
    told(f"{assumed * 2**20 / 1e6:.0f} MB/s")
    expected_s = run_seconds(job, built_in().expected, size_mb)
    told(f"{expected_s:.0f} s")
    ours = glue_usd_per_month("prod", Given(FILES, FILE_BYTES))
    told(f"${ours:,.0f}")
