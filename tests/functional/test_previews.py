"""Commands that show what they are about to do: with --json and without --yes each only looks, and names itself."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ndjctl import contracts
from ndjctl.contracts import COMPLETED, FAILED, MANIFESTED, Attr, iso_utc
from tests.functional.operations_world import DAY, NAMES, Operations, now
from tests.redrive_world import event

ID = "20261123T100000000Z-0123abcd"
KEY = f"in/{DAY}-a b.ndjson"


def put(operations: Operations, key: str = KEY, body: bytes = b'{"a":1}\n') -> str:
    return str(operations.s3.put_object(Bucket=NAMES.input_bucket, Key=key, Body=body)["ETag"]).strip('"')


def track(operations: Operations, status: str, key: str = KEY, **more: Any) -> None:
    etag = put(operations, key)
    about = {Attr.STATUS: status, Attr.ETAG: etag, Attr.BUCKET: NAMES.input_bucket, Attr.SIZE_BYTES: 8}
    operations.put(DAY, key, **{**about, Attr.UPLOAD_TIME: f"{DAY}T10:00:00.000Z", **more})


def a_failed_file(operations: Operations) -> None:
    track(operations, FAILED, **{Attr.ERROR: f"s3://{NAMES.input_bucket}/{KEY}: out of memory"})


def a_stuck_file(operations: Operations) -> None:
    track(operations, MANIFESTED, **{Attr.BATCH_ID: "m0"})


def a_newer_version(operations: Operations) -> None:
    track(operations, COMPLETED, **{Attr.BATCH_ID: "m0", Attr.SUPERSEDED_BY: "e2"})
    put(operations, KEY, b'{"a":2, "more": "than a megabyte of it is what dev takes"}\n' * 100_000)


def a_manifest(operations: Operations) -> None:
    track(operations, COMPLETED, **{Attr.BATCH_ID: ID})
    etag = operations.s3.head_object(Bucket=NAMES.input_bucket, Key=KEY)["ETag"].strip('"')
    file = contracts.ManifestFile(NAMES.input_bucket, KEY, 8, etag)
    manifest = contracts.Manifest(ID, DAY, iso_utc(now()), (file,))
    operations.s3.put_object(Bucket=NAMES.manifest_bucket, Key=contracts.manifest_key(DAY, ID), Body=manifest.to_json())
    partition = contracts.closed_manifests_partition(DAY)
    operations.put(partition, contracts.manifest_item_key(ID), state="done", date=DAY)


def dead_letters(operations: Operations) -> None:
    url = operations.sqs.get_queue_url(QueueName=NAMES.dead_letter_queue)["QueueUrl"]
    for body in (event(KEY), "garbage"):
        operations.sqs.send_message(QueueUrl=url, MessageBody=body)


def a_missed_file(operations: Operations) -> None:
    put(operations)


def a_stray_part(operations: Operations) -> None:
    operations.s3.put_object(Bucket=NAMES.output_bucket, Key=f"parquet/{DAY}/stray copy", Body=b"x")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ndjctl.redrive.dlq._WAIT_S", 0)


def seen(operations: Operations, words: list[str]) -> Any:
    return without_receives(operations(*words, "--json").document)


def without_receives(document: Any) -> Any:
    """A look at a queue counts as one."""
    for name in ("examples", "not_events"):
        for each in document.get(name, []):
            each.pop("receives", None)
    return document


Make = Callable[[Operations], None]
PREVIEWED: list[tuple[list[str], Make]] = [
    (["redrive", "failed", "--reason", "out of", "--date", DAY, "--rate", "5.5"], a_failed_file),
    (["redrive", "stuck"], a_stuck_file),
    (["redrive", "dlq", "--reason", "never entered"], dead_letters),
    (["redrive", "dlq", "--delete-garbage", "--save", "the garbage.jsonl"], dead_letters),
    (["reprocess", KEY], a_newer_version),
    (["reprocess", "--superseded", "--date", DAY, "--rate", "100"], a_newer_version),
    (["reprocess", "--manifest", ID], a_manifest),
    (["backfill", "--date", DAY, "--grace", "0"], a_missed_file),
    (["backfill", "--prefix", "in/", "--rate", "50", "--grace", "0"], a_missed_file),
    (["reconcile", "--remove-orphans", "--date", DAY, "--grace", "0"], a_stray_part),
]


@pytest.mark.parametrize(("words", "make"), PREVIEWED, ids=[" ".join(each[0][:3]) for each in PREVIEWED])
def test_it_only_looks_and_names_itself_and_then_does_it(operations: Operations, words: list[str], make: Make) -> None:
    operations.deploy()
    make(operations)
    looked = operations(*words, "--json")
    assert (looked.code, looked.document["done"]) == (0, False), looked.err
    again = shlex.split(looked.document["next"])
    assert again[1:] == [*words, "--yes", "--env", "dev"]
    assert seen(operations, words) == without_receives(looked.document), "it changed nothing"
    done = operations(*again[1:], "--json")
    assert (done.code, done.document["done"]) == (0, True), done.err
    sent = {"redrive": "sweep", "reprocess": "sweep", "backfill": "reconcile", "reconcile": "reconcile"}[words[0]]
    if "--delete-garbage" in words:
        assert "garbage" in Path("the garbage.jsonl").read_text()
        assert operations(*words, "--json").code == 2, "the file is there already"
        words, sent = [*words[:-1], "another.jsonl"], "redrive"
    assert shlex.split(done.document["next"])[1] == sent
    nothing = operations(*words, "--json").document
    if words[0] not in ("reprocess", "backfill"):  # of those nobody is there who goes on with it
        assert (nothing["done"], nothing["next"]) == (False, None)


def test_where_the_last_dead_letter_is_deleted_nothing_comes_next(operations: Operations) -> None:
    operations.deploy()
    url = operations.sqs.get_queue_url(QueueName=NAMES.dead_letter_queue)["QueueUrl"]
    operations.sqs.send_message(QueueUrl=url, MessageBody="garbage")
    done = operations("redrive", "dlq", "--delete-garbage", "--save", "saved.jsonl", "--yes")
    assert done.code == 0
    assert "1 message deleted, saved in" in done.out
    assert "next:" not in done.out


@pytest.mark.parametrize(("words", "make"), PREVIEWED, ids=[" ".join(each[0][:3]) for each in PREVIEWED])
def test_without_an_answer_nothing_is_done(
    operations: Operations, monkeypatch: pytest.MonkeyPatch, words: list[str], make: Make
) -> None:
    operations.deploy()
    make(operations)
    before = seen(operations, words)
    for stdin in (io.StringIO("no\n"), None):
        monkeypatch.setattr(sys, "stdin", stdin)
        answer = operations(*words)
        assert answer.code == 2
        assert ": answer 'y', or say --yes." in answer.err
    assert seen(operations, words) == before


def test_a_dry_run_lists_what_it_would_enter_and_names_what_does_it(operations: Operations) -> None:
    operations.deploy()
    a_missed_file(operations)
    answer = operations("backfill", "--dry-run", "--date", DAY, "--grace", "0")
    assert (answer.code, answer.err) == (0, "")
    assert f"s3://{NAMES.input_bucket}/{KEY} (8 B)" in answer.out
    assert f"backfill --date {DAY} --grace 0 --yes --env dev" in answer.out
    document = operations("backfill", "--dry-run", "--yes", "--json", "--date", DAY, "--grace", "0").document
    assert (document["dry_run"], document["done"], document["events_sent"]) == (True, False, 0)


def test_the_newer_version_is_what_is_counted(operations: Operations) -> None:
    operations.deploy()
    a_newer_version(operations)
    size = operations.s3.head_object(Bucket=NAMES.input_bucket, Key=KEY)["ContentLength"]
    for words in (("reprocess", KEY), ("reprocess", "--superseded", "--date", DAY)):
        assert operations(*words, "--json").document["bytes"] == size > 5_000_000


def test_a_refusal_is_told_once_and_nothing_else(operations: Operations) -> None:
    operations.deploy()
    track(operations, FAILED, **{Attr.ERROR: "no"})
    answer = operations("reprocess", KEY)
    assert answer.code == 1
    (line,) = answer.out.splitlines()
    assert line.startswith(f"refused: {KEY}: it is failed: '")
    assert f"redrive failed --date {DAY} --env dev' enters it again" in line


def test_the_uri_of_a_file_is_told_once(operations: Operations, monkeypatch: pytest.MonkeyPatch) -> None:
    operations.deploy()
    a_failed_file(operations)
    monkeypatch.setattr(sys, "stdin", io.StringIO("n"))
    assert f"  {DAY}  {KEY}  out of memory" in operations("redrive", "failed").out
    operations.s3.delete_object(Bucket=NAMES.input_bucket, Key=KEY)
    answer = operations("redrive", "failed", "--yes")
    assert answer.code == 1
    assert f"gone: {KEY}: it is no longer there" in answer.out


def test_a_manifest_by_the_beginning_of_its_id(operations: Operations) -> None:
    operations.deploy()
    a_manifest(operations)
    looked = operations("reprocess", "--manifest", ID[:12], "--json").document
    assert (looked["manifest_id"], looked["files"]) == (ID, 1)
    other = ID[:-1] + "e"
    operations.manifest(other, "done")
    answer = operations("reprocess", "--manifest", ID[:12])
    assert answer.code == 2
    assert f"More than one manifest has an id that begins with '{ID[:12]}': {ID}, {other}." in answer.err
    assert operations("reprocess", "--manifest", ID, "--json").document["manifest_id"] == ID
    assert operations("reprocess", "--manifest", " ").code == 2
    assert "No manifest has an id that begins with 'nope'" in operations("reprocess", "--manifest", "nope").err


def test_an_input_that_is_gone_refuses_it_and_what_can_be_done_works(operations: Operations) -> None:
    operations.deploy()
    a_manifest(operations)
    operations.s3.delete_object(Bucket=NAMES.input_bucket, Key=KEY)
    refused = operations("reprocess", "--manifest", ID, "--yes")
    assert refused.code == 1
    assert "put it back with the same content" in refused.err
    assert f"reprocess --manifest {ID} --accept-loss --env dev'" in refused.err
    given_up = operations("reprocess", "--manifest", ID, "--accept-loss", "--json").document
    assert ([each["key"] for each in given_up["given_up"]], given_up["files"]) == ([KEY], 0)
    put(operations)  # with the same content
    assert operations("reprocess", "--manifest", ID, "--json", "--yes").document["done"] is True


def test_only_the_input_bucket_has_files(operations: Operations) -> None:
    operations.deploy()
    answer = operations("reprocess", f"s3://elsewhere/{KEY}")
    assert answer.code == 2
    assert f"is not in this environment's input bucket, which is s3://{NAMES.input_bucket}/" in answer.err
    a_newer_version(operations)
    assert operations("reprocess", f"s3://{NAMES.input_bucket}/{KEY}", "--json").document["files"] == 1


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["reprocess"], "--superseded for all of these, --manifest ID for a manifest"),
        (["reprocess", KEY, "--accept-loss"], "--accept-loss goes with --manifest"),
        (["redrive", "dlq", "--delete-garbage"], "--delete-garbage and --save FILE go together"),
        (["redrive", "dlq", "--save", "x"], "--delete-garbage and --save FILE go together"),
        (["redrive", "dlq", "--delete-garbage", "--save", "x", "--date", DAY], "leave them out with it"),
        (["redrive", "dlq", "--delete-garbage", "--save", "no/where", "--yes"], "cannot be written"),
        (["redrive", "failed", "--date", "20260131"], "--date takes YYYY-MM-DD, '20260131' is not that"),
        (["backfill", "--rate", "20000"], "--rate"),
    ],
)
def test_what_is_asked_for_wrongly(operations: Operations, words: list[str], problem: str) -> None:
    operations.deploy()
    dead_letters(operations)
    answer = operations(*words)
    assert answer.code == 2
    assert problem in answer.err


def test_the_screen_of_the_dead_letter_queue(operations: Operations) -> None:
    operations.deploy()
    dead_letters(operations)
    answer = operations("redrive", "dlq", "--json")
    (garbage,) = answer.document["not_events"]
    operations.monkeypatch.setattr(sys, "stdin", None)
    out = operations("redrive", "dlq").out
    assert "stays: 'garbage'  the body is not JSON: the function does not understand it (message " in out
    assert garbage["message_id"] in out
    assert "redrive dlq --delete-garbage --save FILE --env dev" in out
    out = operations("redrive", "dlq", "--reason", "nothing like it").out
    assert "2 looked at" in " ".join(out.split())
    assert "not matching 2 messages, of other reasons or dates" in " ".join(out.split())
    assert "stays:" not in out
    out = operations("redrive", "dlq", "--delete-garbage", "--save", "f").out
    assert "'garbage'" in out and "stays" not in out


def test_how_many_events_were_sent_is_told_when_it_is_interrupted(
    operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations.deploy()
    for number in range(25):
        put(operations, f"in/{DAY}-{number}.ndjson")
    import ndjctl.reconcile.events

    honest = ndjctl.reconcile.events.event_body

    def body(listed: Any, region: str) -> str:
        if listed.key.endswith("-7.ndjson"):  # of the third ten, in the order of the keys
            raise KeyboardInterrupt
        return honest(listed, region)

    monkeypatch.setattr(ndjctl.reconcile.events, "event_body", body)
    answer = operations("backfill", "--date", DAY, "--grace", "0", "--yes")
    assert answer.code == 130
    assert "Interrupted: at least 20 of 25 events were sent, and those go on; run the same command again" in answer.err
