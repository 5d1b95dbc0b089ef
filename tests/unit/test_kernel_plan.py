"""The plan of the parts, the job's arguments, and the check of what the tasks report. All pure."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glue_job.args import ArgumentError, parse_arguments
from glue_job.convert import PartResult
from glue_job.plan import Extent, Slice, count_parts, plan_parts
from glue_job.reading import SliceResult
from glue_job.verify import VerificationFailed, verify_files
from ndjctl.contracts import ManifestFile

MIB = 1024 * 1024


def files_of(*sizes_bytes: int) -> list[ManifestFile]:
    return [ManifestFile("b", f"{number}.ndjson", size, "e") for number, size in enumerate(sizes_bytes)]


def planned(sizes_bytes: list[int], share: float, slots: int) -> list[float]:
    """Sizes of the Parquet parts in MiB, of files that become so large a share of Parquet."""
    count = count_parts(sum(sizes_bytes), share, slots)
    parts = plan_parts([Extent(size) for size in sizes_bytes], count)
    return [sum((piece.end or 0) - piece.start for piece in part.slices) * share / MIB for part in parts]


@given(st.lists(st.tuples(st.integers(0, 500), st.booleans()), max_size=30), st.integers(1, 40))
def test_every_byte_is_in_one_slice(files: list[tuple[int, bool]], count: int) -> None:
    extents = [Extent(*file) for file in files]
    parts = plan_parts(extents, count)
    assert [part.number for part in parts] == list(range(count))
    order = [(piece.file, piece.start) for part in parts for piece in part.slices]
    assert order == sorted(order)
    for index, (size, is_exact) in enumerate(files):
        slices = [piece for part in parts for piece in part.slices if piece.file == index]
        assert slices[0].start == 0
        assert slices[-1].end == (size if is_exact else None)
        assert all(before.end == after.start for before, after in pairwise(slices))
        assert all(piece.start <= size for piece in slices)
    assert parts == plan_parts(extents, count)


@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=200), st.integers(1, 12))
def test_parts_are_of_about_one_size(sizes: list[int], count: int) -> None:
    total = sum(sizes)
    for part in plan_parts([Extent(size) for size in sizes], count):
        size = sum((piece.end or 0) - piece.start for piece in part.slices)
        # A file below a sixteenth of a part is not cut: at either border half of one can be too much or too little.
        assert abs(size - total / count) <= total / count / 16 + 2


@given(st.integers(1, 10**13), st.floats(0.001, 4), st.integers(1, 500))
def test_parts_are_near_the_size_that_is_aimed_at(text_bytes: int, share: float, slots: int) -> None:
    count = count_parts(text_bytes, share, slots)
    parquet_bytes = text_bytes * share / count
    assert parquet_bytes <= 512 * MIB + 1
    if text_bytes / count < 2 * 1024 * MIB and count > 1:  # else the input of a part is the limit
        assert parquet_bytes >= 127 * MIB


@pytest.mark.parametrize(
    ("sizes_bytes", "slots", "count", "least_mib", "most_mib"),
    [
        ([int(4.5 * 1024) * MIB] * 3, 2, 10, 270, 280),
        ([int(4.5 * 1024) * MIB] * 3, 152, 21, 128, 140),  # less than a round: as many as are large enough
        ([int(3.5 * MIB)] * 200, 36, 1, 135, 145),
        ([10_240] * 10_000, 36, 1, 15, 25),
        ([4_096 * MIB] * 100, 152, 304, 265, 275),  # two whole rounds
        ([700 * MIB] * 3, 2, 2, 205, 215),  # not three on two
        ([10_240], 2, 1, 0, 1),
        ([0], 2, 1, 0, 0),
        ([], 2, 1, 0, 0),
    ],
)
def test_parts_come_out_near_the_target_and_in_whole_rounds(
    sizes_bytes: list[int], slots: int, count: int, least_mib: float, most_mib: float
) -> None:
    sizes_mib = planned(sizes_bytes, 0.2, slots)
    assert len(sizes_mib) == count
    assert least_mib <= min(sizes_mib) <= max(sizes_mib) <= most_mib


def test_small_files_are_not_cut() -> None:
    parts = plan_parts([Extent(100)] * 1_000, 3)
    assert all((piece.start, piece.end) == (0, 100) for part in parts for piece in part.slices)


def test_a_part_without_a_file_keeps_its_number() -> None:
    parts = plan_parts([Extent(10)] * 3, 2)
    assert parts[0].without(frozenset({0})).slices == (Slice(1, 0, 5),)
    assert parts[1].without(frozenset({1, 2})).slices == ()
    assert parts[1].without(frozenset({2})).number == 1


# --------------------------------------------------------------------------------------------------------------

GIVEN = [
    "--MANIFEST_PATH",
    "s3://m/manifests/d/x.json",
    "--TRACKING_TABLE",
    "t",
    "--OUTPUT_BUCKET=o",
    "--QUARANTINE_BUCKET",
    "q",
    "--JOB_NAME",
    "j",
    "--JOB_RUN_ID",
    "jr_1",
]


def test_arguments_and_their_defaults() -> None:
    found = parse_arguments([*GIVEN, "--enable-metrics", "--conf", "spark.x=1", "--unknown=2", "--DATASET=events.v2"])
    assert found.output_bucket == "o"
    assert found.manifest_bucket == "m"
    assert found.metrics_table is None
    assert (found.dataset, found.on_drift, found.log_level) == ("events.v2", "add", "INFO")
    assert (found.part_bytes, found.max_line_bytes, found.task_slots) == (256 * MIB, 64 * MIB, None)
    assert (found.max_bad_lines, found.max_bad_percent) == (None, None)
    limits = ["--MAX_BAD_LINES", "0", "--MAX_BAD_PERCENT=0.5", "--PART_SIZE_MB", "128", "--TASK_SLOTS=36"]
    found = parse_arguments([*GIVEN, *limits])
    assert (found.max_bad_lines, found.max_bad_percent) == (0, 0.5)
    assert (found.part_bytes, found.task_slots) == (128 * MIB, 36)
    assert parse_arguments([*GIVEN, "--ON_DRIFT", "fail", "--ON_DRIFT", "rescue"]).on_drift == "rescue"


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        ([], "missing job arguments: --MANIFEST_PATH, --TRACKING_TABLE"),
        (GIVEN[:-1], "missing job arguments: --JOB_RUN_ID"),
        ([*GIVEN[:-1], "--LOG_LEVEL", "INFO"], "missing job arguments: --JOB_RUN_ID"),
        ([*GIVEN, "--MANIFEST_PATH", "/tmp/m.json"], "--MANIFEST_PATH: '/tmp/m.json' is not s3://bucket/key"),
        ([*GIVEN, "--ON_DRIFT", "ignore"], "--ON_DRIFT 'ignore': allowed are add, rescue, fail"),
        ([*GIVEN, "--LOG_LEVEL", "TRACE"], "--LOG_LEVEL 'TRACE'"),
        ([*GIVEN, "--DATASET", "../x"], "--DATASET '../x'"),
        ([*GIVEN, "--DATASET", ".."], "--DATASET '..'"),
        ([*GIVEN, "--TASK_SLOTS", "0"], "--TASK_SLOTS '0': a whole number from 1 on"),
        ([*GIVEN, "--MAX_BAD_PERCENT", "nan"], "--MAX_BAD_PERCENT 'nan': a number from 0 to 100"),
    ],
)
def test_arguments_that_cannot_be_used(argv: list[str], problem: str) -> None:
    with pytest.raises(ArgumentError) as raised:
        parse_arguments(argv)
    assert problem in str(raised.value)
    assert "\n" not in str(raised.value)


# --------------------------------------------------------------------------------------------------------------

FILES = dict(enumerate(files_of(100, 0)))


def results() -> list[PartResult]:
    """Two parts of one file of 100 bytes whose second line crosses the border at 50; an empty file beside it."""
    first = SliceResult(Slice(0, 0, 50), first_offset=0, next_offset=60, lines=2, rows=2)
    second = SliceResult(Slice(0, 50, 100), first_offset=60, next_offset=100, lines=3, rows=2, bad_lines=1)
    empty = SliceResult(Slice(1, 0, 0))
    return [PartResult(0, rows=2, slices=[first]), PartResult(1, rows=2, slices=[second, empty])]


def test_a_compressed_file_is_covered_if_its_last_slice_says_so() -> None:
    for text_bytes, problem in ((100, None), (101, "up to byte 100 of 101"), (None, "not read to its end")):
        last = results()
        last[1].slices[0].piece = Slice(0, 50, None)
        last[1].slices[0].text_bytes = text_bytes
        if problem is None:
            verify_files(FILES, last)
        else:
            with pytest.raises(VerificationFailed, match=problem):
                verify_files(FILES, last)


def test_slices_that_fit_together_pass() -> None:
    verify_files(FILES, results())
    skipping = results()
    skipping[0].slices[0].next_offset = 100
    skipping[1].slices[0] = SliceResult(Slice(0, 50, 100))  # a line so long that none starts in the second half
    skipping[1].rows = 0
    verify_files(FILES, skipping)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda r: r[0].slices.clear() or setattr(r[0], "rows", 0), "up to byte 0 and again from byte 60"),
        (lambda r: setattr(r[0].slices[0], "next_offset", 70), "up to byte 70 and again from byte 60"),
        (lambda r: setattr(r[1].slices[0], "next_offset", 99), "up to byte 99 of 100"),
        (lambda r: setattr(r[1].slices[0], "bad_lines", 0), "3 lines, but 2 rows and 0 bad lines"),
        (lambda r: setattr(r[0], "rows", 3), "not the sum of its files' rows"),
        (lambda r: r[1].slices.pop(0) and setattr(r[1], "rows", 0), "up to byte 60 of 100"),
    ],
)
def test_a_gap_an_overlap_and_a_lost_row_are_found(damage: object, problem: str) -> None:
    damaged = results()
    damage(damaged)  # type: ignore[operator]
    with pytest.raises(VerificationFailed, match=problem):
        verify_files(FILES, damaged)
