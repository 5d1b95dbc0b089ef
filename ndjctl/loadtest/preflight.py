"""What has to be so before a test begins: read once, judged purely. Whatever is not is a reason not to begin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ndjctl.advice import Finding
from ndjctl.budget import DayBudget, held_at_dpu_s, usd_of
from ndjctl.contracts import OPEN_MANIFESTS_PARTITION, PENDING, STATUS_INDEX, Attr, Names
from ndjctl.errors import WorkFailed
from ndjctl.items import query_pages
from ndjctl.loadtest.model import PHASES, LoadSettings
from ndjctl.loadtest.observing import messages
from ndjctl.loadtest.verdict import Check
from ndjctl.plain import counted, dollars
from ndjctl.settings import Profile

_COUNTED = 10_000
"""Pending files, beyond which the number does not matter."""


_LOOKS, _PAUSE_S = 10, 1.5


@dataclass(frozen=True)
class Before:
    """An environment before a test. pending_changes: what a deployment would change, by resource. others_pending,
    others_open: files and manifests of others. dead_letters: that there are already; more of them count against the
    test. schema_version: that is pinned for the dataset, 0 for none."""

    pending_changes: tuple[str, ...]
    queue_messages: int
    dead_letters: int
    others_pending: int
    others_open: int
    schema_version: int


def read_before(
    client: Callable[[str], Any],
    names: Names,
    pending_changes: Sequence[str],
    schema_version: int,
    sleep: Callable[[float], None],
) -> Before:
    """What is just being taken is waited for, a few seconds: such as the message that S3 sends when a bucket's
    notification is set. Raises what boto3 raises."""
    for _ in range(_LOOKS - 1):
        before = _read_before(client, names, pending_changes, schema_version)
        if not (before.queue_messages or before.others_pending or before.others_open):
            return before
        sleep(_PAUSE_S)
    return _read_before(client, names, pending_changes, schema_version)


def _read_before(
    client: Callable[[str], Any], names: Names, pending_changes: Sequence[str], schema_version: int
) -> Before:
    dynamodb, sqs = client("dynamodb"), client("sqs")
    open_ = query_pages(dynamodb, names.tracking_table, OPEN_MANIFESTS_PARTITION, fields=(Attr.FILE_KEY,))
    pending = dynamodb.query(
        TableName=names.tracking_table,
        IndexName=STATUS_INDEX,
        KeyConditionExpression="#status = :status",
        ExpressionAttributeNames={"#status": Attr.STATUS},
        ExpressionAttributeValues={":status": {"S": PENDING}},
        Select="COUNT",
        Limit=_COUNTED,
    )
    return Before(
        pending_changes=tuple(pending_changes),
        queue_messages=messages(sqs, names.queue),
        dead_letters=messages(sqs, names.dead_letter_queue),
        others_pending=int(pending["Count"]),
        others_open=sum(len(items) for items, _ in open_),
        schema_version=schema_version,
    )


def check_before(
    before: Before, profile: Profile, settings: LoadSettings, findings: Sequence[Finding], is_passed: bool | None
) -> list[Check]:
    """findings: of the settings against the account. is_passed: whether the phase before was, with this configuration;
    None where that is not asked for."""
    return list(_checks(before, profile, settings, findings, is_passed))


def _checks(
    before: Before, profile: Profile, settings: LoadSettings, findings: Sequence[Finding], is_passed: bool | None
) -> Iterator[Check]:
    changes = before.pending_changes
    told = "deployed"
    if changes:
        told = f"not as the profile says: {counted(len(changes), 'resource')}, the first {changes[0]}"
    yield Check("drift", not changes, told)
    queued = counted(before.queue_messages, "message")
    yield Check("queue", not before.queue_messages, f"{queued} in the queue of file events")
    waiting = f"waiting: {counted(before.others_pending, 'file')}; open: {counted(before.others_open, 'manifest')}"
    yield Check("idle", not (before.others_pending or before.others_open), waiting)
    verdict = profile.size_rule.window.verdict(settings.file_size_bytes)
    told = f"files of {settings.file_size_bytes:,} bytes are {verdict or 'normal'} by the size rule"
    yield Check("size", verdict is None, told)
    errors = [finding for finding in findings if finding.severity == "error"]
    yield Check("quotas", not errors, errors[0].sentence if errors else "settings and quotas agree")
    if settings.phase > min(PHASES) and is_passed is not None:
        told = (
            f"phase {settings.phase - 1} {'was' if is_passed else 'was not'} passed with this configuration, records "
            f"of the same shape and files as large"
        )
        yield Check("phase", is_passed, told)


def check_room(check: Callable[[int], None], size_bytes: int) -> Check | None:
    """None where there is room for so much input. check: raises WorkFailed where there is not, with a sentence."""
    try:
        check(size_bytes)
    except WorkFailed as error:
        told = str(error).rstrip(".")
        return Check("room", False, told[:1].lower() + told[1:])
    return None


def check_budget(estimated_usd: float | None, max_cost_usd: float | None) -> Check | None:
    """None where no budget was set."""
    if max_cost_usd is None:
        return None
    if estimated_usd is None:
        return Check("budget", False, "the region's price is not known, so that a budget cannot be kept")
    told = f"it will cost about {dollars(estimated_usd)}, the budget is {dollars(max_cost_usd)}"
    return Check("budget", estimated_usd <= max_cost_usd, told)


def check_day(day: DayBudget, profile: Profile, glue_usd: float | None) -> Check | None:
    """Whether today's budget lets the test's runs start. None where no run is held, or the budget is lifted wholly.
    glue_usd: that the runs will cost, None where the price is not known."""
    limit = max(held_at_dpu_s(profile), day.limit_now or Decimal(0)) if profile.cost.hold_runs else None
    if limit is None or (day.lifted_at is not None and day.limit_now is None):
        return None
    if day.held_since is not None:
        told = "today's budget (cost.max_per_day) is spent, and runs are held: 'ndjctl cost lift' lets them start"
        return Check("day", False, told)
    left_usd = float(usd_of(limit - day.spent, profile) or 0)
    told = f"{dollars(left_usd)} of today's budget for runs are left"
    return Check("day", glue_usd is None or glue_usd <= left_usd, told)
