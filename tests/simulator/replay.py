"""One seed, every call of it on a line: `python -m tests.simulator.replay SEED [--log]`."""

from __future__ import annotations

import argparse
import sys

from tests.simulator import stories
from tests.simulator.invariants import Violation
from tests.simulator.patches import simulated
from tests.simulator.world import World


def play(seed: int, log: bool) -> int:
    made: list[World] = []

    class Kept(World):
        def __init__(self, *arguments: object, **more: str) -> None:
            super().__init__(*arguments, **more)  # type: ignore[arg-type]
            made.append(self)

    stories.World = Kept  # type: ignore[misc]
    violation: Violation | None = None
    with simulated():
        try:
            stories.run_seed(seed, verbose=log)
        except Violation as found:
            violation = found
    (world,) = made
    for when_s, process, call, outcome in world.trace:
        print(f"{when_s:10.4f} {process:24} {call:34} {outcome}")
    for line in world.log if log else ():
        print(line)
    print(violation or f"seed {seed} holds: {len(world.trace)} steps, digest {stories.digest(world)}")
    return 1 if violation else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--log", action="store_true", help="also the log of the function and the job")
    given = parser.parse_args()
    sys.exit(play(given.seed, given.log))
