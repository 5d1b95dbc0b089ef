"""Amounts as they are typed: sizes, shares, rates. Pure. Each raises ValueError, with one sentence."""

from __future__ import annotations

import re
from fractions import Fraction

from ndjctl.generate.recipe import Amount

_DECIMAL = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS = {**_DECIMAL, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_NUMBER = r"(\d{1,15}(?:\.\d{1,9})?)"
_SIZE = re.compile(rf"{_NUMBER}\s*([a-zA-Z]*)", re.ASCII)
_SHARE = re.compile(rf"{_NUMBER}\s*%", re.ASCII)
_COUNT = re.compile(r"\d{1,15}", re.ASCII)
_RATE = re.compile(rf"{_NUMBER}\s*(?:/\s*(s|min|h))?", re.ASCII)
_SECONDS = {"s": 1, "min": 60, "h": 3600}


def parse_size(text: str) -> int:
    """Bytes: '3.5GB' is 3,500,000,000, '64MiB' 2**26, '1000' a thousand."""
    match = _SIZE.fullmatch(text.strip())
    unit = _UNITS.get(match.group(2).lower()) if match else None
    if match is None or unit is None:
        raise ValueError(f"{text!r} is no size: write it as 3.5GB, 10MB, 64MiB or in bytes")
    size_bytes = int(Fraction(match.group(1)) * unit)
    if not size_bytes:
        raise ValueError(f"{text!r} is no size: a file has at least one byte")
    return size_bytes


def parse_amount(text: str) -> Amount:
    """'0.1%' is a share of the lines, '25' a number of each file."""
    text = text.strip()
    share = _SHARE.fullmatch(text)
    if share is not None:
        found = Fraction(share.group(1)) / 100
        if found > 1:
            raise ValueError(f"{text!r} is more than all")
        return Amount(share=found)
    if not _COUNT.fullmatch(text):
        raise ValueError(f"{text!r} is no amount: write a share as 0.1%, or a number of each file as 25")
    return Amount(count=int(text))


def parse_rate(text: str) -> float:
    """Files a second: '11/s', '7000/h', '90/min', '11'."""
    match = _RATE.fullmatch(text.strip())
    rate = float(match.group(1)) / _SECONDS[match.group(2) or "s"] if match else 0.0
    if not 0 < rate <= 100_000:
        raise ValueError(f"{text!r} is no rate: write it as 11/s, 90/min or 7000/h")
    return rate
