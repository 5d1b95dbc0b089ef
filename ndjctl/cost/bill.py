"""Lines of a bill from quantities and a price book: tiers and free allowances are an account's and a month's, so what
has one price is priced together and then shared out. Pure; Decimal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from ndjctl.cost.line import Input, Line
from ndjctl.prices.book import Price, PriceBook

GB = Decimal(2**30)
"""Bytes of what AWS bills as a GB."""


@dataclass(frozen=True)
class Item:
    """What a line is for. quantity: of a month, in the unit of the price. key: None where nothing is asked for it."""

    service: str
    name: str
    key: str | None
    quantity: Decimal
    unit: str
    formula: str
    inputs: tuple[Input, ...]
    note: str = ""


@dataclass(frozen=True)
class Missing:
    """A price that the book does not have, and what it would be for. Its cost is in no total."""

    key: str
    service: str
    name: str
    quantity: Decimal
    unit: str


def priced(items: Iterable[Item], book: PriceBook, deduct_free: bool) -> tuple[tuple[Line, ...], tuple[Missing, ...]]:
    """The lines in the order of the items. Items of one price share its tiers and its free allowance by their
    quantities. An item whose price is missing is left out and said; one of nothing needs none."""
    items = [item for item in items if item.quantity or item.key is None]
    totals: dict[str, Decimal] = {}
    for item in items:
        if item.key is not None:
            totals[item.key] = totals.get(item.key, Decimal(0)) + item.quantity
    lines, missing = [], []
    for item in items:
        if item.key is None:
            lines.append(_line(item, Decimal(0), None, item.note))
            continue
        price, total = book.find(item.key), totals[item.key]
        if price is None:
            missing.append(Missing(item.key, item.service, item.name, item.quantity, item.unit))
            continue
        usd = price.cost(total, deduct_free=deduct_free) * item.quantity / total
        lines.append(_line(item, usd, price, _note(item, price, total, deduct_free)))
    return tuple(lines), tuple(missing)


def _line(item: Item, usd: Decimal, price: Price | None, note: str) -> Line:
    return Line(item.service, item.name, item.quantity, item.unit, usd, item.formula, item.inputs, price, note)


def _note(item: Item, price: Price, total: Decimal, deduct_free: bool) -> str:
    notes = [item.note] if item.note else []
    shared = "" if total == item.quantity else ", shared with the other lines of this price"
    if deduct_free and price.free is not None:
        notes.append(f"{price.free.quantity:,f} a month are free and taken off{shared} ({price.free.source})")
    if len(price.tiers) > 1:
        notes.append(f"the price falls in {len(price.tiers)} tiers{shared}")
    return "; ".join(notes)
