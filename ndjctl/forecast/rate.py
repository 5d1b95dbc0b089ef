"""How fast the job converts, and how long it takes to begin: the figures that are built in, with their sources. Pure.

MB of 2**20 bytes unless it says otherwise. A case is named after what the bill comes to in it: the fastest rate is the
low one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ndjctl.contracts import MIB
from ndjctl.settings import Load

BENCH_VCPUS = 2
CONVERSION_MB_S, WHOLE_RUN_MB_S = 81, 62
"""MB of 10**6 bytes a second that two cores made with `make bench-pipeline` (README, "What it costs to convert"): the
Glue job's conversion alone, and a whole run with its start. Not measured on Glue."""

THREADS_OF_A_CORE = 2
"""A vCPU of AWS may be a hyper-thread: half a core. Assumed for the high case, not measured on Glue."""

MB_PER_S_PER_VCPU = WHOLE_RUN_MB_S * 1e6 / MIB / BENCH_VCPUS
"""Of input that one vCPU converts, as it is expected: of a whole run, not of the conversion alone."""

RUN_START_S = 90.0
"""Until a run of Glue 2.0 or later converts: 60 to 90 s for its workers and Spark's start. Assumed, not measured."""

MEASURED_START_S = 10.0
"""Of a run here: Spark's start, the sample, publishing. The low case takes it for what Glue bills."""

START_SOURCE = {
    RUN_START_S: "assumed: 60 to 90 s for workers and Spark on Glue, all of them billed",
    MEASURED_START_S: "measured on a laptop; the provisioning of workers taken as not billed",
}
"""By the seconds: where a start that was not fitted is from."""


@dataclass(frozen=True)
class Rate:
    """What was measured, or taken for it. mb_per_s_per_vcpu: of input that one task slot converts. start_s: of a run,
    before it converts. used_share: of the DPUs that are asked for, those that were billed: less than 1 with auto
    scaling. source: one clause that says where the figures are from."""

    mb_per_s_per_vcpu: float
    start_s: float
    source: str
    used_share: float = 1.0


@dataclass(frozen=True)
class Rates:
    """The rate in three cases, by what the bill comes to. source: one clause for all three."""

    low: Rate
    expected: Rate
    high: Rate
    source: str

    def __iter__(self) -> Iterator[tuple[str, Rate]]:
        yield "low", self.low
        yield "expected", self.expected
        yield "high", self.high

    @property
    def has_spread(self) -> bool:
        return self.low.mb_per_s_per_vcpu != self.high.mb_per_s_per_vcpu

    @classmethod
    def same(cls, rate: Rate) -> Rates:
        """One figure, of which nothing tells how sure it is."""
        return cls(rate, rate, rate, rate.source)


def built_in() -> Rates:
    """As nothing was measured. The sources of the three say what each of them takes for granted."""
    conversion = CONVERSION_MB_S * 1e6 / MIB / BENCH_VCPUS
    return Rates(
        Rate(conversion, MEASURED_START_S, f"{conversion:.3g} MB/s a vCPU: the conversion alone, as on a bare core"),
        Rate(MB_PER_S_PER_VCPU, RUN_START_S, f"{MB_PER_S_PER_VCPU:.3g} MB/s a vCPU: a whole run, as on a bare core"),
        Rate(
            MB_PER_S_PER_VCPU / THREADS_OF_A_CORE,
            RUN_START_S,
            f"{MB_PER_S_PER_VCPU / THREADS_OF_A_CORE:.3g} MB/s a vCPU: a whole run, and a vCPU is half a core",
        ),
        f"built in: {MB_PER_S_PER_VCPU:.3g} MB/s a vCPU, measured with 'make bench-pipeline', not on Glue",
    )


def stated(load: Load) -> Rates:
    """What the profile says, else what is built in."""
    given = load.mb_per_s_per_vcpu
    if given is None:
        return built_in()
    return Rates.same(Rate(given, RUN_START_S, f"load.mb_per_s_per_vcpu of the profile, {given:g} MB/s a vCPU"))


def stated_rate(load: Load) -> Rate:
    """The same for whoever wants one figure."""
    rates = stated(load)
    return replace(rates.expected, source=rates.source)
