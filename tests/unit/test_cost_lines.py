"""Every service's line by hand: quantity, minimums, tiers, free allowances. Prices are those of us-east-1 as the AWS
pricing pages had them in 2026; a test of its own, so that a new price file changes nothing here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal as D
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glue_job.sink import UPLOAD_PART_BYTES
from glue_job.store import BLOCK_BYTES
from ndjctl.contracts import METRICS
from ndjctl.cost import figures
from ndjctl.cost.bill import Item, priced
from ndjctl.cost.estimate import CASES, Case, case_of, estimate, items_of
from ndjctl.cost.line import Line, total_per_month
from ndjctl.cost.usage import Given, Usage, usage
from ndjctl.errors import UsageError
from ndjctl.forecast.rate import Rate, Rates, built_in
from ndjctl.prices import FLEX, FreeAllowance, Price, PriceBook, Tier
from ndjctl.prices.catalogue import ITEMS
from ndjctl.profiles import load_profile
from ndjctl.settings import Profile

KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd"
PRICES: dict[str, tuple[str, str | None]] = {
    "glue.dpu_hour": ("0.44", None),
    "glue.flex_dpu_hour": ("0.29", None),
    "glue.v6_dpu_hour": ("0.308", None),
    "glue.v6_flex_dpu_hour": ("0.203", None),
    "lambda.gb_second_x86": ("0.0000166667", "400000"),
    "lambda.requests": ("0.0000002", "1000000"),
    "sqs.requests": ("0.0000004", "1000000"),
    "dynamodb.write_units": ("0.000000625", None),
    "dynamodb.read_units": ("0.000000125", None),
    "dynamodb.storage_gb_month": ("0.25", "25"),
    "dynamodb.pitr_gb_month": ("0.20", None),
    "s3.storage_gb_month": ("0.023 51200, 0.022 512000, 0.021", None),
    "s3.put_requests": ("0.000005", None),
    "s3.get_requests": ("0.0000004", None),
    "cloudwatch.logs_ingested_gb": ("0.50", "5"),
    "cloudwatch.logs_stored_gb_month": ("0.03", None),
    "cloudwatch.metric_month": ("0.30 10000, 0.10 250000, 0.05", "10"),
    "cloudwatch.alarm_month": ("0.10", "10"),
    "cloudwatch.dashboard_month": ("3", "3"),
    "cloudwatch.api_requests": ("0.00001", "1000000"),
    "sns.email_notifications": ("0.00002", "1000"),
    "kms.key_month": ("1", None),
    "kms.requests": ("0.000003", "20000"),
}


def price(key: str) -> Price:
    """'0.023 51200, 0.021' is two tiers."""
    told, free = PRICES[key]
    tiers = [each.split() for each in told.split(", ")]
    allowance = None if free is None else FreeAllowance(D(free), "AWS Free Tier")
    made = tuple(Tier(D(each[0]), D(each[1]) if len(each) > 1 else None) for each in tiers)
    return Price(key, made, "unit", date(2026, 9, 1), "AWS pricing pages", allowance)


BOOK = PriceBook("us-east-1", {key: price(key) for key in PRICES}, "a test")


@cache
def prod(*assignments: str) -> Profile:
    settings = ("job.auto_scaling=false", *assignments)
    return load_profile("prod", working_dir=Path("/nonexistent"), assignments=settings).profile


RATE = Rate(10, 90, "by hand")
DAY = Given(files_per_day=100_000, file_bytes=2**30, run_s=D(300), manifests_per_day=1_000)
"""100,000 files of a GiB in 1,000 manifests, whose runs take 5 minutes."""


def used(given: Given = DAY, *assignments: str) -> Usage:
    return usage(prod(*assignments), given, RATE)


def case(given: Given = DAY, *assignments: str, deduct_free: bool = False, execution_class: str = "") -> Case:
    profile = prod(*assignments)
    return case_of(
        profile,
        usage(profile, given, RATE),
        BOOK,
        alarms=8,
        deduct_free=deduct_free,
        execution_class=execution_class,
    )


def line(found: Case, service: str, name: str) -> Line:
    (only,) = [each for each in found.lines if (each.service, each.name) == (service, name)]
    return only


def usd(found: Case, service: str, name: str) -> D:
    return line(found, service, name).usd_per_month


# ---------------------------------------------------------------------------------------------- AWS Glue


def test_runs() -> None:
    """1,000 x 300 s x 40 DPUs = 3,333.3 DPU hours a day, 100,000 a month (AWS Glue pricing)."""
    assert usd(case(), "AWS Glue", "runs, converting") == pytest.approx(D(44_000))
    assert usd(case(DAY, execution_class=FLEX), "AWS Glue", "runs, converting") == pytest.approx(D(29_000))
    assert usd(case(DAY, 'job.glue_version="6.0"'), "AWS Glue", "runs, converting") == pytest.approx(D(30_800))
    newest = case(DAY, 'job.glue_version="6.0"', execution_class=FLEX)
    assert usd(newest, "AWS Glue", "runs, converting") == pytest.approx(D(20_300))


def test_the_start_of_a_run_and_the_least_that_is_billed_stand_apart() -> None:
    """12 s of work are billed as 60: 1,000 x 60 s x 40 DPUs are 20,000 DPU hours a month, and 8,800 USD."""
    found = case(Given(100_000, 2**30, D(12), 1_000))
    assert usd(found, "AWS Glue", "runs, converting") == pytest.approx(D(1_760))
    assert usd(found, "AWS Glue", "runs, least billing") == pytest.approx(D(7_040))
    assert "80.0%" in line(found, "AWS Glue", "runs, least billing").note
    # 102,400 MB of a manifest on 152 slots of 10 MB/s are 67.4 s, after a start of 90.
    made = used(Given(100_000, 2**30, None, 1_000))
    assert made.converting_s == pytest.approx(D(102_400) / 1_520)
    assert (made.start_s, made.least_s) == (90, 0)


def test_manifests_are_as_the_function_makes_them() -> None:
    assert used(Given(files_per_day=338_000, file_bytes=3_500_000_000)).manifests == 3_380
    # 24 files a day come one an hour: each waits its ten minutes, and is a manifest of its own.
    assert used(Given(files_per_day=24, file_bytes=10)).manifests == 24
    # 85 of 6,000 MiB fill 500 GB.
    assert used(Given(files_per_day=85_000, file_bytes=6_000 * 2**20)).manifests == 1_000


def test_only_the_share_of_workers_that_is_used_is_billed_with_auto_scaling() -> None:
    profile = prod("job.auto_scaling=true")
    half = usage(profile, DAY, Rate(10, 90, "x", used_share=0.5))
    assert half.dpu_hours == pytest.approx(used().dpu_hours / 2)


# ---------------------------------------------------------------------------------------------- function, queue, ledger


def test_the_function() -> None:
    """By the sweeps of a day without files: 1,440 x 67 ms of a GB are 96.48 GB seconds a day (AWS Lambda pricing)."""
    idle = case(Given(files_per_day=0))
    assert line(idle, "AWS Lambda", "memory").quantity == D("2894.4")
    assert usd(idle, "AWS Lambda", "memory") == D("2894.4") * D("0.0000166667")
    assert line(idle, "AWS Lambda", "requests").quantity == 43_200
    assert usd(case(Given(files_per_day=0), deduct_free=True), "AWS Lambda", "memory") == 0
    # Half the memory is half the GB seconds.
    smaller = case(Given(files_per_day=0), "function.memory_mb=512")
    assert line(smaller, "AWS Lambda", "memory").quantity == D("1447.2")
    assert "another speed" in line(smaller, "AWS Lambda", "memory").note
    # The measured day comes out again: 338,000 files are its GB seconds, with its sweeps.
    day = line(case(Given(files_per_day=338_000)), "AWS Lambda", "memory").quantity / 30
    assert day == pytest.approx(338_000 * figures.MEASURED.lambda_ms / 1000)


def test_the_queue() -> None:
    """Five pollers of 20 s ask 21,600 times a day while nothing comes: 648,000 a month (Amazon SQS pricing)."""
    idle = case(Given(files_per_day=0))
    assert usd(idle, "Amazon SQS", "requests") == 648_000 * D("0.0000004")
    busy = line(case(Given(files_per_day=338_000)), "Amazon SQS", "requests").quantity / 30
    assert busy == pytest.approx(338_000 * figures.MEASURED.sqs_requests + 21_600)


def test_the_ledger() -> None:
    """7 days of 100,000 files: (690 + 539 + 2 x 100) bytes each are 0.93 GB (DynamoDB pricing, on demand)."""
    found = case()
    stored = D(700_000) * 1_429 / 2**30
    assert line(found, "Amazon DynamoDB", "storage").quantity == pytest.approx(stored)
    assert usd(found, "Amazon DynamoDB", "storage") == pytest.approx(stored * D("0.25"))
    assert usd(found, "Amazon DynamoDB", "recovery") == pytest.approx(D(700_000) * 790 / 2**30 * D("0.2"))
    assert usd(case(deduct_free=True), "Amazon DynamoDB", "storage") == 0
    writes = line(found, "Amazon DynamoDB", "writes")
    assert writes.quantity == pytest.approx(D("12.61") * 3_000_000)
    assert writes.usd_per_month == pytest.approx(D("12.61") * 3_000_000 * D("0.000000625"))
    reads = line(case(Given(files_per_day=0)), "Amazon DynamoDB", "reads")
    assert reads.usd_per_month == 43_200 * D("2.5") * D("0.000000125")
    off = case(DAY, "tables.point_in_time_recovery=false")
    assert "recovery" not in {each.name for each in off.lines}


# ---------------------------------------------------------------------------------------------- S3


def test_storage_shares_its_tiers_among_all_that_is_kept() -> None:
    """3,000,000 GB of input and 375,000 of Parquet, and small things, are one account's storage (Amazon S3 pricing):
    51,200 at 0.023, 460,800 at 0.022, the rest at 0.021."""
    found = case(DAY, "retention.quarantine_days=10", "job.spark_ui=false")
    stored = {each.name: each for each in found.lines if each.name.endswith("kept") and each.service == "Amazon S3"}
    assert stored["input kept"].quantity == 3_000_000
    assert stored["Parquet kept"].quantity == D("375000")
    assert stored["quarantine kept"].quantity == 1_000
    manifests = D(100_000) * (193 * 365 + 600 * 365) / 2**30
    assert stored["manifests kept"].quantity == pytest.approx(manifests)
    total = D(3_000_000 + 375_000 + 1_000) + manifests
    by_tier = 51_200 * D("0.023") + 460_800 * D("0.022") + (total - 512_000) * D("0.021")
    assert sum(each.usd_per_month for each in stored.values()) == pytest.approx(by_tier)
    assert stored["input kept"].usd_per_month == pytest.approx(by_tier * 3_000_000 / total)


def test_what_is_kept_is_as_the_profile_says() -> None:
    found = case(DAY, "cost.input_kept_days=1", "cost.output_kept_days=0", "cost.output_share=0.5")
    assert line(found, "Amazon S3", "input kept").quantity == 100_000
    assert "Parquet kept" not in {each.name for each in found.lines}
    assert line(found, "Amazon S3", "job's writes").quantity > line(case(), "Amazon S3", "job's writes").quantity


def test_requests() -> None:
    """A GiB is 128 parts of 8 MiB, a beginning and an end: 130 PUTs; and 128 reads and 3 more (Amazon S3 pricing)."""
    found = case()
    assert usd(found, "Amazon S3", "input uploads") == 100_000 * 130 * 30 * D("0.000005")
    # 100,000 GiB make 12,500 GiB of Parquet: 50,000 parts of 256 MiB, of 8 uploads and 2 requests more each.
    control = 100_000 * figures.per_file().s3_puts
    assert line(found, "Amazon S3", "job's writes").quantity == pytest.approx((50_000 * 10 + control) * 30)
    read = 100_000 * figures.per_file().s3_gets
    reads = line(found, "Amazon S3", "job's reads")
    assert reads.quantity == pytest.approx((100_000 * 131 + 50_000 * 2 + read) * 30)
    small = case(Given(files_per_day=100_000, file_bytes=1_000, manifests_per_day=1_000))
    assert line(small, "Amazon S3", "input uploads").quantity == 3_000_000
    # A manifest has one part at least: one upload, a beginning and an end.
    assert line(small, "Amazon S3", "job's writes").quantity == pytest.approx((1_000 * 3 + control) * 30)


def test_transfer_within_a_region_costs_nothing_and_says_why() -> None:
    found = line(case(), "transfer", "within the region")
    assert (found.usd_per_month, found.price, found.quantity) == (0, None, D("3375000"))
    assert "one region" in found.note
    inside = case(DAY, "network.subnets={subnet-0a: us-east-1a}", "network.security_group_ids=[sg-0a]")
    assert "NAT" in line(inside, "transfer", "within the region").note


# ---------------------------------------------------------------------------------------------- CloudWatch, SNS, KMS


def test_logs() -> None:
    """1,000 runs a day that write 5.5 MB: 165 GB of 10**9 a month; the first 5 are free (CloudWatch pricing)."""
    found = case(deduct_free=True)
    of_runs = D(1_000) * 5_500_000 * 30 / 2**30
    of_function = (100_000 * figures.per_file().log_bytes + 1_440 * 276) * 30 / 2**30
    ingested = [each for each in found.lines if each.price and each.price.key == "cloudwatch.logs_ingested_gb"]
    assert sum(each.quantity for each in ingested) == pytest.approx(of_runs + of_function)
    total = sum(each.usd_per_month for each in ingested)
    assert total == pytest.approx((of_runs + of_function - 5) * D("0.5"))
    kept = D("0.2") * (of_function / 30 * 90 + of_runs / 30 * 365)
    assert usd(found, "Amazon CloudWatch", "logs kept") == pytest.approx(kept * D("0.03"))
    quiet = case(DAY, "job.continuous_log=false")
    assert line(quiet, "Amazon CloudWatch", "logs of runs").quantity == pytest.approx(of_runs / 11)


def test_metrics_by_the_hour() -> None:
    """11 metrics, and 5 for driver, 19 executors and all: 116 of each of 30,000 runs, in 1.083 hours of 720."""
    found = case(deduct_free=True)
    of_runs = D(30_000) * 116 * (1 + D(300) / 3600) / 720
    assert line(found, "Amazon CloudWatch", "job's metrics").quantity == pytest.approx(of_runs)
    both = of_runs + len(METRICS) - 10
    assert 5_200 < both < 10_000
    own, jobs = (usd(found, "Amazon CloudWatch", name) for name in ("own metrics", "job's metrics"))
    assert own + jobs == pytest.approx(both * D("0.3"))
    # 1,000 runs of 300 s report ten times each.
    assert line(found, "Amazon CloudWatch", "job's requests").quantity == 300_000
    without = case(DAY, "job.metrics=false")
    assert usd(without, "Amazon CloudWatch", "own metrics") == D("1.5")
    more = case(Given(100_000, 2**30, D(300), 4_000), deduct_free=True)
    own, jobs = (usd(more, "Amazon CloudWatch", name) for name in ("own metrics", "job's metrics"))
    assert own + jobs == pytest.approx(10_000 * D("0.3") + (of_runs * 4 + 5 - 10_000) * D("0.1") - 3)


def test_alarms_dashboard_and_emails() -> None:
    """8 alarms at 0.10, a dashboard at 3.00, 10 e-mails; 10, 3 and 1,000 of them are free (CloudWatch, SNS pricing)."""
    found, free = case(DAY, "alarms.email=a@b.example"), case(DAY, "alarms.email=a@b.example", deduct_free=True)
    for service, name, amount in (
        ("Amazon CloudWatch", "alarms", "0.80"),
        ("Amazon CloudWatch", "dashboard", "3"),
        ("Amazon SNS", "e-mails", "0.0002"),
    ):
        assert usd(found, service, name) == D(amount)
        assert usd(free, service, name) == 0
    assert not {"alarms", "e-mails"} & {each.name for each in case(DAY, "alarms.enabled=false").lines}


def test_a_key_of_ones_own() -> None:
    """1 USD a month; 1,000 runs x 20 workers x 4 and 1,440 x 2 requests a day at 0.03 per 10,000 (AWS KMS pricing)."""
    found = case(DAY, f"security.kms_key_arn={KEY}")
    assert usd(found, "AWS KMS", "key") == 1
    assert usd(found, "AWS KMS", "requests") == (80_000 + 2_880) * 30 * D("0.000003")
    assert "AWS KMS" not in {each.service for each in case().lines}


# ---------------------------------------------------------------------------------------------- the whole


def test_every_price_that_is_asked_for_is_in_the_catalogue_and_worked_here() -> None:
    profile = prod(f"security.kms_key_arn={KEY}", "alarms.email=a@b.example")
    keys = {each.key for each in items_of(profile, used(), 8)} - {None}
    assert keys <= ITEMS.keys()
    assert keys | {"glue.flex_dpu_hour", "glue.v6_dpu_hour", "glue.v6_flex_dpu_hour"} == PRICES.keys()


def test_a_missing_price_is_said_and_in_no_total() -> None:
    without = PriceBook("us-east-1", {key: each for key, each in BOOK.prices.items() if key != "glue.dpu_hour"}, "x")
    whole, part = case(), case_of(prod(), used(), without, alarms=8, deduct_free=False)
    assert {each.key for each in part.missing} == {"glue.dpu_hour"}
    assert part.missing[0].quantity == pytest.approx(D(100_000))
    assert whole.usd_per_month - part.usd_per_month == pytest.approx(D(44_000))


def test_a_price_that_nothing_is_bought_of_is_not_missed() -> None:
    empty = Item("s", "n", "kms.requests", D(0), "u", "", ())
    assert priced([empty], PriceBook("x", {}, "x"), deduct_free=False) == ((), ())


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=6), st.booleans())
def test_lines_of_one_price_add_up_to_the_price_of_all(quantities: list[int], deduct_free: bool) -> None:
    items = [Item("s", str(n), "cloudwatch.metric_month", D(each), "u", "", ()) for n, each in enumerate(quantities)]
    lines, _ = priced(items, BOOK, deduct_free)
    together = BOOK.price("cloudwatch.metric_month").cost(D(sum(quantities)), deduct_free=deduct_free)
    assert abs(total_per_month(lines) - together) < D("1e-15") * max(together, 1)
    assert all(each.usd_per_month >= 0 for each in lines)


def _whole(files: int, size: int, rates: Rates | None = None) -> Iterable[Case]:
    given = Given(files_per_day=files, file_bytes=size)
    found = estimate(prod(), given, rates or built_in(), BOOK, alarms=8)
    return [found.case(name) for name in CASES]


@given(st.integers(0, 10**9), st.integers(0, 50 * 2**40))
def test_low_is_never_above_expected_nor_expected_above_high(files: int, size: int) -> None:
    # Sums of 28 digits differ in the last one where two cases are the same amount.
    low, expected, high = (round(each.usd_per_month, 15) for each in _whole(files, size))
    assert low <= expected <= high


@given(st.integers(0, 10**6), st.integers(0, 10**10), st.integers(0, 10**10))
def test_larger_files_are_never_cheaper(files: int, size: int, more: int) -> None:
    for less, larger in zip(_whole(files, size), _whole(files, size + more), strict=True):
        assert less.usd_per_month <= larger.usd_per_month


def test_no_file_and_no_byte_have_no_price_each() -> None:
    nothing = case(Given(files_per_day=0))
    assert (nothing.usd_per_tb, nothing.usd_per_million_files) == (None, None)
    assert 0 < nothing.usd_per_day < 1
    empty = case(Given(files_per_day=1_000, file_bytes=0))
    assert empty.usd_per_tb is None and empty.usd_per_million_files is not None


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"files_per_day": -1}, "--files-per-day"),
        ({"files_per_day": 10**9 + 1}, "--files-per-day"),
        ({"file_bytes": -1}, "--file-size"),
        ({"file_bytes": 50 * 2**40 + 1}, "--file-size"),
        ({"manifests_per_day": 0}, "--manifests-per-day"),
        ({"run_s": D(0)}, "--run-time"),
        ({"run_s": D("NaN")}, "--run-time"),
        ({"run_s": D("Infinity")}, "--run-time"),
    ],
)
def test_odd_figures_are_refused(values: dict[str, object], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        Given(**values)  # type: ignore[arg-type]


def test_more_manifests_than_files_are_refused() -> None:
    with pytest.raises(UsageError, match="more than the 3 files"):
        used(Given(files_per_day=3, manifests_per_day=4))


def test_the_sizes_of_requests_are_those_of_the_job() -> None:
    assert (figures.READ_BLOCK_BYTES, figures.WRITE_PART_BYTES) == (BLOCK_BYTES, UPLOAD_PART_BYTES)
