"""What is visible of the outputs: rows and bad lines by their source, read from the objects themselves."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from functools import lru_cache
from typing import NamedTuple

import pyarrow.parquet as pq

from ndjctl.contracts import PARQUET_METADATA_KEY, SOURCE_COLUMN, bad_line_bytes
from tests.simulator.s3 import S3

_PART = re.compile(r"parquet/([^/]+)/part-(.+)-(\d{5})\.parquet")
_BAD = re.compile(r"[^/]+/malformed/bad-(.+)-(\d{5})\.ndjson")


class Part(NamedTuple):
    """One visible part. rows: ids of its rows by source. run_id: of the attempt that wrote it."""

    key: str
    manifest_id: str
    number: int
    run_id: str
    rows: dict[str, Counter[str]]


class BadLines(NamedTuple):
    key: str
    manifest_id: str
    lines: dict[str, Counter[str]]


@lru_cache(maxsize=1024)
def _read_part(body: bytes) -> tuple[str, dict[str, Counter[str]]]:
    table = pq.ParquetFile(io.BytesIO(body))
    metadata = json.loads(table.metadata.metadata[PARQUET_METADATA_KEY.encode()])
    rows: dict[str, Counter[str]] = {}
    names = set(table.schema_arrow.names)
    if table.metadata.num_rows:
        assert "id" in names, f"the rows have no id: {sorted(names)}"
        found = table.read(columns=[SOURCE_COLUMN, "id"], use_threads=False)
        for source, identity in zip(*(column.to_pylist() for column in found.columns), strict=True):
            rows.setdefault(source, Counter())[identity] += 1
    return metadata["run_id"], rows


@lru_cache(maxsize=1024)
def _read_bad_lines(body: bytes) -> dict[str, Counter[str]]:
    lines: dict[str, Counter[str]] = {}
    for record in map(json.loads, body.splitlines()):
        lines.setdefault(record["source"], Counter())[bad_line_bytes(record).decode()] += 1
    return lines


def parts(s3: S3, bucket: str) -> list[Part]:
    """Every object under parquet/. Raises AssertionError for one that is no part by its name."""
    found = []
    for key, held in sorted(s3.objects.get(bucket, {}).items()):
        match = _PART.fullmatch(key)
        assert match, f"{key} is no part's name"
        run_id, rows = _read_part(held.body)
        found.append(Part(key, match[2], int(match[3]), run_id, rows))
    return found


def bad_lines(s3: S3, bucket: str) -> list[BadLines]:
    matches = [(_BAD.fullmatch(key), key) for key in sorted(s3.objects.get(bucket, {}))]
    return [BadLines(key, match[1], _read_bad_lines(s3.objects[bucket][key].body)) for match, key in matches if match]
