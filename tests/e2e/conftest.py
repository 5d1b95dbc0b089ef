"""Runs the tool as a user does: the command in a process of its own, against the session's embedded cloud."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ndjctl.aws import Cloud
from ndjctl.contracts import split_s3_uri
from ndjctl.embedded.provider import embedded_cloud
from ndjctl.profiles import load_profile
from tests.e2e.glue_harness import Glue
from tests.glue_world import TABLE, World, make_places
from tests.policy_world import iam_of, pipeline_calls, refused

CLEAN = ("AWS_", "NDJ_", "JAVA_HOME", "SPARK_", "PYSPARK_")
DATA = Path(__file__).resolve().parents[1] / "data"


@dataclass
class Finished:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


@dataclass
class Tool:
    """`ndjctl`, with a data folder and an empty home, and no AWS configuration. (No Java either: see cloud_dir.)"""

    data_dir: Path
    home: Path
    suffix: str

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(CLEAN)}
        return kept | {"NDJ_DATA_DIR": str(self.data_dir), "HOME": str(self.home)}

    def __call__(self, *arguments: str | Path, timeout_s: float = 240, **extra: str) -> Finished:
        command = [sys.executable, "-m", "ndjctl", *map(str, arguments)]
        done = subprocess.run(
            command,
            env=self.environment() | extra,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def run(self, *arguments: str | Path, code: int = 0) -> dict[str, Any]:
        """`ndjctl run --json` in this test's own environment; its document."""
        finished = self("run", "--json", "--set", f"suffix={self.suffix}", *arguments)
        assert finished.code == code, finished.err
        return finished.document


@pytest.fixture(scope="session", autouse=True)
def _every_call_is_allowed(cloud_dir: Path) -> Iterator[None]:
    """Whatever functions and jobs asked for in all these tests, their roles allow."""
    yield
    status = embedded_cloud(load_profile("local", working_dir=cloud_dir).profile, cloud_dir).status()
    if status.running:
        denied, judged = refused(pipeline_calls(cloud_dir / "calls.jsonl"), iam_of(status.endpoint_url))
        assert denied == set(), f"of {len(judged)} calls"


@pytest.fixture
def tool(cloud_dir: Path, embedded: Cloud, tmp_path: Path) -> Tool:
    home = tmp_path / "home"
    home.mkdir()
    return Tool(cloud_dir, home, embedded.suffix)


@pytest.fixture
def glue(tool: Tool, embedded: Cloud) -> Glue:
    """The job, deployed, and places that only this session's tests of it know."""
    deployed = tool("deploy", "--set", f"suffix={tool.suffix}")
    assert deployed.code == 0, deployed.err
    world = World(embedded.client("s3"), embedded.client("dynamodb"))
    if TABLE not in world.dynamodb.list_tables()["TableNames"]:
        make_places(world.s3, world.dynamodb)
    return Glue(embedded, world)


def rows_of(cloud: Cloud, uris: list[str], folder: Path) -> list[dict[str, Any]]:
    """All rows of the parts, read by DuckDB: a reader that shares no code with the writer."""
    import duckdb

    paths = []
    for number, uri in enumerate(uris):
        bucket, key = split_s3_uri(uri)
        path = folder / f"{number}.parquet"
        cloud.client("s3").download_file(bucket, key, str(path))
        paths.append(str(path))
    relation = duckdb.connect().execute("SELECT * FROM read_parquet(?, union_by_name=true)", [paths])
    columns = [column[0] for column in relation.description]
    return [dict(zip(columns, row, strict=True)) for row in relation.fetchall()]
