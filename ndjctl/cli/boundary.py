"""What happens before a command has its say: a command line that cannot be understood."""

from __future__ import annotations

import sys
from typing import Any

import typer

from ndjctl.cli.interrupts import Terminated
from ndjctl.errors import EXIT_DONE, EXIT_INTERRUPTED, EXIT_TERMINATED, EXIT_USAGE, UsageError
from ndjctl.output import ConsoleOutput, JsonOutput


def run(app: typer.Typer) -> int:
    """The exit code of the program's own command line, run by `app`. A mistake in it is told like any other: in one
    sentence on stderr, with --json also as a document."""
    try:
        return int(app(standalone_mode=False) or EXIT_DONE)
    except (KeyboardInterrupt, typer.Abort) as error:
        sys.stderr.write("Interrupted.\n")
        return EXIT_TERMINATED if Terminated in (type(error), type(error.__cause__)) else EXIT_INTERRUPTED
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        if sentence == "":
            sys.stderr.write(error.ctx.get_help() + "\n")  # type: ignore[attr-defined]
            return EXIT_USAGE
        output = JsonOutput() if "--json" in sys.argv[1:] else ConsoleOutput()
        output.error(UsageError(sentence))
        return EXIT_USAGE


def _sentence(error: Any) -> str | None:
    """The parser's complaint with the way to the help; empty where a group of commands was named without one, and help
    is all there is to say; None where it is no complaint of the parser's. Its classes are not
    exported by every version of Typer, but all of them can format their message and know their exit code."""
    if not callable(getattr(error, "format_message", None)) or not hasattr(error, "exit_code"):
        return None
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "ndjctl"
    message = " ".join(str(error.format_message()).split()).rstrip(".").replace("Value error, ", "")
    if context is not None and (not message or message.startswith("Usage:")):
        return ""
    return f"{message}; '{path} --help' shows what there is."
