"""Where objects are: the keys of manifests, reports, parts, quarantine and schemas."""

from __future__ import annotations

from datetime import datetime, timezone


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
