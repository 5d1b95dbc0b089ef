"""What has to hold before a file may be called completed. Reads the finished parts back rather than believing the
tasks that wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from glue_job.clients import error_code
from glue_job.convert import PartResult, PartTask, SliceResult
from glue_job.parquet import Footer, footer_bytes, parse_footer
from ndjctl.contracts import ManifestFile, s3_uri

_TAIL_BYTES = 64 * 1024
_THREADS = 8


class VerificationFailed(Exception):
    """str() is one sentence that says where what was written differs from what should have been."""


def verify_files(files: Mapping[int, ManifestFile], results: Iterable[PartResult]) -> None:
    """Raises VerificationFailed unless the slices of every file cover it without gap or overlap, and its lines are its
    rows and its bad lines."""
    slices: dict[int, list[SliceResult]] = {index: [] for index in files}
    for result in results:
        if result.rows != sum(piece.rows for piece in result.slices):
            raise VerificationFailed(f"part {result.number}: its rows are not the sum of its files' rows")
        for piece in result.slices:
            slices[piece.piece.file].append(piece)
    for index, file in files.items():
        _verify_file(file, sorted(slices[index], key=lambda piece: piece.piece.start))


def _verify_file(file: ManifestFile, slices: Sequence[SliceResult]) -> None:
    covered = 0
    for piece in slices:
        if piece.lines != piece.rows + piece.bad_lines:
            raise VerificationFailed(
                f"{file.uri} from byte {piece.piece.start}: {piece.lines} lines, but {piece.rows} rows and "
                f"{piece.bad_lines} bad lines"
            )
        if piece.first_offset is not None:
            if piece.first_offset != covered:
                raise VerificationFailed(
                    f"{file.uri}: lines were read up to byte {covered} and again from byte {piece.first_offset}"
                )
            covered = piece.next_offset
    if covered != file.size_bytes:
        raise VerificationFailed(f"{file.uri}: lines were read up to byte {covered} of {file.size_bytes}")


def verify_parts(s3: Any, tasks: Sequence[PartTask], results: Sequence[PartResult]) -> None:
    """Raises VerificationFailed unless every part on S3 is the one that its task reported, with that many rows, and
    the same for the objects of bad lines."""
    with ThreadPoolExecutor(min(_THREADS, len(tasks)) or 1) as pool:
        for _ in pool.map(lambda pair: _verify_part(s3, *pair), zip(tasks, results, strict=True)):
            pass


def _verify_part(s3: Any, task: PartTask, result: PartResult) -> None:
    uri = s3_uri(task.output_bucket, task.key)
    try:
        footer = _read_footer(s3, task, result)
        if result.bad_lines:
            head = s3.head_object(Bucket=task.quarantine_bucket, Key=task.bad_lines_key)
            if int(head["ContentLength"]) != result.bad_lines_size_bytes:
                raise VerificationFailed(f"{s3_uri(task.quarantine_bucket, task.bad_lines_key)}: its size is another")
    except ClientError as error:
        raise VerificationFailed(f"{uri} cannot be read back: {error_code(error)}") from error
    except ValueError as error:
        raise VerificationFailed(f"{uri} cannot be read back: {error}") from error
    if footer.rows != result.rows:
        raise VerificationFailed(f"{uri} has {footer.rows} rows; its task wrote {result.rows}")
    if footer.metadata != dict(task.metadata):
        raise VerificationFailed(f"{uri} was written by another task than the one that reported it")


def _read_footer(s3: Any, task: PartTask, result: PartResult) -> Footer:
    tail = _tail(s3, task, result, _TAIL_BYTES)
    size_bytes = footer_bytes(tail)
    if size_bytes > len(tail):
        tail = _tail(s3, task, result, size_bytes)
    return parse_footer(tail[-size_bytes:])


def _tail(s3: Any, task: PartTask, result: PartResult, size_bytes: int) -> bytes:
    start = max(result.size_bytes - size_bytes, 0)
    answer = s3.get_object(
        Bucket=task.output_bucket,
        Key=task.key,
        Range=f"bytes={start}-{result.size_bytes - 1}",
        IfMatch=f'"{result.etag}"',
    )
    body: bytes = answer["Body"].read()
    return body
