"""How far a count is: a moving line on a terminal, a line now and then elsewhere. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from ndjctl.output.bars import LINE_EVERY_S
from ndjctl.output.base import console, say
from ndjctl.output.progress import counted


@contextmanager
def counting(doing: str, noun: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Gives what is to be called with how many more are done; from any thread."""
    if sys.stderr.isatty():
        with console(stderr=True).status(doing) as status:
            yield _Count(lambda count: status.update(_told(doing, noun, count, total)), 0.1, time.monotonic)
    else:
        yield _Count(lambda count: say(_told(doing, noun, count, total)), LINE_EVERY_S, time.monotonic)


@contextmanager
def progress_beside_rows(doing: str, noun: str) -> Iterator[Callable[[int], None]]:
    """As counting(), for a list that is shown while it is read: nothing where both would move on the same terminal."""
    if sys.stderr.isatty() and sys.stdout.isatty():
        yield lambda _count: None
        return
    with counting(doing, noun) as progress:
        yield progress


def _told(doing: str, noun: str, count: int, total: int | None) -> str:
    return f"{doing}: {counted(count, noun)}" + ("" if total is None else f" of about {total:,}")


class _Count:
    def __init__(self, tell: Callable[[int], None], every_s: float, clock: Callable[[], float]) -> None:
        self._tell = tell
        self._every_s = every_s
        self._clock = clock
        self._told_at = clock()
        self._count = 0
        self._lock = Lock()

    def __call__(self, count: int) -> None:
        with self._lock:
            self._count += count
            now = self._clock()
            if now - self._told_at < self._every_s:
                return
            self._told_at = now
            self._tell(self._count)
