"""Numbers as they are typed."""

from __future__ import annotations

from math import isfinite

from ndjctl.errors import UsageError


def check_numbers(*options: tuple[str, float | None]) -> None:
    """Options given as (name, value); None was not typed. Raises UsageError, naming the option, for 'inf' and 'nan',
    which Python takes for numbers."""
    for name, value in options:
        if value is not None and not isfinite(value):
            raise UsageError(f"{name} takes a number such as 0.5; {value} is none.")
