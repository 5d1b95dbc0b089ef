"""Builds what is due, each date's batches under its lock, as far as there is room in the queue of waiting manifests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lambda_handler.batching import Due, Limits, Pending, PendingFile, confirmed, due_batches, limits_of, next_due
from lambda_handler.dynamo import Contended
from lambda_handler.lock import Lock, LockLost, held
from lambda_handler.manifests import build
from lambda_handler.report import Report
from lambda_handler.services import Invocation


def is_anything_due(inv: Invocation, pending: Pending, due: Due) -> bool:
    return next(due_batches(pending, limits_of(inv), inv.now(), due), None) is not None


def build_due(inv: Invocation, pending: Pending, due: Due, room: int, report: Report) -> None:
    """Builds up to `room` manifests, those of the oldest files first whatever their date; what is left stays pending.
    A date that fails, or whose lock another builder holds, is left to the next sweep: it does not keep the others from
    their turn."""
    limits = limits_of(inv)
    batches = sorted(due_batches(pending, limits, inv.now(), due), key=lambda batch: batch.files[0].upload_time)
    if len(batches) > room:
        inv.log.info("files_stay_pending", batches=len(batches) - room, why="enough manifests wait for a run")
    for date, count in Counter(batch.files[0].date for batch in batches[:room]).items():
        if inv.short_of_time():
            report.cut_short = True
            return
        try:
            with held(inv, date, inv.settings.max_lock_wait_s) as lock:
                if lock is None:
                    inv.log.info("lock_busy", date=date)
                    continue
                _build_date(inv, lock, pending.by_date[date], limits, due, count, report)
        except (LockLost, Contended) as error:
            inv.log.warning("batching_interrupted", date=date, why=f"{type(error).__name__}: {error}")
        except Exception as error:
            inv.log.error("batching_failed", error, date=date)


def _build_date(
    inv: Invocation,
    lock: Lock,
    files: Sequence[PendingFile],
    limits: Limits,
    due: Due,
    count: int,
    report: Report,
) -> None:
    """Builds up to `count` batches. What the index showed may be in a manifest by now, even of this very loop."""
    while count > 0:
        if inv.short_of_time():
            report.cut_short = True
            return
        head = next_due(files, limits, inv.now(), due)
        if head is None:
            return
        rest = files[len(head.files) :]
        still_pending = confirmed(inv, head.files)
        if still_pending != list(head.files):
            report.settled |= {each.place for each in head.files} - {each.place for each in still_pending}
            files = [*still_pending, *rest]
            continue
        manifest_id = build(inv, lock, [each.file for each in head.files])
        if manifest_id is not None:
            report.created(manifest_id, [each.place for each in head.files])
        files = rest
        count -= 1
