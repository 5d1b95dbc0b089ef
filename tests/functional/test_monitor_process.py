"""`ndjctl monitor` as a process: on a terminal and in a pipe, ended by Ctrl-C, its page, and a day of 338,000 files."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ndjctl.monitor.watching import MOST_CALLS

ROOT = Path(__file__).resolve().parents[2]
AT_REST = "completed=0.97,failed=0.01,quarantined=0.02"
QUARTERS = "completed=0.25,failed=0.25,pending=0.25,processing=0.25"

# What the command takes is what the kernel says of a process that does nothing else.
MEASURED = """
import resource, sys, time
began = time.monotonic()
from ndjctl.cli import boundary
from ndjctl.cli.main import app
code = boundary.run(app)
used = resource.getrusage(resource.RUSAGE_SELF)
sys.stderr.write(f"{time.monotonic() - began} {used.ru_utime + used.ru_stime} {used.ru_maxrss / 1024}")
raise SystemExit(code)
"""


@dataclass
class Ndjctl:
    """Against a server of ours in place of AWS."""

    environment: dict[str, str]

    def start(self, *words: str, code: str = "", **given: Any) -> subprocess.Popen[bytes]:
        program = ["-c", code] if code else ["-m", "ndjctl"]
        return subprocess.Popen(
            [sys.executable, *program, "--env", "prod", *words], env=self.environment, cwd=ROOT, **given
        )


@contextmanager
def aws(folder: Path, files: int, runs: int, shares: str, *more: str) -> Iterator[Ndjctl]:
    command = [sys.executable, "-m", "tests.aws_at_scale", str(files), str(runs), shares, *more]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            # A size in the environment, as the workers of a parallel run have one, would win over the terminal's.
            left = ("AWS_", "NDJ_", "COLUMNS", "LINES")
            kept = {name: value for name, value in os.environ.items() if not name.startswith(left)}
            own = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "HOME": str(folder), "NDJ_DATA_DIR": str(folder)}
            keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "TERM": "xterm-256color"}
            yield Ndjctl({**kept, **own, **keys})
        finally:
            server.kill()


@pytest.fixture(scope="module")
def ndjctl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ndjctl]:
    with aws(tmp_path_factory.mktemp("home"), 3_380, 40, AT_REST) as found:
        yield found


def until(stream: int, wanted: bytes, times: int, timeout_s: float = 60) -> bytes:
    """What is read from a file descriptor until it has `wanted` so many times."""
    read, ends = b"", time.monotonic() + timeout_s
    while read.count(wanted) < times:
        assert time.monotonic() < ends, read[-2_000:]
        if select.select([stream], [], [], 0.5)[0]:
            read += os.read(stream, 65_536)
    return read


def rest_of(stream: int) -> bytes:
    read = b""
    try:
        while part := os.read(stream, 65_536):
            read += part
    except OSError:  # the other end of a terminal is closed
        pass
    return read


def test_in_a_pipe_a_screen_comes_below_the_other_without_control_codes(ndjctl: Ndjctl) -> None:
    with ndjctl.start("monitor", "--interval", "1", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        read = until(process.stdout.fileno(), b"calls of AWS in", 2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"\x1b" not in read + out + err
    assert err == b"", "the way in which it ends, and no error"
    assert b"in and" in read, "the second one tells what happened since the first"


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (50, 160)])
def test_on_a_terminal_it_is_drawn_in_place_and_gone_after_ctrl_c(ndjctl: Ndjctl, rows: int, columns: int) -> None:
    terminal, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    command = ("monitor", "--interval", "1")
    with ndjctl.start(*command, stdin=inner, stdout=inner, stderr=inner, preexec_fn=take_terminal) as process:
        os.close(inner)
        read = until(terminal, b"Ctrl-C ends", 2)
        os.write(terminal, b"\x03")
        read += rest_of(terminal)
        process.wait(30)
    os.close(terminal)
    assert process.returncode == 130
    assert b"Traceback" not in read and b"nterrupted" not in read
    assert ("▁" if columns < 120 else "╭").encode() in read
    assert read.count(b"\x1b[?1049h") == read.count(b"\x1b[?1049l") == 1, "a screen of its own, and back"
    assert read.rindex(b"\x1b[?25h") > read.rindex(b"\x1b[?25l"), "the cursor is there again"
    drawn = read[: read.rindex(b"\x1b[?1049l")].replace(b"\x1b[H", b"\n")  # from the top again
    drawn = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", drawn)
    assert max(len(line) for line in re.split(r"[\r\n]+", drawn.decode())) <= columns + len("^C")


def test_a_page_is_served_until_ctrl_c(ndjctl: Ndjctl) -> None:
    with ndjctl.start("monitor", "--web", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        document = json.loads(until(process.stdout.fileno(), b"}", 1))
        with urllib.request.urlopen(f"{document['url']}api/snapshot", timeout=30) as answer:
            snapshot = json.load(answer)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b""), "one document, and it was told already"
    assert err == b""
    assert snapshot["env"] == document["env"] == "prod"
    assert snapshot["arrivals"]["files_hour"] in range(139, 143)


def test_sigterm_is_told_and_has_its_own_exit_code(ndjctl: Ndjctl) -> None:
    with ndjctl.start("monitor", "--web", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        until(process.stdout.fileno(), b"}", 1)
        process.terminate()
        _, err = process.communicate(timeout=30)
    assert process.returncode == 143
    assert b"Interrupted." in err


def measured(ndjctl: Ndjctl, *words: str) -> tuple[dict[str, Any], float, float, float]:
    """(the document, seconds, CPU seconds, peak MB)."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with ndjctl.start("monitor", "--json", *words, code=MEASURED, **pipes) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode in (0, 1), err  # 1: the headline is DOWN, which is none of what is measured
    seconds, cpu_s, peak_mb = map(float, err.split())
    return json.loads(out), seconds, cpu_s, peak_mb


@pytest.mark.slow
def test_a_day_of_338_000_files_takes_no_more_than_so_many_calls_seconds_and_megabytes(tmp_path: Path) -> None:
    found = {}
    for files, runs in ((3_380, 40), (338_000, 4_000)):
        with aws(tmp_path, files, runs, AT_REST) as ndjctl:
            found[files] = min((measured(ndjctl) for _ in range(3)), key=lambda each: each[2])
    (_, _, _, small_mb), (document, seconds, cpu_s, peak_mb) = found[3_380], found[338_000]
    assert document["refresh"]["calls"] <= MOST_CALLS
    assert all(document[panel]["is_complete"] for panel in ("arrivals", "completions", "backlog", "runs", "cost"))
    assert document["arrivals"]["files_hour"] in range(13_500, 14_150)
    assert document["backlog"]["files"] in range(4_300, 4_750)
    assert document["runs"]["today"]["SUCCEEDED"] + 15 == document["cost"]["runs_today"]
    assert len(document["runs"]["under_way"]) == 15
    # Two seconds on a machine of one's own; its CPU seconds are ours whoever else is at work on it.
    assert cpu_s < 2.0, f"{cpu_s:.2f} CPU s, {seconds:.2f} s"
    assert peak_mb < small_mb + 30, f"{small_mb:.0f} MB, then {peak_mb:.0f}"


@pytest.mark.slow
def test_where_all_of_them_are_stuck_it_says_at_least(tmp_path: Path) -> None:
    with aws(tmp_path, 338_000, 4_000, QUARTERS, "stuck") as ndjctl:
        document, _, _, peak_mb = measured(ndjctl)
    assert document["refresh"]["calls"] <= MOST_CALLS
    assert document["backlog"]["is_complete"] is False
    assert 10_000 <= document["backlog"]["files"] < 169_000
    assert 86_300 <= document["backlog"]["lag_s"] <= 86_900, "the oldest is known all the same"
    assert peak_mb < 150
