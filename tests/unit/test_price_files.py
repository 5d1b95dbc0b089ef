"""Price files: what is taken, what is refused and how, which of several counts, and what the built-in ones hold."""

from __future__ import annotations

import copy
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.errors import UsageError
from ndjctl.prices import FreeAllowance, Price, PriceBook, Tier, built_in_book, dpu_key, dpu_price, load_prices
from ndjctl.prices.catalogue import ITEMS
from ndjctl.prices.document import VERSION, dump_book, parse_book
from ndjctl.prices.files import OLD_AFTER_DAYS, built_in_regions, keep_refreshed, old_built_in, refreshed_file
from ndjctl.prices.offers import parse_offer

D = Decimal
TODAY = date(2026, 11, 27)
WRITTEN = date(2026, 11, 27)
"""The day on which the built-in figures were last looked at: none of them can be younger."""

PRICES: dict[str, Any] = {
    "glue.dpu_hour": {"usd": "0.40", "unit": "DPU hour", "as_of": "2026-11-01", "source": "a contract"},
    "s3.storage_gb_month": {
        "tiers": [{"usd": "0.023", "up_to": "51200"}, {"usd": "0.022", "up_to": "512000"}, {"usd": "0.021"}],
        "unit": ITEMS["s3.storage_gb_month"].unit,
        "as_of": "2026-10-01",
        "source": "a test",
        "free": {"quantity": "5", "source": "a test"},
    },
}
DOCUMENT: dict[str, Any] = {"version": 1, "region": "us-east-1", "prices": PRICES}


def parse(document: Any, today: date = TODAY) -> PriceBook:
    text = document if isinstance(document, str) else json.dumps(document)
    return parse_book(text, "p.json", "a test", "us-east-1", today)


def test_a_file_is_read_to_the_last_digit() -> None:
    book = parse(DOCUMENT)
    assert book.price("glue.dpu_hour").usd == D("0.40")
    storage = book.price("s3.storage_gb_month")
    assert storage.tiers == (Tier(D("0.023"), D(51_200)), Tier(D("0.022"), D(512_000)), Tier(D("0.021")))
    assert storage.free == FreeAllowance(D(5), "a test")
    assert storage.as_of == date(2026, 10, 1)


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("version",), 2, "'version' is 2, and this program reads version 1"),
        (("version",), True, "'version' is true"),
        (("version",), None, "'version' is null"),
        (("region",), "eu-west-1", 'of the region "eu-west-1", not of us-east-1'),
        (("prices",), [], "'prices' is not a JSON object"),
        (("prices", "glue.dpuhour"), {}, "'glue.dpuhour' is no price that is known"),
        (("prices", "glue.dpu_hour"), "0.44", "glue.dpu_hour is not a JSON object"),
        (("prices", "glue.dpu_hour", "usd"), 0.44, "glue.dpu_hour.usd is 0.44: a figure is a string"),
        (("prices", "glue.dpu_hour", "usd"), "-0.44", 'usd is "-0.44"'),
        (("prices", "glue.dpu_hour", "usd"), "NaN", 'usd is "NaN"'),
        (("prices", "glue.dpu_hour", "usd"), "Infinity", "usd is"),
        (("prices", "glue.dpu_hour", "usd"), "4.4e-1", "usd is"),
        (("prices", "glue.dpu_hour", "usd"), "0,44", "usd is"),
        (("prices", "glue.dpu_hour", "usd"), "٠", "usd is"),
        (("prices", "glue.dpu_hour", "usd"), "0.44\n", "usd is"),
        (("prices", "glue.dpu_hour", "usd"), "9" * 10_000, "usd is"),
        (("prices", "glue.dpu_hour", "tiers"), [{"usd": "1"}], "needs either usd or tiers"),
        (("prices", "glue.dpu_hour", "price"), "1", "'price' is no field of a price"),
        (("prices", "glue.dpu_hour", "unit"), "hour", "unit is 'hour', and the price is for one 'DPU hour'"),
        (("prices", "glue.dpu_hour", "source"), "", "source is"),
        (("prices", "glue.dpu_hour", "source"), "a\x1b[31mb", "source is"),
        (("prices", "glue.dpu_hour", "as_of"), "2026-11-28", "2026-11-28, which is after today, 2026-11-27"),
        (("prices", "glue.dpu_hour", "as_of"), "2026-13-01", "a date is written as"),
        (("prices", "glue.dpu_hour", "as_of"), "20261101", "a date is written as"),
        (("prices", "glue.dpu_hour", "as_of"), None, "a date is written as"),
        (("prices", "s3.storage_gb_month", "tiers"), [], "not a list of at least one tier"),
        (
            ("prices", "s3.storage_gb_month", "tiers", 0, "up_to"),
            "600000",
            "tiers[1].up_to is 512000, not above the 600",
        ),
        (("prices", "s3.storage_gb_month", "tiers", 0, "up_to"), "0", "tiers[0].up_to is 0, not above the 0"),
        (("prices", "s3.storage_gb_month", "tiers", 0, "up_to"), None, "every tier but the last ends"),
        (("prices", "s3.storage_gb_month", "tiers", 2, "up_to"), "600000", "every tier but the last ends"),
        (("prices", "s3.storage_gb_month", "tiers", 1, "usd"), 1, "tiers[1].usd is 1"),
        (("prices", "s3.storage_gb_month", "free"), "5", "free is not a JSON object"),
        (("prices", "s3.storage_gb_month", "free", "quantity"), -5, "free.quantity is -5"),
    ],
    ids=str,
)
def test_a_damaged_file_gets_one_sentence_with_its_place(path: tuple[Any, ...], value: Any, told: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    place: Any = document
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(UsageError) as raised:
        parse(document)
    sentence = str(raised.value)
    assert sentence.startswith("p.json"), sentence
    assert told in sentence
    assert sentence.isprintable() and len(sentence) < 300


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "p.json is not JSON"),
        ("[]", "is no price file: it is not a JSON object"),
        ("[" * 100_000, "p.json is not JSON"),
        ('{"version": 1, "version": 1}', "'version' is there twice"),
        ('{"version": NaN}', "'version' is NaN"),
    ],
)
def test_what_is_no_document_is_refused(text: str, told: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse(text)
    assert told in str(raised.value)


_figures = st.decimals(0, 10**9, places=10).map(lambda figure: figure.normalize() + 0)
_books = st.lists(_figures, min_size=1, max_size=4).flatmap(
    lambda figures: st.tuples(
        st.just(figures),
        st.lists(st.integers(1, 10**12), min_size=len(figures) - 1, max_size=len(figures) - 1, unique=True).map(sorted),
    )
)


@given(_books, st.none() | _figures)
def test_a_book_written_is_the_book_read(parts: tuple[list[Decimal], list[int]], free: Decimal | None) -> None:
    figures, ends = parts
    tiers = tuple(Tier(usd, end) for usd, end in zip(figures, [*map(Decimal, ends), None], strict=True))
    allowance = None if free is None else FreeAllowance(free, "a test")
    price = Price("sqs.requests", tiers, "request", TODAY, "a test", allowance)
    book = PriceBook("us-east-1", {"sqs.requests": price}, "a test")
    assert parse(dump_book(book)) == book


def test_the_file_that_is_given_counts_alone_then_the_refreshed_one_then_the_built_in(tmp_path: Path) -> None:
    def dpu_hour(given_file: Path | None) -> tuple[Decimal, str, int]:
        book, _ = load_prices("us-east-1", given_file, tmp_path, TODAY)
        return book.price("glue.dpu_hour").usd, book.origin, len(book.prices)

    built_in = built_in_book("us-east-1")
    assert built_in is not None
    assert dpu_hour(None) == (D("0.44"), "built in", len(built_in.prices))
    price = Price("glue.dpu_hour", (Tier(D("0.43")),), "DPU hour", TODAY, "the list")
    kept = keep_refreshed(PriceBook("us-east-1", {price.key: price}, "refreshed"), tmp_path)
    assert kept == refreshed_file("us-east-1", tmp_path) == tmp_path / "prices/us-east-1.json"
    assert list(kept.parent.iterdir()) == [kept]
    assert dpu_hour(None) == (D("0.43"), "refreshed and built in", len(built_in.prices))
    given_file = tmp_path / "mine.json"
    given_file.write_text(json.dumps(DOCUMENT))
    assert dpu_hour(given_file) == (D("0.40"), f"from {given_file}", 2)


def test_a_refreshed_file_that_is_damaged_is_named_and_not_passed_over(tmp_path: Path) -> None:
    path = refreshed_file("us-east-1", tmp_path)
    path.parent.mkdir()
    path.write_bytes(b'{"version": 1')
    with pytest.raises(UsageError, match=r"us-east-1\.json is not JSON .*: delete it"):
        load_prices("us-east-1", None, tmp_path, TODAY)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        load_prices("us-east-1", None, tmp_path, TODAY)


@pytest.mark.parametrize("region", ["../../etc/passwd", "mars", "", "us-east-1/..", "US-EAST-1", "us-east-1\n"])
def test_what_is_no_region_names_no_file(region: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no name of a region"):
        load_prices(region, None, tmp_path, TODAY)


def test_an_unknown_region_is_told_the_known_ones_and_two_ways_out(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        load_prices("ap-south-2", None, tmp_path, TODAY)
    for part in ("ap-south-2 are not known", "us-east-1, eu-west-1", "--region ap-south-2 --refresh", "--prices FILE"):
        assert part in str(raised.value)


def test_old_prices_are_warned_of_and_say_how_old_they_are(tmp_path: Path) -> None:
    def warnings(*days: str) -> tuple[str, ...]:
        keys = ("glue.dpu_hour", "glue.flex_dpu_hour", "glue.v6_dpu_hour")
        prices = {
            key: {"usd": "1", "unit": "DPU hour", "as_of": day, "source": "a test"}
            for key, day in zip(keys, days, strict=False)
        }
        path = tmp_path / "p.json"
        path.write_text(json.dumps({"version": 1, "region": "us-east-1", "prices": prices}))
        return load_prices("us-east-1", path, tmp_path, TODAY)[1]

    assert warnings() == ()
    assert warnings("2026-01-01") == ()
    assert warnings("2026-01-01", "2025-11-27") == ()  # 365 days
    (last_year,) = warnings("2025-12-31", "2025-12-30")
    assert "are of last year or older, the newest from 2025-12-31, 331 days old" in last_year
    (old,) = warnings("2025-06-01")
    assert f"us-east-1 (from {tmp_path / 'p.json'}) are from 2025-06-01, 544 days old: 'ndjctl cost prices" in old
    (one,) = warnings("2026-11-01", "2025-11-26")
    assert one.startswith("1 of the 2 prices of us-east-1") and "is more than 365 days old" in one
    (some,) = warnings("2026-11-01", "2025-10-22", "2025-06-01")
    assert some.startswith("2 of the 3 prices of us-east-1")
    assert f"more than {OLD_AFTER_DAYS} days old, the oldest from 2025-06-01, 544 days old" in some


def test_a_built_in_price_is_warned_of_only_where_it_is_paid(tmp_path: Path) -> None:
    book, warnings = load_prices("us-east-1", None, tmp_path, later := date(2027, 6, 1))
    assert warnings == () and old_built_in(book, {"glue.dpu_hour"}, later) == ()
    (old,) = old_built_in(book, {"glue.dpu_hour", "cloudwatch.api_requests"}, later)
    assert old.startswith(
        "1 of the 2 prices of us-east-1 (built in) is more than 400 days old, the oldest from 2025-10-28"
    )
    price = Price("cloudwatch.api_requests", (Tier(D("0.00002")),), "request", TODAY, "the list")
    keep_refreshed(PriceBook("us-east-1", {price.key: price}, "refreshed"), tmp_path)
    book, warnings = load_prices("us-east-1", None, tmp_path, later)
    assert "are from 2026-11-27" in warnings[0] and old_built_in(book, {price.key}, later) == ()


def test_every_key_is_built_in_for_us_east_1_or_known_to_be_missing() -> None:
    book = built_in_book("us-east-1")
    assert book is not None
    missing = {key for key in ITEMS if key not in book.prices}
    assert missing == {
        # Spot prices move by the hour and are in no list; none with a date and a region was found.
        *(key for key in ITEMS if "spot" in key),
        *(f"emr.{name}_hour" for name in ("m7g.2xlarge", "m7i.2xlarge", "c7g.4xlarge")),
    }
    assert all(item.product is None for key, item in ITEMS.items() if "spot" in key)


@pytest.mark.parametrize("region", built_in_regions())
def test_what_is_built_in_has_a_source_and_is_no_younger_than_it_was_looked_at(region: str) -> None:
    book = built_in_book(region)
    assert book is not None and book.region == region
    assert parse_book(dump_book(book), "p.json", "a test", region, WRITTEN).prices == book.prices
    assert all(price.usd > 0 for price in book.prices.values())
    assert json.loads(dump_book(book))["version"] == VERSION


@pytest.mark.parametrize(
    ("key", "quantity", "is_free_deducted", "usd"),
    [
        # AWS Glue pricing, example: 6 DPU for 15 minutes at 0.44 are 0.66.
        ("glue.dpu_hour", "1.5", False, "0.66"),
        # S3: 50 TB at 0.023, 450 TB at 0.022, 500 TB at 0.021.
        ("s3.storage_gb_month", "1024000", False, "22067.2"),
        # Lambda: 3 M requests, of which 1 M is free.
        ("lambda.requests", "3000000", True, "0.4"),
        # Lambda: 30 M invocations of 120 ms with 1,536 MB are 5.4 M GB s; 0.4 M are free: 5.0 M x 0.0000166667.
        ("lambda.gb_second_x86", "5400000", True, "83.3335"),
        ("lambda.gb_second_x86", "5400000", False, "90.00018"),
        # SQS: 101 billion requests, the last billion at 0.30.
        ("sqs.requests", "101000000000", False, "40300"),
        ("dynamodb.storage_gb_month", "25", True, "0"),
        ("dynamodb.storage_gb_month", "125", True, "25"),
        ("dynamodb.write_units", "1000000", True, "0.625"),
        ("cloudwatch.metric_month", "10010", True, "2998"),
        ("cloudwatch.alarm_month", "8", True, "0"),
        # 100 GB are free of the first 10 TB: 10,140 at 0.09 and 100 at 0.085.
        ("transfer.out_gb", "10340", True, "921.1"),
        ("sns.email_notifications", "1500", True, "0.01"),
        ("firehose.ingested_gb", "512001", False, "14848.025"),
        ("athena.scanned_tb", "3", False, "15"),
        ("emr_serverless.vcpu_hour_x86", "0", True, "0"),
    ],
)
def test_tiers_and_allowances_worked_by_hand(key: str, quantity: str, is_free_deducted: bool, usd: str) -> None:
    book = built_in_book("us-east-1")
    assert book is not None
    assert book.price(key).cost(D(quantity), deduct_free=is_free_deducted) == D(usd)


def test_glue_from_6_0_on_has_prices_of_its_own() -> None:
    assert [dpu_key(version) for version in ("4.0", "5.1", "6.0", "6.1", "10.0", "", "x")] == [
        *("glue.dpu_hour",) * 2,
        *("glue.v6_dpu_hour",) * 3,
        *("glue.dpu_hour",) * 2,
    ]
    assert dpu_key("4.0", "FLEX") == "glue.flex_dpu_hour"
    assert dpu_key("6.0", "FLEX") == "glue.v6_flex_dpu_hour"
    price, newest = dpu_price("us-east-1", "4.0"), dpu_price("us-east-1", "6.0")
    assert price is not None and (price.usd, price.as_of) == (0.44, "2026-09")
    assert newest is not None and newest.usd == 0.308
    assert dpu_price("mars", "4.0") is None


def _offered(*bands: tuple[str, str, str], effective: str = "2026-09-01T00:00:00Z") -> str:
    dimensions = {
        str(number): {"beginRange": begin, "endRange": end, "pricePerUnit": {"USD": usd}}
        for number, (usd, begin, end) in enumerate(bands)
    }
    terms = {"a": {"effectiveDate": effective, "priceDimensions": dimensions}}
    return json.dumps({"product": {"attributes": {"usagetype": "X"}}, "terms": {"OnDemand": terms}})


def test_an_offer_is_read_whole_or_not_at_all() -> None:
    offer = parse_offer(_offered(("0.25", "25", "Inf"), ("0.0000000000", "0", "25")), TODAY)
    assert offer is not None
    assert (offer.tiers, offer.free_quantity, offer.as_of) == ((Tier(D("0.25")),), D(25), date(2026, 9, 1))
    for text in (
        _offered(("0", "0", "Inf")),  # costs nothing
        _offered(("1", "0", "10"), ("2", "20", "Inf")),  # a gap
        _offered(("1", "0", "10")),  # no last tier
        _offered(("1", "0", "Inf"), ("2", "0", "Inf")),
        _offered(("-1", "0", "Inf")),
        _offered(("NaN", "0", "Inf")),
        _offered(("x", "0", "Inf")),
        _offered(),
        _offered(("1", "0", "Inf"), effective="2027-01-01T00:00:00Z"),  # announced, not yet so
        *(
            "",
            "[]",
            "{}",
            "null",
            "[" * 100_000,
            '{"product": null}',
            '{"product": {"attributes": {"usagetype": "X"}}}',
        ),
    ):
        assert parse_offer(text, TODAY) is None, text[:100]


def test_a_usage_type_is_known_with_the_prefix_of_any_region_and_as_a_whole() -> None:
    def is_named(key: str, usage_type: str) -> bool:
        product = ITEMS[key].product
        assert product is not None
        return product.is_named(usage_type)

    assert all(is_named("glue.dpu_hour", f"{prefix}ETL-DPU-Hour") for prefix in ("", "USE1-", "EU-", "APN1-", "EUC1-"))
    assert is_named("kms.key_month", "eu-west-1-KMS-Keys")
    assert not is_named("glue.dpu_hour", "USE1-ETL-DPU-Hour-Gen2")
    assert not is_named("glue.dpu_hour", "USE1-GlueInteractiveSession-ETL-DPU-Hour")
    assert not is_named("lambda.gb_second_x86", "Lambda-GB-Second-ARM")
    assert not is_named("lambda.requests", "Lambda-Edge-Request")
    assert is_named("fargate.vcpu_hour_x86", "USE1-Fargate-vCPU-Hours:perCPU")
    assert not is_named("fargate.vcpu_hour_x86", "USE1-Fargate-ARM-vCPU-Hours:perCPU")
    assert not is_named("fargate.vcpu_hour_x86", "USE1-SpotUsage-Fargate-vCPU-Hours:perCPU")
