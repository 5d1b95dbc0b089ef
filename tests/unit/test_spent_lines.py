"""Lines of what was spent besides Glue: each of the estimate's has its counterpart, measured or by the same model."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from ndjctl.cost.estimate import estimate, items_of
from ndjctl.cost.usage import BYTES, FILES, RUNS, TIME, Given, usage
from ndjctl.forecast.rate import Rate, Rates
from ndjctl.prices import built_in_book
from ndjctl.profiles import load_profile
from ndjctl.settings import Profile
from ndjctl.spent.arrivals import Arrival, Span, Standing, arrivals
from ndjctl.spent.lines import Model, ServiceCost, service_costs
from ndjctl.spent.requests import Used
from ndjctl.spent.summing import Books
from ndjctl.spent.waste import judge
from tests.spent_world import NOON, at, closed, run

D = Decimal
RATE = Rate(10.0, 60.0, "by hand")
BOOK = built_in_book("us-east-1")
assert BOOK is not None
MIDNIGHT = datetime(2026, 11, 26, tzinfo=timezone.utc)
DAY = Span(MIDNIGHT, MIDNIGHT + timedelta(days=1))
MIB = 2**20


def profile(**settings: str) -> Profile:
    words = [f"{path.replace('__', '.')}={value}" for path, value in settings.items()]
    return load_profile("prod", working_dir=Path("/nonexistent"), assignments=words).profile


def costs(
    came: list[Arrival],
    *,
    used: tuple[Used, ...] = (),
    span: Span = DAY,
    runs: list[float] | None = None,
    of: Profile | None = None,
) -> dict[tuple[str, str], ServiceCost]:
    assert BOOK is not None
    model = Model(of or profile(), RATE, 7, span.end)
    found = service_costs(used, span.begin, span, came, min([span.begin, *(e.at for e in came)]), runs, model, BOOK)
    return {(each.service, each.name): each for each in found}


def two_manifests() -> list[Arrival]:
    """Of 100 files of 20 MiB each, at six and at noon of the day."""
    return [Arrival(MIDNIGHT + timedelta(hours=hour), 100, 100 * 20 * MIB) for hour in (6, 12)]


ALL = {
    "security__kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/1",
    "tables__point_in_time_recovery": "true",
    "job__spark_ui": "true",
    "job__metrics": "true",
    "job__continuous_log": "true",
    "alarms__email": "a@example.com",
}


@pytest.mark.parametrize("settings", [{}, ALL], ids=["prod", "everything"])
@pytest.mark.parametrize("files", [0, 200])
def test_no_line_of_the_estimate_is_missing(settings: dict[str, str], files: int) -> None:
    assert BOOK is not None
    of = profile(**settings)
    stated = estimate(of, Given(), Rates.same(RATE), BOOK, alarms=7).expected.lines
    spent = costs(two_manifests() if files else [], of=of, runs=[])
    expected = [(line.service, line.name) for line in stated if line.service != "AWS Glue"]
    assert [*spent] == expected and len(expected) > 15
    assert all(each.formula and each.inputs for each in spent.values() if each.is_estimated)
    assert all(each.usd is not None for each in spent.values())


def test_what_came_by_hand() -> None:
    """200 files of 20 MiB, two runs of 600 s and one of 300, in a day: a thirtieth of a month."""
    spent = costs(two_manifests(), runs=[600, 600, 300], of=profile(job__metrics="true", alarms__email="a@example.com"))
    # Three parts of 8 MiB, the beginning and the end, of each file; 0.005 USD a thousand.
    assert spent["Amazon S3", "input uploads"].quantity == pytest.approx(200 * 5)
    assert spent["Amazon S3", "input uploads"].usd == pytest.approx(D("0.005"))
    # Of fixed things the share of the month: 0.10 USD for each of 7 alarms, 3 USD for the dashboard.
    assert spent["Amazon CloudWatch", "alarms"].usd == pytest.approx(D("0.7") / 30)
    assert spent["Amazon CloudWatch", "dashboard"].usd == pytest.approx(D(3) / 30)
    # Every minute a sweep of 0.067 s and 1 GB; of each file (31.95 - 1440 / 338000 * 67) ms.
    of_files = 200 * (D("31.95") - D(1440) / 338_000 * 67)
    assert spent["AWS Lambda", "memory"].quantity == pytest.approx((of_files + 1_440 * 67) / 1_000)
    # 500 s a run: a report every 30 s.
    assert spent["Amazon CloudWatch", "job's requests"].quantity == pytest.approx(3 * D(500) / 30)
    assert {each.is_estimated for each in spent.values()} == {True}


def test_what_is_kept_is_counted_since_it_came() -> None:
    """2,000 MiB for 18 hours and 2,000 for 12; not the 30 days that the estimate takes."""
    spent = costs(two_manifests(), runs=[])
    gb_months = D(2_000) / 1_024 * D(30) / 24 / 30
    assert spent["Amazon S3", "input kept"].quantity == pytest.approx(gb_months)
    assert spent["Amazon S3", "Parquet kept"].quantity == pytest.approx(gb_months * D("0.125"))
    # 100 files for 18 hours and 100 for 12, in table and index.
    in_ledger = D(100) * (690 + 539 + 200) * 30 / 24 / 2**30 / 30
    assert spent["Amazon DynamoDB", "storage"].quantity == pytest.approx(in_ledger)
    assert spent["Amazon S3", "input kept"].usd == pytest.approx(gb_months * D("0.023"))


def test_what_came_before_the_time_is_kept_in_it() -> None:
    before = Arrival(MIDNIGHT - timedelta(days=3), 10, 2**30)
    spent = costs([before], runs=[])
    assert spent["Amazon S3", "input kept"].quantity == pytest.approx(D(1) / 30)
    assert spent["Amazon S3", "input uploads"].quantity == 0
    # Kept for four days: gone after one of the two days of this time.
    of = profile(cost__input_kept_days="4")
    two_days = Span(MIDNIGHT, MIDNIGHT + timedelta(days=2))
    assert costs([before], span=two_days, of=of)["Amazon S3", "input kept"].quantity == pytest.approx(D(1) / 30)


def test_standing_days() -> None:
    """Evenly for ten days, kept for four: on the last day four days' worth; on the second day one and a half."""
    came = [Arrival(MIDNIGHT + timedelta(hours=hour), 1, 5) for hour in range(240)]
    last = Standing(came, MIDNIGHT, Span(MIDNIGHT + timedelta(days=9), MIDNIGHT + timedelta(days=10)))
    for comes_with in (FILES, BYTES, RUNS, TIME):
        assert last(comes_with, D(4)) == pytest.approx(D(4))
    second = Standing(came[:48], MIDNIGHT, Span(MIDNIGHT + timedelta(days=1), MIDNIGHT + timedelta(days=2)))
    assert second(TIME, D(4)) == D("1.5")
    assert second(FILES, D(4)) == pytest.approx(D("1.5"), abs=D("0.05"))
    assert Standing([], MIDNIGHT, DAY)(FILES, D(4)) == 0
    assert Standing([], MIDNIGHT, Span(MIDNIGHT, MIDNIGHT))(TIME, D(4)) == 0


def test_a_steady_load_is_what_the_estimate_says() -> None:
    """The same load every hour for longer than anything is kept: the model is the estimate's, so the figures are."""
    of = profile(retention__logs_days="30", retention__manifests_days="30", retention__quarantine_days="30")
    stated = usage(of, Given(files_per_day=2_400, file_bytes=MIB, manifests_per_day=24), RATE)
    expected = {(e.service, e.name): e.quantity / 30 for e in items_of(of, stated, 7)}
    came = [Arrival(DAY.end - timedelta(hours=hour, minutes=30), 100, 100 * MIB) for hour in range(24 * 40)]
    first = DAY.end - timedelta(days=40)
    model, seconds = Model(of, RATE, 7, DAY.end), [float(stated.run_s)] * 24
    assert BOOK is not None
    found = service_costs((), DAY.begin, DAY, came, first, seconds, model, BOOK)
    for_ever = {"manifests kept", "logs kept"}  # a year of them, of which 40 days are here
    for each in found:
        if each.name not in for_ever:
            assert each.quantity == pytest.approx(expected[each.service, each.name], rel=D("0.001")), each.name


def test_what_is_measured_takes_the_place_of_its_line() -> None:
    used = (
        Used("AWS Lambda", "requests", "lambda.requests", ((DAY.begin, D(10)), (at(60), D(4))), metric="Invocations"),
        Used("Amazon S3", "input kept", "s3.storage_gb_month", ((DAY.begin, D(2) / 30),), True, "BucketSizeBytes"),
        Used("Amazon S3", "Parquet kept", "s3.storage_gb_month", ((at(-3_000), D(9)),), True),
        Used("Amazon S3", "scripts kept", "s3.storage_gb_month", ((DAY.begin, D(1) / 30),), True),
        Used("Amazon SQS", "requests", "sqs.requests", ()),
    )
    found = costs(two_manifests(), used=used, runs=[])
    told = {name: (each.quantity, each.is_estimated, each.metric) for name, each in found.items()}
    assert told["AWS Lambda", "requests"] == (14, False, "Invocations")
    # The mean of the days that have a value, for the time.
    assert told["Amazon S3", "input kept"] == (D(2) / 30, False, "BucketSizeBytes")
    # Of another day alone: not known for this one.
    assert found["Amazon S3", "Parquet kept"].is_estimated and found["Amazon SQS", "requests"].is_estimated
    # What the estimate does not have is told besides.
    assert [*found][-1] == ("Amazon S3", "scripts kept") and told["Amazon S3", "scripts kept"][0] == D(1) / 30
    # Half a day of what is measured by the day is half of it.
    noon = costs(two_manifests(), used=used, runs=[], span=Span(DAY.begin, NOON))
    assert noon["Amazon S3", "input kept"].quantity == pytest.approx(D(1) / 30)


def test_forgotten_manifests_are_the_mean_of_the_others() -> None:
    runs = [run("a"), run("b", manifest="m2", begun=5), run("x", "FAILED", manifest="m3"), run("o", manifest="open")]
    known = {"m1": closed("a", 10, files=50, size_bytes=500), "open": replace(closed("o", 1), completed_at=None)}
    judged = judge(runs, known, {}, D(0))
    assert arrivals(judged, known) == [Arrival(at(10), 50, 500), Arrival(at(15), 50, 500, is_mean=True)]
    assert arrivals(judged, {}) == []


def test_the_environment_was_there_since_its_first_deployment() -> None:
    assert BOOK is not None

    def span(deployed_at: datetime | None, *runs: float) -> Span:
        judged = judge([run(f"r{begun}", manifest=f"m{begun}", begun=begun) for begun in runs], {}, {}, D(0))
        return Books(judged, {}, (), Model(profile(), RATE, 7, NOON, deployed_at), BOOK).span(MIDNIGHT)

    assert span(None) == Span(MIDNIGHT, NOON)
    assert span(at(-60)) == Span(at(-60), NOON)
    assert span(MIDNIGHT - timedelta(days=9)) == Span(MIDNIGHT, NOON)
    # A run from before the table was made: it was there then.
    assert span(at(-60), -90) == Span(at(-90), NOON)
    # Where it is not known, fixed lines count for all of the time.
    found = Books([], {}, (), Model(profile(), RATE, 7, NOON, at(-60)), BOOK).period(MIDNIGHT)
    alarms = next(each for each in found.services if each.name == "alarms")
    assert alarms.usd == pytest.approx(D("0.7") / 30 / 24)
