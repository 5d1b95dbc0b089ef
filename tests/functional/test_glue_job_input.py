"""Compressed input, files that are too bad to be taken, and lines beyond the limit, through a whole run."""

from __future__ import annotations

import bz2
import gzip
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

from glue_job import driver as driver_module
from glue_job.main import JobFailed
from ndjctl import contracts
from ndjctl.contracts import BYTE_ORDER_MARK
from tests.glue_world import OUTPUT, World, glue_world


@pytest.fixture
def world() -> Iterator[World]:
    with glue_world() as made:
        yield made


def zstd(data: bytes) -> bytes:
    compressed: bytes = pa.compress(data, "zstd", asbytes=True)
    return compressed


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "bz2": bz2.compress, "zstd": zstd}


def numbered(first: int, count: int) -> bytes:
    noise = random.Random(first)
    return b"".join(
        json.dumps({"n": number, "pad": noise.randbytes(20).hex()}).encode() + b"\n"
        for number in range(first, first + count)
    )


@pytest.mark.parametrize("name", COMPRESSIONS)
@pytest.mark.parametrize("parts", [1, 2, 5])
def test_compressed_files_are_told_by_their_content(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, parts: int
) -> None:
    monkeypatch.setattr(driver_module, "count_parts", lambda *_: parts)
    compress = COMPRESSIONS[name]
    whole, half = numbered(0, 3_000), numbered(3_000, 1_000)
    manifest = world.manifest_of(
        compress(BYTE_ORDER_MARK + whole + b"bad\r\n\r\n"),
        compress(half) + compress(numbered(4_000, 500).rstrip()),  # two streams in a file, no line end
        numbered(4_500, 200),
        compress(b""),
    )
    assert world.run(manifest) == 0
    assert len(world.keys(OUTPUT)) == parts
    assert [row["n"] for row in world.rows()] == list(range(4_700))
    (bad,) = world.bad_lines()
    assert bad["byte_offset"] == len(BYTE_ORDER_MARK + whole)
    files = world.report(manifest)["files"]
    assert [(file["lines"], file["rows"], file["bad_lines"]) for file in files] == [
        (3_001, 3_000, 1),
        (1_500, 1_500, 0),
        (200, 200, 0),
        (0, 0, 0),
    ]


def test_a_part_may_begin_behind_the_end_of_what_was_expected(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size of a compressed text is an estimate: here the sample is far better compressed than the rest, and far
    worse."""
    monkeypatch.setattr(driver_module, "count_parts", lambda *_: 6)
    monkeypatch.setattr("glue_job.sample._COMPRESSED_BLOCK_BYTES", 4_096)
    monkeypatch.setattr("glue_job.sample.FILE_BYTES", 20_000)
    monkeypatch.setattr("glue_job.compression.BLOCK_BYTES", 10_000)
    blanks = b'{"n":-1,"pad":"' + b" " * 200_000 + b'"}\n'
    for number, body in enumerate((blanks * 5 + numbered(0, 2_000), numbered(0, 2_000) + blanks * 5)):
        manifest = world.manifest_of(gzip.compress(body), manifest_id=f"m{number}")
        assert world.run(manifest) == 0
        assert world.report(manifest)["totals"]["rows"] == 2_005
    found = [row["n"] for row in world.rows()]
    assert found == [-1] * 5 + list(range(2_000)) + list(range(2_000)) + [-1] * 5


@pytest.mark.parametrize("name", COMPRESSIONS)
@pytest.mark.parametrize("parts", [1, 3])
def test_a_damaged_file_fails_with_that_reason_and_the_others_complete(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, parts: int
) -> None:
    monkeypatch.setattr(driver_module, "count_parts", lambda *_: parts)
    compressed = COMPRESSIONS[name](numbered(0, 3_000))
    manifest = world.manifest_of(
        compressed[:-7],
        numbered(10, 3),
        compressed + b"and something else",
        compressed[: len(compressed) // 2] + b"????" + compressed[len(compressed) // 2 + 4 :]
        if name != "zstd"  # which has no checksum of its own here
        else compressed[:20] + b"????" + compressed[24:],
        numbered(20, 2),
    )
    assert world.run(manifest) == 0
    assert [row["n"] for row in world.rows()] == [10, 11, 12, 20, 21]
    items = [world.file_item(file) for file in manifest.files]
    assert [item["status"] for item in items] == ["failed", "completed", "failed", "failed", "completed"]
    shown = {"bz2": "bzip2"}.get(name, name)
    for index in (0, 2, 3):
        uri = manifest.files[index].uri
        assert items[index]["error"].startswith(f"{uri}: its {shown} data is damaged or cut off (")


# --------------------------------------------------------------------------------------------------------------


def test_a_file_with_more_bad_lines_than_the_limit_fails_and_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_module, "count_parts", lambda *_: 3)
    bodies = (numbered(0, 100) + b"bad\n" * 3, b"a,b\n" * 50, numbered(100, 100) + b"bad\n" * 2)
    manifest = world.manifest_of(*bodies)
    assert world.run(manifest, MAX_BAD_LINES="2") == 0
    assert [row["n"] for row in world.rows()] == list(range(100, 200))
    assert len(world.bad_lines()) == 2
    items = [world.file_item(file) for file in manifest.files]
    assert [item["status"] for item in items] == ["failed", "failed", "completed"]
    assert "bad lines" in items[0]["error"] or "lines are bad" in items[0]["error"]
    assert "the first: byte 6090, not valid JSON at character 1" in items[0]["error"]
    assert "the first: line 1, not valid JSON" in items[1]["error"]


def test_a_share_of_bad_lines_is_a_limit_too(world: World) -> None:
    manifest = world.manifest_of(numbered(0, 95) + b"bad\n" * 5, numbered(100, 94) + b"bad\n" * 6, b"", b"bad\n")
    assert world.run(manifest, MAX_BAD_PERCENT="5") == 0
    assert [row["n"] for row in world.rows()] == list(range(95))
    items = [world.file_item(file) for file in manifest.files]
    assert [item["status"] for item in items] == ["completed", "failed", "completed", "failed"]
    assert items[1]["error"] == (
        f"{manifest.files[1].uri}: 6 of 100 lines are bad, the limit is 5 %; the first: line 95, "
        "not valid JSON at character 1: Expecting value"
    )


def test_the_limits_are_checked_over_all_parts_of_a_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_module, "count_parts", lambda *_: 4)
    body = b"".join(numbered(number, 10) + b"bad\n" for number in range(0, 80, 10))
    manifest = world.manifest_of(body, numbered(1_000, 5))
    assert world.run(manifest, MAX_BAD_LINES="7") == 0
    assert [row["n"] for row in world.rows()] == list(range(1_000, 1_005))
    assert "8 of 88 lines are bad, the limit is 7 lines" in world.file_item(manifest.files[0])["error"]


def test_the_longest_line_is_a_setting(world: World) -> None:
    long = b'{"n":0,"pad":"' + b"x" * (1024 * 1024) + b'"}\n'
    manifest = world.manifest_of(long + numbered(1, 2))
    assert world.run(manifest, MAX_LINE_MB="1") == 0
    assert [row["n"] for row in world.rows()] == [1, 2]
    assert world.bad_lines()[0]["reason"] == "line too long"


@pytest.mark.parametrize(
    "arguments", [{"MAX_BAD_LINES": "-1"}, {"MAX_BAD_PERCENT": "101"}, {"PART_SIZE_MB": "0"}, {"TASK_SLOTS": "x"}]
)
def test_limits_that_are_none_are_a_usage_error(world: World, arguments: dict[str, Any]) -> None:
    assert world.run(world.manifest_of(numbered(0, 1)), **arguments) == 2


def test_a_fault_of_the_network_is_not_a_fault_of_the_file(world: World) -> None:
    """An error of S3 in the middle of a compressed file is told as such, and the part tried again."""
    manifest = world.manifest_of(gzip.compress(numbered(0, 3_000)))
    key = manifest.files[0].key
    faults = [3, 3, 3]

    class Faulty:
        def __getattr__(self, name: str) -> Any:
            return getattr(s3, name)

        def get_object(self, **arguments: Any) -> Any:
            if arguments["Key"] == key and "manifest" not in key and sampled and faults:
                faults.pop()
                raise s3.exceptions.ClientError({"Error": {"Code": "InternalError", "Message": "x"}}, "GetObject")
            return s3.get_object(**arguments)

    s3, sampled = world.s3, [False]
    sampled.clear()
    world.before_part = lambda _task: sampled.append(True)
    world.s3 = Faulty()
    with pytest.raises(JobFailed, match="part 0 failed 3 times, last: ClientError: An error occurred"):
        world.run(manifest)
    world.s3 = s3
    assert world.run(manifest, run_id="jr_1_attempt_1") == 0
    assert len(world.rows()) == 3_000
    assert world.file_item(manifest.files[0])["status"] == contracts.COMPLETED
