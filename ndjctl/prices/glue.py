"""What AWS asks for a DPU hour of Glue. Pure: the figures are in a price book."""

from __future__ import annotations

from dataclasses import dataclass

from ndjctl.contracts import LEAST_BILLED_RUN_S
from ndjctl.prices.book import PriceBook

LEAST_BILLED_S = float(LEAST_BILLED_RUN_S)
"""The same for forecasts, which are floats."""

FLEX = "FLEX"
"""The execution class of runs on spare capacity, as Glue spells it."""


@dataclass(frozen=True)
class DpuPrice:
    """usd: for a DPU hour of an ordinary run. as_of: YYYY-MM, when the source said so; None if a profile does."""

    region: str
    usd: float
    as_of: str | None
    source: str

    @property
    def told(self) -> str:
        """Its source in one clause, with its date."""
        return self.source if self.as_of is None else f"{self.source}, {self.as_of}"


def dpu_key(glue_version: str, execution_class: str = "") -> str:
    """The key of the price of a DPU hour. glue_version: as Glue spells it, such as 4.0; those from 6.0 on have a price
    of their own (AWS Glue pricing). execution_class: empty is an ordinary one."""
    is_new = glue_version.split(".")[0].isdecimal() and int(glue_version.split(".")[0]) >= 6
    return f"glue.{'v6_' if is_new else ''}{'flex_' if execution_class == FLEX else ''}dpu_hour"


def dpu_price_of(book: PriceBook, glue_version: str) -> DpuPrice | None:
    """None for a book without it."""
    price = book.find(dpu_key(glue_version))
    return None if price is None else DpuPrice(book.region, float(price.usd), f"{price.as_of:%Y-%m}", price.source)
