"""A table of the fields of a schema, which keeps names whole and their nesting seen as far as the screen lets it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ndjctl.output.base import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_INDENT = 2
_GAP = 2
"""Columns between two columns of the table."""
_NARROWEST_REMARKS = 12
_NARROWEST_FIELD = 16


@dataclass(frozen=True)
class FieldRow:
    """depth: how many fields it is within. values: how often it is there, in words."""

    name: str
    depth: int
    type_text: str
    values: str = ""
    remarks: str = ""


def field_table(rows: Sequence[FieldRow], width: int) -> Table:
    """width: columns of the screen. Remarks are folded before names are. What no row has, has no column."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    texts = [(one_line(row.type_text), one_line(row.values), one_line(row.remarks)) for row in rows]
    heads = ("type", "values", "remarks")
    longest = [
        max([cell_len(head), *(cell_len(each[place]) for each in texts)]) if any(each[place] for each in texts) else 0
        for place, head in enumerate(heads)
    ]
    room = width - sum(_GAP + each for each in longest[:2] if each)
    if longest[2]:
        room -= _GAP + min(longest[2], _NARROWEST_REMARKS)
    names = max([cell_len("field"), *(_INDENT * row.depth + cell_len(one_line(row.name)) for row in rows)])
    field_width = min(names, max(room, _NARROWEST_FIELD))

    table = Table(box=None, pad_edge=False)
    table.add_column("field", width=field_width)
    for head, chars in zip(heads, longest, strict=True):
        if chars:
            table.add_column(head, no_wrap=head != "remarks", overflow="fold")
    for row, cells in zip(rows, texts, strict=True):
        shown = [Text(cell) for cell, chars in zip(cells, longest, strict=True) if chars]
        if longest[2]:
            shown[-1].stylize("yellow")
        table.add_row(_name(row, field_width), *shown)
    return table


def _name(row: FieldRow, width: int) -> RenderableType:
    """What does not fit goes on below the beginning of the name, not at the edge, where other fields stand."""
    from rich.padding import Padding
    from rich.text import Text

    indent = min(_INDENT * row.depth, width // 2)
    return Padding(Text(one_line(row.name), overflow="fold"), (0, 0, 0, indent), expand=False)
