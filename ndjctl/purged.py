"""What of some files was deleted on purpose, for a proof that finds it missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from ndjctl.contracts import Names, bad_lines_prefix
from ndjctl.ledger import FileRecord
from ndjctl.quarantine.records import QuarantineRecords
from ndjctl.reconcile.streams import list_bucket
from ndjctl.reconcile.verdicts import purged_lines


def lines_purged(s3: Any, names: Names, records: Iterable[FileRecord]) -> Counter[str]:
    """Quarantined lines that are gone by `quarantine purge`, by source URI, of the manifests of these files: also of
    other files that are in them. Raises WorkFailed for a record of a purge that cannot be read, and what boto3
    raises."""
    purges = QuarantineRecords(s3, names.manifest_bucket)
    found: Counter[str] = Counter()
    for date, manifest_id, run_id in sorted({(each.date, each.manifest_id, each.run_id) for each in records}):
        prefix = bad_lines_prefix(date, manifest_id)
        there = {listed.key: listed.etag for listed in list_bucket(s3, names.quarantine_bucket, prefix)}
        purged = purges.purged_where(date, _beginning(prefix))
        found += purged_lines(purged, there, run_id)
    return found


def files_purged(s3: Any, names: Names, records: Mapping[str, FileRecord]) -> Collection[str]:
    """Those of `records` (by any name) whose copy in the quarantine bucket was purged. Raises as lines_purged."""
    purges = QuarantineRecords(s3, names.manifest_bucket)
    gone: set[str] = set()
    for date in {each.date for each in records.values()}:
        keys = {each.quarantine_key for each in records.values() if each.date == date}
        gone |= purges.purged_of(date, keys).keys()
    return {name for name, each in records.items() if each.quarantine_key in gone}


def _beginning(prefix: str) -> Callable[[str], bool]:
    return lambda key: key.startswith(prefix)
