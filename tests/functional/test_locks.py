"""`ndjctl locks` and `locks break` on moto: only what is provably dead is broken, and only as it was read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from lambda_handler.config import settings_from
from lambda_handler.lock import Lock as HeldLock
from lambda_handler.lock import held
from lambda_handler.services import Invocation, Services
from ndjctl.aws import Cloud
from ndjctl.contracts import LOCKS_PARTITION, TTL_DAYS, Attr, Env, iso_utc
from ndjctl.health.reading_ledger import read_locks
from ndjctl.locks import Locks
from tests.functional.operations_world import DAY, NAMES, GlueStub, Operations, now

RUN = "jr_" + "a" * 8


def builder(operations: Operations, *, at: datetime, request_id: str) -> Invocation:
    """The real function's view of its locks, with a clock that stands at `at`."""
    settings = settings_from(
        {
            Env.TRACKING_TABLE: NAMES.tracking_table,
            Env.METRICS_TABLE: NAMES.metrics_table,
            Env.LOCK_TABLE: NAMES.tracking_table,
            Env.MANIFEST_BUCKET: NAMES.manifest_bucket,
            Env.QUARANTINE_BUCKET: NAMES.quarantine_bucket,
            "OUTPUT_BUCKET": NAMES.output_bucket,
            Env.GLUE_JOB_NAME: NAMES.job,
            Env.MAX_FILES_PER_MANIFEST: "1",
            Env.MAX_BATCH_SIZE_GB: "1",
            Env.EXPECTED_FILE_SIZE_MB: "1",
            Env.SIZE_TOLERANCE_PERCENT: "1",
            Env.LOCK_TTL_SECONDS: "300",
            Env.LOG_LEVEL: "CRITICAL",
        }
    )
    services = Services(
        settings, make_client=lambda _service: operations.dynamodb, clock=lambda: at, sleep=lambda _seconds: None
    )
    return Invocation(services, request_id, lambda: 300.0)


Take = Callable[..., HeldLock]


@pytest.fixture
def take(operations: Operations) -> Iterator[Take]:
    """Takes the day's lock as the real function does, `age_s` ago; it is not released before the end of the test."""
    with ExitStack() as stack:

        def taken(*, age_s: float, request_id: str = "request-1") -> HeldLock:
            invocation = builder(operations, at=now() - timedelta(seconds=age_s), request_id=request_id)
            lock = stack.enter_context(held(invocation, DAY, 0))
            assert lock is not None
            return lock

        yield taken


@pytest.fixture
def deployed(operations: Operations) -> Operations:
    operations.deploy()
    return operations


def test_who_holds_what_since_when_until_when(deployed: Operations, take: Take) -> None:
    begun = now()
    take(age_s=100)
    deployed.lock("2026-11-22", fence=7, ttl=int(now().timestamp()) + 1000)
    document = deployed("locks", "--json").document
    (lock,) = document["locks"]
    assert (document["held"], document["dead"], document["free"]) == (1, 0, 1)
    assert (lock["lock"], lock["kind"], lock["holder"], lock["fence"]) == (DAY, "batching", "request-1", 1)
    assert 98 <= lock["age_s"] <= 102 + (now() - begun).total_seconds()
    assert lock["dead"] is False
    assert lock["why"] == "its lease is not over"
    assert [each["lock"] for each in deployed("locks", "--all", "--json").document["locks"]] == ["2026-11-22", DAY]
    out = deployed("locks", "--all").out
    assert "1 lock held, 0 of them by the dead; 1 free" in out
    assert "next:" not in out


def test_a_living_holder_keeps_its_lock_and_is_told_until_when(deployed: Operations, take: Take) -> None:
    take(age_s=100)
    before = deployed.get(LOCKS_PARTITION, f"{DAY}#")
    answer = deployed("locks", "break", DAY, "--json")
    assert answer.code == 1
    document = answer.document
    assert (document["broken"], document["held"], document["holder"]) == (False, True, "request-1")
    assert "request-1 holds it, and its lease is not over. It can be broken after" in document["message"]
    left_s = datetime.fromisoformat(document["breakable_from"]) - datetime.fromisoformat(document["aws_time"])
    assert 255 <= left_s.total_seconds() <= 262
    assert deployed.get(LOCKS_PARTITION, f"{DAY}#") == before


@pytest.mark.parametrize(("over_s", "code"), [(30, 1), (58, 1), (70, 0)])
def test_a_lease_is_over_a_minute_after_its_end(deployed: Operations, take: Take, over_s: float, code: int) -> None:
    take(age_s=300 + over_s)
    assert deployed("locks", "break", DAY).code == code
    item = deployed.get(LOCKS_PARTITION, f"{DAY}#")
    assert item is not None
    assert (Attr.HOLDER in item) == bool(code)


def test_a_broken_lock_is_free_and_its_fence_goes_on(deployed: Operations, take: Take) -> None:
    paused = take(age_s=1000)
    listed = deployed("locks")
    assert f"locks break --env dev {DAY}" in listed.out
    answer = deployed("locks", "break", DAY)
    assert (answer.code, answer.err) == (0, "")
    assert f"The lock {DAY} was taken from request-1 (its lease is over); its fence is 2 now." in answer.out
    assert deployed.get(LOCKS_PARTITION, f"{DAY}#") == {
        Attr.DATE_PREFIX: LOCKS_PARTITION,
        Attr.FILE_KEY: f"{DAY}#",
        Attr.FENCE: 2,
        Attr.TTL: pytest.approx(now().timestamp() - 1000 + TTL_DAYS * 86_400, abs=5),
    }
    # The holder that wakes up finds its check refused, and the next one takes the lock under a higher fence.
    with pytest.raises(deployed.dynamodb.exceptions.TransactionCanceledException):
        deployed.dynamodb.transact_write_items(
            TransactItems=[paused.check(builder(deployed, at=now(), request_id="request-1"))]
        )
    assert take(age_s=0, request_id="request-2").fence == 3
    again = deployed("locks", "break", DAY)
    assert again.code == 1
    assert "request-2 holds it" in again.out


def test_a_lease_that_ends_later_than_any_of_ours_can_is_broken_and_its_fence_goes_on(
    deployed: Operations, take: Take
) -> None:
    ends_at = now().replace(microsecond=0) + timedelta(hours=10)
    deployed.lock(DAY, holder="x", expires_at=int(ends_at.timestamp()), fence=7)
    listed = deployed("locks")
    assert "1 lock held, 1 of them by the dead" in listed.out
    assert f"locks break --env dev {DAY}" in listed.out
    (judged,) = read_locks(deployed.dynamodb, NAMES, 300)
    assert judged.verdict.is_dead
    answer = deployed("locks", "break", DAY)
    assert answer.code == 0
    assert f"(its lease ends at {iso_utc(ends_at)}, later than any of ours can); its fence is 8 now." in answer.out
    assert take(age_s=0).fence == 9


def test_the_laptop_does_not_decide(deployed: Operations, take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop whose clock is an hour ahead would take a living holder for dead."""
    take(age_s=0)

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return now() + timedelta(hours=1)

    import ndjctl.cli.locks

    monkeypatch.setattr(ndjctl.cli.locks, "datetime", Ahead)
    answer = deployed("locks", "break", DAY)
    assert answer.code == 1
    assert "This machine's clock is 1 h ahead of AWS's, which is what counts here." in answer.err
    assert "This machine's clock is 1 h" in deployed("locks").err


def test_a_lock_that_changes_hands_meanwhile_stays(deployed: Operations, take: Take) -> None:
    take(age_s=1000)
    locks = Locks(deployed.dynamodb, None, NAMES, 300)
    judged = locks.find(DAY)
    assert judged is not None and judged.verdict.is_dead
    take(age_s=0, request_id="request-2")
    assert locks._free(judged.lock) == (False, None)
    assert (deployed.get(LOCKS_PARTITION, f"{DAY}#") or {})[Attr.HOLDER] == "request-2"
    # The same holder under another fence: the same request id, delivered again.
    deployed.lock(DAY, holder="request-1", fence=5, expires_at=1)
    assert locks._free(judged.lock) == (False, None)


def test_a_free_lock_or_none_is_nothing_to_break(deployed: Operations) -> None:
    answer = deployed("locks", "break", DAY, "--json")
    assert (answer.code, answer.document["broken"], answer.document["held"]) == (0, False, False)
    deployed.lock(DAY, fence=3)
    assert "Nobody holds the lock" in deployed("locks", "break", DAY).out
    assert (deployed.get(LOCKS_PARTITION, f"{DAY}#") or {})[Attr.FENCE] == 3


def test_what_is_no_lock(operations: Operations) -> None:
    assert operations("locks").code == 2
    operations.deploy()
    answer = operations("locks", "break", "2026-13-01")
    assert answer.code == 2
    assert "takes YYYY-MM-DD or rewrite-ID, '2026-13-01' is not that" in answer.err


def test_rewrite_locks_go_by_the_beginning_of_the_manifests_id(deployed: Operations) -> None:
    ids = ("20261123T100000000Z-0123abcd", "20261123T100000000Z-0123abce")
    answer = deployed("locks", "break", "rewrite-nonsense")
    assert (answer.code, answer.out) == (2, "")
    assert "No manifest has an id that begins with 'nonsense'" in answer.err
    assert deployed("locks", "break", "rewrite-").code == 2
    deployed.manifest(ids[0], "done")
    nobody = deployed("locks", "break", "rewrite-20261123", "--json")
    assert (nobody.code, nobody.document["lock"], nobody.document["held"]) == (0, f"rewrite-{ids[0]}", False)
    glue, real = GlueStub({RUN: ("RUNNING", None)}, now()), Cloud.client
    deployed.monkeypatch.setattr(Cloud, "client", lambda self, name: glue if name == "glue" else real(self, name))
    deployed.lock(f"rewrite-{ids[0]}", holder=RUN)
    held = deployed("locks", "break", "rewrite-20261123", "--json")
    assert (held.code, held.document["lock"], held.document["held"]) == (1, f"rewrite-{ids[0]}", True)
    deployed.lock(f"rewrite-{ids[1]}", holder=RUN)
    several = deployed("locks", "break", "rewrite-20261123")
    assert several.code == 2
    assert "More than one lock has a name that begins with 'rewrite-20261123'" in several.err
    assert deployed("locks", "break", f"rewrite-{ids[1]}", "--json").document["lock"] == f"rewrite-{ids[1]}"


def test_the_list_fits_a_terminal(deployed: Operations, take: Take) -> None:
    take(age_s=100)
    deployed.lock("rewrite-20261123T100000000Z-0123abcd", holder="jr_1", expires_at=1)
    lines = deployed("locks").out.splitlines()
    assert max(map(len, lines[:1] + lines[1::2])) <= 80
    assert "  fence 1; held by request-1, its lease is not over" in lines


def test_every_page_is_read(deployed: Operations) -> None:
    for number in range(300):
        deployed.lock(f"x{number:03d}", holder="y" * 4_000, fence=1)
    document = deployed("locks", "--json").document
    assert (len(document["locks"]), document["held"]) == (300, 300)
    assert {lock["why"] for lock in document["locks"]} == {"it has no expiry that could prove it"}


# ---------------------------------------------------------------------------------------------- rewrite locks


@pytest.mark.parametrize(
    ("runs", "dead", "why"),
    [
        ({RUN: ("RUNNING", None)}, False, f"its run {RUN} is RUNNING"),
        ({RUN: ("STOPPING", None)}, False, f"its run {RUN} is STOPPING"),
        ({RUN: ("SUCCEEDED", 0)}, True, f"its run {RUN} ended SUCCEEDED"),
        ({RUN: ("STOPPED", 0)}, True, f"its run {RUN} ended STOPPED"),
        ({RUN: ("FAILED", 10)}, False, f"its run {RUN} FAILED, and Glue may try it again"),
        ({RUN: ("FAILED", 40)}, True, f"its run {RUN} ended FAILED"),
        ({RUN: ("FAILED", 40), f"{RUN}_attempt_1": ("RUNNING", None)}, False, f"its run {RUN}_attempt_1 is RUNNING"),
        (
            {RUN: ("FAILED", 90), f"{RUN}_attempt_1": ("TIMEOUT", 40)},
            True,
            f"its run {RUN}_attempt_1 ended TIMEOUT",
        ),
        ({}, False, f"Glue does not know the run {RUN}, which proves nothing"),
    ],
)
def test_a_rewrite_lock_is_dead_when_glue_says_that_its_run_has_ended(
    deployed: Operations, runs: dict[str, tuple[str, int | None]], dead: bool, why: str
) -> None:
    told = {
        run_id: (state, None if ended_s is None else now() - timedelta(seconds=ended_s))
        for run_id, (state, ended_s) in runs.items()
    }
    deployed.lock("rewrite-m1", holder=RUN, fence=4, expires_at=1)
    locks = Locks(deployed.dynamodb, GlueStub(told, now()), NAMES, 300)
    (judged,) = locks.all()
    assert (judged.lock.kind, judged.lock.subject) == ("rewrite", "m1")
    assert (judged.verdict.is_dead, judged.verdict.why) == (dead, why)
    breaking = locks.break_("rewrite-m1")
    assert (breaking.is_broken, breaking.fence) == (dead, 5 if dead else None)
    item = deployed.get(LOCKS_PARTITION, "rewrite-m1#") or {}
    assert item.get(Attr.HOLDER) == (None if dead else RUN)


def test_a_lock_without_a_fence_is_gone_when_it_is_broken(deployed: Operations) -> None:
    deployed.lock("rewrite-m1", holder=RUN)
    breaking = Locks(deployed.dynamodb, GlueStub({RUN: ("STOPPED", now())}, now()), NAMES, 300).break_("rewrite-m1")
    assert (breaking.is_broken, breaking.fence) == (True, None)
    assert deployed.get(LOCKS_PARTITION, "rewrite-m1#") is None


def test_without_a_time_of_aws_nothing_is_proven(deployed: Operations, take: Take) -> None:
    take(age_s=10_000)
    mute = SimpleNamespace(
        get_item=lambda **request: {**deployed.dynamodb.get_item(**request), "ResponseMetadata": {"HTTPHeaders": {}}}
    )
    breaking = Locks(mute, None, NAMES, 300).break_(DAY)
    assert not breaking.is_broken
    assert breaking.verdict is not None and "AWS did not tell its time" in breaking.verdict.why
    failed = GlueStub({RUN: ("FAILED", now() - timedelta(hours=1))}, None)
    deployed.lock("rewrite-m1", holder=RUN, fence=1)
    assert not Locks(deployed.dynamodb, failed, NAMES, 300).break_("rewrite-m1").is_broken
