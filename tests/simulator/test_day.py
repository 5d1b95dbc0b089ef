"""What a file costs does not grow with the files that are done, and is what it was."""

from __future__ import annotations

from statistics import mean

import pytest

from ndjctl.contracts import MIB
from ndjctl.cost import figures
from tests.simulator.day import Day, Load, simulate
from tests.simulator.measures import Peak, imported_bytes
from tests.simulator.tally import Slice

MOST_PER_FILE = {"dynamodb": 4.0, "glue": 0.2, "s3": 0.04, "sqs": 1.7, "cloudwatch": 0.02}
"""CloudWatch: one call a minute, whatever the load; here no fewer than 50 files come in one."""
MOST_READ_UNITS, MOST_WRITE_UNITS = 2.0, 13.0
REAL_SIZES = True


def steady(day: Day) -> list[Slice]:
    """Without the beginning, when no run has ended yet, and without the end, when no file comes any more."""
    return day.tally.slices[len(day.tally.slices) * 2 // 5 : -1]


def check(day: Day, flat_within: float) -> None:
    files = day.load.files
    assert day.done == files
    for service, most in MOST_PER_FILE.items():
        assert day.tally.by_service()[service] / files <= most, service
    assert day.tally.read_units.total() / files <= MOST_READ_UNITS
    assert day.tally.write_units.total() / files <= MOST_WRITE_UNITS
    slices = steady(day)
    half = len(slices) // 2
    for name in ("calls", "read_units", "write_units", "cost"):
        each_file = [getattr(each, name) / each.files for each in slices]
        early, late = mean(each_file[:half]), mean(each_file[-half:])
        assert late <= early * (1 + flat_within), f"{name}: {early:.4f} a file, later {late:.4f}"


def control_path(day: Day) -> dict[str, float]:
    """What the day came to, by the names of ndjctl.cost.figures.ControlPath."""
    tally, calls = day.tally, day.tally.by_service()
    s3 = tally.of_s3()
    return {
        "lambda_ms": tally.billed_ms,
        "invocations": tally.invocations,
        "write_units": tally.write_units.total(),
        "read_units": float(tally.read_units.total()),
        "sqs_requests": calls["sqs"],
        "s3_puts": s3["put_object"],
        "s3_gets": s3["get_object"],
        "metric_calls": calls["cloudwatch"],
        "log_bytes": tally.log_bytes,
    }


COUNTED = ("write_units", "read_units", "s3_puts", "s3_gets", "log_bytes")
BATCHED = ("sqs_requests", "invocations")
"""How many messages come at once depends on the hour's load, and on the models' timer."""


def check_figures(day: Day, within: float, batched_within: float) -> None:
    """What an estimate of cost takes a file and a sweep for is what they come to. The time of an invocation is this
    machine's, too: within three times."""
    minutes = day.now_s / 60
    for name, found in control_path(day).items():
        of_file, of_sweep = getattr(figures.per_file(), name), getattr(figures.IDLE_MINUTE, name)
        told = day.load.files * float(of_file) + minutes * float(of_sweep)
        if name == "lambda_ms":
            assert told / 3 < found < told * 3, (name, found, told)
        else:
            most = batched_within if name in BATCHED else within
            assert found == pytest.approx(told, rel=most), (name, found, told)


def test_five_thousand_files_cost_the_same_each() -> None:
    day = simulate(Load(5_000, per_hour=7_000))
    check(day, flat_within=0.03)
    check_figures(day, within=0.1, batched_within=0.5)


def test_a_sweep_with_nothing_to_do_costs_what_the_estimate_takes_it_for() -> None:
    day = Day(Load(0))
    day.run_until(3_600)
    found = control_path(day)
    assert found["invocations"] == 60
    for name in ("write_units", "read_units", "sqs_requests", "s3_puts", "s3_gets", "metric_calls"):
        assert found[name] / 60 == float(getattr(figures.IDLE_MINUTE, name)), name
    assert found["log_bytes"] / 60 == pytest.approx(float(figures.IDLE_MINUTE.log_bytes), rel=0.02)


@pytest.mark.slow
def test_the_memory_of_the_function() -> None:
    """Also with a backlog: three hours' files at once, which no run takes."""
    imported = imported_bytes()
    day = Day(Load(21_000, per_hour=10**6))
    day.glue.max_concurrent = 0
    day.memory = Peak(every=37)
    for at_s in day.load.arrivals():
        day.arrive_at(at_s)
    assert day.waited > 0
    assert imported + day.memory.peak_bytes < 256 * MIB


def test_the_day_has_its_files_and_its_curve() -> None:
    arrivals = [*Load(338_000).arrivals()]
    assert arrivals == sorted(arrivals) and len(arrivals) == 338_000
    hours = [sum(1 for at_s in arrivals if hour <= at_s / 3600 < hour + 1) for hour in range(24)]
    assert 86_000 < arrivals[-1] < 88_000
    assert 1.4 < max(hours) / mean(hours) < 1.6


@pytest.mark.slow
def test_a_day() -> None:
    """338,000 files; the second half of the day costs what the first does, hour by hour of the same load."""
    day = simulate(Load())
    print(day.tally.told(day.load.files, day.now_s))
    check(day, flat_within=0.05)
    check_figures(day, within=0.05, batched_within=0.05)


@pytest.mark.slow
def test_hours_at_the_stated_peak() -> None:
    day = simulate(Load(35_000, per_hour=7_000))
    print(day.tally.told(day.load.files, day.now_s))
    check(day, flat_within=0.02)
