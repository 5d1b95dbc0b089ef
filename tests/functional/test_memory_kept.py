"""That memory is kept in the processes that convert, and in no way that could be forgotten."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from glue_job.memory import VARIABLES, keep_memory

ROOT = Path(__file__).resolve().parents[2]

FAULTS = """
import resource, sys
if sys.argv[1] == "kept":
    from glue_job.memory import keep_memory
    keep_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for number in range(60):
    if number == 10:
        before = faults()
    block = bytes(8 * 1024 * 1024) + b"x"
    del block
print(faults() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_blocks_of_a_chunk_s_size_are_used_again() -> None:
    found = {}
    for way in ("kept", "given back"):
        ended = subprocess.run(
            [sys.executable, "-c", FAULTS, way], capture_output=True, text=True, timeout=60, cwd=ROOT, check=True
        )
        found[way] = int(ended.stdout)
    assert found["kept"] < found["given back"] / 10


def test_what_the_environment_says_stays() -> None:
    environ = {"MIMALLOC_PURGE_DELAY": "5"}
    keep_memory(environ)
    assert environ == VARIABLES | {"MIMALLOC_PURGE_DELAY": "5"}


def test_pyarrow_is_not_there_before_it() -> None:
    """mimalloc reads its setting when pyarrow is loaded."""
    script = (
        "import sys, ndjctl.cli.main, glue_job.memory, glue_job.spark\n"
        "assert not [name for name in sys.modules if name.startswith('pyarrow')]"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60, cwd=ROOT)
