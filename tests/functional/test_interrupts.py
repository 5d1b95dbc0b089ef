"""Ctrl-C and SIGTERM, in a process of its own: the first ends what is under way, a second does not wait and is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ndjctl.deploy.history import History
from ndjctl.embedded.shell import client_variables
from tests.deploy_world import REGION, account_cloud, quieten

PROGRAM = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
import typer
from ndjctl.cli import boundary
from ndjctl.cli.invocation import Invocation, command

app = typer.Typer()


@app.callback()
def root() -> None: ...


@command(app, "work")
def work(invocation: Invocation) -> None:
    invocation.interrupted_note = "Interrupted: what was done stays done."
    with ThreadPoolExecutor(1) as pool:
        pool.submit(time.sleep, 60)
        sys.stderr.write("ready\\n")
        sys.stderr.flush()
        time.sleep(60)


sys.argv = ["ndjctl", "work", *sys.argv[1:]]
raise SystemExit(boundary.run(app))
"""


@pytest.mark.parametrize("options", [[], ["--json"]])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"])
def test_a_second_one_leaves_at_once(options: list[str], number: signal.Signals, code: int) -> None:
    command = [sys.executable, "-c", PROGRAM, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "ready" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(number)
        time.sleep(0.5)
        assert process.poll() is None, "it waits for what is under way"
        begun = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert time.monotonic() - begun < 10
    assert process.returncode == code
    assert "Interrupted: what was done stays done." in err
    assert "Traceback" not in err
    if options:
        assert json.loads(out)["error"]["exit_code"] == code


DEPLOYING = """
import sys
from ndjctl.aws import Cloud
from ndjctl.cli import boundary
from ndjctl.cli.main import app

inner = Cloud.client


def client(cloud, service):
    made = inner(cloud, service)
    if service == "events":  # late enough for most to be done, and slow enough to be met
        made.meta.events.register("before-call.eventbridge.PutRule", wait, unique_id="wait")
    return made


def wait(**_):
    import time

    sys.stderr.write("ready\\n")
    sys.stderr.flush()
    time.sleep(60)


Cloud.client = client
sys.argv = ["ndjctl", *sys.argv[1:]]
raise SystemExit(boundary.run(app))
"""


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_deployment_ends_with_its_summary(cloud_dir: Path, tmp_path: Path, options: list[str]) -> None:
    account = "100000000017" if options else "100000000018"
    cloud = account_cloud(cloud_dir, account)
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "NDJ_"))}
    variables |= client_variables(str(cloud.endpoint_url), account, REGION).set | {"NDJ_DATA_DIR": str(tmp_path)}
    words = [sys.executable, "-c", DEPLOYING, "deploy", "--env", "dev", *options]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables, cwd=tmp_path
    ) as process:
        assert process.stderr is not None
        while "ready" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "Interrupted: what was done stays; run '" in err
    assert "Traceback" not in err
    if options:
        assert json.loads(out)["not_done"] > 0
    else:
        assert "it was not reached" in out
    record = next(History(cloud.client("s3"), cloud.names).newest("dev"))
    assert (record.result, bool(record.not_done)) == ("interrupted", True)
    quieten(cloud)
