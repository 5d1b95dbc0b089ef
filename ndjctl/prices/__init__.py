"""What AWS asks for what the pipeline uses: dated figures of a region, each with its source."""

from __future__ import annotations

from ndjctl.prices.book import FreeAllowance, MissingPrice, Price, PriceBook, Tier
from ndjctl.prices.files import built_in_book, dpu_price, load_prices
from ndjctl.prices.glue import FLEX, LEAST_BILLED_S, DpuPrice, dpu_key
from ndjctl.prices.stated import dpu_price_of_profile

__all__ = [
    "FLEX",
    "LEAST_BILLED_S",
    "DpuPrice",
    "FreeAllowance",
    "MissingPrice",
    "Price",
    "PriceBook",
    "Tier",
    "built_in_book",
    "dpu_key",
    "dpu_price",
    "dpu_price_of_profile",
    "load_prices",
]
