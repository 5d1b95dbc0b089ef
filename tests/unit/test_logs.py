"""Log lines: read in pages, each once, in order; followed through throttles; told without control characters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.logs.following import END_POLLS, LATE_MS, follow
from ndjctl.logs.lines import RawEvent, has_text, line_of
from ndjctl.logs.reading import if_there, read_group, read_groups
from ndjctl.output.logs import line_text


def raw(at_ms: int, message: str = "x", event_id: str = "", stream: str = "s", group: str = "g") -> RawEvent:
    return RawEvent(event_id or f"{at_ms}:{message}", at_ms, group, stream, message)


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "FilterLogEvents")


class Logs:
    """FilterLogEvents over these events; with tokens as AWS has them, or without, as an endpoint that only counts."""

    def __init__(self, events: list[RawEvent], *, has_tokens: bool) -> None:
        self.events = sorted(events, key=lambda event: event.at_ms)
        self.has_tokens = has_tokens
        self.requests: list[dict[str, Any]] = []

    def filter_log_events(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        end = request.get("endTime", 2**62)
        fitting = [event for event in self.events if request["startTime"] <= event.at_ms <= end]
        first = int(request.get("nextToken", 0))
        page = fitting[first : first + request["limit"]]
        answer: dict[str, Any] = {
            "events": [
                {"eventId": e.event_id, "timestamp": e.at_ms, "logStreamName": e.stream, "message": e.message}
                for e in page
            ]
        }
        if self.has_tokens and first + len(page) < len(fitting):
            answer["nextToken"] = str(first + len(page))
        return answer


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(3, 7), st.booleans())
def test_every_event_is_read_once_and_in_order(times: list[int], page: int, has_tokens: bool) -> None:
    # A page without a token holds no more of one moment than it is long, or nobody could ask for the rest.
    times = [at for number, at in enumerate(times) if times[:number].count(at) < page - 1]
    events = [raw(at, event_id=str(number)) for number, at in enumerate(times)]
    found = list(read_group(Logs(events, has_tokens=has_tokens), "g", 0, 40, page_events=page))
    assert sorted(each.event_id for each in found) == sorted(each.event_id for each in events)
    assert [each.at_ms for each in found] == sorted(times)


def test_a_moment_with_more_than_a_page_ends_all_the_same() -> None:
    logs = Logs([raw(5, event_id=str(number)) for number in range(9)] + [raw(6)], has_tokens=False)
    assert [each.at_ms for each in read_group(logs, "g", 0, None, page_events=3)] == [5, 5, 5, 6]


def test_reading_stops_after_the_pages_that_it_may_read_and_says_so() -> None:
    logs, cut = Logs([raw(at) for at in range(10)], has_tokens=True), []
    found = list(read_group(logs, "g", 0, None, page_events=2, most_pages=3, cut=lambda: cut.append(True)))
    assert (len(found), len(logs.requests), cut) == (6, 3, [True])
    list(read_group(logs, "g", 0, None, page_events=6, most_pages=2, cut=lambda: cut.append(True)))
    assert cut == [True]


def test_streams_are_looked_at_even_where_the_endpoint_does_not() -> None:
    logs = Logs([raw(1, stream="jr_a"), raw(2, stream="jr_b")], has_tokens=True)
    assert [each.stream for each in read_group(logs, "g", 0, None, stream_prefix="jr_b")] == ["jr_b"]
    assert logs.requests[0]["logStreamNamePrefix"] == "jr_b"


def test_groups_are_merged_and_one_that_is_not_there_is_told() -> None:
    def none() -> Iterator[RawEvent]:
        raise refusal("ResourceNotFoundException")
        yield

    def denied() -> Iterator[RawEvent]:
        raise refusal("AccessDeniedException")
        yield

    told: list[str] = []
    first, second = [raw(1), raw(4)], [raw(2), raw(3)]
    merged = read_groups([iter(first), if_there(none(), lambda: told.append("gone")), iter(second)])
    assert [each.at_ms for each in merged] == [1, 2, 3, 4]
    assert told == ["gone"]
    with pytest.raises(ClientError):
        list(if_there(denied(), lambda: None))


class Growing:
    """A log that grows with each poll; `refused`: numbers of the polls that are throttled."""

    def __init__(self, polls: list[list[RawEvent]], refused: tuple[int, ...] = (), code: str = "Throttling") -> None:
        self.polls, self.refused, self.code = polls, refused, code
        self.asked: list[int] = []
        self.slept: list[float] = []
        self.clock_ms = 1_000_000

    def read(self, start_ms: int) -> Iterator[RawEvent]:
        number = len(self.asked)
        self.asked.append(start_ms)
        there = [event for poll in self.polls[: number + 1] for event in poll if event.at_ms >= start_ms]
        for event in sorted(there, key=lambda event: event.at_ms):
            yield event
            if number in self.refused:
                raise refusal(self.code)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock_ms += int(seconds * 1000)

    def followed(self) -> list[str]:
        paused: list[float] = []
        found = follow(
            self.read,
            self.clock_ms - 1000,
            now_ms=lambda: self.clock_ms,
            sleep=self.sleep,
            has_ended=lambda: len(self.asked) >= len(self.polls) - 1,
            throttled=paused.append,
        )
        told = [event.message for event in found]
        assert len(paused) == len(self.refused)
        return told


def test_following_tells_each_line_once_also_one_that_comes_late() -> None:
    at = 1_000_000
    polls = [[raw(at, "a")], [raw(at + 1500, "b"), raw(at - 500, "late")], [], [raw(at + 4000, "c")]]
    log = Growing(polls)
    assert log.followed() == ["a", "late", "b", "c"]
    assert len(log.asked) == len(polls) - 1 + END_POLLS
    assert set(log.slept) == {2.0}


def test_following_outlasts_throttles_with_growing_pauses() -> None:
    at = 1_000_000
    log = Growing([[raw(at, "a"), raw(at + 1, "b")], [], [raw(at + 2, "c")]], refused=(0, 1, 2))
    assert log.followed() == ["a", "b", "c"]
    assert log.slept[:4] == [4.0, 8.0, 16.0, 2.0]


def test_following_ends_with_an_error_that_is_no_throttle() -> None:
    with pytest.raises(ClientError):
        Growing([[raw(1_000_000, "a")]], refused=(0,), code="AccessDeniedException").followed()


def test_following_forgets_what_cannot_come_again() -> None:
    step = LATE_MS // 2
    polls = [[raw(1_000_000 + step * number, str(number))] for number in range(8)]
    log = Growing(polls)
    log.sleep = lambda _seconds: setattr(log, "clock_ms", log.clock_ms + step)  # type: ignore[method-assign]
    assert log.followed() == [str(number) for number in range(8)]
    assert log.asked[-1] > 1_000_000 + 4 * step


def test_a_line_of_ours_and_one_of_anybody() -> None:
    ours = line_of(raw(5, json.dumps({"level": "WARNING", "time": "2026-11-27T10:00:00.250Z", "event": "e", "n": 1})))
    assert (ours.level, ours.event, ours.fields, ours.at.microsecond) == ("WARNING", "e", {"n": 1}, 250_000)
    for message, level in (
        ("[ERROR] Runtime.ImportModuleError: no", "ERROR"),
        ("2026-11-27T10:00:00Z 1 Task timed out after 3.00 seconds\n", "ERROR"),
        ('{"no": "event"}', ""),
        ("{broken", ""),
        ("[" * 100_000, ""),
    ):
        line = line_of(raw(5, message))
        assert (line.level, line.event, line.at.timestamp()) == (level, "", 0.005)
    assert line_of(raw(5, "REPORT RequestId: 1")).is_platform


def test_text_is_found_literally_in_either_case_and_as_it_was_before_it_was_escaped() -> None:
    line = line_of(raw(5, json.dumps({"event": "file_tracked", "file_key": "in/Ü[1]*.ndjson"})))
    assert has_text(line, "ü[1]*") and has_text(line, "FILE_TRACKED")
    assert not has_text(line, "in/.*ndjson")


@given(st.text())
def test_no_line_moves_the_cursor(text: str) -> None:
    for message in (text, json.dumps({"event": text, text: text, "level": text})):
        assert line_text(line_of(raw(5, message)), names_run=True).plain.isprintable()
