"""What the account pays for a DPU hour, as the profile states it, before what AWS asks of everybody. Pure.

A plan, a budget or a hold must come to the same wherever it is made: they rest on the profile and on what is built in,
never on prices that one machine has kept.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from ndjctl.prices.book import Price, PriceBook, Tier
from ndjctl.prices.catalogue import ITEMS
from ndjctl.prices.files import built_in_book
from ndjctl.prices.glue import DpuPrice, dpu_key, dpu_price_of
from ndjctl.settings import Profile

SETTING = "cost.usd_per_dpu_hour"
SOURCE = f"{SETTING} of the profile"


def stated_prices(profile: Profile) -> dict[str, Decimal]:
    """USD of a DPU hour that the profile states, by the key of the price it stands for: that of an ordinary run of the
    job's Glue version. Empty where it states none."""
    usd = profile.cost.usd_per_dpu_hour
    return {} if usd is None else {dpu_key(profile.job.glue_version): usd}


def with_stated(book: PriceBook, profile: Profile, today: date) -> PriceBook:
    """The book with what the profile states in place of its own; as it is for another region than the profile's.
    today: of what is stated now."""
    if book.region != profile.region:
        return book
    stated = {
        key: Price(key, (Tier(usd),), ITEMS[key].unit, today, SOURCE) for key, usd in stated_prices(profile).items()
    }
    return PriceBook(book.region, {**book.prices, **stated}, book.origin) if stated else book


def usd_per_dpu_hour(profile: Profile) -> Decimal | None:
    """Of an ordinary run of the job: what the profile states, else what is built in for its region and Glue version;
    None for a region whose price is not known here."""
    key = dpu_key(profile.job.glue_version)
    book = built_in_book(profile.region)
    price = None if book is None else book.find(key)
    return stated_prices(profile).get(key, None if price is None else price.usd)


def dpu_price_of_profile(profile: Profile) -> DpuPrice | None:
    """The same with its source."""
    if profile.cost.usd_per_dpu_hour is not None:
        return DpuPrice(profile.region, float(profile.cost.usd_per_dpu_hour), None, SOURCE)
    book = built_in_book(profile.region)
    return None if book is None else dpu_price_of(book, profile.job.glue_version)
