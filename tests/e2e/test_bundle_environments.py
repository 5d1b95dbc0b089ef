"""The bundles where they will live: other Pythons, with nothing installed but what they name."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ndjctl.bundles import glue_bundle, lambda_bundle
from tests.e2e.conftest import DATA, Tool

pytestmark = pytest.mark.e2e

GLUE_4 = ["boto3", "pyarrow==10.*", "numpy<2"]  # Glue 4.0: Python 3.10 and pyarrow 10
GLUE_6 = ["boto3", "pyarrow==23.*"]  # Glue 6.0: Python 3.13 and pyarrow 23


def interpreter(version: str) -> str:
    """A Python of that version; skips the test where this machine has none."""
    candidates = [
        shutil.which(f"python{version}"),
        *Path.home().glob(f".pyenv/versions/{version}.*/bin/python"),
        *Path("/opt").glob(f"*/bin/python{version}"),
    ]
    for candidate in candidates:
        probe = [str(candidate), "-c", f"import sys, venv; assert '%d.%d' % sys.version_info[:2] == '{version}'"]
        if candidate and subprocess.run(probe, capture_output=True).returncode == 0:
            return str(candidate)
    pytest.skip(f"this machine has no Python {version}")


def environment(folder: Path, python: str, packages: list[str]) -> Path:
    """The interpreter of a new virtual environment with just these packages."""
    subprocess.run([python, "-m", "venv", str(folder)], check=True, capture_output=True)
    new = folder / "bin/python"
    install = [str(new), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    done = subprocess.run(install, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return new


def lend_pyspark(python: Path) -> None:
    """PySpark is Python alone and the same for every version of it: borrowed, not downloaded once more."""
    site = next(python.parent.parent.glob("lib/python*/site-packages"))
    for package in ("pyspark", "py4j"):
        spec = importlib.util.find_spec(package)
        assert spec and spec.origin
        (site / package).symlink_to(Path(spec.origin).parent)


def unpacked(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, body in files.items():
        (folder / name).write_bytes(body)
    return folder


@pytest.mark.parametrize("version", ["3.10", "3.13"])
def test_the_functions_bundle_imports_with_boto3_alone(version: str, tmp_path: Path) -> None:
    python = environment(tmp_path / "venv", interpreter(version), ["boto3"])
    bundle = unpacked(tmp_path / "function", lambda_bundle().files)
    code = (
        f"import sys; sys.path.insert(0, {str(bundle / 'function.zip')!r}); "
        "import lambda_handler.handler as h; import ndjctl.contracts as c; "
        "print(callable(h.handle), h.__file__, c.LAMBDA_HANDLER)"
    )
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("True ")
    assert "function.zip" in done.stdout
    assert done.stdout.strip().endswith("lambda_handler.handler.handle")


def _restarted(tool: Tool, tmp_path: Path, python: Path) -> Iterator[Tool]:
    """A cloud of its own whose jobs run on that interpreter."""
    own = Tool(tmp_path / "cloud", tool.home, tool.suffix)
    try:
        started = own("local", "start", NDJ_GLUE_PYTHON=str(python))
        assert started.code == 0, started.err
        yield own
    finally:
        own("local", "stop")


def _converts(tool: Tool, tmp_path: Path, python: Path) -> None:
    for own in _restarted(tool, tmp_path, python):
        dirty = tmp_path / "dirty.ndjson"
        dirty.write_bytes(
            b'{"id": 1, "geo": "x", "extra": {"a.b": [1.5, null]}}\n{"id": \n{"id": 9223372036854775808}\n'
        )
        result = own.run(DATA / "tweets.ndjson", DATA / "github_events.ndjson", dirty)
        assert (result["lines_in"], result["rows_out"], result["lines_quarantined"]) == (133, 132, 1)
        assert result["lost"] == 0


def test_the_job_runs_on_the_python_and_pyarrow_of_glue_4(tool: Tool, tmp_path: Path) -> None:
    python = environment(tmp_path / "venv", interpreter("3.10"), GLUE_4)
    lend_pyspark(python)
    _converts(tool, tmp_path, python)


@pytest.mark.slow
def test_the_job_runs_on_the_python_and_pyarrow_of_glue_6(tool: Tool, tmp_path: Path) -> None:
    python = environment(tmp_path / "venv", interpreter("3.13"), GLUE_6)
    lend_pyspark(python)
    _converts(tool, tmp_path, python)


@pytest.mark.slow
def test_the_job_runs_on_the_spark_of_glue_4(tool: Tool, tmp_path: Path) -> None:
    python = environment(tmp_path / "venv", interpreter("3.10"), [*GLUE_4, "pyspark==3.3.*"])
    _converts(tool, tmp_path, python)


def test_the_glue_bundle_imports_with_its_own_dependencies_alone(tmp_path: Path) -> None:
    python = environment(tmp_path / "venv", sys.executable, ["boto3", "pyarrow"])
    lend_pyspark(python)
    bundle = unpacked(tmp_path / "job", glue_bundle().files)
    code = (
        f"import sys; sys.path.insert(0, {str(bundle / 'glue_job.zip')!r}); "
        "import glue_job.main as m; import pkgutil, importlib, glue_job; "
        "[importlib.import_module('glue_job.' + x.name) for x in pkgutil.iter_modules(glue_job.__path__)]; "
        "print(m.__file__)"
    )
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "glue_job.zip" in done.stdout
