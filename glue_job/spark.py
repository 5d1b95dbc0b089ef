"""Spark, used for one thing: to run a function on every task somewhere. No data goes through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def run_parts(function: Callable[[T], R], tasks: Sequence[T]) -> list[R]:
    """function(task) for every task, one Spark task each; results in the order of the tasks. Tasks and results are
    pickled, and the function's module must be importable by the workers."""
    if not tasks:
        return []
    from pyspark import SparkContext

    context = SparkContext.getOrCreate()
    results: list[R] = context.parallelize(tasks, len(tasks)).map(function).collect()
    return results
