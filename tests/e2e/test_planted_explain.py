"""Faults planted one at a time: `explain` tells each for a file that suffers from it, and what it says to type mends
that file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.health_faults import FAULTS, Fault, Site
from tests.e2e.health_site import deployed_site
from tests.e2e.typed import type_it

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SUFFIX = "explain"
TOLD = {
    "function raising": {"event-waits"},
    "access denied": {"event-waits", "function-failing"},
    "queue not wired": {"not-wired"},
    "lock of the dead": {"lock-dead"},
    "dead letters": {"dead-letter"},
    "size rule wrong": {"quarantined"},
    "event lost": {"event-lost"},
    "mapping disabled": {"event-waits"},
    "schedule disabled": {"pending-stuck"},
    "function switched off": {"event-waits", "pending-stuck"},  # the embedded cloud takes the event all the same
    "job not there": {"no-run"},
    "job out of memory": {"failed"},
    "concurrency exhausted": {"no-run"},
}
"""Codes of the verdict, by the fault's name."""


@pytest.fixture(scope="module")
def site(cloud_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with deployed_site(cloud_dir, tmp_path_factory.mktemp("home"), SUFFIX) as made:
        yield made


def test_no_fault_is_left_out() -> None:
    assert {fault.name for fault in FAULTS} == set(TOLD)


@pytest.mark.parametrize("fault", [pytest.param(each, id=each.name.replace(" ", "-")) for each in FAULTS])
def test_a_fault_is_told_for_a_file_and_mended_by_what_is_said_to_be_typed(site: Site, fault: Fault) -> None:
    key = fault.plant(site)
    told = explained(site, key)
    assert told["verdict"]["code"] in TOLD[fault.name], told["verdict"]
    for _ in range(2):  # what is mended may show what else there is
        commands = [remedy["command"] for remedy in told["remedies"] if remedy["command"]]
        assert commands, told
        for command in commands:
            answer = type_it(site.pipeline.tool, command)
            assert answer.code == 0, f"{command}: {answer.err}{answer.out}"
        site.pipeline.wait_for_events()
        told = explained(site, key)
        if not told["verdict"]["wrong"]:
            break
    assert not told["verdict"]["wrong"], told
    assert site.status(key) not in ("", "failed", "quarantined"), told
    site.end_runs()
    site.pipeline.deploy()


def explained(site: Site, key: str) -> dict[str, Any]:
    finished = site.pipeline("explain", key, "--grace", "0", "--json")
    document = finished.document
    assert finished.code == int(document["verdict"]["wrong"]), finished.err
    assert bool(document["remedies"]) == document["verdict"]["wrong"]
    return document
