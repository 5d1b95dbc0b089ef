"""How a conversion is to be done, and what it asks of those who see it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from glue_job.convert import PartTask
from glue_job.lines import MAX_LINE_BYTES
from glue_job.plan import PART_BYTES, Part, count_parts
from glue_job.rounds import Limits
from glue_job.schema import Struct
from glue_job.store import InputFile, Target
from ndjctl import __version__
from ndjctl.contracts import MIB
from ndjctl.convert.names import BAD_LINES_FOLDER, bad_lines_file, part_file

LEAST_TEXT_BYTES = 32 * MIB
"""Of NDJSON for one process: less is done sooner than a process starts."""


@dataclass(frozen=True)
class Settings:
    """declared: the schema that was given, or None. processes: most that convert at once. on_drift: add, rescue or
    fail. part_bytes: size of a part that is aimed at, None to let the number of processes have its say. The limits of
    bad lines are of one file, None for none. is_dry: nothing is written."""

    declared: Struct | None = None
    processes: int = 1
    on_drift: str = "add"
    is_dry: bool = False
    part_bytes: int | None = None
    max_line_bytes: int = MAX_LINE_BYTES
    max_bad_lines: int | None = None
    max_bad_percent: float | None = None
    least_text_bytes: int = LEAST_TEXT_BYTES

    @property
    def limits(self) -> Limits:
        return Limits(self.max_bad_lines, self.max_bad_percent)

    @property
    def aimed_part_bytes(self) -> int:
        return self.part_bytes or PART_BYTES

    def count_parts(self, text_bytes: int, parquet_share: float) -> int:
        """As the job counts them; and, unless a part size was asked for, as many as there are processes where each of
        them then has enough to do."""
        count = count_parts(text_bytes, parquet_share, self.processes, self.aimed_part_bytes)
        if self.part_bytes is None:
            count = max(count, min(self.processes, text_bytes // self.least_text_bytes))
        return count

    def task(
        self,
        part: Part,
        files: Mapping[int, InputFile],
        codecs: Mapping[int, str],
        root: Struct,
    ) -> PartTask:
        """files, codecs: of all input, by index. The part says nothing of the run that wrote it: the same input gives
        the same bytes."""
        indices = sorted({piece.file for piece in part.slices})
        return PartTask(
            number=part.number,
            slices=part.slices,
            files={index: files[index] for index in indices},
            codecs={index: codecs[index] for index in indices if index in codecs},
            root=root,
            target=Target("", part_file(part.number)),
            bad_lines_target=Target(BAD_LINES_FOLDER, bad_lines_file(part.number)),
            metadata={"part": part.number, "tool_version": __version__},
            max_line_bytes=self.max_line_bytes,
            max_bad_lines=self.max_bad_lines,
        )


class Reporter(Protocol):
    """Where a conversion tells how far it is. Called from several threads."""

    def phase(self, name: str, total_bytes: int | None = None) -> None:
        """A new step. total_bytes: what will be read in it, None if nobody knows."""
        ...

    def bytes_read(self, count: int) -> None:
        """Since the last call."""
        ...
