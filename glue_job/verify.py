"""What has to hold before a file may be called completed. Reads the finished parts back rather than believing the
tasks that wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError

from glue_job.clients import error_code
from glue_job.convert import PartResult, PartTask
from glue_job.parquet import Footer, footer_bytes, parse_footer
from glue_job.reading import SliceResult
from glue_job.store import InputFile, Published, Store

_TAIL_BYTES = 64 * 1024
_THREADS = 8


class VerificationFailed(Exception):
    """str() is one sentence that says where what was written differs from what should have been."""


def verify_files(files: Mapping[int, InputFile], results: Iterable[PartResult]) -> None:
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


def _verify_file(file: InputFile, slices: Sequence[SliceResult]) -> None:
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
    size_bytes = _text_bytes(file, slices)
    if covered != size_bytes:
        raise VerificationFailed(f"{file.uri}: lines were read up to byte {covered} of {size_bytes}")


def _text_bytes(file: InputFile, slices: Sequence[SliceResult]) -> int:
    """Size of the text: of a plain file its own, of a compressed one what its last slice found."""
    if not slices or slices[-1].piece.end is not None:
        return file.size_bytes
    found = slices[-1].text_bytes
    if found is None:
        raise VerificationFailed(f"{file.uri}: its compressed data was not read to its end")
    return found


def verify_parts(
    store: Store, tasks: Sequence[PartTask], results: Sequence[PartResult], published: Sequence[Sequence[Published]]
) -> None:
    """Raises VerificationFailed unless every part that is there is the one that its task reported, with that many rows,
    and the same for the objects of bad lines. published: of each part, as glue_job.publish.publish() gives them."""
    with ThreadPoolExecutor(min(_THREADS, len(tasks)) or 1) as pool:
        rows = zip(tasks, results, published, strict=True)
        for _ in pool.map(lambda row: _verify_part(store, *row), rows):
            pass


def _verify_part(store: Store, task: PartTask, result: PartResult, published: Sequence[Published]) -> None:
    for found in published:
        try:
            if found.target == task.target:
                footer = read_footer(store, found)
            else:
                store.read_back(found, found.size_bytes - 1, found.size_bytes)
        except ClientError as error:
            raise VerificationFailed(f"{found.target.uri} cannot be read back: {error_code(error)}") from error
        except (OSError, ValueError) as error:
            raise VerificationFailed(f"{found.target.uri} cannot be read back: {error}") from error
    if footer.rows != result.rows:
        raise VerificationFailed(f"{task.target.uri} has {footer.rows} rows; its task wrote {result.rows}")
    if footer.metadata != dict(task.metadata):
        raise VerificationFailed(f"{task.target.uri} was written by another task than the one that reported it")


def read_footer(store: Store, part: Published) -> Footer:
    """Of a visible part. Raises as Store.read_back(), and ValueError for what is no Parquet."""
    tail = _tail(store, part, _TAIL_BYTES)
    size_bytes = footer_bytes(tail)
    if size_bytes > len(tail):
        tail = _tail(store, part, size_bytes)
    return parse_footer(tail[-size_bytes:])


def _tail(store: Store, part: Published, size_bytes: int) -> bytes:
    return store.read_back(part, max(part.size_bytes - size_bytes, 0), part.size_bytes)
