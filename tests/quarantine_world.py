"""A quarantine on moto, as the function and the job leave it: bad lines of manifests, copies of files, orphans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ndjctl.contracts import (
    COMPLETED,
    DONE,
    QUARANTINED,
    Attr,
    BadLineReason,
    bad_line_facts,
    bad_line_json,
    bad_lines_key,
    closed_manifests_partition,
    iso_utc,
    manifest_item_key,
    s3_uri,
    size_quarantine_key,
)
from tests.functional.operations_world import DAY, NAMES, Operations, now

M1, M2 = "20261123T100000000Z-00000001", "20261123T110000000Z-00000002"
A, B = f"in/{DAY}-a.ndjson", f"in/{DAY}-b.ndjson"
ODD = f"in/{DAY}-[b]o\n😀.ndjson"

CUT = (BadLineReason.NOT_JSON, "not valid JSON: the line ends at character 6 in the middle of a value", b'{"cut"')
COMMA = (BadLineReason.NOT_JSON, "not valid JSON at character 9: Expecting ',' delimiter", b'{"a": 1 "b": 2}')
TWICE = (BadLineReason.DUPLICATE_KEY, 'duplicate key "a" at character 9', b'{"a":1, "a":2}')
BYTES = (BadLineReason.INVALID_UTF8, "invalid UTF-8 at byte 8: invalid start byte", b'{"a": "\xff"}')

Bad = tuple[str, str, bytes]


def uri(key: str) -> str:
    return s3_uri(NAMES.input_bucket, key)


def bad_lines(source: str, lines: Sequence[Bad], first: int = 0) -> bytes:
    """Lines of one source, at the offsets 100 * (first + number)."""
    pieces = []
    for number, (reason, detail, raw) in enumerate(lines, first):
        facts = bad_line_facts(uri(source), 100 * number, number + 1, reason, detail)
        pieces += list(bad_line_json(facts, raw))
    return b"".join(pieces)


def put_bad_lines(world: Operations, manifest_id: str, number: int, body: bytes, date: str = DAY) -> str:
    key = bad_lines_key(date, manifest_id, number)
    world.s3.put_object(Bucket=NAMES.quarantine_bucket, Key=key, Body=body)
    return key


def close_manifest(world: Operations, manifest_id: str, date: str = DAY, **more: Any) -> None:
    about = {Attr.STATE: DONE, Attr.DATE: date, Attr.RUN_ID: f"jr_{manifest_id[-1]}"}
    world.put(closed_manifests_partition(date), manifest_item_key(manifest_id), **{**about, **more})


def completed(world: Operations, key: str, manifest_id: str, bad: int, date: str = DAY) -> None:
    counts = {Attr.LINES: 10 + bad, Attr.ROWS: 10, Attr.BAD_LINES: bad, Attr.BATCH_ID: manifest_id}
    world.put(date, key, status=COMPLETED, upload_time=iso_utc(now()), **counts)


def set_aside(world: Operations, key: str, body: bytes, verdict: str = "too-large", date: str = DAY) -> str:
    """The object, its copy and its item; the key of the copy."""
    etag = world.s3.put_object(Bucket=NAMES.input_bucket, Key=key, Body=body)["ETag"].strip('"')
    copy = size_quarantine_key(date, verdict, key)
    world.s3.put_object(Bucket=NAMES.quarantine_bucket, Key=copy, Body=body)
    about = {
        Attr.STATUS: QUARANTINED,
        Attr.ETAG: etag,
        Attr.BUCKET: NAMES.input_bucket,
        Attr.SIZE_BYTES: len(body),
        Attr.REASON: f"{verdict}: {len(body)} bytes, normal is other bytes",
        Attr.QUARANTINE_KEY: copy,
        Attr.UPLOAD_TIME: iso_utc(now()),
        Attr.SEQUENCER: "01",
        Attr.ATTEMPT: 0,
    }
    world.put(date, key, **about)
    return copy


def fill(world: Operations) -> None:
    """Two manifests with bad lines, a file that is too small, an orphan."""
    world.deploy()
    close_manifest(world, M1)
    close_manifest(world, M2)
    put_bad_lines(world, M1, 0, bad_lines(A, [CUT, COMMA, TWICE]) + bad_lines(B, [BYTES]))
    put_bad_lines(world, M1, 1, bad_lines(A, [CUT], first=3))
    put_bad_lines(world, M2, 0, bad_lines(ODD, [TWICE]))
    completed(world, A, M1, 4)
    completed(world, B, M1, 1)
    completed(world, ODD, M2, 1)
    set_aside(world, f"in/{DAY}-small.ndjson", b"{}\n", "too-small")
    world.s3.put_object(Bucket=NAMES.quarantine_bucket, Key=f"{DAY}/orphaned/parquet/x.parquet", Body=b"x" * 50)
