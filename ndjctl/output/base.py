"""The output interface. Data goes to stdout, everything else to stderr; what is data is never read as markup."""

from __future__ import annotations

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ndjctl.errors import NdjctlError

if TYPE_CHECKING:
    from rich.console import Console, OverflowMethod, RenderableType
    from rich.text import Text

PIPE_WIDTH = 160
"""Columns of a table that goes into a pipe or a file, where no terminal says how many there are."""


@dataclass(frozen=True)
class View:
    """One result in its two forms: `document` is what --json prints, `render()` what a person sees. verbatim: a text
    for a file or another program, which goes to stdout as it is instead of what is rendered."""

    document: Any
    render: Callable[[], RenderableType]
    verbatim: str | None = None


@dataclass(frozen=True)
class StreamView:
    """A list of any length, shown while it is read.

    members: of the JSON document, before the list. name: of the list in it. rows: for each entry its JSON form and its
    line. heading: the line above them. summary(): asked for after the last row: members after the list, and the last
    lines of the screen. is_live: each row is written out at once, whoever reads it. wraps: a row that is longer than a
    terminal's line goes on in the next one, instead of being cut.
    """

    members: Mapping[str, Any]
    name: str
    rows: Iterator[tuple[Any, Callable[[], Text]]]
    heading: Callable[[], Text]
    summary: Callable[[], tuple[Mapping[str, Any], Text]]
    is_live: bool = False
    wraps: bool = False


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
    def stream(self, view: StreamView) -> None:
        """Prints a list on stdout, each row as it comes. Raises what the rows raise."""

    @abstractmethod
    def error(self, error: NdjctlError) -> None:
        """Tells why a command ended, on stderr."""

    def note(self, text: str) -> None:
        """A remark on stderr, one line."""
        say(text)


class ConsoleOutput(Output):
    def show(self, view: View) -> None:
        if view.verbatim is not None:
            sys.stdout.write(view.verbatim)
            sys.stdout.flush()
            return
        screen = console()
        if screen.is_terminal:
            screen.print(view.render())
            return
        with screen.capture() as captured:
            screen.print(view.render())
        # Tables fill their lines up with blanks, which nobody wants in a file.
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
        sys.stdout.flush()

    def stream(self, view: StreamView) -> None:
        screen = console()
        is_terminal = screen.is_terminal
        for number, (_, line) in enumerate(view.rows):
            # A terminal gets one line of its width a row, a file the whole row.
            for text in ([view.heading()] if number == 0 else []) + [line()]:
                is_cut = is_terminal and not view.wraps
                overflow: OverflowMethod = "ellipsis" if is_cut else "fold" if is_terminal else "ignore"
                screen.print(text, no_wrap=not (is_terminal and view.wraps), overflow=overflow, crop=is_terminal)
            if view.is_live:
                sys.stdout.flush()
        screen.print(view.summary()[1], soft_wrap=not is_terminal)

    def error(self, error: NdjctlError) -> None:
        _tell(error)


class JsonOutput(Output):
    """One JSON document on stdout, also when the command fails."""

    def __init__(self) -> None:
        self._shown = False
        self._is_list_open = False

    def show(self, view: View) -> None:
        self._shown = True
        sys.stdout.write(_json(view.document, indent=2) + "\n")
        sys.stdout.flush()

    def stream(self, view: StreamView) -> None:
        # The first row is read before anything is written: most errors come with it, and are a document alone.
        rows = iter(view.rows)
        first = next(rows, None)
        self._shown = self._is_list_open = True
        sys.stdout.write("{\n" + "".join(f"  {_member(*member)},\n" for member in view.members.items()))
        sys.stdout.write(f"  {_json(view.name)}: [")
        if first is not None:
            sys.stdout.write(f"\n    {_json(first[0])}")
            for document, _ in rows:
                sys.stdout.write(f",\n    {_json(document)}")
        self._close(view.summary()[0])

    def error(self, error: NdjctlError) -> None:
        _tell(error)
        document = _error_document(error)
        if self._is_list_open:
            self._close(document)
        elif not self._shown:
            self.show(View(document, lambda: ""))

    def _close(self, members: Mapping[str, Any]) -> None:
        """Ends a list, and the document with `members` behind it."""
        self._is_list_open = False
        sys.stdout.write("\n  ]" + "".join(f",\n  {_member(*member)}" for member in members.items()) + "\n}\n")
        sys.stdout.flush()


class LinesOutput(Output):
    """NDJSON: one JSON document a line for every row of a list, for lists that do not fit into memory. What fails says
    so in a last line of its own."""

    def show(self, view: View) -> None:
        sys.stdout.write(_json(view.document) + "\n")
        sys.stdout.flush()

    def stream(self, view: StreamView) -> None:
        for document, _ in view.rows:
            sys.stdout.write(_json(document) + "\n")
            if view.is_live:
                sys.stdout.flush()
        sys.stdout.flush()

    def error(self, error: NdjctlError) -> None:
        _tell(error)
        self.show(View(_error_document(error), lambda: ""))


def _error_document(error: NdjctlError) -> dict[str, Any]:
    return {"error": {"kind": error.kind, "message": str(error), "exit_code": error.exit_code}}


def _json(value: Any, indent: int | None = None) -> str:
    is_unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return json.dumps(value, ensure_ascii=not is_unicode, indent=indent)


def _member(name: str, value: Any) -> str:
    return f"{_json(name)}: {_json(value)}"


def say(text: str) -> None:
    """A remark on stderr, at once: one line, or on a terminal as many as it needs to break between words."""
    sys.stderr.write("\n".join(_lines(one_line(text))) + "\n")
    sys.stderr.flush()


def one_line(text: str) -> str:
    """Text with whatever would move the cursor or end the line made visible."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _lines(text: str, indent: int = 0) -> list[str]:
    """The text as a terminal shows it on stderr, so many columns from its edge; a pipe gets it in one line."""
    from ndjctl.output.wrapping import wrapped

    return wrapped(text, max(1, console(stderr=True).width - indent)) if sys.stderr.isatty() else [text]


def _tell(error: NdjctlError) -> None:
    from rich.text import Text

    out = console(stderr=True)
    head = "error: "
    lines = [each for line in str(error).splitlines() or [""] for each in _lines(one_line(line), len(head))]
    for number, line in enumerate(lines):
        start = Text(head, style="bold red") if number == 0 else Text(" " * len(head))
        out.print(start + Text(line), soft_wrap=True)
