"""How prices look: by service, with tiers, what is free of them, from when and from where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ndjctl.output.base import View, one_line
from ndjctl.output.progress import counted
from ndjctl.prices.book import Price, PriceBook
from ndjctl.prices.catalogue import ITEMS, Item
from ndjctl.prices.document import plain, price_document
from ndjctl.prices.files import OLD_AFTER_DAYS, age_days
from ndjctl.prices.refresh import Refreshed

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def prices_view(book: PriceBook, warnings: Sequence[str], refreshed: Refreshed | None, today: date) -> View:
    missing = [item for item in ITEMS.values() if book.find(item.key) is None]
    document = {
        "region": book.region,
        "origin": book.origin,
        "oldest": None if book.oldest is None else book.oldest.isoformat(),
        "prices": [_document(ITEMS[key], book.prices[key], today) for key in ITEMS if key in book.prices],
        "missing": [{"key": item.key, "service": item.service, "what": item.words} for item in missing],
        "warnings": list(warnings),
        "refreshed": None if refreshed is None else _refreshed_document(book, refreshed),
    }
    return View(document, lambda: _screen(book, missing, refreshed, today))


def _document(item: Item, price: Price, today: date) -> dict[str, Any]:
    found = price_document(price)
    return {
        "key": item.key,
        "service": item.service,
        "what": item.words,
        "unit": price.unit,
        "tiers": found.get("tiers") or [{"usd": found["usd"]}],
        "free": found.get("free"),
        "as_of": price.as_of.isoformat(),
        "age_days": age_days(price.as_of, today),
        "source": price.source,
    }


def _refreshed_document(book: PriceBook, refreshed: Refreshed) -> dict[str, Any]:
    return {
        "updated": list(refreshed.updated),
        "unanswered": [
            {"key": key, "why": why, "as_of": None if (kept := book.find(key)) is None else kept.as_of.isoformat()}
            for key, why in refreshed.unanswered.items()
        ],
    }


def _screen(book: PriceBook, missing: Sequence[Item], refreshed: Refreshed | None, today: date) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    sources = _numbered(book)
    blocks: list[RenderableType] = [Text(one_line(f"USD in {book.region}, {book.origin}"), style="bold")]
    priced = [ITEMS[key] for key in ITEMS if key in book.prices]
    for service, items in groupby(priced, key=lambda item: item.service):
        blocks += [Text(""), Text(service, style="cyan"), _table(list(items), book, sources, today)]
    blocks.append(Text(""))
    if missing:
        blocks.append(Text(one_line(f"missing, not guessed: {_listed(missing)}"), style="yellow"))
    blocks += [Text(one_line(f"[{number}] {source}"), style="dim") for source, number in sources.items()]
    if any("second-hand" in source for source in sources):
        blocks.append(Text("second-hand: as a public repository recorded what AWS said.", style="dim"))
    blocks.append(Text("A GB is 2**30 bytes, a TB 2**40. Tiers and what is free are a month's.", style="dim"))
    if refreshed is not None:
        blocks += _refreshed_lines(book, refreshed)
    return Group(*blocks)


def _table(items: Sequence[Item], book: PriceBook, sources: Mapping[str, int], today: date) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    for width, justify in ((25, "left"), (12, "right"), (19, "left"), (15, "left"), (4, "right")):
        table.add_column(width=width, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for item in items:
        price = book.prices[item.key]
        days = age_days(price.as_of, today)
        age = Text(f"{price.as_of:%Y-%m-%d} {days:>3}d", style="yellow" if days > OLD_AFTER_DAYS else "")
        unit = Text(price.unit.split(" (")[0])
        table.add_row(Text(f"  {item.words}"), plain(price.usd), unit, age, f"[{sources[price.source]}]")
        begin = Decimal(0)
        for tier in price.tiers:
            if begin:
                table.add_row("", plain(tier.usd), Text(f"above {_quantity(begin)}"))
            begin = tier.up_to or begin
        if price.free is not None:
            table.add_row("", Text("free", style="green"), Text(f"the first {_quantity(price.free.quantity)}"))
    return table


def _quantity(quantity: Decimal) -> str:
    return f"{plain(quantity / 10**9)} billion" if quantity >= 10**9 else f"{quantity:,f}"


def _numbered(book: PriceBook) -> dict[str, int]:
    found: dict[str, int] = {}
    for key in ITEMS:
        if key in book.prices:
            found.setdefault(book.prices[key].source, len(found) + 1)
    return found


def _listed(items: Sequence[Item]) -> str:
    by_service = groupby(items, key=lambda item: item.service)
    return "; ".join(f"{service}: {', '.join(item.words for item in group)}" for service, group in by_service)


def _refreshed_lines(book: PriceBook, refreshed: Refreshed) -> list[RenderableType]:
    from rich.text import Text

    lines: list[RenderableType] = [Text(f"refreshed: {counted(len(refreshed.updated), 'price')}", style="green")]
    for key, why in refreshed.unanswered.items():
        kept = book.find(key)
        had = "none is known" if kept is None else f"the one of {kept.as_of.isoformat()} stays"
        lines.append(Text(one_line(f"not refreshed: {key}: {why}; {had}"), style="yellow"))
    return lines
