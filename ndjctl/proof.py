"""Proves what became of every line, from the outputs themselves: rows in Parquet, lines in quarantine. No counters."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ndjctl.aws import is_not_found
from ndjctl.contracts import RESCUED_COLUMN, SOURCE_COLUMN, Names, bad_lines_prefix, part_prefix, s3_uri
from ndjctl.objects import StoredObject, list_objects, open_parquet, read_lines

_PLACE = re.compile(r"/\d+(?=/|$)")
_NONE: Mapping[str, int] = {}


@dataclass(frozen=True)
class Part:
    uri: str
    rows: int
    size_bytes: int


@dataclass
class Evidence:
    """What the outputs of some manifests hold. rows and bad_lines: by source URI. reasons: quarantined lines of each
    source by (source, reason). rescued_rows: rows with something in `_rescued`, by source URI. rescued_fields: rescued
    values by (source, JSON pointer with * for the places of lists). parts: sorted by URI."""

    parts: list[Part] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    bad_lines: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    rescued_rows: Counter[str] = field(default_factory=Counter)
    rescued_fields: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass(frozen=True)
class Balance:
    """Lines of some files against what became of them. lost and duplicated are summed file by file, so that one file's
    surplus never hides another's loss. purged: quarantined lines that were deleted on purpose since."""

    lines_in: int
    rows_out: int
    lines_quarantined: int
    lost: int
    duplicated: int
    purged: int = 0

    @property
    def holds(self) -> bool:
        return self.lost == 0 and self.duplicated == 0


def gather(s3: Any, names: Names, manifests: Iterable[tuple[str, str]]) -> Evidence:
    """Reads every part and every quarantined line of `manifests`, given as (date, manifest id)."""
    evidence = Evidence()
    for date, manifest_id in sorted(set(manifests)):
        for entry in list_objects(s3, names.output_bucket, part_prefix(date, manifest_id)):
            rows = take_part(s3, names.output_bucket, entry, evidence)
            evidence.parts.append(Part(s3_uri(names.output_bucket, entry.key), rows, entry.size_bytes))
        for entry in list_objects(s3, names.quarantine_bucket, bad_lines_prefix(date, manifest_id)):
            for line in read_lines(s3, names.quarantine_bucket, entry.key):
                if not line:
                    continue
                record = json.loads(line)
                evidence.bad_lines[record["source"]] += 1
                evidence.reasons[record["source"], record["reason"]] += 1
    evidence.parts.sort(key=lambda part: part.uri)
    return evidence


def balance(lines: Mapping[str, int], evidence: Evidence, purged: Mapping[str, int] = _NONE) -> Balance:
    """The balance of the files in `lines` (source URI -> records counted in the source itself). purged: quarantined
    lines that are on record as deleted, by source URI; they stand for lines that are missing, and for no more."""
    missing = {uri: count - evidence.rows[uri] - evidence.bad_lines[uri] for uri, count in lines.items()}
    gone = {uri: min(purged.get(uri, 0), max(difference, 0)) for uri, difference in missing.items()}
    differences = [missing[uri] - gone[uri] for uri in lines]
    return Balance(
        lines_in=sum(lines.values()),
        rows_out=sum(evidence.rows[uri] for uri in lines),
        lines_quarantined=sum(evidence.bad_lines[uri] for uri in lines),
        lost=sum(difference for difference in differences if difference > 0),
        duplicated=-sum(difference for difference in differences if difference < 0),
        purged=sum(gone.values()),
    )


def is_stored(s3: Any, bucket: str, key: str, size_bytes: int) -> bool:
    """Whether the object is there with that many bytes."""
    from botocore.exceptions import ClientError

    try:
        return bool(s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == size_bytes)
    except ClientError as error:
        if is_not_found(error):
            return False
        raise


def take_part(s3: Any, bucket: str, entry: StoredObject, evidence: Evidence) -> int:
    """Adds a part to the evidence and returns how many rows it has."""
    total = 0
    part = open_parquet(s3, bucket, entry.key, entry.size_bytes)
    for batch in part.iter_batches(columns=[SOURCE_COLUMN, RESCUED_COLUMN]):
        sources, rescued = batch.column(SOURCE_COLUMN), batch.column(RESCUED_COLUMN)
        total += batch.num_rows
        for count in sources.value_counts().to_pylist():
            evidence.rows[count["values"]] += count["counts"]
        if rescued.null_count == batch.num_rows:
            continue
        there = rescued.is_valid()
        for source, values in zip(sources.filter(there).to_pylist(), rescued.filter(there).to_pylist(), strict=True):
            evidence.rescued_rows[source] += 1
            for pointer in json.loads(values):
                evidence.rescued_fields[source, _PLACE.sub("/*", pointer)] += 1
    return total
