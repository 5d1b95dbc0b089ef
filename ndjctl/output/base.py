"""The output interface. Data goes to stdout, everything else to stderr; what is data is never read as markup."""

from __future__ import annotations

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ndjctl.errors import NdjctlError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIPE_WIDTH = 160
"""Columns of a table that goes into a pipe or a file, where no terminal says how many there are."""


@dataclass(frozen=True)
class View:
    """One result in its two forms: `document` is what --json prints, `render()` what a person sees."""

    document: Any
    render: Callable[[], RenderableType]


def console(stderr: bool = False) -> Console:
    """A console that takes text as it is: no markup, no emoji codes, no guessed highlights."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, markup=False, emoji=False, highlight=False, width=width, soft_wrap=False)


class Output(ABC):
    """Where a command puts its result, its remarks and its error."""

    @abstractmethod
    def show(self, view: View) -> None:
        """Prints a result on stdout."""

    @abstractmethod
    def error(self, error: NdjctlError) -> None:
        """Tells why a command ended, on stderr."""

    def note(self, text: str) -> None:
        """A remark on stderr, one line."""
        say(text)


class ConsoleOutput(Output):
    def show(self, view: View) -> None:
        screen = console()
        if screen.is_terminal:
            screen.print(view.render())
            return
        with screen.capture() as captured:
            screen.print(view.render())
        # Tables fill their lines up with blanks, which nobody wants in a file.
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
        sys.stdout.flush()

    def error(self, error: NdjctlError) -> None:
        _tell(error)


class JsonOutput(Output):
    """One JSON document on stdout, also when the command fails."""

    def __init__(self) -> None:
        self._shown = False

    def show(self, view: View) -> None:
        self._shown = True
        is_unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        sys.stdout.write(json.dumps(view.document, ensure_ascii=not is_unicode, indent=2) + "\n")
        sys.stdout.flush()

    def error(self, error: NdjctlError) -> None:
        _tell(error)
        if not self._shown:
            document = {"error": {"kind": error.kind, "message": str(error), "exit_code": error.exit_code}}
            self.show(View(document, lambda: ""))


def say(text: str) -> None:
    """One line on stderr, at once."""
    sys.stderr.write(one_line(text) + "\n")
    sys.stderr.flush()


def one_line(text: str) -> str:
    """Text with whatever would move the cursor or end the line made visible."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _tell(error: NdjctlError) -> None:
    from rich.text import Text

    out = console(stderr=True)
    for number, line in enumerate(str(error).splitlines() or [""]):
        head = Text("error: ", style="bold red") if number == 0 else Text("       ")
        out.print(head + Text(one_line(line)), soft_wrap=True)
