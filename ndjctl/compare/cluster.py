"""A standing EMR cluster on EC2, spot or on demand: what it costs to have it big enough for the busiest hour. Pure.

It runs all day at that size: what managed scaling would save at night is not counted, nor the work that is lost and
done again when AWS takes instances back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import ceil

from ndjctl.compare.model import Figures, Work, amount, figures
from ndjctl.compare.quotas import ON_DEMAND_VCPUS, SPOT_VCPUS
from ndjctl.compare.readers import Reader, Spread
from ndjctl.compare.sizes import DRIVER_VCPUS, EXECUTOR_VCPUS, Arch, Size
from ndjctl.forecast.rate import Rate
from ndjctl.prices import PriceBook

BUSY_SHARE = 0.8
"""Of a cluster's vCPUs, that runs may keep busy in the busiest hour: at 1 each waits for another. Assumed."""

APPLICATION_START_S = Spread(20.0, 30.0, 60.0)
"""Of a Spark application on instances that are there. Assumed."""

HOURS_A_DAY = 24


@dataclass(frozen=True)
class Instance:
    """Source of vCPU and GB: Amazon EC2 instance types."""

    type: str
    vcpus: int
    memory_gb: int
    arch: Arch

    def keys(self, spot: bool) -> tuple[str, str, str]:
        """Prices of an hour: of a node that works, of the primary node, which is on demand, and what EMR takes for
        either."""
        return f"ec2.{self.type}_{'spot_' if spot else ''}hour", f"ec2.{self.type}_hour", f"emr.{self.type}_hour"

    def suits(self, reader: Reader) -> bool:
        return self.memory_gb >= reader.gb_per_vcpu * self.vcpus


_GENERAL = Instance("m5.xlarge", 4, 16, "x86")
SPOT_INSTANCES = (_GENERAL, Instance("m7g.2xlarge", 8, 32, "arm"), Instance("c7g.4xlarge", 16, 32, "arm"))
ON_DEMAND_INSTANCES = (_GENERAL,)
"""The one of them whose prices of EC2 and of EMR both have a source."""


def cluster_sizes(most_executors: int, *, spot: bool) -> Iterator[Size]:
    """Of one run, an application of YARN with executors and a driver."""
    for executors in range(1, most_executors + 1):
        vcpus = executors * EXECUTOR_VCPUS + DRIVER_VCPUS
        yield Size(
            name=f"{executors} x {EXECUTOR_VCPUS} vCPU a run",
            slots=executors * EXECUTOR_VCPUS,
            units=vcpus,
            unit="vCPU",
            asks=(),
            quotas=((SPOT_VCPUS if spot else ON_DEMAND_VCPUS, vcpus),),
            least_s=0.0,
            start_s=APPLICATION_START_S,
        )


def instances_needed(instance: Instance, size: Size, at_once: float) -> int:
    """So that the runs of the busiest hour keep no more than their share of it busy, and one run fits."""
    return max(ceil(at_once * size.units / BUSY_SHARE / instance.vcpus), ceil(size.units / instance.vcpus))


def cluster_figures(
    work: Work,
    instance: Instance,
    size: Size,
    rate: Rate,
    case: str,
    slower: float,
    book: PriceBook,
    *,
    spot: bool,
) -> Figures:
    """Of a day of the whole cluster: every instance, busy or not, and an on-demand primary node."""
    run = figures(work, size, rate, case, slower, None, book)
    count = instances_needed(instance, size, run.at_once or 0.0)
    found = [book.find(key) for key in instance.keys(spot)]
    usd: Decimal | None = None
    if all(price is not None for price in found):
        node, primary, emr = (price.usd for price in found if price is not None)
        usd = HOURS_A_DAY * (count * (node + emr) + primary + emr)
    return Figures(
        mb_per_s_per_vcpu=run.mb_per_s_per_vcpu,
        start_s=run.start_s,
        run_s=run.run_s,
        billed_s=None,
        units_per_day=float(amount(HOURS_A_DAY) * (count + 1) * instance.vcpus),
        usd_per_day=usd,
        lag_s=run.lag_s,
        at_once=run.at_once,
    )
