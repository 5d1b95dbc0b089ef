"""Ctrl-C twice, in a process of its own: the second one does not wait, and is told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

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
def test_a_second_one_leaves_at_once(options: list[str]) -> None:
    command = [sys.executable, "-c", PROGRAM, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "ready" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None, "it waits for what is under way"
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert time.monotonic() - begun < 10
    assert process.returncode == 130
    assert "Interrupted: what was done stays done." in err
    assert "Traceback" not in err
    if options:
        assert json.loads(out)["error"]["exit_code"] == 130
