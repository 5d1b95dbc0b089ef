"""How two load tests look side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ndjctl.loadtest.results import COMPARED, Compared, Report
from ndjctl.loadtest.verdict import PASS
from ndjctl.output.base import View, one_line
from ndjctl.plain import rounded

if TYPE_CHECKING:
    from rich.console import RenderableType

_LEAST_CHANGE = 0.0005
"""A smaller one would be shown as none."""

_BETTER_LOW = ("time", "p50", "p95", "p99", "failed runs", "DPU hours", "cost")
_BETTER_HIGH = ("completed", "throughput")
_SIZES = ("files", "file size")
"""With which nearly every other figure changes."""

_STYLES = {True: "green", False: "red", None: ""}


def compared_view(first: Report, second: Report) -> View:
    figures = [(row, _get(first, row.read), _get(second, row.read)) for row in COMPARED]
    remarks = _remarks([row.name for row, a, b in figures if row.name in _SIZES and a != b])
    document = {
        "a": first["id"],
        "b": second["id"],
        "figures": [
            {
                "name": row.name,
                "unit": row.unit or None,
                "a": a,
                "b": b,
                "change": _change(row, a, b),
                "better": _is_better(row, a, b),
            }
            for row, a, b in figures
        ],
        "remarks": remarks,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("")
        for head in (str(first["id"]), str(second["id"]), "change"):
            table.add_column(one_line(head), justify="right")
        table.add_column("")
        for row, a, b in figures:
            change, better = _change(row, a, b), _is_better(row, a, b)
            told = "" if change is None or abs(change) < _LEAST_CHANGE else f"{change:+.1%}"
            word = "" if better is None else "better" if better else "worse"
            label = f"{row.name} ({row.unit})" if row.unit else row.name
            cells = (Text(_shown(a)), Text(_shown(b)), Text(told), Text(word, style=_STYLES[better]))
            table.add_row(Text(label, style="cyan"), *cells)
        return Group(table, *(Text(one_line(remark), style="yellow") for remark in remarks))

    return View(document, render)


def _remarks(sizes: Sequence[str]) -> list[str]:
    if not sizes:
        return []
    return [f"The tests differ in {' and '.join(sizes)}: times, runs and cost differ for that alone."]


def _get(report: Report, read: Callable[[Report], Any]) -> Any:
    try:
        return read(report)
    except (KeyError, TypeError):
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _change(row: Compared, a: Any, b: Any) -> float | None:
    """Of b to a, as a share; None where these are no measures."""
    if not (row.is_quantity and _is_number(a) and _is_number(b)):
        return None
    return round((b - a) / a, 6) if a and a != b else None


def _is_better(row: Compared, a: Any, b: Any) -> bool | None:
    """b than a; None where they are as good, or nothing is better for it."""
    if row.name == "verdict":
        return None if a == b else bool(b == PASS)
    if row.name not in (*_BETTER_LOW, *_BETTER_HIGH) or not (_is_number(a) and _is_number(b)):
        return None
    if abs(b - a) < _LEAST_CHANGE * abs(a) or a == b:
        return None
    return bool(b < a) if row.name in _BETTER_LOW else bool(b > a)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return rounded(value, 4 if abs(value) < 1 else 1)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else one_line(str(value))
