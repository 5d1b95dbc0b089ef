"""Dates as they are typed."""

from __future__ import annotations

from datetime import date as calendar_date
from typing import Annotated

import typer

from ndjctl.errors import UsageError

DateOption = Annotated[str | None, typer.Option("--date", help="Only this date, YYYY-MM-DD (UTC).", metavar="DATE")]


def checked_date(date: str | None, what: str = "--date", takes: str = "YYYY-MM-DD") -> str | None:
    """The date as the ledger writes it. Raises UsageError, naming `what` it was typed for and all that it `takes`."""
    if date is None:
        return None
    try:
        # Python takes 20260131 for a date, too.
        if len(date) != len("YYYY-MM-DD"):
            raise ValueError
        return calendar_date.fromisoformat(date).isoformat()
    except ValueError as error:
        raise UsageError(f"{what} takes {takes}, {date!r} is not that.") from error
