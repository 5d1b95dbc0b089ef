"""Asks before something is done that cannot be taken back as easily."""

from __future__ import annotations

import sys

from ndjctl.errors import UsageError
from ndjctl.output.base import one_line


def ask(question: str, refusal: str) -> None:
    """Raises UsageError, which begins with `refusal`, unless the answer is yes. Where nobody can answer, it is no."""
    if sys.stdin is not None and sys.stdin.isatty():
        sys.stderr.write(f"{one_line(question)} [y/N]: ")
        sys.stderr.flush()
    answer = sys.stdin.readline() if sys.stdin is not None else ""
    if answer.strip().lower() not in ("y", "yes"):
        raise UsageError(f"{refusal}: answer 'y', or say --yes.")
