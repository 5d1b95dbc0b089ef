"""The page of a load test: well-formed, offline, escaped; and its charts."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.output.loadtest_charts import Series, bars, labels, lines, number, stacked, ticks
from ndjctl.output.loadtest_page import page

NASTY = "<script>alert(1)</script>&\"'\n[bold]\x1b"


def _report(**more: Any) -> dict[str, Any]:
    samples = [
        {"at_s": 0.0, "fed": 0, "counts": {}, "in_work": 0, "completed_bytes": 0},
        {"at_s": 5.0, "fed": 10, "counts": {"pending": 4, "processing": 6}, "in_work": 1, "completed_bytes": 0},
        {"at_s": 9.0, "fed": 10, "counts": {"completed": 10}, "in_work": 0, "completed_bytes": 100},
    ]
    report: dict[str, Any] = {
        "id": "20261127T100000Z-bbbb",
        "env": NASTY,
        "tool_version": NASTY,
        "verdict": "FAIL",
        "reasons": [NASTY],
        "checks": [{"name": "p95", "ok": False, "sentence": NASTY}, {"name": "lines", "ok": True, "sentence": "fine"}],
        "phase": 1,
        "settings": {
            "files": 10,
            "file_size_bytes": 1000,
            "shape": NASTY,
            "seed": 1,
            "bad_lines": "10",
            "drift": "0",
        },
        "configuration": {"hash": "c", "source": NASTY},
        "begun_at": "2026-11-26T10:00:00.000Z",
        "seconds": 9.0,
        "mb_per_s": 2.0,
        "files_per_hour": 4000,
        "counts": {"completed": 10},
        "lines": dict.fromkeys(
            (
                "lines_in",
                "rows",
                "rows_expected",
                "bad_lines",
                "bad_lines_expected",
                "lost",
                "duplicated",
                "parts",
                "parquet_bytes",
            ),
            3,
        ),
        "latency_s": {"p50": 1.0, "p95": 2.0, "p99": None, "max": 3.0},
        "manifests": 1,
        "most_runs_at_once": 1,
        "runs": {"count": 1, "failed": 0},
        "dpu_hours": 0.5,
        "dead_letters": 0,
        "faults": [NASTY],
        "cost": {"total_usd": None, "estimated_usd": None, "requests_usd": 0.1, "not_counted": "storage"},
        "expected": {"manifests": 1, "seconds": 10.0, "dpu_hours": 0.1, "basis": NASTY},
        "feed": {"requests": 10, "uploads": 4, "copies": 6, "pace": NASTY},
        "remarks": [NASTY],
        "cleanup": {"inputs": 1, "parts": 1, "items": 1, "manifests": 1, "kept": [NASTY]},
        "series": {
            "samples": samples,
            "latency_s": [[1.0, 2.0, 5], [2.0, 3.0, 5]],
            "mb_per_s": [[0.0, 1.0], [5.0, 2.0]],
            "runs_at_once": [[1.0, 1.0], [8.0, 0.0]],
            "usd": [],
        },
    }
    return {**report, **more}


class _Checked(HTMLParser):
    """Every tag is closed in its turn, and none asks for anything."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "img", "iframe", "object"), tag
        assert not {"src", "href", "onload", "onclick"} & {name for name, _ in attrs}
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("series", ["full", "empty"])
def test_the_page_is_whole_offline_and_escaped(series: str) -> None:
    none: dict[str, Any] = {"samples": [], "latency_s": [], "mb_per_s": [], "runs_at_once": [], "usd": []}
    report = _report() if series == "full" else _report(series=none)
    text = page(report)
    checked = _Checked()
    checked.feed(text)
    checked.close()
    assert checked.open == []
    assert checked.seen.count("svg") == 6
    assert "<script" not in text and "&lt;script&gt;" in text
    assert not re.search(r"https?://|url\(|@import", text)
    assert len(text) < 60_000


def test_the_name_of_a_check_is_not_broken() -> None:
    checks = [{"name": "dead_letters", "ok": False, "sentence": "a long sentence " * 40}]
    text = page(_report(checks=checks))
    assert '<td class="name">dead letters</td>' in text
    assert ".name{white-space:nowrap}" in text


def test_a_passed_test_has_no_reasons() -> None:
    text = page(_report(verdict="PASS", reasons=[], cleanup=None))
    assert "Why it failed" not in text and ">PASS<" in text


_NUMBERS = st.floats(0, 1e9)


@given(st.lists(st.tuples(_NUMBERS, _NUMBERS), max_size=20))
def test_no_chart_leaves_its_frame(points: list[tuple[float, float]]) -> None:
    points = sorted(points)
    drawn = [
        lines([Series("a", "c1", points)], "s", "files", steps=True, area=True),
        stacked([Series("a", "c1", points), Series("b", "c2", points)], "s", "files"),
        bars([(x, x + 1, y) for x, y in points[:1]], "s", "files", [("p50", points[0][0])] if points else []),
    ]
    for svg in drawn:
        assert "nan" not in svg and "inf" not in svg
        for path in re.findall(r' d="([^"]+)"', svg):
            for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path):
                assert -0.1 <= float(x) <= 640.1 and -0.1 <= float(y) <= 230.1


@given(_NUMBERS, _NUMBERS)
def test_ticks_are_few_round_and_within(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 1 <= len(found) <= 12
    assert found == sorted(found)
    assert all(low * (1 - 1e-6) - 1e-9 <= each <= (low + span) * (1 + 1e-6) + span * 1e-3 + 1e-9 for each in found)


@given(_NUMBERS, _NUMBERS)
def test_the_labels_of_ticks_differ(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert len(set(labels(found))) == len(found)


def test_labels_have_as_many_decimals_as_tell_them_apart() -> None:
    assert labels(ticks(12.299, 12.351)) == ["12.30", "12.31", "12.32", "12.33", "12.34", "12.35"]
    assert labels(ticks(0, 5)) == ["0", "1", "2", "3", "4", "5"]
    assert labels(ticks(1200.2, 1201.3))[:2] == ["1,200.2", "1,200.4"]
    assert labels(ticks(0, 3e6)) == ["0", "0.5M", "1M", "1.5M", "2M", "2.5M", "3M"]


def test_a_chart_of_close_values_has_ticks_that_differ() -> None:
    svg = bars([(12.301 + 0.001 * n, 12.302 + 0.001 * n, 2.0) for n in range(24)], "s", "files", [("p50", 12.31)])
    across = re.findall(r'text-anchor="middle">([^<]+)<', svg)
    assert len(across) >= 3 and len(set(across)) == len(across)


def test_what_is_counted_has_whole_ticks() -> None:
    assert ticks(0, 1, least_step=1.0) == [0, 1]
    svg = lines([Series("runs", "c1", [(0.0, 0.0), (3.0, 2.0)])], "s", "runs")
    assert re.findall(r'class="tick" x="52"[^>]*>([^<]+)<', svg) == ["0", "1", "2"]


def test_numbers_are_short() -> None:
    assert [number(each) for each in (0, 0.25, 1200, 3_400_000, 12)] == ["0", "0.25", "1,200", "3.4M", "12"]
