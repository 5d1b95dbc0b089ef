"""Reads what only `doctor` needs: drift, the account, finished manifests. Takes seconds, and some hundred calls."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from ndjctl.advice import advise
from ndjctl.advice.account import ask_account
from ndjctl.contracts import Names, closed_manifests_partition
from ndjctl.deploy.deployment import Target, plan_for
from ndjctl.deploy.drifting import last_asked
from ndjctl.deploy.history import History
from ndjctl.deploy.kinds.base import Aws
from ndjctl.deploy.kinds.registry import KINDS
from ndjctl.deploy.seen import seen_of
from ndjctl.health.checks_deep import Advice, DeepFacts, Drift
from ndjctl.items import query_pages
from ndjctl.manifests import ManifestSummary, summary_of
from ndjctl.reading import Reading, attempt, attempt_all

CLOSED_PAGES = 2
"""Of the finished manifests of a date, a megabyte each: some 4,000 manifests."""
CLOSED_DATES = 2


def look_deeper(aws: Aws, target: Target, now: datetime, pool: ThreadPoolExecutor) -> DeepFacts:
    """target: what the profile asks for. What AWS refuses is a Reading that says so."""
    environment = target.profile.environment
    drift = attempt(partial(read_drift, aws, target), environment)
    reads: dict[str, Callable[[], Any]] = {
        "advice": partial(_advise, aws, target, drift, now),
        "closed": partial(_closed, aws.client("dynamodb"), aws.names, now),
    }
    return DeepFacts(drift=drift, **attempt_all(reads, environment, pool))


def read_drift(aws: Aws, target: Target) -> Drift:
    """What differs from the last deployment; without a record of one, from `target`."""
    asked = last_asked(History(aws.client("s3"), aws.names), target)
    plan = plan_for(asked.target, aws, KINDS)
    return Drift(plan, asked.against, asked.mending(plan))


def _advise(aws: Aws, target: Target, drift: Reading[Drift], now: datetime) -> Advice:
    seen = seen_of(drift.value.plan, aws.names) if drift.value is not None else None
    facts = ask_account(aws.client, target.profile, aws.names.function)
    return Advice(tuple(advise(target.profile, facts, seen, now.date())), facts.remarks)


def _closed(dynamodb: Any, names: Names, now: datetime) -> tuple[ManifestSummary, ...]:
    found: list[ManifestSummary] = []
    for days in range(CLOSED_DATES):
        partition = closed_manifests_partition(f"{now - timedelta(days=days):%Y-%m-%d}")
        for items, _ in islice(query_pages(dynamodb, names.tracking_table, partition), CLOSED_PAGES):
            found += map(summary_of, items)
    return tuple(found)
