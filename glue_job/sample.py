"""The first lines of every file of a manifest: enough to know its shape, how it is compressed, about how large its
Parquet will be, and whether the files are still there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from glue_job.compression import HEAD_BYTES, DamagedData, codec_of, decompressed
from glue_job.conform import Conformer, Drift
from glue_job.infer import Observer
from glue_job.lines import LineReader
from glue_job.plan import Extent
from glue_job.records import BadLine, parse
from glue_job.schema import Struct
from glue_job.source import FileUnavailable
from glue_job.store import InputFile, Store
from ndjctl.contracts import LINE_END, MIB

FILE_BYTES = MIB
LEAST_FILE_BYTES = MIB // 256
ALL_BYTES = 64 * MIB
"""Of a whole sample, which every run waits for: many files give less each, but never less than LEAST_FILE_BYTES."""
LONGEST_BYTES = 8 * MIB
"""How far a file is read for the end of its first line."""
TRIAL_BYTES = 4 * MIB
"""Of lines that are kept, to see how large their Parquet is."""

_COMPRESSED_BLOCK_BYTES = 64 * 1024
_THREADS = 8
_FILES_AT_ONCE = 32
"""Whose samples are in memory together."""


@dataclass
class Sample:
    """drift: what of the sample the pinned schema would rescue; empty if there is none. unavailable: reasons by file
    index. codecs: glue_job.compression's names, by index of the compressed files. extents: by file index. trial: lines
    of all files. bad_lines: how many were passed over; they are no part of a sample."""

    observer: Observer = field(default_factory=Observer)
    drift: Drift = field(default_factory=Drift)
    unavailable: dict[int, str] = field(default_factory=dict)
    codecs: dict[int, str] = field(default_factory=dict)
    extents: dict[int, Extent] = field(default_factory=dict)
    trial: bytes = b""
    bad_lines: int = 0


@dataclass(frozen=True)
class Head:
    """The beginning of one file. lines: whole ones, as text. extent: of all of the file."""

    lines: bytes
    codec: str | None
    extent: Extent


def take_sample(
    store: Store,
    files: Mapping[int, Any],
    pinned: Struct | None,
    all_bytes: int | None = None,
    least_file_bytes: int | None = None,
) -> Sample:
    """Reads and observes in the order of the files, so that the same manifest gives the same schema. all_bytes: about
    how much together (ALL_BYTES), and least_file_bytes of each at least (LEAST_FILE_BYTES)."""
    sample = Sample()
    conformer = None if pinned is None else Conformer(pinned)
    share_bytes = min(FILE_BYTES, (all_bytes or ALL_BYTES) // max(len(files), 1))
    share_bytes = max(least_file_bytes or LEAST_FILE_BYTES, share_bytes)
    trial = _Trial(TRIAL_BYTES // max(len(files), 1))
    entries = list(files.items())
    with ThreadPoolExecutor(_THREADS) as pool:
        for first in range(0, len(entries), _FILES_AT_ONCE):
            window = entries[first : first + _FILES_AT_ONCE]
            heads = pool.map(lambda entry: _head_or_reason(store, entry[1], share_bytes), window)
            for (index, _), head in zip(window, heads, strict=True):
                if isinstance(head, FileUnavailable):
                    sample.unavailable[index] = str(head)
                    continue
                sample.extents[index] = head.extent
                if head.codec is not None:
                    sample.codecs[index] = head.codec
                trial.add(head.lines)
                sample.bad_lines += observe(head.lines, sample.observer, conformer)
    sample.trial = bytes(trial.lines)
    if conformer is not None:
        sample.drift = conformer.drift
    return sample


def observe(lines: bytes, observer: Observer, conformer: Conformer | None = None) -> int:
    """lines: whole ones. Bad lines are passed over; how many there were."""
    bad_lines = 0
    for line in LineReader([lines], 0, len(lines)):
        try:
            record = parse(line.data)
        except BadLine:
            bad_lines += 1
            continue
        observer.add(record)
        if conformer is not None:
            conformer.conform(record)
    return bad_lines


class _Trial:
    """Some lines of every file, TRIAL_BYTES about."""

    def __init__(self, share_bytes: int) -> None:
        self._share_bytes = share_bytes
        self.lines = bytearray()

    def add(self, lines: bytes) -> None:
        """Takes whole lines off the beginning, one at least while there is room."""
        if len(self.lines) >= TRIAL_BYTES:
            return
        cut = lines.rfind(LINE_END, 0, self._share_bytes) + 1 or lines.find(LINE_END) + 1 or len(lines)
        self.lines += lines[:cut]
        if self.lines and not self.lines.endswith(LINE_END):
            self.lines += LINE_END


def _head_or_reason(store: Store, file: InputFile, size_bytes: int) -> Head | FileUnavailable:
    try:
        return read_head(store, file, size_bytes)
    except FileUnavailable as reason:
        return reason


def read_head(store: Store, file: InputFile, size_bytes: int = FILE_BYTES) -> Head:
    """The file's beginning: about `size_bytes` of whole lines, or one longer line of up to LONGEST_BYTES, or none.
    Raises FileUnavailable."""
    if file.size_bytes == 0:
        store.check(file)
        return Head(b"", None, Extent(0))
    first = store.read(file, 0, min(max(size_bytes, HEAD_BYTES), file.size_bytes))
    codec = codec_of(first)
    if codec is None:
        plain = _Stretch(first, lambda start, end: store.read(file, start, end), file.size_bytes)
        return Head(_whole_lines(plain, size_bytes), None, Extent(file.size_bytes))
    stretch = _Decompressed(store, file, codec, first)
    lines = _whole_lines(stretch, size_bytes)
    return Head(lines, codec, Extent(stretch.estimate(), is_exact=False))


class _Stretch:
    """The beginning of a plain text, to be made longer."""

    def __init__(self, text: bytes, read: Callable[[int, int], bytes], size_bytes: int) -> None:
        self.text = text
        self._read = read
        self._size_bytes = size_bytes

    @property
    def is_all(self) -> bool:
        return len(self.text) == self._size_bytes

    def lengthen(self, size_bytes: int) -> None:
        if len(self.text) < size_bytes and not self.is_all:
            self.text += self._read(len(self.text), min(size_bytes, self._size_bytes))


class _Decompressed:
    """The beginning of a compressed text, to be made longer. Data that is damaged ends it, and whoever
    converts the file says so; nothing but damaged data is no beginning."""

    def __init__(self, store: Store, file: InputFile, codec: str, first: bytes) -> None:
        self._store = store
        self._file = file
        self._first = first
        self._drawn_bytes = 0
        self._content = decompressed(self._blocks(), codec)
        self.text = b""
        self.is_all = False

    def _blocks(self) -> Iterator[bytes]:
        while self._drawn_bytes < self._file.size_bytes:
            start = self._drawn_bytes
            end = min(start + _COMPRESSED_BLOCK_BYTES, self._file.size_bytes)
            self._drawn_bytes = end
            yield self._first[start:end] if end <= len(self._first) else self._store.read(self._file, start, end)

    def lengthen(self, size_bytes: int) -> None:
        while len(self.text) < size_bytes and not self.is_all:
            try:
                block = next(self._content, None)
            except DamagedData as reason:
                if not self.text:
                    raise FileUnavailable(f"{self._file.uri}: {reason}") from reason
                block = None
            if block is None:
                self.is_all = True
            else:
                self.text += block

    def estimate(self) -> int:
        """Size of all of the text."""
        if self.is_all:
            return max(len(self.text), 1)
        return max(len(self.text) * self._file.size_bytes // max(self._drawn_bytes, 1), 1)


def _whole_lines(stretch: _Stretch | _Decompressed, size_bytes: int) -> bytes:
    while True:
        stretch.lengthen(size_bytes)
        if stretch.is_all:
            return stretch.text
        cut = stretch.text.rfind(LINE_END) + 1
        if cut or size_bytes >= LONGEST_BYTES:
            return stretch.text[:cut]
        size_bytes = min(size_bytes * 2, LONGEST_BYTES)
