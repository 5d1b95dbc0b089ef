"""Looks for a file that the ledger has forgotten in the reports of runs, which stay."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ndjctl.contracts import COMPLETED, Names
from ndjctl.errors import WorkFailed
from ndjctl.explain.facts import ReportedFile
from ndjctl.explain.reads import read_report
from ndjctl.reconcile.streams import list_bucket, ordered_map

REPORTS = 5_000
"""That are read at most: more than a heavy day has."""
_WINDOW = 16


def find_report(s3: Any, names: Names, dates: Sequence[str], uri: str, pool: ThreadPoolExecutor) -> ReportedFile | None:
    """What the first report of these dates that completed the file says of it. Raises what boto3 raises."""
    read = 0
    for date in dates:
        keys = (entry.key for entry in list_bucket(s3, names.manifest_bucket, f"reports/{date}/"))
        for found in ordered_map(pool, lambda key: _read(s3, names, key, uri), keys, _WINDOW):
            if found is not None and found.status == COMPLETED:
                return found
            read += 1
            if read >= REPORTS:
                return None
    return None


def _read(s3: Any, names: Names, key: str, uri: str) -> ReportedFile | None:
    try:
        return read_report(s3, names, key, uri)
    except WorkFailed:  # no report that this program reads
        return None
