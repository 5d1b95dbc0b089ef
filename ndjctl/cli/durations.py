"""Times as they are typed: `90s`, `30m`, `2h`."""

from __future__ import annotations

import re

from ndjctl.errors import UsageError

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(s|m|min|h)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3_600}


def seconds_of(text: str | None, option: str) -> float | None:
    """None for None. Raises UsageError, naming the option, for what is no time."""
    if text is None:
        return None
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{option} takes a time such as 90s, 30m or 2h; {text!r} is none.")
    return float(match[1]) * _SECONDS[match[2]]
