"""What the simulator changes in the modules that it runs: threads, which would race, and sizes that hide paths."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import glue_job.main  # all of the job's modules
from glue_job import ahead
from tests.simulator.actors import SerialPool

_UPLOAD_PART_BYTES = 1_500
_CLAIMS_PER_TRANSACTION = 2
_COPY_PART_BYTES = 4_000


@contextmanager
def simulated() -> Iterator[None]:
    """Within it no thread of the job's own runs, uploads have several parts, and a batch several transactions."""
    pools = [
        (module, "ThreadPoolExecutor", SerialPool)
        for name, module in sorted(sys.modules.items())
        if name.startswith("glue_job.") and hasattr(module, "ThreadPoolExecutor")
    ]
    sizes: list[tuple[Any, str, Any]] = [
        (sys.modules["glue_job.sink"], "UPLOAD_PART_BYTES", _UPLOAD_PART_BYTES),
        (sys.modules["lambda_handler.manifests"], "_CLAIMS_PER_TRANSACTION", _CLAIMS_PER_TRANSACTION),
        (sys.modules["lambda_handler.quarantine"], "_PART_BYTES", _COPY_PART_BYTES),
    ]
    # A part that fails is told on stderr, by whichever worker it fails on.
    quiet = [(sys.modules["glue_job.convert"], "Log", lambda **_: SimpleNamespace(error=lambda *_, **__: None))]
    changes = [patch.object(*change) for change in [*pools, *sizes, *quiet]]
    # What is read ahead depends on how long a reading takes, which is no two times the same.
    reading: Any = ahead.begun_ahead.__wrapped__  # type: ignore[attr-defined]
    defaults = reading.__defaults__
    try:
        for change in changes:
            change.start()
        reading.__defaults__ = (lambda: 0.0,)
        yield
    finally:
        reading.__defaults__ = defaults
        for change in reversed(changes):
            change.stop()


assert glue_job.main.main
