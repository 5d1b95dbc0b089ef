"""The sweep: repairs what a death left behind, follows runs, builds what is due, starts what waits. Bounded by the time
that is left; never fails as a whole because of one manifest or one date."""

from __future__ import annotations

from typing import Any

from lambda_handler.batching import survey
from lambda_handler.builder import build_dates
from lambda_handler.dynamo import Item
from lambda_handler.lock import held
from lambda_handler.manifests import finish, manifest_id_of, open_manifests, read_open
from lambda_handler.report import Report
from lambda_handler.runs import follow, start_waiting
from lambda_handler.services import Invocation
from ndjctl.contracts import ABANDONED, CLAIMING, READY, RUNNING, STARTED, Attr


def sweep(inv: Invocation, flush: bool = False, flush_date: str | None = None) -> dict[str, Any]:
    """Returns Report.as_dict(). flush: partial batches of any age too, of `flush_date` alone if it is given."""
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
    _build_due(inv, flush, flush_date, report)
    start_waiting(inv, report)
    outcome = report.as_dict()
    inv.log.info(
        "sweep_done", **{name: len(value) if isinstance(value, list) else value for name, value in outcome.items()}
    )
    return outcome


def _care_for(inv: Invocation, item: Item, report: Report) -> None:
    state = item[Attr.STATE]
    if state == CLAIMING:
        _repair(inv, item, report)
    elif state in (STARTED, RUNNING):
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


def _build_due(inv: Invocation, flush: bool, flush_date: str | None, report: Report) -> None:
    try:
        backlogs = survey(inv)
    except Exception as error:
        inv.log.error("survey_failed", error)
        report.cut_short = True
        return
    report.pending = sum(backlog.files for backlog in backlogs.values())
    now = inv.now()
    for date, backlog in backlogs.items():
        flushed = flush and flush_date in (None, date)
        if backlog.is_due(inv, now, flushed):
            build_dates(inv, [date], flushed, report)


def build_touched(inv: Invocation, dates: set[str]) -> None:
    """After new files: builds what is due in their dates and starts what waits. Most files complete no batch, so it
    looks before it takes a lock."""
    backlogs = survey(inv)
    now = inv.now()
    due = [date for date, backlog in backlogs.items() if date in dates and backlog.is_due(inv, now, False)]
    if due:
        build_dates(inv, due, False, Report())
        start_waiting(inv, Report())
