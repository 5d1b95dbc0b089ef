"""A batch of rows that were read fast, and among them some that were read strictly, as one batch. Pure."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from glue_job.parquet import arrow_type, data_schema, with_rescued
from glue_job.schema import Struct


class Mixture:
    """Says of the rows of `fast`, from the first on, which are taken, and what comes between them. `fast` may have
    RESCUED_COLUMN behind its columns.

    Slices of the batch would do, but every slice costs as much in each of its columns as a hundred rows.
    """

    def __init__(self, fast: pa.RecordBatch) -> None:
        self._fast = fast
        self._at = 0
        self._is_changed = False
        self._order: list[int] = []  # of the fast rows and, behind them, the added ones
        self._rows: list[dict[str, Any]] = []
        self._rescued: list[str | None] = []

    def take(self, count: int) -> None:
        self._order.extend(range(self._at, self._at + count))
        self._at += count

    def skip(self) -> None:
        self._at += 1
        self._is_changed = True

    def add(self, row: dict[str, Any], rescued: str | None) -> None:
        """A row as glue_job.conform makes it."""
        self._order.append(self._fast.num_rows + len(self._rows))
        self._rows.append(row)
        self._rescued.append(rescued)
        self._is_changed = True

    def cut(self, root: Struct) -> pa.RecordBatch | None:
        """As batch(), of what there is until now; it goes on behind that."""
        self._is_changed = True
        batch = self.batch(root)
        self._order, self._rows, self._rescued = [], [], []
        return batch

    def batch(self, root: Struct) -> pa.RecordBatch | None:
        """As Kernel.read() says; None if there is no row."""
        if not self._order:
            return None
        if not self._is_changed:
            return self._fast
        order = pa.array(self._order, pa.int64())
        added = pa.array(self._rows, arrow_type(root)).flatten()
        fast = self._fast.columns[: len(added)]
        columns = [pc.take(pa.concat_arrays([column, more]), order) for column, more in zip(fast, added, strict=True)]
        batch = pa.RecordBatch.from_arrays(columns, schema=data_schema(root))
        known = self._fast.columns[len(added) :] or [pa.nulls(self._fast.num_rows, pa.string())]
        rescued = pc.take(pa.concat_arrays([*known, pa.array(self._rescued, pa.string())]), order)
        return batch if rescued.null_count == len(rescued) else with_rescued(batch, rescued)
