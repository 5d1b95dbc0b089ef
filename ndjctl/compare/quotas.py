"""What an account may have at once, before it asks for more: AWS's default quotas, each with its source. Pure.

An account's own quotas may be lower (new accounts) or higher (they grow with use): `ndjctl config check` asks for
Glue's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quota:
    """default: in us-east-1. unit: of what it counts. source: a page, in words."""

    name: str
    default: int
    unit: str
    source: str


GLUE_RUNS = Quota(
    "Max concurrent job runs per account", 200, "runs", "a listing of Service Quotas (L-5E4153CA); pages of 2023 say 50"
)
GLUE_DPUS = Quota("Max task DPUs per account", 1_000, "DPUs", "a listing of Service Quotas (L-08F3B322)")
FLEX_DPUS = Quota(
    "Max spare compute capacity consumed in data processing units (DPUs) per account",
    50,
    "DPUs",
    "a listing of Service Quotas (L-096DBB95)",
)
EMR_SERVERLESS_VCPUS = Quota(
    "Max concurrent vCPUs per account", 16, "vCPUs", "EMR Serverless user guide, 'Endpoints and quotas'"
)
FARGATE_VCPUS = Quota(
    "Fargate On-Demand vCPU resource count", 6, "vCPUs", "AWS General Reference, 'Amazon ECS endpoints and quotas'"
)
FARGATE_SPOT_VCPUS = Quota(
    "Fargate Spot vCPU resource count", 6, "vCPUs", "AWS General Reference, 'Amazon ECS endpoints and quotas'"
)
SPOT_VCPUS = Quota(
    "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 5, "vCPUs", "EC2 user guide, 'Spot quotas'"
)
ON_DEMAND_VCPUS = Quota(
    "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 5, "vCPUs", "EC2 user guide, 'On-Demand quotas'"
)
FIREHOSE_MIB_S = Quota("Direct PUT of a stream", 5, "MiB/s", "Amazon Data Firehose developer guide, 'Quota'")
ATHENA_QUERIES = Quota("Active DML queries", 200, "queries", "AWS General Reference, 'Amazon Athena quotas'")


@dataclass(frozen=True)
class Use:
    """needed: at once, in the high case; None where nothing tells it."""

    quota: Quota
    needed: float | None

    @property
    def is_over(self) -> bool:
        return self.needed is not None and self.needed > self.quota.default
