"""The DPU seconds that a run is billed by, and what of them makes it a minute. Pure; Decimal.

Their sum is that of ndjctl.contracts.billed_dpu_s, which a budget counts by as well.

Source: AWS Glue pricing (aws.amazon.com/glue/pricing): Spark jobs of Glue 2.0 and later are billed by the second, a
minute at the least. Glue tells DPUSeconds of runs with auto scaling and of FLEX runs (AWS Glue API reference, JobRun).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ndjctl.contracts import LEAST_BILLED_RUN_S, billed_dpu_s

ZERO = Decimal(0)
HOUR_S = Decimal(3600)
_THOUSANDTH = Decimal("0.001")


@dataclass(frozen=True)
class Billed:
    """dpu_s: DPU seconds so far. minimum_dpu_s: of them, those that make a minute of a shorter run. is_told: whether
    they are from Glue's own figure."""

    dpu_s: Decimal
    minimum_dpu_s: Decimal = ZERO
    is_told: bool = False

    @property
    def ran_dpu_s(self) -> Decimal:
        return self.dpu_s - self.minimum_dpu_s


def billed(told_dpu_s: float | None, execution_s: float, dpus: float | None, *, has_ended: bool) -> Billed | None:
    """told_dpu_s: DPUSeconds of the run, None where Glue tells none. execution_s: that it ran so far. dpus: its
    capacity, None where that is not known. None where there is nothing to go by: no DPUSeconds and no capacity."""
    if told_dpu_s is None and dpus is None:
        return None
    total = billed_dpu_s(execution_s=execution_s, dpus=dpus or 0.0, dpu_s=told_dpu_s, has_ended=has_ended)
    is_told = has_ended and told_dpu_s is not None
    if execution_s >= LEAST_BILLED_RUN_S:
        return Billed(total, is_told=is_told)
    ran = _exactly(told_dpu_s) if told_dpu_s is not None else _exactly(execution_s) * _exactly(dpus or 0.0)
    return Billed(total, max(total - ran.quantize(_THOUSANDTH), ZERO), is_told)


def _exactly(number: float) -> Decimal:
    """As it is written: AWS's 0.1 is a tenth."""
    return Decimal(str(number))
