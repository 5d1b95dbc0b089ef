"""What a reconciliation rests on: sorted streams walked along, dates of objects, bounded findings."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ndjctl.quarantine.lines import line_heads
from ndjctl.reconcile.findings import MISSING, ORPHANED, Example, Findings, Remedy
from ndjctl.reconcile.join import Pair, named_date, pairs, possible_dates
from ndjctl.reconcile.naming import group_of, group_of_manifest, is_passed_over, manifest_id_in, part_number
from ndjctl.reconcile.records import FileItem
from ndjctl.reconcile.remedies import rewriting
from ndjctl.reconcile.scope import Scope, scope_of
from ndjctl.reconcile.streams import Cursor, Listed, grouped, ordered_map
from ndjctl.reconcile.unchanged import UNNAMED, Mark, Record, is_unchanged, part_mark, records_of
from ndjctl.reconcile.verdicts import Expected, judge_output

NOW = datetime(2026, 3, 14, 12, tzinfo=timezone.utc)
DATES = ["2026-03-12", "2026-03-13", "2026-03-14", "2026-03-15", "2026-05-01"]


def listed(key: str, modified: datetime = NOW) -> Listed:
    return Listed("b", key, 1, "e", modified)


@given(st.lists(st.text(max_size=5)))
def test_the_order_of_python_is_that_of_the_services(keys: list[str]) -> None:
    encodable = [key for key in keys if not any("\ud800" <= c <= "\udfff" for c in key)]
    assert sorted(encodable) == sorted(encodable, key=lambda key: key.encode())


names = st.builds("{}{}.ndjson".format, st.sampled_from(["", "a/", "é/", "z"]), st.text("ab-1😀", max_size=3))
dated = st.builds(
    "{}{}-{}.ndjson".format, st.sampled_from(["", "b/"]), st.sampled_from(DATES), st.text("ab", max_size=2)
)
keys = st.one_of(names, dated)


@example({".ndjson": 1, "1.ndjson": 0}, {("2026-03-14", ".ndjson"): None}, set(), True)
@given(
    st.dictionaries(keys, st.integers(0, 3), max_size=12),
    st.dictionaries(st.tuples(st.sampled_from(DATES), keys), st.none(), max_size=12),
    st.sets(st.sampled_from(DATES)),
    st.booleans(),
)
def test_every_object_and_every_item_comes_once(
    objects: dict[str, int], items: dict[tuple[str, str], None], dates: set[str], wants: bool
) -> None:
    listing = [listed(key, NOW - timedelta(days=days)) for key, days in sorted(objects.items())]
    asked: list[str] = []
    asked_by_then: dict[str, list[str]] = {}

    def items_of(date: str) -> Iterator[FileItem]:
        asked.append(date)
        return iter([FileItem(date, key, "pending") for of, key in sorted(items) if of == date])

    def listing_pages() -> Iterator[Listed]:
        for each in listing:
            yield each
            asked_by_then[each.key] = list(asked)  # a date that is asked for later was not looked into

    found = list(pairs(listing_pages(), items_of, sorted(dates), lambda _listed: wants))
    assert len(asked) == len(set(asked)) and dates <= set(asked)
    seen_items = [pair.item.id for pair in found if pair.item]
    assert Counter(seen_items) == Counter(each for each in items if each[0] in asked)
    seen = Counter(pair.listed.key for pair in found if pair.listed)
    assert all(count == 1 for count in seen.values())
    for each in listing:
        homes = possible_dates(each)
        looked_into = asked_by_then[each.key]
        known = [date for date in homes if date in looked_into and (date, each.key) in items]
        assert (each.key in seen) == bool(known or homes[0] in looked_into)
        matched = [pair.date for pair in found if pair.listed == each]
        assert matched == ([known[0]] if known else homes[:1] if homes[0] in looked_into else [])
    assert all(pair.item is None or pair.listed is None or pair.item.key == pair.listed.key for pair in found)


IDS = ["20260314T120000000Z-00000001", "20260314T120000000Z-00000002"]
pieces = st.sampled_from(
    [*IDS, "part-", "-00000", "-00001", "-0001", ".parquet", ".bak", "/", " copy", "sub/", "-", "x"]
)


@example([f"part-{IDS[0]}-00000.parquet", f"part-{IDS[0]}-00000.parquet.bak", f"part-{IDS[0]}-00001.parquet"])
@example([f"part-{IDS[0]} copy.parquet", f"part-{IDS[0]}-00000-00001.parquet", f"part-{IDS[0]}-00001.parquet"])
@given(st.lists(st.lists(pieces, max_size=7).map("".join)))
def test_what_is_of_one_manifest_comes_together_whatever_lies_between(texts: list[str]) -> None:
    keys = sorted(f"parquet/2026-03-14/{text}" for text in texts)
    groups = [group_of(key) for key in keys]
    assert groups == sorted(groups)
    for key, group in zip(keys, groups, strict=True):
        if manifest_id_in(key) in IDS:
            assert group == group_of_manifest(manifest_id_in(key))


def test_names_in_the_folder_of_a_date() -> None:
    for folder, name in (
        ("parquet/2026-03-14", "part-m1-00012.parquet"),
        ("2026-03-14/malformed", "bad-m1-00012.ndjson"),
    ):
        assert (manifest_id_in(f"{folder}/{name}"), part_number(f"{folder}/{name}")) == ("m1", 12)
        for other in (f"sub/{name}", f"part-m1/{name}", f"{name}.bak", f"copy of {name}", "part-m1-1.parquet", ""):
            assert manifest_id_in(f"{folder}/{other}") == ""
    assert group_of("parquet/2026-03-14/part-m1-00012.parquet") == group_of_manifest("m1")
    assert is_passed_over("_SUCCESS", 5) and is_passed_over(".crc", 5) and is_passed_over("sub/", 0)
    assert is_passed_over("", 0) and is_passed_over("x_$folder$", 0)
    assert not is_passed_over("sub/", 5) and not is_passed_over("x.parquet", 0)


def test_where_an_item_can_be() -> None:
    assert possible_dates(listed("in/2026-01-31-x.ndjson")) == ["2026-01-31"]
    assert named_date("2026-13-45-x.ndjson") is None
    around = possible_dates(listed("x.ndjson"))
    assert around[:3] == ["2026-03-14", "2026-03-15", "2026-03-13"]
    assert around[-1] == "2026-03-06" and len(around) == 10


def test_no_item_is_read_before_it_is_needed() -> None:
    drawn: list[str] = []

    def items_of(date: str) -> Iterator[FileItem]:
        for name in "abc":
            drawn.append(name)
            yield FileItem(date, f"2026-03-14-{name}.ndjson", "pending")

    walk = pairs(
        [listed("2026-03-14-a.ndjson"), listed("2026-03-14-c.ndjson")], items_of, ["2026-03-14"], lambda _: False
    )
    assert next(walk) == Pair(
        "2026-03-14", listed("2026-03-14-a.ndjson"), FileItem("2026-03-14", "2026-03-14-a.ndjson", "pending")
    )
    assert drawn == ["a", "b"]


def test_a_cursor_goes_forwards() -> None:
    cursor = Cursor(iter("bdf"), str)
    assert (cursor.at("a"), cursor.at("b"), cursor.at("b"), list(cursor.before("e"))) == (None, "b", None, ["d"])
    assert (cursor.at("z"), list(cursor.rest())) == (None, [])


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), max_size=4))
def test_entries_of_the_same_key_come_together(streams: list[list[str]]) -> None:
    found = list(grouped(*([(key, (number, key)) for key in sorted(stream)] for number, stream in enumerate(streams))))
    assert [key for key, _ in found] == sorted({key for stream in streams for key in stream})
    for key, lists in found:
        assert [len(entries) for entries in lists] == [stream.count(key) for stream in streams]


def test_an_ordered_map_takes_no_more_than_its_window() -> None:
    drawn = 0

    def entries() -> Iterator[int]:
        nonlocal drawn
        for number in range(100):
            drawn += 1
            yield number

    with ThreadPoolExecutor(4) as pool:
        results = ordered_map(pool, lambda number: number * 2, entries(), 8)
        for number in range(100):
            assert next(results) == 2 * number
            assert drawn <= number + 8
        with pytest.raises(ZeroDivisionError):
            list(ordered_map(pool, lambda number: 1 // number, [1, 0, 1], 2))


class Body:
    def __init__(self, data: bytes, step: int) -> None:
        self._file, self._step = io.BytesIO(data), step

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, self._step))


@given(st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b""))), st.integers(1, 20), st.booleans())
def test_lines_of_a_body_that_comes_in_pieces(lines: list[bytes], step: int, ends: bool) -> None:
    data = b"\n".join(lines) + (b"\n" if ends else b"")
    heads = list(line_heads(Body(data, step)))
    assert [each.head for each in heads] == [line for line in lines if line]
    assert all(each.is_ended for each in heads[:-1])
    assert not heads or heads[-1].is_ended == (data.rsplit(b"\n", 1)[-1] == b"")
    assert [each.size_bytes for each in heads] == [len(line) + 1 for line in data.split(b"\n")[:-1] if line] + (
        [len(data.split(b"\n")[-1])] if data.split(b"\n")[-1] else []
    )


def test_of_a_long_line_only_the_beginning_is_kept() -> None:
    heads = list(line_heads(Body(b"x" * 3_000_000 + b"\nshort\n" + b"y" * 100_000, 70_000)))
    assert [len(each.head) for each in heads] == [16_384, 5, 16_384]


def test_scopes() -> None:
    assert scope_of("2026-01-31", None, NOW) == Scope(("2026-01-31",))
    week = scope_of(None, None, NOW)
    assert (week.dates[0], week.dates[-1], len(week.dates)) == ("2026-03-08", "2026-03-14", 7)
    since = scope_of(None, "2026-03-12", NOW)
    assert since.dates == ("2026-03-12", "2026-03-13", "2026-03-14")
    assert since.wants(listed("x", NOW)) and not since.wants(listed("x", NOW - timedelta(days=3)))
    assert not scope_of("2026-01-31", None, NOW).wants(listed("x", NOW))


counts = st.integers(0, 5)
sources = st.sampled_from([f"s3://b/{name}.ndjson" for name in "abcd"])
at_rest = st.builds(lambda rows, bad: Expected(rows + bad, rows, bad), counts, counts)
expectations = st.one_of(
    at_rest,
    st.builds(Expected, counts, counts, counts),
    st.builds(Expected, counts, counts, counts, is_open=st.just(True)),
)


@given(st.dictionaries(sources, expectations), st.dictionaries(sources, counts), st.dictionaries(sources, counts))
def test_lines_are_rows_and_bad_lines_of_files_at_rest_unless_there_is_a_finding(
    expected: dict[str, Expected], rows: dict[str, int], bad_lines: dict[str, int]
) -> None:
    for uri, wanted in expected.items():  # or hardly any mixture would be without findings
        if not wanted.is_open and uri not in rows:
            rows[uri], bad_lines[uri] = wanted.rows, wanted.bad_lines
    judged = judge_output(expected, Counter(rows), Counter(bad_lines), (), ())
    if not judged.problems:
        assert judged.lines == judged.rows + judged.bad_lines
    assert judged.rows + judged.moving_rows == sum(rows.values())
    assert judged.bad_lines + judged.moving_bad_lines == sum(bad_lines.values())
    is_moving = {uri for uri, wanted in expected.items() if wanted.is_open}
    assert judged.moving_rows == sum(count for uri, count in rows.items() if uri in is_moving)


runs = st.sampled_from(["", "jr_1", "jr_2"])
marks_of_parts = st.builds(Mark, runs, st.sampled_from(["", "m2"]))
records = st.builds(Record, st.sampled_from(["", "e1", "e2"]), st.sampled_from([None, 7, 8]), runs, st.none() | counts)


@given(st.sampled_from(["e1", "e2"]), st.sampled_from([7, 8]), counts, marks_of_parts, records)
def test_an_object_is_held_against_the_record_of_the_run_that_wrote_it_alone(
    etag: str, size_bytes: int, count: int, mark: Mark, record: Record
) -> None:
    assert is_unchanged(etag, size_bytes, count, mark, None) is None
    found = is_unchanged(etag, size_bytes, count, mark, record)
    if found is not None:
        assert not (mark.run_id and record.run_id) or mark.run_id == record.run_id
        assert found == (etag == record.etag and record.size_bytes in (None, size_bytes))
    own = Record(etag, size_bytes, mark.run_id, count)
    assert is_unchanged(etag, size_bytes, count, mark, own) is True
    assert is_unchanged("e3", size_bytes, count, mark, own) is False


@pytest.mark.parametrize(
    ("metadata", "mark"),
    [
        ({"run_id": "jr_1"}, Mark("jr_1")),
        (
            {"run_id": "jr_1", "removed": [{"by_manifest": "m2", "by_run": "jr_2"}, {"by_manifest": "m3"}]},
            Mark("", "m3"),
        ),
        ({"run_id": "jr_1", "removed": [1]}, Mark("", UNNAMED)),
        ({"removed": "x"}, Mark()),
        ([], Mark()),
        (None, Mark()),
    ],
)
def test_what_a_part_says_of_itself(metadata: Any, mark: Mark) -> None:
    assert part_mark(metadata) == mark


@pytest.mark.parametrize("odd", [None, 1, "x", {}, [1, None, "x"], [{}], [{"uri": 1, "etag": []}]])
def test_a_report_may_say_anything_of_its_parts(odd: Any) -> None:
    assert records_of({"parts": odd, "replaced": odd, "run_id": odd}) == {}


def test_what_writes_an_output_again() -> None:
    again = ("reprocess", "--manifest", "m")
    assert rewriting("m", "d", False, ()) == Remedy(again)
    assert rewriting("m", "d", False, ["a", "b"]) == Remedy(("reprocess", "a", "b"), then=again)
    assert rewriting("m", "d", False, ["a"] * 6).words == ("reprocess", "--superseded", "--date", "d")
    gone = rewriting("m", "d", True, ["a"])
    assert (gone.words, gone.then, gone.otherwise) == (("reprocess", "a"), again, (*again, "--accept-loss"))
    assert "put each object back with the same content" in gone.hint
    assert rewriting("m", "d", True, ()).words == ()


def test_findings_are_counted_without_end_and_kept_up_to_a_limit() -> None:
    findings = Findings()
    for number in range(1000):
        remedy = Remedy(("reprocess", "--manifest", str(number)))
        findings.add(MISSING, "2026-03-14", "file", remedy, [Example("s", "w")] * 20, 20)
        findings.add(ORPHANED, "2026-03-14", "object", Remedy(("x",)), [Example("s", "w")])
    assert findings.total == 21_000
    assert findings.days["2026-03-14"].found == {MISSING: 20_000, ORPHANED: 1000}
    kept = findings.kept
    assert (len(kept), findings.not_kept) == (200, 801)
    assert kept[-1].count == 1000 and all(len(each.examples) == 5 for each in kept)
    assert [each.kind for each in kept] == [MISSING] * 199 + [ORPHANED]
