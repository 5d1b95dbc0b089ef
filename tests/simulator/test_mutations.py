"""Every planted change is found by some seed among the first few."""

from __future__ import annotations

import pytest

from tests.simulator.invariants import Violation
from tests.simulator.mutations import PLANTED, planted
from tests.simulator.stories import run_seed

SEEDS = range(60)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_change_is_caught(name: str) -> None:
    with planted(name):
        for seed in SEEDS:
            try:
                run_seed(seed)
            except Violation as violation:
                print(f"{name}: caught by {violation}")
                return
    pytest.fail(f"{name}: not caught by {len(SEEDS)} seeds")
