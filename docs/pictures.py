"""Makes the pictures in README: real commands on an embedded cloud of their own, drawn as they come to the terminal.

Run by `make pictures`. It needs the extra `local` and a Unix terminal.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import boto3
import night
from rich.console import Console
from rich.text import Text

from ndjctl.contracts import STATUS_INDEX, Names

PICTURES = Path(__file__).parent / "pictures"
ACCOUNT = "111122223333"
NAMES = Names(ACCOUNT)
ROWS = 60


def drawn(command: list[str], columns: int, environment: Mapping[str, str], rows: int = ROWS) -> str:
    """What the command writes to a terminal of that size, with its colours."""
    terminal, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(command, stdout=inner, stderr=subprocess.DEVNULL, env={**environment})
    os.close(inner)
    written = b""
    while True:
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        written += part
    process.wait()
    os.close(terminal)
    return written.decode().replace("\r\n", "\n")


def save(name: str, title: str, text: str, columns: int) -> None:
    """An SVG that loads nothing from anywhere."""
    console = Console(record=True, width=columns, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text), soft_wrap=True)
    svg = console.export_svg(title=title, unique_id=name)
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    PICTURES.mkdir(exist_ok=True)
    lines = (line.rstrip() for line in svg.splitlines())
    (PICTURES / f"{name}.svg").write_text("\n".join(lines) + "\n", encoding="utf-8")


def by_hand(client: Callable[[str], Any]) -> None:
    """What somebody did in the console one night."""
    function = client("lambda").get_function_configuration(FunctionName=NAMES.function)
    variables = {**function["Environment"]["Variables"], "LOG_LEVEL": "DEBUG", "DEBUG_TOKEN": "hunter2"}
    client("lambda").update_function_configuration(
        FunctionName=NAMES.function, MemorySize=512, Environment={"Variables": variables}
    )
    client("cloudwatch").delete_alarms(AlarmNames=[NAMES.alarm("dead-letters")])
    client("dynamodb").update_table(
        TableName=NAMES.tracking_table, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": STATUS_INDEX}}]
    )
    client("sqs").tag_queue(
        QueueUrl=client("sqs").get_queue_url(QueueName=NAMES.queue)["QueueUrl"], Tags={"cost-center": "4711"}
    )


def monitor(environment: Mapping[str, str], folder: Path) -> None:
    """The screens and the page of `ndjctl monitor`, of a night with trouble in it."""
    night.profile(folder)
    tool = ["ndjctl", "--env", night.ENV]
    try:
        subprocess.run([*tool, "deploy", "--yes"], env=environment, capture_output=True, check=True)
        told = subprocess.run([*tool, "local", "status", "--json"], env=environment, capture_output=True, check=True)
        endpoint = json.loads(told.stdout)["endpoint_url"]
        session = boto3.Session(night.NAMES.account_id, "test", region_name="us-east-1")
        clients: dict[str, Any] = {}
        night.happen(lambda name: clients.setdefault(name, session.client(name, endpoint_url=endpoint)))
        for columns, rows in ((80, 24), (160, 50)):
            text = drawn([*tool, "monitor", "--once"], columns, environment, rows)
            save(f"monitor-{columns}", f"ndjctl --env {night.ENV} monitor", text, columns)
        night.page([*tool, "monitor", "--web"], environment, PICTURES / "monitor-web.png", 1400, 1450)
    finally:
        subprocess.run([*tool, "local", "stop"], env=environment, capture_output=True, check=False)


def main() -> None:
    """Draws every picture."""
    with tempfile.TemporaryDirectory() as folder:
        tool = ["ndjctl"]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        plain = {"PATH": path, "HOME": folder, "NDJ_DATA_DIR": folder, "TERM": "xterm-256color"}
        plain["COLORTERM"] = "truecolor"
        told = subprocess.run(
            [*tool, "local", "env", "--account", ACCOUNT, "--json"],
            env=plain,
            capture_output=True,
            check=True,
            cwd=folder,
        )
        shell = {**plain, **json.loads(told.stdout)["set"]}
        os.chdir(folder)
        try:
            prod = [*tool, "--env", "prod"]
            subprocess.run([*prod, "deploy", "--yes"], env=shell, capture_output=True, check=True)
            session = boto3.Session(shell["AWS_ACCESS_KEY_ID"], shell["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1")
            by_hand(lambda service: session.client(service, endpoint_url=shell["AWS_ENDPOINT_URL"]))
            words = ["plan", "--set", "job.workers=24", "--set", "alarms.email=ops@example.com"]
            for columns in (80, 120):
                title = f"ndjctl --env prod {' '.join(words)}"
                save(f"plan-{columns}", title, drawn([*prod, *words], columns, shell), columns)
            monitor(plain, Path(folder))
        finally:
            subprocess.run([*tool, "local", "stop"], env=plain, capture_output=True, check=False)


if __name__ == "__main__":
    main()
