"""The use case of `ndjctl run`: upload, let the pipeline work, watch, and prove what came out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ndjctl.aws import Cloud
from ndjctl.contracts import COMPLETED, FAILED, QUARANTINED, s3_uri
from ndjctl.damage import Damage
from ndjctl.inputs import Inputs
from ndjctl.ledger import FileRecord, Ledger
from ndjctl.proof import Balance, Evidence, Part, balance, gather, is_stored
from ndjctl.purged import files_purged, lines_purged
from ndjctl.upload import Uploaded, upload_all
from ndjctl.watch import Flusher, Watched, find, watch


class Reporter(Protocol):
    """Where a run tells how far it is. Called from several threads."""

    def phase(self, name: str) -> None: ...
    def bytes_done(self, phase: str, count: int) -> None: ...
    def statuses(self, counts: Counter[str]) -> None: ...
    def note(self, text: str) -> None: ...


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file. lines: counted in the local file; rows and bad_lines: found in the outputs."""

    path: str
    uri: str
    status: str
    size_bytes: int
    lines: int
    rows: int
    bad_lines: int
    reason: str = ""
    error: str = ""
    quarantined_as: str = ""


@dataclass(frozen=True)
class RunResult:
    """Everything a run found. reasons: quarantined lines by reason. rescued_rows: rows that carry something in
    `_rescued`; rescued_fields: how many values of each field. seconds: wall time from the first upload to the proof.
    missing_from_quarantine: keys of quarantined files whose copy is not there; purged_files: where it was purged
    instead. damaged: outputs of the manifests that cannot be read, so that nothing of them is in the counts."""

    env: str
    endpoint_url: str | None
    outcomes: tuple[FileOutcome, ...]
    already_done: int
    skipped_empty: tuple[str, ...]
    balance: Balance
    reasons: Mapping[str, int]
    rescued_rows: int
    rescued_fields: Mapping[str, int]
    manifest_ids: tuple[str, ...]
    parts: tuple[Part, ...]
    output_prefixes: tuple[str, ...]
    seconds: float
    missing_from_quarantine: tuple[str, ...] = field(default=())
    purged_files: tuple[str, ...] = field(default=())
    damaged: tuple[Damage, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether every line is accounted for and no file failed."""
        is_told = not (self.damaged or self.missing_from_quarantine)
        return self.balance.holds and is_told and not self.with_status(FAILED)

    @property
    def input_bytes(self) -> int:
        return sum(o.size_bytes for o in self.outcomes)

    @property
    def parquet_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts)

    def with_status(self, status: str) -> list[FileOutcome]:
        return [outcome for outcome in self.outcomes if outcome.status == status]


def run(
    cloud: Cloud,
    env: str,
    inputs: Inputs,
    reporter: Reporter,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    timeout_s: float,
) -> RunResult:
    """Sends `inputs` through the deployed pipeline of `env`. clock: seconds, monotonic. Raises WorkFailed, CloudError
    and what boto3 raises."""
    begun = clock()
    names = cloud.names
    s3 = cloud.client("s3")
    ledger = Ledger(cloud.client("dynamodb"), names.tracking_table, sleep)

    def known(key: str, etag: str, last_modified: datetime) -> bool:
        return bool(find(ledger, [Watched(key, etag, last_modified)]))

    reporter.phase("upload")
    uploads = upload_all(s3, names.input_bucket, inputs.files, known, reporter.bytes_done)
    for upload in uploads:
        if upload.renamed:
            reporter.note(f"{upload.file.path}: another file is uploaded under that name; this one is {upload.key!r}.")
    watched = {Watched(upload.key, upload.etag, upload.last_modified): upload for upload in uploads}

    reporter.phase("pipeline")
    records = watch(
        ledger,
        list(watched),
        Flusher(cloud.client("lambda"), names.live_function),
        clock=clock,
        sleep=sleep,
        timeout_s=timeout_s,
        report=reporter.statuses,
        check=lambda: cloud.check_room(0),
    )

    reporter.phase("proof")
    by_upload = {watched[file]: record for file, record in records.items()}
    manifests = {(r.date, r.manifest_id) for r in records.values() if r.status == COMPLETED and r.manifest_id}
    evidence = gather(s3, names, manifests)
    outcomes = [_outcome(upload, by_upload[upload], names.input_bucket, evidence) for upload in uploads]
    converted = {o.uri: o.lines for o in outcomes if o.status == COMPLETED}
    balanced = balance(converted, evidence)
    if balanced.lost:
        completed = [record for record in by_upload.values() if record.status == COMPLETED]
        balanced = balance(converted, evidence, lines_purged(s3, names, completed))
    missing = _missing(s3, names.quarantine_bucket, by_upload)
    purged = files_purged(s3, names, missing) if missing else ()
    reasons = _of_files(evidence.reasons, converted)
    rescued = _of_files(evidence.rescued_fields, converted)
    return RunResult(
        env=env,
        endpoint_url=cloud.endpoint_url,
        outcomes=tuple(outcomes),
        already_done=sum(not upload.sent for upload in uploads),
        skipped_empty=tuple(str(path) for path in inputs.empty),
        balance=balanced,
        reasons=dict(reasons.most_common()),
        rescued_rows=sum(evidence.rescued_rows[source] for source in converted),
        rescued_fields=dict(rescued.most_common()),
        manifest_ids=tuple(sorted(manifest_id for _, manifest_id in manifests)),
        parts=tuple(evidence.parts),
        output_prefixes=tuple(
            s3_uri(names.output_bucket, f"parquet/{date}/") for date in sorted({date for date, _ in manifests})
        ),
        seconds=clock() - begun,
        missing_from_quarantine=tuple(key for key in missing if key not in purged),
        purged_files=tuple(key for key in missing if key in purged),
        damaged=tuple(evidence.damaged),
    )


def _of_files(counts: Counter[tuple[str, str]], sources: Mapping[str, int]) -> Counter[str]:
    """Counts by (source, what) as counts by what, of these sources alone."""
    found: Counter[str] = Counter()
    for (source, what), count in counts.items():
        if source in sources:
            found[what] += count
    return found


def _outcome(upload: Uploaded, record: FileRecord, bucket: str, evidence: Evidence) -> FileOutcome:
    uri = s3_uri(bucket, upload.key)
    return FileOutcome(
        path=str(upload.file.path),
        uri=uri,
        status=record.status,
        size_bytes=upload.scan.size_bytes,
        lines=upload.scan.lines,
        rows=evidence.rows[uri],
        bad_lines=evidence.bad_lines[uri],
        reason=record.reason,
        error=record.error,
        quarantined_as=record.quarantine_key,
    )


def _missing(s3: Any, bucket: str, records: Mapping[Uploaded, FileRecord]) -> Mapping[str, FileRecord]:
    """Quarantined files, by their keys, whose copy is not where the ledger says: lost, or purged."""
    return {
        upload.key: record
        for upload, record in records.items()
        if record.status == QUARANTINED and not is_stored(s3, bucket, record.quarantine_key, upload.scan.size_bytes)
    }
