"""Daily counters for a human to look at. Best effort: the ledger and the outputs are what proofs are made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from glue_job.convert import PartResult
from glue_job.log import Log
from glue_job.report import FileResult
from ndjctl.contracts import COMPLETED, FAILED, MIB, Manifest, iso_utc

FILES_COMPLETED = "files_completed"
FILES_FAILED = "files_failed"
ROWS_WRITTEN = "rows_written"
LINES_QUARANTINED = "lines_quarantined"


def counts(
    manifest: Manifest, files: Sequence[FileResult], results: Sequence[PartResult]
) -> dict[str, tuple[int, float]]:
    """(how many, MiB) by metric type: input sizes for files, output sizes for rows and lines."""
    pairs = list(zip(manifest.files, files, strict=True))
    by_status = {FILES_COMPLETED: COMPLETED, FILES_FAILED: FAILED}
    found: dict[str, tuple[int, float]] = {}
    for metric_type, status in by_status.items():
        sizes_bytes = [entry.size_bytes for entry, file in pairs if file.status == status]
        found[metric_type] = (len(sizes_bytes), sum(sizes_bytes) / MIB)
    found[ROWS_WRITTEN] = (sum(file.rows for file in files), sum(result.size_bytes for result in results) / MIB)
    bad_lines_bytes = sum(result.bad_lines_size_bytes for result in results)
    found[LINES_QUARANTINED] = (sum(file.bad_lines for file in files), bad_lines_bytes / MIB)
    return found


def add_counts(
    dynamodb: Any,
    table: str,
    date: str,
    entries: Mapping[str, tuple[int, float]],
    clock: Callable[[], datetime],
    log: Log,
) -> None:
    """entries: as counts() makes them; what is zero is not written. Failures are logged, never raised."""
    for metric_type, (count, size_mb) in entries.items():
        if not count:
            continue
        try:
            dynamodb.update_item(
                TableName=table,
                Key={"metric_date": {"S": date}, "metric_type": {"S": metric_type}},
                UpdateExpression="ADD #count :count, total_size_mb :size SET #timestamp = :now",
                ExpressionAttributeNames={"#count": "count", "#timestamp": "timestamp"},
                ExpressionAttributeValues={
                    ":count": {"N": str(count)},
                    ":size": {"N": f"{size_mb:.6f}"},
                    ":now": {"S": iso_utc(clock())},
                },
            )
        except (BotoCoreError, ClientError) as error:
            log.warning("counter not written", metric_type=metric_type, error=str(error))
