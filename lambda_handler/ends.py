"""The end of runs: a manifest whose run has ended without closing it is closed, tried again, or given up.

Giving up leaves nothing visible: it is said in the manifest's item, after which no run can take it; then its files
fail, what any attempt wrote is deleted, files that were overwritten meanwhile are entered anew, and it is closed. Every
step can be done again: a death in between is made good by the next sweep.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from lambda_handler.contents import FileState, file_states, manifest_id_at
from lambda_handler.dynamo import ABSENT, Item
from lambda_handler.failing import fail_file
from lambda_handler.manifests import close, manifest_id_of, read_open, update_open
from lambda_handler.quarantine import ObjectGone, head
from lambda_handler.report import Report
from lambda_handler.rewriting import NothingLeft
from lambda_handler.runs import ENDED, START_UNSETTLED_S, get_run, last_attempt, may_be_retried, told
from lambda_handler.services import Invocation
from lambda_handler.tracking import enter_anew
from lambda_handler.uploads import abort_uploads, delete_objects
from ndjctl.contracts import (
    ABANDONED,
    AT_REST,
    DONE,
    FAILED,
    FAILED_RUNS,
    GIVEN_UP_MANIFESTS,
    READY,
    RUNNING,
    STARTED,
    Attr,
    JobArg,
    bad_lines_prefix,
    parse_iso_utc,
    part_prefix,
    report_key,
)


def follow_run(inv: Invocation, run_id: str, report: Report) -> None:
    """Acts on the end of the run that an event names, if it is that of an open manifest."""
    run = get_run(inv, run_id)
    path = run.get("Arguments", {}).get(f"--{JobArg.MANIFEST_PATH}", "") if run else ""
    manifest_id = manifest_id_at(inv, path)
    item = read_open(inv, manifest_id) if manifest_id else None
    if item is None:
        inv.log.debug("run_of_no_open_manifest", run_id=run_id)
        return
    report.seen(manifest_id_of(item), item[Attr.STATE])
    if item[Attr.STATE] in (STARTED, RUNNING):
        follow(inv, item, report)


def follow(inv: Invocation, summary: Item, report: Report) -> None:
    """Acts on the end of a STARTED or RUNNING manifest's run, if it has ended without closing its manifest, and goes on
    with giving up whatever is given up."""
    if Attr.GIVEN_UP_AT in summary:
        item = read_open(inv, manifest_id_of(summary))
        if item is not None and Attr.GIVEN_UP_AT in item:
            _give_up(inv, item, report)
        return
    run_id = str(summary[Attr.RUN_ID])
    end = _end_of(inv, summary, run_id)
    if end is None:
        return
    item = read_open(inv, manifest_id_of(summary))
    if item is None or item.get(Attr.RUN_ID) != run_id or item[Attr.STATE] != summary[Attr.STATE]:
        return  # it has moved on since it was listed
    if Attr.GIVEN_UP_AT in item:
        _give_up(inv, item, report)
        return
    try:
        states = file_states(inv, item, report)
    except NothingLeft as nothing:
        _end_without_files(inv, item, nothing, report)
        return
    unfinished = [each for each in states if each.status not in AT_REST]
    if not unfinished:
        _enter_superseded(inv, item, states)
        _close_as_done(inv, item, report)
        return
    state, error = end
    if state == "SUCCEEDED":
        error = f"run {run_id} ended SUCCEEDED, with {len(unfinished)} of its files unfinished"
    _try_again(inv, item, error, report)


def _end_of(inv: Invocation, summary: Item, run_id: str) -> tuple[str, str] | None:
    """(state, what to say of it) of a run that has ended for good; None while it may go on, or be retried by Glue."""
    run = last_attempt(inv, run_id)
    if run is None:
        started_at = parse_iso_utc(str(summary.get(Attr.STARTED_AT, summary[Attr.CREATED_AT])))
        if inv.now() < started_at + timedelta(seconds=START_UNSETTLED_S):
            return None
        return "LOST", f"Glue does not know the run {run_id}"
    state = str(run["JobRunState"])
    if state not in ENDED or may_be_retried(inv, run, state):
        return None
    return state, told(f"run {run['Id']} ended {state}: {run.get('ErrorMessage') or 'no message'}")


def _close_as_done(inv: Invocation, item: Item, report: Report) -> None:
    if close(inv, item, DONE):
        inv.log.info("manifest_closed", manifest_id=manifest_id_of(item), run_id=item[Attr.RUN_ID])
        report.repaired(manifest_id_of(item), DONE)


def _end_without_files(inv: Invocation, item: Item, nothing: NothingLeft, report: Report) -> None:
    """A manifest that nobody can make anew. A report says that a run had converted all of it, as the files' items did
    before they were dropped; without one nothing that a run wrote was ever finished."""
    if nothing.is_forgotten:
        with suppress(ObjectGone):
            key = report_key(item[Attr.DATE], manifest_id_of(item))
            head(inv, inv.settings.manifest_bucket, key)
            _close_as_done(inv, item, report)
            return
    _begin_giving_up(inv, item, str(nothing), report)


def _try_again(inv: Invocation, item: Item, error: str, report: Report) -> None:
    manifest_id = manifest_id_of(item)
    if int(item[Attr.ATTEMPT]) < inv.settings.max_attempts:
        left = (Attr.START_REQUESTED_AT, Attr.REFUSALS, Attr.REFUSED_AT)
        if update_open(inv, manifest_id, {Attr.STATE: READY, Attr.ERROR: error}, _as_read(item), left):
            inv.signals.add(FAILED_RUNS)
            inv.log.warning("run_will_be_retried", manifest_id=manifest_id, run_id=item[Attr.RUN_ID], why=error)
            report.repaired(manifest_id, READY)
        return
    _begin_giving_up(inv, item, error, report)


def _as_read(item: Item) -> Item:
    return {**{name: item[name] for name in (Attr.STATE, Attr.RUN_ID, Attr.ATTEMPT)}, Attr.GIVEN_UP_AT: ABSENT}


def _begin_giving_up(inv: Invocation, item: Item, error: str, report: Report) -> None:
    # Said before it is done: no run may take it from here on, and a death half-way leaves no manifest that looks done.
    given_up = {Attr.ERROR: error, Attr.GIVEN_UP_AT: inv.now_iso()}
    if update_open(inv, manifest_id_of(item), given_up, _as_read(item)):
        inv.signals.add(FAILED_RUNS)
        _give_up(inv, {**item, **given_up}, report)


def _give_up(inv: Invocation, item: Item, report: Report) -> None:
    manifest_id, error = manifest_id_of(item), str(item[Attr.ERROR])
    for each in _states_left(inv, item, report):
        # The files that an attempt completed before it died too: nothing of its output stays.
        if each.status != FAILED:
            if inv.short_of_time():
                report.cut_short = True
                return
            fail_file(inv, item, each.file.key, each.file.size_bytes, error)
    places = (
        (inv.settings.output_bucket, part_prefix(item[Attr.DATE], manifest_id)),
        (inv.settings.quarantine_bucket, bad_lines_prefix(item[Attr.DATE], manifest_id)),
    )
    for bucket, prefix in places:
        aborted = abort_uploads(inv, bucket, prefix)
        deleted = delete_objects(inv, bucket, prefix)
        if aborted or deleted:
            inv.log.warning("output_deleted", manifest_id=manifest_id, bucket=bucket, objects=deleted, uploads=aborted)
    # A report would tell of files that are converted.
    inv.services.s3.delete_object(Bucket=inv.settings.manifest_bucket, Key=report_key(item[Attr.DATE], manifest_id))
    # Read again: only what failed is entered anew, and the files above have failed since.
    _enter_superseded(inv, item, _states_left(inv, item, report))
    if close(inv, item, ABANDONED):
        inv.signals.add(GIVEN_UP_MANIFESTS)
        inv.log.error("manifest_abandoned", error, manifest_id=manifest_id, run_id=item.get(Attr.RUN_ID, ""))
        report.failed(manifest_id, error, given_up=True)
        report.repaired(manifest_id, ABANDONED)


def _states_left(inv: Invocation, item: Item, report: Report) -> list[FileState]:
    try:
        return file_states(inv, item, report)
    except NothingLeft:
        return []


def _enter_superseded(inv: Invocation, item: Item, states: Sequence[FileState]) -> None:
    """Before a manifest is closed, since nobody looks at a closed one again: of its files, those that failed and had
    been overwritten while they were in work are entered as the version that is there now."""
    for each in states:
        if each.status == FAILED and each.superseded_by:
            entered = enter_anew(inv, item[Attr.DATE], each.file.key)
            if entered is not None:
                inv.log.info(
                    "file_entered_anew",
                    file_key=each.file.key,
                    manifest_id=manifest_id_of(item),
                    status=entered.status,
                )
