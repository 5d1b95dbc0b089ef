"""What a task takes of memory, whatever its input is: under 512 MiB. And what the driver takes for large manifests.

Each case runs in a process of its own, whose peak the system tells. The quick ones are the same at a tenth of the size,
against a limit that what used to take too much exceeds there, too.
"""

from __future__ import annotations

import base64
import json
import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glue_job.conform import rebuild
from ndjctl.aws import Cloud
from ndjctl.contracts import bad_line_bytes
from tests.memory_world import (
    EVENTS,
    LIMIT_BYTES,
    LONG_LINES,
    MB,
    MIB,
    NORMAL,
    ROOT,
    Input,
    Measured,
    Pieces,
    long_line,
    measure,
    measure_driver,
    run,
)

QUICK_BYTES = 240 * MIB
"""For a tenth of the input. The process has half of that before it converts anything."""

BLOCK = b"".join(EVENTS)
FITS = ("fits", "misfits", "items misfit", "unseen")
TOO_MANY = (
    [("digits", fit) for fit in FITS] + [("empty objects", fit) for fit in FITS] + [("lists", fit) for fit in FITS]
)
"""Lines of 50 MB that have more than 12 million values."""


def assert_all_there(found: Measured, rows: int, bad_lines: int = 0) -> None:
    assert found.error is None
    assert not found.unavailable
    assert (found.rows, found.bad_lines) == (rows, bad_lines)
    assert found.lines == rows + bad_lines


def whole(pieces: Pieces) -> bytes:
    return b"".join(piece * times for piece, times in pieces)


def row_of(folder: Path, number: int) -> dict[str, Any]:
    """The record again that became this row."""
    with pq.ParquetFile(folder / "out" / "part.parquet") as part:
        first = 0
        for index in range(part.num_row_groups):
            rows = part.metadata.row_group(index).num_rows
            if number < first + rows:
                (row,) = part.read_row_group(index).slice(number - first, 1).to_pylist()
                row.pop("_source_file")
                return rebuild(row, row.pop("_rescued"))
            first += rows
    raise AssertionError("not there")


def quarantined(folder: Path) -> bytes:
    (line,) = (folder / "out" / "bad.ndjson").read_text(encoding="utf-8").splitlines()
    return bad_line_bytes(json.loads(line))


def random_text(size_bytes: int) -> bytes:
    """That does not compress well."""
    return base64.b64encode(random.Random(1).randbytes(size_bytes * 3 // 4))


def with_text(size_bytes: int, times: int, columns: Iterable[str], before: bytes = NORMAL) -> Input:
    line = b'{"id":7,"v":"' + random_text(size_bytes) + b'"}\n'
    fields = [{"name": name, "type": {"id": "int64"}.get(name, "string")} for name in columns]
    return Input([[(before, 1), (line, times), (NORMAL, 1)]], {"struct": fields})


def compressed(codec: str, pieces: Pieces, folder: Path) -> bytes:
    path = folder / "compressed"
    with pa.OSFile(str(path), "wb") as sink, pa.CompressedOutputStream(sink, codec) as stream:
        for piece, times in pieces:
            for _ in range(times):
                stream.write(piece)
    return path.read_bytes()


# --------------------------------------------------------------------------------------------------------------
# Quick: a tenth of it


@pytest.mark.parametrize(("name", "fit"), [("objects", "unseen"), ("map", "unseen"), ("texts", "misfits")])
def test_a_long_line_takes_little_more_than_it_is_long(name: str, fit: str, tmp_path: Path) -> None:
    made = long_line(name, fit, 8 * MB)
    found = measure(made, tmp_path)
    assert_all_there(found, 2_001)
    assert found.rescued > 0
    assert found.peak_bytes < QUICK_BYTES
    assert row_of(tmp_path, 1_000) == json.loads(whole(made.files[0][1:-1]))


def test_small_files_are_not_held(tmp_path: Path) -> None:
    files: list[Pieces] = [[(b"".join(EVENTS[at : at + 10]), 1)] for at in range(0, 4_000, 10)]
    found = measure(Input(files * 3), tmp_path)
    assert_all_there(found, 12_000)
    assert found.peak_bytes < QUICK_BYTES


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_a_file_that_decompresses_to_gigabytes_of_one_line_is_not_held(codec: str, tmp_path: Path) -> None:
    pieces = [(BLOCK, 1), (b'{"text":"', 1), (b"x" * MIB, 512), (b'"}\n', 1), (BLOCK, 1)]
    found = measure(Input([[(compressed(codec, pieces, tmp_path), 1)]], codecs={0: codec}), tmp_path)
    assert_all_there(found, 8_000, bad_lines=1)
    assert found.peak_bytes < QUICK_BYTES


# --------------------------------------------------------------------------------------------------------------
# Slow: all of it


@pytest.mark.slow
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("name", LONG_LINES)
def test_a_line_of_50_mb(name: str, fit: str, tmp_path: Path) -> None:
    made = long_line(name, fit, 50 * MB)
    found = measure(made, tmp_path)
    line = whole(made.files[0][1:-1]).rstrip(b"\n")
    if (name, fit) in TOO_MANY or (fit == "items misfit" and name in ("integers", "floats", "texts", "objects")):
        assert_all_there(found, 2_000, bad_lines=1)
        assert quarantined(tmp_path) == line
    else:
        assert_all_there(found, 2_001)
        assert row_of(tmp_path, 1_000) == json.loads(line)
    assert found.peak_bytes < LIMIT_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("columns", ["id", "id,v"])
@pytest.mark.parametrize(("size_bytes", "times"), [(50 * MB, 1), (50 * MB, 8), (63 * MIB, 1)])
def test_long_texts_that_do_not_compress(size_bytes: int, times: int, columns: str, tmp_path: Path) -> None:
    found = measure(with_text(size_bytes, times, columns.split(",")), tmp_path)
    assert_all_there(found, 2_000 + times)
    assert found.peak_bytes < LIMIT_BYTES


@pytest.mark.slow
def test_a_long_text_in_a_column_of_short_ones(tmp_path: Path) -> None:
    short = b"".join(b'{"id":%d,"v":"text %d"}\n' % (number, number) for number in range(20_000))
    found = measure(with_text(50 * MB, 1, ["id", "v"], short), tmp_path)
    assert_all_there(found, 21_001)
    assert found.peak_bytes < LIMIT_BYTES


BAD = {
    "words": [(b"x" * 1_000, 50_000)],
    "not UTF-8": [(b'{"id":7,"v":"', 1), (b"\xe9" * 1_000, 50_000), (b'"}', 1)],
    "cut off": [(b'{"id":7,"v":[', 1), (b'{"a":"b"},' * 1_000, 5_000)],
    "too deep": [(b'{"id":7,"v":', 1), (b"[" * 1_000, 50_000)],
    "not an object": [(b"[", 1), (b'"ab",' * 1_000, 10_000), (b'"ab"]', 1)],
    "twice": [(b'{"id":7,"v":"', 1), (b"x" * 1_000, 50_000), (b'","id":7}', 1)],
}


@pytest.mark.slow
@pytest.mark.parametrize("what", BAD)
def test_a_bad_line_of_50_mb(what: str, tmp_path: Path) -> None:
    made = Input([[(NORMAL, 1), *BAD[what], (b"\n", 1), (NORMAL, 1)]], long_line("integers", "fits", 1).schema)
    found = measure(made, tmp_path)
    assert_all_there(found, 2_000, bad_lines=1)
    assert quarantined(tmp_path) == whole(BAD[what])
    assert found.peak_bytes < LIMIT_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("byte", [b"x", b" ", b"["])
def test_a_line_of_3_gb(byte: bytes, tmp_path: Path) -> None:
    found = measure(Input([[(BLOCK, 1), (byte * MIB, 3_000), (b"\n", 1), (BLOCK, 1)]]), tmp_path)
    assert_all_there(found, 8_000, bad_lines=int(byte != b" "))
    assert found.peak_bytes < LIMIT_BYTES


@pytest.mark.slow
def test_a_file_of_5_gb(tmp_path: Path) -> None:
    times = 5 * 10**9 // len(BLOCK) + 1
    found = measure(Input([[(BLOCK, times)]]), tmp_path)
    assert_all_there(found, times * len(EVENTS))
    assert found.peak_bytes < LIMIT_BYTES


@pytest.mark.slow
def test_10_000_small_files(tmp_path: Path) -> None:
    files: list[Pieces] = [[(b"".join(EVENTS[at : at + 10]), 1)] for at in range(0, 4_000, 10)]
    found = measure(Input(files * 25), tmp_path)
    assert_all_there(found, 100_000)
    assert found.peak_bytes < LIMIT_BYTES


@pytest.mark.slow
def test_nothing_but_bad_lines(tmp_path: Path) -> None:
    spoiled = b"".join(line[:-3] + b"\n" for line in EVENTS)
    found = measure(Input([[(spoiled, 10), (b"x\n" * 100_000, 10)]]), tmp_path)
    assert_all_there(found, 0, bad_lines=1_040_000)
    assert found.peak_bytes < LIMIT_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["gzip", "zstd"])
@pytest.mark.parametrize("what", [b" " * MIB, b"\n" * MIB, b"x" * MIB])
def test_a_file_that_decompresses_to_gigabytes(what: bytes, codec: str, tmp_path: Path) -> None:
    bomb = compressed(codec, [(BLOCK, 1), (what, 4_096), (b"\n", 1), (BLOCK, 1)], tmp_path)
    assert len(bomb) < 16 * MIB
    found = measure(Input([[(bomb, 1)]], codecs={0: codec}), tmp_path)
    assert_all_there(found, 8_000, bad_lines=int(what[:1] == b"x"))
    assert found.peak_bytes < LIMIT_BYTES


def _wide_lines(count: int) -> bytes:
    draw = random.Random(1)
    values = [lambda: draw.getrandbits(40), lambda: draw.random(), lambda: f"text {draw.random()}", lambda: True]
    rows = ({f"c{at:04}": values[at % 4]() for at in range(5_000)} for _ in range(count))
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.mark.slow
def test_5_000_columns(tmp_path: Path) -> None:
    kinds = ("int64", "double", "string", "bool")
    fields = [{"name": f"c{at:04}", "type": kinds[at % 4]} for at in range(5_000)]
    found = measure(Input([[(_wide_lines(100), 40)]], {"struct": fields}), tmp_path)
    assert_all_there(found, 4_000)
    assert found.rescued == 0
    assert found.peak_bytes < LIMIT_BYTES


@pytest.mark.slow
def test_16_levels(tmp_path: Path) -> None:
    column: Any = "int64"
    for _ in range(15):
        column = {"list": column}
    line = b'{"v":' + b"[" * 15 + b"7," * 500 + b"7" + b"]" * 15 + b"}\n"
    found = measure(Input([[(line * 1_000, 100)]], {"struct": [{"name": "v", "type": column}]}), tmp_path)
    assert_all_there(found, 100_000)
    assert found.rescued == 0
    assert found.peak_bytes < LIMIT_BYTES


@pytest.mark.slow
def test_drift_in_200_000_places(tmp_path: Path) -> None:
    lines = [b'{"id":7,"new %d %s":{"a%d":[1,{"b":2}]}}\n' % (n, b"k" * 200, n) for n in range(200_000)]
    found = measure(Input([[(b"".join(lines), 1)]], {"struct": [{"name": "id", "type": "int64"}]}), tmp_path)
    assert_all_there(found, 200_000)
    assert found.rescued == 200_000
    assert found.peak_bytes < LIMIT_BYTES


@pytest.mark.slow
def test_through_s3(embedded: Cloud, tmp_path: Path) -> None:
    """The same tasks with S3's own buffers: ranged reads, and a multipart upload while it is written."""
    s3 = embedded.client("s3")
    bucket = f"memory-{embedded.suffix}"
    s3.create_bucket(Bucket=bucket)
    text = with_text(50 * MB, 2, ["id", "v"])
    for made, rows in ((text, 2_002), (Input([[(BLOCK, 60)]]), 240_000)):
        path = tmp_path / "input"
        with path.open("wb") as file:
            for piece, times in made.files[0]:
                for _ in range(times):
                    file.write(piece)
        s3.upload_file(str(path), bucket, "input")
        head = s3.head_object(Bucket=bucket, Key="input")
        file_spec = {
            "bucket": bucket,
            "key": "input",
            "size_bytes": head["ContentLength"],
            "etag": head["ETag"].strip('"'),
        }
        spec = {"files": [file_spec], "bucket": bucket, "s3_endpoint": s3.meta.endpoint_url}
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        found = Measured(**run("part", made, tmp_path, spec, AWS_REQUEST_CHECKSUM_CALCULATION="when_required", **keys))
        assert_all_there(found, rows)
        assert found.peak_bytes < LIMIT_BYTES
        assert s3.head_object(Bucket=bucket, Key="part.parquet")["ContentLength"] > MIB
    for key in ("input", "part.parquet"):
        s3.delete_object(Bucket=bucket, Key=key)


# --------------------------------------------------------------------------------------------------------------
# The driver


@pytest.mark.slow
def test_a_driver_of_1_000_large_files(tmp_path: Path) -> None:
    files: list[Pieces] = [[(BLOCK, 4 * 10**9 // len(BLOCK))]] * 1_000
    found = measure_driver(Input(files), tmp_path, parts=0)
    assert found["parts"] > 500
    assert found["peak_bytes"] < LIMIT_BYTES


@pytest.mark.slow
def test_a_driver_of_10_000_small_files_and_1_000_parts(tmp_path: Path) -> None:
    files: list[Pieces] = [[(b"".join(EVENTS[at : at + 10]), 1)] for at in range(0, 4_000, 10)]
    found = measure_driver(Input(files * 25), tmp_path, parts=1_000)
    assert (found["parts"], found["rows"]) == (1_000, 100_000)
    assert found["peak_bytes"] < LIMIT_BYTES


@pytest.mark.slow
def test_a_driver_whose_parts_all_found_thousands_of_new_fields(tmp_path: Path) -> None:
    """Objects used as maps: every part of it has another 3,000 keys."""
    maps = [
        b"".join(
            b'{"event_id":"x","m":{%s}}\n' % b",".join(b'"k%d":{"a":1}' % (file * 5_000 + at + n) for n in range(20))
            for at in range(0, 3_000, 20)
        )
        for file in range(4)
    ]
    found = measure_driver(Input([[(piece, 1)] for piece in maps] * 250), tmp_path, parts=1_000)
    assert found["rows"] == 150_000
    assert found["new_fields"] > 1_000
    assert found["peak_bytes"] < LIMIT_BYTES


def test_the_measured_process_tells_its_own_peak(tmp_path: Path) -> None:
    """And not the one that this process had before it."""
    held = b"x" * 300 * MIB
    code = "from tests.memory_child import peak_bytes; a = b'x' * 50_000_000; print(peak_bytes())"
    peak = int(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True).stdout)
    assert 60 * MIB < peak < len(held) * 3 // 4
