"""The parts of one manifest on S3: written until they are whole, made visible together, and everything else under their
names removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from glue_job.args import Arguments
from glue_job.convert import PartResult, PartTask, convert_part
from glue_job.limits import over_limit
from glue_job.log import Log
from glue_job.pin import Pinned
from glue_job.plan import Part
from glue_job.publish import discard, publish
from glue_job.s3_store import S3Store
from glue_job.sink import abort_uploads, delete_others
from glue_job.store import Published, Target
from ndjctl import __version__, contracts
from ndjctl.contracts import Manifest

_PART_ATTEMPTS = 3
"""Runs of a part that ends in an error, besides what Spark itself repeats when a worker is lost."""

RunParts = Callable[[Callable[[PartTask], PartResult], list[PartTask]], list[PartResult]]
"""Runs the function on every task, anywhere and in any order; results in the order of the tasks."""


class JobFailed(Exception):
    """The run failed; str() is one line that says why."""


class Output:
    """tasks, results, published: of every part, by number; empty before convert() and publish()."""

    def __init__(self, arguments: Arguments, manifest: Manifest, s3: Any, log: Log) -> None:
        self._arguments = arguments
        self._manifest = manifest
        self._s3 = s3
        self._log = log
        self._round = 0
        self._parts: Sequence[Part] = ()
        self._pinned = Pinned.nothing()
        self._codecs: dict[int, str] = {}
        self.tasks: list[PartTask] = []
        self.results: list[PartResult] = []
        self.published: list[list[Published]] = []

    def convert(
        self,
        parts: Sequence[Part],
        pinned: Pinned,
        codecs: dict[int, str],
        left_out: frozenset[int],
        run_parts: RunParts,
    ) -> dict[int, str]:
        """Writes every part, out of sight, without the files that are left out and without those that turn out not to
        be had or to be too bad: the reasons of the latter, by file index. A file that fails on the way has all its
        parts written again without it, so that no part keeps rows of it. Raises JobFailed for a part that keeps
        failing."""
        self._parts, self._pinned, self._codecs = parts, pinned, codecs
        self.tasks = [self._task(part, left_out) for part in parts]
        self.results = [PartResult(part.number) for part in parts]
        self._log.info("plan", parts=len(parts), size_bytes=self._manifest.size_bytes)
        unavailable: dict[int, str] = {}
        attempts = dict.fromkeys(range(len(parts)), 0)
        waiting = list(range(len(parts)))
        self._abort_uploads()
        while waiting:
            discard(S3Store(self._s3), [self.results[number] for number in waiting])
            for number in waiting:
                self.tasks[number] = self._task(parts[number], left_out | frozenset(unavailable))
            results = run_parts(convert_part, [self.tasks[number] for number in waiting])
            lost: dict[int, str] = {}
            again: set[int] = set()
            for number, result in zip(waiting, results, strict=True):
                self.results[number] = result
                lost.update(result.unavailable)
                if result.error is not None:
                    again.add(number)
                    self._count_failure(attempts, result)
            if not lost and not again:
                lost = over_limit(
                    self._manifest.files, self.results, self._arguments.max_bad_lines, self._arguments.max_bad_percent
                )
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

    def _task(self, part: Part, left_out: frozenset[int]) -> PartTask:
        manifest, arguments, number = self._manifest, self._arguments, part.number
        slices = part.without(left_out).slices
        indices = sorted({piece.file for piece in slices})
        return PartTask(
            number=number,
            slices=slices,
            files={index: manifest.files[index] for index in indices},
            codecs={index: self._codecs[index] for index in indices if index in self._codecs},
            root=self._pinned.root,
            target=Target(arguments.output_bucket, contracts.part_key(manifest.date, manifest.manifest_id, number)),
            bad_lines_target=Target(
                arguments.quarantine_bucket, contracts.bad_lines_key(manifest.date, manifest.manifest_id, number)
            ),
            metadata={
                "manifest": manifest.manifest_id,
                "part": number,
                "dataset": arguments.dataset,
                "schema_version": self._pinned.version,
                "tool_version": __version__,
                # Which writing of the part this is: an earlier one must not pass for it.
                "run_id": arguments.run_id,
                "round": self._round,
            },
            max_line_bytes=arguments.max_line_bytes,
            max_bad_lines=arguments.max_bad_lines,
        )

    def publish(self) -> None:
        """Makes the parts and the bad lines beside them visible, and removes what is there under their names but was
        not written by convert()."""
        self.published = publish(S3Store(self._s3), self.results)
        self._delete_strays()
        self._abort_uploads()

    def _delete_strays(self) -> None:
        keys = frozenset(found.target for part in self.published for found in part)
        for bucket, prefix in self._prefixes():
            keep = frozenset(target.key for target in keys if target.bucket == bucket)
            deleted = delete_others(self._s3, bucket, prefix, keep)
            if deleted:
                self._log.info("left-over objects deleted", bucket=bucket, keys=deleted[:10], count=len(deleted))

    def discard(self) -> None:
        """Drops what is written and not visible, and nothing else."""
        discard(S3Store(self._s3), self.results)

    def delete_all(self) -> None:
        """Leaves nothing of this manifest, whichever attempt wrote it; tasks and results are empty afterwards."""
        self.tasks, self.results, self.published = [], [], []
        self._abort_uploads()
        self._delete_strays()

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
