"""The way of a file event: queue, function, lock, alarms. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from lambda_handler.services import STOP_MARGIN_S
from ndjctl.advice.findings import Finding, Observed, Severity
from ndjctl.advice.throughput import LATENCY_S, SWEEP_S
from ndjctl.settings import Profile

LEAST_RECEIVES = 5
"""Deliveries before a message is a dead letter, at least, as AWS says for queues that feed a function."""

LEAST_CONCURRENCY = 3
"""Two pollers of the queue, which are the fewest that SQS takes, and one for the sweep and the tool."""


def event_findings(profile: Profile, observed: Observed) -> Iterator[Finding]:
    yield from _visibility(profile, observed)
    yield from _receives(profile, observed)
    yield from _retention(profile)
    yield from _function(profile)
    if profile.alarms.enabled:
        yield from _alarms(profile)


def _visibility(profile: Profile, observed: Observed) -> Iterator[Finding]:
    path, needed, timeout_s = "queue.visibility_timeout_s", profile.needed_visibility_s, profile.function.timeout_s
    why = (
        f"below {needed} s, which is six times function.timeout_s ({timeout_s}) and function.batch_window_s "
        f"({profile.function.batch_window_s}): messages come again while they are worked on"
    )
    wanted, deployed = profile.visibility_s, observed.queue_visibility_timeout_s
    if wanted < needed:
        # What is shorter than the function's timeout, Lambda does not even take as a source.
        severity: Severity = "error" if wanted < timeout_s else "warning"
        yield Finding(
            "visibility", severity, path, f"{path} is {wanted} s, {why}; leave it out, or set it to {needed} or more"
        )
    if deployed is not None and deployed < needed and deployed != wanted:
        sentence = f"{path} will be {wanted} s, but the queue that is deployed has {deployed} s, {why}; deploy it"
        yield Finding("visibility", "warning", path, sentence)


def _receives(profile: Profile, observed: Observed) -> Iterator[Finding]:
    path, wanted, deployed = "queue.max_receives", profile.queue.max_receives, observed.queue_max_receives
    why = f"below {LEAST_RECEIVES}: a few throttled deliveries make dead letters of messages with nothing wrong in them"
    if wanted < LEAST_RECEIVES:
        yield Finding("max-receives", "warning", path, f"{path} is {wanted}, {why}; set it to {LEAST_RECEIVES} or more")
    if deployed is not None and deployed < LEAST_RECEIVES and deployed != wanted:
        sentence = f"{path} will be {wanted}, but the queue that is deployed has {deployed}, {why}; deploy it"
        yield Finding("max-receives", "warning", path, sentence)


def _retention(profile: Profile) -> Iterator[Finding]:
    queue = profile.queue
    last_s = queue.max_receives * profile.visibility_s
    days = ceil(last_s / 864) / 100
    if queue.retention_days * 86_400 < last_s:
        yield Finding(
            "retention",
            "warning",
            "queue.retention_days",
            f"queue.retention_days is {queue.retention_days:g} ({queue.retention_days * 24:.1f} hours), and "
            f"queue.max_receives ({queue.max_receives}) deliveries take {last_s / 3600:.1f} hours: messages are gone "
            f"before they are dead letters; {f'set it to {days:g} or more, or lower' if days <= 14 else 'lower'} "
            f"queue.max_receives",
        )
    if queue.dead_letter_retention_days <= queue.retention_days:
        yield Finding(
            "retention",
            "warning",
            "queue.dead_letter_retention_days",
            f"queue.dead_letter_retention_days is {queue.dead_letter_retention_days:g} and queue.retention_days "
            f"{queue.retention_days:g}: SQS counts a dead letter's age from its first day in the queue, so that it "
            f"may be gone as soon as it is there; keep queue.retention_days below queue.dead_letter_retention_days",
        )


def _function(profile: Profile) -> Iterator[Finding]:
    function, lock = profile.function, profile.lock
    if function.reserved_concurrency < LEAST_CONCURRENCY:
        path = "function.reserved_concurrency"
        yield Finding(
            "concurrency",
            "warning",
            path,
            f"{path} is {function.reserved_concurrency}, and the queue alone takes two invocations at once: the sweep "
            f"finds no slot, or a batch comes back only after {profile.visibility_s} s; set it to "
            f"{LEAST_CONCURRENCY} or more",
        )
    least_s = lock.max_wait_s + STOP_MARGIN_S
    if function.timeout_s <= least_s:
        path = "function.timeout_s"
        yield Finding(
            "function-timeout",
            "error",
            path,
            f"{path} is {function.timeout_s}: after lock.max_wait_s ({lock.max_wait_s} s) for the lock and the "
            f"{STOP_MARGIN_S:.0f} s in which nothing is begun any more, no time is left to build a manifest; set it "
            f"well above {least_s:.0f}",
        )
    if lock.ttl_s < function.timeout_s:
        yield Finding(
            "lock-ttl",
            "warning",
            "lock.ttl_s",
            f"lock.ttl_s is {lock.ttl_s} and function.timeout_s {function.timeout_s}: a builder that is still at work "
            f"loses its lock to another, and its work with it; set lock.ttl_s to {function.timeout_s} or more",
        )


def _alarms(profile: Profile) -> Iterator[Finding]:
    alarms, age_s = profile.alarms, profile.batching.max_partial_age_s
    for name in ("oldest_message_age_s", "oldest_pending_age_s"):
        value = getattr(alarms, name)
        if value > LATENCY_S:
            yield Finding(
                "alarm-late",
                "warning",
                f"alarms.{name}",
                f"alarms.{name} is {value}, and the promise is {LATENCY_S:.0f} s from upload to Parquet: the alarm "
                f"comes when it is broken already; set it below {LATENCY_S:.0f}",
            )
    earliest_s = age_s + SWEEP_S
    if alarms.oldest_pending_age_s < earliest_s:
        path = "alarms.oldest_pending_age_s"
        yield Finding(
            "alarm-early",
            "warning",
            path,
            f"{path} is {alarms.oldest_pending_age_s}, and a file waits for batching.max_partial_age_s ({age_s} s) "
            f"and the next sweep ({SWEEP_S:.0f} s) when nothing is wrong: the alarm means nothing; set it to "
            f"{earliest_s:.0f} or more",
        )
