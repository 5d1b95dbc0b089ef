"""When files are due, and what a plan says of uploads, copies, requests and dollars."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.feeding.pace import DAY_PEAK_PER_S, PATTERNS, Burst, Day, Ramp, Steady, pace, told_rate
from ndjctl.feeding.plan import COPY_LIMIT_BYTES, COPY_PART_BYTES, MAX_PARTS, UPLOAD_PART_BYTES, plan_feed

GIB = 2**30


def keys(count: int) -> list[str]:
    return [f"k{number}" for number in range(count)]


def test_phase_four_at_full_size() -> None:
    plan = plan_feed("b", "m", keys(10_000), [3_500_000_000] * 4)
    assert plan.uploaded_bytes + plan.copied_bytes == 35 * 10**12
    assert (plan.uploads, plan.copies) == (4, 9_996)
    # One request each for copies; 209 parts, a beginning and an end for uploads.
    assert plan.copy_requests == 9_996
    assert plan.upload_requests == 4 * (209 + 2)
    assert plan.cost_usd == pytest.approx(10_840 * 0.005 / 1000)


@pytest.mark.parametrize(
    ("size", "copy_parts"),
    [(1, 0), (COPY_LIMIT_BYTES, 0), (COPY_LIMIT_BYTES + 1, 6), (50 * GIB, 50), (50 * GIB + 1, 51)],
)
def test_copies_are_in_parts_above_what_one_request_takes(size: int, copy_parts: int) -> None:
    plan = plan_feed("b", "m", keys(3), [size])
    assert [file.parts for file in plan.files[1:]] == [copy_parts] * 2
    assert plan.copy_requests == 2 * (copy_parts + 2 if copy_parts else 1)
    assert COPY_PART_BYTES <= COPY_LIMIT_BYTES


@given(st.integers(1, 5 * 2**40))
def test_no_upload_has_more_parts_than_s3_takes(size: int) -> None:
    (file,) = plan_feed("b", "m", ["k"], [size]).files
    assert file.parts <= MAX_PARTS
    assert (file.parts == 0) == (size <= UPLOAD_PART_BYTES)


def test_contents_are_taken_in_turn() -> None:
    plan = plan_feed("b", "m", keys(5), [10, 20])
    assert [(file.unique, file.size_bytes, file.is_copy) for file in plan.files] == [
        *((0, 10, False), (1, 20, False)),
        *((0, 10, True), (1, 20, True), (0, 10, True)),
    ]
    assert plan_feed("b", "m", keys(2), [10, 20, 30]).copies == 0


@given(st.sampled_from(PATTERNS), st.floats(0.01, 1000), st.integers(1, 3000))
def test_every_pattern_begins_at_once_and_never_goes_back(pattern: str, rate: float, files: int) -> None:
    due = [pace(pattern, rate, files).due_s(number) for number in range(files)]
    assert due[0] == 0
    assert due == sorted(due)


def test_each_pattern_has_the_rate_that_was_asked_for() -> None:
    assert Steady(11).due_s(660) == 60
    assert {Burst(2).due_s(number) for number in range(120)} == {0}
    assert Burst(2).due_s(120) == 60
    ramp = Ramp(10, 1_000)
    assert 1 / (ramp.due_s(999) - ramp.due_s(998)) == pytest.approx(10, rel=0.01)
    assert ramp.due_s(999) == pytest.approx(200, rel=0.01)  # half the rate on average
    assert pace("steady", None, 5).due_s(4) == 0
    with pytest.raises(ValueError, match="needs a rate"):
        pace("burst", None, 5)


def test_a_day_peaks_at_seven_thousand_an_hour() -> None:
    day = pace("day", None, 200_000)
    assert isinstance(day, Day)
    assert day.peak_per_s == DAY_PEAK_PER_S
    hours = [0] * 48
    for number in range(200_000):
        hour = int(day.due_s(number) // 3600)
        if hour < len(hours):
            hours[hour] += 1
    assert max(hours) == pytest.approx(7_000, abs=2)
    assert min(hours[:24]) < 1_500
    assert hours[11] == pytest.approx(hours[35], abs=2)  # the next day is the same
    assert sum(hours[:24]) == pytest.approx(day.files_of_a_day, abs=2)


def test_rates_are_told_as_people_say_them() -> None:
    assert told_rate(11) == "11 files a second"
    assert told_rate(DAY_PEAK_PER_S) == "7,000 files an hour"
    assert told_rate(0.5) == "1,800 files an hour"
