"""Figures of the pipeline itself that a bill rests on: measured, counted in the code, or assumed, and each says which.

Pure; Decimal. What AWS asks for them is ndjctl.prices'.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ndjctl.contracts import MIB

MINUTES_OF_A_DAY = 24 * 60


@dataclass(frozen=True)
class ControlPath:
    """What the function and the job ask of the services besides the data itself. lambda_ms: of a function of
    MEASURED_MEMORY_MB. write_units, read_units: of DynamoDB on demand. log_bytes: at the level INFO."""

    lambda_ms: Decimal
    invocations: Decimal
    write_units: Decimal
    read_units: Decimal
    sqs_requests: Decimal
    s3_puts: Decimal
    s3_gets: Decimal
    metric_calls: Decimal
    log_bytes: Decimal


def _path(*figures: str) -> ControlPath:
    return ControlPath(*map(Decimal, figures))


MEASURED_FILES_PER_DAY = 338_000
MEASURED_MEMORY_MB = 1024
MEASURED = _path("31.95", "0.2186", "12.61", "1.67", "1.42", "0.02", "0.01", "0.0043", "251")
"""Of one file on a day of 338,000, the sweeps of the day with it: 10,800 GB seconds a day."""
IDLE_MINUTE = _path("67", "1", "0", "2.5", "0", "0", "0", "1", "276")
"""Of one sweep of the ledger while there is nothing to do."""
CONTROL_SOURCE = "measured: python -m tests.simulator.day, 338,000 files"
IDLE_SOURCE = "measured: the simulator's sweep with nothing to do"
SQS_IDLE_POLLS_PER_MINUTE = Decimal(15)
"""Five pollers of the event source mapping that wait 20 s each, at the least (AWS Lambda developer guide, "Amazon SQS
event source mappings")."""


def per_file() -> ControlPath:
    """Of one file without the sweeps, which come whether there are files or not."""
    share = Decimal(MINUTES_OF_A_DAY) / MEASURED_FILES_PER_DAY
    return ControlPath(
        **{name: max(value - share * getattr(IDLE_MINUTE, name), Decimal(0)) for name, value in vars(MEASURED).items()}
    )


LEDGER_ITEM_BYTES = Decimal(690)
"""Of a file in the tracking table, and its share of its manifest's item. Measured in the simulator."""
LEDGER_INDEX_BYTES = Decimal(539)
"""Of its copy in the index by status."""
LEDGER_OVERHEAD_BYTES = Decimal(100)
"""That DynamoDB bills for each item of a table and of an index (developer guide, "Estimating storage")."""

OUTPUT_SHARE = Decimal("0.125")
"""Size of the Parquet as a share of the NDJSON: 1/8.0 in the run that README shows. 100 MB of the bench's events came
to 0.11; for text that it cannot read the job takes 0.25 (glue_job/estimate.py)."""
OUTPUT_SOURCE = "measured: the sample of 'ndjctl run' (README), 1/8.0"

READ_BLOCK_BYTES = Decimal(8 * MIB)
"""Of the job's ranged reads of its input (glue_job/store.py)."""
WRITE_PART_BYTES = Decimal(32 * MIB)
"""Of a part of its multipart uploads (glue_job/sink.py)."""
UPLOAD_PART_BYTES = Decimal(8 * MIB)
"""Of whoever uploads the input: the aws CLI's default (multipart_chunksize, 8 MB). Assumed."""
READS_PER_FILE = Decimal(3)
"""Besides its blocks: whether it is there, its sample, the end of a line that two slices share. Counted in the code."""
READS_PER_PART = Decimal(2)
"""Of a Parquet part that is verified: its footer and its last byte. Counted in the code."""

MANIFEST_BYTES_PER_FILE = Decimal(193)
"""Of a manifest. Measured in the simulator."""
REPORT_BYTES_PER_FILE = Decimal(600)
"""Of a run report. Assumed."""
QUARANTINED_SHARE = Decimal("0.001")
"""Of the bytes that come: bad lines and files of a wrong size. Assumed."""
SPARK_EVENTS_BYTES_PER_RUN = Decimal(5_000_000)
"""Assumed, not measured on Glue."""

GLUE_LOG_BYTES_PER_RUN = Decimal(500_000)
"""Of output and errors, which Glue always sends to CloudWatch. Assumed, not measured on Glue."""
GLUE_LIVE_LOG_BYTES_PER_RUN = Decimal(5_000_000)
"""Of the driver and all executors more, with continuous logging. Assumed, not measured on Glue."""
STORED_LOG_SHARE = Decimal("0.2")
"""To which logs are compressed before they are billed as stored (CloudWatch pricing, the examples: 30 GB to 6)."""

JOB_METRICS, JOB_METRICS_OF_EACH = Decimal(11), Decimal(5)
"""Of a run with --enable-metrics, each with the run's id: counted in the Glue developer guide, "Monitoring with
CloudWatch metrics". The first of the driver alone; the others for the driver, each executor, and all of them."""
JOB_METRICS_PERIOD_S = Decimal(30)
"""Between two reports of them (the same page)."""

ALARM_EMAILS_PER_MONTH = Decimal(10)
"""Assumed."""
KMS_REQUESTS_PER_WORKER = Decimal(4)
"""Of a run: with bucket keys, one for each worker and bucket. Assumed."""
KMS_REQUESTS_PER_MINUTE = Decimal(2)
"""Of queue, tables and logs, which keep their data keys for five minutes. Assumed."""

FOREVER_DAYS = Decimal(365)
"""Taken for what is never deleted: a bill of the first year's end."""
ASSUMED_KEPT_DAYS = 30
"""Where cost.input_kept_days or cost.output_kept_days is not said."""
