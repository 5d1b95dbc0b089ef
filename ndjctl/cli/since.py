"""Moments as they are typed: `--since 2h`, `--since 2026-11-27`, `--since 2026-11-27T13:05Z`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Annotated

import typer

from ndjctl.errors import UsageError

SinceOption = Annotated[
    str | None,
    typer.Option("--since", help="From then on: an age (90s, 30m, 2h, 3d), a date or a moment in UTC.", metavar="WHEN"),
]

_AGE = re.compile(r"(\d{1,6})(s|m|min|h|d)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}


def since_moment(text: str | None, now: datetime, what: str = "--since") -> datetime | None:
    """The moment that `text` means, in UTC; None for None. now: aware. Raises UsageError, naming `what` it was typed
    for, for what is no moment and for one that is still to come."""
    if text is None:
        return None
    moment = _moment(text.strip(), now)
    if moment is None:
        raise UsageError(
            f"{what} takes an age (90s, 30m, 2h, 3d), a date (2026-11-27) or a moment in UTC (2026-11-27T13:05Z); "
            f"{text!r} is none of these."
        )
    if moment > now:
        raise UsageError(f"{what} {text!r} is still to come: it is {now:%Y-%m-%dT%H:%M:%SZ} now.")
    return moment


def _moment(text: str, now: datetime) -> datetime | None:
    age = _AGE.fullmatch(text)
    try:
        if age is not None:
            return now - timedelta(seconds=int(age[1]) * _SECONDS[age[2]])
        if not re.match(r"\d{4}-\d\d-\d\d", text):  # Python takes 20261127 for a date, too
            return None
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
