"""DESIGN's reference settings, presets and names: the one place of the tests where they are written down."""

from __future__ import annotations

SPARK_CONF = {
    "spark.sql.files.maxPartitionBytes": "512MB",
    "spark.sql.shuffle.partitions": "200",
    "spark.default.parallelism": "200",
    "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
    "spark.kryoserializer.buffer.max": "512m",
}

REFERENCE: list[tuple[str, object, object]] = [
    ("log_level", "DEBUG", "INFO"),
    ("batching.max_files_per_manifest", 50, 100),
    ("batching.max_batch_size_gb", 200, 500),
    ("size_rule.expected_file_size_mb", 10, 3500),
    ("size_rule.size_tolerance_percent", 50, 20),
    ("function.memory_mb", 512, 1024),
    ("function.timeout_s", 300, 300),
    ("function.reserved_concurrency", 5, 10),
    ("lock.ttl_s", 300, 300),
    ("lock.max_wait_s", 10, 10),
    ("job.glue_version", "4.0", "4.0"),
    ("job.command", "glueetl", "glueetl"),
    ("job.worker_type", "G.1X", "G.2X"),
    ("job.workers", 10, 20),
    ("job.max_concurrent_runs", 5, 30),
    ("job.timeout_min", 60, 120),
    ("job.max_retries", 1, 2),
    ("job.metrics", True, True),
    ("job.spark_ui", True, True),
    ("job.job_insights", True, True),
    ("job.auto_scaling", False, True),
    ("job.continuous_log", False, True),
    ("job.spark_conf", SPARK_CONF, SPARK_CONF),
    ("region", "us-east-1", "us-east-1"),
]
"""(setting, dev, prod)."""

_PRESET_PATHS = (
    "batching.max_files_per_manifest",
    "batching.max_batch_size_gb",
    "job.max_concurrent_runs",
    "job.workers",
    "job.worker_type",
    "load.files_per_day",
)
PRESETS: dict[str, dict[str, object]] = {
    "light": dict(zip(_PRESET_PATHS, (100, 400, 20, 15, "G.2X", 50_000), strict=True)),
    "medium": dict(zip(_PRESET_PATHS, (100, 500, 30, 20, "G.2X", 150_000), strict=True)),
    "heavy": dict(zip(_PRESET_PATHS, (100, 500, 50, 20, "G.2X", 338_000), strict=True)),
}
"""Preset -> setting -> value, in every environment."""

NAMES: dict[str, str] = {
    "stack": "ndjson-parquet-sqs",
    "tracking_table": "ndjson-parquet-sqs-file-tracking",
    "metrics_table": "ndjson-parquet-sqs-metrics",
    "function": "ndjson-parquet-sqs-manifest-builder",
    "job": "ndjson-parquet-sqs-streaming-processor",
    "queue": "ndjson-parquet-sqs-file-events",
    "dead_letter_queue": "ndjson-parquet-sqs-file-events-dlq",
    "input_bucket": "ndjson-input-sqs-{account}",
    "manifest_bucket": "ndjson-manifests-{account}",
    "output_bucket": "ndjson-output-sqs-{account}",
    "quarantine_bucket": "ndjson-quarantine-{account}",
    "scripts_bucket": "aws-glue-scripts-{account}",
}
"""Attribute of Names -> the name without a suffix; {account} stands for the account's id."""


def names_of(account_id: str) -> dict[str, str]:
    return {attribute: name.format(account=account_id) for attribute, name in NAMES.items()}


def expected(env: str, preset: str | None = None) -> dict[str, object]:
    """What every setting is to be in dev or prod, with a preset over it."""
    settings = {path: dev if env == "dev" else prod for path, dev, prod in REFERENCE}
    return {**settings, **(PRESETS[preset] if preset else {})}
