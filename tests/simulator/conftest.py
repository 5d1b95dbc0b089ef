"""Options and surroundings of the simulator's tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from tests.simulator.patches import simulated


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, help="play this one seed of the simulator again")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With one seed nothing but that seed is played."""
    if chosen_seed(config) is not None:
        kept = [item for item in items if item.name == "test_one_seed"]
        items[:] = kept


def chosen_seed(config: pytest.Config) -> int | None:
    given = config.getoption("--seed", None)
    text = os.environ.get("NDJ_SIM_SEED", "")
    return given if given is not None else int(text) if text else None


@pytest.fixture(autouse=True)
def surroundings(request: pytest.FixtureRequest) -> Iterator[None]:
    """A module with REAL_SIZES is of what things cost, which small transactions would falsify."""
    with nullcontext() if getattr(request.module, "REAL_SIZES", False) else simulated():
        yield
