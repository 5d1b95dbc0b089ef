"""Where things are in the quarantine bucket: <date>/<kind>/<name>."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import date as calendar_date
from typing import Any, NamedTuple

from ndjctl.contracts import FILE_SUFFIX, MALFORMED, ORPHANED, TOO_LARGE, TOO_SMALL
from ndjctl.reconcile.streams import Listed, list_bucket

SIZE_KINDS = (TOO_LARGE, TOO_SMALL)
KINDS = (MALFORMED, ORPHANED, TOO_LARGE, TOO_SMALL)
"""In the order of their keys."""

_BAD_LINES_NAME = re.compile(r"bad-(.+)-\d{5,}\.ndjson")
_HASHED = re.compile(r"[0-9a-f]{64}" + re.escape(FILE_SUFFIX))


class Place(NamedTuple):
    """date: YYYY-MM-DD. kind: one of KINDS. name: of a size kind the key of the file, or its hash."""

    date: str
    kind: str
    name: str


def place_of(key: str) -> Place | None:
    """None for a key that nothing of the pipeline gives. What lies in a folder of the one for quarantined lines was
    copied there: it is part of no output, so what it holds is not counted once more, and it is called ORPHANED."""
    date, _, rest = key.partition("/")
    kind, _, name = rest.partition("/")
    if not (is_date(date) and kind in KINDS and name):
        return None
    return Place(date, ORPHANED, rest) if kind == MALFORMED and "/" in name else Place(date, kind, name)


def is_date(text: str) -> bool:
    try:
        return len(text) == len("YYYY-MM-DD") and calendar_date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def is_hashed(name: str) -> bool:
    """Whether the name of a copy is the hash of a key that was too long for it."""
    return _HASHED.fullmatch(name) is not None


def is_copy_of(name: str, file_key: str) -> bool:
    """Whether a size kind's object of this name is the copy of the file."""
    return name in (file_key, hashlib.sha256(file_key.encode()).hexdigest() + FILE_SUFFIX)


def manifest_id_of(key: str) -> str:
    """The manifest whose bad lines an object of this key has; empty where the key is none of bad lines."""
    place = place_of(key)
    match = _BAD_LINES_NAME.fullmatch(place.name) if place is not None and place.kind == MALFORMED else None
    return match[1] if match else ""


def dates_in(s3: Any, bucket: str, prefix: str = "") -> Iterator[str]:
    """The dates of which there is anything under the prefix, ascending."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
        for entry in page.get("CommonPrefixes", []):
            date = str(entry["Prefix"]).removeprefix(prefix).rstrip("/")
            if is_date(date):
                yield date


def list_kinds(
    s3: Any, bucket: str, date: str, kinds: Iterable[str] = KINDS, page_items: int = 1000
) -> Iterator[Listed]:
    """Objects of a date and of these kinds, in the order of their keys."""
    for kind in sorted(kinds):
        yield from list_bucket(s3, bucket, f"{date}/{kind}/", page_items)
