"""The screens of `ndjctl monitor`, on small and large terminals, of good and bad nights, and its document."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

import ndjctl.monitor
from ndjctl.health.model import Checked, Remedy
from ndjctl.monitor.model import Budget, Cost, Counted, Forecast, SinceLast, Snapshot
from ndjctl.output.monitor import monitor_document
from ndjctl.output.monitor_live import live_screen
from ndjctl.output.monitor_screen import Frame, monitor_screen
from ndjctl.reading import Reading
from tests.monitor_world import LATE, NOW, ODD_KEY, PANELS, busy, quiet, refused, wave

SIZES = [(80, 24), (100, 30), (160, 50), (132, 43), (60, 12), (200, 24), (120, 40)]
WIDTHS = [80, 81, 97, 100, 119, 120, 121, 126, 128, 133, 160, 200]
FOOTER = "27 calls"


def typed(remedy: Remedy) -> str:
    words = remedy.words
    return " ".join(["ndjctl", *words, "--env", "prod"]) if words else ""


def drawn(snapshot: Snapshot, columns: int, rows: int | None, *, blocks: bool = True, color: bool = False) -> list[str]:
    out = StringIO()
    screen = Console(file=out, width=columns, markup=False, emoji=False, highlight=False, force_terminal=color)
    screen.print(monitor_screen(snapshot, typed, Frame(columns, rows, blocks, FOOTER)), soft_wrap=rows is None)
    return out.getvalue().splitlines()


@pytest.mark.parametrize(("columns", "rows"), SIZES)
@pytest.mark.parametrize("snapshot", [busy(), quiet(), refused(*PANELS)], ids=["busy", "quiet", "refused"])
def test_a_screen_fits(snapshot: Snapshot, columns: int, rows: int) -> None:
    lines = drawn(snapshot, columns, rows)
    assert max(map(cell_len, lines)) <= columns
    assert len(lines) <= rows
    assert snapshot.health.word in lines[0]
    assert lines[0].rstrip().endswith("03:12:45Z")
    assert lines[-1].startswith(FOOTER)


NEWEST = (0.0,) * 59 + (7.0,)
"""Files came in the minute that ends now, and in no other."""


@pytest.mark.parametrize("columns", [1, 2, 5, 10, 11, 12, 20, 40])
@pytest.mark.parametrize("rows", [1, 3, 12])
def test_a_tiny_terminal_gets_what_fits(columns: int, rows: int) -> None:
    lines = drawn(busy(), columns, rows)
    assert max(map(cell_len, lines)) <= columns
    assert len(lines) <= rows


def without_long_words() -> Snapshot:
    """Keys and messages are cut where a line ends; of what is here nothing has to be."""
    found = busy(newest_failed=())
    assert found.runs.value is not None
    ended = tuple(replace(run, error="it broke") for run in found.runs.value.last_failed)
    return replace(found, runs=Reading(replace(found.runs.value, last_failed=ended)))


def with_newest_minute() -> Snapshot:
    found = without_long_words()
    came, done = found.arrivals.value, found.completions.value
    assert came is not None and done is not None
    return replace(
        found,
        arrivals=Reading(replace(came, per_minute=NEWEST)),
        completions=Reading(replace(done, per_minute=NEWEST)),
        since_last=SinceLast(10.0, 20, 100),
    )


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("rows", [28, 40, 55])
@pytest.mark.parametrize("blocks", [True, False])
def test_nothing_is_cut_off_at_any_width(columns: int, rows: int, blocks: bool) -> None:
    text = "\n".join(drawn(with_newest_minute(), columns, rows, blocks=blocks))
    assert not re.search("…" if blocks else r"(?m)[^.#][.]{3}( [|]|$)", text), text
    low, high = "▁█" if blocks else "_#"
    assert len(re.findall(f"{low}{{7,}}{high}(?!{low})", text)) >= 2, "the newest minute of both charts"
    wanted = [
        "7,021 in the hour",
        "23.6 TiB",
        "5,900 in the hour",
        "18,300 today",
        ">30: 519",
        "of 30 min promised, LATE",
    ]
    wanted += [
        "grows by 1,560 files an hour",
        "3 dead letters",
        "12 of 30 run",
        "2 FAILED, 1 TIMEOUT",
        "120 lines set aside today",
    ]
    wanted += ["Glue $1,234.56", "2,805.8 DPU hours", "198 runs", "$0.44 a DPU hour", "20261123T030012123Z-7f3a9c12"]
    wanted += [
        "20 in and 100 out since the last refresh",
        "took 6 min 42 s",
        "480 DPUs in use",
        "7 of the hour's files",
    ]
    if columns >= 120 and rows >= 40:
        wanted += ["most 7.0/min", "now 1,988, most 2,100", "now 0, most 0", "(p95 21 min)", "(p95 9 min)"]
    assert not [each for each in wanted if each not in text], text


def test_many_figures_go_on_in_the_next_line() -> None:
    found = without_long_words()
    came, done, waits = found.arrivals.value, found.completions.value, found.backlog.value
    assert came is not None and done is not None and waits is not None
    ends = dict.fromkeys(("FAILED", "TIMEOUT", "ERROR", "EXPIRED", "STOPPED"), 1_111)
    assert found.runs.value is not None
    huge = replace(
        found,
        arrivals=Reading(replace(came, by_status={"pending": 338_000}, is_complete=False, per_minute=wave(123_456))),
        completions=Reading(replace(done, files_hour=338_000, files_today=3_380_000, is_complete=False)),
        backlog=Reading(replace(waits, pending_under_5_min=99_999, pending_5_to_30_min=222_222, is_complete=False)),
        runs=Reading(replace(found.runs.value, today=ends)),
        counted=Reading(
            replace(found.counted.value or Counted(), files_quarantined=12_345, lines_quarantined=9_876_543)
        ),
    )
    for columns, rows in ((80, 45), (100, 45), (120, 45), (140, 45)):
        text = "\n".join(drawn(huge, columns, rows))
        assert "…" not in text
        wanted = ["at least 338,000 in the hour", "3,380,000 today", "222,222", ">30: 519", "9,876,543 lines"]
        wanted += ends
        assert text.count("1,111") == len(ends)
        assert not [each for each in wanted if each not in text], text


@pytest.mark.parametrize(("columns", "rows"), [(120, 40), (160, 50), (80, 24), (100, 30)])
def test_much_trouble_leaves_room_for_every_part(columns: int, rows: int) -> None:
    reason = "The reason is a long one, " * 6
    many = [
        Checked(
            f"b{number}", "b", "warn", f"{number}: {reason}", remedies=(Remedy(("deploy", "--set", f"x={'y' * 30}")),)
        )
        for number in range(5)
    ]
    lines = drawn(busy(many, cost=Reading(Cost(125.0, 3, 55.0, 0.44, "us-east-1", True, HELD))), columns, rows)
    text = "\n".join(lines)
    assert len(lines) <= rows and lines[-1].startswith(FOOTER)
    wanted = ["/min", "pending", "dead letters", "12 of 30 run", "12 files", "31 files", "$55.00", "DPUs in use"]
    assert not [each for each in wanted if each not in text], text
    assert "more: ndjctl doctor --env prod" in text


def test_a_small_screen_has_what_counts() -> None:
    text = "\n".join(drawn(busy(), 80, 24))
    for wanted in (
        "3 events are in the dead-letter queue",
        "type: ndjctl redrive dlq --env prod",
        "42 min 10 s",
        "LATE",
        "4,120 pending",
        ">30: 519",
        "174/min",
        "grows by 1,560 files an hour",
        "3 dead letters",
        "9 wait (oldest 12 min, 1 refused)",
        "12 of 30 run",
        "12 files",
        "2 FAILED, 1 TIMEOUT",
        "31 files",
        "$1,234.56",
    ):
        assert wanted in text, wanted


def test_a_large_screen_has_more() -> None:
    text = "\n".join(drawn(busy(), 160, 50))
    for wanted in ("p95 21 min", "480 DPUs in use", "function: errors", "now 3, most 3", "java.lang.OutOfMemoryError"):
        assert wanted in text, wanted
    assert sum("running " in line for line in text.splitlines()) == 12


def test_a_file_gets_every_line_whole() -> None:
    lines = drawn(busy(), 160, None)
    assert any(ODD_KEY[:19] in line and "kkk.ndjson" in line for line in lines)
    assert sum("running " in line for line in lines) == 12


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (160, 50), (160, None)])
def test_a_key_is_data(columns: int, rows: int | None) -> None:
    text = "\n".join(drawn(busy(), columns, rows, color=True))
    assert "[bold red]a[/]" in text
    assert "\\n<script>" in text, "its line end is told, not made"
    assert "java heap space [x]" in text.lower()


def test_without_color_and_blocks_there_is_plain_ascii() -> None:
    plain = busy(newest_failed=())
    for rows in (24, 50, None):
        text = "\n".join(drawn(plain, 160, rows, blocks=False))
        assert text.isascii()
        assert "\x1b" not in text


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_that_was_refused_says_so_and_the_rest_lives(panel: str) -> None:
    snapshot = refused(panel)
    for columns, rows in ((80, 24), (160, 50), (160, None)):
        text = "\n".join(drawn(snapshot, columns, rows))
        if panel != "trends" or rows == 50:
            assert "not read (denied)" in text
        assert text.count("not read (denied)") <= 3
    document = monitor_document(snapshot, typed)
    names = {"counted": "counted_today"}
    unread = [name for name, value in document.items() if isinstance(value, dict) and value.get("read") is False]
    assert unread == [names.get(panel, panel)]
    assert document[unread[0]]["why"] == "denied"


@pytest.mark.parametrize("of", ["screen", "page"])
def test_what_was_set_aside_and_what_glue_cost_are_called_that(of: str) -> None:
    """Lines that were released or cleaned up since stay counted, and the day's cost is more than Glue's."""
    page = Path(ndjctl.monitor.__file__).parent / "page/monitor.js"
    text = "\n".join(drawn(busy(), 80, 24)) if of == "screen" else page.read_text(encoding="utf-8")
    assert "set aside today" in text and "lines today" not in text
    assert "Glue" in text and "so far" not in text


def test_where_the_price_is_unknown_glue_is_named_too() -> None:
    text = "\n".join(drawn(busy(cost=Reading(Cost(1.5, 2, None, None, "no price for xx-1", False))), 100, 40))
    assert "Glue at least price unknown" not in text
    assert "Glue: price unknown" in text and "at least 1.5 DPU hours" in text


class Terminal(TextIOWrapper):
    """Standard output of a terminal, of 120 columns and 40 rows."""

    def __init__(self, encoding: str) -> None:
        super().__init__(BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        return True

    def told(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(("encoding", "has_blocks"), [("utf-8", True), ("ascii", False)])
def test_the_live_screen_has_what_the_terminal_can_show(
    monkeypatch: pytest.MonkeyPatch, encoding: str, has_blocks: bool
) -> None:
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal(encoding)
    monkeypatch.setattr("sys.stdout", terminal)
    with live_screen(typed, 10.0) as show:
        show(without_long_words())
    for each in "╭█▁·":
        assert (each in terminal.told()) is has_blocks
    assert ("+-" in terminal.told()) is not has_blocks
    monkeypatch.undo()


@pytest.mark.parametrize("snapshot", [busy(), quiet(), refused(*PANELS)], ids=["busy", "quiet", "refused"])
def test_a_snapshot_is_a_document(snapshot: Snapshot) -> None:
    document = json.loads(json.dumps(monitor_document(snapshot, typed), allow_nan=False))
    assert document["health"]["headline"] == snapshot.health.word
    assert document["refresh"] == {"calls": 27, "seconds": 0.81}


def test_the_document_has_the_figures_of_the_screen() -> None:
    document = monitor_document(busy(), typed)
    assert document["backlog"]["lag_s"] == 2_530.0
    assert document["backlog"]["is_late"] is True
    assert document["arrivals"]["files_hour"] == 7_021
    assert len(document["arrivals"]["files_per_minute"]) == len(document["completions"]["files_per_minute"]) == 60
    assert document["forecast"] == {
        "kind": "grows",
        "seconds": None,
        "gone_at": None,
        "files_per_hour": 1_560.0,
        "why": None,
    }
    (dead, late) = document["health"]["checks"]
    assert dead["remedies"] == [{"command": "ndjctl redrive dlq --env prod", "hint": None}]
    assert late["remedies"] == [{"command": None, "hint": "see what the runs do"}]
    assert document["newest_failed"][0]["key"] == ODD_KEY


@pytest.mark.parametrize(
    ("forecast", "words"),
    [
        (Forecast("clear"), "nothing waits"),
        (Forecast("clears", seconds=3_600.0), "gone in 1 h (04:12Z)"),
        (Forecast("clears", seconds=86_400.0), "gone in 1 d (2026-11-24 03:12Z)"),
        (Forecast("clears", seconds=1e12), "gone in 11574074 d"),
        (Forecast("unknown", why="nothing was completed in the last hour"), "nothing was completed"),
    ],
)
def test_a_forecast_in_words(forecast: Forecast, words: str) -> None:
    assert words in "\n".join(drawn(busy(forecast=forecast), 80, 40))


def test_what_happened_since_the_last_refresh() -> None:
    text = "\n".join(drawn(busy(since_last=SinceLast(10.0, 20, 100)), 80, 40))
    assert "20 in and 100 out since the last refresh, 10 s ago" in text


def test_long_reasons_are_told_whole_and_many_are_counted() -> None:
    long = Checked(
        "a", "a", "fail", "word " * 40 + "end.", remedies=(Remedy(("deploy", "--set", "x=" + "y" * 90)),), is_down=True
    )
    many = [Checked(f"b{number}", "b", "warn", f"reason {number}.") for number in range(5)]
    lines = drawn(busy([long, LATE, *many]), 80, 40)
    text = " ".join(line.strip() for line in lines)
    assert "DOWN" in lines[0]
    assert " end." in text
    assert "".join(lines).count("y") >= 90
    assert "and 4 more: ndjctl doctor --env prod" in text


def test_what_could_not_be_checked_is_said() -> None:
    unknown = Checked("c", "c", "unknown", "The clock could not be compared.")
    assert "1 check could not be made: The clock could not be compared." in "\n".join(drawn(busy([unknown]), 80, 30))


@pytest.mark.parametrize(
    ("hours", "told"),
    [(0.0, "0 DPU hours"), (0.046, "0.05 DPU hours"), (0.001, "less than 0.01"), (2_805.81, "2,805.8")],
)
def test_few_dpu_hours_have_two_digits(hours: float, told: str) -> None:
    cost = Reading(Cost(hours, 1, hours * 0.44, 0.44, "us-east-1", True))
    text = "\n".join(drawn(replace(quiet(), cost=cost), 160, 50))
    assert told in text


HELD = Budget(44.0, 1.25, True, NOW.replace(hour=0, minute=50), False, None)


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (HELD, "125% of the budget of $44.00 a day: runs are held since 00:50Z"),
        (
            replace(HELD, held_since=None, is_lifted=True),
            "125% of the budget of $44.00 a day: lifted until midnight UTC",
        ),
        (replace(HELD, held_since=None, is_lifted=True, limit_usd=60.0), "lifted to $60.00 until midnight UTC"),
        (replace(HELD, held_since=None, share=0.5), "50% of the budget of $44.00 a day"),
        (replace(HELD, held_since=None, share=None), "unknown of the budget"),
    ],
)
def test_the_budget_stands_by_what_today_cost(budget: Budget, words: str) -> None:
    cost = Reading(Cost(125.0, 3, 55.0, 0.44, "us-east-1", True, budget))
    snapshot = replace(busy(), cost=cost)
    assert words in "\n".join(drawn(snapshot, 100, None))
    for columns, rows in SIZES:
        lines = drawn(snapshot, columns, rows)
        assert max(map(cell_len, lines)) <= columns and len(lines) <= rows
    document = monitor_document(snapshot, typed)["cost"]["budget"]
    assert document["usd_per_day"] == 44.0 and document["is_lifted"] is budget.is_lifted
    assert monitor_document(busy(), typed)["cost"]["budget"] is None
