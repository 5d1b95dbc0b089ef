"""Commands as a person finds them on the screen, and types them in a shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.e2e.conftest import Finished, Tool

_HEADING = re.compile(r"^(FAIL|WARN|UNKNOWN) +(\S+)  ")


def named_on(screen: str) -> dict[str, str]:
    """The codes of the checks that `doctor` shows as failed or warned, with their verdicts."""
    headings = filter(None, map(_HEADING.match, screen.splitlines()))
    return {heading[2]: heading[1].lower() for heading in headings if heading[1] != "UNKNOWN"}


def remedies_on(screen: str, code: str) -> list[str]:
    """The command lines that `doctor` shows for a check, whole, in their order."""
    found: list[str] = []
    is_there = is_continued = False
    for line in screen.splitlines():
        heading = _HEADING.match(line)
        if heading:
            is_there = heading[2] == code
        elif is_there and line.startswith("      $ "):
            found.append(line.removeprefix("      $ "))
        elif is_there and is_continued:
            found[-1] = f"{found[-1].removesuffix(' ' + chr(92))} {line.strip()}"
        is_continued = line.endswith(" \\")
    return found


def type_it(tool: Tool, command: str, *, path: str = "", **extra: str) -> Finished:
    """Types it in a shell, and `y` to its question. path: of folders before the others."""
    folders = [path, str(Path(sys.executable).parent), tool.environment().get("PATH", os.defpath)]
    done = subprocess.run(
        ["bash", "-c", command],
        env={**tool.environment(), **extra, "PATH": os.pathsep.join(filter(None, folders))},
        cwd=tool.home,
        input="y\n",
        capture_output=True,
        text=True,
        timeout=240,
    )
    return Finished(done.returncode, done.stdout, done.stderr)
