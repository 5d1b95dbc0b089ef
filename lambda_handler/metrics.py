"""Counters of the metrics table: summed over an invocation, written once, best effort."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from lambda_handler.dynamo import size_mb, to_item

if TYPE_CHECKING:
    from lambda_handler.services import Invocation

METRIC_DATE = "metric_date"
METRIC_TYPE = "metric_type"

FILES_RECEIVED = "files_received"
FILES_QUARANTINED = "files_quarantined"
FILES_FAILED = "files_failed"
MANIFESTS_CREATED = "manifests_created"
RUNS_STARTED = "runs_started"


class Counters:
    """Counts and bytes by (date of the files, metric)."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], tuple[int, int]] = {}

    def add(self, date: str, metric: str, count: int = 1, size_bytes: int = 0) -> None:
        total_count, total_bytes = self._sums.get((date, metric), (0, 0))
        self._sums[date, metric] = (total_count + count, total_bytes + size_bytes)

    def flush(self, inv: Invocation) -> None:
        """Adds the sums to the table. A failure is logged and costs the count, never the file."""
        for (date, metric), (count, size_bytes) in self._sums.items():
            total_mb: Decimal = size_mb(size_bytes)
            try:
                inv.services.dynamodb.update_item(
                    TableName=inv.settings.metrics_table,
                    Key=to_item({METRIC_DATE: date, METRIC_TYPE: metric}),
                    UpdateExpression="ADD #count :count, total_size_mb :mb SET #timestamp = :now",
                    ExpressionAttributeNames={"#count": "count", "#timestamp": "timestamp"},
                    ExpressionAttributeValues=to_item({":count": count, ":mb": total_mb, ":now": inv.now_iso()}),
                )
            except Exception as error:
                inv.log.error("metric_not_written", error, date=date, metric=metric)
        self._sums.clear()
