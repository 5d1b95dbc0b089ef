"""`ndjctl local env`: a shell that evaluates it talks to the embedded cloud as the account it named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("psutil")
pytest.importorskip("ministack")

ROOT = Path(__file__).resolve().parents[2]
TOOL = [sys.executable, "-m", "ndjctl"]

# What a user's shell may have, all of which would lead elsewhere.
ASTRAY = {
    "AWS_PROFILE": "absent",
    "AWS_SESSION_TOKEN": "of somebody else",
    "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_GLUE": "http://127.0.0.1:9",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "elsewhere.test",
    "AWS_REGION": "eu-west-1",
}

ASKS = """
import json, boto3
glue = boto3.client("glue")
glue.create_job(Name="job", Role="r", Command={"Name": "glueetl", "ScriptLocation": "s3://b/k.py"})
account = boto3.client("sts").get_caller_identity()["Account"]
tags = glue.get_tags(ResourceArn=f"arn:aws:glue:us-east-1:{account}:job/job")["Tags"]
print(json.dumps([account, boto3.Session().region_name, tags]))
"""


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a user's shell, with a data folder of its own."""
    folder = tmp_path_factory.mktemp("my data é")
    yield {**os.environ, "PYTHONPATH": str(ROOT), "NDJ_DATA_DIR": str(folder), "NDJ_ENV": "", **ASTRAY}
    stop = {**os.environ, "PYTHONPATH": str(ROOT), "NDJ_DATA_DIR": str(folder)}
    subprocess.run([*TOOL, "local", "stop"], env=stop, check=True, capture_output=True, timeout=60)


def test_a_shell_that_evaluates_it_is_in_that_account(environ: dict[str, str]) -> None:
    program = 'lines=$("$0" -m ndjctl local env --account 111122223333) && eval "$lines" && exec "$0" -c "$1"'
    shell = ["sh", "-c", program, sys.executable, ASKS]
    asked = subprocess.run(shell, env=environ, capture_output=True, text=True, timeout=90, check=False)
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout) == ["111122223333", "us-east-1", {}]
    # It was not running: what was said of that is no line for the shell.
    assert "starting the embedded cloud" in asked.stderr


def test_the_document_says_the_same(environ: dict[str, str]) -> None:
    command = [*TOOL, "local", "env", "--json", "--set", "region=eu-central-1"]
    asked = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=90, check=True)
    document = json.loads(asked.stdout)
    assert document["account_id"] == document["set"]["AWS_ACCESS_KEY_ID"] == "000000000000"
    assert document["set"]["AWS_REGION"] == document["set"]["AWS_DEFAULT_REGION"] == "eu-central-1"
    assert document["set"]["NO_PROXY"] == "elsewhere.test,127.0.0.1"
    assert {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_GLUE"} <= set(
        document["unset"]
    )
    assert document["set"]["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")


@pytest.mark.parametrize("account", ["", "11112222333", "1111222233334", "11112222333x", "$(id)", "١" * 12])
def test_what_is_no_account_is_refused(environ: dict[str, str], account: str) -> None:
    command = [*TOOL, "local", "env", "--account", account]
    asked = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "12 digits" in asked.stderr and "Traceback" not in asked.stderr
