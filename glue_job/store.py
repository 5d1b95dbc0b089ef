"""Where input is read and output is written: S3 for the job, folders for `ndjctl convert`. What the record path asks of
either.

Output is written in two steps: a task makes an object whole, out of sight; the driver makes it visible once everything
has been counted. So a run that fails shows nothing, and a task's second copy cannot overwrite what was proven.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from ndjctl.contracts import MIB, s3_uri

BLOCK_BYTES = 8 * MIB
TAIL_BYTES = MIB // 4
"""First request behind the end of a range, where only the rest of one line is wanted."""


NO_MARKS: Mapping[str, str] = {}


class InputFile(Protocol):
    """uri: what rows name as their source."""

    @property
    def uri(self) -> str: ...

    @property
    def size_bytes(self) -> int: ...


class Target(NamedTuple):
    """The name of an object to be written. bucket: empty in a folder."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        return s3_uri(self.bucket, self.key) if self.bucket else self.key


class Written(NamedTuple):
    """An object that is whole but not visible yet. hold: what its store needs to make it so. Picklable."""

    target: Target
    size_bytes: int
    hold: Any


class Published(NamedTuple):
    """A visible object. etag: empty if it is not known. part_bytes: sizes of the pieces that it was sent in, which its
    ETag depends on besides its bytes; empty if they are not known."""

    target: Target
    size_bytes: int
    etag: str
    part_bytes: tuple[int, ...] = ()


class Sink(Protocol):
    """A binary file object to write to. Leaving its `with` block by an exception leaves nothing."""

    def write(self, data: Any) -> int: ...

    def finish(self) -> Written:
        """Nothing is written after it."""
        ...

    def __enter__(self) -> Sink: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Store(Protocol):
    """Methods that read raise glue_job.source.FileUnavailable for an input file that cannot be had as it is named."""

    def read(self, file: Any, start: int, end: int) -> bytes:
        """Bytes [start, end) of an input file, which must not be empty."""
        ...

    def check(self, file: Any) -> None:
        """Raises FileUnavailable unless the input file is there as it is named."""
        ...

    def create(self, target: Target, content_type: str, marks: Mapping[str, str] = NO_MARKS) -> Sink:
        """marks: that stay with the object where the store can keep any (S3 metadata: ASCII)."""
        ...

    def publish(self, written: Written) -> Published:
        """Makes the object visible in place of any older one."""
        ...

    def discard(self, written: Written) -> None:
        """Drops what is not published; never raises."""
        ...

    def read_back(self, published: Published, start: int, end: int) -> bytes:
        """Bytes [start, end) of the very object. Raises OSError, ValueError or botocore's ClientError."""
        ...


def read_blocks(store: Store, file: InputFile, start: int, end: int, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Consecutive blocks from `start` on: large ones up to `end`, then small ones to the end of the file. Raises as
    Store.read()."""
    position = start
    tail_bytes = min(TAIL_BYTES, block_bytes)
    while position < file.size_bytes:
        if position < end:
            stop = min(position + block_bytes, end, file.size_bytes)
        else:
            stop = min(position + tail_bytes, file.size_bytes)
            tail_bytes = min(tail_bytes * 2, block_bytes)
        yield store.read(file, position, stop)
        position = stop
