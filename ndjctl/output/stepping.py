"""Which step of a known number is under way: a moving line on a terminal, a line now and then elsewhere. On stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ndjctl.output.bars import Now
from ndjctl.output.base import console, one_line, say


class Stepping:
    """Told what begins, and what a long step is at; silent until shown() is entered."""

    def __init__(self) -> None:
        self._total = self._number = 0
        self._step = ""
        self._now = Now(time.monotonic)
        self._status: Any = None

    @contextmanager
    def shown(self, total: int) -> Iterator[None]:
        """Shows what it is told while inside."""
        self._total, self._number = total, 0
        self._now.said()
        if not sys.stderr.isatty():
            yield
            return
        with console(stderr=True).status("") as self._status:
            yield
        self._status = None

    def begin(self, what: str) -> None:
        """The next step, such as 'create table x'."""
        self._number += 1
        self._step = what
        self._tell("")

    def detail(self, text: str) -> None:
        """How far the step is, such as '4,000 objects deleted'."""
        self._tell(f" ({text})")

    def _tell(self, detail: str) -> None:
        from rich.text import Text

        line = one_line(f"{self._number} of {self._total}: {self._step}{detail}")
        if self._status is not None:
            self._status.update(Text(line))
        elif self._total and self._now.is_due():
            say(line)
