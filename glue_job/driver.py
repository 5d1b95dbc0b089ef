"""One run of the job: from a manifest to a closed manifest."""

from __future__ import annotations

import platform
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from glue_job import metrics
from glue_job.args import Arguments
from glue_job.clients import error_code
from glue_job.conform import Drift
from glue_job.estimate import parquet_share
from glue_job.infer import Observer
from glue_job.ledger import Ledger, LedgerError, Outcome, glue_run_has_ended
from glue_job.log import Log
from glue_job.output import JobFailed, Output, RunParts
from glue_job.pin import Pinned, SchemaStore
from glue_job.plan import Extent, Part, count_parts, plan_parts
from glue_job.replace import Replaced, Replacer
from glue_job.report import RunFacts, build_report, describe_drift, file_results
from glue_job.rewrite_lock import RewriteLocks
from glue_job.s3_store import S3Store
from glue_job.sample import Sample, take_sample
from glue_job.verify import verify_files, verify_parts
from ndjctl import __version__, contracts
from ndjctl.contracts import COMPLETED, FAILED, FormatError, Manifest, ManifestFile, iso_utc, split_s3_uri

_SAFE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,127}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass
class Services:
    """What the run reaches the world by. glue: called for the client only when another run has to be looked up.
    task_slots: how many tasks run at once, given what the job's arguments say."""

    s3: Any
    dynamodb: Any
    glue: Callable[[], Any]
    run_parts: RunParts
    task_slots: Callable[[int | None], int]
    clock: Callable[[], datetime]
    log: Log
    sleep: Callable[[float], None] = time.sleep


@dataclass
class _Work:
    """What a run knows of its input. refused, unavailable: reasons by file index. next_schema_version: pinned at the
    end for what was met only then. drift_refused: why nothing is to be shown, or None."""

    pinned: Pinned
    refused: dict[int, str]
    unavailable: dict[int, str]
    sample: Sample
    parts: Sequence[Part]
    previous_schema_version: int
    next_schema_version: int | None = None
    drift_refused: str | None = None
    replaced: list[Replaced] = field(default_factory=list)

    def left_out(self) -> dict[int, str]:
        return self.unavailable | self.refused


class Job:
    """run() does the work of one manifest for one Glue run."""

    def __init__(self, arguments: Arguments, services: Services) -> None:
        self._arguments = arguments
        self._services = services
        self._s3 = services.s3
        self._log = services.log
        self._timings: dict[str, float] = {}
        self._started_at = iso_utc(services.clock())
        self._manifest = self._read_manifest()
        self._schemas = SchemaStore(self._s3, arguments.manifest_bucket, arguments.dataset, services.clock)
        self._ledger = Ledger(
            services.dynamodb, arguments.tracking_table, self._manifest, arguments.run_id, services.clock
        )

    def run(self) -> None:
        """Raises JobFailed or any error of the parts below; the files then stay `processing` for the next attempt."""
        outcome = self._ledger.take(self._has_ended)
        self._log.info("manifest", outcome=outcome.value, files=len(self._manifest.files))
        if outcome is not Outcome.TAKEN:
            return
        with self._timed("claim"):
            refused = self._ledger.claim_files()
        output = Output(self._arguments, self._manifest, self._services.s3, self._log)
        try:
            work = self._prepare(refused)
            if work.drift_refused is None:
                self._write(work, output)
        except Exception:
            self._withdraw(output)
            raise
        if work.drift_refused is not None:
            work.unavailable.update(dict.fromkeys(self._present(work), work.drift_refused))
            output.delete_all()
            self._finish(work, output)
            raise JobFailed(f"{work.drift_refused}; no output was made visible (--ON_DRIFT fail)")
        self._finish(work, output)

    # ------------------------------------------------------------------------------------------------ steps

    def _read_manifest(self) -> Manifest:
        path = self._arguments.manifest_path
        bucket, key = split_s3_uri(path)
        try:
            body = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            raise JobFailed(f"manifest {path} cannot be read: {error_code(error)}") from error
        try:
            manifest = Manifest.from_json(body, path)
        except FormatError as error:
            raise JobFailed(str(error)) from error
        # Both become parts of keys.
        if not _SAFE_ID.fullmatch(manifest.manifest_id) or not _DATE.fullmatch(manifest.date):
            raise JobFailed(f"{path} is no manifest: its id {manifest.manifest_id!r} or date {manifest.date!r}")
        if len({file.uri for file in manifest.files}) != len(manifest.files):
            raise JobFailed(f"{path} names a file twice")
        self._log.common["manifest_id"] = manifest.manifest_id
        return manifest

    def _has_ended(self, run_id: str) -> bool:
        has_ended = glue_run_has_ended(self._services.glue(), self._arguments.job_name, run_id)
        self._log.info("holder", holder=run_id, has_ended=has_ended)
        return has_ended

    def _prepare(self, refused: dict[int, str]) -> _Work:
        """Looks at the beginning of every file and settles the schema to write with."""
        with self._timed("sample"):
            pinned = self._schemas.latest()
            files = {index: file for index, file in enumerate(self._manifest.files) if index not in refused}
            sample = take_sample(S3Store(self._s3), files, pinned.root if pinned.version else None)
        work = _Work(pinned, refused, sample.unavailable, sample, (), previous_schema_version=pinned.version)
        self._log.info(
            "sample",
            records=sample.observer.records,
            rescued_values=sample.drift.total,
            unavailable=len(sample.unavailable),
            refused=len(refused),
        )
        with self._timed("schema"):
            if pinned.version == 0 or self._arguments.on_drift == "add":
                may_add = self._arguments.on_drift == "add"
                work.pinned = self._schemas.extend(sample.observer, self._manifest.manifest_id, may_add)
            elif self._arguments.on_drift == "fail" and sample.drift.total:
                work.drift_refused = self._refusal(work, sample.drift)
        self._log.info("schema", dataset=self._arguments.dataset, version=work.pinned.version, was=pinned.version)
        if work.drift_refused is None:
            with self._timed("spark"):  # it is started here
                slots = self._services.task_slots(self._arguments.task_slots)
            with self._timed("plan"):
                work.parts = self._plan(work, slots)
        return work

    def _plan(self, work: _Work, slots: int) -> tuple[Part, ...]:
        """The parts of the manifest, as many as an earlier attempt decided. slots: tasks that run at once."""
        sample = work.sample
        extents = [
            sample.extents.get(index, Extent(file.size_bytes)) for index, file in enumerate(self._manifest.files)
        ]
        share = parquet_share(sample.trial, work.pinned.root)
        text_bytes = sum(extent.size_bytes for extent in extents)
        count = self._ledger.pin_parts(count_parts(text_bytes, share, slots, self._arguments.part_bytes))
        self._log.info("parts", count=count, slots=slots, text_bytes=text_bytes, parquet_share=round(share, 4))
        return plan_parts(extents, count)

    def _refusal(self, work: _Work, drift: Drift) -> str:
        places = len({place.pointer for place in drift.counts})
        return (
            f"schema drift: {places} {'place does' if places == 1 else 'places do'} not fit schema "
            f"{self._arguments.dataset} version {work.pinned.version}: {describe_drift(drift)}"
        )

    def _present(self, work: _Work) -> dict[int, ManifestFile]:
        left_out = work.left_out()
        return {index: file for index, file in enumerate(self._manifest.files) if index not in left_out}

    def _write(self, work: _Work, output: Output) -> None:
        with self._timed("convert"):
            left_out = output.convert(
                work.parts, work.pinned, work.sample.codecs, work.left_out(), self._services.run_parts
            )
            work.unavailable.update({index: left_out[index] for index in left_out.keys() - work.refused.keys()})
        drift, unknown = Drift(), Observer()
        for result in output.results:
            drift.merge(result.drift)
            unknown.merge(result.unknown)
        if self._arguments.on_drift == "fail" and drift.total:
            work.drift_refused = self._refusal(work, drift)
            return
        with self._timed("verify"):
            verify_files(self._present(work), output.results)
        with self._timed("publish"):
            if not self._ledger.is_holder():
                raise LedgerError(f"manifest {self._manifest.manifest_id} was taken from this run")
            output.publish()
        with self._timed("verify"):
            verify_parts(S3Store(self._s3), output.tasks, output.results, output.published)
        self._replace(work)
        if self._arguments.on_drift == "add" and unknown.records:
            with self._timed("schema"):
                following = self._schemas.extend(unknown, self._manifest.manifest_id, may_add=True)
            if following.version > work.pinned.version:
                work.next_schema_version = following.version
                self._log.info("next schema", dataset=self._arguments.dataset, version=following.version)

    def _replace(self, work: _Work) -> None:
        """Takes the older rows of files out of sight that are converted again. After the newer ones are there: the
        other way round, a death in between would leave neither."""
        files = [file for file in self._present(work).values() if file.replaces]
        if not files:
            return
        arguments, services = self._arguments, self._services
        locks = RewriteLocks(
            services.dynamodb,
            arguments.tracking_table,
            arguments.run_id,
            self._has_ended,
            services.clock,
            services.sleep,
            self._log,
        )
        with self._timed("replace"):
            buckets = (arguments.output_bucket, arguments.quarantine_bucket)
            work.replaced = Replacer(
                self._s3,
                S3Store(self._s3),
                self._manifest,
                arguments.run_id,
                buckets,
                locks,
                self._ledger.is_holder,
                self._log,
            ).replace(files)

    def _withdraw(self, output: Output) -> None:
        """Takes back what a failed attempt wrote, as far as that is possible: output is visible when its files are
        completed, not before. The next attempt does the same before it writes."""
        output.discard()
        try:
            if self._ledger.is_holder():
                output.delete_all()
        except Exception as error:
            self._log.warning("output of the failed attempt not removed", error=f"{type(error).__name__}: {error}")

    # ------------------------------------------------------------------------------------------------ the end

    def _finish(self, work: _Work, output: Output) -> None:
        """Report, files, manifest, in this order: an attempt that dies in between is done again, or, once all its files
        are settled, closed by the sweep. That cannot write the report, which is all that tells of the files when the
        ledger has forgotten them."""
        results = output.results
        files = file_results(self._manifest, work.unavailable, work.refused, results)
        facts = RunFacts(
            manifest_path=self._arguments.manifest_path,
            job_name=self._arguments.job_name,
            run_id=self._arguments.run_id,
            dataset=self._arguments.dataset,
            schema_version=work.pinned.version,
            previous_schema_version=work.previous_schema_version,
            next_schema_version=work.next_schema_version,
            on_drift=self._arguments.on_drift,
            started_at=self._started_at,
            completed_at=iso_utc(self._services.clock()),
            timings=self._timings,
            versions=_versions(),
            error=work.drift_refused,
            sample_drift=work.sample.drift,
            replaced=work.replaced,
        )
        self._s3.put_object(
            Bucket=self._arguments.manifest_bucket,
            Key=contracts.report_key(self._manifest.date, self._manifest.manifest_id),
            Body=build_report(self._manifest, facts, files, output.tasks, results, output.published),
            ContentType="application/json",
        )
        with self._timed("ledger"):
            pairs = list(zip(self._manifest.files, files, strict=True))
            self._ledger.settle(
                [(entry, file.lines, file.rows, file.bad_lines) for entry, file in pairs if file.status == COMPLETED],
                [(entry, file.error or "") for entry, file in pairs if file.status == FAILED],
            )
        if not self._ledger.close():
            self._log.info("left to the sweep", why="a file that failed was overwritten meanwhile")
        if self._arguments.metrics_table is not None:
            counts = metrics.counts(self._manifest, files, results)
            metrics.add_counts(
                self._services.dynamodb,
                self._arguments.metrics_table,
                self._manifest.date,
                counts,
                self._services.clock,
                self._log,
            )
        self._log.info(
            "done",
            files_completed=sum(file.status == COMPLETED for file in files),
            files_failed=sum(file.status == FAILED for file in files),
            rows=sum(file.rows for file in files),
            bad_lines=sum(file.bad_lines for file in files),
            timings_s={step: round(seconds, 3) for step, seconds in self._timings.items()},
        )

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self._timings[step] = self._timings.get(step, 0.0) + time.perf_counter() - began


def _versions() -> dict[str, str]:
    loaded: list[str] = [name for name in ("boto3", "pyarrow", "pyspark") if name in sys.modules]
    found = {name: str(getattr(sys.modules[name], "__version__", "")) for name in loaded}
    return {"ndjctl": __version__, "python": platform.python_version(), **found}
