"""Spark, used for one thing: to run a function on every task somewhere. No data goes through it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from glue_job.log import Log
from glue_job.memory import VARIABLES

T = TypeVar("T")
R = TypeVar("R")


def _context() -> Any:
    from pyspark import SparkConf, SparkContext

    settings = SparkConf()
    for name, value in VARIABLES.items():
        settings.setExecutorEnv(name, value)  # which the Python workers get, too
    context = SparkContext.getOrCreate(settings)
    _begin_metrics(context)
    return context


@cache
def _begin_metrics(context: Any) -> bool:
    """Makes a GlueContext, once a context, and tells whether there is one. Glue writes the metrics of a job
    (--enable-metrics) only for a script that makes one (Glue developer guide, "Job monitoring and debugging"). Where
    its package is not, as on a laptop, nothing is done. Metrics are no reason for a run to fail."""
    try:
        from awsglue.context import GlueContext
    except ImportError:
        return False
    try:
        GlueContext(context)
    except Exception as error:
        Log().warning("no job metrics", error=f"{type(error).__name__}: {error}"[:500])
        return False
    return True


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
