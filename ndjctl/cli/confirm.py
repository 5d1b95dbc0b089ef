"""Asks before something is done that cannot be taken back, or that costs something."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ndjctl.cli.invocation import Invocation
from ndjctl.errors import UsageError

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

LOOKED = "nothing was changed: say --yes to do it"


def only_looks(invocation: Invocation, yes: bool) -> bool:
    """Whether a command that shows first what it is about to do is to show it and no more: with --json nobody is asked,
    so that without --yes nothing is done."""
    return invocation.options.json and not yes


def confirm_name(name: str, otherwise: str) -> None:
    """Raises UsageError unless `name` is typed. Where nobody can answer, it is not."""
    if _answer(f"Type the environment's name ({name}) to go on: ") != name:
        raise UsageError(f"{otherwise}: type {name!r}, or say --yes.")


def confirm(question: str, otherwise: str) -> None:
    """Raises UsageError unless the answer is yes. Where nobody can answer, the answer is no. otherwise: what is said
    then, such as 'Nothing was deleted'."""
    if _answer(f"{question} [y/N]: ").lower() not in ("y", "yes"):
        raise UsageError(f"{otherwise}: answer 'y', or say --yes.")


def _answer(prompt: str) -> str:
    from ndjctl.output.base import one_line

    if sys.stdin is not None and sys.stdin.isatty():
        sys.stderr.write(one_line(prompt))
        sys.stderr.flush()
    return sys.stdin.readline().strip() if sys.stdin is not None else ""
