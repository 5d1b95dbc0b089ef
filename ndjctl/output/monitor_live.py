"""The screen of `ndjctl monitor` as it is told: on a terminal in place, in a pipe one below the other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ndjctl.output.base import View, console
from ndjctl.output.monitor import monitor_document
from ndjctl.output.remedies import Typed
from ndjctl.output.sparkline import has_blocks

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from ndjctl.monitor.model import Snapshot

_PROMPT_ROWS = 1
"""What the shell's next line takes of a terminal."""


def monitor_view(snapshot: Snapshot, typed: Typed) -> View:
    return View(monitor_document(snapshot, typed), lambda: _once(snapshot, typed))


def _once(snapshot: Snapshot, typed: Typed) -> RenderableType:
    screen = console()
    rows = screen.height - _PROMPT_ROWS if screen.is_terminal else None
    return _drawn(snapshot, typed, screen.width, rows, screen.encoding, _cost(snapshot))


def _drawn(
    snapshot: Snapshot, typed: Typed, columns: int, rows: int | None, encoding: str, footer: str
) -> RenderableType:
    from ndjctl.output.monitor_screen import Frame, monitor_screen

    return monitor_screen(snapshot, typed, Frame(columns, rows, has_blocks(encoding), footer))


def _cost(snapshot: Snapshot) -> str:
    return f"{snapshot.calls:,} calls of AWS in {snapshot.took_s:.1f} s"


class _Screen:
    """Drawn anew for whatever size the terminal has by then."""

    def __init__(self, typed: Typed, interval_s: float) -> None:
        self._typed, self._interval_s = typed, interval_s
        self.snapshot: Snapshot | None = None

    def __rich_console__(self, screen: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        if self.snapshot is None:
            yield Text("looking ...", style="dim")
            return
        footer = f"{_cost(self.snapshot)}, again every {self._interval_s:g} s; Ctrl-C ends"
        rows = options.height or screen.height
        # The console's own stream says what it takes: while it is live, sys.stdout is a stand-in without an encoding.
        yield _drawn(self.snapshot, self._typed, options.max_width, rows, screen.encoding, footer)


@contextmanager
def live_screen(typed: Typed, interval_s: float) -> Iterator[Callable[[Snapshot], None]]:
    """What is to be called with each snapshot. On a terminal it is drawn over the one before, on a screen of its own
    that is gone afterwards; elsewhere below it, a blank line between."""
    screen = console()
    if not screen.is_terminal:
        from ndjctl.output.base import ConsoleOutput

        number = 0

        def print_below(snapshot: Snapshot) -> None:
            nonlocal number
            if number:
                sys.stdout.write("\n")
            number += 1
            ConsoleOutput().show(monitor_view(snapshot, typed))

        yield print_below
        return
    from rich.live import Live

    shown = _Screen(typed, interval_s)
    with Live(shown, console=screen, screen=True, refresh_per_second=2) as live:

        def draw(snapshot: Snapshot) -> None:
            shown.snapshot = snapshot
            live.refresh()

        yield draw


def served_view(env: str, url: str, interval_s: float) -> View:
    """Where the page is. interval_s: how old what it shows gets."""
    from rich.text import Text

    text = Text("the page is at ").append(url, style="bold").append(" for this machine alone; Ctrl-C ends it")
    return View({"env": env, "url": url, "interval_s": interval_s}, lambda: text)
