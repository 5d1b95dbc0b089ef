"""Death before and after every call of every path, then delivery again: not sampled, all of them."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulator.faults import DEATH_BEFORE, ERROR_AFTER, SENT_TWICE, Fault
from tests.simulator.invariants import Violation
from tests.simulator.paths import DEATHS, PATHS, SLEEP, Path, play, repairs, second_runs

LEAST_POINTS = 600
_points: Counter[str] = Counter()


def disturb(path: Path, *faults: Fault) -> int:
    """Every call of the path's process with each of the faults; how many points that were."""
    _, plan = play(path)
    assert plan.calls or path.before, f"{path.name} has no process {path.process}"
    for at, call in enumerate(plan.calls, 1):
        for fault in faults:
            try:
                _, done = play(path, at, fault)
            except Violation as violation:
                pytest.fail(f"{path.name}: {fault.kind} call {at}, {call}: {violation}")
            assert done.happened and done.calls[:at] == plan.calls[:at]
    _points[path.name.partition(" after ")[0]] += len(plan.calls) * len(faults)
    return len(plan.calls) * len(faults)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_death_around_every_call(path: Path) -> None:
    assert disturb(path, *DEATHS) >= 6


def test_death_while_a_dead_builder_is_repaired() -> None:
    """For each place where the builder may have died."""
    assert sum(disturb(path, *DEATHS) for path in repairs()) >= 60


def test_points_are_many(capsys: pytest.CaptureFixture[str]) -> None:
    if len(_points) < len(PATHS):
        pytest.skip("the paths were not all played")
    with capsys.disabled():
        print(f"\n{sum(_points.values())} deaths on {len(_points)} paths")
        for name, count in _points.items():
            print(f"{count:6} {name}")
    assert sum(_points.values()) >= LEAST_POINTS


@pytest.mark.slow
def test_death_in_a_second_run() -> None:
    """For each place where the first may have died."""
    points = sum(disturb(path, *DEATHS) for path in second_runs())
    print(f"{points} deaths of a second run")
    assert points >= 500


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_answers_lost_and_holders_asleep_at_every_call(path: Path) -> None:
    """An answer lost after the effect, with and without boto3 sending again; and a sleep that outlasts a lock."""
    disturb(path, Fault(SENT_TWICE), Fault(ERROR_AFTER, code="InternalServerError"), SLEEP)


def test_a_death_is_a_death() -> None:
    """The process under test makes no call after it."""
    path = PATHS[0]
    _, plan = play(path)
    _, done = play(path, 3, Fault(DEATH_BEFORE))
    assert done.calls == plan.calls[:3]
