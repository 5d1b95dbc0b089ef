"""The first lines of every file of a manifest: enough to know its shape, and whether the files are still there."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from glue_job.conform import Conformer, Drift
from glue_job.infer import Observer
from glue_job.lines import LineReader
from glue_job.records import BadLine, parse
from glue_job.schema import Struct
from glue_job.source import FileUnavailable, check_file, read_range
from ndjctl.contracts import LINE_END, MIB, ManifestFile

FILE_BYTES = MIB
LEAST_FILE_BYTES = MIB // 256
ALL_BYTES = 64 * MIB
"""Of a whole sample, which every run waits for: many files give less each, but never less than LEAST_FILE_BYTES."""
LONGEST_BYTES = 8 * MIB
"""How far a file is read for the end of its first line."""

_THREADS = 8
_FILES_AT_ONCE = 32
"""Whose samples are in memory together."""


@dataclass
class Sample:
    """drift: what of the sample the pinned schema would rescue; empty if there is none. unavailable: reasons by file
    index. Bad lines are no part of a sample."""

    observer: Observer = field(default_factory=Observer)
    drift: Drift = field(default_factory=Drift)
    unavailable: dict[int, str] = field(default_factory=dict)


def take_sample(s3: Any, files: Mapping[int, ManifestFile], pinned: Struct | None) -> Sample:
    """Reads and observes in the order of the files, so that the same manifest gives the same schema."""
    sample = Sample()
    conformer = None if pinned is None else Conformer(pinned)
    size_bytes = max(LEAST_FILE_BYTES, min(FILE_BYTES, ALL_BYTES // max(len(files), 1)))
    entries = list(files.items())
    with ThreadPoolExecutor(_THREADS) as pool:
        for first in range(0, len(entries), _FILES_AT_ONCE):
            window = entries[first : first + _FILES_AT_ONCE]
            heads = pool.map(lambda entry: _head_or_reason(s3, entry[1], size_bytes), window)
            for (index, _), head in zip(window, heads, strict=True):
                if isinstance(head, FileUnavailable):
                    sample.unavailable[index] = str(head)
                else:
                    _observe(head, sample.observer, conformer)
    if conformer is not None:
        sample.drift = conformer.drift
    return sample


def _observe(head: bytes, observer: Observer, conformer: Conformer | None) -> None:
    for line in LineReader([head], 0, len(head)):
        try:
            record = parse(line.data)
        except BadLine:
            continue
        observer.add(record)
        if conformer is not None:
            conformer.conform(record)


def _head_or_reason(s3: Any, file: ManifestFile, size_bytes: int) -> bytes | FileUnavailable:
    try:
        return _head(s3, file, size_bytes)
    except FileUnavailable as reason:
        return reason


def _head(s3: Any, file: ManifestFile, size_bytes: int) -> bytes:
    """Whole lines from the file's start: about `size_bytes`, or one longer line of up to LONGEST_BYTES, or none."""
    if file.size_bytes == 0:
        check_file(s3, file)
        return b""
    head = b""
    while True:
        head += read_range(s3, file, len(head), min(size_bytes, file.size_bytes))
        if len(head) == file.size_bytes:
            return head
        cut = head.rfind(LINE_END) + 1
        if cut or size_bytes >= LONGEST_BYTES:
            return head[:cut]
        size_bytes = min(size_bytes * 2, LONGEST_BYTES)
