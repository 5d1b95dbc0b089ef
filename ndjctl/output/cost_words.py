"""Amounts of USD, and the words around them, on the screens of what was spent."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from ndjctl.output.base import one_line

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

CENT, _FINE = Decimal("0.01"), Decimal("0.0001")


def right_aligned(*columns: str) -> Table:
    """The first column to the left, the others to the right."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def lasting(days: Decimal) -> str:
    """Hours below two days."""
    return f"{days * 24:,.1f} hours" if days < 2 else f"{days:,.1f} days"


def quantum_of(total: Decimal | None) -> Decimal:
    """Cents; of less than a dollar, hundredths of them."""
    return CENT if total is None or abs(total) >= 1 else _FINE


def usd(amount: Decimal | None) -> str:
    if amount is None:
        return "not known"
    return f"${amount.quantize(quantum_of(amount)):,}" if amount else "$0.00"


def small(amount: Decimal | None) -> str:
    """Of what may be far below a cent."""
    return "not known" if amount is None else f"${amount:,.6f}"


def signed(amount: Decimal) -> str:
    return f"{'-' if amount < 0 else '+'}${abs(amount):,}"


def are(count: int) -> str:
    return "is" if count == 1 else "are"


def them(count: int, one: str = "it", more: str = "them") -> str:
    return one if count == 1 else more


def styled(text: str) -> Text:
    from rich.text import Text

    return Text(text, style="cyan")


def dimmed(text: str) -> Text:
    from rich.text import Text

    return Text(one_line(text), style="dim")
