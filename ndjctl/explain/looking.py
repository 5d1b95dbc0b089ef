"""Reads everything that is known of one file: first what does not depend on anything, then what the ledger names."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from ndjctl.contracts import (
    COMPLETED,
    QUARANTINED,
    TTL_DAYS,
    Attr,
    Names,
    date_prefix,
    leading_date,
    report_key,
)
from ndjctl.explain import reads
from ndjctl.explain.facts import FileFacts, moment_of
from ndjctl.explain.forgotten import find_report
from ndjctl.explain.reads_of_lines import read_bad_line_examples, read_released
from ndjctl.health.looking import look
from ndjctl.health.sampling import Extent
from ndjctl.ledger import Ledger
from ndjctl.reading import Reading, attempt_all
from ndjctl.redrive.choice import Choice
from ndjctl.redrive.dlq import DeadLetters
from ndjctl.redrive.tracking import Tracking
from ndjctl.settings import Profile
from ndjctl.watch import UNSEEN_LIMIT_S

EVENT_S = UNSEEN_LIMIT_S
"""An event of S3 that has not come by then comes rarely: most come within a second, and the function takes a batch
within function.batch_window_s."""

_NO_SAMPLE = Extent(0, 0)
_NOTHING: Reading[Any] = Reading(None)

Client = Callable[[str], Any]


def look_at_file(
    client: Client,
    names: Names,
    profile: Profile,
    key: str,
    now: datetime,
    pool: ThreadPoolExecutor,
    *,
    event_s: float = EVENT_S,
    is_counted: bool = False,
    report: Callable[[int], None] = lambda _count: None,
    sleep: Callable[[float], None] = time.sleep,
) -> FileFacts:
    """What is so with this key now; what AWS refuses is a Reading that says so. event_s: what an event may take.
    is_counted: whether its rows are counted in the Parquet; report: told of each object that was read for that."""
    s3, dynamodb, sqs, logs, glue = (client(name) for name in ("s3", "dynamodb", "sqs", "logs", "glue"))
    ledger = Ledger(dynamodb, names.tracking_table, sleep)
    env = look(client, names, profile, now, pool, extent=_NO_SAMPLE, sleep=sleep)
    first = attempt_all(
        {
            "object": partial(reads.read_object, s3, names.input_bucket, key),
            "versions": partial(reads.read_versions, s3, names.input_bucket, key),
        },
        profile.environment,
        pool,
    )
    there = first["object"].value
    uploaded = there.modified_at if there is not None else now
    first |= attempt_all({"items": partial(reads.read_items, ledger, key, uploaded, now)}, profile.environment, pool)
    facts = FileFacts(
        key=key,
        bucket=names.input_bucket,
        at=now,
        event_s=event_s,
        env=env,
        **first,
        **dict.fromkeys(_LATER, _NOTHING),
    )
    more: dict[str, Callable[[], Any]] = {
        "log": partial(reads.read_log, logs, names.function_log_group, key, _began(facts)),
        **_of_manifest(facts, dynamodb, s3, glue),
        **_of_quarantine(facts, s3),
    }
    if _may_be_dead(facts):
        tracking = Tracking(dynamodb, names.tracking_table, ledger)
        dead, queue = env.dead_letters.value, env.queue.value
        letters = DeadLetters(sqs, dead.url if dead else "", queue.url if queue else "", tracking, Choice())
        more["letter"] = partial(reads.find_letter, letters, key)
    found = attempt_all(more, profile.environment, pool)
    rest: dict[str, Callable[[], Any]] = {}
    if _may_be_converted(facts):
        # Alone: it has the pool read the reports.
        rest["forgotten"] = partial(find_report, s3, names, _dates(facts), facts.uri, pool)
    if is_counted and facts.text(Attr.BATCH_ID) and facts.status == COMPLETED:
        place = (facts.date, facts.text(Attr.BATCH_ID), facts.uri)
        rest["counted"] = partial(reads.count_rows, s3, names, *place, report)
    with ThreadPoolExecutor(1) as alone:
        found |= attempt_all(rest, profile.environment, alone)
    read: dict[str, Any] = found
    return replace(facts, **read)


_LATER = (
    "log",
    "letter",
    "manifest",
    "runs",
    "report",
    "forgotten",
    "parts",
    "set_aside",
    "bad_lines",
    "released",
    "counted",
)


def _began(facts: FileFacts) -> datetime:
    """Since when the function may have said something of the file: the first upload that is known of."""
    moments = [moment_of(item, Attr.UPLOAD_TIME) for item in facts.items.value or ()]
    there = facts.object.value
    moments += [there.modified_at if there is not None else None]
    moments += [each.at for each in facts.versions.value or ()]
    earliest = min((each for each in moments if each is not None), default=facts.at - timedelta(days=1))
    return max(earliest, facts.at - timedelta(days=TTL_DAYS + 1))


def _of_manifest(facts: FileFacts, dynamodb: Any, s3: Any, glue: Any) -> dict[str, Callable[[], Any]]:
    names, manifest_id = facts.env.names, facts.text(Attr.BATCH_ID)
    if not manifest_id:
        return {}
    date = facts.date
    wanted: dict[str, Callable[[], Any]] = {
        "manifest": partial(reads.read_manifest, dynamodb, s3, names, date, manifest_id, facts.uri),
        "report": partial(reads.read_report, s3, names, report_key(date, manifest_id), facts.uri),
        "runs": partial(reads.read_runs, dynamodb, glue, names, date, manifest_id, facts.text(Attr.RUN_ID)),
    }
    if facts.status == COMPLETED:
        wanted["parts"] = partial(reads.read_parts, s3, names, date, manifest_id)
        if facts.number(Attr.BAD_LINES):
            wanted["bad_lines"] = partial(read_bad_line_examples, s3, names, date, manifest_id, facts.uri)
            wanted["released"] = partial(read_released, s3, names, date, manifest_id, facts.uri)
    return wanted


def _of_quarantine(facts: FileFacts, s3: Any) -> dict[str, Callable[[], Any]]:
    copy = facts.text(Attr.QUARANTINE_KEY)
    if facts.status == QUARANTINED and copy:
        return {"set_aside": partial(reads.is_set_aside, s3, facts.env.names, [copy])}
    size_bytes = facts.number(Attr.SIZE_BYTES)
    is_odd = size_bytes is not None and facts.env.profile.size_rule.window.verdict(size_bytes) is not None
    if _may_be_forgotten(facts) or is_odd:
        keys = reads.size_copies(facts.key, _dates(facts))
        return {"set_aside": partial(reads.is_set_aside, s3, facts.env.names, keys)}
    return {}


def _may_be_dead(facts: FileFacts) -> bool:
    """Whether its message may be a dead letter: there are some, and the ledger lacks the file, or its version."""
    dead = facts.env.dead_letters.value
    lacks = facts.item is None or (facts.is_newer and not facts.is_newer_known)
    return dead is not None and dead.visible > 0 and lacks and facts.is_file


def _has_no_item(facts: FileFacts) -> bool:
    return facts.item is None and facts.items.was_read and facts.is_file


def _may_be_converted(facts: FileFacts) -> bool:
    """Whether a report may know of a file that the ledger does not: an item may also go before its time, with a table
    that was restored or by hand."""
    is_late = facts.age_s is not None and facts.age_s > facts.event_s
    return _has_no_item(facts) and (is_late or _may_be_forgotten(facts))


def _may_be_forgotten(facts: FileFacts) -> bool:
    """Of a file without an item: whether the ledger has had the time to forget it."""
    if not _has_no_item(facts):
        return False
    if facts.age_s is not None:
        return facts.is_expired
    named = leading_date(facts.key)
    return (
        facts.object.was_read and named is not None and named <= f"{facts.at - timedelta(days=TTL_DAYS - 1):%Y-%m-%d}"
    )


def _dates(facts: FileFacts) -> list[str]:
    """Under which its manifest most likely is, or the copy that was set aside."""
    if facts.item is not None:
        return [facts.date]
    there = facts.object.value
    moment = there.modified_at if there is not None else facts.at
    return list(dict.fromkeys(date_prefix(facts.key, moment + timedelta(days=days)) for days in (0, 1)))
