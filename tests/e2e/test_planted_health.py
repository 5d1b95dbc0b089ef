"""Faults planted one at a time: `doctor` names each by its code, and what it says to type mends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ndjctl.embedded.provider import cloud_of, embedded_cloud
from ndjctl.profiles import load_profile
from tests.deploy_world import quieten
from tests.drift.hands import Hands
from tests.e2e.conftest import Tool
from tests.e2e.health_faults import FAULTS, Fault, Site
from tests.e2e.pipeline_harness import Pipeline
from tests.e2e.typed import remedies_on, type_it

pytestmark = [pytest.mark.e2e]

SUFFIX = "health"
SETTINGS = (
    # Nothing is converted by itself: what needs no run is not to wait for one.
    "batching.max_partial_age_s=86400",
    "job.max_retries=0",
    "job.max_attempts=1",
    # A message that the function could not take comes again soon.
    "function.timeout_s=30",
    "queue.visibility_timeout_s=30",
)


@pytest.fixture(scope="module")
def site(cloud_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    profile = load_profile("local", working_dir=cloud_dir, assignments=[f"suffix={SUFFIX}"]).profile
    cloud = cloud_of(embedded_cloud(profile, cloud_dir).status(), profile)
    pipeline = Pipeline(Tool(cloud_dir, tmp_path_factory.mktemp("home"), SUFFIX), cloud, SETTINGS)
    pipeline.deploy()
    site = Site(pipeline, Hands(cloud))
    pipeline.sweep()
    yield site
    site.end_runs()
    quieten(cloud)


def named(site: Site) -> dict[str, str]:
    """Codes of the checks that are not passed, with their verdicts. Every object counts as old enough to be known."""
    finished = site.pipeline("doctor", "--quick", "--grace", "0", "--json")
    assert finished.code in (0, 1), finished.err
    checks = finished.document["checks"]
    assert (finished.code == 1) == any(check["verdict"] == "fail" for check in checks)
    return {check["code"]: check["verdict"] for check in checks if check["verdict"] != "pass"}


def rows(needs_runs: bool) -> list[object]:
    return [pytest.param(fault, id=fault.name.replace(" ", "-")) for fault in FAULTS if fault.needs_runs is needs_runs]


@pytest.mark.parametrize("fault", rows(needs_runs=False))
def test_a_fault_is_named_and_mended_by_what_is_said_to_be_typed(site: Site, fault: Fault) -> None:
    check(site, fault)


@pytest.mark.slow
@pytest.mark.parametrize("fault", rows(needs_runs=True))
def test_a_fault_of_runs_is_named_and_mended_by_what_is_said_to_be_typed(site: Site, fault: Fault) -> None:
    key = check(site, fault)
    site.end_runs()
    assert site.status(key) in ("completed", "pending", "manifested", "processing")


def check(site: Site, fault: Fault) -> str:
    """The key of the file that suffered from it."""
    assert named(site) == {}
    key = fault.plant(site)
    screen = site.pipeline("doctor", "--quick", "--grace", "0").out
    codes = set(named(site))
    assert fault.code in codes, (codes, screen)
    assert codes <= {fault.code, *fault.more}, screen
    for code in (fault.code, *fault.more):
        if code in codes:
            screen = site.pipeline("doctor", "--quick", "--grace", "0").out
            mend(site, screen, code)
    assert named(site) == {}
    assert site.status(key) not in ("", "failed"), key
    return key


def mend(site: Site, screen: str, code: str) -> None:
    """Types what the screen says of a check. What it no longer says anything of, the check before it has mended."""
    commands = remedies_on(screen, code)
    for command in commands:
        answer = type_it(site.pipeline.tool, command)
        assert answer.code == 0, f"{command}: {answer.err}{answer.out}"
    site.pipeline.wait_for_events()
    if f" {code}  " in screen:
        assert commands or f"pass    {code}  " in screen, screen
