"""Sums, the forecast, and why what was spent is not what was estimated: by hand, in whole dollars."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.cost.estimate import estimate
from ndjctl.cost.usage import Given
from ndjctl.forecast.rate import Rate, Rates
from ndjctl.prices import built_in_book
from ndjctl.prices.book import Price, PriceBook, Tier
from ndjctl.profiles import load_profile
from ndjctl.spent.beside import beside
from ndjctl.spent.difference import Came, Expected, difference
from ndjctl.spent.lines import Model
from ndjctl.spent.requests import Used
from ndjctl.spent.runs import SpentRun
from ndjctl.spent.summing import Books, month_of
from ndjctl.spent.waste import LedgerManifest, judge
from tests.spent_world import NOON, closed, run

D = Decimal
START = D(90)
PROD = load_profile("prod", working_dir=Path("/nonexistent")).profile
RATE = Rate(10.0, 60.0, "by hand")


def price(key: str, usd: str) -> Price:
    return Price(key, (Tier(D(usd)),), "unit", date(2026, 9, 1), "by hand")


BOOK = PriceBook(
    "us-east-1",
    {
        key: price(key, usd)
        for key, usd in {
            "glue.dpu_hour": "0.36",
            "glue.flex_dpu_hour": "0.18",
            "glue.v6_dpu_hour": "0.72",
        }.items()
    },
    "by hand",
)
"""A DPU second of an ordinary run is a hundredth of a cent."""


def books(
    runs: list[SpentRun],
    manifests: dict[str, LedgerManifest] | None = None,
    used: tuple[Used, ...] = (),
    book: PriceBook = BOOK,
    now: datetime = NOON,
    deployed_at: datetime | None = None,
) -> Books:
    known = manifests or {}
    return Books(judge(runs, known, {}, START), known, used, Model(PROD, RATE, 7, now, deployed_at), book)


def test_sums_of_a_time() -> None:
    runs = [
        run("a"),  # 6,000 DPU seconds: 0.60 USD
        run("b", manifest="m2", begun=60, ExecutionClass="FLEX"),  # 0.30
        run("c", manifest="m3", begun=90, GlueVersion="6.0"),  # 1.20
        run("d", "FAILED", manifest="m4", begun=120, seconds=20),  # 200 + 400 of the minute: 0.06
        run("before", manifest="m5", begun=-60),
    ]
    found = books(runs, {"m1": closed("a", 10), "m2": closed("b", 70, files=20)}).period(NOON)
    assert (found.runs, found.dpu_s, found.glue_usd) == (4, D(18_600), D("2.16"))
    usd = {name: part.usd for name, part in found.parts.items() if part.usd}
    # The assumed start of 90 s is 900 DPU seconds of each.
    assert usd == {"start_up": D("0.315"), "useful": D("1.785"), "failed": D("0.02"), "minimum": D("0.04")}
    assert found.waste_usd == D("0.375")
    assert found.waste_share == D(3_300) / 18_600
    assert found.files == 120


def test_a_price_that_is_missing_costs_the_usd_and_not_the_dpu_seconds() -> None:
    empty = PriceBook("mars-north-1", {}, "nowhere")
    found = books([run("a")], book=empty).period(NOON)
    assert (found.dpu_s, found.glue_usd, found.usd, found.waste_usd) == (D(6_000), None, None, None)
    assert found.unpriced == ("glue.dpu_hour",)
    assert found.parts["useful"].dpu_s == 5_100


def test_no_runs_cost_nothing() -> None:
    found = books([]).period(NOON)
    assert (found.runs, found.dpu_s, found.glue_usd, found.waste_share) == (0, 0, 0, 0)


def test_what_one_costs_is_of_manifests_that_are_known() -> None:
    runs = [run("a", "FAILED"), run("a_attempt_1", begun=20), run("x", manifest="forgotten", begun=30)]
    found = books(runs, {"m1": closed("a_attempt_1", 30, files=50, size_bytes=10**12)}).each(NOON)
    assert (found.manifests, found.unknown, found.files) == (1, 1, 50)
    assert (found.usd_per_manifest, found.usd_per_file, found.usd_per_tb) == (D("1.2"), D("0.024"), D("1.2"))


def test_the_forecast_of_a_month() -> None:
    """Noon of the 26th: 4.5 of 30 days are left. The full days are the 23rd to 25th: 0.60, nothing, 1.20 USD."""
    runs = [
        run("a", begun=-3 * 24 * 60, manifest="1"),
        run("b", begun=-24 * 60, manifest="2"),
        run("c", begun=-23 * 60, manifest="3"),
        run("d", begun=-60, manifest="4"),
        run("old", begun=-20 * 24 * 60, manifest="5"),
    ]
    first = datetime(2026, 11, 23, tzinfo=timezone.utc)
    found = books(runs).forecast(NOON, first)
    assert (found.days, found.mean_usd, found.days_left) == (3, D("0.6"), D("4.5"))
    assert found.usd == D("3.0") + D("2.7")
    # Not before there is a day from midnight to midnight.
    assert books(runs).forecast(NOON, NOON - timedelta(hours=13)).usd is None
    assert books(runs).forecast(NOON, None).days == 0
    assert books(runs).forecast(NOON, first - timedelta(days=90)).days == 7


def test_a_month_ends_where_the_next_begins() -> None:
    december = datetime(2026, 12, 31, 23, 59, tzinfo=timezone.utc)
    assert month_of(december) == (
        datetime(2026, 12, 1, tzinfo=timezone.utc),
        datetime(2027, 1, 1, tzinfo=timezone.utc),
    )


amounts = st.decimals(0, 10**6, places=6)
some = st.decimals("0.001", 10**3, places=3)
services = st.dictionaries(st.sampled_from(["S3", "SQS", "Lambda"]), amounts)
expectations = st.builds(Expected, some, some, some, some, some, some, services)


@given(
    expectations,
    expectations,
    expectations,
    st.builds(Came, amounts, amounts, amounts, amounts, amounts, amounts, amounts, amounts, amounts, services),
)
def test_reasons_add_up_to_the_difference(stated: Expected, by_files: Expected, by_load: Expected, came: Came) -> None:
    found = difference(stated, by_files, by_load, came)
    assert sum(reason.usd for reason in found.reasons) == found.actual_usd - found.estimated_usd
    assert abs(found.actual_usd - came.usd) < D("0.000001")


def test_the_reasons_of_a_difference_by_hand() -> None:
    """100 runs of 3,600 s of 10 DPU at 1 USD are stated: 1,000 USD. Half of the files come: 500. Twice as large: 800.
    60 runs instead of 80: 600. Of 1,800 s: 300. Of 5 DPU: 150. FLEX: 100. And 30 of waste, 4 of SQS that nobody
    expected, and 3 of S3 for 5."""

    def expected(files: int, size: int, runs: int) -> Expected:
        return Expected(D(files), D(size), D(runs), D(3_600), D(10), D(1), {"S3": D(5)})

    came = Came(
        D(50), D(20), D(60), D(60 * 1_800), D(60 * 1_800 * 5), D(100), D(30), D(0), D(0), {"SQS": D(4), "S3": D(3)}
    )
    found = difference(expected(100, 20, 100), expected(50, 10, 50), expected(50, 20, 80), came)
    assert {(reason.code + reason.service): int(reason.usd) for reason in found.reasons if reason.usd} == {
        "files": -500,
        "size": 300,
        "runs": -200,
        "run_time": -300,
        "dpus": -150,
        "price": -50,
        "waste": 30,
        "otherS3": -2,
        "otherSQS": 4,
    }
    assert (found.estimated_usd, found.actual_usd) == (D(1_005), D(137))


def test_beside_the_estimate_of_the_profile() -> None:
    """Half a day, in which one manifest came, and one run failed."""
    profile, rate, half_a_day = PROD, RATE, NOON + timedelta(hours=12)
    book = built_in_book("us-east-1")
    assert book is not None
    manifests = {"m1": closed("a", 10, files=100, size_bytes=100 * 3_000 * 2**20)}
    sums = books([run("a"), run("f", "FAILED", manifest="m2", begun=1)], manifests, (), book, half_a_day)
    found = beside(profile, rate, book, 7, sums, NOON)
    assert found is not None
    assert (found.days, found.came.files, found.unknown_runs) == (D("0.5"), 100, 0)
    # What `ndjctl cost` says of the stated load, for half a day.
    stated = estimate(profile, Given(), Rates.same(rate), book, alarms=7, deduct_free=False).expected
    assert found.stated.files == D(profile.load.files_per_day) / 2
    assert found.stated.usd == pytest.approx(stated.usd_per_month / 60)
    assert {round(found.came.worked_usd, 12), round(found.came.waste_usd, 12)} == {round(D("2.2") / 3, 12)}
    assert (found.for_what_came.size_bytes, found.for_what_came.files) == (100 * 3_000 * 2**20, 100)
    assert sum(reason.usd for reason in found.difference.reasons) == found.difference.usd
    assert beside(profile, rate, book, 7, sums, half_a_day) is None
    assert beside(profile, rate, PriceBook("x", {}, "x"), 7, sums, NOON) is None


def test_beside_the_estimate_when_nothing_came() -> None:
    profile = load_profile("dev", working_dir=Path("/nonexistent")).profile
    book = built_in_book("us-east-1")
    assert book is not None
    nothing = books([], book=book, now=NOON + timedelta(days=1))
    found = beside(profile, RATE, book, 7, nothing, NOON)
    assert found is not None
    assert (found.came.worked_usd, found.for_what_came.files, found.for_what_came.glue_usd) == (0, 0, 0)
    # What is there whether anything comes or not: a thirtieth of a month of it.
    assert found.came.others["Amazon CloudWatch"] > D("0.1")
    assert found.difference.usd == round(found.came.other_usd, 9) - found.difference.estimated_usd < 0
