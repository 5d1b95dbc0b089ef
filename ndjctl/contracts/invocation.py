"""How the function and the job are spoken to: environment variables, arguments, actions."""

from __future__ import annotations


class Env:
    TRACKING_TABLE = "TRACKING_TABLE"
    METRICS_TABLE = "METRICS_TABLE"
    LOCK_TABLE = "LOCK_TABLE"
    MANIFEST_BUCKET = "MANIFEST_BUCKET"
    QUARANTINE_BUCKET = "QUARANTINE_BUCKET"
    OUTPUT_BUCKET = "OUTPUT_BUCKET"
    GLUE_JOB_NAME = "GLUE_JOB_NAME"
    MAX_FILES_PER_MANIFEST = "MAX_FILES_PER_MANIFEST"
    MAX_BATCH_SIZE_GB = "MAX_BATCH_SIZE_GB"
    EXPECTED_FILE_SIZE_MB = "EXPECTED_FILE_SIZE_MB"
    SIZE_TOLERANCE_PERCENT = "SIZE_TOLERANCE_PERCENT"
    MIN_FILE_SIZE_MB = "MIN_FILE_SIZE_MB"
    MAX_FILE_SIZE_MB = "MAX_FILE_SIZE_MB"
    MAX_PARTIAL_AGE_SECONDS = "MAX_PARTIAL_AGE_SECONDS"
    LOCK_TTL_SECONDS = "LOCK_TTL_SECONDS"
    MAX_LOCK_WAIT_SECONDS = "MAX_LOCK_WAIT_SECONDS"
    MAX_ATTEMPTS = "MAX_ATTEMPTS"
    MAX_WAITING_MANIFESTS = "MAX_WAITING_MANIFESTS"
    MAX_DPU_SECONDS_PER_DAY = "MAX_DPU_SECONDS_PER_DAY"  # Decimal; without it no run is held
    RUN_DPUS = "RUN_DPUS"  # Decimal, of a run with all its workers
    LOG_LEVEL = "LOG_LEVEL"
    STACK = "STACK"  # Names.stack: what its CloudWatch metrics are told apart by; without it none is published


class JobArg:
    """Arguments of the Glue job, without the leading dashes."""

    MANIFEST_PATH = "MANIFEST_PATH"
    TRACKING_TABLE = "TRACKING_TABLE"
    METRICS_TABLE = "METRICS_TABLE"
    MANIFEST_BUCKET = "MANIFEST_BUCKET"
    OUTPUT_BUCKET = "OUTPUT_BUCKET"
    QUARANTINE_BUCKET = "QUARANTINE_BUCKET"
    DATASET = "DATASET"
    ON_DRIFT = "ON_DRIFT"
    TASK_SLOTS = "TASK_SLOTS"  # tasks that run at once
    PART_SIZE_MB = "PART_SIZE_MB"  # 2**20 bytes, of a Parquet part
    MAX_LINE_MB = "MAX_LINE_MB"
    MAX_BAD_LINES = "MAX_BAD_LINES"  # of one file
    MAX_BAD_PERCENT = "MAX_BAD_PERCENT"
    LOG_LEVEL = "LOG_LEVEL"
    # given by Glue itself
    JOB_NAME = "JOB_NAME"
    JOB_RUN_ID = "JOB_RUN_ID"


# What the function is invoked with, besides SQS batches and the schedule.
ACTION = "action"
ACTION_SWEEP = "sweep"  # what the schedule does
ACTION_FLUSH = "flush"  # a sweep that takes partial batches of any age
