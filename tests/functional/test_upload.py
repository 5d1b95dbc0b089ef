"""Uploading to S3 (moto's)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ndjctl.errors import WorkFailed
from ndjctl.inputs import collect
from ndjctl.upload import upload_all

BUCKET = "input"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


def _upload(s3: Any, *paths: Path, known: bool = True, progress: Any = lambda _p, _b: None) -> list[Any]:
    return upload_all(s3, BUCKET, collect(paths).files, lambda *_a: known, progress)


def test_the_same_bytes_go_up_once(s3: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text('{"a":1}\n')
    first, second = _upload(s3, path)[0], _upload(s3, path)[0]
    assert (first.sent, second.sent) == (True, False)
    assert first.etag == second.etag == first.scan.etag
    assert s3.get_object(Bucket=BUCKET, Key="a.ndjson")["Body"].read() == path.read_bytes()


def test_bytes_whose_event_was_lost_go_up_again(s3: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text('{"a":1}\n')
    _upload(s3, path)
    assert _upload(s3, path, known=False)[0].sent


def test_other_bytes_never_overwrite_and_find_their_place_again(s3: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text('{"a":1}\n')
    _upload(s3, path)
    path.write_text('{"a":2}\n')
    second = _upload(s3, path)[0]
    assert second.renamed
    assert second.key == f"a-{second.scan.etag[:8]}.ndjson"
    again = _upload(s3, path)[0]
    assert (again.key, again.sent) == (second.key, False)
    assert s3.get_object(Bucket=BUCKET, Key="a.ndjson")["Body"].read() == b'{"a":1}\n'


def _named(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name / "same.ndjson"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_files_of_one_name_find_their_places_again_in_whatever_order_they_are_named(s3: Any, tmp_path: Path) -> None:
    paths = [_named(tmp_path, f"d{number}", f'{{"n":{number}}}\n') for number in range(12)]
    first = {each.file.path: each.key for each in _upload(s3, *paths)}
    assert first[paths[0]] == "same.ndjson" and len(set(first.values())) == len(paths)
    again = _upload(s3, *reversed(paths))
    assert {each.file.path: each.key for each in again} == first
    assert not any(each.sent for each in again)
    (alone,) = _upload(s3, paths[5])
    assert (alone.key, alone.sent) == (first[paths[5]], False)


def test_equal_files_of_one_name_are_as_many_objects(s3: Any, tmp_path: Path) -> None:
    """Their rows are wanted twice; whichever is named first."""
    paths = [_named(tmp_path, name, '{"n":1}\n') for name in ("d1", "d2", "d3")]
    keys = [each.key for each in _upload(s3, *paths)]
    digest = _upload(s3, paths[0])[0].scan.etag
    assert keys == ["same.ndjson", f"same-{digest[:8]}.ndjson", f"same-{digest}.ndjson"]
    again = _upload(s3, *reversed(paths))
    assert [(each.key, each.sent) for each in again] == [(key, False) for key in keys]


def test_a_file_whose_name_is_that_of_a_renamed_one_is_not_written_over(s3: Any, tmp_path: Path) -> None:
    first, second = _named(tmp_path, "d1", '{"n":1}\n'), _named(tmp_path, "d2", '{"n":2}\n')
    (alone,) = _upload(s3, second)
    theirs = f"same-{alone.scan.etag[:8]}.ndjson"
    s3.delete_object(Bucket=BUCKET, Key=alone.key)
    s3.put_object(Bucket=BUCKET, Key=theirs, Body=b"theirs")
    assert [each.key for each in _upload(s3, first, second)] == ["same.ndjson", f"same-{alone.scan.etag}.ndjson"]
    assert s3.get_object(Bucket=BUCKET, Key=theirs)["Body"].read() == b"theirs"


def test_one_that_cannot_be_read_does_not_hold_up_the_others_of_its_name(s3: Any, tmp_path: Path) -> None:
    paths = [_named(tmp_path, name, f'{{"n":"{name}"}}\n') for name in ("d1", "d2")]
    files = collect(paths).files
    paths[0].unlink()
    with pytest.raises(WorkFailed, match="cannot be read"):
        upload_all(s3, BUCKET, files, lambda *_a: True)


def test_many_files_keep_their_order_and_progress_adds_up(s3: Any, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number:02}.ndjson").write_text(f'{{"n":{number}}}\n' * (number + 1))
    done: Counter[str] = Counter()
    uploads = _upload(s3, tmp_path, progress=lambda phase, count: done.update({phase: count}))
    assert [u.key for u in uploads] == [f"{n:02}.ndjson" for n in range(20)]
    total = sum(u.scan.size_bytes for u in uploads)
    assert done == Counter(read=total, sent=total)
