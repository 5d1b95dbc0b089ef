"""The parts of one manifest on S3: written until they are whole, and rid of everything else under their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from glue_job.args import Arguments
from glue_job.convert import PartResult, PartTask, convert_part
from glue_job.log import Log
from glue_job.pin import Pinned
from glue_job.plan import Part, plan_parts
from glue_job.sink import abort_uploads, delete_others
from ndjctl import __version__, contracts
from ndjctl.contracts import Manifest

_PART_ATTEMPTS = 3
"""Runs of a part that ends in an error, besides what Spark itself repeats when a worker is lost."""

RunParts = Callable[[Callable[[PartTask], PartResult], list[PartTask]], list[PartResult]]
"""Runs the function on every task, anywhere and in any order; results in the order of the tasks."""


class JobFailed(Exception):
    """The run failed; str() is one line that says why."""


class Output:
    """tasks, results: of every part, by number; empty before convert()."""

    def __init__(self, arguments: Arguments, manifest: Manifest, s3: Any, log: Log) -> None:
        self._arguments = arguments
        self._manifest = manifest
        self._s3 = s3
        self._log = log
        self._round = 0
        self.tasks: list[PartTask] = []
        self.results: list[PartResult] = []

    def convert(self, pinned: Pinned, left_out: frozenset[int], run_parts: RunParts) -> dict[int, str]:
        """Writes every part, without the files that are left out and without those that turn out not to be had: the
        reasons of the latter, by file index. A file that fails on the way has all its parts written again without it,
        so that no part keeps rows of it. Raises JobFailed for a part that keeps failing."""
        parts = plan_parts(self._manifest.files)
        self.tasks = [self._task(part, pinned, left_out) for part in parts]
        self.results = [PartResult(part.number) for part in parts]
        self._log.info("plan", parts=len(parts), size_bytes=self._manifest.size_bytes)
        unavailable: dict[int, str] = {}
        attempts = dict.fromkeys(range(len(parts)), 0)
        waiting = list(range(len(parts)))
        while waiting:
            self._abort_uploads()
            for number in waiting:
                self.tasks[number] = self._task(parts[number], pinned, left_out | frozenset(unavailable))
            results = run_parts(convert_part, [self.tasks[number] for number in waiting])
            lost: dict[int, str] = {}
            again: set[int] = set()
            for number, result in zip(waiting, results, strict=True):
                self.results[number] = result
                lost.update(result.unavailable)
                if result.error is not None:
                    again.add(number)
                    self._count_failure(attempts, result)
            for index, reason in lost.items():
                self._log.warning("file failed", file=self._manifest.files[index].uri, error=reason)
            unavailable.update(lost)
            again.update(part.number for part in parts if any(piece.file in lost for piece in part.slices))
            waiting = sorted(again)
            self._round += 1
        return unavailable

    def _count_failure(self, attempts: dict[int, int], result: PartResult) -> None:
        attempts[result.number] += 1
        count = attempts[result.number]
        self._log.warning("part failed", part=result.number, attempt=count, error=result.error)
        if count >= _PART_ATTEMPTS:
            raise JobFailed(f"part {result.number} failed {count} times, last: {result.error}")

    def _task(self, part: Part, pinned: Pinned, left_out: frozenset[int]) -> PartTask:
        manifest, arguments = self._manifest, self._arguments
        slices = part.without(left_out).slices
        return PartTask(
            number=part.number,
            slices=slices,
            files={piece.file: manifest.files[piece.file] for piece in slices},
            root=pinned.root,
            output_bucket=arguments.output_bucket,
            key=contracts.part_key(manifest.date, manifest.manifest_id, part.number),
            quarantine_bucket=arguments.quarantine_bucket,
            bad_lines_key=contracts.bad_lines_key(manifest.date, manifest.manifest_id, part.number),
            metadata={
                "manifest": manifest.manifest_id,
                "part": part.number,
                "dataset": arguments.dataset,
                "schema_version": pinned.version,
                "tool_version": __version__,
                # Which writing of the part this is: a late copy of an earlier one must not pass for it.
                "run_id": arguments.run_id,
                "round": self._round,
            },
        )

    def delete_strays(self) -> None:
        """Deletes what is there under the names of parts and bad lines but was not written by convert()."""
        parts = frozenset(task.key for task in self.tasks)
        bad_lines = frozenset(
            task.bad_lines_key for task, result in zip(self.tasks, self.results, strict=True) if result.bad_lines
        )
        for (bucket, prefix), keep in zip(self._prefixes(), (parts, bad_lines), strict=True):
            deleted = delete_others(self._s3, bucket, prefix, keep)
            if deleted:
                self._log.info("left-over objects deleted", bucket=bucket, keys=deleted[:10], count=len(deleted))

    def delete_all(self) -> None:
        """Leaves nothing of this manifest, whichever attempt wrote it; tasks and results are empty afterwards."""
        self.tasks, self.results = [], []
        self._abort_uploads()
        self.delete_strays()

    def _prefixes(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """(bucket, prefix) of the parts and of the bad lines."""
        manifest = self._manifest
        return (
            (self._arguments.output_bucket, contracts.part_prefix(manifest.date, manifest.manifest_id)),
            (self._arguments.quarantine_bucket, contracts.bad_lines_prefix(manifest.date, manifest.manifest_id)),
        )

    def _abort_uploads(self) -> None:
        for bucket, prefix in self._prefixes():
            aborted = abort_uploads(self._s3, bucket, prefix)
            if aborted:
                self._log.info("unfinished uploads aborted", bucket=bucket, count=aborted)
