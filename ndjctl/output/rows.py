"""How stored output looks: parts by date, and the first rows of one as a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime, time
from math import isfinite
from typing import TYPE_CHECKING, Any

from ndjctl.output.base import View, one_line
from ndjctl.output.damage import Mend, damage_document, damage_lines
from ndjctl.output.progress import counted, size
from ndjctl.outputs import DateSummary, Head

if TYPE_CHECKING:
    from rich.console import RenderableType

CELL_CHARS = 40


def listing_view(bucket: str, dates: Sequence[DateSummary], mend: Mend) -> View:
    """mend: what to type for a part that cannot be read."""
    damaged = [each for day in dates for each in day.damaged]
    document = {
        "bucket": bucket,
        "parts": sum(len(d.parts) for d in dates),
        "rows": sum(d.rows for d in dates),
        "bytes": sum(d.size_bytes for d in dates),
        "dates": [
            {
                "date": d.date,
                "rows": d.rows,
                "bytes": d.size_bytes,
                "parts": [{"uri": p.uri, "rows": p.rows, "bytes": p.size_bytes} for p in d.parts],
            }
            for d in dates
        ],
        "damaged": damage_document(damaged, mend),
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        if not dates:
            return Text(f"Nothing is in s3://{bucket}/parquet/ yet.")
        table = Table(box=None, pad_edge=False)
        table.add_column("part", overflow="fold")
        table.add_column("rows", justify="right")
        table.add_column("size", justify="right")
        for day in dates:
            for part in day.parts:
                counts = Text("damaged", style="red") if part.rows is None else f"{part.rows:,}"
                table.add_row(Text(one_line(part.uri)), counts, size(part.size_bytes))
        rows, total = sum(d.rows for d in dates), sum(d.size_bytes for d in dates)
        parts = sum(len(d.parts) for d in dates)
        told = f"{counted(parts, 'part')}, {counted(rows, 'row')}, {size(total)}"
        if damaged:
            told += f", {len(damaged):,} damaged"
        return Group(table, Text(told, style="bold"), *damage_lines(damaged, mend))

    return View(document, render)


def head_view(head: Head, mend: Mend, empty: str) -> View:
    """mend: what to type for a part that cannot be read. empty: the sentence where there is no part at all: what makes
    some."""
    document = {
        "part": head.uri,
        "columns": list(head.columns),
        "rows": [_plain(row) for row in head.rows],
        "damaged": damage_document(head.damaged, mend),
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        if head.uri is None:
            return Text(one_line(empty))
        shown = _widest(head)
        table = Table(pad_edge=False, box=None, header_style="bold")
        for column in shown:
            table.add_column(Text(one_line(column)), overflow="ellipsis", no_wrap=True, max_width=CELL_CHARS)
        for row in head.rows:
            table.add_row(*(Text(_cell(row.get(column))) for column in shown))
        hidden = [column for column in head.columns if column not in shown]
        lines: list[RenderableType] = [Text(one_line(head.uri), style="dim"), table]
        if hidden:
            lines.append(
                Text(
                    one_line(f"and {counted(len(hidden), 'more column')}: {', '.join(hidden)} (see --json)"),
                    style="dim",
                )
            )
        return Group(*lines)

    return View(document, render)


def _widest(head: Head) -> list[str]:
    """The leading columns that hold something here and fit the screen."""
    from ndjctl.output.base import console

    room = console().width
    shown: list[str] = []
    for column in head.columns:
        cells = [_cell(row.get(column)) for row in head.rows]
        if not any(cells) and head.rows:
            continue
        room -= min(CELL_CHARS, max(len(text) for text in (column, *cells))) + 2
        if shown and room < 0:
            break
        shown.append(column)
    return shown


def _cell(value: object) -> str:
    if value is None:
        return ""
    plain = _plain(value)
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
    return one_line(text[: CELL_CHARS + 1])


def _plain(value: Any) -> Any:
    """A value of Arrow as one of JSON; what JSON has no form for, as text."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (str, int, float)) else str(value)
