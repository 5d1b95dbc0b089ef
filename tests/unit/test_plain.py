"""Numbers as a sentence has them."""

from __future__ import annotations

import pytest

from ndjctl.plain import dollars, rounded


@pytest.mark.parametrize(
    ("value", "told"),
    [(1234.5, "1,234.5"), (0.0042, "0.0042"), (0.0, "0.0"), (float("inf"), "inf"), (float("-inf"), "-inf")],
)
def test_a_number_has_its_places_or_two_digits(value: float, told: str) -> None:
    assert rounded(value, 1) == told


def test_what_is_no_number_is_told_as_such() -> None:
    assert rounded(float("nan"), 2) == "nan"
    assert dollars(float("inf")) == "$inf"
