"""A region's prices: what a unit costs, in tiers, from when and from where. Pure; Decimal, never a float.

A price that is not in the book is missing: it is said so, never guessed from another region or another service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ndjctl.errors import UsageError

ZERO = Decimal(0)


class MissingPrice(UsageError):
    """The book of a region has no price of that key."""

    def __init__(self, region: str, key: str, origin: str) -> None:
        super().__init__(f"The prices of {region} ({origin}) have none for {key}: 'ndjctl cost prices' lists them.")
        self.region, self.key = region, key


@dataclass(frozen=True)
class Tier:
    """usd: of one unit, up to `up_to` units a month; None is without end."""

    usd: Decimal
    up_to: Decimal | None = None


@dataclass(frozen=True)
class FreeAllowance:
    """Units of each month that an account has free, always and not in its first year alone. It is the account's: what
    else the account does uses it, too."""

    quantity: Decimal
    source: str


@dataclass(frozen=True)
class Price:
    """key: as ndjctl.prices.catalogue names it. tiers: in rising order, the last without end. unit: of what it is for,
    in words. as_of: when the source said so. source: the page or list, in words."""

    key: str
    tiers: tuple[Tier, ...]
    unit: str
    as_of: date
    source: str
    free: FreeAllowance | None = None

    @property
    def usd(self) -> Decimal:
        """Of one unit in the first tier."""
        return self.tiers[0].usd

    def cost(self, quantity: Decimal, *, deduct_free: bool = False) -> Decimal:
        """USD of a month's quantity, tier by tier. deduct_free: the free allowance is taken off first, from the lowest
        tier. Raises ValueError for a negative quantity."""
        if quantity < 0:
            raise ValueError(f"a quantity of {quantity} {self.unit} is below zero")
        free = min(quantity, self.free.quantity) if deduct_free and self.free is not None else ZERO
        return self._up_to(quantity) - self._up_to(free)

    def _up_to(self, quantity: Decimal) -> Decimal:
        usd, begin = ZERO, ZERO
        for tier in self.tiers:
            end = quantity if tier.up_to is None else min(quantity, tier.up_to)
            if end > begin:
                usd += (end - begin) * tier.usd
                begin = end
        return usd


@dataclass(frozen=True)
class PriceBook:
    """prices: by key. origin: which file they are from, in words."""

    region: str
    prices: Mapping[str, Price]
    origin: str

    def price(self, key: str) -> Price:
        """Raises MissingPrice."""
        found = self.prices.get(key)
        if found is None:
            raise MissingPrice(self.region, key, self.origin)
        return found

    def find(self, key: str) -> Price | None:
        return self.prices.get(key)

    @property
    def oldest(self) -> date | None:
        """as_of of the oldest price; None of an empty book."""
        return min((price.as_of for price in self.prices.values()), default=None)
