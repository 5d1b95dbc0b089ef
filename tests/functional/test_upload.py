"""Uploading to S3 (moto's)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

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


def test_many_files_keep_their_order_and_progress_adds_up(s3: Any, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number:02}.ndjson").write_text(f'{{"n":{number}}}\n' * (number + 1))
    done: Counter[str] = Counter()
    uploads = _upload(s3, tmp_path, progress=lambda phase, count: done.update({phase: count}))
    assert [u.key for u in uploads] == [f"{n:02}.ndjson" for n in range(20)]
    total = sum(u.scan.size_bytes for u in uploads)
    assert done == Counter(read=total, sent=total)
