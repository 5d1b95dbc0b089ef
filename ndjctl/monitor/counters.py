"""The day's counters of the metrics table."""

from __future__ import annotations

from typing import Any

from ndjctl.contracts import MIB
from ndjctl.items import plain
from ndjctl.monitor.model import Counted


def read_counted(dynamodb: Any, table: str, date: str) -> Counted:
    """The counters of the files of one date, which function and job add to as they go. One call. Raises what boto3
    raises."""
    answer = dynamodb.query(
        TableName=table,
        KeyConditionExpression="metric_date = :date",
        ExpressionAttributeValues={":date": {"S": date}},
    )
    items = {str(item["metric_type"]): item for item in map(plain, answer["Items"])}

    def count(name: str) -> int:
        return int(items.get(name, {}).get("count", 0))

    return Counted(
        files_received=count("files_received"),
        files_quarantined=count("files_quarantined"),
        quarantined_bytes=round(float(items.get("files_quarantined", {}).get("total_size_mb", 0)) * MIB),
        files_failed=count("files_failed"),
        lines_quarantined=count("lines_quarantined"),
        rows_written=count("rows_written"),
    )
