"""The tracking table: statuses of a file, attributes, and the items that are no files."""

from __future__ import annotations

# Statuses of a file, in the order of the pipeline

PENDING = "pending"
MANIFESTED = "manifested"
PROCESSING = "processing"
COMPLETED = "completed"
FAILED = "failed"
QUARANTINED = "quarantined"

STATUSES = (PENDING, MANIFESTED, PROCESSING, COMPLETED, FAILED, QUARANTINED)
AT_REST = frozenset({COMPLETED, FAILED, QUARANTINED})
"""A file in one of these waits for nothing but an operator."""

# Tracking table. File item: (date_prefix = YYYY-MM-DD, file_key = the S3 key). Items that are not files use partition
# keys that are no date and sort keys that end in '#': a tracked S3 key always ends in FILE_SUFFIX, so none can take it.

TTL_DAYS = 7


class Attr:
    """Attribute names of the tracking table. Times are ISO 8601 in UTC with a Z; sizes in bytes unless named _mb."""

    DATE_PREFIX = "date_prefix"
    FILE_KEY = "file_key"
    STATUS = "status"
    FILE_SIZE_MB = "file_size_mb"  # Decimal, 2**20 bytes
    UPLOAD_TIME = "upload_time"
    MANIFEST_PATH = "manifest_path"  # s3:// URI
    BATCH_ID = "batch_id"  # the manifest id
    TTL = "ttl"  # epoch seconds
    BUCKET = "bucket"
    SIZE_BYTES = "size_bytes"
    ETAG = "etag"  # without quotes
    SEQUENCER = "sequencer"
    ATTEMPT = "attempt"
    RUN_ID = "run_id"
    ERROR = "error"
    REASON = "reason"  # why quarantined
    QUARANTINE_KEY = "quarantine_key"
    UPDATED_AT = "updated_at"
    COMPLETED_AT = "completed_at"
    LINES = "lines"
    ROWS = "rows"
    BAD_LINES = "bad_lines"
    SUPERSEDED_BY = "superseded_by_etag"
    SUPERSEDED_SEQUENCER = "superseded_by_sequencer"
    REPLACES = "replaces"  # id of the manifest whose output holds the rows of an older version of the file
    # manifest items only
    STATE = "state"
    FILES = "files"  # in the item of manifest_files_item_key() alone
    FILE_COUNT = "file_count"  # its size_bytes are those of all files
    CREATED_AT = "created_at"
    STARTED_AT = "started_at"
    FENCE = "fence"
    DATE = "date"
    PARTS = "parts"  # number of Parquet parts, once a run has decided it
    SEALED_AT = "sealed_at"  # from then on its files are fixed
    START_REQUESTED_AT = "start_requested_at"  # a start of a run that is not settled: accepted or not, nobody knows
    REFUSALS = "refusals"  # starts in a row that led to no run, for a reason of this manifest's own
    REFUSED_AT = "refused_at"
    GIVEN_UP_AT = "given_up_at"  # no run may take it any more; what it wrote is being deleted
    # items of a day's budget only
    SETTLED_UNTIL = "settled_until"  # every run that started before then has ended for good
    SETTLED_DPU_S = "settled_dpu_s"  # Decimal, DPU seconds of those that started since midnight
    SPENT_DPU_S = "spent_dpu_s"  # Decimal, of all runs of the date by measured_at
    LIMIT_DPU_S = "limit_dpu_s"  # Decimal, of the settings
    MEASURED_AT = "measured_at"
    HELD_SINCE = "held_since"  # no run is started while it is there
    LIFTED_AT = "lifted_at"
    LIFTED_TO_DPU_S = "lifted_to_dpu_s"  # Decimal, the limit until midnight; without it there is none
    # lock items only
    HOLDER = "holder"
    EXPIRES_AT = "expires_at"  # epoch seconds, Decimal


LEFT_BY_A_RUN = (
    Attr.BATCH_ID,
    Attr.MANIFEST_PATH,
    Attr.RUN_ID,
    Attr.ERROR,
    Attr.REASON,
    Attr.QUARANTINE_KEY,
    Attr.COMPLETED_AT,
    Attr.LINES,
    Attr.ROWS,
    Attr.BAD_LINES,
    Attr.SUPERSEDED_BY,
    Attr.SUPERSEDED_SEQUENCER,
)
"""What a file's item loses when the file is pending again. `replaces` is none of it: those rows are still there."""


OPEN_MANIFESTS_PARTITION = "#manifests-open"
"""Partition of the manifests that are not finished; the sort keys sort by age, so the oldest comes first."""


def closed_manifests_partition(date: str) -> str:
    """Partition of the finished manifests of one date."""
    return f"#manifests-closed#{date}"


def manifest_item_key(manifest_id: str) -> str:
    """Sort key of a manifest's item, in either partition."""
    return f"{manifest_id}#"


LOCKS_PARTITION = "#locks"
"""Partition of all locks."""


MANIFEST_FILES_PARTITION = "#manifest-files"
"""Partition of the manifests' lists of files. They are items of their own, because every write of a manifest's item
costs by its whole size, and every sweep reads all that are open."""


def manifest_files_item_key(manifest_id: str) -> dict[str, str]:
    """Primary key of the item that holds a manifest's files: candidates until it is sealed, then those it has."""
    return {Attr.DATE_PREFIX: MANIFEST_FILES_PARTITION, Attr.FILE_KEY: f"{manifest_id}#"}


def lock_item_key(date: str) -> dict[str, str]:
    """Primary key of the batching lock of one date."""
    return {Attr.DATE_PREFIX: LOCKS_PARTITION, Attr.FILE_KEY: f"{date}#"}


def rewrite_lock_key(manifest_id: str) -> dict[str, str]:
    """Primary key of the lock of the run that takes rows out of the parts of a manifest. Its HOLDER is that run's id;
    there is no such item while nobody does."""
    return {Attr.DATE_PREFIX: LOCKS_PARTITION, Attr.FILE_KEY: f"rewrite-{manifest_id}#"}


# States of a manifest item, in order. Everything before RUNNING is the Lambda's to move, the rest the job's, and the
# sweep may move any of them once it has proof that the owner is dead.
CLAIMING = "claiming"  # item written with its candidate files; claims under way
READY = "ready"  # manifest object is on S3; no run accepted yet
STARTED = "started"  # StartJobRun accepted, run id recorded
RUNNING = "running"  # the job took it
DONE = "done"
ABANDONED = "abandoned"  # nothing could be claimed, or every attempt failed; its files say why
