"""What a load comes to on every runner: each kind worked out by hand, and what holds for all of them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ndjctl.compare.building import Builder
from ndjctl.compare.by_volume import (
    LARGEST_RECORD_BYTES,
    athena_usd_per_day,
    billed_share,
    firehose_usd_per_day,
)
from ndjctl.compare.cluster import SPOT_INSTANCES, cluster_figures, cluster_sizes
from ndjctl.compare.comparison import Comparison, compare, how_sure
from ndjctl.compare.model import Figures, Work, figures
from ndjctl.compare.readers import OURS, SPARK
from ndjctl.compare.row import cheapest_in_time, times_cheaper
from ndjctl.compare.sizes import Size, emr_serverless_sizes, fargate_sizes, glue_size
from ndjctl.errors import UsageError
from ndjctl.forecast.rate import Rate, stated
from ndjctl.forecast.runs import Quotas
from ndjctl.output.cost_compare import compare_view, conclusions
from ndjctl.prices import Price, PriceBook, Tier
from ndjctl.profiles import load_profile
from ndjctl.settings import PRESETS, Profile
from ndjctl.tune.model import forecast

D = Decimal

# As in AWS's price lists of us-east-1 in 2026; the spot prices are made up.
USD = {
    "glue.dpu_hour": "0.44",
    "glue.flex_dpu_hour": "0.29",
    "glue.v6_dpu_hour": "0.308",
    "glue.v6_flex_dpu_hour": "0.203",
    "emr_serverless.vcpu_hour_x86": "0.052624",
    "emr_serverless.gb_hour_x86": "0.0057785",
    "emr_serverless.vcpu_hour_arm": "0.042094",
    "emr_serverless.gb_hour_arm": "0.004628",
    "fargate.vcpu_hour_x86": "0.04048",
    "fargate.gb_hour_x86": "0.004445",
    "fargate.vcpu_hour_arm": "0.03238",
    "fargate.gb_hour_arm": "0.00356",
    "fargate.spot_vcpu_hour_x86": "0.014",
    "fargate.spot_gb_hour_x86": "0.0015",
    "fargate.spot_vcpu_hour_arm": "0.011",
    "fargate.spot_gb_hour_arm": "0.0012",
    "ec2.m5.xlarge_hour": "0.192",
    "ec2.m5.xlarge_spot_hour": "0.08",
    "emr.m5.xlarge_hour": "0.048",
    "ec2.m7g.2xlarge_hour": "0.3264",
    "ec2.m7g.2xlarge_spot_hour": "0.13",
    "emr.m7g.2xlarge_hour": "0.0816",
    "ec2.c7g.4xlarge_hour": "0.58",
    "ec2.c7g.4xlarge_spot_hour": "0.2",
    "emr.c7g.4xlarge_hour": "0.145",
    "athena.scanned_tb": "5",
}
UNITS = {"athena.scanned_tb": "TB of 2**40 bytes"}


def _price(key: str, *tiers: tuple[str, str | None], unit: str = "unit") -> Price:
    steps = tuple(Tier(D(usd), None if up_to is None else D(up_to)) for usd, up_to in tiers)
    return Price(key, steps, unit, date(2026, 10, 1), "a test")


PRICES = {key: _price(key, (usd, None), unit=UNITS.get(key, "hour")) for key, usd in USD.items()} | {
    "firehose.ingested_gb": _price("firehose.ingested_gb", ("0.03", "50000"), ("0.02", None), unit="GB of 2**30 bytes"),
    "firehose.converted_gb": _price("firehose.converted_gb", ("0.018", None), unit="GB of 2**30 bytes"),
}
BOOK = PriceBook("us-east-1", PRICES, "a test")

# 100 files of 1 GiB an hour, ten to a manifest: 240 manifests a day, filled in 360 s. A vCPU converts 16 MB/s.
LOAD = (
    "load.files_per_day=2400",
    "load.peak_files_per_hour=0",
    "load.min_file_size_mb=1024",
    "load.max_file_size_mb=1024",
    "load.mb_per_s_per_vcpu=16",
    "batching.max_files_per_manifest=10",
    "batching.max_partial_age_s=600",
    "job.worker_type=G.1X",
    "job.workers=5",
    "job.max_concurrent_runs=3",
    "job.auto_scaling=false",
)
RUNS = D(240)


def _profile(*assignments: str, preset: str | None = None) -> Profile:
    taken = (*LOAD, *assignments)
    return load_profile("prod", working_dir=Path("/nonexistent"), preset=preset, assignments=taken).profile


def _compared(*assignments: str, book: PriceBook = BOOK) -> Comparison:
    presets = {name: _profile(*assignments, preset=name) for name in PRESETS}
    return compare(_profile(*assignments), presets, book)


@pytest.fixture(scope="module")
def compared() -> Comparison:
    return _compared()


PROFILE = _profile()
WORK = Work.of(PROFILE.load, PROFILE.batching)
RATE = stated(PROFILE.load).expected


def _of(size: Size, slower: float = 1.0, allowed: int | None = None) -> Figures:
    return figures(WORK, size, RATE, "expected", slower, allowed, BOOK)


def _agrees(found: Decimal | None, by_hand: Decimal) -> None:
    assert found is not None
    assert abs(found - by_hand) < D("0.00001")


def test_a_glue_run_is_billed_by_its_dpus_and_seconds() -> None:
    """10,240 MB on 16 slots of 16 MB/s are 40 s, 90 s to start, 30 of them billed; 5 DPUs (AWS
    Glue pricing)."""
    found = _of(glue_size(PROFILE.job))
    assert found.run_s == pytest.approx(130)
    _agrees(found.usd_per_day, RUNS * 70 / 3600 * 5 * D("0.44"))
    assert found.lag_s == pytest.approx(360 + 60 + 130)
    assert found.at_once == pytest.approx(10 * 130 / 3600)


def test_spark_s_reader_takes_longer_by_its_ratio_after_the_same_start() -> None:
    found = _of(glue_size(PROFILE.job), SPARK.slower.expected)
    assert found.run_s == pytest.approx(90 + 40 * 3.47)
    _agrees(found.usd_per_day, RUNS * (30 + 40 * D("3.47")) / 3600 * 5 * D("0.44"))


@pytest.mark.parametrize(
    ("version", "flex", "usd"),
    [("4.0", False, "0.44"), ("5.1", True, "0.29"), ("6.0", False, "0.308"), ("6.0", True, "0.203")],
)
def test_each_version_and_class_of_glue_has_its_price(version: str, flex: bool, usd: str) -> None:
    job = PROFILE.job.model_copy(update={"glue_version": version})
    _agrees(_of(glue_size(job, flex=flex)).usd_per_day, RUNS * 70 / 3600 * 5 * D(usd))


def test_a_minute_is_billed_at_least() -> None:
    quick = Rate(16.0 * 1000, 5.0, "a test")
    found = figures(WORK, glue_size(PROFILE.job), quick, "expected", 1.0, None, BOOK)
    _agrees(found.usd_per_day, RUNS * 60 / 3600 * 5 * D("0.44"))


def test_emr_serverless_is_billed_by_vcpu_and_memory_with_a_driver() -> None:
    """One executor of 4 vCPU with 2 GB each, a driver of 2 vCPU with 8 GB: 6 vCPU and 16 GB for 30 + 160 s (Amazon EMR
    pricing)."""
    found = _of(next(emr_serverless_sizes("x86", OURS)))
    _agrees(found.usd_per_day, RUNS * 190 / 3600 * (6 * D("0.052624") + 16 * D("0.0057785")))


def test_spark_s_executors_take_twice_the_memory() -> None:
    found = _of(next(emr_serverless_sizes("arm", SPARK)))
    _agrees(found.usd_per_day, RUNS * 190 / 3600 * (6 * D("0.042094") + 24 * D("0.004628")))


def test_fargate_is_billed_by_vcpu_and_memory_without_a_driver() -> None:
    """One task of 4 vCPU and 8 GB for 60 + 160 s; to Spark's reader comes its start of 4 s (AWS Fargate pricing)."""
    found = _of(next(fargate_sizes("arm", OURS)))
    _agrees(found.usd_per_day, RUNS * 220 / 3600 * (4 * D("0.03238") + 8 * D("0.00356")))
    spark = _of(next(fargate_sizes("x86", SPARK)))
    _agrees(spark.usd_per_day, RUNS * 224 / 3600 * (4 * D("0.04048") + 16 * D("0.004445")))


@pytest.mark.parametrize(("spot", "node"), [(True, "0.08"), (False, "0.192")])
def test_a_cluster_stands_all_day_with_a_primary_node_on_demand(spot: bool, node: str) -> None:
    """6 vCPU a run, 10 runs an hour of 30 + 160 s, 0.8 of the vCPUs busy at most: an instance of 4 vCPU would do for
    that, two are needed for a run to fit (Amazon EMR pricing)."""
    size = next(cluster_sizes(1, spot=spot))
    found = cluster_figures(WORK, SPOT_INSTANCES[0], size, RATE, "expected", 1.0, BOOK, spot=spot)
    _agrees(found.usd_per_day, 24 * (2 * (D(node) + D("0.048")) + D("0.192") + D("0.048")))
    assert found.units_per_day == 24 * 3 * 4


def test_firehose_is_billed_by_the_month_s_tiers() -> None:
    """2,400 GB a day are 72,000 a month, 50,000 of them in the first tier; 1,000 KiB are a multiple of 5 KB (Amazon
    Data Firehose pricing)."""
    ingested, converted = PRICES["firehose.ingested_gb"], PRICES["firehose.converted_gb"]
    month = 50_000 * D("0.03") + 22_000 * D("0.02") + 72_000 * D("0.018")
    _agrees(firehose_usd_per_day(WORK, LARGEST_RECORD_BYTES, ingested, converted), month / 30)


def test_a_short_record_of_firehose_is_billed_as_five_kilobytes() -> None:
    assert billed_share(1000) == D("5.12")
    assert billed_share(5120) == 1
    assert billed_share(5121) == D(10_240) / 5121
    for wrong in (0, -1, LARGEST_RECORD_BYTES + 1):
        with pytest.raises(ValueError, match="none that Firehose takes"):
            billed_share(wrong)


def test_athena_is_billed_by_what_it_scans() -> None:
    """2,400 GB are 2.34375 TB of 2**40 bytes (Amazon Athena pricing)."""
    _agrees(athena_usd_per_day(WORK, PRICES["athena.scanned_tb"]), D("2.34375") * 5)


def test_a_query_of_athena_is_billed_for_ten_megabytes_at_least() -> None:
    profile = _profile("load.min_file_size_mb=0.1", "load.max_file_size_mb=0.1")
    small = Work.of(profile.load, profile.batching)
    scanned_tb = 240 * 10 * D(2**20) / D(2**40)
    _agrees(athena_usd_per_day(small, PRICES["athena.scanned_tb"]), scanned_tb * 5)


@pytest.mark.parametrize("setting", ["job.workers=9", "job.max_concurrent_runs=1", "load.peak_files_per_hour=900"])
def test_today_s_figures_are_those_of_tune(setting: str) -> None:
    """One forecast: what 'ndjctl tune' says of the same settings."""
    profile = _profile(setting, "job.workers=3")
    work = Work.of(profile.load, profile.batching)
    told = forecast(profile, RATE, Quotas(), None, 0.44)
    found = figures(work, glue_size(profile.job), RATE, "expected", 1.0, profile.job.max_concurrent_runs, BOOK)
    assert found.run_s == pytest.approx(told.run_s)
    assert found.units_per_day == pytest.approx(told.dpu_hours_per_day)
    assert found.at_once == pytest.approx(told.concurrent_needed)
    worst = None if told.lag_s is None or told.peak_lag_s is None else max(told.lag_s, told.peak_lag_s)
    assert found.lag_s == (None if worst is None else pytest.approx(worst))
    assert found.is_in_time == told.keeps_promise


def test_the_comparison_has_every_runner_with_both_readers(compared: Comparison) -> None:
    codes = [row.code for row in compared.rows]
    assert len(set(codes)) == len(codes)
    assert compared.today.code == "today-spark"
    for reader in ("spark", "ours"):
        wanted = ("today", "preset-light", "preset-heavy", "glue-G.1X", "glue-G.8X", "glue-5.1", "glue-6.0", "flex-4.0")
        wanted += ("emr-serverless-x86", "emr-serverless-arm", "emr-spot-m5.xlarge", "fargate-x86", "fargate-spot-arm")
        assert {f"{code}-{reader}" for code in wanted} <= set(codes)
    assert codes[-2:] == ["firehose-own", "athena-own"]


def test_rows_say_what_keeps_the_promise_and_what_only_may(compared: Comparison) -> None:
    rows = {row.code: row for row in compared.rows}
    assert {row.promise for row in compared.rows if row.group == "glue-flex" or "spot" in row.code} == {"open"}
    assert rows["firehose-own"].promise == rows["athena-own"].promise == "unknown"
    assert rows["glue-G.1X-ours"].promise == "yes"
    assert compared.in_time is not None
    assert compared.in_time.promise == "yes"
    priced = [row for row in compared.rows if row.promise == "yes" and row.usd_per_day is not None]
    assert compared.in_time.usd_per_day == min(row.usd_per_day for row in priced if row.usd_per_day is not None)


def test_what_is_deployable_is_ours_on_glue_and_was_tested(compared: Comparison) -> None:
    found = compared.deployable
    assert found is not None
    assert found.group == "glue"
    assert found.reader == "ours"
    assert not found.is_untested
    assert compared.untested is not None
    assert compared.untested.runner.startswith("Glue 6.0")
    assert all(row.options is None for row in compared.rows if row.reader != "ours" or row.group != "glue")


def test_what_a_row_says_to_deploy_comes_to_what_the_row_says(compared: Comparison) -> None:
    found = compared.deployable
    assert found is not None
    assert found.options is not None
    again = _compared(*(word for word in found.options if word != "--set"))
    mine = next(row for row in again.rows if row.code == "today-ours")
    assert mine.usd_per_day == found.usd_per_day
    assert mine.promise == "yes"
    assert mine.options == ()


@pytest.mark.parametrize(
    "load",
    [
        (),
        ("load.files_per_day=338000", "load.min_file_size_mb=3338", "load.max_file_size_mb=3338"),
        ("load.files_per_day=8000", "load.min_file_size_mb=3.5", "load.max_file_size_mb=3.5"),
        ("load.files_per_day=1", "load.min_file_size_mb=0.01", "load.max_file_size_mb=0.01"),
    ],
)
def test_ours_is_never_dearer_than_spark_s_on_the_same_runner(load: tuple[str, ...]) -> None:
    rows = {row.code: row for row in _compared(*load, "batching.max_files_per_manifest=100").rows}
    pairs = [
        (row, rows[f"{code.removesuffix('ours')}spark"])
        for code, row in rows.items()
        if code.endswith("-ours") and f"{code.removesuffix('ours')}spark" in rows
    ]
    assert len(pairs) > 15
    for ours, spark in pairs:
        assert ours.usd_per_day is not None
        assert spark.usd_per_day is not None
        assert ours.usd_per_day <= spark.usd_per_day, ours.code


def test_a_row_is_as_many_times_cheaper_in_every_case(compared: Comparison) -> None:
    rows = {row.code: row for row in compared.rows}
    same = times_cheaper(compared.today, compared.today)
    assert same is not None
    assert (same.low, same.expected, same.high) == (1, 1, 1)
    found = times_cheaper(rows["today-ours"], compared.today)
    assert found is not None
    # The rate is one figure here, so that the readers' ratios alone make the range.
    expected = [(30 + 40 * D(str(ratio))) / 70 for _, ratio in SPARK.slower]
    for value, by_hand in zip((found.low, found.expected, found.high), expected, strict=True):
        assert abs(value - by_hand) < D("0.001")


SIZES = (
    glue_size(PROFILE.job),
    next(emr_serverless_sizes("x86", SPARK)),
    next(fargate_sizes("arm", OURS)),
)


@settings(max_examples=60, deadline=None)
@given(st.integers(1440, 10**6), st.integers(0, 10**5), st.sampled_from(SIZES), st.floats(0.01, 60_000))
def test_more_files_never_cost_less(files: int, more: int, size: Size, file_mb: float) -> None:
    """From ten files in the time that a batch waits at most: below, a batch that just misses one more is dearer."""

    def cost(count: int) -> Decimal:
        update: dict[str, Any] = {"files_per_day": count, "min_file_size_mb": file_mb, "max_file_size_mb": file_mb}
        work = Work.of(PROFILE.load.model_copy(update=update), PROFILE.batching)
        found = figures(work, size, RATE, "expected", 1.0, None, BOOK).usd_per_day
        assert found is not None
        return found

    assert cost(files) <= cost(files + more) * D("1.0000000001")


def test_runs_beyond_what_is_allowed_let_the_lag_grow(compared: Comparison) -> None:
    rows = {row.code: row for row in _compared("load.mb_per_s_per_vcpu=0.5").rows}
    today = rows["today-spark"]
    assert today.expected.lag_s is None
    assert today.promise == "no"
    assert "3 are allowed" in today.notes[0]
    assert today.usd_per_day is not None


def test_the_cheapest_in_time_is_chosen_and_else_the_quickest() -> None:
    def of(lag_s: float, usd: int) -> Figures:
        return Figures(None, None, 1.0, 1.0, 1.0, D(usd), lag_s, 1.0)

    cases = {"late": of(4000, 1), "dear": of(100, 9), "fair": of(1700, 5), "later": of(9000, 0)}
    assert cheapest_in_time(cases, lambda name, _: cases[name]) == "fair"
    assert cheapest_in_time(["late", "later"], lambda name, _: cases[name]) == "late"
    with pytest.raises(ValueError, match="nothing to choose"):
        cheapest_in_time([], lambda name, _: cases[name])


def test_a_missing_price_is_named_and_never_guessed() -> None:
    left = {key: price for key, price in PRICES.items() if not key.startswith(("fargate.gb", "athena"))}
    found = _compared(book=PriceBook("us-east-1", left, "a test"))
    rows = {row.code: row for row in found.rows}
    assert rows["fargate-x86-ours"].usd_per_day is None
    assert rows["fargate-x86-ours"].missing == ("fargate.gb_hour_x86",)
    assert times_cheaper(rows["fargate-x86-ours"], found.today) is None
    assert rows["athena-own"].missing == ("athena.scanned_tb",)
    assert found.in_time is not None
    assert found.in_time.group == "emr-serverless"
    text = str(compare_view(found, {}, (), markdown="full").verbatim)
    assert "No price is known for fargate.gb\\_hour\\_x86" in text
    assert "keeps the 30 minutes, of those with a known price (4 rows have none): EMR" in text
    assert "row" not in next(line for line in conclusions(_compared()) if line.startswith("Cheapest that keeps"))


def test_a_book_without_prices_still_compares_lags() -> None:
    found = _compared(book=PriceBook("us-east-1", {}, "an empty file"))
    assert all(row.usd_per_day is None for row in found.rows)
    assert found.in_time is None
    assert found.deployable is None
    assert next(row for row in found.rows if row.code == "glue-G.1X-ours").promise == "yes"
    document = compare_view(found, {}, ()).document
    assert document["cheapest_in_time"] is None
    assert document["prices"]["oldest"] is None
    assert document["rows_without_price"] == len(found.rows)
    told = conclusions(found)
    assert not any(line.startswith(("None", "Cheap")) for line in told)
    assert [line for line in told if "can be deployed today: no price is known of any of them" in line]


def test_a_load_of_nothing_gets_one_sentence() -> None:
    for setting in ("load.files_per_day=0", "load.max_file_size_mb=0"):
        with pytest.raises(UsageError, match="There is nothing to compare"):
            _compared(setting, "load.min_file_size_mb=0")


def test_a_load_beyond_a_thousand_runs_keeps_no_promise_on_glue() -> None:
    """A hundred million files of 50 TB: more than job.max_concurrent_runs takes, whatever the workers."""
    found = _compared("load.files_per_day=100000000", "load.min_file_size_mb=1e7", "load.max_file_size_mb=1e7")
    glue = [row for row in found.rows if row.group in ("glue", "glue-flex")]
    assert {row.promise for row in glue} == {"no"}
    assert found.deployable is None


def test_no_setting_of_runs_at_once_is_lowered() -> None:
    rows = {row.code: row for row in _compared("job.max_concurrent_runs=900").rows}
    options = rows["glue-G.2X-ours"].options
    assert options is not None
    assert not any("max_concurrent_runs" in word for word in options)


def test_many_runs_at_once_need_room_for_waiting_manifests() -> None:
    rows = {row.code: row for row in _compared("load.files_per_day=1000000", "load.mb_per_s_per_vcpu=4").rows}
    options = rows["glue-G.1X-ours"].options
    assert options is not None
    runs = next(word for word in options if word.startswith("job.max_concurrent_runs=")).partition("=")[2]
    assert int(runs) > PROFILE.batching.max_waiting_manifests
    assert f"batching.max_waiting_manifests={runs}" in options


def test_a_forecast_says_what_it_rests_on(compared: Comparison) -> None:
    text = "\n".join(how_sure(compared))
    for said in ("make bench", "3.47 to 3.92", "one figure", "Graviton", "never run", "left out"):
        assert said in text
    assert "half a core" in "\n".join(how_sure(_compared("load.mb_per_s_per_vcpu=null")))


def test_the_document_has_every_figure_and_its_inputs(compared: Comparison) -> None:
    document = compare_view(compared, {"today-ours": "ndjctl deploy"}, ("old",)).document
    row = next(row for row in document["rows"] if row["code"] == "today-ours")
    assert row["usd_per_month"] == pytest.approx(row["usd_per_day"] * 30)
    assert row["usd_per_tb"] == pytest.approx(row["usd_per_day"] / document["load"]["tb_per_day"])
    assert row["billed"] == [
        {
            "key": "glue.dpu_hour",
            "quantity": 5,
            "unit": "DPU hour",
            "per": "run hour",
            "usd": 0.44,
            "as_of": "2026-10-01",
            "source": "a test",
        }
    ]
    expected = row["cases"]["expected"]
    per_run = row["billed"][0]["quantity"] * row["billed"][0]["usd"] * expected["billed_s"] / 3600
    assert expected["usd_per_day"] == pytest.approx(240 * per_run)
    assert row["command"] == "ndjctl deploy"
    assert {use["default"] for use in row["at_once"]} == {200, 1000}
    for code in ("firehose-own", "athena-own"):
        by_volume = next(row for row in document["rows"] if row["code"] == code)
        paid = sum(each["quantity"] * each["usd"] for each in by_volume["billed"])
        assert paid == pytest.approx(by_volume["usd_per_day"], rel=1e-6)
    notes = {row["code"]: " ".join(row["notes"]) for row in document["rows"]}
    assert "EBS volumes" in notes["emr-on-demand-m5.xlarge-ours"] and "NAT gateway" in notes["fargate-arm-ours"]
    assert document["warnings"] == ["old"]
    assert document["readers"]["spark"]["times_slower"]["expected"] == 3.47


def test_a_preset_is_compared_under_today_s_load() -> None:
    builder = Builder(PROFILE, WORK, stated(PROFILE.load), BOOK)
    heavy = _profile("job.workers=20", "job.worker_type=G.2X", preset="heavy")
    row = builder.glue("preset-heavy", "heavy", heavy, OURS, "a change", ("--preset", "heavy"))
    assert row.expected.run_s == pytest.approx(90 + 10_240 / (19 * 8 * 16))
