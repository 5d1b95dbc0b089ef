"""`flat`: a table of twelve columns, about 230 bytes a record. `wide`: one of 200 columns, about 4 KB. Pure."""

from __future__ import annotations

from typing import Any

from ndjctl.generate.columns import Clock, Column, Running
from ndjctl.generate.mix import Mix
from ndjctl.generate.shape import Shape
from ndjctl.generate.values import DOUBLE, INT64, STRING, Slot
from ndjctl.generate.words import CITIES, NAMES, NOTES, WORDS, decimal, decimals, integers, phrase, tokens

_FLAT_BASES = 1024
_RUNNING, _CLOCK, _CUSTOMER, _AMOUNT = range(4)


def flat(seed: int, date: str) -> Shape:
    """date: YYYY-MM-DD, of `created_at`."""
    mix = Mix(seed, "flat")
    columns = (
        Running(),
        Clock(mix.below(86_400)),
        integers(Mix(seed, "flat", "customer"), 1 << 33),
        decimals(Mix(seed, "flat", "amount"), 5, 2),
    )
    return Shape("flat", [_row(mix, date, number) for number in range(_FLAT_BASES)], columns)


def _row(mix: Mix, date: str, number: int) -> dict[str, Any]:
    city, country = mix.skewed(CITIES)
    ms = number * 1000 // _FLAT_BASES
    return {
        "row_id": Slot(STRING, b'"r%d"', (_RUNNING,)),
        "created_at": Slot(STRING, b'"%sT%%b.%03dZ"' % (date.encode("ascii"), ms), (_CLOCK,)),
        "customer": Slot(INT64, b"%b", (_CUSTOMER,)),
        "amount": Slot(DOUBLE, b"%b", (_AMOUNT,)),
        "currency": mix.skewed(("EUR", "USD", "JPY", "SEK")),
        "quantity": 1 + mix.log_uniform(100),
        "name": mix.skewed(NAMES),
        "city": city,
        "country": country,
        "is_new": mix.one_in(4),
        "discount": decimal(mix, 0, 2) if mix.one_in(8) else None,
        "note": mix.skewed(NOTES) if mix.one_in(8) else None,
    }


WIDE_COLUMNS = 200
_WIDE_BASES = 128
_WIDE_SLOTS = 8  # of each of the three kinds that have slots, so that values differ without costing all the time


def wide(seed: int, date: str) -> Shape:
    """date: YYYY-MM-DD, of `day`."""
    mix = Mix(seed, "wide")
    columns: list[Column] = [Running()]
    slots: dict[str, Slot] = {"row_id": Slot(STRING, b'"r%d"', (0,))}
    for number in range(_WIDE_SLOTS):
        for name, kind, spec, column in (
            (f"total_{number:03}", INT64, b"%b", integers(Mix(seed, "wide", "total", number), 1 << 40)),
            (f"ratio_{number:03}", DOUBLE, b"%b", decimals(Mix(seed, "wide", "ratio", number), 1, 15)),
            (f"token_{number:03}", STRING, b'"%b"', tokens(Mix(seed, "wide", "token", number))),
        ):
            slots[name] = Slot(kind, spec, (len(columns),))
            columns.append(column)
    return Shape("wide", [_wide_row(mix, date, slots) for _ in range(_WIDE_BASES)], columns)


def _wide_row(mix: Mix, date: str, slots: dict[str, Slot]) -> dict[str, Any]:
    row: dict[str, Any] = {**slots, "day": date}
    row |= {f"count_{number:03}": mix.log_uniform(5_000) for number in range(50)}
    row |= {f"price_{number:03}": decimal(mix, 4, 2) for number in range(40)}
    row |= {f"label_{number:03}": phrase(mix, 2) for number in range(40)}
    row |= {f"flag_{number:03}": None if mix.one_in(3) else mix.one_in(2) for number in range(20)}
    left = WIDE_COLUMNS - len(row)
    row |= {f"sparse_{number:03}": mix.skewed(WORDS) if mix.one_in(16) else None for number in range(left)}
    return row
