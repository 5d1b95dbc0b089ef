"""A price file, read and written: a JSON document with a version, checked figure by figure. Pure.

    {"version": 1, "region": "us-east-1", "prices": {
        "glue.dpu_hour": {"usd": "0.44", "unit": "DPU hour", "as_of": "2026-09-25", "source": "..."},
        "s3.storage_gb_month": {"tiers": [{"usd": "0.023", "up_to": "51200"}, {"usd": "0.022"}], "unit": ...,
                                "free": {"quantity": "5", "source": "..."}}}}

Figures are strings, so that no float comes between the source and the sum.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from ndjctl.errors import UsageError
from ndjctl.prices.book import FreeAllowance, Price, PriceBook, Tier
from ndjctl.prices.catalogue import ITEMS

VERSION = 1

_FIGURE = re.compile(r"\d{1,15}(\.\d{1,15})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}")
_MOST_CHARACTERS = 500
_PRICE_FIELDS = frozenset({"usd", "tiers", "unit", "as_of", "source", "free"})


def is_region(text: str) -> bool:
    """Whether that has the form of a region's name, such as us-east-1; not whether AWS has it."""
    return _REGION.fullmatch(text) is not None


def parse_book(text: str, where: str, origin: str, region: str, today: date) -> PriceBook:
    """where: the file, for the sentence. region: that it has to be of. Raises UsageError, which names file and place,
    for what is not such a document, or has a date after `today`."""
    try:
        document = json.loads(text, object_pairs_hook=_without_repeats)
    except _Repeated as error:
        raise UsageError(f"{where}: {error.args[0]!r} is there twice.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is not JSON ({' '.join(str(error).split())}).") from error
    if not isinstance(document, dict):
        raise UsageError(f"{where} is no price file: it is not a JSON object.")
    version = document.get("version")
    if version != VERSION or isinstance(version, bool):
        raise UsageError(f"{where}: 'version' is {_told(version)}, and this program reads version {VERSION}.")
    if document.get("region") != region:
        raise UsageError(f"{where} has prices of the region {_told(document.get('region'))}, not of {region}.")
    prices = document.get("prices")
    if not isinstance(prices, dict):
        raise UsageError(f"{where}: 'prices' is not a JSON object of prices by key.")
    return PriceBook(region, {key: _price(key, each, where, today) for key, each in prices.items()}, origin)


def dump_book(book: PriceBook) -> str:
    """The document of a book, as a file has it."""
    document = {"version": VERSION, "region": book.region, "prices": {k: price_document(p) for k, p in _sorted(book)}}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def price_document(price: Price) -> dict[str, Any]:
    """A price's JSON form in a price file."""
    found: dict[str, Any] = {}
    if len(price.tiers) == 1:
        found["usd"] = plain(price.usd)
    else:
        found["tiers"] = [
            {"usd": plain(tier.usd), **({} if tier.up_to is None else {"up_to": plain(tier.up_to)})}
            for tier in price.tiers
        ]
    found |= {"unit": price.unit, "as_of": price.as_of.isoformat(), "source": price.source}
    if price.free is not None:
        found["free"] = {"quantity": plain(price.free.quantity), "source": price.free.source}
    return found


def plain(figure: Decimal) -> str:
    """All digits, without an exponent and without zeros at the end: 0.0000166667, 51200."""
    text = f"{figure:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _sorted(book: PriceBook) -> list[tuple[str, Price]]:
    order = {key: number for number, key in enumerate(ITEMS)}
    return sorted(book.prices.items(), key=lambda each: order.get(each[0], len(order)))


class _Repeated(Exception):
    """A name that is twice in an object."""


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Repeated(next(name for name in names if names.count(name) > 1))
    return found


def _price(key: str, value: Any, where: str, today: date) -> Price:
    item = ITEMS.get(key)
    if item is None:
        raise UsageError(f"{where}: {key!r} is no price that is known: 'ndjctl cost prices' lists the keys.")
    place = f"{where}: {key}"
    if not isinstance(value, dict):
        raise UsageError(f"{place} is not a JSON object with usd or tiers, unit, as_of and source.")
    unknown = sorted(value.keys() - _PRICE_FIELDS)
    if unknown:
        raise UsageError(f"{place}: {unknown[0]!r} is no field of a price.")
    if ("usd" in value) == ("tiers" in value):
        raise UsageError(f"{place} needs either usd or tiers.")
    tiers = (Tier(_figure(value["usd"], f"{place}.usd")),) if "usd" in value else _tiers(value["tiers"], place)
    unit = _text(value.get("unit"), f"{place}.unit")
    if unit != item.unit:
        raise UsageError(f"{place}.unit is {unit!r}, and the price is for one {item.unit!r}.")
    as_of = _date(value.get("as_of"), f"{place}.as_of", today)
    return Price(key, tiers, unit, as_of, _text(value.get("source"), f"{place}.source"), _free(value, place))


def _tiers(value: Any, place: str) -> tuple[Tier, ...]:
    if not isinstance(value, list) or not value:
        raise UsageError(f"{place}.tiers is not a list of at least one tier.")
    found: list[Tier] = []
    before = Decimal(0)
    for number, each in enumerate(value):
        at = f"{place}.tiers[{number}]"
        if not isinstance(each, dict) or each.keys() - {"usd", "up_to"}:
            raise UsageError(f"{at} is not a JSON object of usd and up_to.")
        up_to = each.get("up_to")
        if (up_to is None) != (number == len(value) - 1):
            raise UsageError(f"{at}.up_to: every tier but the last ends somewhere, and the last does not.")
        end = None if up_to is None else _figure(up_to, f"{at}.up_to")
        if end is not None and end <= before:
            raise UsageError(f"{at}.up_to is {plain(end)}, not above the {plain(before)} where it begins.")
        found.append(Tier(_figure(each.get("usd"), f"{at}.usd"), end))
        before = before if end is None else end
    return tuple(found)


def _free(value: Mapping[str, Any], place: str) -> FreeAllowance | None:
    free = value.get("free")
    if free is None:
        return None
    if not isinstance(free, dict) or free.keys() - {"quantity", "source"}:
        raise UsageError(f"{place}.free is not a JSON object of quantity and source.")
    quantity = _figure(free.get("quantity"), f"{place}.free.quantity")
    return FreeAllowance(quantity, _text(free.get("source"), f"{place}.free.source"))


def _figure(value: Any, place: str) -> Decimal:
    if not isinstance(value, str) or not value.isascii() or not _FIGURE.fullmatch(value):
        raise UsageError(f'{place} is {_told(value)}: a figure is a string of digits such as "0.44", not below zero.')
    return Decimal(value)


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > _MOST_CHARACTERS or not value.isprintable():
        raise UsageError(f"{place} is {_told(value)}: it is a text of one line, up to {_MOST_CHARACTERS} characters.")
    return value


def _date(value: Any, place: str, today: date) -> date:
    try:
        found = date.fromisoformat(value) if isinstance(value, str) and _DATE.fullmatch(value) else None
    except ValueError:
        found = None
    if found is None:
        raise UsageError(f"{place} is {_told(value)}: a date is written as 2026-11-27.")
    if found > today:
        raise UsageError(f"{place} is {found.isoformat()}, which is after today, {today.isoformat()}.")
    return found


def _told(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else f"{text[:57]}..."
