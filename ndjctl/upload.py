"""Puts local files into the input bucket: in parallel, in parts, checked, and not again what is already there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import count
from pathlib import PurePosixPath
from threading import Event, Lock
from typing import Any

from ndjctl.aws import is_not_found
from ndjctl.contracts import FILE_SUFFIX
from ndjctl.errors import WorkFailed
from ndjctl.inputs import PART_SIZE_BYTES, InputFile, Scan, scan

PARALLEL_FILES = 8
DIGEST_METADATA = "ndjctl-etag"
"""Object metadata with the content's plain ETag: under some encryption the object's own ETag is no digest."""

Progress = Callable[[str, int], None]
"""Called with a phase ("read" or "sent") and the bytes done since the last call; from several threads."""


@dataclass(frozen=True)
class Uploaded:
    """One input file in the bucket. etag: the object's, as S3 answers it, unquoted. sent: False where the same bytes
    were there before. renamed: whether another file holds the key that the name asks for."""

    file: InputFile
    scan: Scan
    key: str
    etag: str
    last_modified: datetime
    sent: bool
    renamed: bool


def upload_all(
    s3: Any,
    bucket: str,
    files: Sequence[InputFile],
    known: Callable[[str, str, datetime], bool],
    progress: Progress = lambda _phase, _bytes: None,
) -> list[Uploaded]:
    """Uploads `files`, in their order in the answer.

    known(key, etag, last_modified): whether the pipeline has seen that object; one that it has not is sent again, so
    that its event comes again. Raises WorkFailed for a file that changes meanwhile, and what boto3 raises.
    """
    turns, places = _turns(files), _Places(s3, bucket)
    with ThreadPoolExecutor(PARALLEL_FILES) as pool:
        futures = [
            pool.submit(_upload, s3, bucket, file, known, progress, places, turn)
            for file, turn in zip(files, turns, strict=True)
        ]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@dataclass(frozen=True)
class _Turn:
    """Files of one name choose their keys one after the other, as they were named: their keys are the same ones each
    time. A file waits only for such that were submitted before it, so that the first of them never waits. Within it a
    file has not chosen yet; the next one may when it ends, in whatever way."""

    before: Event | None
    mine: Event

    def wait(self) -> None:
        if self.before is not None:
            self.before.wait()

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self.mine.set()


def _turns(files: Sequence[InputFile]) -> list[_Turn]:
    last: dict[str, Event] = {}
    turns = []
    for file in files:
        turns.append(_Turn(last.get(file.key), Event()))
        last[file.key] = turns[-1].mine
    return turns


class _Places:
    """Which key each file of one command gets: never one that holds other bytes, which the pipeline may be reading,
    and always the same one, so that typing the command again finds them."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3, self._bucket = s3, bucket
        self._lock = Lock()
        self._taken: set[str] = set()

    def choose(self, name: str, etag: str) -> tuple[str, dict[str, Any] | None]:
        """The key, and what S3 has there of the same bytes, as HeadObject has it."""
        for key in _names(name, etag):
            with self._lock:
                if key in self._taken:
                    continue
                self._taken.add(key)
            there = _head(self._s3, self._bucket, key)
            if there is None or _digest(there) == etag:
                return key, there
            with self._lock:
                self._taken.discard(key)  # it may hold the bytes of another file of this command
        raise AssertionError("the names never end")


def _names(name: str, etag: str) -> Iterator[str]:
    path = PurePosixPath(name)
    stem = path.name.removesuffix(FILE_SUFFIX)
    yield name
    for digest in (etag[:8], etag):
        yield str(path.with_name(f"{stem}-{digest}{FILE_SUFFIX}"))
    for number in count(2):
        yield str(path.with_name(f"{stem}-{etag}-{number}{FILE_SUFFIX}"))


def _upload(
    s3: Any,
    bucket: str,
    file: InputFile,
    known: Callable[[str, str, datetime], bool],
    progress: Progress,
    places: _Places,
    turn: _Turn,
) -> Uploaded:
    with turn:
        content = scan(file.path, lambda count: progress("read", count))
        turn.wait()
        key, there = places.choose(file.key, content.etag)
    renamed = key != file.key
    if there is not None and _digest(there) == content.etag and known(key, _etag(there), there["LastModified"]):
        progress("sent", content.size_bytes)
        return Uploaded(file, content, key, _etag(there), there["LastModified"], sent=False, renamed=renamed)
    stored = _send(s3, bucket, key, file, content, progress)
    if stored is None or stored["ContentLength"] != content.size_bytes or not _same_bytes(stored, content):
        raise WorkFailed(f"{file.path} changed while it was uploaded: run the command again when it is finished.")
    return Uploaded(file, content, key, _etag(stored), stored["LastModified"], sent=True, renamed=renamed)


def _send(s3: Any, bucket: str, key: str, file: InputFile, content: Scan, progress: Progress) -> dict[str, Any] | None:
    """Puts the file there and returns what S3 then knows of it, as HeadObject has it."""
    about = {"Metadata": {DIGEST_METADATA: content.etag}, "ContentType": "application/x-ndjson"}
    if content.size_bytes >= PART_SIZE_BYTES:
        from boto3.s3.transfer import TransferConfig

        parts = TransferConfig(
            multipart_threshold=PART_SIZE_BYTES, multipart_chunksize=PART_SIZE_BYTES, max_concurrency=4
        )
        path = str(file.path)
        s3.upload_file(path, bucket, key, Config=parts, ExtraArgs=about, Callback=lambda count: progress("sent", count))
        return _head(s3, bucket, key)
    with file.path.open("rb") as body:
        answer = s3.put_object(Bucket=bucket, Key=key, Body=body, **about)
        size_bytes = body.tell()
    progress("sent", content.size_bytes)
    # The answer says all that a second request would: for thousands of small files that one counts.
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if date is None:
        return _head(s3, bucket, key)
    return {**answer, "ContentLength": size_bytes, "LastModified": parsedate_to_datetime(date)}


def _head(s3: Any, bucket: str, key: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    try:
        return dict(s3.head_object(Bucket=bucket, Key=key))
    except ClientError as error:
        if is_not_found(error):
            return None
        raise


def _etag(head: dict[str, Any]) -> str:
    return str(head["ETag"]).strip('"')


def _digest(head: dict[str, Any]) -> str:
    return str(head.get("Metadata", {}).get(DIGEST_METADATA) or _etag(head))


def _same_bytes(head: dict[str, Any], content: Scan) -> bool:
    """The object's ETag against what was read, where the ETag is a digest (it is none under SSE-KMS)."""
    return head.get("ServerSideEncryption", "AES256") != "AES256" or _etag(head) == content.etag
