"""What the tests on moto share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import RLock
from typing import Any

import pytest
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from tests.functional.operations_world import Operations


@pytest.fixture(scope="session", autouse=True)
def one_request_at_a_time() -> Iterator[None]:
    """Of moto, whose tables are not made for threads: a transaction copies them while another request writes."""
    lock, honest = RLock(), BotocoreStubber.process_request

    def process_request(stubber: BotocoreStubber, request: Any) -> Any:
        with lock:
            return honest(stubber, request)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(BotocoreStubber, "process_request", process_request)
        yield


@pytest.fixture
def operations(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Operations]:
    """An environment `dev` on moto, not deployed yet."""
    for name, value in (("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x"), ("NDJ_DATA_DIR", str(tmp_path))):
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    with mock_aws():
        yield Operations(capsys, monkeypatch)
