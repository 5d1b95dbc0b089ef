"""One line of a bill: a quantity of a month, its price, and how both came about. Pure; Decimal."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ndjctl.prices.book import Price

DAYS_OF_A_MONTH = Decimal(30)
"""A month is 30 days, 720 hours, in every figure. AWS's own months have 28 to 31."""


@dataclass(frozen=True)
class Input:
    """A figure that goes into a line. source: one clause that says where it is from: a setting's path, a measurement,
    an assumption."""

    name: str
    value: Decimal
    unit: str
    source: str


@dataclass(frozen=True)
class Line:
    """service, name: such as "AWS Glue", "runs". quantity: of a month, in `unit`. usd_per_month: not rounded. formula:
    in words and the names of `inputs`. price: None where nothing is asked for it. note: what the reader should know, or
    empty."""

    service: str
    name: str
    quantity: Decimal
    unit: str
    usd_per_month: Decimal
    formula: str
    inputs: tuple[Input, ...]
    price: Price | None = None
    note: str = ""

    @property
    def usd_per_day(self) -> Decimal:
        return self.usd_per_month / DAYS_OF_A_MONTH


def total_per_month(lines: tuple[Line, ...] | list[Line]) -> Decimal:
    """USD, not rounded."""
    return sum((line.usd_per_month for line in lines), Decimal(0))
