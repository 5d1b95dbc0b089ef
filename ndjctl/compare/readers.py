"""Who reads the NDJSON: how much slower each is than ours, what it needs, and how that is known. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ndjctl.forecast.rate import WHOLE_RUN_MB_S

CASES = ("low", "expected", "high")
"""Named after what the bill comes to: the fastest reader and the shortest start are the low case (ndjctl.forecast)."""


@dataclass(frozen=True)
class Spread:
    """One figure in the three cases."""

    low: float
    expected: float
    high: float

    def __iter__(self) -> Iterator[tuple[str, float]]:
        return zip(CASES, (self.low, self.expected, self.high), strict=True)

    def of(self, case: str) -> float:
        return dict(self)[case]


@dataclass(frozen=True)
class Reader:
    """slower: how many times as much CPU a GB takes as with ours, without start-up. gb_per_vcpu: memory that it needs
    for each vCPU that converts. start_s: of its own, where no Spark runs anyway. source: one clause."""

    code: str
    name: str
    slower: Spread
    gb_per_vcpu: float
    start_s: float
    source: str


SPARK_START_S = 4.0
"""Of a session on this machine, in a run of `make bench-pipeline` (README, "What it costs to convert")."""

LEAST_GB_PER_VCPU = 2.0
"""The least memory that EMR Serverless and Fargate have for workers of 4, 8 and 16 vCPU (their user guides, "Supported
worker configurations" and "Task CPU and memory")."""

_OUR_PEAK_GB = 0.295
"""Of a process that converts, at its peak (`make bench`)."""

_BENCH = "make bench, 1,000 MB of nested events, one core of a shared machine of 2"

OURS = Reader(
    code="ours",
    name="ours",
    slower=Spread(1.0, 1.0, 1.0),
    gb_per_vcpu=max(LEAST_GB_PER_VCPU, _OUR_PEAK_GB),
    start_s=0.0,
    source=f"{_BENCH}: 15.8 CPU s/GB, 14.3 as the best of three; {_OUR_PEAK_GB * 1000:.0f} MB a process",
)

BARE_KERNEL_MB_S = 100
"""MB of 10**6 bytes a second that our kernel alone made on two cores, in the run of `make bench-pipeline` that made
WHOLE_RUN_MB_S with the whole job (README, "What it costs to convert")."""

BENCH_RATIO, BEST_RATIO = 3.47, 3.92
"""CPU seconds of Spark's reader with the schema given to ours, both without start-up: in the run of README's table, and
in the best of three."""


def _diluted(ratio: float) -> float:
    """The ratio of two whole jobs, if what a job does besides reading (S3, tasks) takes both readers as long."""
    kernel_share = WHOLE_RUN_MB_S / BARE_KERNEL_MB_S
    return ratio * kernel_share + (1 - kernel_share)


SPARK = Reader(
    code="spark",
    name="Spark's",
    slower=Spread(_diluted(BENCH_RATIO), BENCH_RATIO, BEST_RATIO),
    gb_per_vcpu=4.0,
    start_s=SPARK_START_S,
    source=(
        f"{_BENCH}: Spark 3.5 with the schema given takes 69.5 CPU s/GB, 73.3 as the best of three; without start-up "
        f"that is {BENCH_RATIO:g} and {BEST_RATIO:g} times ours (4.92 and 5.24 where it infers the schema); 4 GB a "
        "vCPU as Glue's workers have"
    ),
)

READERS = (SPARK, OURS)
