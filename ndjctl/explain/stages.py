"""What is so with a file at each stage of the pipeline, in their order. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ndjctl.contracts import (
    AT_REST,
    COMPLETED,
    FAILED,
    FILE_SUFFIX,
    PENDING,
    PROCESSING,
    QUARANTINED,
    Attr,
    iso_utc,
    s3_uri,
)
from ndjctl.explain.facts import FileFacts
from ndjctl.explain.missing import is_quarantine_gone, stage_without_ledger
from ndjctl.explain.model import Stage, State, Verdict
from ndjctl.explain.obstacles import Obstacle, first_of
from ndjctl.health.catalogue import UNKNOWN
from ndjctl.health.causes import cause_of_run
from ndjctl.reading import Reading


def stages_of(facts: FileFacts, obstacles: list[Obstacle], verdict: Verdict) -> tuple[Stage, ...]:
    """One for each of STAGES."""
    stages = (
        _upload(facts),
        _event(facts, obstacles),
        _queue(facts, obstacles),
        _function(facts, obstacles),
        _ledger(facts, verdict),
        _lock(facts),
        _manifest(facts, obstacles),
        _run(facts, obstacles),
        _output(facts, verdict),
        _quarantine(facts),
    )
    if facts.items.was_read:
        return stages
    return tuple(stage_without_ledger(facts, obstacles, stage) for stage in stages)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _unread(name: str, reading: Reading[Any]) -> Stage:
    return Stage(name, "unknown", f"could not be read: {reading.sentence}")


def _upload(facts: FileFacts) -> Stage:
    if not facts.object.was_read:
        return _unread("upload", facts.object)
    there, versions = facts.object.value, facts.versions.value or ()
    if there is None:
        deleted = next((each for each in versions if each.is_deletion and each.is_latest), None)
        if deleted is not None:
            return Stage("upload", "none", f"deleted at {deleted.at:%Y-%m-%d %H:%M:%S}Z", {"versions": len(versions)})
        is_known = facts.item is not None or facts.forgotten.value is not None
        sentence = "the object is not there (any more)" if is_known else "there is no such object in the input bucket"
        return Stage("upload", "none" if is_known else "wrong", sentence)
    told = {
        "size_bytes": there.size_bytes,
        "etag": there.etag,
        "modified_at": iso_utc(there.modified_at),
        "versions": len(versions),
    }
    more = f", {len(versions):,} versions" if len(versions) > 1 else ""
    newer = ", another version than the ledger has" if facts.is_newer else ""
    sentence = f"{there.size_bytes:,} bytes at {there.modified_at:%Y-%m-%d %H:%M:%S}Z{more}{newer}"
    return Stage("upload", "wrong" if facts.is_newer and facts.status == COMPLETED else "ok", sentence, told)


def _event(facts: FileFacts, obstacles: list[Obstacle]) -> Stage:
    if not facts.is_file:
        return Stage("event", "wrong", f"none is sent: the key does not end with {FILE_SUFFIX}")
    lost = first_of(obstacles, "event")
    if lost is not None:
        return Stage("event", "wrong", lost.sentence)
    if facts.item is not None and not (facts.is_newer and not facts.is_newer_known):
        at = facts.moment(Attr.UPLOAD_TIME)
        when = "" if at is None else f", of {at:%Y-%m-%d %H:%M:%S}Z"
        return Stage("event", "ok", f"taken{when}", {"sequencer": facts.text(Attr.SEQUENCER) or None})
    if facts.item is None and facts.converted is not None:
        return Stage("event", "ok", "taken: a run's report says that the file was converted")
    if not facts.env.wirings.was_read:
        return _unread("event", facts.env.wirings)
    which = "of the version that is there " if facts.item is not None else ""
    if facts.object.value is None:
        return Stage("event", "none", "the bucket's notification to the queue is as it should be")
    return Stage("event", "waiting", f"{which}not taken; the bucket's notification to the queue is as it should be")


def _queue(facts: FileFacts, obstacles: list[Obstacle]) -> Stage:
    kept = first_of(obstacles, "queue")
    queue, dead, letter = facts.env.queue, facts.env.dead_letters, facts.letter.value
    told = {
        "visible": None if queue.value is None else queue.value.visible,
        "in_flight": None if queue.value is None else queue.value.in_flight,
        "dead_letters": None if dead.value is None else dead.value.visible + dead.value.in_flight,
    }
    if letter is not None and letter.is_found:
        return Stage("queue", "wrong", f"its event is in the dead-letter queue: {letter.why}", told)
    if kept is not None:
        return Stage("queue", "wrong", kept.sentence, told)
    if queue.value is None:
        return _unread("queue", queue)
    sentence = f"{_counted(queue.value.visible, 'event')} waiting, {queue.value.in_flight:,} being taken"
    if dead.value is not None and dead.value.visible:
        seen = "" if letter is None else f", none of this file among the {letter.seen:,} looked at"
        sentence += f"; {_counted(dead.value.visible, 'dead letter')}{seen}"
    is_through = facts.item is not None or facts.converted is not None
    return Stage("queue", "ok" if is_through else "waiting", sentence, told)


def _function(facts: FileFacts, obstacles: list[Obstacle]) -> Stage:
    log = facts.log
    lines = log.value.lines if log.value is not None else ()
    told = {"lines": len(lines), "whole": log.value.is_whole if log.value is not None else None}
    kept = first_of(obstacles, "function")
    last = lines[-1] if lines else None
    if last is not None and last.level == "ERROR" and facts.item is None:
        error = str(last.fields.get("error", last.event))
        return Stage("function", "wrong", f"failed on it at {last.at:%H:%M:%S}Z: {error}", told)
    if kept is not None:
        return Stage("function", "wrong", kept.sentence, told)
    if not log.was_read:
        return _unread("function", log)
    if last is None:
        return Stage("function", "ok" if facts.item is not None else "none", "its log says nothing of this file", told)
    why = last.fields.get("why")
    said = f"{last.event}{f' ({why})' if why else ''}"
    return Stage("function", "ok", f"its log has {_counted(len(lines), 'line')} about it, the last: {said}", told)


def _ledger(facts: FileFacts, verdict: Verdict) -> Stage:
    if not facts.items.was_read:
        return _unread("ledger", facts.items)
    item = facts.item
    if item is None:
        state: State = "none" if not verdict.is_wrong else "wrong"
        return Stage("ledger", state, "it has no item of this file")
    told = {name: str(value) if not isinstance(value, (int, str)) else value for name, value in sorted(item.items())}
    others = len(facts.items.value or ()) - 1
    more = f"; and {others:,} older items under other dates" if others else ""
    newer = "; a newer version is known" if facts.text(Attr.SUPERSEDED_BY) else ""
    states: dict[str, State] = {COMPLETED: "ok", FAILED: "wrong", QUARANTINED: "wrong"}
    since = facts.moment(Attr.UPDATED_AT)
    when = "" if since is None else f" since {since:%Y-%m-%d %H:%M:%S}Z"
    return Stage(
        "ledger", states.get(facts.status, "waiting"), f"{facts.status}{when}, date {facts.date}{newer}{more}", told
    )


def _lock(facts: FileFacts) -> Stage:
    replaces = facts.text(Attr.REPLACES)
    wanted = {facts.date: "the lock of its date"} if facts.status == PENDING else {}
    if facts.status == PROCESSING and replaces:
        wanted[replaces] = f"the rewrite lock of manifest {replaces}"
    if not wanted:
        return Stage("lock", "none", "none matters to it now")
    if not facts.env.locks.was_read:
        return _unread("lock", facts.env.locks)
    for judged in facts.env.locks.value or ():
        if judged.lock.subject in wanted and not judged.lock.is_free:
            told = {"holder": judged.lock.holder, "dead": judged.verdict.is_dead}
            sentence = f"{wanted[judged.lock.subject]} is held by {judged.lock.holder}: {judged.verdict.why}"
            return Stage("lock", "wrong" if judged.verdict.is_dead else "waiting", sentence, told)
    return Stage("lock", "ok", f"{' and '.join(wanted.values())} is free")


def _manifest(facts: FileFacts, obstacles: list[Obstacle]) -> Stage:
    reading = facts.manifest
    if not reading.was_read:
        return _unread("manifest", reading)
    manifest = reading.value
    kept = first_of(obstacles, "manifest")
    if manifest is None:
        if kept is not None and facts.status == PENDING:
            return Stage("manifest", "wrong", kept.sentence)
        return Stage("manifest", "none", "it is in none")
    told = {
        "id": manifest.manifest_id,
        "state": manifest.state or None,
        "open": manifest.is_open,
        "object": manifest.has_object,
        "named_in_object": manifest.entry is not None,
        "files": (manifest.item or {}).get(Attr.FILE_COUNT),
        "attempt": (manifest.item or {}).get(Attr.ATTEMPT),
        "error": manifest.error or None,
    }
    state: State = "ok"
    sentence = f"{manifest.manifest_id} is {manifest.state or 'forgotten by the ledger'}"
    if manifest.error:
        sentence += f": {manifest.error}"
        state = "wrong"
    if facts.status not in AT_REST:
        state = "waiting" if manifest.is_open and state == "ok" else "wrong"
    if manifest.fault:
        state, sentence = "wrong" if manifest.is_open else state, f"{sentence}; its object is {manifest.fault}"
    elif manifest.has_object and manifest.entry is None:
        state, sentence = "wrong", f"{sentence}; its object does not name this file"
    return Stage("manifest", state, sentence, told)


def _run(facts: FileFacts, obstacles: list[Obstacle]) -> Stage:
    if not facts.runs.was_read:
        return _unread("run", facts.runs)
    runs, kept = facts.runs.value or (), first_of(obstacles, "run")
    if not runs:
        waits = facts.manifest.value is not None and facts.manifest.value.is_open
        if kept is not None and (waits or facts.status == PENDING):
            return Stage("run", "wrong", kept.sentence)
        run_id = facts.text(Attr.RUN_ID)
        if run_id:
            return Stage("run", "unknown", f"Glue does not know {run_id} (any more)", {"run_id": run_id})
        return Stage("run", "waiting" if waits else "none", "none of its manifest yet" if waits else "none")
    last = runs[-1]
    told = {
        "attempts": [
            {
                "run_id": run.run_id,
                "state": run.state,
                "execution_s": run.execution_s,
                "dpu_s": run.dpu_s,
                "error": run.error or None,
            }
            for run in runs
        ]
    }
    sentence = f"{last.run_id[:24]} is {last.state}" + (f", {last.execution_s:,} s" if last.execution_s else "")
    if last.has_failed:
        cause = cause_of_run(last.state, last.error)
        title = "" if cause is UNKNOWN else f" ({cause.title})"
        return Stage("run", "wrong", f"{sentence}{title}: {last.error or 'no message'}", told)
    return Stage("run", "ok" if last.has_ended else "waiting", sentence, told)


def _output(facts: FileFacts, verdict: Verdict) -> Stage:
    report, parts, counted = facts.report.value or facts.forgotten.value, facts.parts.value, facts.counted.value
    for reading in (facts.report, facts.parts, facts.counted):
        if not reading.was_read:
            return _unread("output", reading)
    told: dict[str, Any] = {
        "lines": facts.number(Attr.LINES),
        "rows": facts.number(Attr.ROWS),
        "bad_lines": facts.number(Attr.BAD_LINES),
        "report": None
        if report is None
        else {
            "run_id": report.run_id,
            "status": report.status,
            "lines": report.lines,
            "rows": report.rows,
            "bad_lines": report.bad_lines,
            "error": report.error or None,
            "parts": report.parts,
            "schema_version": report.schema_version,
        },
        "parts_present": None if parts is None else parts.present,
        "parts_bytes": None if parts is None else parts.size_bytes,
        "counted": None
        if counted is None
        else {"rows": counted.rows, "bad_lines": counted.bad_lines, "parts": list(counted.parts)},
    }
    if facts.status != COMPLETED and (facts.item is not None or report is None or report.rows is None):
        return Stage("output", "none", "no rows of it", told)
    rows = counted.rows if counted is not None else told["rows"] if facts.item is not None else report and report.rows
    by = "counted in the Parquet" if counted is not None else "by the ledger" if facts.item else "by a run's report"
    where = "" if parts is None else f", in {_counted(parts.present, 'part')} of its manifest"
    if counted is not None:
        where = f", in {len(counted.parts):,} of {_counted(parts.present if parts else 0, 'part')} of its manifest"
    is_wrong = verdict.code in ("parts-missing", "miscounted", "superseded")
    return Stage("output", "wrong" if is_wrong else "ok", f"{_counted(rows or 0, 'row')} {by}{where}", told)


def _quarantine(facts: FileFacts) -> Stage:
    if "absent" in (facts.set_aside.why, facts.bad_lines.why):
        sentence = f"the bucket {facts.env.names.quarantine_bucket} is not there"
        return Stage("quarantine", "wrong" if is_quarantine_gone(facts) else "unknown", sentence)
    if facts.status == QUARANTINED:
        copy = facts.text(Attr.QUARANTINE_KEY)
        uri = s3_uri(facts.env.names.quarantine_bucket, copy)
        told = {"reason": facts.text(Attr.REASON), "uri": uri, "present": facts.set_aside.value}
        if not facts.set_aside.was_read:
            return _unread("quarantine", facts.set_aside)
        there = "the copy is at" if facts.set_aside.value else "the copy is gone from"
        return Stage("quarantine", "wrong", f"{facts.text(Attr.REASON)}; {there} {uri}", told)
    bad, count = facts.bad_lines, facts.number(Attr.BAD_LINES) or 0
    if not bad.was_read:
        return _unread("quarantine", bad)
    examples = bad.value.examples if bad.value is not None else ()
    if not count:
        if facts.set_aside.value:
            since = ", and released since" if facts.item is not None else ""
            return Stage("quarantine", "ok", f"a copy of it is there: set aside for its size{since}", {"present": True})
        return Stage("quarantine", "none", "nothing of it")
    released = facts.released.value
    found = {
        "lines": count,
        "released": None if released is None else released.lines,
        "examples": [vars(each) for each in examples],
    }
    least = "" if released is None or released.is_whole else "at least "
    since = f", {least}{released.lines:,} of them released since" if released is not None and released.lines else ""
    first = f"; the first: {_where(examples)}" if examples else ""
    return Stage("quarantine", "ok", f"{_counted(count, 'line')} of it that are no records{since}{first}", found)


def _where(examples: Sequence[Any]) -> str:
    each = examples[0]
    place = f"line {each.line_number:,}" if each.line_number is not None else f"byte {each.byte_offset:,}"
    return f"{place}, {each.reason}: {each.detail}"
