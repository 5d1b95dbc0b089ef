"""Numbers as they are typed."""

from __future__ import annotations

import re
from math import isfinite

from ndjctl.errors import UsageError

MOST_FILES = 10**9
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,18}(?:\.\d{1,18})?", re.ASCII)


def whole_of(text: str | None, option: str, what: str, least: int, most: int = MOST_FILES) -> int | None:
    """None for None. what: is counted, in the plural. Raises UsageError, naming the option, for what is no such
    number."""
    if text is None:
        return None
    value = int(text) if _WHOLE.fullmatch(text.strip()) else None
    if value is None or not least <= value <= most:
        raise UsageError(f"{option} takes {least:,} to {most:,} {what} as a whole number; {text!r} is none of that.")
    return value


def number_of(text: str | None, option: str, what: str, least: float, most: float) -> float | None:
    """The same of a number with or without a fraction."""
    if text is None:
        return None
    value = float(text) if _NUMBER.fullmatch(text.strip()) else None
    if value is None or not least <= value <= most:
        raise UsageError(f"{option} takes {least:,g} to {most:,g} {what}; {text!r} is none of that.")
    return value


def check_numbers(*options: tuple[str, float | None]) -> None:
    """Options given as (name, value); None was not typed. Raises UsageError, naming the option, for 'inf' and 'nan',
    which Python takes for numbers."""
    for name, value in options:
        if value is not None and not isfinite(value):
            raise UsageError(f"{name} takes a number such as 0.5; {value} is none.")
