"""What Glue says of a run that failed: one line, the last exception of its script."""

from __future__ import annotations

import re
from pathlib import Path

_TAIL_BYTES = 128 * 1024
_MOST_CHARACTERS = 1000
_TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?::|$)")


def error_message(errors: Path, exit_code: int) -> str:
    """The ErrorMessage of a run whose script ended with exit_code, from the end of its standard error.

    exit_code: as subprocess has it; negative for a signal.
    """
    if exit_code < 0:
        return f"The driver was ended by signal {-exit_code}"
    try:
        with errors.open("rb") as stream:
            stream.seek(max(0, errors.stat().st_size - _TAIL_BYTES))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        text = ""
    return (last_exception(text) or f"SystemExit: {exit_code}")[:_MOST_CHARACTERS]


def last_exception(text: str) -> str | None:
    """The line that ends the last Python traceback in a text; None when there is none."""
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.strip() == _TRACEBACK]
    for start in reversed(starts):
        indent = len(lines[start]) - len(lines[start].lstrip())
        for line in lines[start + 1 :]:
            depth = len(line) - len(line.lstrip())
            if line.strip() and depth <= indent and _EXCEPTION.match(line.strip()):
                return line.strip()
    return None
