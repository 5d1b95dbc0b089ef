"""The DPU seconds that a run was billed by: the one rule of what is told as spent. Pure; Decimal.

A budget counts the most that it may be (ndjctl.contracts.billed_dpu_s): a minute also where Glue tells fewer seconds of
a run, or it only starts.

Source: AWS Glue pricing (aws.amazon.com/glue/pricing): Spark jobs of Glue 2.0 and later are billed by the second, a
minute at the least. Glue tells DPUSeconds of runs with auto scaling and of FLEX runs (AWS Glue API reference, JobRun).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ndjctl.prices.glue import LEAST_BILLED_S

ZERO = Decimal(0)
HOUR_S = Decimal(3600)
_LEAST_S = Decimal(str(LEAST_BILLED_S))


@dataclass(frozen=True)
class Billed:
    """dpu_s: DPU seconds so far. minimum_dpu_s: of them, those that make a minute of a shorter run. is_told: whether
    they are Glue's own. untold_dpu_s: what a minute would be more, of a run below one whose DPU seconds Glue tells:
    they are those that ran, and may be billed as a minute."""

    dpu_s: Decimal
    minimum_dpu_s: Decimal = ZERO
    is_told: bool = False
    untold_dpu_s: Decimal = ZERO

    @property
    def ran_dpu_s(self) -> Decimal:
        return self.dpu_s - self.minimum_dpu_s


def billed(told_dpu_s: float | None, execution_s: float, dpus: float | None) -> Billed | None:
    """told_dpu_s: DPUSeconds of the run, None where Glue tells none. execution_s: that it ran so far. dpus: its
    capacity, None where that is not known. None where there is nothing to go by: no DPUSeconds and no capacity."""
    seconds, capacity = _exactly(execution_s), None if dpus is None else _exactly(dpus)
    short = max(_LEAST_S - seconds, ZERO) if seconds > 0 else ZERO
    if told_dpu_s is not None:
        return Billed(_exactly(told_dpu_s), is_told=True, untold_dpu_s=short * (capacity or ZERO))
    if capacity is None:
        return None
    return Billed((seconds + short) * capacity, short * capacity)


def _exactly(number: float) -> Decimal:
    """As it is written: AWS's 0.1 is a tenth."""
    return Decimal(str(number))
