"""Whether an object of an output is still what its run wrote: by its ETag and size, which a listing has anyway. Pure.

Each object says which run wrote it, and each run's report says what that was. So an object is held against the record
of the very run that wrote it, never against that of an earlier or a later attempt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ndjctl.contracts import s3_uri


class Record(NamedTuple):
    """What a report says of an object. etag: without quotes; empty, as size_bytes is None, where it does not say.
    run_id: that wrote it, empty where it is not known. counted: rows or lines in it, None where it does not say.
    part_bytes: sizes of the pieces that it was sent in, empty where it does not say."""

    etag: str = ""
    size_bytes: int | None = None
    run_id: str = ""
    counted: int | None = None
    part_bytes: tuple[int, ...] = ()


class Mark(NamedTuple):
    """What an object says of itself. run_id: that wrote it, empty where it does not say. by_manifest: of the manifest
    whose run took rows of others out of it, empty where none did."""

    run_id: str = ""
    by_manifest: str = ""


NO_MARK = Mark()
UNNAMED = "?"
"""As by_manifest: rows were taken out of it, and it does not say by whom."""


def part_mark(metadata: Any) -> Mark:
    """metadata: a part's JSON object."""
    if not isinstance(metadata, dict):
        return NO_MARK
    notes = metadata.get("removed")
    if not isinstance(notes, list) or not notes:
        return Mark(str(metadata.get("run_id") or ""))
    last = notes[-1] if isinstance(notes[-1], dict) else {}
    return Mark(str(last.get("by_run") or ""), str(last.get("by_manifest") or UNNAMED))


def is_unchanged(etag: str, size_bytes: int, count: int, mark: Mark, record: Record | None) -> bool | None:
    """None where nobody knows. count: rows or lines that were found in it. record: of the manifest that its mark names,
    or its own."""
    if record is None or (mark.run_id and record.run_id and mark.run_id != record.run_id):
        return None
    if not mark.run_id and record.counted not in (None, count):
        # Without some of its lines, as a purge leaves it, or a job of an older version. The counts tell whether they
        # should be there.
        return None
    if record.size_bytes not in (None, size_bytes):
        return False
    return etag == record.etag if record.etag else None


def records_of(document: Mapping[str, Any]) -> dict[str, Record]:
    """By URI, what a run report says of the objects that its run wrote, and of those of other manifests that it took
    rows out of. Whatever it does not say, as older ones do not, is left out."""
    run_id = _text(document.get("run_id"))
    found: dict[str, Record] = {}
    for part in _dicts(document.get("parts")):
        for kind, counted in (("", "rows"), ("bad_lines_", "bad_lines")):
            uri = _text(part.get(f"{kind}uri"))
            etag, size_bytes = _text(part.get(f"{kind}etag")), _number(part.get(f"{kind}size_bytes"))
            if uri and (etag or size_bytes is not None):
                sent = _numbers(part.get(f"{kind}etag_part_bytes"))
                found[uri] = Record(etag, size_bytes, run_id, _number(part.get(counted)), sent)
    for replaced in _dicts(document.get("replaced")):
        for each in _dicts(replaced.get("objects")):
            uri = s3_uri(_text(each.get("bucket")), _text(each.get("key")))
            sent = _numbers(each.get("etag_part_bytes"))
            about = _text(each.get("etag")), _number(each.get("size_bytes")), _text(each.get("by_run"))
            found[uri] = Record(*about, part_bytes=sent)
    return found


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _numbers(value: Any) -> tuple[int, ...]:
    are_sizes = isinstance(value, list) and all(isinstance(each, int) and each > 0 for each in value)
    return tuple(value) if are_sizes else ()


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None
