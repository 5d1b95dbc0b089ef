"""The plan of the parts, the job's arguments, and the check of what the tasks report. All pure."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glue_job.args import ArgumentError, parse_arguments
from glue_job.convert import PartResult, SliceResult
from glue_job.plan import PART_INPUT_BYTES, Slice, plan_parts
from glue_job.verify import VerificationFailed, verify_files
from ndjctl.contracts import ManifestFile


def files_of(*sizes_bytes: int) -> list[ManifestFile]:
    return [ManifestFile("b", f"{number}.ndjson", size, "e") for number, size in enumerate(sizes_bytes)]


@given(st.lists(st.integers(0, 500), max_size=30), st.integers(1, 100), st.integers(1, 5))
def test_every_byte_is_in_one_slice_and_no_part_is_too_large(
    sizes: list[int], part_bytes: int, part_files: int
) -> None:
    parts = plan_parts(files_of(*sizes), part_bytes, part_files)
    assert [part.number for part in parts] == list(range(len(parts)))
    for part in parts:
        assert part.slices
        assert sum(piece.end - piece.start for piece in part.slices) <= part_bytes
        assert len(part.slices) <= part_files
    for index, size in enumerate(sizes):
        slices = [piece for part in parts for piece in part.slices if piece.file == index]
        assert slices[0].start == 0
        assert slices[-1].end == size
        assert all(before.end == after.start for before, after in pairwise(slices))
    assert parts == plan_parts(files_of(*sizes), part_bytes, part_files)


def test_large_files_are_split_evenly_and_small_ones_packed() -> None:
    mib = 1024 * 1024
    assert len(plan_parts(files_of(*[int(4.5 * 1024) * mib] * 3))) == 27
    assert len(plan_parts(files_of(*[int(3.5 * mib)] * 200))) == 2
    assert len(plan_parts(files_of(*[10_240] * 2_500))) == 3
    split = plan_parts(files_of(PART_INPUT_BYTES + 1))
    assert [piece.end - piece.start for part in split for piece in part.slices] == [268435456, 268435457]


def test_a_part_without_a_file_keeps_its_number() -> None:
    parts = plan_parts(files_of(10, 10, 10), part_input_bytes=20)
    assert parts[0].without(frozenset({0})).slices == (Slice(1, 0, 10),)
    assert parts[1].without(frozenset({2})).slices == ()
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
