"""What AWS asks for a DPU hour of Glue. Pure: the figures are in a price book."""

from __future__ import annotations

from dataclasses import dataclass

from ndjctl.prices.book import PriceBook

LEAST_BILLED_S = 60.0
"""Glue bills a Spark run for a minute at least (AWS Glue pricing)."""

FLEX = "FLEX"
"""The execution class of runs on spare capacity, as Glue spells it."""


@dataclass(frozen=True)
class DpuPrice:
    """usd: for a DPU hour of an ordinary run; flex_usd: of one of the execution class FLEX. Both of Glue 5.1 and
    before. as_of: YYYY-MM, when the source of the older of both said so."""

    region: str
    usd: float
    flex_usd: float
    as_of: str
    source: str

    def of(self, execution_class: str) -> float:
        """USD for a DPU hour of a run of that class; empty is an ordinary one."""
        return self.flex_usd if execution_class == FLEX else self.usd


def dpu_key(glue_version: str, execution_class: str = "") -> str:
    """The key of the price of a DPU hour. glue_version: as Glue spells it, such as 4.0; those from 6.0 on have a price
    of their own (AWS Glue pricing). execution_class: empty is an ordinary one."""
    is_new = glue_version.split(".")[0].isdecimal() and int(glue_version.split(".")[0]) >= 6
    return f"glue.{'v6_' if is_new else ''}{'flex_' if execution_class == FLEX else ''}dpu_hour"


def dpu_price_of(book: PriceBook) -> DpuPrice | None:
    """None for a book without both prices."""
    ordinary, flex = book.find(dpu_key("")), book.find(dpu_key("", FLEX))
    if ordinary is None or flex is None:
        return None
    as_of = min(ordinary.as_of, flex.as_of)
    return DpuPrice(book.region, float(ordinary.usd), float(flex.usd), f"{as_of:%Y-%m}", ordinary.source)
