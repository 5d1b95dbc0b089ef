"""What stays whole on a terminal of 80 columns."""

from __future__ import annotations

import io
import sys
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from ndjctl.errors import UsageError
from ndjctl.manifests import ManifestSummary
from ndjctl.output.base import ConsoleOutput
from ndjctl.output.field_table import FieldRow, field_table
from ndjctl.output.manifests import manifests_view
from ndjctl.output.wrapping import wrapped

WIDTH = 80


def lines(screen: Any, width: int = WIDTH) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, markup=False, emoji=False, highlight=False).print(screen)
    return [line.rstrip() for line in out.getvalue().splitlines()]


# ---------------------------------------------------------------------------------------------------- a schema's fields

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


# --------------------------------------------------------------------------------------------------- errors and remarks

RESUME = "'ndjctl loadtest --resume 20261128T002308Z --env dev'"
SENTENCE = (
    f"Interrupted: what was uploaded goes on through the pipeline and is kept; {RESUME} looks again at AWS's own."
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch, name: str = "stderr", width: int = WIDTH) -> Terminal:
    """What is stderr from now on. (No fixture: pytest puts its own stderr back between a fixture and its test.)"""
    screen = Terminal()
    monkeypatch.setattr(sys, name, screen)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "dumb")
    return screen


def test_an_error_breaks_between_words_and_keeps_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = terminal(monkeypatch)
    ConsoleOutput().error(UsageError(f"{SENTENCE}\nAWS_PROFILE {'x' * 40} names {'y' * 40}"))
    shown = stderr.getvalue().splitlines()
    assert shown == [
        "error: Interrupted: what was uploaded goes on through the pipeline and is kept;",
        f"       {RESUME} looks again at",
        "       AWS's own.",
        f"       AWS_PROFILE {'x' * 40} names",
        f"       {'y' * 40}",
    ]


def test_a_remark_does_so_too(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = terminal(monkeypatch)
    ConsoleOutput().note(SENTENCE)
    assert stderr.getvalue().splitlines() == [
        "Interrupted: what was uploaded goes on through the pipeline and is kept;",
        f"{RESUME} looks again at AWS's own.",
    ]


def test_in_a_pipe_nothing_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    ConsoleOutput().error(UsageError(SENTENCE * 3))
    ConsoleOutput().note(SENTENCE * 3)
    assert capsys.readouterr().err == f"error: {SENTENCE * 3}\n{SENTENCE * 3}\n"


@given(st.text("ab '漢", max_size=80), st.integers(5, 40))
def test_lines_fit_and_lose_nothing_but_blanks_between_words(text: str, width: int) -> None:
    found = wrapped(text, width)
    assert "".join(found).replace(" ", "") == text.replace(" ", "")
    assert [word for line in found for word in line.split()] == text.split()
    for line in found:
        assert cell_len(line) <= width or " " not in line.strip()


# ------------------------------------------------------------------------------------------------------- the manifests

NOW = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)
M1, M2 = "20261127T120001000Z-00000001", "20261127T120001000Z-00000002"
ERROR = "run refused: " + "ConcurrentRunsExceededException " * 4 + "end"


def summary(name: str, state: str, error: str = "") -> ManifestSummary:
    created = NOW - timedelta(hours=23, minutes=59)
    run_id = "jr_" + "3" * 64
    return ManifestSummary(
        name, "2026-11-27", state, True, 100, 419_430_400_000, created, None, None, None, 2, run_id, error, None
    )


def listed(monkeypatch: pytest.MonkeyPatch, width: int | None) -> list[str]:
    """width: None for a pipe."""
    found = [summary(M1, "abandoned", ERROR), summary(M2, "running")]
    stdout = terminal(monkeypatch, "stdout", width) if width else io.StringIO()
    monkeypatch.setattr(sys, "stdout", stdout)
    ConsoleOutput().stream(manifests_view("dev", found, NOW, "ndjctl manifests show ID"))
    return [line.rstrip() for line in stdout.getvalue().splitlines()]


def test_manifests_are_whole_on_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = listed(monkeypatch, WIDTH)
    assert shown[0] == "state      manifest                      date         files          age  try"
    assert shown[1] == f"abandoned  {M1}  2026-11-27     100  23 h 59 min    2"
    assert shown[2] == "  run refused: ConcurrentRunsExceededException ConcurrentRunsExceededException"
    assert shown[3] == "  ConcurrentRunsExceededException ConcurrentRunsExceededException end"
    assert shown[4].startswith(f"running    {M2}  ")
    assert max(map(len, shown)) <= WIDTH


@pytest.mark.parametrize("width", [WIDTH, 119, 120, 200, 300])
def test_an_error_is_whole_at_any_width(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    shown = listed(monkeypatch, width)
    assert max(map(len, shown)) <= width
    assert ERROR in " ".join(" ".join(shown).split())


def test_in_a_pipe_a_manifest_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = listed(monkeypatch, None)
    assert len(shown) == 5
    assert shown[1].split()[1] == M1 and shown[1].endswith(f"jr_33333333…  {ERROR}")
