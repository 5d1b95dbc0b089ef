"""The same seed is the same bytes on every Python of this machine, whatever its hashes are seeded with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.generate_world import OWN_SCHEMA

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = tuple(f"3.{minor}" for minor in range(10, 20))

PROGRAM = f"""
import json, sys
from fractions import Fraction
from ndjctl.generate.content import Generator
from ndjctl.generate.recipe import Amount, Recipe
own = json.loads({json.dumps(json.dumps(OWN_SCHEMA))})
found = {{}}
for shape in ("events", "flat", "wide", "tweets", "schema"):
    amount = Amount(share=Fraction(1, 100))
    schema = own if shape == "schema" else None
    recipe = Recipe(shape, 42, "2026-11-23", size_bytes=500_000, bad=amount, drift=amount, schema=schema)
    content = Generator(recipe).content(5)
    for _ in content:
        pass
    found[shape] = content.facts.to_dict()
print(json.dumps([sys.version_info[:2], found]))
"""


def _facts(python: str) -> tuple[tuple[int, int], dict[str, object]] | None:
    """None where this is no Python that runs."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(Path.home()), "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"}
    done = subprocess.run([python, "-c", PROGRAM], env=environment, capture_output=True, text=True, cwd="/")
    if done.returncode and "Traceback" not in done.stderr:
        return None
    assert done.returncode == 0, done.stderr
    version, found = json.loads(done.stdout)
    return tuple(version), found


def _interpreters() -> list[str]:
    found = [shutil.which(f"python{version}") for version in VERSIONS]
    found += [str(path) for version in VERSIONS for path in Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    return [path for path in found if path]


def test_every_python_makes_the_same_bytes() -> None:
    mine = _facts(sys.executable)
    assert mine is not None
    versions = {mine[0]}
    for python in _interpreters():
        other = _facts(python)
        if other is not None and other[0] not in versions:
            assert other[1] == mine[1], python
            versions.add(other[0])
    if len(versions) == 1:
        pytest.skip("this machine has no other Python")


def test_the_modules_that_make_bytes_are_python_3_10() -> None:
    import ast

    for path in (ROOT / "ndjctl/generate").glob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 10))
