"""Counts over time: minutes, medians, what became known in between, and when a backlog is gone."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.monitor.model import MINUTES
from ndjctl.monitor.rates import (
    forecast,
    median_and_p95,
    minute_of,
    minutes_of,
    new_since,
    per_minute,
    rate_per_min,
)
from ndjctl.output.sparkline import bar, has_blocks, sparkline, tall_chart

NOW = datetime(2026, 11, 23, 3, 12, 45, tzinfo=timezone.utc)
NOTHING = (0.0,) * MINUTES


def minutes_ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def test_a_minute_is_counted_from_the_end() -> None:
    assert minute_of(NOW, NOW) == MINUTES - 1
    assert minute_of(minutes_ago(0.99), NOW) == MINUTES - 1
    assert minute_of(minutes_ago(1), NOW) == MINUTES - 2
    assert minute_of(minutes_ago(59.9), NOW) == 0
    assert minute_of(minutes_ago(60), NOW) is None
    assert minute_of(minutes_ago(-5), NOW) == MINUTES - 1, "a clock that is off"


@given(st.lists(st.tuples(st.floats(0, 120), st.integers(0, 1_000))))
def test_nothing_of_the_hour_is_lost_in_its_minutes(events: list[tuple[float, int]]) -> None:
    series = per_minute([(minutes_ago(age), count) for age, count in events] + [(None, 7)], NOW)
    within = [(age, count) for age, count in events if minute_of(minutes_ago(age), NOW) is not None]
    assert sum(series) == sum(count for _, count in within)
    assert all(age <= MINUTES for age, _ in within)


def test_a_rate_is_the_mean_of_the_last_minutes() -> None:
    assert rate_per_min((100.0,) * 55 + (1.0, 2.0, 3.0, 4.0, 5.0)) == 3.0


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_a_median_and_a_95th_percentile_are_values_of_the_list(values: list[float]) -> None:
    found = median_and_p95(values)
    assert found is not None
    median, p95 = found
    assert {median, p95} <= set(values)
    assert median <= p95
    assert 2 * sum(value <= median for value in values) >= len(values)
    assert 20 * sum(value <= p95 for value in values) >= 19 * len(values)


def test_of_nothing_there_is_no_median() -> None:
    assert median_and_p95([]) is None


def test_what_became_known_in_between_counts_whenever_it_happened() -> None:
    second = int(NOW.timestamp())
    before = Counter({second - 10: 5, second - 3_700: 9})
    after = Counter({second - 10: 7, second - 1: 1, second - 3_700: 9})
    assert new_since(before, after, NOW) == 3, "two of a second that was there already, one of a new one"
    assert new_since(after, before, NOW) == 0


def test_cloudwatch_s_minutes_become_a_series_with_gaps() -> None:
    minute = NOW.replace(second=0)
    series = minutes_of(
        [(minute, 3.0), (minute - timedelta(minutes=59), 1.0), (minute - timedelta(minutes=60), 9.0)], NOW
    )
    assert len(series) == MINUTES
    assert (series[0], series[1], series[-1]) == (1.0, None, 3.0)


@pytest.mark.parametrize(
    ("files", "coming", "going", "kind"),
    [
        (0, 5.0, 0.0, "clear"),
        (600, 10.0, 20.0, "clears"),
        (600, 20.0, 20.0, "grows"),
        (600, 20.0, 10.0, "grows"),
        (600, 20.0, 0.0, "unknown"),
    ],
)
def test_when_a_backlog_is_gone(files: int, coming: float, going: float, kind: str) -> None:
    found = forecast(files, (coming,) * MINUTES, (going,) * MINUTES)
    assert found.kind == kind
    assert (found.seconds is not None) == (kind == "clears")
    assert bool(found.why) == (kind == "unknown")


def test_a_forecast_is_backlog_by_what_goes_more_than_comes() -> None:
    found = forecast(600, (10.0,) * MINUTES, (20.0,) * MINUTES)
    assert (found.seconds, found.files_per_hour) == (3_600.0, 600.0)
    grows = forecast(600, (30.0,) * MINUTES, (20.0,) * MINUTES)
    assert grows.files_per_hour == 600.0


def test_a_forecast_takes_the_hour_where_the_last_minutes_ended_no_manifest() -> None:
    lump = (*(0.0,) * 30, 600.0, *(0.0,) * 29)
    assert forecast(60, NOTHING, lump).seconds == pytest.approx(360.0)


def test_without_figures_there_is_no_forecast() -> None:
    assert forecast(1, None, NOTHING).kind == forecast(1, NOTHING, None).kind == "unknown"


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e9)), max_size=70), st.integers(1, 80), st.booleans())
def test_a_sparkline_fits_and_says_nothing_about_nothing(values: list[float | None], width: int, blocks: bool) -> None:
    line = sparkline(values, width, blocks)
    assert len(line) == min(width, len(values))
    assert blocks or line.isascii()
    if all(value == 0 for value in values):
        assert set(line) <= {"▁" if blocks else "_"}
    chart = tall_chart(values, width, 4, blocks)
    assert len(chart) == 4
    assert {len(row) for row in chart} == {min(width, len(values))}


def test_a_sparkline_rises_with_its_values() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8, True) == "▁▂▃▄▅▆▇█"
    assert sparkline([None, 0.0, 5.0], 3, True) == " ▁█"
    assert tall_chart([0, 4, 8], 3, 2, True) == ["  █", "▁██"]
    assert tall_chart([0, 1, 800], 3, 2, True) == ["  █", "▁▂█"], "one file is more than none"


@given(st.floats(-1, 2), st.integers(1, 40))
def test_a_bar_is_as_wide_as_asked_for(share: float, width: int) -> None:
    assert len(bar(share, width, True)) == width
    assert bar(share, width, False).isascii()


def test_block_characters_are_for_who_can_show_them() -> None:
    assert has_blocks("utf-8") and has_blocks("UTF8")
    assert not any(has_blocks(name) for name in ("ascii", "latin-1", "cp1252", "no-such-encoding", None))
