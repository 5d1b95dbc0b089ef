"""The sweep: repairs what a death left behind, follows runs, starts what waits, builds what is due. Bounded by the time
that is left and in what it reads; never fails as a whole because of one manifest or one date. And the smaller parts of
it that events ask for at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lambda_handler.batching import FULL_ONLY, Due, Pending, age_s, read_pending
from lambda_handler.builder import build_due, is_anything_due
from lambda_handler.dynamo import Item
from lambda_handler.ends import follow, follow_run
from lambda_handler.lock import held
from lambda_handler.manifests import finish, manifest_id_of, open_manifests, read_open
from lambda_handler.report import Report
from lambda_handler.runs import Queue, count_waiting, start_waiting
from lambda_handler.services import Invocation
from ndjctl.contracts import (
    ABANDONED,
    CLAIMING,
    HELD_MANIFESTS,
    OLDEST_PENDING_AGE,
    READY,
    RUNNING_MANIFESTS,
    WAITING_MANIFESTS,
    Attr,
)

_PENDING_PER_SWEEP = 20_000
"""Pending files that one sweep looks at, the oldest: three hours' peak, some 10 MB. They are the first to be built, so
the next sweep sees others."""
_LEAST_PENDING_PER_BATCH = 100


def sweep(inv: Invocation, flush: bool = False, flush_date: str | None = None) -> dict[str, Any]:
    """Returns Report.as_dict(). flush: partial batches of any age too, of `flush_date` alone if it is given, and starts
    that were refused are tried at once."""
    report = Report()
    for item in open_manifests(inv):
        report.seen(manifest_id_of(item), item[Attr.STATE])
        if inv.short_of_time():
            report.cut_short = True
            break
        try:
            _care_for(inv, item, report)
        except Exception as error:
            inv.log.error("manifest_not_cared_for", error, manifest_id=manifest_id_of(item))
            report.failed(manifest_id_of(item), f"{type(error).__name__}: {error}", given_up=False)
    queue = start_waiting(inv, report, at_once=flush)
    flushed = frozenset[str]() if not flush else None if flush_date is None else frozenset({flush_date})
    due = Due(inv.settings.max_partial_age_s, flushed)
    pending = _build_due(inv, due, inv.settings.max_waiting_manifests - queue.waiting, report)
    if report.created_count and queue.has_room:
        queue = start_waiting(inv, report, at_once=flush)
    else:
        held = queue.held + report.created_count if queue.held else 0
        queue = replace(queue, waiting=queue.waiting + report.created_count, held=held)
        report.held = held
    _measure(inv, queue, pending, report)
    outcome = report.as_dict()
    # Without what has a line of its own each time, and never happens on most days: this one is paid for every minute.
    told = {name: value for name, value in outcome.items() if name != "manifests_rewritten"}
    inv.log.info(
        "sweep_done", **{name: len(value) if isinstance(value, list) else value for name, value in told.items()}
    )
    return outcome


def _care_for(inv: Invocation, item: Item, report: Report) -> None:
    if item[Attr.STATE] == CLAIMING:
        _repair(inv, item, report)
    elif item[Attr.STATE] != READY or Attr.GIVEN_UP_AT in item:
        follow(inv, item, report)


def _repair(inv: Invocation, summary: Item, report: Report) -> None:
    """Completes what a builder began. A builder works under its date's lock, so whoever gets the lock knows that no
    other can write: there is no need to wait for an age."""
    manifest_id = manifest_id_of(summary)
    with held(inv, summary[Attr.DATE], max_wait_s=0) as lock:
        if lock is None:
            return
        item = read_open(inv, manifest_id)
        if item is None or item[Attr.STATE] != CLAIMING:
            return
        inv.log.warning("manifest_repaired", manifest_id=manifest_id, date=lock.date, fence=lock.fence)
        report.repaired(manifest_id, READY if finish(inv, lock, item) else ABANDONED)


def _measure(inv: Invocation, queue: Queue, pending: Pending | None, report: Report) -> None:
    """What is so at the end of the sweep, from what it has read and done: it costs no read of its own."""
    now = inv.now()
    values = {WAITING_MANIFESTS: float(queue.waiting), RUNNING_MANIFESTS: float(queue.running)}
    if pending is not None:
        oldest = pending.oldest(report.settled)
        try:
            values[OLDEST_PENDING_AGE] = 0.0 if oldest is None else age_s(oldest, now)
        except ValueError as error:
            inv.log.warning("pending_age_unknown", why=str(error))
    if inv.settings.max_dpu_s_per_day is not None:
        values[HELD_MANIFESTS] = float(queue.held)
    inv.signals.observe(now, values)


def _build_due(inv: Invocation, due: Due, room: int, report: Report) -> Pending | None:
    """What was pending before anything was built; None when that could not be read."""
    try:
        # Without room only the first page is read, to tell whether anything is pending.
        pending = read_pending(inv, _PENDING_PER_SWEEP if room > 0 else 1)
    except Exception as error:
        inv.log.error("pending_not_read", error)
        report.cut_short = True
        return None
    report.pending = pending.count
    report.cut_short |= not pending.complete
    if room > 0:
        build_due(inv, pending, due, room, report)
    return pending


def build_after_messages(inv: Invocation) -> None:
    """After new files: builds the batches that are full and starts what waits. A partial one, however old, is left to
    the sweep: files that waited in the queue are old when they are entered, and each invocation would make a manifest
    of the few that it was given. Most files complete no batch, so it looks before it takes a lock; at the oldest files
    only, as many as complete a batch in an ordinary hour. What that leaves, the sweep builds."""
    most = max(_LEAST_PENDING_PER_BATCH, 2 * inv.settings.max_files_per_manifest)
    pending = read_pending(inv, most)
    if not is_anything_due(inv, pending, FULL_ONLY):
        return
    room = inv.settings.max_waiting_manifests - count_waiting(inv)
    report = Report()
    build_due(inv, pending, FULL_ONLY, room, report)
    if report.created_count:
        start_waiting(inv, report)


def take_run_event(inv: Invocation, run_id: str) -> dict[str, Any]:
    """A run changed its state: follows it, and starts what waits. Returns Report.as_dict() of that alone."""
    report = Report()
    try:
        follow_run(inv, run_id, report)
    except Exception as error:
        inv.log.error("run_not_followed", error, run_id=run_id)
        report.cut_short = True
    start_waiting(inv, report)
    return report.as_dict()
