"""What is told of a file in every state that it can be in, and that each verdict ends with what mends it."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjctl.contracts import FAILED, MANIFESTED, PENDING, PROCESSING, QUARANTINED, Attr, iso_utc
from ndjctl.explain.explaining import explain
from ndjctl.explain.facts import Counted, DeadLetter, FileFacts, InputObject, ReportedFile, StoredVersion
from ndjctl.explain.model import STAGES
from ndjctl.explain.obstacles import obstacles_of
from ndjctl.health.facts import Function, LogLine, LogLines, OpenManifest, OpenManifests, Queue, Rule, SourceMapping
from ndjctl.health.model import Remedy
from ndjctl.locks import BATCHING, Judged, Lock, Verdict
from ndjctl.manifests import ManifestSummary
from ndjctl.output.explain import explained_view
from ndjctl.output.shell import typeable
from ndjctl.reading import Reading
from tests.explain_world import (
    ABSENT,
    DAY,
    DENIED,
    MANIFEST,
    NAMES,
    NOW,
    PROFILE,
    RUN,
    URI,
    ago,
    converted,
    environment,
    file_facts,
    lost,
    manifest,
    run,
    said,
)

IN = {Attr.BATCH_ID: MANIFEST}
DELETED = (StoredVersion(ago(50), 0, "", is_latest=True, is_deletion=True),)
DEAD = DeadLetter(True, "never entered in the ledger", 5, 7, True)
REPORT = ReportedFile(MANIFEST, RUN, ago(1000), "completed", "e1", 10, 9, 1, "", 2, 1)
OFF = {"sweep_rule": Rule("r", False, "rate(1 minute)", ())}
OOM = run("FAILED", "java.lang.OutOfMemoryError: Java heap space")
NO_KEY = run("FAILED", "manifest s3://b/k cannot be read: NoSuchKey")
NO_JOB = "An error occurred (EntityNotFoundException) when calling the StartJobRun operation: Job x not found"


def queue(visible: int = 0, in_flight: int = 0) -> Queue:
    counts = {"ApproximateNumberOfMessages": str(visible), "ApproximateNumberOfMessagesNotVisible": str(in_flight)}
    healthy = environment().queue.value
    assert healthy is not None
    return replace(healthy, attributes={**healthy.attributes, **counts})


def errors(message: str) -> LogLines:
    return LogLines((LogLine(ago(60), message, ""),), True, ago(900))


def lock(*, is_dead: bool) -> tuple[Judged, ...]:
    held = Lock(BATCHING, DAY, f"{DAY}#", "request-1", ago(500), ago(200), 3)
    return (Judged(held, Verdict(is_dead, "its lease is over" if is_dead else "its lease is not over", NOW, NOW)),)


def open_ones(*states: str) -> OpenManifests:
    def one(number: int, state: str) -> OpenManifest:
        about = (f"2026112{number % 10}T000000000Z-{number:08x}", DAY, state, True, 1, 1)
        return OpenManifest(ManifestSummary(*about, None, None, None, None, 0, "", "", None))

    return OpenManifests(tuple(one(number, state) for number, state in enumerate(states)), True)


def function(**changes: Any) -> Function:
    healthy = environment().function.value
    assert healthy is not None
    return replace(healthy, **changes)


Case = tuple[str, Callable[[], FileFacts], str, bool, str]
"""(what it is, how it is made, the verdict's code, whether it is wrong, the first command or part of a hint)."""

UNKNOWN_FILES: list[Case] = [
    ("never uploaded", lambda: file_facts(is_there=False), "never-uploaded", True, "upload it to"),
    ("deleted", lambda: file_facts(is_there=False, versions=DELETED), "deleted", False, ""),
    ("another suffix", lambda: file_facts(key="a.csv"), "not-a-file", True, "aws s3 cp"),
    ("just uploaded", lambda: file_facts(age_s=20), "event-under-way", False, ""),
    ("uploaded, no job", lambda: file_facts(age_s=20, env={"job": ABSENT}), "will-not-go-on", True, "deploy"),
    ("event lost, no job", lambda: file_facts(env={"job": ABSENT}), "event-lost", True, "deploy"),
    ("event lost", file_facts, "event-lost", True, "backfill --prefix"),
    ("in the queue", lambda: file_facts(age_s=300, env={"queue": queue(9)}), "event-queued", False, ""),
    ("others in flight", lambda: file_facts(age_s=300, env={"queue": queue(0, 9)}), "event-lost", True, "backfill"),
    ("queued too long", lambda: file_facts(env={"queue": queue(9)}), "event-lost", True, "backfill --prefix"),
    ("no notification", lambda: file_facts(env={"wirings": ()}), "not-wired", True, "deploy"),
    ("no queue", lambda: file_facts(env={"queue": ABSENT}), "not-wired", True, "deploy"),
    ("queue without policy", lambda: file_facts(env={"queue": Queue("u", {})}), "not-wired", True, "deploy"),
    ("nothing feeds", lambda: file_facts(env={"mappings": ()}), "event-waits", True, "deploy"),
    ("no function", lambda: file_facts(env={"function": ABSENT}), "event-waits", True, "deploy"),
    (
        "not let run",
        lambda: file_facts(env={"function": function(reserved_concurrency=0)}),
        "event-waits",
        True,
        "deploy",
    ),
    (
        "raises",
        lambda: file_facts(env={"errors": errors("[ERROR] Runtime.ImportModuleError: no")}),
        "event-waits",
        True,
        "deploy",
    ),
    (
        "raised before it was deployed again",
        lambda: file_facts(env={"errors": errors("[ERROR] E: no"), "function": function(modified_at=ago(30))}),
        "event-lost",
        True,
        "backfill",
    ),
    (
        "garbage in the queue",
        lambda: file_facts(env={"errors": errors('{"level": "ERROR", "event": "message_not_understood"}')}),
        "event-lost",
        True,
        "backfill",
    ),
    ("dead letter", lambda: file_facts(letter=DEAD), "dead-letter", True, "redrive dlq"),
    (
        "dead letter of a cause",
        lambda: file_facts(letter=DEAD, log=said("file_not_tracked", "ERROR", error="AccessDenied: no")),
        "dead-letter",
        True,
        "deploy",
    ),
    (
        "fails on it",
        lambda: file_facts(log=said("file_not_tracked", "ERROR", error="AccessDenied: no")),
        "function-failing",
        True,
        "deploy",
    ),
    (
        "forgotten",
        lambda: file_facts(age_s=9e5, forgotten=REPORT),
        "converted-and-forgotten",
        False,
        "",
    ),
    ("its item lost too early", lambda: file_facts(forgotten=REPORT), "converted-and-forgotten", False, ""),
    ("forgotten, gone", lambda: file_facts(is_there=False, forgotten=REPORT), "converted-and-forgotten", False, ""),
    ("forgotten, another version", lambda: file_facts(etag="e2", forgotten=REPORT), "event-lost", True, "backfill"),
    ("set aside long ago", lambda: file_facts(set_aside=True), "quarantined-and-forgotten", False, ""),
    ("ledger gone", lambda: file_facts(items=ABSENT), "ledger-gone", True, "deploy"),
    ("ledger refused", lambda: file_facts(items=DENIED), "not-read", False, ""),
    ("all refused", lambda: file_facts(items=Reading(()), object=DENIED), "not-read", False, ""),
]

KNOWN_FILES: list[Case] = [
    ("pending", lambda: file_facts(PENDING, age_s=100), "pending", False, ""),
    (
        "pending without a job",
        lambda: file_facts(PENDING, age_s=5, env={"job": ABSENT}),
        "will-not-go-on",
        True,
        "deploy",
    ),
    ("too long without a job", lambda: file_facts(PENDING, env={"job": ABSENT}), "pending-stuck", True, "deploy"),
    (
        "running without a function",
        lambda: file_facts(
            PROCESSING,
            attributes=IN,
            manifest=manifest("running"),
            runs=(run("RUNNING", ended_s=None),),
            env={"function": ABSENT},
        ),
        "will-not-go-on",
        True,
        "deploy",
    ),
    ("pending, nothing feeds", lambda: file_facts(PENDING, age_s=5, env={"mappings": ()}), "pending", False, ""),
    ("pending too long", lambda: file_facts(PENDING), "pending-stuck", True, "sweep"),
    ("no schedule", lambda: file_facts(PENDING, env=OFF), "pending-stuck", True, "deploy"),
    (
        "function switched off",
        lambda: file_facts(PENDING, age_s=5, env={"function": function(reserved_concurrency=0)}),
        "pending-stuck",
        True,
        "deploy",
    ),
    ("lock dead", lambda: file_facts(PENDING, env={"locks": lock(is_dead=True)}), "lock-dead", True, "locks break"),
    ("lock held", lambda: file_facts(PENDING, env={"locks": lock(is_dead=False)}), "lock-held", False, ""),
    (
        "backlog",
        lambda: file_facts(PENDING, env={"open_manifests": open_ones(*["ready"] * 100)}),
        "backlog",
        False,
        "",
    ),
    (
        "backlog that nothing takes",
        lambda: file_facts(PENDING, env={"open_manifests": open_ones(*["ready"] * 100), "job": ABSENT}),
        "backlog",
        True,
        "deploy",
    ),
    ("pending, gone", lambda: file_facts(PENDING, is_there=False), "object-gone", True, "put the object back"),
    ("no manifest", lambda: file_facts(MANIFESTED), "stuck", True, f"redrive stuck --date {DAY}"),
    (
        "closed manifest",
        lambda: file_facts(PROCESSING, attributes=IN, manifest=manifest("abandoned")),
        "stuck",
        True,
        "redrive stuck",
    ),
    (
        "being built",
        lambda: file_facts(MANIFESTED, attributes=IN, manifest=manifest("claiming", age_s=10)),
        "building",
        False,
        "",
    ),
    (
        "builder died",
        lambda: file_facts(MANIFESTED, attributes=IN, manifest=manifest("claiming")),
        "builder-died",
        True,
        "sweep",
    ),
    (
        "builder died with the lock",
        lambda: file_facts(MANIFESTED, attributes=IN, manifest=manifest("claiming"), env={"locks": lock(is_dead=True)}),
        "builder-died",
        True,
        "locks break",
    ),
    (
        "job not there",
        lambda: file_facts(MANIFESTED, attributes=IN, manifest=manifest("ready"), env={"job": ABSENT}),
        "no-run",
        True,
        "deploy",
    ),
    (
        "start refused",
        lambda: file_facts(MANIFESTED, attributes=IN, manifest=manifest("ready", error=NO_JOB)),
        "run-refused-or-failed",
        True,
        "deploy",
    ),
    (
        "no room",
        lambda: file_facts(
            MANIFESTED,
            attributes=IN,
            manifest=manifest("ready"),
            env={"open_manifests": open_ones(*["running"] * 30, "ready")},
        ),
        "waits-for-room",
        False,
        "",
    ),
    (
        "room, and not started",
        lambda: file_facts(MANIFESTED, attributes=IN, manifest=manifest("ready")),
        "not-started",
        True,
        "sweep",
    ),
    (
        "running",
        lambda: file_facts(
            PROCESSING, attributes=IN, manifest=manifest("running"), runs=(run("RUNNING", ended_s=None),)
        ),
        "running",
        False,
        "",
    ),
    (
        "out of memory",
        lambda: file_facts(PROCESSING, attributes=IN, manifest=manifest("running"), runs=(OOM,)),
        "run-ended",
        True,
        "deploy --set job.worker_type=G.4X",
    ),
    (
        "run unknown",
        lambda: file_facts(PROCESSING, attributes=IN, manifest=manifest("started")),
        "run-unknown",
        True,
        "sweep",
    ),
    (
        "its manifest is gone, and a run met that",
        lambda: file_facts(MANIFESTED, attributes=IN, manifest=lost(manifest("started")), runs=(NO_KEY,)),
        "manifest-lost",
        True,
        "sweep",
    ),
    (
        "its manifest is damaged, and no run has met that",
        lambda: file_facts(MANIFESTED, attributes=IN, manifest=lost(manifest("ready"), "it is not JSON: x")),
        "manifest-lost",
        True,
        "sweep",
    ),
    (
        "its manifest is gone, and a run is under way",
        lambda: file_facts(
            PROCESSING, attributes=IN, manifest=lost(manifest("running")), runs=(run("RUNNING", ended_s=None),)
        ),
        "running",
        False,
        "",
    ),
    (
        "its manifest is gone, and no run can start",
        lambda: file_facts(MANIFESTED, attributes=IN, manifest=lost(manifest("ready")), env={"job": ABSENT}),
        "no-run",
        True,
        "deploy",
    ),
    (
        "tried again by Glue",
        lambda: file_facts(
            PROCESSING, attributes=IN, manifest=manifest("running"), runs=(run("FAILED", "x", ended_s=10),)
        ),
        "run-retried",
        False,
        "",
    ),
    (
        "given up",
        lambda: file_facts(
            PROCESSING, attributes=IN, manifest=manifest("running", given_up_at=iso_utc(ago(5)), error="x")
        ),
        "giving-up",
        True,
        "sweep",
    ),
    ("runs refused", lambda: file_facts(PROCESSING, manifest=manifest("running"), runs=DENIED), "not-read", False, ""),
    (
        "failed",
        lambda: file_facts(FAILED, attributes={Attr.ERROR: f"{URI}: 7 of 9 lines are bad"}),
        "failed",
        True,
        "upload a mended file",
    ),
    (
        "failed of nothing known",
        lambda: file_facts(FAILED, attributes={Attr.ERROR: "odd"}),
        "failed",
        True,
        f"redrive failed --date {DAY}",
    ),
    (
        "failed, gone",
        lambda: file_facts(FAILED, is_there=False, attributes={Attr.ERROR: "odd"}),
        "failed",
        True,
        "put the object back",
    ),
    (
        "quarantined",
        lambda: file_facts(QUARANTINED, size_bytes=5, attributes={Attr.REASON: "too-small: 5 bytes"}),
        "quarantined",
        True,
        "quarantine release",
    ),
    (
        "quarantined, gone",
        lambda: file_facts(QUARANTINED, is_there=False, attributes={Attr.REASON: "too-small: 5 bytes"}),
        "quarantined-deleted",
        False,
        "",
    ),
    ("converted", converted, "completed", False, ""),
    ("converted, gone", lambda: converted(is_there=False), "completed", False, ""),
    ("overwritten", lambda: converted(etag="e2"), "superseded", True, "reprocess"),
    (
        "overwritten, known",
        lambda: converted(etag="e2", attributes={Attr.SUPERSEDED_BY: "e2"}),
        "superseded",
        True,
        "reprocess",
    ),
    ("part gone", lambda: converted(parts=replace_parts(1)), "parts-missing", True, "reprocess --manifest"),
    (
        "counted less",
        lambda: converted(counted=Counted(8, 1, (), ())),
        "miscounted",
        True,
        f"reprocess --manifest {MANIFEST}",
    ),
    ("counted right", lambda: converted(counted=Counted(9, 1, (), ())), "completed", False, ""),
    (
        "part gone, input gone",
        lambda: converted(parts=replace_parts(1), is_there=False),
        "parts-missing",
        True,
        "put the object back",
    ),
    (
        "overwritten while pending, event lost",
        lambda: file_facts(PENDING, age_s=100, etag="e2"),
        "overwritten-unseen",
        True,
        "backfill --prefix",
    ),
    ("a status to come", lambda: file_facts("frozen"), "odd-status", False, ""),
]


def replace_parts(present: int) -> Any:
    parts = converted().parts.value
    assert parts is not None
    return replace(parts, present=present)


def command_of(remedy: Remedy) -> str:
    return shlex.join(remedy.words or remedy.other)


@pytest.mark.parametrize(
    ("make", "code", "is_wrong", "first"),
    [case[1:] for case in UNKNOWN_FILES + KNOWN_FILES],
    ids=[case[0] for case in UNKNOWN_FILES + KNOWN_FILES],
)
def test_the_verdict_and_what_mends_it(make: Callable[[], FileFacts], code: str, is_wrong: bool, first: str) -> None:
    explained = explain(make())
    verdict = explained.verdict
    assert (verdict.code, verdict.is_wrong) == (code, is_wrong), verdict
    remedies = [command_of(each) or each.hint for each in verdict.remedies]
    assert bool(remedies) == bool(first)
    assert not remedies or first in remedies[0]
    assert not (verdict.is_wrong and verdict.is_waiting)
    # Whatever is wrong can be mended, and whatever is not ends with nothing to type.
    assert bool(remedies) == verdict.is_wrong
    assert [stage.name for stage in explained.stages] == list(STAGES)
    assert ".." not in verdict.sentence.replace("...", "")


def test_a_manifest_without_its_object_is_told_at_its_stage_and_by_the_verdict() -> None:
    for damage, fault in (("", "gone"), ("it is not JSON: x", "damaged (it is not JSON: x)")):
        found = explain(
            file_facts(MANIFESTED, attributes=IN, manifest=lost(manifest("started"), damage), runs=(NO_KEY,))
        )
        assert f"is {fault}: a sweep writes it again from the ledger" in found.verdict.sentence
        (stage,) = [each for each in found.stages if each.name == "manifest"]
        assert stage.state == "wrong" and stage.sentence.endswith(f"; its object is {fault}")


def test_a_file_that_a_report_knows_waits_for_no_event() -> None:
    found = {each.name: each.state for each in explain(file_facts(forgotten=REPORT)).stages}
    assert (found["event"], found["queue"], found["ledger"]) == ("ok", "ok", "none")


def test_what_is_wrong_is_told_at_its_stage() -> None:
    def wrong(facts: FileFacts) -> set[str]:
        return {stage.name for stage in explain(facts).stages if stage.state == "wrong"}

    assert wrong(converted()) == set()
    assert wrong(file_facts(env={"wirings": ()})) == {"event", "ledger"}
    assert wrong(file_facts(letter=DEAD)) == {"queue", "ledger"}
    assert wrong(file_facts(env={"mappings": ()})) == {"queue", "ledger"}
    assert wrong(file_facts(PENDING, env={"locks": lock(is_dead=True)})) == {"lock"}
    assert wrong(file_facts(PROCESSING, attributes=IN, manifest=manifest("running"), runs=(OOM,))) == {"run"}
    assert wrong(converted(parts=replace_parts(1))) == {"output"}


@pytest.mark.parametrize("items", [ABSENT, DENIED])
def test_without_the_ledger_no_stage_claims_what_it_alone_knows(items: Any) -> None:
    failed = said("file_not_tracked", "ERROR", error="ResourceNotFoundException: no")
    stages = explain(file_facts(items=items, log=failed, env={"errors": errors("[ERROR] x")})).stages
    told = {stage.name: stage for stage in stages}
    assert (told["upload"].state, told["queue"].state) == ("ok", "ok")
    assert told["ledger"].state == ("wrong" if items is ABSENT else "unknown")
    unknown = {name for name, stage in told.items() if stage.state == "unknown"}
    assert unknown | {"ledger"} == {"event", "function", "ledger", "lock", "manifest", "run", "output", "quarantine"}
    assert "not taken" not in told["event"].sentence
    # That there is no function is known without it.
    gone = explain(file_facts(items=items, env={"function": ABSENT})).stages
    assert next(stage for stage in gone if stage.name == "function").state == "wrong"


@pytest.mark.parametrize("name", ["object", "versions", "log", "manifest", "runs", "report", "parts"])
def test_a_refused_read_costs_its_own_stage(name: str) -> None:
    explained = explain(converted(**{name: DENIED}))
    assert sum(stage.state == "unknown" for stage in explained.stages) <= 1
    assert any("ask for that permission" in remark for remark in explained.remarks)
    assert explained.verdict.code in ("completed", "not-read")


def test_everything_refused_is_no_crash_and_no_verdict() -> None:
    refused = dict.fromkeys(
        ("wirings", "queue", "dead_letters", "mappings", "function", "sweep_rule", "job", "locks", "errors"), DENIED
    )
    every = ("object", "versions", "items", "log", "manifest", "runs", "report", "forgotten", "parts", "set_aside")
    explained = explain(file_facts(env=refused, **dict.fromkeys(every, DENIED)))
    assert (explained.verdict.code, explained.verdict.is_wrong) == ("not-read", False)
    assert len(explained.remarks) == len(refused) + len(every) - 1


def test_the_timeline_is_in_the_order_of_time() -> None:
    facts = converted(
        log=said("file_tracked", status="pending"),
        report=REPORT,
        versions=(StoredVersion(ago(3600), 8, "e1", True, False),),
    )
    moments = explain(facts).timeline
    assert [moment.at for moment in moments] == sorted(moment.at for moment in moments)
    assert {moment.stage for moment in moments} == {"upload", "ledger", "manifest", "run", "output", "function"}


def test_a_young_object_is_backfilled_without_its_grace_and_an_old_one_with_it() -> None:
    def command(facts: FileFacts) -> str:
        return command_of(explain(facts).verdict.remedies[-1])

    assert command(file_facts(age_s=100)).endswith("--grace 0")
    assert "--grace" not in command(file_facts(age_s=PROFILE.batching.max_partial_age_s + 301))


def test_a_key_like_an_option_is_typed_so_that_it_is_none() -> None:
    facts = file_facts(key="-x.ndjson")
    assert "--prefix=-x.ndjson" in command_of(explain(facts).verdict.remedies[0])
    newer = converted(key="-x.ndjson", object=InputObject(8, "e2", ago(100)))
    assert command_of(explain(newer).verdict.remedies[0]) == f"reprocess s3://{NAMES.input_bucket}/-x.ndjson"


def test_a_file_that_was_released_says_so() -> None:
    facts = file_facts(PENDING, age_s=50, size_bytes=5, set_aside=True)
    told = next(stage for stage in explain(facts).stages if stage.name == "quarantine")
    assert told.state == "ok" and "released since" in told.sentence


def test_what_is_down_on_the_rest_of_the_way_is_named_once_with_what_mends_it() -> None:
    explained = explain(file_facts(PENDING, age_s=5, env={"job": ABSENT}))
    verdict = explained.verdict
    assert f"The job {NAMES.job} is not there" in verdict.sentence and verdict.wait_until is None
    assert [command_of(each) for each in verdict.remedies] == ["deploy", "sweep"]
    assert {stage.name for stage in explained.stages if stage.state == "wrong"} == {"run"}
    both = explain(file_facts(PENDING, env={"job": ABSENT, "function": ABSENT})).verdict
    assert [command_of(each) for each in both.remedies] == ["deploy", "sweep"]
    assert both.sentence.count(NAMES.function) == 1 and NAMES.job in both.sentence
    # A file at rest has no way left.
    assert explain(converted(env={"job": ABSENT, "function": ABSENT})).verdict.code == "completed"


def test_another_function_that_is_fed_is_not_ours() -> None:
    mapping = SourceMapping("m", "arn:aws:lambda:us-east-1:1:function:other", "Enabled", "OK", 10)
    facts = file_facts(env={"mappings": (mapping,)})
    assert explain(facts).verdict.code == "not-wired"
    assert [each.stage for each in obstacles_of(facts)] == ["queue", "event"]


@given(st.text(min_size=1, max_size=60))
def test_the_document_and_the_screen_take_any_key(key: str) -> None:
    from io import StringIO

    from rich.console import Console

    view = explained_view("dev", explain(file_facts(key=key)), command_of)
    assert view.document["key"] == key
    screen = StringIO()
    Console(file=screen, width=80, markup=False, emoji=False, highlight=False, force_terminal=False).print(
        view.render()
    )
    assert all(line.isprintable() for line in screen.getvalue().split("\n"))


@given(st.text(st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"]), min_size=1, max_size=20))
def test_a_command_in_one_line_means_the_same_to_a_shell(word: str) -> None:
    line = typeable(shlex.join(["printf", "%s", word]))
    assert line.isprintable()
    done = subprocess.run(["bash", "-c", line], capture_output=True, env={"LC_ALL": "C.UTF-8"}, check=True)
    assert done.stdout == word.encode()
