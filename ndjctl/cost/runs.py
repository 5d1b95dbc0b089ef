"""What runs of the Glue job cost. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from ndjctl.cost.bill import Item
from ndjctl.cost.line import DAYS_OF_A_MONTH, Input
from ndjctl.cost.usage import RUN_TIME, Usage
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
        is_computed = field == "converting_s" and usage.sources[field] != RUN_TIME
        spent = (
            (
                usage.input("manifest_bytes", "bytes of a run's manifest"),
                usage.input("mb_per_s_per_vcpu", "MB (2**20 bytes) a second that a task slot, one vCPU, converts"),
                usage.input("task_slots", "task slots of a run"),
            )
            if is_computed
            else (Input(field, seconds, what, usage.sources[field]),)
        )
        of = "(manifest_bytes / 2**20 / (mb_per_s_per_vcpu x task_slots))" if is_computed else field
        share = seconds / usage.billed_s if usage.billed_s else Decimal(0)
        yield Item(
            SERVICE,
            name,
            key,
            hours * DAYS_OF_A_MONTH,
            "DPU hours",
            f"manifests x {of} / 3,600 x dpus x used_share x 30",
            (*common, *spent, *capacity),
            f"{_seconds(seconds)} s of each run, {share:.1%} of what it is billed" if share else "",
        )


def _seconds(value: Decimal) -> str:
    return f"{value:,.2f}".rstrip("0").rstrip(".")
