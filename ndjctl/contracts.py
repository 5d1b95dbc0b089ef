"""Names, keys, statuses and stored formats that the tool, the Lambda and the Glue job share.

Standard library only, Python 3.10 syntax: this module ships inside both bundles.
Everything here is a fact that two programs must agree on; how each of them acts on it lives with that program.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any

# --------------------------------------------------------------------------------------------------------------
# Names


@dataclass(frozen=True)
class Names:
    """Every AWS name of one environment. `suffix` keeps several environments of one account apart.

    account_id: twelve digits. suffix: empty, or lower-case letters, digits and hyphens (without a leading hyphen).
    """

    account_id: str
    suffix: str = ""

    def _named(self, base: str) -> str:
        return f"{base}-{self.suffix}" if self.suffix else base

    @property
    def stack(self) -> str:
        return self._named("ndjson-parquet-sqs")

    @property
    def tracking_table(self) -> str:
        return self._named("ndjson-parquet-sqs-file-tracking")

    @property
    def metrics_table(self) -> str:
        return self._named("ndjson-parquet-sqs-metrics")

    @property
    def function(self) -> str:
        return self._named("ndjson-parquet-sqs-manifest-builder")

    @property
    def job(self) -> str:
        return self._named("ndjson-parquet-sqs-streaming-processor")

    @property
    def queue(self) -> str:
        return self._named("ndjson-parquet-sqs-file-events")

    @property
    def dead_letter_queue(self) -> str:
        return self._named("ndjson-parquet-sqs-file-events") + "-dlq"

    @property
    def sweep_rule(self) -> str:
        return self._named("ndjson-parquet-sqs-sweep")

    @property
    def function_role(self) -> str:
        return self._named("ndjson-parquet-sqs-manifest-builder-role")

    @property
    def job_role(self) -> str:
        return self._named("ndjson-parquet-sqs-glue-role")

    @property
    def input_bucket(self) -> str:
        return self._named(f"ndjson-input-sqs-{self.account_id}")

    @property
    def manifest_bucket(self) -> str:
        return self._named(f"ndjson-manifests-{self.account_id}")

    @property
    def output_bucket(self) -> str:
        return self._named(f"ndjson-output-sqs-{self.account_id}")

    @property
    def quarantine_bucket(self) -> str:
        return self._named(f"ndjson-quarantine-{self.account_id}")

    @property
    def scripts_bucket(self) -> str:
        return self._named(f"aws-glue-scripts-{self.account_id}")

    @property
    def buckets(self) -> tuple[str, ...]:
        return (
            self.input_bucket,
            self.manifest_bucket,
            self.output_bucket,
            self.quarantine_bucket,
            self.scripts_bucket,
        )


STATUS_INDEX = "status-index"
"""GSI of the tracking table: hash key `status`, range key `upload_time`. Only file items carry `status`."""

LAMBDA_HANDLER = "lambda_handler.handler.handle"
GLUE_SCRIPT = "glue_batch_job.py"
GLUE_LIBRARY = "glue_job.zip"

FILE_SUFFIX = ".ndjson"
"""Only keys that end so are files of the pipeline; the bucket notification filters on it and the Lambda checks it."""

# --------------------------------------------------------------------------------------------------------------
# Statuses of a file

PENDING = "pending"
MANIFESTED = "manifested"
PROCESSING = "processing"
COMPLETED = "completed"
FAILED = "failed"
QUARANTINED = "quarantined"

STATUSES = (PENDING, MANIFESTED, PROCESSING, COMPLETED, FAILED, QUARANTINED)
AT_REST = frozenset({COMPLETED, FAILED, QUARANTINED})
"""A file in one of these waits for nothing but an operator."""

# --------------------------------------------------------------------------------------------------------------
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
    # manifest items only
    STATE = "state"
    FILES = "files"
    CREATED_AT = "created_at"
    STARTED_AT = "started_at"
    FENCE = "fence"
    DATE = "date"
    # lock items only
    HOLDER = "holder"
    EXPIRES_AT = "expires_at"  # epoch seconds, Decimal


OPEN_MANIFESTS_PARTITION = "#manifests-open"
"""Partition of the manifests that are not finished; the sort keys sort by age, so the oldest comes first."""


def closed_manifests_partition(date: str) -> str:
    """Partition of the finished manifests of one date."""
    return f"#manifests-closed#{date}"


def manifest_item_key(manifest_id: str) -> str:
    """Sort key of a manifest's item, in either partition."""
    return f"{manifest_id}#"


def lock_item_key(date: str) -> dict[str, str]:
    """Primary key of the batching lock of one date."""
    return {Attr.DATE_PREFIX: "#locks", Attr.FILE_KEY: f"{date}#"}


# States of a manifest item, in order. Everything before RUNNING is the Lambda's to move, the rest the job's, and the
# sweep may move any of them once it has proof that the owner is dead.
CLAIMING = "claiming"  # item written with its candidate files; claims under way
READY = "ready"  # manifest object is on S3; no run accepted yet
STARTED = "started"  # StartJobRun accepted, run id recorded
RUNNING = "running"  # the job took it
DONE = "done"
ABANDONED = "abandoned"  # nothing could be claimed, or every attempt failed; its files say why

# --------------------------------------------------------------------------------------------------------------
# Dates and times

_LEADING_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?!\d)")


def iso_utc(moment: datetime) -> str:
    """`moment` (aware) as 2026-01-31T23:59:59.123Z. Raises ValueError for a naive datetime."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no place here: pass UTC")
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_iso_utc(text: str) -> datetime:
    """The inverse of iso_utc; also takes what S3 events carry. Raises ValueError."""
    moment = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset")
    return moment.astimezone(timezone.utc)


def date_prefix(file_key: str, event_time: datetime) -> str:
    """The UTC date (YYYY-MM-DD) a file belongs to: a real date leading its name, else that of its event."""
    match = _LEADING_DATE.match(file_key.rsplit("/", 1)[-1])
    if match:
        try:
            return date.fromisoformat(match.group(1)).isoformat()
        except ValueError:
            pass  # 2026-13-45-x.ndjson leads with digits, not with a date
    return event_time.astimezone(timezone.utc).strftime("%Y-%m-%d")


# --------------------------------------------------------------------------------------------------------------
# Size rule

MIB = 1024 * 1024
"""The reference counts megabytes of 2**20 bytes (file_size_mb = size / 1024 / 1024)."""

TOO_SMALL = "too-small"
TOO_LARGE = "too-large"


@dataclass(frozen=True)
class SizeWindow:
    """Which file sizes are normal: expected +- tolerance, unless an explicit minimum or maximum wins over it."""

    expected_mb: float
    tolerance_percent: float
    min_mb: float | None = None
    max_mb: float | None = None

    @property
    def min_bytes(self) -> int:
        low = self.expected_mb * (1 - self.tolerance_percent / 100) if self.min_mb is None else self.min_mb
        return max(0, round(low * MIB))

    @property
    def max_bytes(self) -> int:
        high = self.expected_mb * (1 + self.tolerance_percent / 100) if self.max_mb is None else self.max_mb
        return round(high * MIB)

    def verdict(self, size_bytes: int) -> str | None:
        """None for a normal size, else TOO_SMALL or TOO_LARGE. The limits themselves are normal; nothing of zero
        bytes is."""
        if size_bytes < max(self.min_bytes, 1):
            return TOO_SMALL
        if size_bytes > self.max_bytes:
            return TOO_LARGE
        return None


# --------------------------------------------------------------------------------------------------------------
# Objects


def new_manifest_id(moment: datetime, entropy: str) -> str:
    """Unique, sorts by age, safe in a key: 20261123T143122123Z-7f3a9c12. entropy: hex digits."""
    stamp = moment.astimezone(timezone.utc).strftime("%Y%m%dT%H%M%S%f")[:-3]
    return f"{stamp}Z-{entropy}"


def manifest_key(date: str, manifest_id: str) -> str:
    return f"manifests/{date}/manifest-{manifest_id}.json"


def report_key(date: str, manifest_id: str) -> str:
    """Run report, in the manifest bucket."""
    return f"reports/{date}/report-{manifest_id}.json"


def part_key(date: str, manifest_id: str, number: int) -> str:
    """Parquet part, in the output bucket. A function of the manifest and the part's number alone."""
    return f"{part_prefix(date, manifest_id)}{number:05d}.parquet"


def part_prefix(date: str, manifest_id: str) -> str:
    return f"parquet/{date}/part-{manifest_id}-"


def size_quarantine_key(date: str, verdict: str, file_key: str) -> str:
    """Where a file outside the size window is copied to. The whole key is kept, so that two names never collide."""
    return f"{date}/{verdict}/{file_key}"


def bad_lines_key(date: str, manifest_id: str, number: int) -> str:
    """Quarantined lines of one part, in the quarantine bucket."""
    return f"{bad_lines_prefix(date, manifest_id)}{number:05d}.ndjson"


def bad_lines_prefix(date: str, manifest_id: str) -> str:
    return f"{date}/malformed/bad-{manifest_id}-"


def schema_key(dataset: str, version: int) -> str:
    """Pinned schema of a dataset, in the manifest bucket. Written once with If-None-Match: two runs agree."""
    return f"schemas/{dataset}/schema-{version:06d}.json"


def s3_uri(bucket: str, key: str) -> str:
    return f"s3://{bucket}/{key}"


def split_s3_uri(uri: str) -> tuple[str, str]:
    """(bucket, key). Raises ValueError for anything that is not s3://bucket/key."""
    scheme, separator, rest = uri.partition("://")
    bucket, slash, key = rest.partition("/")
    if scheme not in ("s3", "s3a") or not (separator and bucket and slash and key):
        raise ValueError(f"{uri!r} is not s3://bucket/key")
    return bucket, key


# --------------------------------------------------------------------------------------------------------------
# Stored formats. Every one carries `format` (its name) and `version`; readers refuse a version they do not know.

MANIFEST_FORMAT = "ndjctl.manifest"
MANIFEST_VERSION = 1
REPORT_FORMAT = "ndjctl.run-report"
REPORT_VERSION = 1
SCHEMA_FORMAT = "ndjctl.schema"
SCHEMA_VERSION = 1
BAD_LINE_VERSION = 1


class BadLineReason:
    """Why a line is no record: what a quarantined line's `reason` can be. Its `detail` says where."""

    NOT_JSON = "not JSON"
    NOT_AN_OBJECT = "not an object"
    MORE_THAN_ONE = "more than one value"
    DUPLICATE_KEY = "duplicate key"
    INVALID_UTF8 = "invalid UTF-8"
    LONE_SURROGATE = "lone surrogate"
    NOT_A_NUMBER = "NaN or Infinity"
    OUT_OF_RANGE = "number out of range"
    TOO_DEEP = "nested too deep"
    TOO_LONG = "line too long"
    NUL_BYTE = "NUL byte"


SOURCE_COLUMN = "_source_file"
RESCUED_COLUMN = "_rescued"
PARQUET_METADATA_KEY = "ndjctl"
"""Key of the JSON object (manifest, part, schema version, tool version) in a part's Parquet key-value metadata."""


class FormatError(ValueError):
    """A stored document is not what its name promises; str() is one sentence that says what and where."""


@dataclass(frozen=True)
class ManifestFile:
    bucket: str
    key: str
    size_bytes: int
    etag: str  # without quotes

    @property
    def uri(self) -> str:
        return s3_uri(self.bucket, self.key)


@dataclass(frozen=True)
class Manifest:
    manifest_id: str
    date: str
    created_at: str
    files: tuple[ManifestFile, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    def to_json(self) -> bytes:
        document = {
            "format": MANIFEST_FORMAT,
            "version": MANIFEST_VERSION,
            "id": self.manifest_id,
            "date": self.date,
            "created_at": self.created_at,
            "files": [
                {"bucket": f.bucket, "key": f.key, "size_bytes": f.size_bytes, "etag": f.etag} for f in self.files
            ],
        }
        return json.dumps(document, ensure_ascii=False, indent=1).encode()

    @classmethod
    def from_json(cls, body: bytes, where: str) -> Manifest:
        """Raises FormatError, naming `where`."""
        document = read_document(body, MANIFEST_FORMAT, MANIFEST_VERSION, where)
        try:
            files = tuple(
                ManifestFile(str(f["bucket"]), str(f["key"]), int(f["size_bytes"]), str(f["etag"]))
                for f in document["files"]
            )
            return cls(str(document["id"]), str(document["date"]), str(document["created_at"]), files)
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{where} is no manifest: {type(error).__name__} {error}") from error


def read_document(body: bytes, expected_format: str, newest_version: int, where: str) -> dict[str, Any]:
    """The JSON object of a stored format. Raises FormatError for another format or a version of the future."""
    try:
        document = json.loads(body)
    except ValueError as error:
        raise FormatError(f"{where} is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("format") != expected_format:
        raise FormatError(f"{where} is not a document of format {expected_format}")
    version = document.get("version")
    if not isinstance(version, int) or not 1 <= version <= newest_version:
        raise FormatError(
            f"{where} has {expected_format} version {version}; this program reads 1 to {newest_version}: upgrade it"
        )
    return document


def bad_line_record(
    source: str, byte_offset: int, line_number: int | None, reason: str, detail: str, raw: bytes
) -> dict[str, Any]:
    """One quarantined line, as it is stored (one JSON object a line).

    source: s3:// URI or path. byte_offset: of the line's first byte in the file. line_number: from 1, None where a
    reader in the middle of a file cannot know it. reason: one of BadLineReason. detail: one line for people, with the
    position. raw: the line without its line end.
    """
    record: dict[str, Any] = {
        "version": BAD_LINE_VERSION,
        "source": source,
        "byte_offset": byte_offset,
        "line_number": line_number,
        "reason": reason,
        "detail": detail,
    }
    try:
        record["raw"] = raw.decode("utf-8")
    except UnicodeDecodeError:
        record["raw_base64"] = base64.b64encode(raw).decode("ascii")
    return record


def bad_line_bytes(record: Mapping[str, Any]) -> bytes:
    """The raw line back from its record."""
    if "raw_base64" in record:
        return base64.b64decode(record["raw_base64"])
    return str(record["raw"]).encode("utf-8")


# --------------------------------------------------------------------------------------------------------------
# What a line is

LINE_END = b"\n"
BLANK_BYTES = b" \t\r"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def is_blank(line: bytes) -> bool:
    """Whether a line (with or without its end) is no record: nothing but spaces, tabs and carriage returns."""
    return not line.strip(BLANK_BYTES + LINE_END)


def count_lines(chunks: Iterable[bytes]) -> int:
    """Records in a file given as consecutive chunks of any size: its lines that are not blank. A byte order mark that
    opens the file is not part of its first line."""
    lines = 0
    rest = b""
    first = True
    for chunk in chunks:
        rest += chunk
        if first and len(rest) < len(BYTE_ORDER_MARK):
            continue
        if first:
            rest = rest.removeprefix(BYTE_ORDER_MARK)
            first = False
        *whole, rest = rest.split(LINE_END)
        lines += sum(1 for line in whole if not is_blank(line))
        if not rest.strip(BLANK_BYTES):
            rest = b""
        elif len(rest) > MIB:
            # A very long line is already known to be no blank one: keep a byte of it, not all of it.
            rest = b"x"
    if first:
        rest = rest.removeprefix(BYTE_ORDER_MARK)
    return lines + (0 if is_blank(rest) else 1)


# --------------------------------------------------------------------------------------------------------------
# Environment variables of the function, arguments of the job


class Env:
    TRACKING_TABLE = "TRACKING_TABLE"
    METRICS_TABLE = "METRICS_TABLE"
    LOCK_TABLE = "LOCK_TABLE"
    MANIFEST_BUCKET = "MANIFEST_BUCKET"
    QUARANTINE_BUCKET = "QUARANTINE_BUCKET"
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
    LOG_LEVEL = "LOG_LEVEL"


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
    LOG_LEVEL = "LOG_LEVEL"
    # given by Glue itself
    JOB_NAME = "JOB_NAME"
    JOB_RUN_ID = "JOB_RUN_ID"


# What the function is invoked with, besides SQS batches and the schedule.
ACTION = "action"
ACTION_SWEEP = "sweep"  # what the schedule does
ACTION_FLUSH = "flush"  # a sweep that takes partial batches of any age
