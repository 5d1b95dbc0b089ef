"""Each check: what it calls wrong, how bad that is, and what it says to type."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ndjctl.contracts import LOCKS_PARTITION
from ndjctl.health import metrics
from ndjctl.health.checks import check, worst_first
from ndjctl.health.facts import Clock, Facts, Sample, SourceMapping, Wiring
from ndjctl.health.model import Checked, headline
from ndjctl.locks import Judged, Verdict, lock_of
from ndjctl.settings import Profile
from tests.health_world import (
    DAY,
    LIVE_ARN,
    NAMES,
    NOW,
    PROFILE,
    QUEUE_ARN,
    ago,
    changed,
    file,
    files,
    healthy,
    log,
    lost,
    minutes,
    open_manifests,
    ours,
    queue,
    read,
    refused,
    run,
    runs,
    summary,
)

SET = ("deploy", "--set")
_LOCK = lock_of(
    {
        "date_prefix": LOCKS_PARTITION,
        "file_key": f"{DAY}#",
        "holder": "h",
        "expires_at": ago(999).timestamp(),
        "fence": 3,
    }
)


def oldest(status: str, *seen: Any) -> dict[str, Any]:
    return {"oldest": {**healthy().oldest, status: files(*seen)}}


def with_settings(path: str, value: Any) -> Profile:
    section, name = path.split(".")
    return PROFILE.model_copy(update={section: getattr(PROFILE, section).model_copy(update={name: value})})


QUEUE = dict(healthy().queue.value.attributes) if healthy().queue.value else {}


def problems(facts: Facts) -> dict[str, Checked]:
    return {each.code: each for each in check(facts) if each.verdict != "pass"}


def test_nothing_is_said_of_an_environment_with_which_nothing_is_wrong() -> None:
    assert problems(healthy()) == {}
    assert headline(check(healthy())) == ("HEALTHY", ())
    codes = [each.code for each in check(healthy())]
    assert len(codes) == len(set(codes))


FAILED = "run jr_1 ended FAILED: java.lang.OutOfMemoryError: Java heap space"
NO_ROOM = ours("run_waits", level="INFO", why="ConcurrentRunsExceededException")
NO_QUOTA = ours("run_waits", level="INFO", why="ResourceNumberLimitExceededException")
WAITS = log(waits=log(NO_ROOM).value.lines)  # type: ignore[union-attr]
WAITS_FOR_QUOTA = log(waits=log(NO_QUOTA).value.lines)  # type: ignore[union-attr]
SOMEBODY = SourceMapping("u2", "arn:aws:lambda:us-east-1:1:function:other", "Enabled", "", 1)

ROWS: list[tuple[str, dict[str, Any], str, str, list[tuple[str, ...]]]] = [
    # (about, what is changed, code, verdict, the words of its remedies)
    ("clock ahead", {"clock": read(Clock(61.0))}, "clock", "fail", [()]),
    ("clock behind", {"clock": read(Clock(-301.0))}, "clock", "fail", [()]),
    ("clock a little off", {"clock": read(Clock(20.0))}, "clock", "warn", [()]),
    ("no notification", {"wirings": read(())}, "notification", "fail", [("deploy",), ("backfill",)]),
    (
        "notification of other files",
        {"wirings": read((Wiring(QUEUE_ARN, ("s3:ObjectCreated:*",), "in/", ""),))},
        "notification",
        "fail",
        [("deploy",), ("backfill",)],
    ),
    (
        "notification of deletions",
        {"wirings": read((Wiring(QUEUE_ARN, ("s3:ObjectRemoved:*",), "", ""),))},
        "notification",
        "fail",
        [("deploy",), ("backfill",)],
    ),
    ("policy of the queue", {"queue": read(queue(Policy="{}"))}, "notification", "fail", [("deploy",), ("backfill",)]),
    ("no input bucket", {"wirings": refused("absent")}, "notification", "fail", [("deploy",)]),
    ("no queue", {"queue": refused("absent")}, "queue", "fail", [("deploy",), ("backfill",)]),
    (
        "no ledger",
        {"missing_tables": read((NAMES.tracking_table,))},
        "tables",
        "fail",
        [(), ("deploy",), ("backfill",)],
    ),
    ("no counters", {"missing_tables": read((NAMES.metrics_table,))}, "tables", "fail", [("deploy",)]),
    *(
        (f"no {bucket}", {"missing_buckets": read((bucket,))}, "buckets", "fail", [("deploy",), ("reconcile",)])
        for bucket in NAMES.buckets[1:]
    ),
    (
        "old message",
        {
            "queue": read(queue(**{**QUEUE, "ApproximateNumberOfMessages": "3"})),
            "metrics": minutes(queue_age_s=[(60, 5_000)]),
        },
        "queue",
        "fail",
        [(*SET, "function.reserved_concurrency=20")],
    ),
    ("no mapping", {"mappings": read(())}, "mapping", "fail", [("deploy",)]),
    (
        "mapping disabled",
        {"mappings": read((SourceMapping("u", LIVE_ARN, "Disabled", "", 1),))},
        "mapping",
        "fail",
        [("deploy",)],
    ),
    (
        "mapping to another version",
        {"mappings": read((SourceMapping("u", LIVE_ARN.removesuffix(":live"), "Enabled", "", 1),))},
        "mapping",
        "fail",
        [("deploy",)],
    ),
    ("another consumer", {"mappings": read((*(healthy().mappings.value or ()), SOMEBODY))}, "mapping", "fail", [()]),
    ("no function", {"function": refused("absent")}, "function", "fail", [("deploy",)]),
    ("function not active", changed("function", state="Failed"), "function", "fail", [("deploy",)]),
    ("function switched off", changed("function", reserved_concurrency=0), "function", "fail", [("deploy",)]),
    (
        "function throttled",
        {"metrics": minutes(function_throttles=[(120, 4)])},
        "function",
        "warn",
        [(*SET, "function.reserved_concurrency=20")],
    ),
    (
        "function throttled by hand",
        {"metrics": minutes(function_throttles=[(120, 4)]), **changed("function", reserved_concurrency=1)},
        "function",
        "warn",
        [("deploy",)],
    ),
    ("no schedule", {"sweep_rule": refused("absent")}, "schedule", "fail", [("deploy",)]),
    ("schedule disabled", changed("sweep_rule", is_enabled=False), "schedule", "fail", [("deploy",)]),
    ("schedule of another", changed("sweep_rule", targets=("arn:x",)), "schedule", "fail", [("deploy",)]),
    ("run events disabled", changed("run_state_rule", is_enabled=False), "run-events", "fail", [("deploy",)]),
    ("no sweep", {"metrics": minutes(sweeps=[(1_200, 1)])}, "sweep", "warn", [("sweep",)]),
    ("no job", {"job": refused("absent")}, "job", "fail", [("deploy",), ("sweep",)]),
    ("streaming", changed("job", command="gluestreaming"), "streaming", "fail", [("deploy",)]),
    (
        "streaming by the profile",
        {**changed("job", command="gluestreaming"), "profile": with_settings("job.command", "gluestreaming")},
        "streaming",
        "fail",
        [(*SET, "job.command=glueetl")],
    ),
    (
        "dead letters",
        {"dead_letters": read(queue(ApproximateNumberOfMessages=2))},
        "dead-letters",
        "fail",
        [("redrive", "dlq")],
    ),
    (
        "events lost",
        {"sample": read(Sample(10, (lost("a.ndjson"), lost("b.ndjson"), lost("c.ndjson", "2026-11-26")), True))},
        "lost-events",
        "fail",
        [("backfill", "--date", "2026-11-26"), ("backfill", "--date", DAY)],
    ),
    (
        "events lost, of many dates",
        {"sample": read(Sample(9, tuple(lost(f"{n}.ndjson", f"2026-11-{n:02d}") for n in range(1, 6)), True))},
        "lost-events",
        "fail",
        [("backfill",)],
    ),
    (
        "events lost within a grace of one's own",
        {"sample": read(Sample(1, (lost("a.ndjson"),), True)), "grace_s": 5.0},
        "lost-events",
        "fail",
        [("backfill", "--date", DAY, "--grace", "5")],
    ),
    ("late pending", oldest("pending", file("pending", age_s=900)), "stuck-pending", "warn", [("sweep", "--flush")]),
    ("stuck pending", oldest("pending", file("pending", age_s=9_000)), "stuck-pending", "fail", [("sweep", "--flush")]),
    (
        "stuck manifested",
        oldest("manifested", file("manifested", age_s=900, manifest_id="m9")),
        "stuck-manifested",
        "fail",
        [("redrive", "stuck", "--date", DAY)],
    ),
    (
        "stuck processing",
        oldest("processing", file("processing", age_s=900), file("processing", age_s=900, date="2026-11-26")),
        "stuck-processing",
        "fail",
        [("redrive", "stuck")],
    ),
    (
        "builder died",
        {"open_manifests": open_manifests(summary("m1", "claiming", age_s=900))},
        "stuck-manifests",
        "fail",
        [("sweep",)],
    ),
    (
        "run not followed",
        {
            "open_manifests": open_manifests(summary("m1", "running", run_id="jr_1")),
            "runs": runs(run("jr_1", "SUCCEEDED", age_s=2_000)),
        },
        "stuck-manifests",
        "fail",
        [("sweep",)],
    ),
    (
        "given up half-way",
        {"open_manifests": open_manifests(summary("m1", "running", age_s=900, given_up_at=ago(900)))},
        "stuck-manifests",
        "fail",
        [("sweep",)],
    ),
    ("no start", {"open_manifests": open_manifests(summary("m1", "ready", age_s=900))}, "starts", "fail", [("sweep",)]),
    (
        "slots taken by others",
        {"open_manifests": open_manifests(summary("m1", "ready", age_s=700)), "errors": WAITS},
        "concurrency",
        "warn",
        [(*SET, "job.max_concurrent_runs=60"), ("sweep",)],
    ),
    (
        "slots lowered by hand",
        {
            "open_manifests": open_manifests(summary("m0", "running"), summary("m1", "ready", age_s=3_000)),
            **changed("job", max_concurrent_runs=1),
        },
        "concurrency",
        "fail",
        [("deploy",), ("sweep",)],
    ),
    (
        "no quota",
        {"open_manifests": open_manifests(summary("m1", "ready", age_s=100)), "errors": WAITS_FOR_QUOTA},
        "concurrency",
        "warn",
        [()],
    ),
    (
        "dead lock",
        {"locks": read((Judged(_LOCK, Verdict(True, "its lease is over", None, NOW)),))},
        "locks",
        "warn",
        [("locks", "break", DAY)],
    ),
    (
        "out of memory, files failed",
        {"failed": files(file("failed", why=FAILED))},
        "out-of-memory",
        "fail",
        [(*SET, "job.worker_type=G.4X"), ("redrive", "failed")],
    ),
    (
        "out of memory, tried again",
        {"open_manifests": open_manifests(summary("m1", "ready", error=FAILED))},
        "out-of-memory",
        "fail",
        [(*SET, "job.worker_type=G.4X"), ("sweep",)],
    ),
    (
        "out of memory, run just failed",
        {
            "open_manifests": open_manifests(summary("m1", "running", run_id="jr_1")),
            "runs": runs(run("jr_1", "FAILED", error="OutOfMemoryError")),
        },
        "out-of-memory",
        "fail",
        [(*SET, "job.worker_type=G.4X"), ("sweep",)],
    ),
    (
        "run timed out",
        {"failed": files(file("failed", why="run jr_1 ended TIMEOUT: no message"))},
        "run-timed-out",
        "fail",
        [(*SET, "job.timeout_min=240"), ("redrive", "failed")],
    ),
    (
        "run near its time limit",
        {"runs": runs(run("jr_1", "RUNNING", age_s=6_500, lasted_s=6_500))},
        "run-timed-out",
        "warn",
        [(*SET, "job.timeout_min=240")],
    ),
    (
        "function timed out",
        {"errors": log("2026-11-27T11:59:00Z 1-2 Task timed out after 300.00 seconds")},
        "function-timed-out",
        "fail",
        [(*SET, "function.timeout_s=600"), ("redrive", "dlq")],
    ),
    (
        "function near its time limit",
        {"metrics": minutes(function_duration_ms=[(120, 280_000)])},
        "function-timed-out",
        "warn",
        [(*SET, "function.timeout_s=600")],
    ),
    (
        "function denied",
        {
            "errors": log(
                ours("invocation_failed", "ClientError: AccessDeniedException ... is not authorized to perform")
            )
        },
        "access-denied",
        "fail",
        [("deploy",), ("sweep",)],
    ),
    (
        "job denied",
        {"failed": files(file("failed", why="run jr_1 ended FAILED: AWS: An error occurred (AccessDenied)"))},
        "access-denied",
        "fail",
        [("deploy",), ("redrive", "failed")],
    ),
    (
        "function raising",
        {"errors": log("[ERROR] ValueError: nothing works\nTraceback (most recent call last):")},
        "function-errors",
        "fail",
        [("deploy",), ("sweep",)],
    ),
    (
        "function raising, by the count alone",
        {"metrics": minutes(function_errors=[(60, 3)], invocations=[(60, 3)], sweeps=[(280, 1)])},
        "function-errors",
        "fail",
        [("deploy",), ("sweep",)],
    ),
    (
        "files of an unknown cause",
        {"failed": files(file("failed", why="something new"))},
        "other-failures",
        "fail",
        [("errors",), ("redrive", "failed")],
    ),
    (
        "damaged files",
        {"failed": files(file("failed", why="s3://b/a.ndjson: its gzip data is damaged or cut off (x)"))},
        "damaged-input",
        "warn",
        [()],
    ),
    (
        "size rule by hand",
        changed("function", variables={"EXPECTED_FILE_SIZE_MB": "10", "SIZE_TOLERANCE_PERCENT": "50"}),
        "size-rule",
        "fail",
        [("deploy",)],
    ),
    (
        "size rule of the profile",
        {
            **changed("function", variables={"EXPECTED_FILE_SIZE_MB": "3500", "SIZE_TOLERANCE_PERCENT": "20"}),
            "profile": with_settings("size_rule.max_file_size_mb", None),
        },
        "size-rule",
        "fail",
        [(*SET, "size_rule.max_file_size_mb=4608")],
    ),
    (
        "normal files in quarantine",
        {
            "quarantined": files(
                file("quarantined", why="too-large: 1 bytes"), file("quarantined", key="-b.ndjson", why="too-small: 1")
            )
        },
        "quarantine",
        "warn",
        [("quarantine", "release", f"{DAY}-a.ndjson", f"s3://{NAMES.input_bucket}/-b.ndjson")],
    ),
    (
        "short runs",
        {"runs": runs(*(run(f"jr_{n}", "SUCCEEDED", lasted_s=20) for n in range(6)))},
        "cost-short-runs",
        "warn",
        [(*SET, "batching.max_partial_age_s=1200")],
    ),
    (
        "failed runs",
        {"runs": runs(*(run(f"jr_{n}", "FAILED" if n < 2 else "SUCCEEDED") for n in range(6)))},
        "cost-failed-runs",
        "warn",
        [("errors",)],
    ),
    ("a refused read", {"locks": refused()}, "permissions", "warn", [()]),
]


@pytest.mark.parametrize(
    ("changes", "code", "verdict", "words"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_what_is_wrong_is_named_with_what_mends_it(
    changes: dict[str, Any], code: str, verdict: str, words: list[tuple[str, ...]]
) -> None:
    found = problems(healthy(**changes))
    assert code in found, found
    assert found[code].verdict == verdict
    assert [remedy.words for remedy in found[code].remedies] == words
    assert all(remedy.words or remedy.other or remedy.hint for remedy in found[code].remedies)
    assert found[code].sentence.endswith(".")
    others = {other for other in found if other != code and found[other].verdict != "unknown"}
    assert others <= {"queue"} if changes.get("queue") else not others


OVER = [
    (
        "short runs of a laptop",
        {"runs": runs(*(run(f"jr_{n}", "SUCCEEDED", lasted_s=20, dpus=2.0) for n in range(6)))},
    ),
    (
        "a run that another has made good",
        {"runs": runs(run("jr_2", "SUCCEEDED"), run("jr_1", "FAILED", error="OutOfMemoryError"))},
    ),
    (
        "errors of the version before",
        {"errors": log("[ERROR] ValueError: x"), **changed("function", modified_at=ago(30))},
    ),
    (
        "an old file that a redrive entered now",
        oldest("pending", replace(file("pending", age_s=9_000), updated_at=ago(20))),
    ),
    ("a file that has just left its manifest", oldest("processing", file("processing", manifest_id="m9"))),
    (
        "no sweep of a function of a moment ago",
        {"metrics": minutes(sweeps=[]), **changed("function", modified_at=ago(100))},
    ),
    ("a manifest that waits for its turn", {"open_manifests": open_manifests(summary("m1", "ready", age_s=100))}),
    (
        "a manifest that waits its turn behind others",
        {"open_manifests": open_manifests(summary("m1", "ready", age_s=100)), "errors": WAITS},
    ),
    ("a count of errors before the last sweep", {"metrics": minutes(function_errors=[(600, 3)], sweeps=[(60, 1)])}),
]


@pytest.mark.parametrize("changes", [row[1] for row in OVER], ids=[row[0] for row in OVER])
def test_what_is_over_or_takes_its_time_is_not_wrong(changes: dict[str, Any]) -> None:
    assert problems(healthy(**changes)) == {}


@pytest.mark.parametrize("why", ["denied", "throttled", "refused"])
def test_what_could_not_be_read_is_unknown_and_makes_nothing_worse(why: Any) -> None:
    parts = {name: refused(why) for name in healthy().readings if " " not in name}
    facts = healthy(**parts, oldest={status: refused(why) for status in healthy().oldest})
    found = check(facts)
    assert {each.code: each.verdict for each in found if each.verdict != "unknown"} == {
        "permissions": "warn" if why == "denied" else "pass"
    }
    assert headline(found)[0] == ("DEGRADED" if why == "denied" else "HEALTHY")
    assert {each.code for each in found} == {each.code for each in check(healthy())}


@pytest.mark.parametrize("part", [name for name in healthy().readings if " " not in name])
def test_one_refused_read_costs_its_own_checks_only(part: str) -> None:
    found = {each.code: each.verdict for each in check(healthy(**{part: refused("throttled")}))}
    assert set(found.values()) <= {"pass", "unknown"}
    assert 0 <= list(found.values()).count("unknown") < 10


def test_where_nothing_is_deployed_that_is_all_there_is_to_say() -> None:
    parts = {name: refused("absent") for name in healthy().readings if " " not in name}
    found = check(healthy(**parts))
    assert [each.code for each in found if each.verdict == "fail"] == ["deployment"]
    assert len(found) == 2
    assert headline(found)[0] == "DOWN"


def test_the_worst_comes_first() -> None:
    found = worst_first(check(healthy(wirings=read(()), dead_letters=read(queue(ApproximateNumberOfMessages=1)))))
    assert [each.code for each in found[:2]] == ["notification", "dead-letters"]
    assert found[-1].verdict == "pass"
    late = healthy(clock=read(Clock(100.0)), locks=refused())
    assert [each.verdict for each in worst_first(check(late))][:3] == ["fail", "warn", "unknown"]


def test_evidence_is_bounded_however_much_is_wrong() -> None:
    many = tuple(file("failed", key=f"{n}.ndjson", why=FAILED) for n in range(100))
    (found,) = [each for each in check(healthy(failed=files(*many))) if each.code == "out-of-memory"]
    assert len(found.evidence) == 6
    assert found.evidence[-1] == "and 95 more"
    assert "100 failed files" in found.sentence


def test_a_file_that_is_called_like_a_cause_is_none() -> None:
    named = file("failed", key="AccessDenied OutOfMemory.ndjson", why="s3://b/AccessDenied OutOfMemory.ndjson: odd")
    assert set(problems(healthy(failed=files(named)))) == {"other-failures"}


def test_a_clock_is_judged_by_more_than_a_second() -> None:
    assert problems(healthy(clock=read(Clock(None))))["clock"].verdict == "unknown"
    for seconds in (0, 14, -14):
        assert "clock" not in problems(healthy(clock=read(Clock(float(seconds)))))


def test_the_metrics_that_are_asked_for_have_names_of_their_own() -> None:
    names = [query.name for query in metrics.queries(NAMES)]
    assert len(names) == len(set(names)) <= 500
    assert timedelta(seconds=metrics.BACK_S) == timedelta(hours=1)
