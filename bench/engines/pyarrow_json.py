"""Plain pyarrow: read_json over blocks of whole lines, written as they come. A process for each core."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

from bench.engines import Job
from bench.engines.arrow_schema import arrow_schema

_BLOCK_BYTES = 4 * 10**6
_ROW_GROUP_BYTES = 64 * 10**6

_Range = tuple[Path, int, int]


def convert(job: Job) -> None:
    shares = _shares(job.files, job.cores)
    targets = [job.output_dir / f"part-{number}.parquet" for number in range(len(shares))]
    if len(shares) == 1:
        _write(shares[0], targets[0], job.schema)
        return
    with ProcessPoolExecutor(job.cores, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_write, shares, targets, [job.schema] * len(shares)))


def _shares(files: tuple[Path, ...], cores: int) -> list[list[_Range]]:
    """Ranges of bytes of equal size in all; a range owns the lines that start in it."""
    size_bytes = sum(path.stat().st_size for path in files)
    cuts = [size_bytes * core // cores for core in range(cores + 1)]
    shares: list[list[_Range]] = [[] for _ in range(cores)]
    before = 0
    for path in files:
        end = before + path.stat().st_size
        for share, first, last in zip(shares, cuts, cuts[1:], strict=False):
            if max(before, first) < min(end, last):
                share.append((path, max(before, first) - before, min(end, last) - before))
        before = end
    return [share for share in shares if share]


def _blocks(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        if start:
            file.seek(start - 1)
            file.readline()
        while file.tell() < end:
            yield file.read(min(_BLOCK_BYTES, end - file.tell())) + file.readline()


def _tables(share: list[_Range], schema: pa.Schema) -> Iterator[pa.Table]:
    # "infer" makes columns of unknown fields, which the writer below then refuses: nothing is dropped in silence.
    parse = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="infer")
    read = pj.ReadOptions(use_threads=False, block_size=2 * _BLOCK_BYTES)
    for path, start, end in share:
        for block in _blocks(path, start, end):
            yield pj.read_json(pa.BufferReader(block), read_options=read, parse_options=parse)


def _write(share: list[_Range], target: Path, stored_schema: Any) -> None:
    schema = arrow_schema(stored_schema)
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        group: list[pa.Table] = []
        size_bytes = 0
        for table in _tables(share, schema):
            group.append(table)
            size_bytes += table.nbytes
            if size_bytes >= _ROW_GROUP_BYTES:
                writer.write_table(pa.concat_tables(group))
                group, size_bytes = [], 0
        if group:
            writer.write_table(pa.concat_tables(group))
