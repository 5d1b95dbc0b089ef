"""`ndjctl manifests` and `manifests show` on moto: all pages, the right order, and the command that mends."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from ndjctl import contracts
from ndjctl.contracts import Attr, report_key
from ndjctl.manifest_advice import advise
from ndjctl.manifest_details import ManifestDetails, describe
from ndjctl.manifests import list_manifests
from ndjctl.output.manifests import manifest_view
from tests.functional.operations_world import DAY, NAMES, GlueStub, Operations, now

EARLIER = "2026-11-20"


def ids(document: dict[str, Any]) -> list[str]:
    return [manifest["id"] for manifest in document["manifests"]]


@pytest.fixture
def filled(operations: Operations) -> Operations:
    operations.deploy()
    operations.manifest("20261123T100000000Z-00000001", "done", status="completed")
    operations.manifest("20261120T100000000Z-00000002", "done", date=EARLIER, age_s=300_000)
    operations.manifest("20261123T110000000Z-00000003", "running", age_s=7_500, run_id="jr_" + "3" * 64)
    operations.manifest("20261123T120000000Z-00000004", "ready", files=3, error="run refused: [bold]no[/bold]\nroom")
    operations.manifest("20261123T090000000Z-00000005", "abandoned", error="out of memory")
    return operations


def test_open_ones_first_each_oldest_first(filled: Operations) -> None:
    document = filled("manifests", "--json").document
    assert [name[-1] for name in ids(document)] == ["3", "4", "2", "5", "1"]
    assert (document["count"], document["files"]) == (5, 11)
    assert document["states"] == {"running": 1, "ready": 1, "done": 2, "abandoned": 1}
    running, ready = document["manifests"][:2]
    assert (running["state"], running["open"], running["run_id"]) == ("running", True, "jr_" + "3" * 64)
    assert 7_500 <= running["age_s"] < 7_600
    assert (ready["files"], ready["size_bytes"], ready["error"]) == (3, 3003, "run refused: [bold]no[/bold]\nroom")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--open"], "34"),
        (["--closed"], "251"),
        (["--state", "done"], "21"),
        (["--state", "ready"], "4"),
        (["--date", EARLIER], "2"),
        (["--date", DAY, "--closed"], "51"),
        (["--state", "claiming"], ""),
        (["--date", "2026-01-01"], ""),
    ],
)
def test_filters(filled: Operations, words: list[str], expected: str) -> None:
    assert "".join(name[-1] for name in ids(filled("manifests", "--json", *words).document)) == expected


def test_the_screen_is_one_line_each_and_takes_text_as_text(filled: Operations) -> None:
    out = filled("manifests").out
    lines = out.splitlines()
    assert len(lines) == 8
    assert lines[2].endswith(r"run refused: [bold]no[/bold]\nroom")
    assert "2 h 5 min" in lines[1]
    assert lines[6] == "5 manifests of 11 files: 1 ready, 1 running, 2 done, 1 abandoned"
    assert lines[7].endswith("manifests show --env dev ID")


def test_every_page_is_read_and_a_manifest_that_closes_meanwhile_is_told_once(operations: Operations) -> None:
    operations.deploy()
    # 300 items of 4,000 bytes pass the megabyte that a page of DynamoDB holds.
    for number in range(300):
        name = f"20261123T100000{number:03d}Z-0000000a"
        operations.manifest(name, "ready" if number % 2 else "done", files=1, stored=number < 2, error="x" * 4_000)
    found = list(list_manifests(operations.dynamodb, operations.s3, NAMES))
    assert len(found) == len({each.manifest_id for each in found}) == 300
    assert [each.manifest_id for each in found] == [
        *sorted(each.manifest_id for each in found if each.is_open),
        *sorted(each.manifest_id for each in found if not each.is_open),
    ]

    listing = list_manifests(operations.dynamodb, operations.s3, NAMES)
    first = next(listing)
    operations.manifest(first.manifest_id, "done", files=1)
    assert [each.manifest_id for each in listing].count(first.manifest_id) == 0


def test_an_error_in_the_middle_of_a_list_still_ends_in_one_document(operations: Operations) -> None:
    operations.deploy()
    operations.manifest("20261123T100000000Z-00000001", "ready")
    operations.s3.delete_object(
        Bucket=NAMES.manifest_bucket, Key=contracts.manifest_key(DAY, "20261123T100000000Z-00000001")
    )
    operations.s3.delete_bucket(Bucket=NAMES.manifest_bucket)
    answer = operations("manifests", "--json")
    assert answer.code == 2
    assert ids(answer.document) == ["20261123T100000000Z-00000001"]
    assert answer.document["error"]["exit_code"] == 2


def test_nothing_deployed_and_nothing_there(operations: Operations) -> None:
    answer = operations("manifests", "--json")
    assert answer.code == 2
    message = answer.document["error"]["message"].replace("pytest", "")
    assert "is not deployed, or not whole (there is no table" in message
    assert "run 'ndjctl deploy --env dev' first" in message
    operations.deploy()
    assert operations("manifests").out == "No manifests.\n"
    assert operations("manifests", "--json").document == {
        "env": "dev",
        "manifests": [],
        "count": 0,
        "files": 0,
        "states": {},
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--state", "gone"], "--state takes one of claiming, ready"),
        (["--state", "done", "--open"], "No manifest is done and open"),
        (["--date", "yesterday"], "--date takes YYYY-MM-DD"),
        (["--state", "done", "show", "x"], "--state is for 'manifests' alone"),
        (["show", " "], "ID is empty"),
    ],
)
def test_what_cannot_be_meant_is_refused(operations: Operations, words: list[str], said: str) -> None:
    operations.deploy()
    answer = operations("manifests", *words)
    assert answer.code == 2
    assert said in answer.err


# ---------------------------------------------------------------------------------------------- show


def test_shown_by_the_beginning_of_its_id(filled: Operations) -> None:
    document = filled("manifests", "show", "20261123T12", "--json").document
    assert document["id"] == "20261123T120000000Z-00000004"
    assert document["uri"] == f"s3://{NAMES.manifest_bucket}/manifests/{DAY}/manifest-{document['id']}.json"
    assert [file["status"] for file in document["file_details"]] == [None] * 3
    closed = filled("manifests", "show", "20261120", "--json").document
    assert (closed["date"], closed["state"]) == (EARLIER, "done")


def test_a_beginning_that_is_none_or_not_unique(filled: Operations) -> None:
    assert "No manifest has an id that begins with '2025'" in filled("manifests", "show", "2025").err
    answer = filled("manifests", "show", "20261123", "--json")
    assert answer.code == 2
    message = answer.document["error"]["message"]
    assert message.count("20261123T") == 4
    assert "More than one" in message


def test_one_that_the_ledger_has_forgotten_is_found_by_its_object(operations: Operations) -> None:
    operations.deploy()
    name = "20261101T100000000Z-000000aa"
    operations.manifest(name, "done", date="2026-11-01")
    key = {"date_prefix": {"S": contracts.closed_manifests_partition("2026-11-01")}, "file_key": {"S": f"{name}#"}}
    operations.dynamodb.delete_item(TableName=NAMES.tracking_table, Key=key)
    document = operations("manifests", "show", "20261101", "--json").document
    assert (document["id"], document["state"], document["files"]) == (name, None, 2)
    assert "has forgotten it" in operations("manifests", "show", "20261101").out


def test_one_that_is_being_built_has_candidates(operations: Operations) -> None:
    operations.deploy()
    operations.manifest("20261123T100000000Z-00000001", "claiming", stored=False, files=3)
    document = operations("manifests", "show", "2026", "--json").document
    assert [file["source"][-8:] for file in document["file_details"]] == ["0.ndjson", "1.ndjson", "2.ndjson"]


def test_an_item_of_before_the_lists_were_items_of_their_own(operations: Operations) -> None:
    operations.deploy()
    files = [{"bucket": "b", "key": "a.ndjson", "size_bytes": 7, "etag": "e"}]
    name = "20261123T100000000Z-00000001"
    operations.put(contracts.OPEN_MANIFESTS_PARTITION, f"{name}#", state="claiming", date=DAY, files=files)
    (manifest,) = operations("manifests", "--json").document["manifests"]
    assert (manifest["files"], manifest["size_bytes"], manifest["age_s"]) == (1, 7, None)
    document = operations("manifests", "show", name, "--json").document
    assert [file["source"] for file in document["file_details"]] == ["s3://b/a.ndjson"]


def test_the_whole_story_of_a_done_one(operations: Operations) -> None:
    operations.deploy()
    name = "20261123T100000000Z-00000001"
    operations.manifest(name, "done", status="completed", sealed_at="2020-11-23T10:00:01.000Z", age_s=5)
    report = {
        "format": contracts.REPORT_FORMAT,
        "version": 1,
        "run_id": "jr_1",
        "completed_at": "2020-11-23T10:01:00.000Z",
        "error": None,
        "parts": [{"number": 0}],
        "totals": {
            "lines": 12,
            "rows": 10,
            "bad_lines": 2,
            "rescued_values": 3,
            "files_completed": 2,
            "files_failed": 0,
            "files_refused": 0,
            "parquet_bytes": 999,
        },
        "schema": {"version": 4},
    }
    operations.s3.put_object(Bucket=NAMES.manifest_bucket, Key=report_key(DAY, name), Body=json.dumps(report))
    document = operations("manifests", "show", name, "--json").document
    assert document["statuses"] == {"completed": 2}
    assert (document["report"]["rows"], document["report"]["bad_lines"], document["report"]["parts"]) == (10, 2, 1)
    whats = [moment["what"] for moment in document["timeline"]]
    assert whats[:2] == ["its files are claimed", "report written"]
    assert set(whats[2:]) == {"begun by the builder", "closed"}
    assert document["advice"] == []
    out = operations("manifests", "show", name).out
    assert "12 lines = 10 rows + 2 quarantined, 1 part, 999 B" in out
    assert "next:" not in out

    operations.s3.put_object(Bucket=NAMES.manifest_bucket, Key=report_key(DAY, name), Body=b'{"format":"other"}')
    answer = operations("manifests", "show", name)
    assert answer.code == 1
    assert "is not a document of format ndjctl.run-report" in answer.err


@pytest.mark.parametrize(
    ("state", "status", "attributes", "command"),
    [
        ("abandoned", "failed", {}, f"redrive failed --date {DAY} --env dev"),
        ("done", "manifested", {}, f"redrive stuck --date {DAY} --env dev"),
        ("ready", "manifested", {}, "sweep --env dev"),
        ("claiming", "pending", {}, "sweep --env dev"),
        ("running", "failed", {Attr.GIVEN_UP_AT: "2020-11-23T10:00:01.000Z"}, "sweep --env dev"),
        ("ready", "processing", {Attr.ERROR: "no capacity"}, "sweep --env dev"),
    ],
)
def test_what_to_type_when_something_is_wrong(
    operations: Operations, state: str, status: str, attributes: dict[str, str], command: str
) -> None:
    operations.deploy()
    name = "20261123T100000000Z-00000001"
    operations.manifest(name, state, status=status, **attributes)
    (advice,) = operations("manifests", "show", name, "--json").document["advice"]
    assert advice["command"].endswith(command)
    assert f"next: {advice['command']}" in operations("manifests", "show", name).out


@pytest.mark.parametrize("garbage", [None, b"\xff"], ids=["gone", "garbage"])
@pytest.mark.parametrize("state", ["ready", "running", "done"])
def test_one_whose_object_is_gone_or_damaged(operations: Operations, state: str, garbage: bytes | None) -> None:
    operations.deploy()
    name = "20261123T100000000Z-00000001"
    manifest = operations.manifest(name, state, status="completed" if state == "done" else "manifested")
    place = {"Bucket": NAMES.manifest_bucket, "Key": contracts.manifest_key(DAY, name)}
    operations.s3.delete_object(**place)
    if garbage is not None:
        operations.s3.put_object(**place, Body=garbage)
    else:  # a report alone leads to the date of a closed one
        operations.s3.put_object(Bucket=NAMES.manifest_bucket, Key=report_key(DAY, "another"), Body=b"")
    document = operations("manifests", "show", name, "--json").document
    fault = document["object_fault"]
    assert fault == "gone" if garbage is None else fault.startswith("damaged (it is ")
    assert [each["source"] for each in document["file_details"]] == [file.uri for file in manifest.files]
    if state == "done":
        assert document["advice"] == []
        return
    (advice,) = document["advice"]
    assert (
        advice["why"] == f"Its object is {fault}: a sweep writes it again from the ledger when a run of it has ended."
    )
    assert advice["command"].endswith("sweep --env dev")


def test_a_damaged_object_of_which_the_ledger_knows_nothing_is_told_with_a_way_out(operations: Operations) -> None:
    operations.deploy()
    key = contracts.manifest_key(DAY, "20261123T100000000Z-00000001")
    operations.s3.put_object(Bucket=NAMES.manifest_bucket, Key=key, Body=b"garbage")
    answer = operations("manifests", "show", "2026")
    assert answer.code == 1
    assert "the ledger has forgotten the manifest: put the object back" in " ".join(answer.err.split())


def test_the_state_of_its_run_is_glues(operations: Operations) -> None:
    operations.deploy()
    name = "20261123T100000000Z-00000001"
    operations.manifest(name, "running", status="processing", run_id="jr_1")

    def shown(**runs: tuple[str, datetime | None]) -> tuple[ManifestDetails, list[str]]:
        glue = GlueStub(runs, now())
        details = describe(operations.dynamodb, operations.s3, glue, NAMES, name, lambda _seconds: None)
        return details, [advice.why for advice in advise(details, now())]

    details, advice = shown(jr_1=("RUNNING", None))
    assert ([run.state for run in details.runs], advice) == (["RUNNING"], [])
    long_ago = now() - timedelta(minutes=5)
    details, advice = shown(jr_1=("FAILED", long_ago), jr_1_attempt_1=("TIMEOUT", long_ago))
    assert [run.run_id for run in details.runs] == ["jr_1", "jr_1_attempt_1"]
    assert advice == ["Its run ended TIMEOUT with 2 files not at rest: a sweep follows it up."]
    assert (long_ago, "Glue run jr_1_attempt_1 TIMEOUT") in details.timeline
    view = manifest_view(details, [], now(), lambda *words: " ".join(words))
    assert [run["state"] for run in view.document["runs"]] == ["FAILED", "TIMEOUT"]
    details, advice = shown()
    assert (details.runs, advice) == ((), ["Glue does not know its run: a sweep starts another."])
