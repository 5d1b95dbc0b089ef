"""The parts of one manifest on S3: written until they are whole, made visible together, and everything else under their
names removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from glue_job.args import Arguments
from glue_job.convert import PartResult, PartTask, convert_part
from glue_job.log import Log
from glue_job.pin import Pinned
from glue_job.plan import Part
from glue_job.publish import discard, publish
from glue_job.rounds import Limits, PartFailed, Rounds, Watcher, Work
from glue_job.s3_store import S3Store
from glue_job.sink import abort_uploads, delete_others
from glue_job.store import Published, Target
from ndjctl import __version__, contracts
from ndjctl.contracts import Manifest

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
        self._work = Work()
        self.published: list[list[Published]] = []

    @property
    def tasks(self) -> list[PartTask]:
        return self._work.tasks

    @property
    def results(self) -> list[PartResult]:
        return self._work.results

    def convert(
        self,
        parts: Sequence[Part],
        pinned: Pinned,
        codecs: dict[int, str],
        left_out: Mapping[int, str],
        run_parts: RunParts,
    ) -> Mapping[int, str]:
        """Writes every part, out of sight, without the files that are left out and without those that turn out not to
        be had or to be too bad: the reasons of all of them, by file index. Raises JobFailed for a part that keeps
        failing."""
        arguments = self._arguments
        self._log.info("plan", parts=len(parts), size_bytes=self._manifest.size_bytes)
        self._abort_uploads()
        rounds = Rounds(
            self._manifest.files,
            parts,
            left_out,
            lambda part, round_number: self._task(part, round_number, pinned, codecs),
            lambda tasks: run_parts(convert_part, tasks),
            S3Store(self._s3),
            Limits(arguments.max_bad_lines, arguments.max_bad_percent),
            _Logged(self._log, self._manifest),
        )
        self._work = rounds.work
        try:
            return rounds.write().unavailable
        except PartFailed as failed:
            raise JobFailed(str(failed)) from failed

    def _task(self, part: Part, round_number: int, pinned: Pinned, codecs: Mapping[int, str]) -> PartTask:
        manifest, arguments, number = self._manifest, self._arguments, part.number
        indices = sorted({piece.file for piece in part.slices})
        return PartTask(
            number=number,
            slices=part.slices,
            files={index: manifest.files[index] for index in indices},
            codecs={index: codecs[index] for index in indices if index in codecs},
            root=pinned.root,
            target=Target(arguments.output_bucket, contracts.part_key(manifest.date, manifest.manifest_id, number)),
            bad_lines_target=Target(
                arguments.quarantine_bucket, contracts.bad_lines_key(manifest.date, manifest.manifest_id, number)
            ),
            metadata={
                "manifest": manifest.manifest_id,
                "part": number,
                "dataset": arguments.dataset,
                "schema_version": pinned.version,
                "tool_version": __version__,
                # Which writing of the part this is: an earlier one must not pass for it.
                "run_id": arguments.run_id,
                "round": round_number,
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
        self._work, self.published = Work(), []
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


class _Logged(Watcher):
    def __init__(self, log: Log, manifest: Manifest) -> None:
        self._log = log
        self._manifest = manifest

    def part_failed(self, number: int, attempt: int, error: str) -> None:
        self._log.warning("part failed", part=number, attempt=attempt, error=error)

    def file_failed(self, index: int, reason: str) -> None:
        self._log.warning("file failed", file=self._manifest.files[index].uri, error=reason)
