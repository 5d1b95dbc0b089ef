"""Ctrl-C and SIGTERM, and a second one of either."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ndjctl.errors import EXIT_INTERRUPTED, EXIT_TERMINATED


class Terminated(KeyboardInterrupt):
    """SIGTERM: somebody's Ctrl-C who has no terminal, such as a CI server whose time is up."""


_DEFAULTS: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


@contextmanager
def leaving_at_once(tell: Callable[[int], None]) -> Iterator[None]:
    """Within it the first Ctrl-C is a KeyboardInterrupt, as ever, and the first SIGTERM a Terminated. A second one,
    while what was begun is still being ended, leaves at once, after `tell`, which is given the exit code: nothing here
    is lost by a kill. When the first one came it stays so afterwards: a process that ends waits for its threads, too.
    """
    is_mine = threading.current_thread() is threading.main_thread()
    if not is_mine or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    is_interrupted = False

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal is_interrupted
        if not is_interrupted:
            is_interrupted = True
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated
        code = EXIT_INTERRUPTED if number == signal.SIGINT else EXIT_TERMINATED
        try:
            tell(code)
        finally:
            os._exit(code)

    # What somebody else handles, or has had ignored, stays so.
    taken = [number for number, default in _DEFAULTS.items() if signal.getsignal(number) is default]
    for number in taken:
        signal.signal(number, handle)
    try:
        yield
    finally:
        if not is_interrupted:
            for number in taken:
                signal.signal(number, _DEFAULTS[number])
