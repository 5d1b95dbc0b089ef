"""The use case of `ndjctl schema infer`: looks at some files, at a sample or at every line."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence

from glue_job.compression import DamagedData, codec_of, decompressed
from glue_job.lines import MAX_LINE_BYTES, LineReader
from glue_job.records import BadLine, parse
from glue_job.sample import Sample
from glue_job.source import FileUnavailable
from glue_job.store import read_blocks
from ndjctl.convert.files import FileSource, find_files
from ndjctl.convert.settings import Reporter, Settings
from ndjctl.convert.stores import CountingStore
from ndjctl.convert.stream import StreamSource, standard_input
from ndjctl.observed import Inference
from ndjctl.paths import STDIN


def infer_files(given: Sequence[str], reporter: Reporter, every_line: bool) -> Inference:
    """Raises UsageError as ndjctl.convert.files.find_files()."""
    files = find_files(given, None)
    if not every_line:
        return _of_sample(FileSource(files, Settings(), None, reporter).sample(), len(files))
    store = CountingStore(None, reporter.bytes_read)
    reporter.phase("observe", sum(file.size_bytes for file in files))
    return of_every_line({file.uri: read_blocks(store, file, 0, file.size_bytes) for file in files})


def infer_stream(reporter: Reporter, every_line: bool) -> Inference:
    """Of standard input. Raises UsageError if there is none."""
    source = StreamSource(standard_input(), STDIN, Settings(), None, reporter)
    reporter.phase("observe")
    return of_every_line({STDIN: source.blocks()}) if every_line else _of_sample(source.sample(), 1)


def _of_sample(sample: Sample, files: int) -> Inference:
    return Inference(sample.observer, files, sample.bad_lines, list(sample.unavailable.values()))


def of_every_line(blocks: Mapping[str, Iterator[bytes]]) -> Inference:
    """blocks: of every input, by its name. A file that cannot be read to its end counts as far as it could."""
    found = Inference(files=len(blocks), is_all=True)
    for name, content in blocks.items():
        try:
            for line in LineReader(_text(content), 0, sys.maxsize):
                try:
                    if not line.is_whole:
                        raise BadLine("", f"longer than {MAX_LINE_BYTES} bytes")
                    found.observer.add(parse(line.data))
                except BadLine:
                    found.bad_lines += 1
        except FileUnavailable as reason:
            found.failed.append(str(reason))
        except DamagedData as reason:
            found.failed.append(f"{name}: {reason}")
    return found


def _text(blocks: Iterator[bytes]) -> Iterator[bytes]:
    first = next(blocks, b"")
    codec = codec_of(first)
    content = _chained(first, blocks)
    return content if codec is None else decompressed(content, codec)


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
