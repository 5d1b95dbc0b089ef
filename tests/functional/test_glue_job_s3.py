"""Reading a named version of an object and writing one whole, over connections that break."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import IncompleteReadError, ReadTimeoutError

from glue_job.s3_store import S3Store
from glue_job.sink import UPLOAD_PART_BYTES
from glue_job.source import FileUnavailable, check_file, read_range
from glue_job.store import Target, read_blocks
from ndjctl.contracts import ManifestFile
from tests.glue_world import INPUT, OUTPUT, World, glue_world


@pytest.fixture
def world() -> Iterator[World]:
    with glue_world() as made:
        yield made


class FlakyS3:
    """Serves the bytes of one object; each request first meets the next of `faults`."""

    def __init__(self, body: bytes, faults: list[Exception | int]) -> None:
        self._body = body
        self._faults = faults
        self.requests = 0

    def get_object(self, Range: str, **_: Any) -> dict[str, Any]:
        self.requests += 1
        first, last = (int(number) for number in Range.removeprefix("bytes=").split("-"))
        data = self._body[first : last + 1]
        fault = self._faults.pop(0) if self._faults else None
        if isinstance(fault, Exception):
            raise fault
        data = data if fault is None else data[:fault]
        return {"Body": io.BytesIO(data), "ContentRange": f"bytes {first}-{last}/{len(self._body)}"}


FILE = ManifestFile("b", "k", 10, "e")


def test_a_body_that_breaks_off_is_asked_for_again() -> None:
    waits: list[float] = []
    s3 = FlakyS3(b"0123456789", [3, ReadTimeoutError(endpoint_url="x"), 0])
    assert read_range(s3, FILE, 2, 8, waits.append) == b"234567"
    assert (s3.requests, len(waits)) == (4, 3)
    assert waits == sorted(waits)


def test_a_body_that_keeps_breaking_off_is_an_error() -> None:
    s3 = FlakyS3(b"0123456789", [3] * 9)
    with pytest.raises(IncompleteReadError):
        read_range(s3, FILE, 2, 8, lambda _seconds: None)
    assert s3.requests == 5


def test_blocks_are_large_in_the_range_and_small_behind_it() -> None:
    file = ManifestFile("b", "k", 1_000, "e")
    s3 = FlakyS3(bytes(range(250)) * 4, [])
    blocks = list(read_blocks(S3Store(s3), file, 10, 500, block_bytes=200))
    assert b"".join(blocks) == (bytes(range(250)) * 4)[10:]
    assert [len(block) for block in blocks] == [200, 200, 90, 200, 200, 100]


def test_only_the_very_object_of_the_manifest_is_read(world: World) -> None:
    file = world.put_file("x.ndjson", b"0123456789")
    assert read_range(world.s3, file, 2, 5) == b"234"
    check_file(world.s3, file)
    longer = ManifestFile(file.bucket, file.key, 11, file.etag)
    for attempt in (lambda: check_file(world.s3, longer), lambda: read_range(world.s3, longer, 0, 5)):
        with pytest.raises(FileUnavailable, match="it has 10 bytes; its manifest says 11"):
            attempt()
    world.put_file("x.ndjson", b"9876543210")
    for attempt in (lambda: check_file(world.s3, file), lambda: read_range(world.s3, file, 0, 5)):
        with pytest.raises(FileUnavailable, match=r"x\.ndjson: it was overwritten after its manifest was made"):
            attempt()
    world.s3.delete_object(Bucket=INPUT, Key="x.ndjson")
    for attempt in (lambda: check_file(world.s3, file), lambda: read_range(world.s3, file, 0, 5)):
        with pytest.raises(FileUnavailable, match=r"x\.ndjson: it is no longer there"):
            attempt()


@pytest.mark.parametrize("size_bytes", [0, 5, UPLOAD_PART_BYTES - 1, UPLOAD_PART_BYTES, 2 * UPLOAD_PART_BYTES + 7])
def test_an_object_becomes_visible_whole(world: World, size_bytes: int) -> None:
    body = bytes(index % 251 for index in range(997)) * (size_bytes // 997 + 1)
    body = body[:size_bytes]
    world.s3.put_object(Bucket=OUTPUT, Key="k", Body=b"old")
    store = S3Store(world.s3)
    with store.create(Target(OUTPUT, "k"), "text/plain") as sink:
        for position in range(0, size_bytes, 1_000_000):
            sink.write(body[position : position + 1_000_000])
        written = sink.finish()
    assert world.body(OUTPUT, "k") == b"old"
    published = store.publish(written)
    assert world.body(OUTPUT, "k") == body
    head = world.s3.head_object(Bucket=OUTPUT, Key="k")
    assert (head["ETag"].strip('"'), head["ContentLength"]) == (published.etag, published.size_bytes)
    assert head["ContentType"] == "text/plain"
    again = store.publish(written)  # as boto3 does when the answer of the first request is lost
    assert again.etag in ("", published.etag)
    assert size_bytes == 0 or store.read_back(published, size_bytes - 1, size_bytes) == body[-1:]


@pytest.mark.parametrize("size_bytes", [5, UPLOAD_PART_BYTES + 7])
def test_an_error_leaves_what_was_there(world: World, size_bytes: int) -> None:
    world.s3.put_object(Bucket=OUTPUT, Key="k", Body=b"old")
    with pytest.raises(ZeroDivisionError), S3Store(world.s3).create(Target(OUTPUT, "k"), "text/plain") as sink:
        sink.write(b"x" * size_bytes)
        raise ZeroDivisionError
    assert world.body(OUTPUT, "k") == b"old"
    assert world.s3.list_multipart_uploads(Bucket=OUTPUT).get("Uploads", []) == []


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the tool builds the bundle on Python 3.11")
def test_the_script_of_the_bundle_starts_with_nothing_but_its_library(tmp_path: Path) -> None:
    from ndjctl.bundles import glue_bundle  # the tool itself is of a newer Python than the job

    for name, body in glue_bundle().files.items():
        (tmp_path / name).write_bytes(body)
    command = [sys.executable, "-I", "-c", SCRIPT, str(tmp_path), "--JOB_NAME", "j"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("missing job arguments: --MANIFEST_PATH")
    assert ended.stderr.count("\n") == 1


SCRIPT = """
import runpy, sys
place = sys.argv.pop(1)
sys.path.insert(0, place + "/glue_job.zip")
runpy.run_path(place + "/glue_batch_job.py", run_name="__main__")
"""
