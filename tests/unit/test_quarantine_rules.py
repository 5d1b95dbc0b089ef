"""What the quarantine's parts decide without a cloud: places, records, what points at an error, backtests."""

from __future__ import annotations

import io
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from glue_job.records import BadLine, parse
from ndjctl.contracts import (
    FormatError,
    Mended,
    Purge,
    PurgedObject,
    Release,
    ReleasedObject,
    SizeWindow,
    bad_line_facts,
    bad_line_json,
)
from ndjctl.output.pointing import decoded, position, visible, window
from ndjctl.quarantine.backtest import FREED, MOST_DATES, NEWLY, NORMAL, OTHER_DATES, STILL, Backtest, Recorded
from ndjctl.quarantine.lines import kept_lines, stored_lines, whole_lines
from ndjctl.quarantine.places import Place, is_copy_of, manifest_id_of, place_of
from ndjctl.reconcile.verdicts import Expected, judge_output, purged_lines

texts = st.text(max_size=12)
counts = st.dictionaries(texts, st.integers(0, 9), max_size=3)


# ---------------------------------------------------------------------------------------------------------- records


@given(
    st.lists(st.builds(PurgedObject, texts, texts, st.integers(0), texts, counts, counts, counts), max_size=3), texts
)
def test_a_purge_comes_back_as_it_was_written(objects: list[PurgedObject], text: str) -> None:
    purge = Purge(text, text, text, text, tuple(objects))
    assert Purge.from_json(purge.to_json(), "here") == purge


@given(st.lists(st.builds(ReleasedObject, texts, st.lists(st.tuples(texts, st.integers(0))).map(tuple)), max_size=3))
def test_a_release_comes_back_as_it_was_written(objects: list[ReleasedObject]) -> None:
    release = Release("i", "d", "a", "b", tuple(objects))
    assert Release.from_json(release.to_json(), "here") == release


def test_mended_lines_come_back_as_they_were_written() -> None:
    mended = Mended("ab", "k", "2026-11-23", 3, "at", "by")
    assert Mended.from_json(mended.to_json(), "here") == mended


@pytest.mark.parametrize("kind", [Purge, Release, Mended])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"format": "ndjctl.purge", "version": 1}',
        b'{"format": "ndjctl.release", "version": 1, "objects": [{}], "id": 1, "date": 1, "at": 1, "by": 1}',
        b'{"format": "ndjctl.mended", "version": 2}',
        b'{"format": "ndjctl.mended", "version": 1, "lines": "x"}',
    ],
)
def test_what_is_no_record_is_refused(kind: type[Purge | Release | Mended], body: bytes) -> None:
    with pytest.raises(FormatError, match="here"):
        kind.from_json(body, "here")


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("2026-11-23/malformed/bad-m-00000.ndjson", Place("2026-11-23", "malformed", "bad-m-00000.ndjson")),
        (
            "2026-11-23/malformed/x/bad-m-00000.ndjson",
            Place("2026-11-23", "orphaned", "malformed/x/bad-m-00000.ndjson"),
        ),
        ("2026-11-23/too-large/in/a/b.ndjson", Place("2026-11-23", "too-large", "in/a/b.ndjson")),
        ("2026-11-31/too-large/a.ndjson", None),
        ("20261123/too-large/a.ndjson", None),
        ("2026-11-23/other/a.ndjson", None),
        ("2026-11-23/too-large/", None),
        ("a", None),
    ],
)
def test_places(key: str, place: Place | None) -> None:
    assert place_of(key) == place


def test_names() -> None:
    folder = "2026-11-23/malformed"
    assert manifest_id_of(f"{folder}/bad-20261123T1-ab-00012.ndjson") == "20261123T1-ab"
    for name in ("copy of bad-m-00000.ndjson", "x/bad-m-00000.ndjson"):
        assert manifest_id_of(f"{folder}/{name}") == ""
    assert is_copy_of("in/a.ndjson", "in/a.ndjson") and not is_copy_of("in/a.ndjson", "a.ndjson")


# ------------------------------------------------------------------------------------------------------------ lines


@given(st.lists(st.tuples(st.binary(max_size=20), st.text(max_size=5), st.integers(0, 10**9)), max_size=6))
def test_lines_come_back_as_they_were(lines: list[tuple[bytes, str, int]]) -> None:
    body = b"".join(
        piece
        for raw, reason, offset in lines
        for piece in bad_line_json(bad_line_facts("s3://b/k", offset, None, reason, 'a "raw": "x'), raw)
    )
    whole = list(whole_lines(io.BytesIO(body)))
    assert [(raw, line.reason, line.byte_offset) for line, raw in whole] == lines
    assert list(stored_lines(io.BytesIO(body))) == [line for line, _ in whole]
    assert b"".join(stored for _, stored in kept_lines(io.BytesIO(body))) == body
    assert sum(line.stored_bytes for line, _ in whole) == len(body)


@pytest.mark.parametrize("body", [b"[1]\n", b"no\n", b"{}\n", b'{"source": 1}\n'])
def test_what_are_no_quarantined_lines(body: bytes) -> None:
    for read in (stored_lines, whole_lines, kept_lines):
        with pytest.raises(ValueError):
            list(read(io.BytesIO(body)))


# --------------------------------------------------------------------------------------------------------- pointing


@pytest.mark.parametrize(
    ("raw", "points_at"),
    [
        (b'{"a": 1 "b": 2}', '"'),
        (b'{"a": NaN}', "N"),
        (b'{"a":1, "a":2}', '"'),
        (b'{"a": "\xff"}', "\udcff"),
        ('{"ü": "é\u2028", "x": }'.encode(), "}"),
        (b'{"a":1} {"b":2}', "{"),
        (b"[1]", "["),
        (b'{"x at character 2":1,"x at character 2":2}', '"'),
        (b'{"a": 1e999}', "1"),
        (b'{"a": "\\ud800"}', '"'),
    ],
)
def test_the_place_is_where_the_job_says_that_it_is(raw: bytes, points_at: str) -> None:
    with pytest.raises(BadLine) as bad:
        parse(raw)
    place = position(raw, str(bad.value))
    assert place is not None and decoded(raw)[place] == points_at, bad.value


def test_a_line_that_ends_too_early_is_pointed_at_behind_its_end() -> None:
    shown = window(b'{"cut"', "not valid JSON: the line ends at character 6 in the middle of a value", 40)
    assert (shown.text, shown.caret) == ('{"cut"', 6)
    assert window(b"{}", "a key is twice in an object", 40).caret is None


lines_of_text = st.one_of(
    st.binary(max_size=300), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
)


@given(lines_of_text, st.integers(1, 400), st.sampled_from(["character", "byte"]), st.integers(20, 90))
def test_a_window_is_one_printable_line_that_fits_with_the_place_in_it(
    raw: bytes, place: int, unit: str, width: int
) -> None:
    shown = window(raw, f"wrong at {unit} {place}", width)
    assert shown.text.isprintable()
    assert cell_len(shown.text) <= width
    assert shown.caret is not None and shown.caret <= cell_len(shown.text)
    index = position(raw, f"wrong at {unit} {place}")
    text = decoded(raw)
    if index is not None and index < len(text):
        assert _cut_at(shown.text, shown.caret).startswith((visible(text[index]), "…"))


def _cut_at(text: str, cells: int) -> str:
    """What is from this cell on."""
    for index in range(len(text) + 1):
        if cell_len(text[:index]) >= cells and (index == len(text) or cell_len(text[index]) > 0 or cells == 0):
            return text[index:]
    return ""


# --------------------------------------------------------------------------------------------------------- backtest

WINDOW = SizeWindow(1, 50, min_mb=10 / 2**20, max_mb=20 / 2**20)


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans())))
def test_a_backtest_counts_each_file_once(files: list[tuple[int, bool]]) -> None:
    result = Backtest(WINDOW)
    for number, (size, was) in enumerate(files):
        result.take(Recorded("2026-11-23", str(number), size, was, "too-small: x"))
    would = [WINDOW.verdict(size) is not None for size, _ in files]
    pairs = Counter((was, is_) for (_, was), is_ in zip(files, would, strict=True))
    names = {(False, True): NEWLY, (True, False): FREED, (True, True): STILL, (False, False): NORMAL}
    assert result.totals.files == Counter({names[pair]: count for pair, count in pairs.items()})
    assert sum(result.totals.percent(outcome) for outcome in names.values()) == pytest.approx(100 if files else 0)
    assert sum(day.total for day in result.days.values()) == len(files)


def test_of_many_dates_some_are_counted_together() -> None:
    result = Backtest(WINDOW)
    for number in range(MOST_DATES + 50):
        result.take(Recorded(f"d{number}", "k", 15, False, ""))
    assert len(result.days) == MOST_DATES + 1 and result.days[OTHER_DATES].total == 50


# ----------------------------------------------------------------------------------------------------------- purged


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_purged_lines_stand_for_missing_ones_and_for_no_others(wanted: int, there: int, purged: int) -> None:
    judged = judge_output({"s": Expected(wanted, 0, wanted)}, Counter(), Counter({"s": there}), (), (), {"s": purged})
    kinds = {problem.kind for problem in judged.problems}
    if there > wanted:
        assert kinds == {"duplicated"}
    else:
        assert kinds == ({"missing"} if there + purged < wanted else set())
        assert judged.purged_lines == min(purged, wanted - there)


def test_a_purge_counts_where_it_was_carried_out_and_once() -> None:
    one = PurgedObject("k", "e1", 5, "jr_1", {"s": 2}, {"r": 2})
    two = PurgedObject("k", "e2", 5, "jr_1", {"s": 1}, {"r": 1})
    assert purged_lines([one, one, two], {}, "jr_1") == Counter({"s": 3})
    assert purged_lines([one, two], {"k": "e2"}, "jr_1") == Counter({"s": 2}), "the second died before it was done"
    assert purged_lines([one, two], {}, "jr_2") == Counter(), "another run's output"
    assert purged_lines([one], {}, "") == Counter({"s": 2})
    assert json.loads(Purge("i", "d", "a", "b", (one,)).to_json())["version"] == 1
