"""Builds the batches of one date under its lock."""

from __future__ import annotations

from collections.abc import Iterable

from lambda_handler.batching import Limits, PendingFile, confirmed, form_batches, is_aged, limits_of, pending_pages
from lambda_handler.dynamo import Contended
from lambda_handler.lock import Lock, LockLost, held
from lambda_handler.manifests import build
from lambda_handler.report import Report
from lambda_handler.services import Invocation


def build_dates(inv: Invocation, dates: Iterable[str], partial_of_any_age: bool, report: Report) -> None:
    """Builds what is due in each date. A date that fails, or whose lock another builder holds, is left to the next
    sweep: it does not keep the others from their turn."""
    for date in dates:
        if inv.short_of_time():
            report.cut_short = True
            return
        try:
            with held(inv, date, inv.settings.max_lock_wait_s) as lock:
                if lock is None:
                    inv.log.info("lock_busy", date=date)
                    continue
                _build_date(inv, lock, partial_of_any_age, report)
        except (LockLost, Contended) as error:
            inv.log.warning("batching_interrupted", date=date, why=f"{type(error).__name__}: {error}")
        except Exception as error:
            inv.log.error("batching_failed", error, date=date)


def _build_date(inv: Invocation, lock: Lock, partial_of_any_age: bool, report: Report) -> None:
    limits = limits_of(inv)
    # The index may show a file twice while it is written to, and still shows what this very loop has claimed.
    seen: set[str] = set()
    rest: list[PendingFile] = []
    for page in pending_pages(inv, lock.date):
        for file in page:
            if file.file.key not in seen:
                seen.add(file.file.key)
                rest.append(file)
        rest = _build_full(inv, lock, rest, limits, report)
        if inv.short_of_time():
            report.cut_short = True
            return
    if rest and (partial_of_any_age or is_aged(inv, rest[0].upload_time, inv.now())):
        for batch in form_batches(confirmed(inv, rest), limits):
            _build(inv, lock, batch.files, report)


def _build_full(
    inv: Invocation, lock: Lock, files: list[PendingFile], limits: Limits, report: Report
) -> list[PendingFile]:
    """Builds the full batches at the head of `files` and returns what is left."""
    while not inv.short_of_time():
        head = next(iter(form_batches(files, limits)), None)
        if head is None or not head.full:
            break
        rest = files[len(head.files) :]
        pending = confirmed(inv, head.files)
        if pending == list(head.files):
            _build(inv, lock, pending, report)
            files = rest
        else:
            files = pending + rest
    return files


def _build(inv: Invocation, lock: Lock, files: Iterable[PendingFile], report: Report) -> None:
    batch = [each.file for each in files]
    manifest_id = build(inv, lock, batch)
    if manifest_id is not None:
        report.created(manifest_id, len(batch))
