"""`ndjctl quarantine list`, `show`, `history` and `backtest` on moto."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from ndjctl.contracts import COMPLETED, QUARANTINED, Attr, bad_lines_key, iso_utc, size_quarantine_key
from ndjctl.quarantine.backtest import Backtest, backtest
from tests.functional.operations_world import DAY, NAMES, Operations, now
from tests.quarantine_world import (
    BYTES,
    COMMA,
    CUT,
    M1,
    ODD,
    TWICE,
    A,
    B,
    bad_lines,
    fill,
    put_bad_lines,
    set_aside,
    uri,
)

SMALL = f"in/{DAY}-small.ndjson"


@pytest.fixture
def filled(operations: Operations) -> Operations:
    fill(operations)
    return operations


def counts(document: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {(row["reason"], row["state"]): row["count"] for row in document["quarantine"]}


def test_what_is_in_it_by_date_and_reason(filled: Operations) -> None:
    put_bad_lines(filled, M1, 0, bad_lines("x.ndjson", [CUT]), date="2026-11-20")
    document = filled("quarantine", "list", "--json").document
    assert [(row["date"], row["kind"], row["reason"]) for row in document["quarantine"]] == [
        ("2026-11-20", "malformed", "not JSON"),
        (DAY, "malformed", "duplicate key"),
        (DAY, "malformed", "invalid UTF-8"),
        (DAY, "malformed", "not JSON"),
        (DAY, "orphaned", "orphaned"),
        (DAY, "too-small", "too-small"),
    ]
    assert [row["count"] for row in document["quarantine"]] == [1, 2, 1, 3, 1, 1]
    totals = document["totals"]["held"]
    listed = filled.s3.list_objects_v2(Bucket=NAMES.quarantine_bucket)["Contents"]
    assert (totals["lines"], totals["objects"]) == (7, 2)
    assert totals["bytes"] == sum(each["Size"] for each in listed)
    of_reason = filled("quarantine", "list", "--reason", "JSON", "--date", DAY, "--json").document
    assert counts(of_reason) == {("not JSON", "held"): 3}
    assert counts(filled("quarantine", "list", "--reason", "too-*", "--json").document) == {("too-small", "held"): 1}
    lines = [json.loads(line) for line in filled("quarantine", "list", "--ndjson").out.splitlines()]
    assert lines == document["quarantine"]
    out = filled("quarantine", "list").out
    assert "held: 7 lines, 2 objects" in out
    assert out.splitlines()[-1].endswith("quarantine show --env dev")
    # Of files alone there is no line to show: the step is one that finds them.
    step = shlex.split(filled("quarantine", "list", "--reason", "too-*").out.splitlines()[-1])
    assert step[-6:] == ["quarantine", "release", "--reason", "too-small", "--env", "dev"]
    found = filled(*step[-6:-2], "--json").document
    assert found["files"] + found["refused_count"] == 1


def test_a_copy_in_a_subfolder_is_no_quarantined_lines(filled: Operations) -> None:
    before = filled("quarantine", "list", "--json").document
    shown = filled("quarantine", "show", "--json").document["lines"]
    key = bad_lines_key(DAY, M1, 0)
    copy = key.replace("/malformed/", "/malformed/sub/")
    bucket = NAMES.quarantine_bucket
    filled.s3.copy_object(Bucket=bucket, Key=copy, CopySource={"Bucket": bucket, "Key": key})
    after = filled("quarantine", "list", "--json").document
    assert after["totals"]["held"]["lines"] == before["totals"]["held"]["lines"]
    assert counts(after) == counts(before) | {("orphaned", "held"): 2}
    assert filled("quarantine", "show", "--json").document["lines"] == shown
    assert len(filled("quarantine", "show", copy, "--json").document["lines"]) == 4, "it is shown where it is named"
    purged = filled("quarantine", "purge", "--reason", "orphaned", "--yes", "--json").document
    assert purged["objects"] == 2, purged
    assert filled("quarantine", "show", "--json").document["lines"] == shown


def test_an_empty_quarantine(operations: Operations) -> None:
    assert operations("quarantine", "list").code == 2
    operations.deploy()
    assert operations("quarantine", "list").out == "Nothing is in the quarantine.\n"
    assert operations("quarantine", "list", "--json").document["quarantine"] == []
    assert operations("quarantine", "show", "--json").document["lines"] == []
    assert operations("quarantine", "history", "--json").document == {"env": "dev", "actions": [], "count": 0}


def test_a_copy_whose_file_moved_on_is_told_apart(filled: Operations) -> None:
    filled.put(DAY, SMALL, status=COMPLETED)
    assert counts(filled("quarantine", "list", "--reason", "too", "--json").document) == {("too-small", "moved on"): 1}
    # What the ledger has forgotten is held, as far as anybody knows.
    filled.s3.put_object(
        Bucket=NAMES.quarantine_bucket, Key=size_quarantine_key("2026-01-02", "too-small", "x.ndjson"), Body=b"x"
    )
    of_day = filled("quarantine", "list", "--date", "2026-01-02", "--json").document
    assert counts(of_day) == {("too-small", "held"): 1}


def test_a_key_too_long_for_its_copy_is_found_by_the_ledger(filled: Operations) -> None:
    import hashlib

    key = f"in/{'k' * 1_000}/{DAY}-l.ndjson"
    name = hashlib.sha256(key.encode()).hexdigest() + ".ndjson"
    copy = size_quarantine_key(DAY, "too-large", name)
    filled.s3.put_object(Bucket=NAMES.quarantine_bucket, Key=copy, Body=b"xx")
    about = {Attr.STATUS: QUARANTINED, Attr.QUARANTINE_KEY: copy, Attr.UPLOAD_TIME: iso_utc(now())}
    filled.put(DAY, key, **about)
    assert counts(filled("quarantine", "list", "--reason", "too-large", "--json").document)["too-large", "held"] == 1


def test_what_is_not_readable_is_said_and_the_rest_lives(filled: Operations) -> None:
    put_bad_lines(filled, M1, 5, b"no such thing\n")
    assert counts(filled("quarantine", "list", "--json").document)["not readable as quarantined lines", "held"] == 1
    refused = filled("quarantine", "show", bad_lines_key(DAY, M1, 5))
    assert refused.code == 1 and "cannot be read as quarantined lines (line 1: no JSON" in refused.err


# ------------------------------------------------------------------------------------------------------------- show


def raws(document: dict[str, Any]) -> list[Any]:
    return [line["raw"] or line["raw_base64"] for line in document["lines"]]


def test_lines_of_a_file_an_object_and_a_reason(filled: Operations) -> None:
    of_file = filled("quarantine", "show", A, "--json").document
    assert raws(of_file) == [raw.decode() for _, _, raw in (CUT, COMMA, TWICE, CUT)]
    assert {line["source"] for line in of_file["lines"]} == {uri(A)}
    assert filled("quarantine", "show", uri(A), "--json").document == of_file
    key = bad_lines_key(DAY, M1, 1)
    assert len(filled("quarantine", "show", key, "--json").document["lines"]) == 1
    assert len(filled("quarantine", "show", f"s3://{NAMES.quarantine_bucket}/{key}", "--json").document["lines"]) == 1
    twice = filled("quarantine", "show", "--date", DAY, "--reason", "duplicate", "--json").document
    assert [(line["source"], line["position"], line["line_number"]) for line in twice["lines"]] == [
        (uri(A), 9, 3),
        (uri(ODD), 9, 1),
    ]
    (utf8,) = filled("quarantine", "show", B, "--json").document["lines"]
    assert (utf8["raw"], utf8["raw_base64"], utf8["position"]) == (None, "eyJhIjogIv8ifQ==", 8)
    limited = filled("quarantine", "show", "--limit", "2", "--json").document
    assert (limited["count"], limited["more"]) == (2, True)
    assert filled("quarantine", "show", "--json").document["more"] is False


def test_a_forgotten_file_is_found_by_its_date(filled: Operations) -> None:
    put_bad_lines(filled, M1, 0, bad_lines("plain.ndjson", [CUT]) + bad_lines(A, [TWICE]), date="2026-01-02")
    assert "say --date as well" in filled("quarantine", "show", "plain.ndjson").err
    found = filled("quarantine", "show", "plain.ndjson", "--date", "2026-01-02", "--json").document
    assert [line["source"] for line in found["lines"]] == [uri("plain.ndjson")]


def test_a_row_in_a_pipe_is_one_line_however_long(filled: Operations) -> None:
    key = f"in/{DAY}-{'k' * 400} {'l' * 400}.ndjson"
    filled.put(DAY, key, status=COMPLETED, upload_time=iso_utc(now()))
    assert any(line.endswith(key) for line in filled("files").out.splitlines())


def test_the_screen_points_at_the_error(filled: Operations) -> None:
    out = filled("quarantine", "show", A).out.splitlines()
    at = out.index('    {"a": 1 "b": 2}')
    assert out[at + 1] == "            ^"
    assert out[at - 1] == "  not JSON: not valid JSON at character 9: Expecting ',' delimiter"
    assert out[at - 2] == f"line 2, byte 100  {uri(A)}"
    odd = filled("quarantine", "show", ODD).out
    assert rf"line 1, byte 0  s3://{NAMES.input_bucket}/in/{DAY}-[b]o\n😀.ndjson" in odd
    assert r"    {" '"a": "\\xff"}' in filled("quarantine", "show", B).out
    assert out[-1].endswith(f"quarantine show {A} --save FILE --env dev")


def test_a_file_that_is_set_aside_as_a_whole(filled: Operations) -> None:
    answer = filled("quarantine", "show", SMALL)
    assert answer.code == 0 and answer.out.startswith("No quarantined lines.")
    assert f"quarantine release {SMALL} --ignore-size-rule --env dev' sends it back" in answer.err


def test_a_file_that_the_rule_takes_now_is_released_without_an_exception(filled: Operations) -> None:
    for key in (f"in/{DAY}-normal.ndjson", f"-{DAY}-dash.ndjson"):
        set_aside(filled, key, b"x" * 1_000_000, "too-small")
        err = filled("quarantine", "show", f"s3://{NAMES.input_bucket}/{key}").err
        told = f"s3://{NAMES.input_bucket}/{key}" if key.startswith("-") else key
        assert f"quarantine release {told} --env dev' sends it back" in err
    # By the version that is there now, as a release would go by it.
    filled.s3.put_object(Bucket=NAMES.input_bucket, Key=f"in/{DAY}-normal.ndjson", Body=b"x")
    assert "--ignore-size-rule" in filled("quarantine", "show", f"in/{DAY}-normal.ndjson").err


def test_lines_are_saved_as_they_were(filled: Operations) -> None:
    path = Path("to mend.ndjson")
    document = filled("quarantine", "show", "--date", DAY, "--save", str(path), "--json").document
    assert (document["lines"], document["left_out"], document["file"]) == (6, {}, str(path))
    assert sorted(path.read_bytes().splitlines()) == sorted(raw for _, _, raw in (CUT, COMMA, TWICE, BYTES, CUT, TWICE))
    origins = Path("to mend.ndjson.origin").read_text().splitlines()
    assert json.loads(origins[0])["version"] == 1
    assert json.loads(origins[1]) == [bad_lines_key(DAY, M1, 0), uri(A), 0]
    again = filled("quarantine", "show", "--save", str(path))
    assert again.code == 2 and "is there already" in again.err
    assert filled("quarantine", "show", "--save", "no/where").code == 2
    limited = filled("quarantine", "show", "--limit", "1", "--save", "x").out
    assert "1 line saved in x" in limited and "quarantine release --mended x --env dev" in limited
    assert len(Path("x").read_bytes().splitlines()) == 1


def test_a_line_that_was_cut_is_not_saved(filled: Operations) -> None:
    facts = {"version": 1, "source": uri(A), "byte_offset": 0, "line_number": 1, "reason": "line too long"}
    cut = {**facts, "detail": "9999 bytes, the limit is 5", "raw_bytes": 9_999, "truncated": True, "raw": '{"a":'}
    put_bad_lines(filled, M1, 7, json.dumps(cut).encode() + b"\n")
    key = bad_lines_key(DAY, M1, 7)
    document = filled("quarantine", "show", key, "--save", "f", "--json").document
    assert (document["lines"], sum(document["left_out"].values())) == (0, 1)
    (shown,) = filled("quarantine", "show", key, "--json").document["lines"]
    assert (shown["truncated"], shown["position"]) == (True, None)
    assert "only its beginning was kept" in filled("quarantine", "show", key).out


def test_a_long_line_is_cut_in_a_document_and_whole_in_a_file(filled: Operations) -> None:
    raw = b'{"a": "' + b"x" * 200_000 + b'" "b"}'
    put_bad_lines(filled, M1, 7, bad_lines(A, [("not JSON", "not valid JSON at character 200010: oh", raw)]))
    key = bad_lines_key(DAY, M1, 7)
    (line,) = filled("quarantine", "show", key, "--json").document["lines"]
    assert (line["raw_bytes"], line["raw_cut"], len(line["raw"])) == (len(raw), True, 65_536)
    filled("quarantine", "show", key, "--save", "f")
    assert Path("f").read_bytes() == raw + b"\n"
    out = filled("quarantine", "show", key).out.splitlines()
    assert out[3].startswith("    …xxx") and out[3].endswith('x" "b"}')
    assert out[3][len(out[4]) - 1] == '"', "the caret is under it"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["show", "s3://elsewhere/x"], "is neither in this environment's input bucket"),
        (["show", "s3://"], "is not s3://bucket/key"),
        (["show", f"{DAY}/malformed/nothing"], "is not there"),
        (["show", "--limit", "0"], "--limit"),
        (["show", "--save", "f", "--ndjson"], "exclude each other"),
        (["list", "--date", "soon"], "--date takes"),
        (["backtest", "--set", "size_rule.max_file_size_mb=no"], "size_rule.max_file_size_mb"),
        (["backtest"], "--set size_rule.max_file_size_mb="),
        (["backtest", "--set", "job.workers=3"], "--set size_rule.max_file_size_mb="),
    ],
)
def test_what_is_asked_for_wrongly(filled: Operations, words: list[str], problem: str) -> None:
    answer = filled("quarantine", *words)
    assert answer.code == 2 and problem in answer.err


# --------------------------------------------------------------------------------------------------------- backtest


def test_a_proposed_rule_against_what_is_recorded(operations: Operations) -> None:
    operations.deploy()
    for number, size in enumerate((500, 2_000, 20_000_000, 5_000_000)):
        operations.put(DAY, f"{number}.ndjson", status=COMPLETED, size_bytes=size, upload_time=iso_utc(now()))
    set_aside(operations, "large.ndjson", b"x" * 900, "too-small", date="2026-11-22")
    set_aside(operations, "tiny.ndjson", b"x" * 10, "too-small")
    operations.put(DAY, "unknown.ndjson", status=COMPLETED, upload_time=iso_utc(now()))
    words = ("quarantine", "backtest", "--set", "size_rule.min_file_size_mb=0.0005")
    document = operations(*words, "--json").document
    assert {name: each["files"] for name, each in document["totals"].items()} == {
        "newly_quarantined": 2,  # 500 bytes, and 20 MB, which the maximum of 15 MiB does not take
        "freed": 1,
        "still_quarantined": 1,
        "normal_in_both": 2,
    }
    assert (document["files"], document["files_without_size"]) == (6, 1)
    assert document["totals"]["freed"]["percent"] == pytest.approx(16.667)
    assert [day["date"] for day in document["dates"]] == ["2026-11-22", DAY]
    assert [each["key"] for each in document["examples"]["freed"]] == ["large.ndjson"]
    assert document["proposed"]["min_bytes"] == 524 and document["profile"]["min_bytes"] == 1_049
    assert document["next"].endswith("deploy --env dev --set size_rule.min_file_size_mb=0.0005")
    of_day = operations(*words, "--date", "2026-11-22", "--json").document
    assert (of_day["files"], of_day["totals"]["freed"]["files"]) == (1, 1)
    out = operations(*words).out
    assert "6 files: 2 newly quarantined, 1 freed, 1 still quarantined, 2 normal in both" in out


def test_a_backtest_reads_all_pages_and_keeps_a_few_examples(operations: Operations) -> None:
    operations.deploy()
    for number in range(400):
        about = {Attr.SIZE_BYTES: number, Attr.REASON: "r" * 3_000, Attr.UPLOAD_TIME: iso_utc(now())}
        operations.put(DAY, f"{number}.ndjson", status=QUARANTINED, **about)
    from ndjctl.contracts import SizeWindow

    window = SizeWindow(1, 50, min_mb=100 / 2**20)
    result: Backtest = backtest(operations.dynamodb, NAMES.tracking_table, window, None, lambda _more: None)
    assert dict(result.totals.files) == {"still quarantined": 100, "freed": 300}
    assert len(result.examples["freed"]) == 5
