"""python -m bench.worker JOB.json: one engine, one job, in a process that does nothing else."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from bench.engines import BY_NAME, Job

ERROR_CHARACTERS = 400


def main(path: Path) -> int:
    """Writes `result` of the job's file: {"error": one line or null, "seconds": ...}. Exit code 1 for an error."""
    spec = json.loads(path.read_text(encoding="utf-8"))
    if spec["cpus"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, spec["cpus"])  # before any thread or child is there
    engine = BY_NAME[spec["engine"]]
    job = Job(
        files=tuple(Path(file) for file in spec["files"]),
        folder=Path(spec["folder"]),
        schema=spec["schema"],
        infers=engine.infers,
        is_lenient=spec["is_lenient"],
        cores=spec["cores"],
        output_dir=Path(spec["output_dir"]),
        scratch_dir=Path(spec["scratch_dir"]),
    )
    error = None
    began = time.perf_counter()
    try:
        engine.convert()(job)
    except Exception as raised:
        # The first line: Spark's go on with a stack of the JVM.
        words = next((line.strip() for line in str(raised).splitlines() if line.strip()), "")
        error = f"{type(raised).__name__}: {words}"[:ERROR_CHARACTERS]
    result = {"error": error, "seconds": time.perf_counter() - began}
    Path(spec["result"]).write_text(json.dumps(result), encoding="utf-8")
    return 0 if error is None else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
