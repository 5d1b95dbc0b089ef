"""Proves what became of every line, from the outputs themselves: rows in Parquet, lines in quarantine. No counters."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ndjctl.aws import is_not_found
from ndjctl.contracts import RESCUED_COLUMN, SOURCE_COLUMN, Names, bad_lines_prefix, part_prefix, s3_uri
from ndjctl.damage import BAD_LINES, PARQUET, Damage, Damaged, read_whole, text_column
from ndjctl.objects import StoredObject, list_objects, open_parquet
from ndjctl.quarantine.lines import line_facts

_NONE: Mapping[str, int] = {}
_PLACES = 10_000  # kept of a part: to find one takes longer than to read its value


@dataclass(frozen=True)
class Part:
    """rows: None of a part that cannot be read."""

    uri: str
    rows: int | None
    size_bytes: int


@dataclass
class Evidence:
    """What the outputs of some manifests hold. rows and bad_lines: by source URI. reasons: quarantined lines of each
    source by (source, reason). rescued_rows: rows with something in `_rescued`, by source URI. rescued_fields: rescued
    values by (source, JSON pointer with * for the places of lists). parts: sorted by URI. damaged: parts and objects
    of bad lines that cannot be read: nothing of them is in the counts."""

    parts: list[Part] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    bad_lines: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    rescued_rows: Counter[str] = field(default_factory=Counter)
    rescued_fields: Counter[tuple[str, str]] = field(default_factory=Counter)
    damaged: list[Damage] = field(default_factory=list)

    def add(self, other: Evidence) -> None:
        self.parts += other.parts
        self.rows.update(other.rows)
        self.bad_lines.update(other.bad_lines)
        self.reasons.update(other.reasons)
        self.rescued_rows.update(other.rescued_rows)
        self.rescued_fields.update(other.rescued_fields)
        self.damaged += other.damaged


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
    """Reads every part and every quarantined line of `manifests`, given as (date, manifest id). What cannot be read is
    among the damaged. Raises what boto3 raises."""
    evidence = Evidence()
    for date, manifest_id in sorted(set(manifests)):
        for entry in list_objects(s3, names.output_bucket, part_prefix(date, manifest_id)):
            uri, rows = s3_uri(names.output_bucket, entry.key), None
            try:
                rows = take_part(s3, names.output_bucket, entry, evidence)
            except Damaged as error:
                evidence.damaged.append(Damage(uri, error.why, manifest_id))
                if error.is_gone:
                    continue
            evidence.parts.append(Part(uri, rows, entry.size_bytes))
        for entry in list_objects(s3, names.quarantine_bucket, bad_lines_prefix(date, manifest_id)):
            try:
                _take_bad_lines(s3, names.quarantine_bucket, entry.key, evidence)
            except Damaged as error:
                evidence.damaged.append(Damage(error.uri, error.why, manifest_id))
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
    """Adds a part to the evidence, wholly or not at all, and returns how many rows it has. Raises Damaged, and what
    boto3 raises."""
    found = read_whole(lambda: _evidence_of(s3, bucket, entry), s3_uri(bucket, entry.key), PARQUET)
    evidence.add(found)
    return found.rows.total()


def _evidence_of(s3: Any, bucket: str, entry: StoredObject) -> Evidence:
    import pyarrow as pa

    found = Evidence()
    part = open_parquet(s3, bucket, entry.key, entry.size_bytes)
    # The job gives every part both: one that lacks `_rescued` has lost what was in it.
    for name in (SOURCE_COLUMN, RESCUED_COLUMN):
        text_column(part.metadata.schema, name)
    row_type = pa.struct(list(part.schema_arrow))
    place = lru_cache(_PLACES)(lambda pointer: _place(pointer, row_type))
    for batch in part.iter_batches(columns=[SOURCE_COLUMN, RESCUED_COLUMN]):
        sources, rescued = batch.column(SOURCE_COLUMN), batch.column(RESCUED_COLUMN)
        for count in sources.value_counts().to_pylist():
            found.rows[count["values"] or ""] += count["counts"]
        if rescued.null_count == batch.num_rows:
            continue
        there = rescued.is_valid()
        for source, values in zip(sources.filter(there).to_pylist(), rescued.filter(there).to_pylist(), strict=True):
            found.rescued_rows[source or ""] += 1
            for pointer in _rescued_pointers(values):
                found.rescued_fields[source or "", place(pointer)] += 1
    return found


def _take_bad_lines(s3: Any, bucket: str, key: str, evidence: Evidence) -> None:
    def read() -> Evidence:
        found = Evidence()
        for facts in line_facts(s3.get_object(Bucket=bucket, Key=key)["Body"]):
            found.bad_lines[facts["source"]] += 1
            found.reasons[facts["source"], str(facts.get("reason") or "")] += 1
        return found

    evidence.add(read_whole(read, s3_uri(bucket, key), BAD_LINES))


def _rescued_pointers(values: str) -> Iterable[str]:
    document = json.loads(values)
    if not isinstance(document, dict):
        raise ValueError(f"its column {RESCUED_COLUMN} holds what is no JSON object")
    return document


def _place(pointer: str, root: Any) -> str:
    """The JSON pointer of a rescued value with * for list indices. root: type of the rows, a struct. Only the types
    tell an index from a field that is named by digits. They are there: what a value lies in has its column, for else
    that would have been rescued as a whole."""
    from pyarrow import types

    place, inside = "", root
    for token in pointer.split("/")[1:]:
        if inside is not None and types.is_list(inside):
            place, inside = f"{place}/*", inside.value_type
            continue
        name = token.replace("~1", "/").replace("~0", "~")
        index = inside.get_field_index(name) if inside is not None and types.is_struct(inside) else -1
        place, inside = f"{place}/{token}", None if index < 0 else inside.field(index).type
    return place
