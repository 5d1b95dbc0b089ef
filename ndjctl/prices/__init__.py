"""What AWS asks for what the pipeline uses: dated figures of a region, each with its source."""

from __future__ import annotations

from ndjctl.prices.book import FreeAllowance, MissingPrice, Price, PriceBook, Tier
from ndjctl.prices.glue import DPU_PRICES, FLEX, LEAST_BILLED_S, DpuPrice, dpu_price

__all__ = [
    "DPU_PRICES",
    "FLEX",
    "LEAST_BILLED_S",
    "DpuPrice",
    "FreeAllowance",
    "MissingPrice",
    "Price",
    "PriceBook",
    "Tier",
    "dpu_price",
]
