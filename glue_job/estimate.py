"""How large the Parquet of a text will be, by making some of it."""

from __future__ import annotations

import io

from glue_job.kernel import Bad, Kernel, Row
from glue_job.lines import ChunkReader
from glue_job.parquet import PartWriter
from glue_job.schema import Struct

GUESS = 0.25
"""Share that is taken for a text without a usable line. Of real NDJSON it is about a fifth to a third."""


def parquet_share(lines: bytes, root: Struct) -> float:
    """Size of the Parquet of `lines` as a share of theirs, from 0.001 to 4. lines: whole ones."""
    sink = io.BytesIO()
    writer = PartWriter(sink, root, [""], {})
    kernel = Kernel(root, max(len(lines), 1))
    for chunk in ChunkReader([lines], 0, len(lines)):
        for found in kernel.read(chunk):
            if isinstance(found, Row):
                writer.add(found.row, found.rescued, 0, found.line.size_bytes)
            elif not isinstance(found, Bad):
                writer.add_batch(found, 0)
    if not writer.rows:
        return GUESS
    writer.close()
    empty = io.BytesIO()  # footers are paid once a part
    PartWriter(empty, root, [""], {}).close()
    size_bytes = sink.tell() - empty.tell()
    return min(max(size_bytes / len(lines), 0.001), 4.0)
