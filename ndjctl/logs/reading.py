"""Events of CloudWatch Logs, read page by page and in the order of their time, of one group or of several."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ndjctl.aws import is_not_found
from ndjctl.logs.lines import RawEvent

PAGE_EVENTS = 10_000
"""Of the service."""


def read_group(
    logs: Any,
    group: str,
    start_ms: int,
    end_ms: int | None,
    *,
    pattern: str = "",
    stream_prefix: str = "",
    most_pages: int | None = None,
    cut: Callable[[], None] = lambda: None,
    page_events: int = PAGE_EVENTS,
) -> Iterator[RawEvent]:
    """The events of a group from start_ms to end_ms (epoch milliseconds, both included; None is without an end), each
    once, in the order of their time. Raises what boto3 raises, also for a group that is not there.

    pattern: a filter pattern of CloudWatch Logs, which saves reading; what it lets through has to be looked at all the
    same. stream_prefix: only streams whose names begin so. most_pages: after so many the reading ends, and `cut` is
    called if there was more.
    """
    request: dict[str, Any] = {"logGroupName": group, "startTime": start_ms, "limit": page_events}
    if end_ms is not None:
        request["endTime"] = end_ms
    if pattern:
        request["filterPattern"] = pattern
    if stream_prefix:
        request["logStreamNamePrefix"] = stream_prefix
    seen = _Seen()
    pages = 0
    while True:
        answer = logs.filter_log_events(**request)
        pages += 1
        events = [_event(group, event) for event in answer.get("events", [])]
        for event in events:
            if seen.is_new(event) and event.stream.startswith(stream_prefix):
                yield event
        if not _set_next(request, answer, events, page_events):
            return
        if most_pages is not None and pages >= most_pages:
            cut()
            return


def _set_next(request: dict[str, Any], answer: dict[str, Any], events: list[RawEvent], page_events: int) -> bool:
    """Makes the request that of the next page; False when there is none. A page that is full and has no token goes on
    from its last moment: there is an endpoint that counts to its limit and gives no token."""
    if answer.get("nextToken"):
        request["nextToken"] = answer["nextToken"]
        return True
    request.pop("nextToken", None)
    if len(events) < page_events:
        return False
    last_ms = events[-1].at_ms
    # All of one moment: whatever of that is beyond the page cannot be asked for.
    request["startTime"] = last_ms if last_ms > request["startTime"] else last_ms + 1
    return True


class _Seen:
    """Events of the last moment that was met: those that may come twice."""

    def __init__(self) -> None:
        self._at_ms = -1
        self._ids: set[str] = set()

    def is_new(self, event: RawEvent) -> bool:
        if event.at_ms > self._at_ms:
            self._at_ms, self._ids = event.at_ms, set()
        if event.at_ms == self._at_ms:
            if event.event_id in self._ids:
                return False
            self._ids.add(event.event_id)
        return True


def _event(group: str, event: dict[str, Any]) -> RawEvent:
    stream, message, at_ms = str(event.get("logStreamName", "")), str(event.get("message", "")), int(event["timestamp"])
    event_id = str(event.get("eventId") or f"{stream}:{at_ms}:{message}")
    return RawEvent(event_id, at_ms, group, stream, message)


def read_groups(groups: Iterable[Iterator[RawEvent]]) -> Iterator[RawEvent]:
    """Events of several groups in the order of their time; of one moment in the order of the groups."""
    return heapq.merge(*groups, key=lambda event: event.at_ms)


def if_there(events: Iterator[RawEvent], missing: Callable[[], None]) -> Iterator[RawEvent]:
    """Nothing, after missing(), where the group is not there; groups of Glue come with the first run."""
    try:
        yield from events
    except Exception as error:
        if not is_not_found(error):
            raise
        missing()
