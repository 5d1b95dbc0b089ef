"""The use case of `ndjctl convert`: sample, convert, count, verify, and only then show."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from glue_job import schema
from glue_job.conform import Drift
from glue_job.convert import PartResult
from glue_job.infer import Observer, with_new_fields
from glue_job.report import describe_drift
from glue_job.rounds import Work
from glue_job.sample import Sample
from glue_job.schema import Struct
from glue_job.store import InputFile, Published, Written
from glue_job.tally import BadTally
from glue_job.verify import VerificationFailed, verify_files, verify_parts
from ndjctl.contracts import iso_utc
from ndjctl.convert.folder import OutputFolder
from ndjctl.convert.names import NEXT_SCHEMA_FILE, REPORT_FILE, SCHEMA_FILE
from ndjctl.convert.report import Outcome, file_outcomes, part_outcomes, report_document
from ndjctl.convert.settings import Reporter, Settings
from ndjctl.convert.stores import HeldStore
from ndjctl.errors import UsageError, WorkFailed
from ndjctl.paths import shown


class Source(Protocol):
    """Where the lines come from: files, or standard input."""

    @property
    def files(self) -> Mapping[int, InputFile]: ...

    def sample(self) -> Sample: ...

    def convert(self, root: Struct, sample: Sample) -> Work: ...

    def line_number(self, uri: str, codec: str | None, byte_offset: int) -> int | None: ...


class Conversion:
    """folder: where output goes; None, or one that is not touched, for a dry run. clock: seconds, monotonic. now: UTC.
    output_files: what run() made visible, relative to the folder."""

    def __init__(
        self,
        source: Source,
        settings: Settings,
        folder: OutputFolder | None,
        reporter: Reporter,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._source = source
        self._settings = settings
        self._folder = folder
        self._reporter = reporter
        self._clock = clock
        self._now = now
        self._timings: dict[str, float] = {}
        self.output_files: list[str] = []

    def run(self) -> Outcome:
        """Raises UsageError for a folder that cannot be used and WorkFailed where nothing could be done; what fails for
        a single file is in the outcome."""
        if self._settings.is_dry or self._folder is None:
            if self._folder is not None:
                self._folder.check()
            return self._run()
        try:
            with self._folder.held():
                return self._run()
        except OSError as error:
            raise _told(error, self._folder.path) from error

    def _run(self) -> Outcome:
        started_at = iso_utc(self._now())
        settings = self._settings
        with self._timed("sample"):
            sample = self._source.sample()
        root = self._root(sample)
        refused = None
        work = Work(unavailable=dict(sample.unavailable))
        if settings.on_drift == "fail" and sample.drift.total and not settings.is_dry:
            refused = _refusal(sample.drift)
        else:
            with self._timed("convert"):
                work = self._source.convert(root, sample)
        drift, unknown, bad = _merged(work.results)
        if settings.on_drift == "fail" and drift.total:
            refused = _refusal(drift)
        if refused is None and work.tasks:
            with self._timed("verify"):
                self._verify(work)
        if settings.is_dry:
            self._number(bad, sample)
        is_nothing = len(work.unavailable) == len(self._source.files)
        if is_nothing or (refused is not None and not settings.is_dry):
            reasons = dict.fromkeys(self._source.files, refused or "")
            work = Work(unavailable=reasons | work.unavailable)
        outcome = Outcome(
            is_dry=settings.is_dry,
            on_drift=settings.on_drift,
            files=file_outcomes(self._source.files, work.unavailable, work.results),
            parts=part_outcomes(work.tasks, work.results),
            root=root,
            next_root=self._next_root(root, unknown),
            drift=drift,
            sample_drift=sample.drift,
            bad=bad,
            refused=refused,
            started_at=started_at,
            completed_at=iso_utc(self._now()),
            timings=self._timings,
            processes=settings.processes,
        )
        if outcome.is_published and self._folder is not None:
            self._publish(self._folder, outcome, work)
        return outcome

    # ------------------------------------------------------------------------------------------------ steps

    def _root(self, sample: Sample) -> Struct:
        """The schema to write with."""
        declared = self._settings.declared
        if declared is None:
            return sample.observer.schema()
        return with_new_fields(declared, sample.observer) if self._settings.on_drift == "add" else declared

    def _next_root(self, root: Struct, unknown: Observer) -> Struct | None:
        if self._settings.on_drift != "add" or not unknown.records:
            return None
        following = with_new_fields(root, unknown)
        return None if following == root else following

    def _number(self, bad: BadTally, sample: Sample) -> None:
        """Finds the line numbers of the examples that whoever read them in the middle of a file could not know."""
        indices = {file.uri: index for index, file in self._source.files.items()}
        for reason, example in bad.first.items():
            if example.line_number is None:
                codec = sample.codecs.get(indices[example.source])
                number = self._source.line_number(example.source, codec, example.byte_offset)
                bad.first[reason] = example._replace(line_number=number)

    def _verify(self, work: Work) -> None:
        present = {index: file for index, file in self._source.files.items() if index not in work.unavailable}
        try:
            verify_files(present, work.results)
            if not self._settings.is_dry:
                published = [[_unseen(written) for written in _written(result)] for result in work.results]
                held = {written.target: written.hold for result in work.results for written in _written(result)}
                verify_parts(HeldStore(held), work.tasks, work.results, published)
        except VerificationFailed as error:
            raise WorkFailed(f"{error}; nothing was made visible.") from error

    def _publish(self, folder: OutputFolder, outcome: Outcome, work: Work) -> None:
        self._reporter.phase("publish")
        schemas = {SCHEMA_FILE: outcome.root, NEXT_SCHEMA_FILE: outcome.next_root}
        whole = [written for result in work.results for written in _written(result)]
        whole += [
            folder.write(name, _json(schema.document(root, {}))) for name, root in schemas.items() if root is not None
        ]
        names = sorted(f"{w.target.bucket}/{w.target.key}".lstrip("/") for w in whole)
        self.output_files = [*names, REPORT_FILE]
        report = report_document(outcome, self.output_files)
        folder.commit([*whole, folder.write(REPORT_FILE, _json(report))])

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        began = self._clock()
        try:
            yield
        finally:
            self._timings[step] = self._timings.get(step, 0.0) + self._clock() - began


def _merged(results: Sequence[PartResult]) -> tuple[Drift, Observer, BadTally]:
    drift, unknown, bad = Drift(), Observer(), BadTally()
    for result in results:
        drift.merge(result.drift)
        unknown.merge(result.unknown)
        bad.merge(result.bad)
    return drift, unknown, bad


def _refusal(drift: Drift) -> str:
    places = len({place.pointer for place in drift.counts})
    return (
        f"schema drift: {places} {'place does' if places == 1 else 'places do'} not fit the schema: "
        f"{describe_drift(drift)}"
    )


def _written(result: PartResult) -> list[Written]:
    return [written for written in (result.bad_lines_written, result.written) if written is not None]


def _unseen(written: Written) -> Published:
    return Published(written.target, written.size_bytes, "")


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def _told(error: OSError, folder: Path) -> Exception:
    """The sentence for what the system refused to write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return WorkFailed(
            f"The disk of {shown(folder)} is full: free some space and run the command again; nothing of this run was "
            f"made visible."
        )
    where = shown(os.fsdecode(error.filename)) if error.filename else shown(folder)
    if error.errno in (
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EEXIST,
        errno.ENAMETOOLONG,
    ):
        return UsageError(f"{where} cannot be written: {error.strerror}.")
    return WorkFailed(f"{where} cannot be written: {error.strerror or error}.")
