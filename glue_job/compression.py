"""Compressed input, told by its content: gzip, bzip2 and zstd, also several streams one behind the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from ndjctl.contracts import MIB

BLOCK_BYTES = 4 * MIB
"""Most that is given at a time, so that a few bytes which stand for gigabytes take no more memory than others."""

HEAD_BYTES = 10
"""So many of a file's first bytes tell what it is."""

_GZIP = b"\x1f\x8b\x08"
_BZIP2 = b"BZh"
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")  # the first block, or the end of an empty stream
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # behind a byte from 0x50 to 0x5f

_SHOWN = {"gzip": "gzip", "bz2": "bzip2", "zstd": "zstd"}


class DamagedData(ValueError):
    """The compressed data is not whole; str() is one sentence without its file's name."""


def codec_of(head: bytes) -> str | None:
    """pyarrow's name of the compression of a file that begins so, None for plain text. No line of JSON begins like one
    of these."""
    if head.startswith(_GZIP):
        return "gzip"
    if head.startswith(_BZIP2) and head[4:10].startswith(_BZIP2_BLOCKS):
        return "bz2"
    if head.startswith(_ZSTD) or (head[1:4] == _ZSTD_SKIPPABLE and 0x50 <= head[0] <= 0x5F):
        return "zstd"
    return None


def decompressed(blocks: Iterable[bytes], codec: str) -> Iterator[bytes]:
    """The content, in blocks of at most BLOCK_BYTES. blocks: all of the compressed file, drawn as needed.

    Raises DamagedData where the data ends too early, fails its checksum, or is followed by something else.
    """
    stream = pa.CompressedInputStream(pa.PythonFile(_Blocks(blocks), mode="r"), codec)
    while True:
        try:
            block: bytes = stream.read(BLOCK_BYTES)
        except _ReadFailed as failure:
            raise failure.__cause__ from None  # type: ignore[misc]
        except OSError as error:
            raise DamagedData(f"its {_SHOWN[codec]} data is damaged or cut off ({error})") from error
        if not block:
            return
        yield block


def skipped(blocks: Iterable[bytes], count: int) -> Iterator[bytes]:
    """The blocks without their first `count` bytes."""
    for block in blocks:
        if count >= len(block):
            count -= len(block)
        elif count:
            yield block[count:]
            count = 0
        else:
            yield block


class _ReadFailed(Exception):
    """The blocks could not be had, which is no fault of the data; the cause says why."""


class _Blocks:
    """As much of a binary file object as pyarrow uses, on blocks."""

    closed = False

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        if not self._rest:
            try:
                self._rest = memoryview(next(self._blocks, b""))
            except Exception as error:
                raise _ReadFailed from error
        taken = bytes(self._rest[:size])
        self._rest = self._rest[len(taken) :]
        return taken

    def close(self) -> None:
        self.closed = True
