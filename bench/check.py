"""python -m bench.check SPEC.json: what an engine wrote, compared with what is in its source.

Rows are accounted for by the keys of all records; values are compared for the sample. DuckDB reads what others wrote,
pyarrow what DuckDB wrote.
"""

from __future__ import annotations

import base64
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bench.compare import Differences
from bench.source import Facts, read_facts

_BATCH_ROWS = 2_000
_SHOWN_CHANGES = 6


@dataclass
class Verdict:
    """unreadable: why the output cannot be read, or None. rows_too_many: of keys that no record has, or more often
    than records have them; those without a key are `rows_without_key`. bad_lines_kept: those found in the quarantine
    byte for byte. good_lines_quarantined: what else is there. compared: rows. changes: with path, was, became, example
    and count, among the compared."""

    unreadable: str | None = None
    records: int = 0
    rows: int = 0
    rows_lost: int = 0
    rows_too_many: int = 0
    rows_without_key: int = 0
    bad_lines: int = 0
    bad_lines_kept: int = 0
    good_lines_quarantined: int = 0
    compared: int = 0
    rows_changed: int = 0
    changes: list[dict[str, Any]] = field(default_factory=list)

    def findings(self) -> list[str]:
        """What is not exact, each in a few words; empty if everything is."""
        if self.unreadable is not None:
            return [f"unreadable: {self.unreadable}"]
        found = [
            f"{count} {what}"
            for count, what in (
                (self.rows_lost, "rows lost"),
                (self.rows_too_many, "rows that are no record"),
                (self.rows_without_key, "rows without their key"),
                (self.good_lines_quarantined, "good lines quarantined"),
            )
            if count
        ]
        if self.bad_lines_kept < self.bad_lines:
            found.append(f"{self.bad_lines - self.bad_lines_kept} of {self.bad_lines} bad lines gone")
        for change in self.changes[:_SHOWN_CHANGES]:
            what = "dropped" if change["became"] == "nowhere" else change["example"]
            place = f"`{change['path']}` {what}" if what == "dropped" else f"{what} in `{change['path']}`"
            found.append(f"{place} (x{change['count']})")
        if len(self.changes) > _SHOWN_CHANGES:
            found.append(f"{len(self.changes) - _SHOWN_CHANGES} more kinds of change")
        return found

    def text(self) -> str:
        kept = f", {self.bad_lines} bad lines kept aside" if self.bad_lines else ""
        return "; ".join(self.findings()) or f"exact{kept}"


class Reader(Protocol):
    """Reads Parquet files as one table."""

    def names(self) -> list[str]: ...

    def keys(self, key: str) -> Iterator[Any]: ...

    def rows(self, key: str, keys: list[str]) -> Iterator[dict[str, Any]]: ...


class DuckDBReader:
    def __init__(self, files: list[Path]) -> None:
        import duckdb

        self._connection = duckdb.connect(config={"threads": 2})
        self._files = [str(path) for path in files]
        # Names of structs' fields that differ only in case would be one to DuckDB; no source of the bench has any.
        self._from = "FROM read_parquet($files, union_by_name = true)"

    def _batches(self, query: str, **parameters: Any) -> Iterator[tuple[list[str], list[tuple[Any, ...]]]]:
        answer = self._connection.execute(query, {"files": self._files, **parameters})
        names = [str(column[0]) for column in answer.description or ()]
        while rows := answer.fetchmany(_BATCH_ROWS):
            yield names, rows

    def names(self) -> list[str]:
        return [str(row[0]) for _, rows in self._batches(f"DESCRIBE SELECT * {self._from}") for row in rows]

    def keys(self, key: str) -> Iterator[Any]:
        for _, rows in self._batches(f"SELECT {_quoted(key)} {self._from}"):
            for row in rows:
                yield row[0]

    def rows(self, key: str, keys: list[str]) -> Iterator[dict[str, Any]]:
        wanted = f"SELECT * {self._from} WHERE {_quoted(key)}::VARCHAR IN (SELECT unnest($keys))"
        for names, rows in self._batches(wanted, keys=keys):
            for row in rows:
                yield dict(zip(names, row, strict=True))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class ArrowReader:
    def __init__(self, files: list[Path]) -> None:
        import pyarrow.dataset

        self._dataset = pyarrow.dataset.dataset([str(path) for path in files], format="parquet")

    def names(self) -> list[str]:
        return list(self._dataset.schema.names)

    def keys(self, key: str) -> Iterator[Any]:
        for batch in self._dataset.to_batches(columns=[key]):
            yield from batch.column(0).to_pylist()

    def rows(self, key: str, keys: list[str]) -> Iterator[dict[str, Any]]:
        import pyarrow.dataset

        wanted = pyarrow.dataset.field(key).isin(keys)
        for batch in self._dataset.to_batches(filter=wanted, batch_size=_BATCH_ROWS):
            yield from batch.to_pylist()


def reader_for(files: list[Path]) -> Reader:
    """One that did not write them."""
    import pyarrow.parquet

    written_by = pyarrow.parquet.read_metadata(files[0]).created_by or ""
    return ArrowReader(files) if "duckdb" in written_by.lower() else DuckDBReader(files)


def check(facts: Facts, output_dir: Path, reader: Reader | None = None) -> Verdict:
    """reader: to be used instead of the one that fits."""
    verdict = Verdict(records=facts.records, bad_lines=len(facts.bad_lines))
    files = parquet_files(output_dir)
    _check_quarantine(facts, output_dir, verdict)
    if not files:
        verdict.rows_lost = facts.records
        return verdict
    try:
        _check_rows(facts, reader or reader_for(files), verdict)
    except Exception as error:  # whatever a reader raises for a file that it cannot read
        verdict.unreadable = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
    return verdict


def parquet_files(output_dir: Path) -> list[Path]:
    return sorted(path for path in output_dir.rglob("*.parquet") if path.is_file() and not path.name.startswith("."))


def _check_rows(facts: Facts, reader: Reader, verdict: Verdict) -> None:
    if facts.key not in reader.names():
        verdict.rows_lost = facts.records
        return
    there: Counter[Any] = Counter(None if key is None else str(key) for key in reader.keys(facts.key))
    wanted = Counter(facts.keys)
    verdict.rows = there.total()
    verdict.rows_without_key = there.pop(None, 0)
    verdict.rows_lost = (wanted - there).total()
    verdict.rows_too_many = (there - wanted).total()
    records = {str(record[facts.key]): record for record in facts.sample}
    differences = Differences()
    for row in reader.rows(facts.key, list(records)):
        differences.compare(records[str(row[facts.key])], row)
    verdict.compared, verdict.rows_changed = differences.rows, differences.rows_changed
    found = sorted(differences.changes.items(), key=lambda item: -item[1].count)
    verdict.changes = [{**asdict(place), **asdict(change)} for place, change in found]


def _check_quarantine(facts: Facts, output_dir: Path, verdict: Verdict) -> None:
    """Bad lines kept: NDJSON beside the Parquet, an object a line with the line as `raw` or `raw_base64`."""
    kept: Counter[bytes] = Counter()
    for path in sorted(output_dir.rglob("*.ndjson")):
        with path.open("rb") as file:
            for line in file:
                record = json.loads(line)
                raw = record.get("raw")
                kept[base64.b64decode(record["raw_base64"]) if raw is None else raw.encode("utf-8")] += 1
    verdict.bad_lines_kept = (kept & Counter(facts.bad_lines)).total()
    verdict.good_lines_quarantined = kept.total() - verdict.bad_lines_kept


def main(path: Path) -> int:
    spec = json.loads(path.read_text(encoding="utf-8"))
    facts = read_facts(Path(spec["facts"]), spec["sample_lines"])
    verdict = check(facts, Path(spec["output_dir"]))
    Path(spec["result"]).write_text(json.dumps(asdict(verdict)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
