"""What stays whole on a terminal of 80 columns."""

from __future__ import annotations

import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ndjctl.output.field_table import FieldRow, field_table

WIDTH = 80


def lines(screen: Any, width: int = WIDTH) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, markup=False, emoji=False, highlight=False).print(screen)
    return [line.rstrip() for line in out.getvalue().splitlines()]


# ------------------------------------------------------------------------------------------------------ a schema's fields

DEEP = FieldRow("received_events_url", 4, "string", "all")
WIDE = FieldRow("commits", 1, "list of struct of 5 fields", "13 of 30")


def test_names_are_whole_and_their_nesting_is_seen() -> None:
    assert lines(field_table([WIDE, DEEP], WIDTH)) == [
        "field                        type                        values",
        "  commits                    list of struct of 5 fields  13 of 30",
        "        received_events_url  string                      all",
    ]


def test_remarks_are_folded_before_names() -> None:
    remark = "3 x string would be rescued; also spelled: Commits"
    shown = lines(field_table([WIDE, DEEP, FieldRow("id", 0, "int64", "all", remark)], WIDTH))
    assert any(line.startswith("        received_events_url  string") for line in shown)
    assert sum(line.startswith("id ") for line in shown) == 1
    assert "".join(line[67:].strip() for line in shown[3:]).replace(" ", "") == remark.replace(" ", "")
    assert max(map(len, shown)) <= WIDTH


NAMES = st.text("ab_é", min_size=1, max_size=60)
ROWS = st.builds(FieldRow, NAMES, st.integers(1, 40), st.sampled_from(["string", "struct of 4 fields"]), st.just("all"))


@given(st.lists(ROWS, min_size=1, max_size=5), st.sampled_from(["", "a remark of some words"]))
def test_what_does_not_fit_goes_on_below_its_beginning(rows: list[FieldRow], remark: str) -> None:
    rows = [*rows, FieldRow("last", 0, "int64", "all", remark)]
    shown = lines(field_table(rows, WIDTH))
    assert max(map(len, shown)) <= WIDTH
    names = "".join(line[: shown[0].index("type")].strip() for line in shown[1:])
    assert names == "".join(row.name for row in rows)
    assert [line.split()[0] for line in shown[1:] if not line.startswith(" ")] == ["last"]
