"""The function's memory and CPU time, as far as they can be told in one process with the models."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

_IMPORTED = """
import resource, sys
import lambda_handler.handler
from lambda_handler.services import make_client
clients = [make_client(name) for name in ("s3", "dynamodb", "glue", "cloudwatch")]
scale = 1 if sys.platform == "darwin" else 1024
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale)
"""


def imported_bytes() -> int:
    """Of a process of its own with the function and its three clients in it, before any event. To be asked for before
    there is a large model: a child's peak begins with its parent's size."""
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


class Cpu:
    """CPU time of the function's own code, without the models'. One invocation in `every` is measured, because to ask
    for the time takes longer than most calls; the others are taken to need as much for a call as those on average."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._seen = 0
        self._is_measured = False
        self._began_s = self._models_s = self._sum_s = 0.0
        self._calls = 0

    def begin(self) -> None:
        self._is_measured = self._seen % self._every == 0
        self._seen += 1
        if self._is_measured:
            self._models_s, self._began_s = 0.0, time.thread_time()

    def end(self, calls: int) -> float:
        """Seconds of the invocation, which made so many calls."""
        if self._is_measured:
            self._sum_s += time.thread_time() - self._began_s - self._models_s
            self._calls += calls
        return calls * self._sum_s / max(self._calls, 1)

    @contextmanager
    def in_model(self) -> Iterator[None]:
        if not self._is_measured:
            yield
            return
        began_s = time.thread_time()
        try:
            yield
        finally:
            self._models_s += time.thread_time() - began_s
