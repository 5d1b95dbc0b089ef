"""Ctrl-C, and a second one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ndjctl.errors import EXIT_INTERRUPTED


@contextmanager
def leaving_at_once(tell: Callable[[], None]) -> Iterator[None]:
    """Within it the first Ctrl-C is a KeyboardInterrupt, as ever. A second one, while what was begun is still being
    ended, leaves at once, after `tell`: nothing here is lost by a kill. When the first one came it stays so afterwards:
    a process that ends waits for its threads, too."""
    is_mine = threading.current_thread() is threading.main_thread()
    if not is_mine or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    is_interrupted = False

    def handle(_number: int, _frame: object) -> None:
        nonlocal is_interrupted
        if not is_interrupted:
            is_interrupted = True
            raise KeyboardInterrupt
        try:
            tell()
        finally:
            os._exit(EXIT_INTERRUPTED)

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        if not is_interrupted:
            signal.signal(signal.SIGINT, signal.default_int_handler)
