"""Reads what is known of a file's quarantined lines: some of them, and how many were released. All raise what boto3
raises."""

from __future__ import annotations

import json
from typing import Any

from ndjctl.contracts import Names, bad_lines_prefix
from ndjctl.explain.facts import BadLine, BadLines, ReleasedLines
from ndjctl.objects import list_objects
from ndjctl.quarantine.records import QuarantineRecords

_BAD_LINE_BYTES = 256 * 1024
_BAD_LINE_EXAMPLES = 3
_BAD_LINE_OBJECTS = 20
RELEASE_RECORDS = 500
"""Of a date's releases, each of up to 10,000 lines."""


def read_bad_line_examples(s3: Any, names: Names, date: str, manifest_id: str, uri: str) -> BadLines:
    """Some quarantined lines of the file: of the first objects, and of each its beginning."""
    objects = 0
    found: list[BadLine] = []
    for entry in list_objects(s3, names.quarantine_bucket, bad_lines_prefix(date, manifest_id)):
        objects += 1
        if len(found) >= _BAD_LINE_EXAMPLES or objects > _BAD_LINE_OBJECTS or not entry.size_bytes:
            continue
        last = min(entry.size_bytes, _BAD_LINE_BYTES) - 1
        answer = s3.get_object(Bucket=names.quarantine_bucket, Key=entry.key, Range=f"bytes=0-{last}")
        for line in answer["Body"].read().split(b"\n"):
            example = _bad_line(line, uri)
            if example is not None and len(found) < _BAD_LINE_EXAMPLES:
                found.append(example)
    return BadLines(objects, tuple(found))


def read_released(
    s3: Any, names: Names, date: str, manifest_id: str, uri: str, most_records: int = RELEASE_RECORDS
) -> ReleasedLines:
    """How many quarantined lines of the file were released, by the records of the date's releases."""
    prefix = bad_lines_prefix(date, manifest_id)
    records = QuarantineRecords(s3, names.manifest_bucket)
    found: set[tuple[str, int]] = set()
    for number, release in enumerate(records.releases(date)):
        if number >= most_records:
            return ReleasedLines(len(found), is_whole=False)
        for each in release.objects:
            if each.key.startswith(prefix):
                found.update((each.key, offset) for source, offset in each.lines if source == uri)
    return ReleasedLines(len(found), is_whole=True)


def _bad_line(line: bytes, uri: str) -> BadLine | None:
    """None for a line of another file, and for one that was cut off."""
    try:
        record = json.loads(line)
        if record["source"] != uri:
            return None
        number = record["line_number"]
        return BadLine(
            None if number is None else int(number),
            int(record["byte_offset"]),
            str(record["reason"]),
            str(record["detail"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
