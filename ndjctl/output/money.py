"""Dollars for people, and exact for programs."""

from __future__ import annotations

from decimal import Decimal

_LEAST = Decimal("0.0001")


def dollars(usd: Decimal) -> str:
    """'$1,234.56', '$0.0004', '<$0.0001', '$0'."""
    if not usd:
        return "$0"
    if usd < _LEAST:
        return "<$0.0001"
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.4f}"


def exact(value: Decimal | None) -> str | None:
    """As a JSON document has it: digits, a dot and at most twelve decimals; None for None."""
    if value is None:
        return None
    text = f"{value:.12f}".rstrip("0").rstrip(".")
    return text or "0"
