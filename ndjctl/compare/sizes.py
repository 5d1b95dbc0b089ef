"""The services that could run a conversion, as data: what one run of each has, asks for, and waits for. Pure.

A run converts one manifest. Sources are AWS's user guides and pricing pages as they are named; what is assumed says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ndjctl.compare.quotas import (
    EMR_SERVERLESS_VCPUS,
    FARGATE_SPOT_VCPUS,
    FARGATE_VCPUS,
    FLEX_DPUS,
    GLUE_DPUS,
    GLUE_RUNS,
    Quota,
)
from ndjctl.compare.readers import Reader, Spread
from ndjctl.prices import LEAST_BILLED_S
from ndjctl.settings import Job, WorkerType

Arch = Literal["x86", "arm"]
MOST_WORKERS = 299
"""Of a Glue run: what job.workers takes."""

EXECUTOR_VCPUS = 4
DRIVER_VCPUS, DRIVER_GB = 2, 8.0
"""Of a Spark driver outside Glue; in Glue it is a worker like the others. Assumed: it only plans and commits."""
MOST_EXECUTORS = 250

TASK_VCPUS = (4, 8, 16)
"""Of a Fargate task, where memory of 2 and of 4 GB a vCPU is on offer (Amazon ECS developer guide, "Task CPU and
memory")."""
MOST_TASKS = 64

FARGATE_START_S = Spread(30.0, 60.0, 120.0)
"""From RunTask to a process that reads: network, image, start. Assumed; AWS names no figure."""


@dataclass(frozen=True)
class Ask:
    """What is billed for an hour of a run: `quantity` units of the price of that key."""

    key: str
    quantity: float


@dataclass(frozen=True)
class Size:
    """What one run has. slots: vCPUs that convert. units: DPUs or vCPUs that are billed, `unit` says which. least_s: is
    billed at least. start_s: until it converts, None where it is that of the rate (ndjctl.forecast). quotas: what it
    takes of each. auto_scaling: only the rate's share of what is asked for is billed."""

    name: str
    slots: int
    units: float
    unit: str
    asks: tuple[Ask, ...]
    quotas: tuple[tuple[Quota, float], ...]
    least_s: float = LEAST_BILLED_S
    start_s: Spread | None = None
    auto_scaling: bool = False


def glue_size(job: Job, *, flex: bool = False) -> Size:
    """A run of the Glue job as its settings have it. One DPU is 4 vCPU and 16 GB; billed by the second, for a minute at
    least (AWS Glue pricing)."""
    version = "v6_" if job.glue_version == "6.0" else ""
    return Size(
        name=f"{job.worker_type} x {job.workers}",
        slots=job.task_slots,
        units=job.dpus,
        unit="DPU",
        asks=(Ask(f"glue.{version}{'flex_' if flex else ''}dpu_hour", job.dpus),),
        quotas=((GLUE_RUNS, 1.0), (FLEX_DPUS if flex else GLUE_DPUS, job.dpus)),
        auto_scaling=job.auto_scaling,
    )


def glue_sizes(job: Job, worker_type: WorkerType, *, flex: bool = False) -> Iterator[tuple[Job, Size]]:
    """The same job with every number of workers that its settings take."""
    for workers in range(2, MOST_WORKERS + 1):
        other = job.model_copy(update={"worker_type": worker_type, "workers": workers})
        yield other, glue_size(other, flex=flex)


def emr_serverless_sizes(arch: Arch, reader: Reader) -> Iterator[Size]:
    """Executors of 4 vCPU and a driver. Billed by the second, for a minute at least, by vCPU and GB; 20 GB of disk are
    in it (Amazon EMR pricing). How long workers take to come, and that this is not billed, is taken to be as
    with Glue."""
    for executors in range(1, MOST_EXECUTORS + 1):
        vcpus = executors * EXECUTOR_VCPUS + DRIVER_VCPUS
        memory_gb = executors * EXECUTOR_VCPUS * reader.gb_per_vcpu + DRIVER_GB
        yield Size(
            name=f"{executors} x {EXECUTOR_VCPUS} vCPU",
            slots=executors * EXECUTOR_VCPUS,
            units=vcpus,
            unit="vCPU",
            asks=(Ask(f"emr_serverless.vcpu_hour_{arch}", vcpus), Ask(f"emr_serverless.gb_hour_{arch}", memory_gb)),
            quotas=((EMR_SERVERLESS_VCPUS, vcpus),),
        )


def fargate_sizes(arch: Arch, reader: Reader, *, spot: bool = False) -> Iterator[Size]:
    """Tasks of a container image with the reader in it; a manifest's files are divided between them, and there is no
    driver. Billed by the second from the pull of the image, for a minute at least, by vCPU and GB; 20 GB of disk are in
    it (AWS Fargate pricing)."""
    start_s = Spread(*(seconds + reader.start_s for _, seconds in FARGATE_START_S))
    kind = "spot_" if spot else ""
    for tasks in range(1, MOST_TASKS + 1):
        for task_vcpus in TASK_VCPUS if tasks == 1 else TASK_VCPUS[-1:]:
            vcpus = tasks * task_vcpus
            memory_gb = vcpus * reader.gb_per_vcpu
            yield Size(
                name=f"{tasks} x {task_vcpus} vCPU",
                slots=vcpus,
                units=vcpus,
                unit="vCPU",
                asks=(Ask(f"fargate.{kind}vcpu_hour_{arch}", vcpus), Ask(f"fargate.{kind}gb_hour_{arch}", memory_gb)),
                quotas=((FARGATE_SPOT_VCPUS if spot else FARGATE_VCPUS, vcpus),),
                start_s=start_s,
            )
