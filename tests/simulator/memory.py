"""The function's memory: what the process has once it is imported with its clients, and what invocations add."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

_IMPORTED = """
import resource, sys
import lambda_handler.handler
from lambda_handler.services import make_client
clients = [make_client(name) for name in ("s3", "dynamodb", "glue")]
scale = 1 if sys.platform == "darwin" else 1024
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale)
"""


def imported_bytes() -> int:
    """Of a process of its own with the function and its three clients in it, before any event."""
    region = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    environment = {**os.environ, **region, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTED], env=environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


class Peak:
    """The most that the invocations looked at had allocated at once; the models' answers are part of it. every: one in
    so many is looked at, because that takes time."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._seen = 0
        self.peak_bytes = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        self._seen += 1
        if self._seen % self._every:
            yield
            return
        tracemalloc.start()
        try:
            yield
        finally:
            self.peak_bytes = max(self.peak_bytes, tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
