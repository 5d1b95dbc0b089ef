"""A stored object again without what came from some files: a part's rows, an object's bad lines."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glue_job.parquet import PartWriter, footer_bytes, parse_footer
from glue_job.ranged import RangedFile
from glue_job.rewrite import Before, RewriteFailed, Rewritten, without_bad_lines, without_rows
from glue_job.schema import INT64, STRING, Field, Scalar, Struct
from glue_job.store import NO_MARKS, Published, Target, Written
from ndjctl.contracts import MANIFEST_MARK, RUN_MARK, SOURCE_COLUMN, bad_line_facts, bad_line_json

NOTE = {"by_manifest": "m2", "by_run": "jr_2"}


class MemoryStore:
    """Objects by key; what is written stays out of `objects`."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.hidden: dict[str, bytes] = {}
        self.marks: dict[str, str] = {}
        self.requests = 0
        self.most_bytes = 0

    def put(self, key: str, body: bytes) -> Published:
        self.objects[key] = body
        return Published(Target("b", key), len(body), "e")

    def read_back(self, published: Published, start: int, end: int) -> bytes:
        assert 0 <= start < end <= published.size_bytes
        self.requests += 1
        self.most_bytes = max(self.most_bytes, end - start)
        return self.objects[published.target.key][start:end]

    def create(self, target: Target, _content_type: str, marks: Mapping[str, str] = NO_MARKS) -> Any:
        self.marks = dict(marks)
        return _MemorySink(self, target)


class _MemorySink(io.BytesIO):
    def __init__(self, store: MemoryStore, target: Target) -> None:
        super().__init__()
        self._store, self._target = store, target

    def finish(self) -> Written:
        self._store.hidden[self._target.key] = self.getvalue()
        return Written(self._target, len(self.getvalue()), None)


def part(rows: list[tuple[int, str, str]], group_rows: int = 4) -> bytes:
    """A part of (n, text, source), in row groups of so many."""
    sources = sorted({source for _, _, source in rows}) or ["s3://b/x"]
    root = Struct((Field("n", Scalar(INT64)), Field("t", Scalar(STRING))))
    sink = io.BytesIO()
    writer = PartWriter(sink, root, sources, {"manifest": "m1", "part": 0})
    for number, (n, text, source) in enumerate(rows):
        writer.add({"n": n, "t": text}, None, sources.index(source), 10)
        if number % group_rows == group_rows - 1:
            writer._end_row_group()
    writer.close()
    return sink.getvalue()


SOURCES = st.sampled_from(["s3://b/a", "s3://b/b", "s3://b/ö", "s3://b/b2"])


@settings(deadline=None)  # the first example pays for imports
@given(
    st.lists(st.tuples(st.integers(-9, 9), st.text(max_size=5), SOURCES), max_size=30),
    st.sets(SOURCES, min_size=1),
    st.integers(1, 9),
)
def test_a_part_without_some_sources_is_the_rest_of_it_in_its_order(
    rows: list[tuple[int, str, str]], removed: set[str], group_rows: int
) -> None:
    store = MemoryStore()
    before = part(rows, group_rows)
    found = without_rows(store, store.put("p", before), frozenset(removed), NOTE)
    rest = [row for row in rows if row[2] not in removed]
    if len(rest) == len(rows):
        assert found is None
        assert store.hidden == {}
        return
    assert isinstance(found, Rewritten)
    assert (found.before, found.removed, found.after) == (len(rows), len(rows) - len(rest), len(rest))
    written = store.hidden["p"]
    assert found.written == Written(Target("b", "p"), len(written), None)
    table = pq.read_table(io.BytesIO(written))
    assert table.schema.equals(pq.read_schema(io.BytesIO(before)))
    assert list(zip(*(table.column(name).to_pylist() for name in ("n", "t", SOURCE_COLUMN)), strict=True)) == rest
    footer = parse_footer(written[-footer_bytes(written) :])
    assert footer == found.footer
    assert footer.metadata == {
        "manifest": "m1",
        "part": 0,
        "removed": [{**NOTE, "rows": found.removed}],
    }
    # Again: it is known who has done it, to the same manifest alone.
    published = store.put("p", written)
    assert without_rows(store, published, frozenset(removed), {**NOTE, "by_run": "jr_3"}) == Before(published, "jr_2")
    assert without_rows(store, published, frozenset(removed), {**NOTE, "by_manifest": "m3"}) is None
    # A second time, for others: the notes of both are there.
    others = frozenset(source for _, _, source in rest)
    if others:
        again = without_rows(store, store.put("p", written), others, {**NOTE, "by_manifest": "m3"})
        assert isinstance(again, Rewritten) and again.footer is not None
        assert [note["by_manifest"] for note in again.footer.metadata["removed"]] == ["m2", "m3"]
        assert pq.read_metadata(io.BytesIO(store.hidden["p"])).num_rows == 0


def test_a_row_group_is_read_in_one_request_and_one_at_a_time() -> None:
    rows = [(n, f"text {n}" * 2_000, "s3://b/a" if n % 50 else "s3://b/b") for n in range(200)]
    store = MemoryStore()
    published = store.put("p", part(rows, 50))
    assert without_rows(store, published, frozenset({"s3://b/b"}), NOTE) is not None
    assert store.requests <= 1 + 4 * 2  # the footer, and of each row group the sources and the whole
    assert without_rows(store, published, frozenset({"s3://b/0"}), NOTE) is None


def test_what_has_no_sources_is_refused() -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"n": [1]}), sink)
    store = MemoryStore()
    with pytest.raises(RewriteFailed, match=f"no column {SOURCE_COLUMN}"):
        without_rows(store, store.put("p", sink.getvalue()), frozenset({"s3://b/a"}), NOTE)


def test_a_ranged_file_reads_what_a_file_would() -> None:
    body = bytes(range(256)) * 2_000
    store = MemoryStore()
    file = RangedFile(store, store.put("p", body))
    assert file.read(10) == body[:10]
    file.seek(-5, io.SEEK_END)
    assert (file.read(10), file.read(10)) == (body[-5:], b"")
    file.hold(1_000, 200_000)
    count = store.requests
    for start, size in ((1_000, 5), (150_000, 50_000), (5_000, 1)):
        file.seek(start)
        assert file.read(size) == body[start : start + size]
    assert store.requests == count
    file.seek(500)
    assert file.read(600) == body[500:1_100]


@settings(deadline=None)  # the first example pays for imports
@given(
    st.lists(st.tuples(SOURCES, st.binary(max_size=40).filter(lambda raw: b"\n" not in raw)), max_size=20),
    st.sets(SOURCES, min_size=1),
)
def test_bad_lines_without_some_sources_are_the_others_byte_by_byte(
    entries: list[tuple[str, bytes]], removed: set[str]
) -> None:
    stored = [
        b"".join(bad_line_json(bad_line_facts(source, 0, 1, "not JSON", 'a, "raw": "b'), raw))
        for source, raw in entries
    ]
    store = MemoryStore()
    body = b"".join(stored)
    found = without_bad_lines(store, store.put("p", body), frozenset(removed), NOTE)
    rest = b"".join(line for line, (source, _) in zip(stored, entries, strict=True) if source not in removed)
    if rest == body:
        assert found is None
    elif not rest:
        assert found is not None and found.written is None and store.hidden == {}
    else:
        assert found is not None
        assert store.hidden["p"] == rest
        assert found.after == len(rest.splitlines())
        assert store.marks == {MANIFEST_MARK: "m2", RUN_MARK: "jr_2"}


def test_bad_lines_that_are_longer_than_a_block() -> None:
    lines = [
        b"".join(
            bad_line_json({"source": f"s3://b/{n % 2}", "detail": 'x", "raw": "', "raw_bytes": 1}, b"{" * 1_500_000)
        )
        for n in range(4)
    ]
    store = MemoryStore()
    found = without_bad_lines(store, store.put("p", b"".join(lines)), frozenset({"s3://b/1"}), NOTE)
    assert found is not None
    assert store.hidden["p"] == lines[0] + lines[2]
    assert store.most_bytes <= 2**20
