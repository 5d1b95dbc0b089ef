"""What a file takes of the services besides Glue, for what CloudWatch does not count. Pure."""

from __future__ import annotations

from decimal import Decimal

from ndjctl.cost import figures
from ndjctl.spent.requests import PerFile

_GIB = Decimal(2) ** 30
_MS = Decimal(1000)


def units_of_a_file(size_bytes: Decimal) -> PerFile:
    """Units of prices, by their keys, of a file of so many bytes: the measured calls of the function and the job, and
    the requests of S3 that its bytes take in and out."""
    path = figures.per_file()
    memory_gb = Decimal(figures.MEASURED_MEMORY_MB) / 1024
    return {
        "lambda.requests": path.invocations,
        "lambda.gb_second_x86": path.lambda_ms / _MS * memory_gb,
        "sqs.requests": path.sqs_requests,
        "dynamodb.write_units": path.write_units,
        "dynamodb.read_units": path.read_units,
        "s3.put_requests": path.s3_puts + size_bytes * figures.OUTPUT_SHARE / figures.WRITE_PART_BYTES,
        "s3.get_requests": path.s3_gets + figures.READS_PER_FILE + size_bytes / figures.READ_BLOCK_BYTES,
        "cloudwatch.logs_ingested_gb": path.log_bytes / _GIB,
    }
