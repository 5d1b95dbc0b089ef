"""Mixed faults, drawn from seeds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from ndjctl.contracts import HELD_MANIFESTS
from tests.simulator.conftest import chosen_seed
from tests.simulator.stories import digest, run_seed

QUICK_SEEDS = range(200)
SLOW_SEEDS = range(1_000, 3_000)
_CHUNK = 100
_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("first", QUICK_SEEDS[::50])
def test_quick_seeds(first: int) -> None:
    told: Counter[str] = Counter()
    rewritten = 0
    for seed in range(first, first + 50):
        world = run_seed(seed)
        told += world.told_exactly
        rewritten += world.rewritten
    # What is told to CloudWatch was compared with the ledger often enough, and not at rest alone.
    assert told["with pending files"] >= 50 and told["with manifests"] >= 50, told
    # So were objects of manifests lost, and written again.
    assert rewritten >= 5


@pytest.mark.parametrize("limit", ["1", "300", "900"])
def test_quick_seeds_with_a_budget(limit: str) -> None:
    """Runs are held for a while, by every limit that matters to a story of twenty minutes; nothing is lost by it."""
    held = 0.0
    for seed in range(12):
        world = run_seed(seed, max_dpu_s_per_day=limit)
        held += max((values.get(HELD_MANIFESTS.name, 0.0) for values in world.told.values()), default=0.0)
    assert held > 0


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["1", "300", "900"])
def test_seeds_with_a_budget(limit: str) -> None:
    for seed in range(1_000, 1_300):
        run_seed(seed, max_dpu_s_per_day=limit)


@pytest.mark.slow
@pytest.mark.parametrize("first", SLOW_SEEDS[::_CHUNK])
def test_seeds(first: int) -> None:
    for seed in range(first, first + _CHUNK):
        run_seed(seed)


def test_one_seed(pytestconfig: pytest.Config) -> None:
    """`--seed N` or NDJ_SIM_SEED=N; the log of the function and the job is what pytest shows of a failure."""
    seed = chosen_seed(pytestconfig)
    if seed is None:
        pytest.skip("no seed was chosen")
    world = run_seed(seed, verbose=True)
    print("\n".join(world.log))


@pytest.mark.parametrize("seed", [3, 17])
def test_a_seed_is_the_same_each_time(seed: int) -> None:
    """Also in another process, where sets have another order."""
    here = digest(run_seed(seed))
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(_ROOT)}
        command = [sys.executable, "-m", "tests.simulator.replay", str(seed)]
        told = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=True).stdout
        assert here in told.splitlines()[-1]
