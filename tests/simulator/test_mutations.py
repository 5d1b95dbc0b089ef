"""Every planted change is found by some seed among the first few, which holds without it."""

from __future__ import annotations

import pytest

from tests.simulator.invariants import Violation
from tests.simulator.mutations import PLANTED, planted
from tests.simulator.stories import run_seed

SEEDS = range(100)


def violation_of(seed: int) -> str:
    try:
        run_seed(seed)
    except Violation as violation:
        return str(violation)
    return ""


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_change_is_caught(name: str) -> None:
    for seed in SEEDS:
        with planted(name):
            told = violation_of(seed)
        if told and not violation_of(seed):
            print(f"{name}: caught by {told}")
            return
    pytest.fail(f"{name}: not caught by {len(SEEDS)} seeds")
