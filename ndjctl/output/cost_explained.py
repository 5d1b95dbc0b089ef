"""One line of a bill with all that it is made of: formula, inputs with their sources, price."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ndjctl.cost.line import Line
from ndjctl.output.base import one_line
from ndjctl.output.money import dollars, exact
from ndjctl.prices.book import Price

if TYPE_CHECKING:
    from rich.text import Text


def explained(label: str, line: Line) -> Text:
    from rich.text import Text

    text = Text()
    text.append(f"\n{label}", style="bold cyan")
    text.append(f"  {dollars(line.usd_per_day)} a day, {dollars(line.usd_per_month)} a month\n", style="bold")
    text.append(one_line(f"  {_figure(line.quantity)} {line.unit} a month = {line.formula}") + "\n")
    for each in line.inputs:
        text.append(one_line(f"    {each.name} = {_figure(each.value)} {each.unit}"))
        text.append(one_line(f"  ({each.source})") + "\n", style="dim")
    if line.price is not None:
        text.append(one_line(f"  price: {_price(line.price)}") + "\n")
    if line.note:
        text.append(one_line(f"  {line.note}") + "\n", style="dim")
    text.rstrip()
    return text


def line_document(line: Line) -> dict[str, Any]:
    return {
        "service": line.service,
        "name": line.name,
        "usd_per_day": exact(line.usd_per_day),
        "usd_per_month": exact(line.usd_per_month),
        "quantity_per_month": exact(line.quantity),
        "unit": line.unit,
        "formula": line.formula,
        "inputs": [
            {"name": each.name, "value": exact(each.value), "unit": each.unit, "source": each.source}
            for each in line.inputs
        ],
        "price": None if line.price is None else _price_document(line.price),
        "note": line.note,
    }


def _price_document(price: Price) -> dict[str, Any]:
    return {
        "key": price.key,
        "unit": price.unit,
        "tiers": [{"usd": str(tier.usd), "up_to": exact(tier.up_to)} for tier in price.tiers],
        "free_per_month": None if price.free is None else exact(price.free.quantity),
        "as_of": price.as_of.isoformat(),
        "source": price.source,
    }


def _price(price: Price) -> str:
    """'$0.023 up to 51,200, $0.021 above, a month of a GB; key, date, source'."""
    tiers = [f"${tier.usd:f}" + (f" up to {tier.up_to:,f}" if tier.up_to is not None else "") for tier in price.tiers]
    above = " above" if len(tiers) > 1 else ""
    return f"{', '.join(tiers)}{above} for one {price.unit} ({price.key}, {price.as_of.isoformat()}, {price.source})"


def _figure(value: Decimal) -> str:
    """All digits of a small figure, no more than eight decimals of any."""
    whole = f"{value:,.8f}".rstrip("0").rstrip(".")
    return f"{value:,.2f}" if value >= 1000 and value != value.to_integral_value() else whole
