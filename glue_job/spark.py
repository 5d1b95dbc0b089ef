"""Spark, used for one thing: to run a function on every task somewhere. No data goes through it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from glue_job.memory import VARIABLES

T = TypeVar("T")
R = TypeVar("R")


def _context() -> Any:
    from pyspark import SparkConf, SparkContext

    settings = SparkConf()
    for name, value in VARIABLES.items():
        settings.setExecutorEnv(name, value)  # which the Python workers get, too
    return SparkContext.getOrCreate(settings)


_LOCAL = re.compile(r"local(?:\[(\d+|\*).*\])?")


def task_slots(stated: int | None) -> int:
    """Tasks that run at once. stated: what the job's argument says, which a local master knows better."""
    context = _context()
    local = _LOCAL.fullmatch(str(context.master))
    if local:
        threads = local.group(1) or "1"
        return (os.cpu_count() or 1) if threads == "*" else int(threads)
    return stated or int(context.defaultParallelism)


def run_parts(function: Callable[[T], R], tasks: Sequence[T]) -> list[R]:
    """function(task) for every task, one Spark task each; results in the order of the tasks. Tasks and results are
    pickled, and the function's module must be importable by the workers."""
    if not tasks:
        return []
    context = _context()
    results: list[R] = context.parallelize(tasks, len(tasks)).map(function).collect()
    return results
