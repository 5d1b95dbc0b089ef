"""Numbers in plain English. Pure."""

from __future__ import annotations

from math import floor, isfinite, log10


def counted(count: int, noun: str) -> str:
    """'1 part', '2,000 parts'."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def counted_are(count: int, noun: str) -> str:
    """'1 part is', '2,000 parts are'."""
    return f"{counted(count, noun)} {'is' if count == 1 else 'are'}"


def rounded(value: float, places: int) -> str:
    """'1,234.5' with that many places; two significant digits where that would be zero and the value is not:
    '0.0042'. 'inf' and 'nan' as they are."""
    told = f"{value:,.{places}f}"
    if value and isfinite(value) and not any("1" <= digit <= "9" for digit in told):
        return f"{value:.{1 - floor(log10(abs(value)))}f}"
    return told


def dollars(usd: float, places: int | None = None) -> str:
    """'$1,234.50', '$0.0042', '$0.00042', '$0.00' of nothing. places: left out, two, four below a dollar, where cents
    are too coarse, and more where two digits need them."""
    if places is None:
        least = 3 if abs(usd) < 0.001 else 2 if abs(usd) < 1 else 0
        places = least + 2 if usd else 2
    return f"${rounded(usd, places)}"
