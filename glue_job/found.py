"""What the kernel makes of lines."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa

from glue_job.lines import Line
from glue_job.records import BadLine


class Row(NamedTuple):
    """One row as Conformer gives it, and the record that it was."""

    line: Line
    record: dict[str, Any]
    row: dict[str, Any]
    rescued: str | None

    @property
    def is_rescued(self) -> bool:
        return self.rescued is not None


class LongRow(NamedTuple):
    """A row of its own batch, because its line is long. line: without its data, for the same reason. sample: some of
    the record. rescued: one value, may be null."""

    line: Line
    sample: dict[str, Any]
    batch: pa.RecordBatch
    rescued: pa.Array

    @property
    def is_rescued(self) -> bool:
        return not self.rescued.null_count


class Bad(NamedTuple):
    line: Line
    reason: BadLine


Found: TypeAlias = Row | LongRow | Bad | pa.RecordBatch
