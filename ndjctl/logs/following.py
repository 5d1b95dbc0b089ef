"""Follows logs: polls, tells every event once, outlasts throttles, and ends when what it follows has ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from ndjctl.aws import error_code
from ndjctl.logs.lines import RawEvent
from ndjctl.reading import THROTTLED_CODES

POLL_S = 2.0
LATE_MS = 120_000
"""How long after its time an event may still appear: it is sent in batches, and machines' clocks differ."""
END_POLLS = 3
"""Polls after the end of what is followed: Glue sends the last lines after the run is over."""
LONGEST_PAUSE_S = 30.0

Read = Callable[[int], Iterator[RawEvent]]
"""Events from a moment (epoch milliseconds) on, in the order of their time."""


def follow(
    read: Read,
    start_ms: int,
    *,
    now_ms: Callable[[], int],
    sleep: Callable[[float], None],
    has_ended: Callable[[], bool] = lambda: False,
    throttled: Callable[[float], None] = lambda _pause_s: None,
    poll_s: float = POLL_S,
) -> Iterator[RawEvent]:
    """Every event from start_ms on, in the order of their time within a poll. Ends some polls after has_ended(); else
    never. throttled: told of the pause when AWS takes no more requests. Raises what boto3 raises otherwise.

    Each poll reads the last two minutes again, so that what comes late is told; memory holds the ids of those only.
    """
    told = _Told()
    begun_ms, pause_s, left = start_ms, poll_s, END_POLLS
    while True:
        try:
            is_over = has_ended()
            polled_ms = now_ms()
            for event in read(begun_ms):
                if told.is_new(event):
                    yield event
            begun_ms = max(begun_ms, polled_ms - LATE_MS)
            pause_s = poll_s
            left -= is_over
            if left <= 0:
                return
        except Exception as error:
            if error_code(error) not in THROTTLED_CODES:
                raise
            # What was told before the refusal is not read again, but for the last two minutes of it.
            begun_ms = max(begun_ms, told.newest_ms - LATE_MS)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            throttled(pause_s)
        sleep(pause_s)


class _Told:
    """Ids of the events that were told and may be read again: those of the two minutes before the newest."""

    def __init__(self) -> None:
        self.newest_ms = -1
        self._ids: set[str] = set()
        self._order: deque[RawEvent] = deque()

    def is_new(self, event: RawEvent) -> bool:
        if event.event_id in self._ids:
            return False
        self.newest_ms = max(self.newest_ms, event.at_ms)
        self._ids.add(event.event_id)
        self._order.append(event._replace(message=""))
        while self._order[0].at_ms < self.newest_ms - 2 * LATE_MS:
            self._ids.discard(self._order.popleft().event_id)
        return True
