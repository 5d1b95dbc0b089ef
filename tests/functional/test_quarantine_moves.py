"""`ndjctl quarantine release` and `purge` on moto: a look first, then once, and on record; also where it dies."""

from __future__ import annotations

import io
import json
import shlex
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lambda_handler.dynamo import from_item
from ndjctl.contracts import (
    COMPLETED,
    FAILED,
    LOCKS_PARTITION,
    OPEN_MANIFESTS_PARTITION,
    PENDING,
    QUARANTINE_LOG_PARTITION,
    QUARANTINED,
    RUNNING,
    Attr,
    bad_lines_key,
    iso_utc,
    manifest_item_key,
    release_prefix,
    report_key,
    rewrite_lock_key,
    size_quarantine_key,
)
from tests.functional.operations_world import DAY, NAMES, Operations, now
from tests.quarantine_world import (
    CUT,
    M1,
    M2,
    TWICE,
    A,
    bad_lines,
    fill,
    set_aside,
)

LARGE = f"in/{DAY}-large.ndjson"
BODY = b'{"a":1}\n' * 2_500_000  # above the 15 MiB of dev's rule
NORMAL = f"in/{DAY}-normal.ndjson"


@pytest.fixture
def aside(operations: Operations) -> Operations:
    """A file that the rule does not take, and one that it would take now."""
    operations.deploy()
    set_aside(operations, LARGE, BODY)
    set_aside(operations, NORMAL, b'{"a":1}\n' * 1_000, "too-small")
    return operations


def status(world: Operations, key: str, date: str = DAY) -> str:
    item = world.get(date, key)
    return "" if item is None else str(item[Attr.STATUS])


def log(world: Operations) -> list[dict[str, Any]]:
    query = {":p": {"S": QUARANTINE_LOG_PARTITION}}
    found = world.dynamodb.query(
        TableName=NAMES.tracking_table,
        KeyConditionExpression="#p = :p",
        ExpressionAttributeNames={"#p": Attr.DATE_PREFIX},
        ExpressionAttributeValues=query,
    )["Items"]
    return [from_item(item) for item in found]


def states(world: Operations, *words: str) -> dict[tuple[str, str], int]:
    document = world("quarantine", "list", "--json", *words).document
    return {(row["reason"], row["state"]): row["count"] for row in document["quarantine"]}


# ------------------------------------------------------------------------------------------------- release of files


def test_a_file_that_the_rule_takes_now_goes_and_the_other_is_refused(aside: Operations) -> None:
    looked = aside("quarantine", "release", "--date", DAY, "--json")
    assert looked.code == 1, "one is refused"
    assert (looked.document["files"], looked.document["refused_count"], looked.document["done"]) == (1, 1, False)
    assert "--ignore-size-rule makes an exception" in looked.document["refused"][0]["reason"]
    assert shlex.split(looked.document["next"])[1:] == ["quarantine", "release", "--date", DAY, "--yes", "--env", "dev"]
    assert (status(aside, NORMAL), log(aside)) == (QUARANTINED, [])
    done = aside("quarantine", "release", "--date", DAY, "--yes", "--json")
    assert (done.code, done.document["moved"]) == (1, 1)
    item = aside.get(DAY, NORMAL)
    assert item is not None and item[Attr.STATUS] == PENDING and Attr.REASON not in item
    assert status(aside, LARGE) == QUARANTINED
    (logged,) = log(aside)
    assert (logged["action"], logged["state"], logged["what"]) == ("release", "done", f"--date {DAY}")
    assert logged["counts"]["files"] == 1
    assert logged["by"] and NAMES.account_id not in logged["by"]
    assert logged[Attr.FILE_KEY].endswith("#") and Attr.TTL not in logged and Attr.STATUS not in logged
    assert states(aside) == {("too-large", "held"): 1, ("too-small", "released"): 1}
    history = aside("quarantine", "history", "--json").document
    assert [each["action"] for each in history["actions"]] == ["release"]
    assert f"--date {DAY}: files 1, bytes 8,000, left 0" in aside("quarantine", "history").out


def test_an_exception_is_for_this_version_only(aside: Operations) -> None:
    refused = aside("quarantine", "release", LARGE, "--yes")
    assert refused.code == 1 and "No quarantined file is to be released." in refused.out
    shown = aside("quarantine", "release", LARGE, "--ignore-size-rule", "--json").document
    assert shown["size_rule_ignored"] is True
    assert aside("quarantine", "release", LARGE, "--ignore-size-rule", "--yes").code == 0
    assert status(aside, LARGE) == PENDING
    # A newer version, whose event was lost: the rule applies to it.
    set_aside(aside, LARGE, BODY)
    aside.s3.put_object(Bucket=NAMES.input_bucket, Key=LARGE, Body=BODY + b'{"a":2}\n')
    newer = aside("quarantine", "release", LARGE, "--ignore-size-rule", "--yes")
    assert newer.code == 1 and "the newer version" in newer.out and "has to meet the size rule" in newer.out
    assert status(aside, LARGE) == QUARANTINED
    # One that meets it takes its place.
    etag = aside.s3.put_object(Bucket=NAMES.input_bucket, Key=LARGE, Body=b'{"a":1}\n' * 500)["ETag"].strip('"')
    assert aside("quarantine", "release", LARGE, "--ignore-size-rule", "--yes").code == 0
    item = aside.get(DAY, LARGE)
    assert item is not None and (item[Attr.STATUS], item[Attr.ETAG], item[Attr.SIZE_BYTES]) == (PENDING, etag, 4_000)


def test_who_cannot_answer_releases_nothing(aside: Operations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    answer = aside("quarantine", "release", NORMAL)
    assert answer.code == 2 and "Nothing was changed" in answer.err
    assert (status(aside, NORMAL), log(aside)) == (QUARANTINED, [])


def test_what_cannot_be_released(aside: Operations) -> None:
    aside.put(DAY, f"in/{DAY}-done.ndjson", status=COMPLETED)
    answer = aside("quarantine", "release", f"in/{DAY}-done.ndjson", "nothing.ndjson", "--json")
    reasons = [each["reason"] for each in answer.document["refused"]]
    assert answer.code == 1
    assert reasons == ["it is completed, not quarantined", "neither the ledger nor the quarantine has such a file"]
    aside.s3.delete_object(Bucket=NAMES.input_bucket, Key=NORMAL)
    gone = aside("quarantine", "release", NORMAL, "--yes")
    assert gone.code == 1 and "its copy is s3://" in " ".join(gone.out.split())
    assert status(aside, NORMAL) == QUARANTINED
    for words in ([], [NORMAL, "--mended", "f"], ["s3://elsewhere/x.ndjson"], ["x.txt"]):
        assert aside("quarantine", "release", *words).code == 2


def test_a_file_that_the_ledger_has_forgotten(aside: Operations) -> None:
    key = "in/2026-01-02-old.ndjson"
    etag = aside.s3.put_object(Bucket=NAMES.input_bucket, Key=key, Body=b'{"a":1}\n')["ETag"].strip('"')
    assert aside("quarantine", "release", key, "--yes", "--ignore-size-rule").code == 1, "it was never set aside"
    copy = size_quarantine_key("2026-01-02", "too-small", key)
    aside.s3.put_object(Bucket=NAMES.quarantine_bucket, Key=copy, Body=b'{"a":1}\n')
    report = {
        "format": "ndjctl.run-report",
        "version": 1,
        "manifest_id": "m",
        "date": "2026-01-02",
        "parts": [],
        "files": [
            {
                "bucket": NAMES.input_bucket,
                "key": key,
                "etag": etag,
                "status": COMPLETED,
                "lines": 1,
                "rows": 1,
                "bad_lines": 0,
            }
        ],
    }
    place = report_key("2026-01-02", "m")
    aside.s3.put_object(Bucket=NAMES.manifest_bucket, Key=place, Body=json.dumps(report).encode())
    assert aside("quarantine", "release", key, "--yes", "--ignore-size-rule").code == 1, "it is converted"
    aside.s3.delete_object(Bucket=NAMES.manifest_bucket, Key=place)
    assert aside("quarantine", "release", key, "--yes").code == 1, "the rule"
    assert aside("quarantine", "release", key, "--yes", "--ignore-size-rule").code == 0
    item = aside.get("2026-01-02", key)
    assert item is not None and (item[Attr.STATUS], item[Attr.ETAG]) == (PENDING, etag)
    assert states(aside, "--date", "2026-01-02") == {("too-small", "released"): 1}


def test_a_copy_written_after_its_release_is_held_again(aside: Operations) -> None:
    assert aside("quarantine", "release", NORMAL, "--yes").code == 0
    aside.dynamodb.delete_item(
        TableName=NAMES.tracking_table, Key={Attr.DATE_PREFIX: {"S": DAY}, Attr.FILE_KEY: {"S": NORMAL}}
    )
    assert states(aside)["too-small", "released"] == 1, "on record, whatever the ledger remembers"
    set_aside(aside, NORMAL, b"{}", "too-small")
    assert states(aside)["too-small", "held"] == 1


# ------------------------------------------------------------------------------------------------------ mended lines


@pytest.fixture
def saved(operations: Operations) -> Operations:
    """Six bad lines, saved in the file `f`."""
    fill(operations)
    assert operations("quarantine", "show", "--date", DAY, "--save", "f").code == 0
    return operations


def mend(path: str = "f", *, leave: int = 0) -> None:
    """All lines but the first `leave`, which are emptied, become records."""
    count = len(Path(path).read_bytes().splitlines())
    lines = [b"" if number < leave else b'{"mended":%d}' % number for number in range(count)]
    Path(path).write_bytes(b"\n".join(lines) + b"\n")


def release(world: Operations, path: str = "f") -> dict[str, Any]:
    answer = world("quarantine", "release", "--mended", path, "--yes", "--json")
    assert answer.code == 0, answer.err
    return dict(answer.document)


def mended_objects(world: Operations) -> list[str]:
    found = world.s3.list_objects_v2(Bucket=NAMES.input_bucket).get("Contents", [])
    return [each["Key"] for each in found if "-mended-" in each["Key"]]


def test_lines_that_are_still_no_records_are_refused_before_anything(saved: Operations) -> None:
    Path("f").write_bytes(b'{"a":1}\n\n[1]\n{"a":1}\n{"a":NaN}\n{"a":1}\n')
    answer = saved("quarantine", "release", "--mended", "f", "--yes")
    assert answer.code == 1
    assert "f: 2 lines still no records; nothing was uploaded:" in answer.err
    assert "line 3: expected a JSON object, found a list" in answer.err
    assert "line 5: NaN at character 6 is no JSON number" in answer.err
    assert mended_objects(saved) == [] and log(saved) == []


def test_mended_lines_enter_once_and_are_marked(saved: Operations) -> None:
    mend(leave=2)
    looked = saved("quarantine", "release", "--mended", "f", "--json").document
    assert (looked["lines"], looked["lines_known"], looked["lines_staying"], looked["done"]) == (4, 4, 2, False)
    assert mended_objects(saved) == []
    done = release(saved)
    (key,) = mended_objects(saved)
    assert key == done["key"] == f"{now():%Y-%m-%d}-mended-{looked['sha256'][:16]}.ndjson"
    head = saved.s3.head_object(Bucket=NAMES.input_bucket, Key=key)
    item = saved.get(done["date"], key)
    assert item is not None
    assert (item[Attr.STATUS], item[Attr.ETAG]) == (PENDING, head["ETag"].strip('"'))
    assert item[Attr.SIZE_BYTES] == head["ContentLength"] == len(Path("f").read_bytes())
    assert (done["entered"], done["marked"]) == ("entered", 4)
    held = {reason: count for (reason, state), count in states(saved, "--date", DAY).items() if state == "held"}
    released = {reason: count for (reason, state), count in states(saved, "--date", DAY).items() if state == "released"}
    assert sum(released.values()) == 4
    assert held["orphaned"] == held["too-small"] == 1 and sum(held.values()) == 4
    # The lines themselves stay where they are.
    assert len(saved("quarantine", "show", "--json").document["lines"]) == 6
    before = dict(item)
    again = release(saved)
    assert (again["entered"], again["status"], again["key"]) == ("there before", PENDING, key)
    assert (again["marked"], again["marked_before"]) == (0, 4)
    assert saved.get(done["date"], key) == before
    assert mended_objects(saved) == [key]
    shown = saved("quarantine", "show", "--date", DAY, "--save", "g", "--json").document
    assert (shown["lines"], shown["left_out"]) == (2, {"released already": 4})
    assert [each["action"] for each in log(saved)] == ["release-mended"]
    out = saved("quarantine", "release", "--mended", "f", "--yes").out
    assert "marked as released before, and not again: 4 quarantined lines" in " ".join(out.split())
    assert out.count("next:") == 1


def test_what_died_before_it_marked_is_marked_by_the_next(saved: Operations) -> None:
    mend()
    done = release(saved)
    assert done["marked"] == 6
    (record,) = saved.s3.list_objects_v2(Bucket=NAMES.manifest_bucket, Prefix=release_prefix(DAY))["Contents"]
    saved.s3.delete_object(Bucket=NAMES.manifest_bucket, Key=record["Key"])
    again = release(saved)
    assert (again["entered"], again["marked"], again["marked_before"]) == ("there before", 6, 0)
    assert [each["action"] for each in log(saved)] == ["release-mended"] * 2


def test_what_is_converted_has_no_next_step(saved: Operations) -> None:
    mend()
    done = release(saved)
    saved.put(done["date"], done["key"], status=COMPLETED, etag="e")
    answer = saved("quarantine", "release", "--mended", "f", "--yes")
    assert "there before, now completed" in " ".join(answer.out.split()) and "next:" not in answer.out


def test_the_same_lines_another_day_are_the_same_object(saved: Operations, monkeypatch: pytest.MonkeyPatch) -> None:
    mend()
    first = release(saved)
    later = now() + timedelta(days=30)
    import ndjctl.cli.quarantine_moves as commands

    monkeypatch.setattr(commands, "now", lambda: later)
    # The ledger has forgotten it, and a run's report says that it is converted.
    place = {Attr.DATE_PREFIX: {"S": first["date"]}, Attr.FILE_KEY: {"S": first["key"]}}
    saved.dynamodb.delete_item(TableName=NAMES.tracking_table, Key=place)
    file = {"bucket": NAMES.input_bucket, "key": first["key"], "etag": "e", "status": COMPLETED}
    counts = {"lines": 6, "rows": 6, "bad_lines": 0}
    report = {"format": "ndjctl.run-report", "version": 1, "manifest_id": "m", "date": first["date"], "parts": []}
    body = json.dumps({**report, "files": [{**file, **counts}]}).encode()
    saved.s3.put_object(Bucket=NAMES.manifest_bucket, Key=report_key(first["date"], "m"), Body=body)
    again = release(saved)
    assert (again["key"], again["entered"], again["status"]) == (first["key"], "there before", COMPLETED)
    assert saved.get(first["date"], first["key"]) is None
    assert (again["marked"], again["marked_before"], len(log(saved))) == (0, 6, 1)
    assert mended_objects(saved) == [first["key"]]


def test_the_function_was_quicker_and_has_set_it_aside(saved: Operations) -> None:
    mend()
    known = saved("quarantine", "release", "--mended", "f", "--json").document["sha256"][:16]
    key, date = f"{now():%Y-%m-%d}-mended-{known}.ndjson", f"{now():%Y-%m-%d}"
    set_aside(saved, key, Path("f").read_bytes(), "too-small", date)
    done = release(saved)
    assert (done["entered"], done["status"]) == ("released from the size rule", PENDING)
    assert status(saved, key, date) == PENDING
    assert states(saved, "--date", date)["too-small", "released"] == 1


def test_without_their_origins_nothing_is_marked(saved: Operations) -> None:
    mend()
    Path("f.origin").unlink()
    looked = saved("quarantine", "release", "--mended", "f", "--json").document
    assert looked["lines_known"] is None
    assert release(saved)["marked"] == 0
    assert ("not JSON", "released") not in states(saved, "--date", DAY)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda: Path("f").write_bytes(b'{"a":1}\n'), "has not as many lines as were saved in it"),
        (lambda: Path("f").write_bytes(b'{"a":1}\n' * 9), "has not as many lines as were saved in it"),
        (lambda: Path("f").write_bytes(b"\n" * 6), "has no line"),
        (lambda: Path("f").unlink(), "cannot be read"),
        (lambda: Path("f.origin").write_text("{}\n"), "does not say where the lines come from"),
        (lambda: Path("f.origin").write_text(Path("f.origin").read_text().replace(NAMES.account_id, "9")), "--env"),
    ],
)
def test_files_that_cannot_be_used(saved: Operations, change: Callable[[], Any], problem: str) -> None:
    mend()
    change()
    answer = saved("quarantine", "release", "--mended", "f", "--yes")
    assert answer.code == 2 and problem in answer.err
    assert mended_objects(saved) == []


# ------------------------------------------------------------------------------------------------------------- purge


def objects(world: Operations) -> list[str]:
    return [each["Key"] for each in world.s3.list_objects_v2(Bucket=NAMES.quarantine_bucket).get("Contents", [])]


def purge(world: Operations, *words: str, code: int = 0) -> dict[str, Any]:
    answer = world("quarantine", "purge", *words, "--yes", "--json")
    assert answer.code == code, answer.err
    return dict(answer.document)


def test_a_purge_of_a_reason_takes_the_lines_of_it_only(saved: Operations) -> None:
    before = objects(saved)
    looked = saved("quarantine", "purge", "--reason", "not JSON", "--json").document
    assert (looked["objects"], looked["lines"], looked["files"], looked["done"]) == (2, 3, 0, False)
    assert (objects(saved), log(saved)) == (before, [])
    done = purge(saved, "--reason", "not JSON")
    assert (done["purged_objects"], done["purged_lines"], done["left_count"]) == (2, 3, 0)
    assert done["purged_bytes"] == looked["bytes"]
    assert set(before) - set(objects(saved)) == {bad_lines_key(DAY, M1, 1)}, "all lines of it were of that reason"
    assert {line["reason"] for line in saved("quarantine", "show", "--json").document["lines"]} == {
        "duplicate key",
        "invalid UTF-8",
    }
    assert states(saved)["not JSON", "purged"] == 3
    assert states(saved)["duplicate key", "held"] == 2
    (logged,) = log(saved)
    assert (logged["action"], logged["counts"]["lines"], logged["what"]) == ("purge", 3, "--reason not JSON")
    assert purge(saved, "--reason", "not JSON")["objects"] == 0, "there is nothing left"


def test_a_purge_of_a_date_takes_all_of_it(saved: Operations) -> None:
    done = purge(saved, "--date", DAY)
    assert (done["purged_lines"], done["purged_files"]) == (6, 2)
    assert objects(saved) == []
    assert {state for _, state in states(saved)} == {"purged"}
    assert sum(states(saved).values()) == 8
    # The objects of the input are not touched.
    assert saved.s3.head_object(Bucket=NAMES.input_bucket, Key=f"in/{DAY}-small.ndjson")["ContentLength"] == 3


def test_only_what_is_old_enough(saved: Operations) -> None:
    assert purge(saved, "--older-than", "1h")["objects"] == 0
    assert len(objects(saved)) == 5
    assert purge(saved, "--older-than", "0s", "--reason", "orphaned")["purged_files"] in (0, 1)


def test_what_a_run_may_still_write_stays(saved: Operations) -> None:
    saved.put(OPEN_MANIFESTS_PARTITION, manifest_item_key(M1), state=RUNNING, date=DAY)
    lock = rewrite_lock_key(M2)
    saved.put(LOCKS_PARTITION, lock[Attr.FILE_KEY], holder="jr_9")
    done = purge(saved, "--date", DAY, code=1)
    assert done["left_count"] == 3
    assert {each["reason"] for each in done["left"]} == {
        "its manifest is open: a run may still write it",
        "a run is replacing rows of its manifest",
    }
    assert len(objects(saved)) == 3


def test_a_free_lock_keeps_nothing_from_a_purge(saved: Operations) -> None:
    # As `locks break` leaves it: the item stays, with its fence and without a holder.
    saved.put(LOCKS_PARTITION, rewrite_lock_key(M2)[Attr.FILE_KEY], fence=4)
    done = purge(saved, "--date", DAY)
    assert (done["left_count"], done["purged_lines"]) == (0, 6)


def test_what_changed_since_it_was_looked_at_stays(saved: Operations, monkeypatch: pytest.MonkeyPatch) -> None:
    class Answers(io.StringIO):
        def readline(self, *_: Any) -> str:  # type: ignore[override]
            body = bad_lines(A, [CUT, CUT, TWICE])
            saved.s3.put_object(Bucket=NAMES.quarantine_bucket, Key=bad_lines_key(DAY, M1, 1), Body=body)
            return "y\n"

    monkeypatch.setattr(sys, "stdin", Answers())
    answer = saved("quarantine", "purge", "--reason", "not JSON")
    assert answer.code == 1 and "it changed or went since it was looked at" in answer.out
    assert bad_lines_key(DAY, M1, 1) in objects(saved)


def test_a_protected_environment_asks_for_its_name(saved: Operations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    answer = saved("quarantine", "purge", "--date", DAY, "--set", "protected=true")
    assert answer.code == 2 and "type 'dev', or say --yes" in answer.err
    assert len(objects(saved)) == 5
    monkeypatch.setattr(sys, "stdin", io.StringIO("dev\n"))
    assert saved("quarantine", "purge", "--date", DAY, "--set", "protected=true").code == 0
    assert objects(saved) == []


@pytest.mark.parametrize(
    ("words", "problem"),
    [([], "Say what to purge"), (["--older-than", "soon"], "takes an age"), (["--date", "x"], "--date takes")],
)
def test_a_purge_asked_for_wrongly(saved: Operations, words: list[str], problem: str) -> None:
    answer = saved("quarantine", "purge", *words, "--yes")
    assert answer.code == 2 and problem in answer.err
    assert len(objects(saved)) == 5


class Death(BaseException):
    """The process is gone."""


DEATHS = {(0, False): 3, (0, True): 3, (1, False): 3, (1, True): 2, (2, False): 2, (2, True): 0}
"""(which write a purge dies at: the record, the deletion of an object, another that is written again; whether after it)
-> lines that are left."""


@pytest.mark.parametrize("deaths", [[(0, True), (2, False)], pytest.param([*DEATHS], marks=pytest.mark.slow)])
def test_wherever_a_purge_dies_the_record_is_true(
    saved: Operations, monkeypatch: pytest.MonkeyPatch, deaths: list[tuple[int, bool]]
) -> None:
    """What is told as purged is gone, and doing it again ends it."""
    whole = {key: saved.s3.get_object(Bucket=NAMES.quarantine_bucket, Key=key)["Body"].read() for key in objects(saved)}
    for at, is_after in deaths:
        die(saved, monkeypatch, at, is_after)
        assert told_and_held(saved) == DEATHS[at, is_after]
        purge(saved, "--reason", "not JSON")
        assert told_and_held(saved) == 0
        for key, body in whole.items():
            saved.s3.put_object(Bucket=NAMES.quarantine_bucket, Key=key, Body=body)
        for each in saved.s3.list_objects_v2(Bucket=NAMES.manifest_bucket, Prefix="purges/")["Contents"]:
            saved.s3.delete_object(Bucket=NAMES.manifest_bucket, Key=each["Key"])


def told_and_held(world: Operations) -> int:
    """Lines of the reason that are there; what is told of all three is true."""
    lines = world("quarantine", "show", "--json").document["lines"]
    held = sum(line["reason"] == "not JSON" for line in lines)
    told = states(world)
    assert (told.get(("not JSON", "held"), 0), told.get(("not JSON", "purged"), 0)) == (held, 3 - held)
    return held


def die(world: Operations, monkeypatch: pytest.MonkeyPatch, at: int, is_after: bool) -> None:
    """One purge that dies at its write number `at`: the record, the deletion, the object that is written again."""
    from botocore.client import BaseClient

    honest = BaseClient._make_api_call
    writes = {"PutObject": 0, "DeleteObjects": 0}

    def call(self: Any, name: str, parameters: dict[str, Any]) -> Any:
        if name in writes:
            number = sum(writes.values())
            writes[name] += 1
            if number == at and not is_after:
                raise Death
            answer = honest(self, name, parameters)
            if number == at:
                raise Death
            return answer
        return honest(self, name, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", call)
        with pytest.raises(Death):
            world("quarantine", "purge", "--reason", "not JSON", "--yes")


def test_a_log_entry_stays_under_way_where_it_died(saved: Operations, monkeypatch: pytest.MonkeyPatch) -> None:
    die(saved, monkeypatch, 1, False)
    (logged,) = log(saved)
    assert logged["state"] == "under way" and "counts" not in logged
    assert "under way" in saved("quarantine", "history").out


def test_failed_and_forgotten_files_are_no_business_of_it(operations: Operations) -> None:
    operations.deploy()
    operations.put(DAY, A, status=FAILED, upload_time=iso_utc(now()), error="no")
    assert operations("quarantine", "release", "--date", DAY, "--yes", "--json").document["files"] == 0
