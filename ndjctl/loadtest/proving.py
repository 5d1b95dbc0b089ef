"""Proves what became of every line of a test: the outputs themselves against what the generator says that it made.

Every part and every object of bad lines of the test's date that was written since it began is read once, whichever
manifest it says that it is of: so a part that was copied under another name is found, too. Others' rows are passed
over. Memory holds one count a file, whatever the size of the parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from ndjctl.contracts import Names, bad_lines_prefix, part_prefix, s3_uri
from ndjctl.damage import BAD_LINES, Damaged, read_whole
from ndjctl.generate.record import FileFacts
from ndjctl.loadtest.verdict import Proof
from ndjctl.objects import StoredObject
from ndjctl.proof import Evidence, take_part
from ndjctl.quarantine.lines import line_facts
from ndjctl.reconcile.parts import Content, read_part
from ndjctl.reconcile.streams import Listed, list_bucket, ordered_map

READERS = 8
_WINDOW = 32
_SLACK = timedelta(minutes=2)
"""How far this machine's clock may be off that of S3."""
_EXAMPLES = 5


@dataclass
class _Found:
    rows: Counter[str] = field(default_factory=Counter)
    bad_lines: Counter[tuple[str, str]] = field(default_factory=Counter)
    parts: int = 0
    parquet_bytes: int = 0
    rescued: int = 0
    unreadable: list[str] = field(default_factory=list)


def prove(
    s3: Any,
    names: Names,
    date: str,
    since: datetime,
    made: Mapping[str, FileFacts],
    tell: Callable[[int], None] = lambda _more: None,
) -> Proof:
    """made: by source URI, of every file of the test. since: when it began. tell: of so many objects more that are
    read. Raises CloudError and what boto3 raises; an output that cannot be read is told in the proof."""
    found = _Found()
    with ThreadPoolExecutor(READERS, thread_name_prefix="proving") as pool:
        parts = _since(s3, names.output_bucket, _folder(part_prefix(date, "")), since)
        has_drift = any(facts.drifted_records for facts in made.values())

        def read(listed: Listed) -> tuple[Content, Counter[str]]:
            return _read_both(s3, listed) if has_drift else (read_part(s3, listed), Counter())

        for content, rescued in ordered_map(pool, read, parts, _WINDOW):
            found.rescued += sum(count for uri, count in rescued.items() if uri in made)
            own = {uri: count for uri, count in content.rows.items() if uri in made}
            found.rows.update(own)
            if own:
                found.parts += 1
                found.parquet_bytes += content.listed.size_bytes
            if content.problem:
                where = s3_uri(content.listed.bucket, content.listed.key)
                found.unreadable.append(f"{where}: {content.problem}")
            tell(1)
        lines = _since(s3, names.quarantine_bucket, _folder(bad_lines_prefix(date, "")), since)
        for counts, problem in ordered_map(pool, lambda listed: _reasons(s3, listed, made), lines, _WINDOW):
            found.bad_lines.update(counts)
            found.unreadable += filter(None, [problem])
            tell(1)
    proof = compared(made, found.rows, found.bad_lines, found.parts, found.parquet_bytes, found.unreadable)
    return replace(proof, rescued_rows=found.rescued)


def compared(
    made: Mapping[str, FileFacts],
    rows: Mapping[str, int],
    bad_lines: Mapping[tuple[str, str], int],
    parts: int = 0,
    parquet_bytes: int = 0,
    unreadable: Iterable[str] = (),
) -> Proof:
    """rows: by source. bad_lines: by (source, reason). Pure."""
    by_source: dict[str, Counter[str]] = {}
    for (source, reason), count in bad_lines.items():
        by_source.setdefault(source, Counter())[reason] += count
    lost = duplicated = unbalanced = wrong = bad = 0
    examples: list[str] = []
    for source, expected in made.items():
        reasons = by_source.get(source, Counter())
        row_count, bad_count = rows.get(source, 0), sum(reasons.values())
        bad += bad_count
        difference = expected.lines - row_count - bad_count
        lost += max(difference, 0)
        duplicated += max(-difference, 0)
        planted = Counter(dict(expected.bad_lines))
        wrong_here = sum((reasons - planted).values())
        wrong += wrong_here
        if difference or row_count != expected.records or wrong_here:
            unbalanced += 1
            if len(examples) < _EXAMPLES:
                examples.append(
                    f"{source} has {expected.records:,} records and {expected.bad_line_count:,} bad lines on record, "
                    f"{row_count:,} rows and {bad_count:,} quarantined lines were found"
                )
    return Proof(
        lines_in=sum(each.lines for each in made.values()),
        rows=sum(rows.get(source, 0) for source in made),
        bad_lines=bad,
        rows_expected=sum(each.records for each in made.values()),
        bad_lines_expected=sum(each.bad_line_count for each in made.values()),
        lost=lost,
        duplicated=duplicated,
        files_not_balanced=unbalanced,
        drifted=sum(each.drifted_records for each in made.values()),
        surely_rescued=sum(each.surely_rescued for each in made.values()),
        wrong_reasons=wrong,
        parts=parts,
        parquet_bytes=parquet_bytes,
        examples=tuple(examples),
        unreadable=tuple(unreadable),
    )


def _read_both(s3: Any, listed: Listed) -> tuple[Content, Counter[str]]:
    """(rows by source, rows with rescued values by source) of a part, which is read once."""
    evidence = Evidence()
    try:
        take_part(s3, listed.bucket, StoredObject(listed.key, listed.size_bytes), evidence)
    except Damaged as error:
        return Content(listed, problem=error.why), Counter()
    return Content(listed, evidence.rows), evidence.rescued_rows


def _since(s3: Any, bucket: str, prefix: str, since: datetime) -> Iterator[Listed]:
    return (listed for listed in list_bucket(s3, bucket, prefix) if listed.modified >= since - _SLACK)


def _reasons(s3: Any, listed: Listed, made: Mapping[str, FileFacts]) -> tuple[Counter[tuple[str, str]], str]:
    """(quarantined lines of the test by source and reason, what is wrong with the object)."""
    uri = s3_uri(listed.bucket, listed.key)

    def read() -> Counter[tuple[str, str]]:
        body = s3.get_object(Bucket=listed.bucket, Key=listed.key, IfMatch=listed.etag)["Body"]
        told = ((each["source"], str(each.get("reason") or "")) for each in line_facts(body))
        return Counter(each for each in told if each[0] in made)

    try:
        return read_whole(read, uri, BAD_LINES), ""
    except Damaged as error:
        return Counter(), f"{uri}: {error.why}"


def _folder(prefix: str) -> str:
    return prefix[: prefix.rindex("/") + 1]
