"""Glue writes a job's metrics only where its script has made a GlueContext: once, where there is one to make."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PYSPARK = """
class SparkConf:
    def setExecutorEnv(self, name, value): ...


class SparkContext:
    master, defaultParallelism, only = "yarn", 7, None

    @classmethod
    def getOrCreate(cls, conf):
        cls.only = cls.only or cls()
        return cls.only
"""
GLUE = """
class GlueContext:
    def __init__(self, context):
        print("GlueContext of", type(context).__name__)
"""
BROKEN = """
class GlueContext:
    def __init__(self, context):
        raise RuntimeError("no gateway")
"""
PROGRAM = "from glue_job.spark import task_slots; print(task_slots(None)); print(task_slots(None))"


def run(folder: Path, awsglue: str | None) -> tuple[list[str], str]:
    """Lines of stdout and the text of stderr, on a Spark that does nothing."""
    packages = {"pyspark/__init__.py": PYSPARK}
    if awsglue is not None:
        packages |= {"awsglue/__init__.py": "", "awsglue/context.py": awsglue}
    for name, text in packages.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines(), done.stderr


def test_on_glue_a_context_is_made_once(tmp_path: Path) -> None:
    assert run(tmp_path, GLUE) == (["GlueContext of SparkContext", "7", "7"], "")


@pytest.mark.parametrize("awsglue", [None, ""])
def test_without_it_nothing_changes(tmp_path: Path, awsglue: str | None) -> None:
    assert run(tmp_path, awsglue) == (["7", "7"], "")


def test_one_that_cannot_be_made_is_no_reason_to_fail(tmp_path: Path) -> None:
    out, err = run(tmp_path, BROKEN)
    assert out == ["7", "7"]
    (line,) = err.splitlines()
    assert "no job metrics" in line
    assert "RuntimeError: no gateway" in line
