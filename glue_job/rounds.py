"""All parts of a plan, each written again until it is whole and holds no row of a file that failed. Out of sight:
nothing here makes anything visible."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from glue_job.convert import PartResult, PartTask
from glue_job.limits import over_limit
from glue_job.plan import Part
from glue_job.publish import discard
from glue_job.store import InputFile, Store

ATTEMPTS = 3
"""Runs of one part that may end in an error, besides what Spark itself repeats when a worker is lost."""


class PartFailed(Exception):
    """A part failed as often as it may; str() is one line with the last error."""


@dataclass(frozen=True)
class Limits:
    """Bad lines that a file may have, as a count and in percent of its lines; None is no limit."""

    max_bad_lines: int | None = None
    max_bad_percent: float | None = None


@dataclass
class Work:
    """What was converted and is not visible yet, of every part, by number. unavailable: why files are no part of it, by
    file index."""

    tasks: list[PartTask] = field(default_factory=list)
    results: list[PartResult] = field(default_factory=list)
    unavailable: dict[int, str] = field(default_factory=dict)


class Watcher:
    """Is told what goes wrong on the way; as it is, says nothing of it."""

    def part_failed(self, number: int, attempt: int, error: str) -> None:
        """attempt: how many of that part's have failed."""

    def file_failed(self, index: int, reason: str) -> None: ...


class Rounds:
    """work: so far, so that it can be discarded whatever happens."""

    def __init__(
        self,
        files: Sequence[InputFile],
        parts: Sequence[Part],
        unavailable: Mapping[int, str],
        make_task: Callable[[Part, int], PartTask],
        run: Callable[[list[PartTask]], list[PartResult]],
        store: Store,
        limits: Limits,
        watcher: Watcher | None = None,
    ) -> None:
        """unavailable: files that are left out from the beginning. make_task: of what is left of a part, and the number
        of the round. run: all the tasks, anywhere and in any order; results in the order of the tasks."""
        self._files = files
        self._parts = parts
        self._make_task = make_task
        self._run = run
        self._store = store
        self._limits = limits
        self._watcher = watcher or Watcher()
        self._failures = [0] * len(parts)
        self.work = Work(results=[PartResult(part.number) for part in parts], unavailable=dict(unavailable))

    def write(self) -> Work:
        """Raises PartFailed, and what `run` raises."""
        work, round_number = self.work, 0
        work.tasks = [self._task(part, round_number) for part in self._parts]
        waiting = list(range(len(self._parts)))
        while waiting:
            discard(self._store, [work.results[number] for number in waiting])
            for number in waiting:
                work.tasks[number] = self._task(self._parts[number], round_number)
            done = self._run([work.tasks[number] for number in waiting])
            for number, result in zip(waiting, done, strict=True):
                work.results[number] = result
            waiting = self._again(done)
            round_number += 1
        return work

    def _task(self, part: Part, round_number: int) -> PartTask:
        return self._make_task(part.without(frozenset(self.work.unavailable)), round_number)

    def _again(self, done: Sequence[PartResult]) -> list[int]:
        """Takes out the files that failed; the parts to be written again: those that failed or hold rows of them."""
        work = self.work
        again = {result.number for result in done if result.error is not None}
        lost = {index: reason for result in done for index, reason in result.unavailable.items()}
        if not lost and not again:  # all lines are counted
            lost = over_limit(self._files, work.results, self._limits.max_bad_lines, self._limits.max_bad_percent)
        for index, reason in lost.items():
            self._watcher.file_failed(index, reason)
        for result in done:
            self._count_failure(result)
        for number, task in enumerate(work.tasks):
            if any(piece.file in lost for piece in task.slices):
                again.add(number)
        work.unavailable.update(lost)
        return sorted(again)

    def _count_failure(self, result: PartResult) -> None:
        if result.error is None:
            return
        self._failures[result.number] += 1
        count = self._failures[result.number]
        self._watcher.part_failed(result.number, count, result.error)
        if count >= ATTEMPTS:
            raise PartFailed(f"part {result.number} failed {count} times, last: {result.error}")
