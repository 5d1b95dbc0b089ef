"""What AWS charges for the control path, us-east-1, in US dollars; and how long a call takes a function of 1,024 MB.

Prices: the public price lists of DynamoDB (on demand), Lambda (x86), SQS (standard), S3 (standard) and CloudWatch
(custom metrics, without the ten that are free). Latencies are assumptions, said here and printed with the result: what
AWS's own dashboards show for a function in the same region.
"""

from __future__ import annotations

from collections.abc import Mapping

DYNAMODB_WRITE = 0.625 / 1e6  # a write request unit: 1 KB, twice that in a transaction
DYNAMODB_READ = 0.125 / 1e6  # a read request unit: 4 KB read consistently, half of one otherwise
LAMBDA_GB_SECOND = 0.0000166667
LAMBDA_REQUEST = 0.20 / 1e6
SQS_REQUEST = 0.40 / 1e6
S3_PUT = 0.005 / 1e3  # PUT, COPY, POST, LIST
S3_GET = 0.0004 / 1e3
CLOUDWATCH_PUT = 0.01 / 1e3
CLOUDWATCH_METRIC = 0.30 / (730 * 3600)  # a second

LATENCY_S = {
    "dynamodb.get_item": 0.005,
    "dynamodb.put_item": 0.006,
    "dynamodb.update_item": 0.006,
    "dynamodb.batch_get_item": 0.012,
    "dynamodb.query": 0.008,
    "dynamodb.transact_write_items": 0.025,
    "s3.put_object": 0.040,
    "s3.get_object": 0.030,
    "s3.head_object": 0.015,
    "glue.start_job_run": 0.400,
    "glue.get_job_run": 0.080,
    "glue.get_job_runs": 0.150,
    "cloudwatch.put_metric_data": 0.030,
}
CLIENT_CPU_S = 0.0015
"""What boto3 itself computes for a call: signing, JSON, the answer. The models have none of that."""
CPU_SHARE = 1024 / 1769
"""Of one processor, which is what a function of 1,024 MB has."""
MEMORY_GB = 1.0
INVOCATION_S = 0.002
"""The runtime's own time around the handler."""

IDLE_POLLERS = 5
IDLE_POLLS_PER_MINUTE = 3
"""The event source mapping's least: five pollers that wait 20 s each while there is nothing."""


def s3_price(calls: Mapping[str, int]) -> float:
    """calls: by operation."""
    reads = sum(count for name, count in calls.items() if name.startswith(("get_", "head_")))
    free = sum(count for name, count in calls.items() if name.startswith(("delete_", "abort_")))
    return reads * S3_GET + (sum(calls.values()) - reads - free) * S3_PUT
