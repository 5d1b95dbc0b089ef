"""What AWS asks for a DPU hour of Glue: dated figures, each with its source. Pure.

A region that is not in the list has no price here: it is said so, not guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LEAST_BILLED_S = 60.0
"""Glue bills a Spark run for a minute at least (AWS Glue pricing)."""

FLEX = "FLEX"
"""The execution class of runs on spare capacity, as Glue spells it."""


@dataclass(frozen=True)
class DpuPrice:
    """usd: for a DPU hour of an ordinary run; flex_usd: of one of the execution class FLEX. as_of: YYYY-MM, when the
    source said so."""

    region: str
    usd: float
    flex_usd: float
    as_of: str
    source: str

    def of(self, execution_class: str) -> float:
        """USD for a DPU hour of a run of that class; empty is an ordinary one."""
        return self.flex_usd if execution_class == FLEX else self.usd


_SOURCE = "AWS Glue pricing page, 'ETL jobs and interactive sessions'"

DPU_PRICES: Mapping[str, DpuPrice] = {
    "us-east-1": DpuPrice("us-east-1", usd=0.44, flex_usd=0.29, as_of="2026-05", source=_SOURCE),
}
"""By region."""


def dpu_price(region: str) -> DpuPrice | None:
    """None for a region whose price is not known here."""
    return DPU_PRICES.get(region)
