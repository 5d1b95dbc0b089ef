"""Faults planted one at a time: `doctor` and `monitor` name each by its code, and what is said to be typed mends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ndjctl.embedded.environment import aws_environment
from tests.e2e.health_faults import FAULTS, Fault, Site
from tests.e2e.health_site import deployed_site
from tests.e2e.skewed_clock import off_by, programs_that_mend
from tests.e2e.typed import named_on, remedies_on, type_it

pytestmark = [pytest.mark.e2e]

SUFFIX = "health"


@pytest.fixture(scope="module")
def deployed(cloud_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with deployed_site(cloud_dir, tmp_path_factory.mktemp("home"), SUFFIX) as made:
        yield made


@pytest.fixture
def site(deployed: Site) -> Iterator[Site]:
    """Whole, whatever a row before it has left."""
    if not deployed.is_whole and named_on(look(deployed)):
        deployed.pipeline.deploy()
        deployed.pipeline.sweep()
        assert named_on(look(deployed)) == {}
    yield deployed


def rows(is_slow: bool) -> list[object]:
    return [pytest.param(fault, id=fault.name.replace(" ", "-")) for fault in FAULTS if fault.is_slow is is_slow]


@pytest.mark.parametrize("fault", rows(is_slow=False))
def test_a_fault_is_named_and_mended_by_what_is_said_to_be_typed(site: Site, fault: Fault) -> None:
    check(site, fault)


@pytest.mark.slow
@pytest.mark.parametrize("fault", rows(is_slow=True))
def test_one_that_takes_long_is_named_and_mended_by_what_is_said_to_be_typed(site: Site, fault: Fault) -> None:
    key = check(site, fault)
    site.end_runs_of_others()
    site.pipeline.settle(timeout_s=240)
    assert site.status(key) == "completed"


@pytest.mark.parametrize("ahead_s", [600, pytest.param(-600, marks=pytest.mark.slow)])
def test_a_clock_that_is_off_is_named_and_set_by_what_is_said_to_be_typed(
    site: Site, tmp_path: Path, ahead_s: float
) -> None:
    mended = tmp_path / "mended"
    programs = programs_that_mend(tmp_path / "bin", mended)
    endpoint_url = str(site.hands.sqs.meta.endpoint_url)
    with off_by(ahead_s, endpoint_url, mended) as elsewhere:
        words = ("doctor", "--quick", "--env", "dev", "--set", f"suffix={SUFFIX}")
        aws = {**aws_environment(), "AWS_ENDPOINT_URL": elsewhere}
        screen = site.pipeline.tool(*words, **aws).out
        assert named_on(screen).get("clock") == "fail", screen
        (command,) = remedies_on(screen, "clock")
        assert type_it(site.pipeline.tool, command, path=str(programs)).code == 0
        assert "clock" not in named_on(site.pipeline.tool(*words, **aws).out)


def check(site: Site, fault: Fault) -> str:
    """The key of the file that suffered from it. What others the fault brings with it is mended after it, if that is
    still there then, as somebody would do who looks again."""
    site.is_whole = False
    key = fault.plant(site)
    screen = look(site)
    codes = set(named_on(screen))
    assert fault.code in codes, screen
    assert codes <= {fault.code, *fault.more}, screen
    assert seen_by_monitor(site) == codes
    while codes:
        code = next(code for code in (fault.code, *fault.more) if code in codes)
        commands = remedies_on(screen, code)
        assert commands, screen
        for command in commands:
            answer = type_it(site.pipeline.tool, command)
            assert answer.code == 0, f"{command}: {answer.err}{answer.out}"
        site.pipeline.wait_for_events()
        screen = look(site)
        assert code not in named_on(screen), screen
        codes = set(named_on(screen))
    site.is_whole = True
    assert site.status(key) not in ("", "failed", "quarantined"), key
    return key


def seen_by_monitor(site: Site) -> set[str]:
    """Codes of the checks that are the reasons of its headline, but for that a panel of its own could not be read:
    where the job is gone, so are its runs."""
    finished = site.pipeline("monitor", "--json", "--grace", "0")
    health = finished.document["health"]
    assert finished.code == int(health["headline"] == "DOWN"), finished.err
    assert health["headline"] != "HEALTHY"
    return {each["code"] for each in health["checks"] if each["verdict"] in ("warn", "fail")} - {"panels-read"}


def look(site: Site) -> str:
    """What `doctor` shows. Every object counts as old enough to be known, so that nobody has to wait for it."""
    finished = site.pipeline("doctor", "--quick", "--grace", "0")
    assert finished.code == int("fail" in named_on(finished.out).values()), finished.err
    return finished.out
