"""Moments as they are typed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ndjctl.cli.since import since_moment
from ndjctl.errors import UsageError

NOW = datetime(2026, 11, 27, 12, 0, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("30m", NOW - timedelta(minutes=30)),
        ("2h", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
        ("2026-11-27", datetime(2026, 11, 27, tzinfo=timezone.utc)),
        ("2026-11-27T11:05", datetime(2026, 11, 27, 11, 5, tzinfo=timezone.utc)),
        ("2026-11-27T11:05Z", datetime(2026, 11, 27, 11, 5, tzinfo=timezone.utc)),
        ("2026-11-27T13:05+02:00", datetime(2026, 11, 27, 11, 5, tzinfo=timezone.utc)),
    ],
)
def test_an_age_a_date_or_a_moment(text: str, moment: datetime) -> None:
    assert since_moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "20261127", "-3h", "2 h", "999999d", "2026-13-01", "11:05", "1e3s"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match=r"--since takes an age"):
        since_moment(text, NOW)


def test_the_future_is_refused() -> None:
    with pytest.raises(UsageError, match="still to come"):
        since_moment("2026-11-28", NOW)
    assert since_moment(None, NOW) is None
