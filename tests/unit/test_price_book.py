"""Prices in tiers, with what is free of them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.prices import FreeAllowance, MissingPrice, Price, PriceBook, Tier

D = Decimal
STORAGE = Price(
    "s3.standard_gb_month",
    (Tier(D("0.023"), D(50_000)), Tier(D("0.022"), D(500_000)), Tier(D("0.021"))),
    "GB month",
    date(2026, 5, 1),
    "a test",
)
REQUESTS = Price(
    "sqs.requests",
    (Tier(D("0.0000004")),),
    "request",
    date(2026, 5, 1),
    "a test",
    FreeAllowance(D(1_000_000), "a test"),
)


def test_each_tier_is_for_what_lies_in_it() -> None:
    assert STORAGE.cost(D(10)) == D("0.23")
    assert STORAGE.cost(D(50_000)) == D("1150")
    assert STORAGE.cost(D(600_000)) == D("1150") + 450_000 * D("0.022") + 100_000 * D("0.021")


def test_the_free_allowance_goes_off_only_when_it_is_asked_for() -> None:
    assert REQUESTS.cost(D(3_000_000)) == D("1.2")
    assert REQUESTS.cost(D(3_000_000), deduct_free=True) == D("0.8")
    assert REQUESTS.cost(D(999_999), deduct_free=True) == 0


def test_less_than_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="below zero"):
        STORAGE.cost(D(-1))


def test_a_missing_price_names_region_and_key() -> None:
    with pytest.raises(MissingPrice, match=r"eu-west-9 .* glue\.dpu_hour"):
        PriceBook("eu-west-9", {}, "the built-in file").price("glue.dpu_hour")


@given(st.decimals(0, 10**7, places=3), st.decimals(0, 10**7, places=3))
def test_more_never_costs_less_and_parts_never_less_than_the_whole(first: Decimal, second: Decimal) -> None:
    together = STORAGE.cost(first + second)
    assert max(STORAGE.cost(first), STORAGE.cost(second)) <= together <= STORAGE.cost(first) + STORAGE.cost(second)
