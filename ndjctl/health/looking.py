"""Reads everything that the quick checks and the monitor need to know, in a bounded number of calls."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from ndjctl.contracts import FAILED, MANIFESTED, PENDING, PROCESSING, QUARANTINED, Names
from ndjctl.health import reading_ledger, reading_logs, reading_services, sampling
from ndjctl.health.facts import SLACK_S, Facts
from ndjctl.health.metrics import read_metrics
from ndjctl.ledger import Ledger
from ndjctl.lifting import read_budget
from ndjctl.reading import Reading, attempt_all
from ndjctl.settings import Profile

Client = Callable[[str], Any]
"""The name of a service to its boto3 client."""

UNFINISHED = (PENDING, MANIFESTED, PROCESSING)
"""Statuses of files that are not at rest."""

_SERVICES = ("sts", "sqs", "lambda", "s3", "events", "glue", "dynamodb", "logs", "cloudwatch")
_SINGLE_CALLS = 20
"""Clock, two queues of two calls each, function, mappings, notification, two rules of two calls each, job, runs,
two tables, four buckets."""
_LEDGER_CALLS = reading_ledger.OPEN_PAGES + len(UNFINISHED) + 2 + 1 + 1
"""Open manifests, the oldest files, the newest failed and quarantined ones, locks, today's budget."""

MOST_CALLS = _SINGLE_CALLS + _LEDGER_CALLS + reading_logs.CALLS + 1 + sampling.QUICK_CALLS
"""Calls of AWS that one look() makes at most, however long the history is: not counted are those that boto3 makes again
after a throttle. Mostly it is about half of that."""


def look(
    client: Client,
    names: Names,
    profile: Profile,
    now: datetime,
    pool: ThreadPoolExecutor,
    *,
    extent: sampling.Extent = sampling.QUICK,
    grace_s: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Facts:
    """What is so at this moment; what AWS refuses is a Reading that says so. now: by this machine's clock, in UTC.
    pool: for some 20 reads at once. extent: how much of the input bucket is compared with the ledger. grace_s: how long
    an event may take, by default as long as `reconcile` gives it."""
    at = {service: client(service) for service in _SERVICES}  # boto3 makes clients in one thread at a time only
    dynamodb, region = at["dynamodb"], str(at["dynamodb"].meta.region_name)
    queue_arn = f"arn:aws:sqs:{region}:{names.account_id}:{names.queue}"
    ledger = Ledger(dynamodb, names.tracking_table, sleep)
    grace_s = profile.batching.max_partial_age_s + SLACK_S if grace_s is None else grace_s
    since = reading_logs.since_of(now)
    services, files = reading_services, reading_ledger.read_files
    reads: dict[str, Callable[[], Any]] = {
        "clock": partial(services.read_clock, at["sts"], now),  # the first: `now` must not be old when it is compared
        "queue": partial(services.read_queue, at["sqs"], names.queue),
        "dead_letters": partial(services.read_queue, at["sqs"], names.dead_letter_queue),
        "function": partial(services.read_function, at["lambda"], names),
        "mappings": partial(services.read_mappings, at["lambda"], queue_arn),
        "wirings": partial(services.read_wirings, at["s3"], names.input_bucket),
        "sweep_rule": partial(services.read_rule, at["events"], names.sweep_rule),
        "run_state_rule": partial(services.read_rule, at["events"], names.run_state_rule),
        "job": partial(services.read_job, at["glue"], names.job),
        "runs": partial(services.read_runs, at["glue"], names.job),
        "open_manifests": partial(reading_ledger.read_open_manifests, dynamodb, names),
        "failed": partial(files, dynamodb, names, FAILED, newest=True),
        "quarantined": partial(files, dynamodb, names, QUARANTINED, newest=True),
        "locks": partial(reading_ledger.read_locks, dynamodb, names, profile.lock.ttl_s),
        "budget": partial(read_budget, dynamodb, names, now),
        "errors": partial(reading_logs.read_errors, at["logs"], names.function_log_group, since),
        "metrics": partial(read_metrics, at["cloudwatch"], names, now),
        "missing_tables": partial(services.missing_tables, dynamodb, names),
        "missing_buckets": partial(services.missing_buckets, at["s3"], names),
        "sample": partial(sampling.look_at_inputs, at["s3"], ledger, names, now, grace_s, extent),
        **{_oldest(status): partial(files, dynamodb, names, status) for status in UNFINISHED},
    }
    found = attempt_all(reads, profile.environment, pool)
    oldest = {status: found.pop(_oldest(status)) for status in UNFINISHED}
    facts = Facts(at=now, names=names, profile=profile, region=region, oldest=oldest, grace_s=grace_s, **found)
    return replace(facts, locks=_with_runs(facts))


def _oldest(status: str) -> str:
    return f"oldest_{status}"


def _with_runs(facts: Facts) -> Reading[Any]:
    """The locks, with what the newest runs tell of their holders."""
    if facts.locks.value is None or facts.runs.value is None:
        return facts.locks
    runs = {run.run.run_id: run for run in facts.runs.value.runs}
    return Reading(tuple(reading_ledger.judged_by_runs(judged, runs) for judged in facts.locks.value))
