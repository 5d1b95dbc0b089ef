"""Files of this machine as the input of a conversion: found, sampled, and converted by several processes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from glue_job.compression import DamagedData, decompressed
from glue_job.convert import PartResult, PartTask, write_part
from glue_job.estimate import parquet_share
from glue_job.plan import Extent, Slice, plan_parts
from glue_job.rounds import PartFailed, Rounds, Work
from glue_job.sample import Sample, take_sample
from glue_job.schema import Struct
from glue_job.source import FileUnavailable
from glue_job.store import read_blocks
from ndjctl.contracts import LINE_END, MIB
from ndjctl.convert.names import BAD_LINES_FOLDER
from ndjctl.convert.settings import Reporter, Settings
from ndjctl.convert.stores import CountingStore
from ndjctl.convert.workers import Workers
from ndjctl.errors import UsageError, WorkFailed
from ndjctl.folder_store import LocalFile
from ndjctl.paths import STDIN, is_folder, is_same_folder, shown, walk

_SAMPLE_BYTES = 16 * MIB
"""Of all files together. The job takes more, but nobody waits in front of it."""

_LEAST_SAMPLE_BYTES = 1024
"""Of each of very many files: a line or two."""


def find_files(given: Sequence[str], output: Path | None) -> list[LocalFile]:
    """The files of what was given (files and folders, but not STDIN) in that order, folders sorted, each once. output:
    where the Parquet goes; it is no input. Raises UsageError for what is not there or cannot be looked at."""
    found: dict[str, LocalFile] = {}
    for name in given:
        if name == STDIN:
            raise UsageError(
                "'-' (standard input) is converted alone: leave out the other inputs, or './-' for a file."
            )
        if is_folder(name):
            if output is not None and is_same_folder(name, output):
                raise UsageError(f"{shown(name)} is both input and output: name another folder with -o.")
            for file in walk(name, leave_out=output):
                found.setdefault(os.path.abspath(file), _look_at(file))  # noqa: PTH100 - links stay what they are
        else:
            if output is not None and is_same_folder(Path(name).parent, output / BAD_LINES_FOLDER):
                raise UsageError(
                    f"{shown(name)} holds bad lines of an earlier conversion to {shown(output)}, which this one "
                    f"replaces: copy it elsewhere first."
                )
            found.setdefault(os.path.abspath(name), _look_at(name))  # noqa: PTH100
    return list(found.values())


def _look_at(name: str) -> LocalFile:
    try:
        name.encode("utf-8")  # rows name their source
        about = os.stat(name)  # noqa: PTH116
    except UnicodeEncodeError as error:
        raise UsageError(f"{shown(name)}: its name is not UTF-8, and rows could not name it: rename it.") from error
    except FileNotFoundError as error:
        raise UsageError(f"{shown(name)} does not exist.") from error
    except OSError as error:
        raise UsageError(f"{shown(name)} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # a NUL in the name
        raise UsageError(f"{shown(name)} is not a usable file name.") from error
    if not stat.S_ISREG(about.st_mode):  # before opening: opening a pipe would wait for its writer
        raise UsageError(f"{shown(name)} is neither a file nor a folder: send it to standard input, and name that '-'.")
    return LocalFile(Path(name), name, about.st_size, about.st_mtime_ns, about.st_ino)


class FileSource:
    """folder: where unfinished output goes, None to write nothing."""

    def __init__(self, files: Sequence[LocalFile], settings: Settings, folder: Path | None, reporter: Reporter) -> None:
        self.files: Mapping[int, LocalFile] = dict(enumerate(files))
        self._settings = settings
        self._folder = folder
        self._reporter = reporter

    def sample(self) -> Sample:
        self._reporter.phase("sample")
        return take_sample(
            CountingStore(None, _ignore), self.files, self._settings.declared, _SAMPLE_BYTES, _LEAST_SAMPLE_BYTES
        )

    def convert(self, root: Struct, sample: Sample) -> Work:
        """Writes every part, without the files that cannot be had or are too bad. A file that fails on the way has all
        its parts written again without it, so that no part keeps rows of it. Raises WorkFailed, and OSError for what
        cannot be written."""
        settings, files = self._settings, self.files
        extents = [sample.extents.get(index, Extent(file.size_bytes)) for index, file in files.items()]
        text_bytes = sum(extent.size_bytes for extent in extents)
        parts = plan_parts(extents, settings.count_parts(text_bytes, parquet_share(sample.trial, root)))
        slices = [piece for part in parts for piece in part.slices]
        self._reporter.phase("convert", sum(_to_read(piece, files[piece.file], extents) for piece in slices))
        enough = text_bytes >= settings.least_text_bytes
        processes = min(settings.processes, len(parts)) if enough else 1

        with self._runner(processes) as run:
            rounds = Rounds(
                list(files.values()),
                parts,
                sample.unavailable,
                lambda part, _round: settings.task(part, files, sample.codecs, root),
                run,
                CountingStore(self._folder, _ignore),
                settings.limits,
            )
            try:
                return rounds.write()
            except PartFailed as failed:
                raise WorkFailed(f"{failed}.") from failed

    def line_number(self, uri: str, codec: str | None, byte_offset: int) -> int | None:
        """Of the line of that file that begins at `byte_offset` of its text, from 1; None if it cannot be read."""
        file = next(file for file in self.files.values() if file.uri == uri)
        blocks: Iterator[bytes] = read_blocks(CountingStore(None, _ignore), file, 0, file.size_bytes)
        number, left = 1, byte_offset
        try:
            for block in blocks if codec is None else decompressed(blocks, codec):
                number += block[: max(left, 0)].count(LINE_END)
                left -= len(block)
                if left <= 0:
                    break
        except (FileUnavailable, DamagedData):
            return None
        return number

    @contextmanager
    def _runner(self, processes: int) -> Iterator[Callable[[list[PartTask]], list[PartResult]]]:
        on_read = self._reporter.bytes_read
        if processes == 1:
            store = CountingStore(self._folder, on_read)
            yield lambda tasks: [write_part(task, store) for task in tasks]
            return
        with Workers(processes, self._folder, on_read) as workers:
            yield lambda tasks: workers.run(write_part, tasks)


def _ignore(_count: int) -> None:
    """For reading that is no part of the work."""


def _to_read(piece: Slice, file: LocalFile, extents: Sequence[Extent]) -> int:
    """Bytes of the file that are read for a slice: of a compressed one everything up to its end."""
    extent = extents[piece.file]
    if extent.is_exact:
        return (file.size_bytes if piece.end is None else piece.end) - piece.start
    return file.size_bytes if piece.end is None else file.size_bytes * piece.end // max(extent.size_bytes, 1)
