"""What runs of the Glue job cost. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from ndjctl.cost.bill import Item
from ndjctl.cost.line import DAYS_OF_A_MONTH, Input
from ndjctl.cost.usage import Usage
from ndjctl.prices.glue import dpu_key

SERVICE = "AWS Glue"


def items(usage: Usage, glue_version: str, execution_class: str = "") -> Iterator[Item]:
    """Converting, starting, and what is missing to the least that is billed: three shares of the same runs.
    execution_class: FLEX, or empty for an ordinary one."""
    key = dpu_key(glue_version, execution_class)
    common = (usage.input("manifests", "runs a day"),)
    capacity = (usage.input("dpus", "DPUs"), usage.input("used_share", "of them billed"))
    for name, field, what in (
        ("runs, converting", "converting_s", "seconds that a run converts"),
        ("runs, starting", "start_s", "seconds until a run converts"),
        ("runs, least billing", "least_s", "seconds to the least that is billed"),
    ):
        seconds: Decimal = getattr(usage, field)
        hours = usage.manifests * seconds / 3600 * usage.dpus * usage.used_share
        share = seconds / usage.billed_s if usage.billed_s else Decimal(0)
        yield Item(
            SERVICE,
            name,
            key,
            hours * DAYS_OF_A_MONTH,
            "DPU hours",
            f"manifests x {field} / 3,600 x dpus x used_share x 30",
            (*common, Input(field, seconds, what, usage.sources[field]), *capacity),
            f"{share:.1%} of what a run is billed" if share else "",
        )
