"""How far work is of which only the count is known. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ndjctl.output.bars import Now
from ndjctl.output.base import console, one_line, say


class Counting:
    """A reporter of steps and counts. show: is given a line whenever there is a new one."""

    def __init__(self, show: Callable[[str, bool], None], noun: str) -> None:
        self._show = show
        self._noun = noun
        self._phase = ""
        self._count = 0

    def phase(self, name: str) -> None:
        self._phase, self._count = name, 0
        self._show(name, True)

    def done(self, count: int) -> None:
        self._count += count
        self._show(f"{self._phase}: {self._count:,} {self._noun}", False)


@contextmanager
def counting(noun: str = "done") -> Iterator[Counting]:
    """A spinner on a terminal; elsewhere a line now and then, none for what is done before the first is due."""
    if sys.stderr.isatty():
        with console(stderr=True).status("") as status:
            yield Counting(_on_terminal(status), noun)
        return
    yield Counting(_on_lines(time.monotonic), noun)


def _on_terminal(status: Any) -> Callable[[str, bool], None]:
    from rich.text import Text

    return lambda line, _is_new: status.update(Text(one_line(line)))


def _on_lines(clock: Callable[[], float]) -> Callable[[str, bool], None]:
    now = Now(clock)

    def show(line: str, is_new: bool) -> None:
        if not is_new and now.is_due():
            say(line)

    return show
