"""Bytes to lines: every line once, at its offset, whatever the cuts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glue_job.lines import KEPT_BYTES, Chunk, ChunkReader, Line, LineReader, count_records, lines_of
from ndjctl.contracts import BYTE_ORDER_MARK, MIB, count_lines

PIECES = st.lists(
    st.sampled_from([b"\n", b"\r\n", b"\r", b" ", b"\t", b"{}", b"x", b"yyyyyyy", BYTE_ORDER_MARK]), max_size=25
).map(b"".join)


def blocks_of(content: bytes, start: int, block_bytes: int) -> Iterator[bytes]:
    for position in range(LineReader.first_byte(start), len(content), block_bytes):
        yield content[position : position + block_bytes]


def read(content: bytes, start: int = 0, end: int | None = None, block_bytes: int = 4, limit: int = 100) -> list[Line]:
    end = len(content) if end is None else end
    return list(LineReader(blocks_of(content, start, block_bytes), start, end, limit))


def test_offsets_numbers_and_line_ends() -> None:
    assert read(b'{"a":1}\r\n\n \t\r\n{"b":2}\n{"c":3}') == [
        Line(0, 1, b'{"a":1}', 8, True),
        Line(14, 4, b'{"b":2}', 7, True),
        Line(22, 5, b'{"c":3}', 7, True),
    ]


def test_a_byte_order_mark_is_part_of_the_file_and_not_of_its_first_line() -> None:
    assert read(BYTE_ORDER_MARK + b"{}\n{}\n") == [Line(3, 1, b"{}", 2, True), Line(6, 2, b"{}", 2, True)]
    assert read(BYTE_ORDER_MARK) == []
    assert read(b"{}\n" + BYTE_ORDER_MARK + b"{}")[1].data == BYTE_ORDER_MARK + b"{}"


def test_only_one_carriage_return_is_line_end() -> None:
    assert read(b"x\r\r\n")[0].data == b"x\r"


def test_a_reader_in_the_middle_knows_no_numbers() -> None:
    assert read(b"{}\n{}\n", start=1) == [Line(3, None, b"{}", 2, True)]


def test_nothing_is_drawn_beyond_the_last_owned_line() -> None:
    drawn: list[int] = []

    def blocks() -> Iterator[bytes]:
        for number, block in enumerate([b"{}\n{}\n", b"{}\n", b"{}\n"]):
            drawn.append(number)
            yield block

    assert len(list(LineReader(blocks(), 0, 6))) == 2
    assert drawn == [0]


@pytest.mark.parametrize("block_bytes", [1, 7, 100, 10_000])
def test_a_line_beyond_the_limit_is_kept_in_part_and_does_not_cost_its_neighbours(block_bytes: int) -> None:
    content = b"{}\n" + b"z" * 5_000 + b"\r\n{}\n" + b"y" * 101
    lines = read(content, block_bytes=block_bytes)
    assert lines == [
        Line(0, 1, b"{}", 2, True),
        Line(3, 2, b"z" * KEPT_BYTES, 5_001, False),
        Line(5_005, 3, b"{}", 2, True),
        Line(5_008, 4, b"y" * 101, 101, False),
    ]


@pytest.mark.parametrize("block_bytes", [1, 7, 10_000])
def test_blanks_beyond_the_limit_are_still_no_record_and_a_late_sign_makes_one(block_bytes: int) -> None:
    assert read(b" " * 3_000 + b"\n{}\n", block_bytes=block_bytes) == [Line(3_001, 2, b"{}", 2, True)]
    late = read(b" " * 3_000 + b"x\n{}\n", block_bytes=block_bytes)
    assert late[0] == Line(0, 1, b" " * KEPT_BYTES, 3_001, False)
    assert len(late) == 2


def test_memory_stays_constant_while_a_long_line_is_skipped() -> None:
    import tracemalloc

    def blocks() -> Iterator[bytes]:
        for _ in range(64):
            yield b"z" * MIB
        yield b"\n{}\n"

    tracemalloc.start()
    lines = list(LineReader(blocks(), 0, 64 * MIB + 4, 4 * MIB))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [line.is_whole for line in lines] == [False, True]
    assert peak_bytes < 12 * MIB


@given(PIECES, st.integers(1, 40), st.integers(0, 12))
def test_the_whole_file_has_the_lines_that_the_contract_counts(content: bytes, block_bytes: int, limit: int) -> None:
    # A byte order mark is no part of the first line, so it is not counted against the limit either.
    lines = read(content, block_bytes=block_bytes, limit=limit)
    assert len(lines) == count_lines([content])
    body = content.removeprefix(BYTE_ORDER_MARK)
    numbered = dict(enumerate(body.split(b"\n"), start=1))
    for line in lines:
        assert line.number is not None
        expected = numbered[line.number]
        assert content[line.offset :].startswith(expected)
        assert line.size_bytes == len(expected)
        assert line.is_whole == (len(expected) <= limit)
        if line.is_whole:
            assert line.data == expected.removesuffix(b"\r")


@given(PIECES, st.lists(st.integers(0, 60), max_size=5), st.integers(1, 40), st.integers(3, 12))
def test_any_ranges_give_every_line_once_and_fit_together(
    content: bytes, cuts: list[int], block_bytes: int, limit: int
) -> None:
    borders = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    found: list[Line] = []
    covered = 0
    for start, end in pairwise(borders):
        reader = LineReader(blocks_of(content, start, block_bytes), start, end, limit)
        found += list(reader)
        if reader.first_offset is not None:
            assert reader.first_offset == covered
            covered = reader.next_offset
    whole = read(content, limit=limit)
    assert [line._replace(number=None) for line in found] == [line._replace(number=None) for line in whole]
    assert covered == len(content)


@given(PIECES, st.integers(0, 40), st.integers(1, 40), st.integers(1, 40), st.integers(0, 12), st.integers(1, 20))
def test_chunks_have_the_lines_of_the_range_and_say_what_they_are(
    content: bytes, start: int, length: int, block_bytes: int, limit: int, chunk_bytes: int
) -> None:
    content = content.replace(b"yyyyyyy", b"{}\n{}\n{}\n")
    lines = LineReader(blocks_of(content, start, block_bytes), start, start + length, limit)
    chunks = ChunkReader(blocks_of(content, start, block_bytes), start, start + length, limit, chunk_bytes)
    found: list[Line] = []
    for piece in chunks:
        if isinstance(piece, Line):
            found.append(piece)
            continue
        found += lines_of(piece)
        assert count_records(piece) == len(list(lines_of(piece)))
        assert content[piece.offset :].startswith(piece.data)
        assert piece.line_count == len(piece.data.removesuffix(b"\n").split(b"\n"))
        assert piece.line_count == 1 or len(piece.data) <= chunk_bytes
        bare = [line.removesuffix(b"\r") for line in piece.data.removesuffix(b"\n").split(b"\n")]
        ends = [line[:1] + line[-1:] for line in bare]
        assert piece.is_regular == all(end == b"{}" for end in ends)
    assert found == list(lines)
    assert (chunks.first_offset, chunks.next_offset) == (lines.first_offset, lines.next_offset)


@pytest.mark.parametrize("filler", [b"", b"x" * 500])
@pytest.mark.parametrize(
    ("bad", "is_regular"),
    [
        (b"{%}", True),
        (b"{%}\n", False),
        (b"{%} ", False),
        (b" {%}", False),
        (b"{%", False),
        (b"%}", False),
        (b"{%}\r", True),
        (b"{%}\r\r", False),
        (b"{%} \r", False),
        (b"{%\r", False),
    ],
)
def test_a_chunk_is_regular_only_if_all_its_lines_are(filler: bytes, bad: bytes, is_regular: bool) -> None:
    for place in range(3):
        lines = [b"{%}"] * 3
        lines[place] = bad
        content = b"\n".join(lines).replace(b"%", filler) + b"\n"
        (chunk,) = ChunkReader([content], 0, len(content))
        assert isinstance(chunk, Chunk)
        assert (chunk.is_regular, chunk.line_count) == (is_regular, content.count(b"\n"))


@given(st.lists(st.sampled_from([b"{%}", b"", b" \t", b"\r", b"{%}\r", b"%", b"{", b" {%}"]), min_size=1, max_size=6))
def test_chunks_of_long_lines_say_the_same_as_of_short_ones(lines: list[bytes]) -> None:
    for filler in (b"", b"x" * 500):
        content = b"\n".join(lines).replace(b"%", filler) + b"\n"
        for chunk in ChunkReader([content], 0, len(content)):
            assert isinstance(chunk, Chunk)
            assert count_records(chunk) == len(list(lines_of(chunk)))
            bare = [line.removesuffix(b"\r") for line in chunk.data.removesuffix(b"\n").split(b"\n")]
            assert chunk.is_regular == all(line[:1] + line[-1:] == b"{}" for line in bare)
            assert chunk.line_count == len(bare)
