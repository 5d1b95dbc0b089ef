"""The rules of `ndjctl convert` that need no file: names, numbers of parts, what progress says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glue_job.plan import count_parts
from ndjctl.contracts import MIB
from ndjctl.convert.names import bad_lines_file, is_ours, is_unfinished, part_file
from ndjctl.convert.settings import Settings
from ndjctl.output.reading import LineReading

TOKEN = "0123456789abcdef"


def test_names_of_ours() -> None:
    for name in (part_file(0), part_file(123456), f"_malformed/{bad_lines_file(7)}", "_schema.json", "_report.json"):
        assert is_ours(name), name
    for name in (
        "part-1.parquet",
        "part-00001.parquet.bak",
        "x/part-00001.parquet",
        "../part-00001.parquet",
        "_malformed/../part-00001.ndjson",
        "_malformed/part-00001.parquet",
        "_schema.json\n",
        "",
        ".ndjctl.lock",
    ):
        assert not is_ours(name), name


def test_names_of_what_is_not_whole_yet() -> None:
    assert is_unfinished(f".part-00000.parquet.{TOKEN}.unfinished")
    assert is_unfinished(f"_malformed/.part-00000.ndjson.{TOKEN}.unfinished")
    assert is_unfinished(f"..ndjctl.commit.json.{TOKEN}.unfinished")
    for name in (
        f".mine.{TOKEN}.unfinished",
        f"../.part-00000.parquet.{TOKEN}.unfinished",
        f"/etc/.part-00000.parquet.{TOKEN}.unfinished",
        f"part-00000.parquet.{TOKEN}.unfinished",
        ".part-00000.parquet.unfinished",
        f"_malformed/../.part-00000.parquet.{TOKEN}.unfinished",
    ):
        assert not is_unfinished(name), name


@given(st.integers(0, 2**40), st.floats(0.001, 4), st.integers(1, 64))
def test_every_process_gets_a_part_where_there_is_enough_for_each(size: int, share: float, processes: int) -> None:
    count = Settings(processes=processes).count_parts(size, share)
    assert count >= count_parts(size, share, processes)
    assert count >= min(processes, size // (32 * MIB))
    if size < 32 * MIB:
        assert count == 1 or share > 1


def test_a_part_size_that_was_asked_for_is_kept_to() -> None:
    assert Settings(processes=8).count_parts(1024 * MIB, 0.1) == 8
    assert Settings(processes=8, part_bytes=256 * MIB).count_parts(1024 * MIB, 0.1) == 1
    assert Settings(processes=1, part_bytes=10 * MIB).count_parts(1024 * MIB, 0.1) == 10


def test_progress_says_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    with LineReading(lambda: now[0]) as progress:
        progress.phase("convert", 4 * MIB)
        progress.bytes_read(MIB)
        assert capsys.readouterr().err == ""
        now[0] = 11
        progress.bytes_read(MIB)
        assert capsys.readouterr().err == "converting: 2.0 MiB of 4.0 MiB\n"
        progress.bytes_read(MIB)
        assert capsys.readouterr().err == ""
        now[0] = 30
        progress.bytes_read(2 * MIB)
        assert capsys.readouterr().err == "converting: 4.0 MiB of 4.0 MiB\n"
        progress.phase("observe")
        now[0] = 50
        progress.bytes_read(10)
        assert capsys.readouterr().err == "reading: 10 B read\n"
