"""The budget of a day: where the ledger keeps it, and what AWS bills a run by."""

from __future__ import annotations

from decimal import Decimal

from ndjctl.contracts.ledger import Attr

BUDGET_PARTITION = "#budget"
"""Partition of the days' budgets, an item a UTC date. The function writes what was spent and whether runs are held,
the tool what lifts that."""

LEAST_BILLED_RUN_S = 60
"""Glue bills a Spark run by the second, a minute at least (AWS Glue pricing, Glue 2.0 and later)."""

_THOUSANDTH = Decimal("0.001")


def budget_item_key(date: str) -> dict[str, str]:
    """Primary key of the item of one date, YYYY-MM-DD in UTC."""
    return {Attr.DATE_PREFIX: BUDGET_PARTITION, Attr.FILE_KEY: f"{date}#"}


def billed_dpu_s(*, execution_s: float, dpus: float, dpu_s: float | None, has_ended: bool) -> Decimal:
    """DPU seconds that a run is billed for so far, to a thousandth: the one rule of what a budget counts and of what is
    told as spent.

    execution_s: that it ran. dpus: of all its workers. dpu_s: Glue's own DPUSeconds, which it tells with auto scaling
    and FLEX; None where it does not. A run of less than a minute is billed for a minute at the DPUs that it had in the
    mean. One that ended before it ran is not billed. One that is under way is counted with all its workers and for a
    minute at least, because what Glue tells before the end need not be all.
    """
    seconds, told = Decimal(str(execution_s)), None if dpu_s is None else Decimal(str(dpu_s))
    if has_ended and seconds <= 0:
        return Decimal(0)
    if has_ended and told is not None:
        billed = told * max(Decimal(1), LEAST_BILLED_RUN_S / seconds)
    else:
        billed = max(max(seconds, Decimal(LEAST_BILLED_RUN_S)) * Decimal(str(dpus)), told or Decimal(0))
    return billed.quantize(_THOUSANDTH)
