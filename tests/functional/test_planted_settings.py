"""Settings that a load test with faults changes on the embedded cloud are put back, also when its process is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ndjctl.embedded.planted import FOLDER, Call, Planted, put_back_left
from tests.lambda_model import client_error

TEST_ID, REGION = "20261127T190000Z-3fa2", "us-east-1"
CALLS: list[Call] = [
    ("lambda", "update_event_source_mapping", {"UUID": "u", "Enabled": True}),
    ("sqs", "set_queue_attributes", {"QueueUrl": "q", "Attributes": {"VisibilityTimeout": "1800"}}),
]

CHILD = """
import json, sys
from pathlib import Path
from ndjctl.embedded.planted import Planted
planted = Planted(Path(sys.argv[1]))
planted.begin(sys.argv[2], sys.argv[3], json.loads(sys.argv[4]))
print("begun", flush=True)
sys.stdin.read()
"""


class Recorder:
    """Clients that remember what they are asked. refuse: an error code, for every call."""

    def __init__(self, refuse: str = "") -> None:
        self.refuse = refuse
        self.calls: list[Call] = []
        self.said: list[str] = []

    def client(self, service: str) -> Any:
        recorder = self

        class Client:
            def __getattr__(self, method: str) -> Any:
                def call(**arguments: Any) -> None:
                    if recorder.refuse:
                        raise client_error(recorder.refuse, method)
                    recorder.calls.append((service, method, arguments))

                return call

        return Client()

    def open(self, folder: Path, region: str = REGION) -> None:
        put_back_left(folder, region, self.client, self.said.append)


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """What a test leaves that was killed after it had begun; while it lived, nothing was touched."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path), TEST_ID, REGION, json.dumps(CALLS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert process.stdout is not None and process.stdout.readline() == b"begun\n"
    meanwhile = Recorder()
    meanwhile.open(tmp_path)
    assert (meanwhile.calls, meanwhile.said) == ([], []), "its test is under way"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return tmp_path


def test_what_a_killed_test_left_is_put_back_once_by_whoever_opens_the_cloud(killed: Path) -> None:
    first, second = Recorder(), Recorder()
    first.open(killed)
    second.open(killed)
    assert first.calls == CALLS and TEST_ID in first.said[0]
    assert (second.calls, second.said) == ([], [])


def test_it_is_put_back_in_its_own_region_alone(killed: Path) -> None:
    elsewhere, here = Recorder(), Recorder()
    elsewhere.open(killed, "eu-west-1")
    here.open(killed)
    assert elsewhere.calls == [] and here.calls == CALLS


def test_what_cannot_be_put_back_is_said_and_tried_again(killed: Path) -> None:
    refused, later = Recorder("InternalError"), Recorder()
    refused.open(killed)
    assert "could not be taken back" in refused.said[0]
    later.open(killed)
    assert later.calls == CALLS


def test_what_is_there_no_more_needs_nothing(killed: Path) -> None:
    gone = Recorder("ResourceNotFoundException")
    gone.open(killed)
    assert list((killed / FOLDER).iterdir()) == []


def test_a_test_that_ends_puts_them_back_itself(tmp_path: Path) -> None:
    planted, own, other = Planted(tmp_path), Recorder(), Recorder()
    planted.end(own.client)
    planted.begin(TEST_ID, REGION, CALLS)
    planted.end(own.client)
    planted.end(own.client)
    assert own.calls == CALLS and list((tmp_path / FOLDER).iterdir()) == []
    other.open(tmp_path)
    assert other.said == []


def test_an_end_that_fails_leaves_it_to_the_next_command(tmp_path: Path) -> None:
    planted, later = Planted(tmp_path), Recorder()
    planted.begin(TEST_ID, REGION, CALLS)
    with pytest.raises(ClientError):
        planted.end(Recorder("InternalError").client)
    later.open(tmp_path)
    assert later.calls == CALLS


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "ndjctl.planted-settings", "version": 1}'])
def test_a_file_that_cannot_be_read_stops_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "x.json").write_text(text)
    found = Recorder()
    found.open(tmp_path)
    assert found.calls == [] and len(found.said) == bool(text)
