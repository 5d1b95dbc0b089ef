"""One embedded cloud for the whole test session; tests keep apart by a suffix on every name."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from ndjctl.aws import Cloud
from ndjctl.embedded.environment import CALL_LOG
from ndjctl.embedded.provider import cloud_of, embedded_cloud
from ndjctl.profiles import load_profile
from tests.deploy_world import quieten

# How long an example takes says more of who else is on the machine than of the code.
settings.register_profile("ndjctl", deadline=None)
settings.load_profile("ndjctl")

# A suite that a shell runs in the background ignores Ctrl-C, and so would the commands that it starts, for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def path_without_java(tmp_path_factory: pytest.TempPathFactory) -> str:
    """This machine's PATH with a system Java, where it has one, taken off it."""
    folders = []
    for entry in os.environ["PATH"].split(os.pathsep):
        if (Path(entry) / "java").exists():
            copy = tmp_path_factory.mktemp("bin")
            for tool in Path(entry).iterdir():
                if not tool.name.startswith("java"):
                    (copy / tool.name).symlink_to(tool)
            entry = str(copy)
        folders.append(entry)
    path = os.pathsep.join(folders)
    assert shutil.which("java", path=path) is None
    return path


@pytest.fixture(scope="session")
def cloud_dir(tmp_path_factory: pytest.TempPathFactory, path_without_java: str) -> Iterator[Path]:
    """The tool's data folder of this session, with the embedded cloud running in it."""
    os.environ["PATH"] = path_without_java
    folder = tmp_path_factory.mktemp("ndjctl")
    os.environ[CALL_LOG] = str(folder / "calls.jsonl")
    profile = load_profile("local", working_dir=folder).profile
    cloud = embedded_cloud(profile, folder)
    cloud.ensure_started(lambda _text: None)
    yield folder
    cloud.stop(lambda _text: None)


@pytest.fixture
def embedded(cloud_dir: Path, request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """The embedded cloud under names of this test's own. What was deployed is quiet afterwards: the sweeps of
    a hundred tests would keep a core busy."""
    suffix = f"t{abs(hash(request.node.nodeid)) % 10**9}"
    profile = load_profile("local", working_dir=cloud_dir, assignments=[f"suffix={suffix}"]).profile
    yield cloud_of(embedded_cloud(profile, cloud_dir).status(), profile)
    status = embedded_cloud(profile, cloud_dir).status()
    if not status.running:
        return
    cloud = cloud_of(status, profile)  # a test may have stopped and started it
    quieten(cloud)
