"""What a user can name on the command line."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from ndjctl import inputs
from ndjctl.errors import UsageError
from ndjctl.inputs import collect, scan


def _write(path: Path, text: str = "{}\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_files_and_folders_become_keys(tmp_path: Path) -> None:
    one = _write(tmp_path / "one.ndjson")
    _write(tmp_path / "d/b.ndjson")
    _write(tmp_path / "d/deep/a.ndjson")
    _write(tmp_path / "d/c.jsonl")
    _write(tmp_path / "d/readme.txt")
    found = collect([one, tmp_path / "d"])
    assert [file.key for file in found.files] == ["one.ndjson", "b.ndjson", "c.jsonl.ndjson", "deep/a.ndjson"]


def test_a_file_may_be_called_anything(tmp_path: Path) -> None:
    assert collect([_write(tmp_path / "export.log")]).files[0].key == "export.log.ndjson"


def test_two_files_of_one_name_stay_two_and_one_named_twice_is_one(tmp_path: Path) -> None:
    a, b = _write(tmp_path / "a/x.ndjson"), _write(tmp_path / "b/x.ndjson")
    assert [file.key for file in collect([a, b]).files] == ["x.ndjson", "x.ndjson"]
    assert len(collect([a, a]).files) == 1
    bare, suffixed = _write(tmp_path / "c/x"), _write(tmp_path / "d/x.ndjson")
    assert [file.key for file in collect([bare, suffixed]).files] == ["x.ndjson", "x.ndjson"]
    _write(tmp_path / "e/x.jsonl")
    _write(tmp_path / "e/x.jsonl.ndjson")
    assert [file.key for file in collect([tmp_path / "e"]).files] == ["x.jsonl.ndjson"] * 2
    assert len(collect([a, tmp_path / "b/../a/x.ndjson"]).files) == 1


def _refused(*paths: Path) -> str:
    with pytest.raises(UsageError) as caught:
        collect(paths)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    assert "does not exist" in _refused(tmp_path / "no.ndjson")
    assert "is empty (0 bytes)" in _refused(_write(tmp_path / "e.ndjson", ""))
    (tmp_path / "empty").mkdir()
    assert "holds no NDJSON" in _refused(tmp_path / "empty")
    _write(tmp_path / "allempty/e.ndjson", "")
    assert "only empty files" in _refused(tmp_path / "allempty")
    _write(tmp_path / "deep" / ("d" * 250) / ("e" * 250) / ("f" * 250) / ("g" * 250) / ("h" * 100 + ".ndjson"))
    assert "S3 takes 1024" in _refused(tmp_path / "deep")
    os.mkfifo(tmp_path / "pipe")
    assert "neither a file nor a folder" in _refused(tmp_path / "pipe")
    assert "not a usable file name" in _refused(Path("a\0b"))


def test_a_name_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.ndjson"
    try:
        with Path(os.fsdecode(path)).open("wb") as file:
            file.write(b"{}\n")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert "is not UTF-8" in _refused(Path(os.fsdecode(path)))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user of this machine can enter; pytest's own are its user's alone."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def _as_somebody(path: Path) -> str:
    """What an ordinary user is told: root reads everything, so root becomes nobody first, in a process of its own."""
    receiver, sender = multiprocessing.Pipe(duplex=False)

    def ask() -> None:
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        try:
            collect([path])
            sender.send("accepted")
        except UsageError as error:
            sender.send(str(error))

    process = multiprocessing.get_context("fork").Process(target=ask)
    process.start()
    process.join(30)
    assert process.exitcode == 0
    return str(receiver.recv())


def test_what_may_not_be_read_is_told(open_folder: Path) -> None:
    path = _write(open_folder / "x.ndjson")
    assert _as_somebody(path) == "accepted" or os.geteuid() != 0
    path.chmod(0)
    assert _as_somebody(path) == f"{path} cannot be read: Permission denied."
    inner = _write(open_folder / "closed/x.ndjson")
    inner.parent.chmod(0)
    assert _as_somebody(inner) == f"{inner} cannot be read: Permission denied."
    assert _as_somebody(inner.parent) == f"{inner.parent} cannot be read: Permission denied."
    inner.parent.chmod(0o755)


def test_an_empty_file_among_others_is_skipped_and_named(tmp_path: Path) -> None:
    _write(tmp_path / "d/a.ndjson")
    empty = _write(tmp_path / "d/b.ndjson", "")
    found = collect([tmp_path / "d"])
    assert [file.key for file in found.files] == ["a.ndjson"]
    assert found.empty == (empty,)


def test_a_scan_counts_lines_and_knows_the_etag(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.ndjson", '{"a":1}\n\n  \r\n{"b":2}')
    result = scan(path)
    assert (result.lines, result.size_bytes) == (2, path.stat().st_size)
    assert result.etag == hashlib.md5(path.read_bytes()).hexdigest()


def test_a_large_file_has_the_etag_of_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "PART_SIZE_BYTES", 2 * inputs.MIB)
    data = b"x" * (5 * inputs.MIB) + b"\n"
    path = tmp_path / "x.ndjson"
    path.write_bytes(data)
    parts = [hashlib.md5(data[i : i + 2 * inputs.MIB]).digest() for i in range(0, len(data), 2 * inputs.MIB)]
    read: list[int] = []
    result = scan(path, read.append)
    assert result.etag == f"{hashlib.md5(b''.join(parts)).hexdigest()}-3"
    assert sum(read) == len(data)


def test_lines_of_a_compressed_file_are_those_of_its_text(tmp_path: Path) -> None:
    text = b'{"a":1}\n\n{"b":2}\n' * 50_000
    for name, data in {
        "a.gz": gzip.compress(text),
        "b.bz2": bz2.compress(text),
        "c.zst": pa.compress(text, codec="zstd", asbytes=True),
    }.items():
        (tmp_path / name).write_bytes(data)
        read: list[int] = []
        found = scan(tmp_path / name, read.append)
        assert (found.lines, found.size_bytes, sum(read)) == (100_000, len(data), len(data))
        assert found.etag == hashlib.md5(data).hexdigest()


def test_damaged_data_is_hashed_whole_for_the_job_to_judge(tmp_path: Path) -> None:
    data = gzip.compress(b'{"a":1}\n')[:-6] + b"x" * 3_000_000
    (tmp_path / "a.gz").write_bytes(data)
    found = scan(tmp_path / "a.gz")
    assert (found.size_bytes, found.etag) == (len(data), hashlib.md5(data).hexdigest())


def test_folders_are_searched_for_compressed_files_too(tmp_path: Path) -> None:
    for name in ("a.ndjson.gz", "b.jsonl.zst", "c.ndjson.bz2", "d.gz", "e.csv.gz"):
        _write(tmp_path / name)
    assert [file.key for file in collect([tmp_path]).files] == [
        "a.ndjson.gz.ndjson",
        "b.jsonl.zst.ndjson",
        "c.ndjson.bz2.ndjson",
    ]
