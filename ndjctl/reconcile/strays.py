"""Objects beside the folders of dates: no date is looked at for them, and readers of the Parquet take their rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from ndjctl.quarantine.places import is_date
from ndjctl.reconcile.naming import is_passed_over
from ndjctl.reconcile.streams import Listed, list_bucket, list_folder

ROOT = "parquet/"

MOST_STRAYS = 10_000
"""Listed at a time: a folder of any size may lie there by mistake. The next look finds the rest."""


def find_strays(s3: Any, bucket: str, page_items: int = 1000) -> Iterator[Listed]:
    """Objects below parquet/ that lie in no folder of a date (YYYY-MM-DD), the first MOST_STRAYS of them, a page at a
    time. Raises what boto3 raises."""
    yield from islice(_all(s3, bucket, page_items), MOST_STRAYS)


def _all(s3: Any, bucket: str, page_items: int) -> Iterator[Listed]:
    for entry in list_folder(s3, bucket, ROOT, page_items):
        if isinstance(entry, Listed):
            found = iter([entry])
        elif is_date(entry.removeprefix(ROOT).rstrip("/")):
            continue
        else:
            found = list_bucket(s3, bucket, entry, page_items)
        for listed in found:
            if not is_passed_over(listed.key.removeprefix(ROOT), listed.size_bytes):
                yield listed
