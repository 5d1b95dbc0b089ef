"""Death before and after every call of every path, then delivery again: not sampled, all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.simulator.faults import DEATH_BEFORE, ERROR_AFTER, SENT_TWICE, Fault
from tests.simulator.invariants import Violation
from tests.simulator.paths import DEATHS, PATHS, PAUSE, SLEEP, Path, given_ups, play, repairs, second_runs

LEAST_POINTS = 900
BUILDERS = [path for path in PATHS if path.name in ("new files to a started run", "partial flush by age")]
_points: Counter[str] = Counter()


def disturb(path: Path, *faults: Fault, meanwhile_s: float | None = None) -> int:
    """Every call of the path's process with each of the faults; how many points that were."""
    _, plan = play(path)
    assert plan.calls or path.before, f"{path.name} has no process {path.process}"
    for at, call in enumerate(plan.calls, 1):
        for fault in faults:
            try:
                _, done = play(path, at, fault, meanwhile_s)
            except Violation as violation:
                pytest.fail(f"{path.name}: {fault.kind} call {at}, {call}: {violation}")
            assert done.happened and done.calls[:at] == plan.calls[:at]
    return len(plan.calls) * len(faults)


def died_everywhere(*paths: Path) -> int:
    points = sum(disturb(path, *DEATHS) for path in paths)
    _points[paths[0].name.partition(" after ")[0]] += points
    return points


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_death_around_every_call(path: Path) -> None:
    assert died_everywhere(path) >= 6


def test_death_while_a_dead_builder_is_repaired() -> None:
    """For each place where the builder may have died."""
    assert died_everywhere(*repairs()) >= 60


def test_giving_up_whatever_the_only_run_left() -> None:
    for path in given_ups():
        try:
            play(path)
        except Violation as violation:
            pytest.fail(f"{path.name}: {violation}")


def test_points_are_many(capsys: pytest.CaptureFixture[str]) -> None:
    if not {"repair", *(path.name for path in PATHS)} <= {*_points}:
        pytest.skip("the paths were not all played")
    with capsys.disabled():
        print(f"\n{sum(_points.values())} deaths on {len(_points)} paths")
        for name, count in _points.items():
            print(f"{count:6} {name}")
    assert sum(_points.values()) >= LEAST_POINTS


@pytest.mark.slow
@pytest.mark.parametrize("scenes", [second_runs, given_ups], ids=["second run", "given up"])
def test_death_of_what_comes_after_a_death(
    scenes: Callable[[], list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the second run, and of the sweep that gives up, for each place where the first run may have died."""
    points = died_everywhere(*scenes())
    with capsys.disabled():
        print(f"\n{points} deaths after a death")
    assert points >= 500


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_an_answer_lost_at_every_call(path: Path) -> None:
    """After the effect, with and without boto3 sending again."""
    disturb(path, Fault(SENT_TWICE), Fault(ERROR_AFTER, code="InternalServerError"))


@pytest.mark.parametrize("path", BUILDERS, ids=lambda path: path.name)
@pytest.mark.parametrize(("pause", "meanwhile_s"), [(PAUSE, 0.0), (SLEEP, 61.0)], ids=["within", "beyond the lease"])
def test_others_come_between_every_two_calls(path: Path, pause: Fault, meanwhile_s: float) -> None:
    """While the process pauses, and after its lock has run out, another builder and two sweeps do all their work."""
    disturb(path, pause, meanwhile_s=meanwhile_s)


def test_a_death_is_a_death() -> None:
    """The process under test makes no call after it."""
    path = PATHS[0]
    _, plan = play(path)
    _, done = play(path, 3, Fault(DEATH_BEFORE))
    assert done.calls == plan.calls[:3]
