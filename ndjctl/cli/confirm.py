"""Asks before something is done that cannot be taken back, or that costs something."""

from __future__ import annotations

import sys

from ndjctl.errors import UsageError


def confirm(question: str, otherwise: str) -> None:
    """Raises UsageError unless the answer is yes. Where nobody can answer, the answer is no. otherwise: what is said
    then, such as 'Nothing was deleted'."""
    if sys.stdin.isatty():
        sys.stderr.write(f"{question} [y/N]: ")
        sys.stderr.flush()
    answer = sys.stdin.readline()
    if answer.strip().lower() not in ("y", "yes"):
        raise UsageError(f"{otherwise}: answer 'y', or say --yes.")
