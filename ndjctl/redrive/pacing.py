"""Not more of something in a second than was asked for."""

from __future__ import annotations

from collections.abc import Callable


class Pacer:
    """rate: a second; None is no limit. clock: seconds, monotonic."""

    def __init__(self, rate: float | None, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._interval_s = 0.0 if rate is None else 1 / rate
        self._clock = clock
        self._sleep = sleep
        self._next_at = clock()

    def wait(self, count: int = 1) -> None:
        """Returns when the next `count` may begin. Time that was not used is not caught up with."""
        if not self._interval_s:
            return
        now = self._clock()
        if self._next_at > now:
            self._sleep(self._next_at - now)
        self._next_at = max(self._next_at, now) + count * self._interval_s
