"""Takes the rows of older versions of files out of the output of the manifests that wrote them: what makes a file that
was converted again replace itself.

All parts of an older manifest that have such rows are written again out of sight and become visible one after the
other, when all of them are whole. Doing it again finds nothing left to do, so a run that died on the way is simply
done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from glue_job.clients import error_code
from glue_job.convert import one_line
from glue_job.ledger import LedgerError
from glue_job.log import Log
from glue_job.memory import give_back
from glue_job.parquet import Footer
from glue_job.rewrite import Before, RewriteFailed, Rewritten, without_bad_lines, without_rows
from glue_job.rewrite_lock import ManifestOpen, RewriteLocks
from glue_job.sink import abort_uploads
from glue_job.store import Published, Store, Target
from glue_job.verify import VerificationFailed, read_footer
from ndjctl import contracts
from ndjctl.contracts import MANIFEST_MARK, RUN_MARK, Manifest, ManifestFile

_THREADS = 4
"""Each has a row group in memory, and that row group once more without the rows."""

_NAMED_FILES = 20
"""Of those in a part's note; their number is there too."""


class ReplacedPart(NamedTuple):
    key: str
    rows_before: int
    rows_after: int


class WrittenAnew(NamedTuple):
    """An object of the older manifest as it is without the rows (or lines). etag, etag_part_bytes: as of Published.
    by_run: this run, or one before it of the same manifest."""

    bucket: str
    key: str
    etag: str
    size_bytes: int
    by_run: str
    etag_part_bytes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Replaced:
    """What was taken out of the output of one older manifest. is_open: nothing, because it is open: its own run writes
    its parts anew, without these files, which are no longer its own. objects: every one that is not any more as the
    older manifest's report has it, because of this manifest."""

    manifest_id: str
    files: tuple[str, ...]
    parts: tuple[ReplacedPart, ...] = ()
    bad_lines: int = 0
    is_open: bool = False
    objects: tuple[WrittenAnew, ...] = ()

    @property
    def rows(self) -> int:
        return sum(part.rows_before - part.rows_after for part in self.parts)

    def to_dict(self) -> dict[str, Any]:
        return {
            "manifest_id": self.manifest_id,
            "is_open": self.is_open,
            "files": list(self.files),
            "rows": self.rows,
            "bad_lines": self.bad_lines,
            "parts": [part._asdict() for part in self.parts],
            "objects": [each._asdict() for each in self.objects],
        }


class Replacer:
    """For one run of one manifest. is_holder: whether the manifest is (still) the run's."""

    def __init__(
        self,
        s3: Any,
        store: Store,
        manifest: Manifest,
        run_id: str,
        buckets: tuple[str, str],
        locks: RewriteLocks,
        is_holder: Callable[[], bool],
        log: Log,
    ) -> None:
        """buckets: of the output and of the bad lines."""
        self._s3 = s3
        self._store = store
        self._manifest = manifest
        self._run_id = run_id
        self._output_bucket, self._bad_lines_bucket = buckets
        self._locks = locks
        self._is_holder = is_holder
        self._log = log

    def replace(self, files: Iterable[ManifestFile]) -> list[Replaced]:
        """Removes the older rows of those of `files` that replace any. Raises LedgerError if the manifest was taken
        from the run, LockBusy, RewriteFailed, VerificationFailed, and what boto3 and pyarrow raise; older rows are then
        there or not, part by part, and the next attempt removes the rest."""
        by_manifest: dict[str, list[str]] = {}
        for file in files:
            if file.replaces == self._manifest.manifest_id:
                raise RewriteFailed(f"{file.uri} is to replace rows of the very manifest that it is part of")
            if file.replaces:
                by_manifest.setdefault(file.replaces, []).append(file.uri)
        return [self._replace(older, sorted(uris)) for older, uris in sorted(by_manifest.items())]

    def _replace(self, older: str, uris: Sequence[str]) -> Replaced:
        try:
            with self._locks.held(older):
                replaced = self._rewrite(older, uris)
        except ManifestOpen:
            replaced = Replaced(older, tuple(uris), is_open=True)
        give_back()
        self._log.info(
            "replaced",
            older_manifest=older,
            is_open=replaced.is_open,
            files=len(uris),
            parts=len(replaced.parts),
            rows=replaced.rows,
            bad_lines=replaced.bad_lines,
        )
        return replaced

    def _rewrite(self, older: str, uris: Sequence[str]) -> Replaced:
        date = self._manifest.date
        parts = (self._output_bucket, contracts.part_prefix(date, older))
        bad_lines = (self._bad_lines_bucket, contracts.bad_lines_prefix(date, older))
        for place in (parts, bad_lines):
            abort_uploads(self._s3, *place)  # of a run that died at this
        sources = frozenset(uris)
        note = {
            "by_manifest": self._manifest.manifest_id,
            "by_run": self._run_id,
            "files": len(uris),
            "sources": list(uris[:_NAMED_FILES]),
        }
        work = _Work(self._store)
        try:
            work.write(self._listed(*parts), lambda part: without_rows(self._store, part, sources, note))
            work.write(self._listed(*bad_lines), lambda stored: self._without_bad_lines(stored, sources, note))
            if work.rewritten and not (self._is_holder() and self._locks.is_held(older)):
                raise LedgerError(f"manifest {self._manifest.manifest_id} was taken from this run")
            objects = [*self._publish(work), *(_anew(each.published, each.by_run) for each in work.before)]
        except Exception:
            work.discard()
            raise
        return Replaced(
            older,
            tuple(uris),
            tuple(
                ReplacedPart(each.published.target.key, each.before, each.after)
                for each in work.rewritten
                if each.footer is not None
            ),
            sum(each.removed for each in work.rewritten if each.footer is None),
            objects=tuple(sorted(objects)),
        )

    def _without_bad_lines(
        self, stored: Published, sources: frozenset[str], note: Mapping[str, Any]
    ) -> Rewritten | Before | None:
        rewritten = without_bad_lines(self._store, stored, sources, note)
        if rewritten is not None:
            return rewritten
        marks = self._s3.head_object(Bucket=stored.target.bucket, Key=stored.target.key)["Metadata"]
        is_ours = marks.get(MANIFEST_MARK) == note["by_manifest"]
        return Before(stored, str(marks.get(RUN_MARK) or "")) if is_ours else None

    def _listed(self, bucket: str, prefix: str) -> list[Published]:
        found = []
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                found.append(Published(Target(bucket, item["Key"]), int(item["Size"]), item["ETag"].strip('"')))
        return found

    def _publish(self, work: _Work) -> list[WrittenAnew]:
        with ThreadPoolExecutor(_THREADS) as pool:
            return [each for each in pool.map(self._publish_one, work.rewritten) if each is not None]

    def _publish_one(self, rewritten: Rewritten) -> WrittenAnew | None:
        target = rewritten.published.target
        if rewritten.written is None:
            self._s3.delete_object(Bucket=target.bucket, Key=target.key)
            return None
        published = self._store.publish(rewritten.written)
        if rewritten.footer is not None:
            self._verify(published, rewritten.footer)
        return _anew(published, rewritten.by_run)

    def _verify(self, published: Published, footer: Footer) -> None:
        try:
            found = read_footer(self._store, published)
        except ClientError as error:
            raise VerificationFailed(f"{published.target.uri} cannot be read back: {error_code(error)}") from error
        except (OSError, ValueError) as error:
            raise VerificationFailed(f"{published.target.uri} cannot be read back: {error}") from error
        if found != footer:
            raise VerificationFailed(
                f"{published.target.uri} has {found.rows} rows after a replacement; {footer.rows} were written"
            )


def _anew(published: Published, by_run: str) -> WrittenAnew:
    return WrittenAnew(*published.target, published.etag, published.size_bytes, by_run, published.part_bytes)


class _Work:
    """rewritten: objects that are whole and out of sight. before: that an earlier run made visible."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.rewritten: list[Rewritten] = []
        self.before: list[Before] = []

    def write(self, stored: Sequence[Published], rewrite: Callable[[Published], Rewritten | Before | None]) -> None:
        """Of those that have anything to remove. Raises the first error, when all of them are done or have failed."""
        with ThreadPoolExecutor(_THREADS) as pool:
            futures = [pool.submit(rewrite, each) for each in stored]
        failures = []
        for each, future in zip(stored, futures, strict=True):
            error = future.exception()
            if error is not None:
                failures.append((each, error))
            elif isinstance(found := future.result(), Rewritten):
                self.rewritten.append(found)
            elif found is not None:
                self.before.append(found)
        for each, error in failures:
            if isinstance(error, (RewriteFailed, BotoCoreError)) or not isinstance(error, Exception):
                raise error
            raise RewriteFailed(f"{each.target.uri} cannot be rewritten: {one_line(error)}") from error

    def discard(self) -> None:
        """Drops what did not become visible."""
        for each in self.rewritten:
            if each.written is not None:
                self._store.discard(each.written)
