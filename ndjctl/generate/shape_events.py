"""`events`: nested events of a web shop, with lists, nulls and texts in several scripts; about 0.8 KB each. Pure."""

from __future__ import annotations

from typing import Any

from ndjctl.generate.columns import Clock, Running
from ndjctl.generate.mix import Mix
from ndjctl.generate.shape import Shape
from ndjctl.generate.values import DOUBLE, INT64, STRING, Slot
from ndjctl.generate.words import (
    BROWSERS,
    CITIES,
    NAMES,
    NOTES,
    SYSTEMS,
    WORDS,
    decimal,
    decimals,
    integers,
    phrase,
    tokens,
)

_BASES = 512
_KINDS = ("view", "search", "add_to_cart", "order")
_RUNNING, _TOKEN, _CLOCK, _USER, _LOAD, _SCORE, _SESSION = range(7)


def events(seed: int, date: str) -> Shape:
    """date: YYYY-MM-DD, of `event_time`."""
    mix = Mix(seed, "events")
    columns = (
        Running(),
        tokens(Mix(seed, "events", "token")),
        Clock(mix.below(86_400)),
        integers(Mix(seed, "events", "user"), 1 << 33),
        integers(Mix(seed, "events", "load"), 30_000),
        decimals(Mix(seed, "events", "score"), 1, 12),
        tokens(Mix(seed, "events", "session")),
    )
    return Shape("events", [_event(mix, date, number) for number in range(_BASES)], columns)


def _event(mix: Mix, date: str, number: int) -> dict[str, Any]:
    kind = mix.skewed(_KINDS)
    city, country = mix.skewed(CITIES)
    geo = None if mix.one_in(4) else {"lat": decimal(mix, 2, 6), "lon": decimal(mix, 3, 6), "accuracy_m": mix.below(64)}
    ms = number * 1000 // _BASES
    return {
        "event_id": Slot(STRING, b'"%b-%d"', (_TOKEN, _RUNNING)),
        "event_type": kind,
        "event_time": Slot(STRING, b'"%sT%%b.%03dZ"' % (date.encode("ascii"), ms), (_CLOCK,)),
        "sequence": Slot(INT64, b"%d", (_RUNNING,)),
        "score": Slot(DOUBLE, b"%b", (_SCORE,)),
        "is_bot": mix.one_in(16),
        "user": {
            "id": Slot(INT64, b"%b", (_USER,)),
            "name": mix.skewed(NAMES),
            "logged_in": mix.one_in(2),
            "address": {"city": city, "country": country, "geo": geo},
            "segments": mix.sample(WORDS, mix.log_uniform(4)),
        },
        "device": {
            "agent": f"Mozilla/5.0 ({mix.skewed(SYSTEMS)}; rv:{mix.between(90, 140)}.0) AppleWebKit/537.36 "
            f"(KHTML, like Gecko) {mix.skewed(BROWSERS)}/{mix.between(90, 140)}.0.{mix.below(10_000)}",
            "screen": {"width": 320 + 16 * mix.below(128), "height": 480 + 16 * mix.below(64)},
            "battery": None if mix.one_in(2) else decimal(mix, 0, 2),
        },
        "page": {
            "path": f"/{mix.skewed(('p', 'c', 'help'))}/{mix.below(1 << 20):x}",
            "referrer": None if mix.one_in(2) else f"https://www.example.com/?q={mix.below(1 << 30):x}",
            "load_ms": Slot(INT64, b"%b", (_LOAD,)),
        },
        "items": [_item(mix) for _ in range(mix.log_uniform(4) if kind != "view" else 0)],
        "labels": mix.sample(WORDS, mix.log_uniform(5)),
        "experiments": [],
        "session": Slot(STRING, b'"%b"', (_SESSION,)),
        "text": f"{phrase(mix, mix.between(3, 12))}: {mix.below(1 << 16)}",
        "note": mix.skewed(NOTES) if mix.one_in(3) else None,
        "campaign": None,
    }


def _item(mix: Mix) -> dict[str, Any]:
    return {
        "sku": f"SKU-{mix.log_uniform(1 << 20):05d}",
        "title": phrase(mix, 3),
        "quantity": 1 + mix.log_uniform(9),
        "price": decimal(mix, 3, 2),
        "attributes": {"colour": mix.skewed(WORDS), "size": None if mix.one_in(2) else mix.between(34, 48)},
    }
