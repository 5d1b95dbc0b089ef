"""`ndjctl explain` on moto: what is read of a file, how a part of a key is found, and where the reading ends."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from ndjctl.contracts import (
    COMPLETED,
    DONE,
    REPORT_FORMAT,
    Attr,
    Manifest,
    ManifestFile,
    Release,
    ReleasedObject,
    bad_lines_key,
    iso_utc,
    manifest_key,
    part_key,
    report_key,
    s3_uri,
)
from ndjctl.explain import reads, reads_of_lines, search
from ndjctl.quarantine.records import QuarantineRecords
from tests.functional.operations_world import DAY, NAMES, REGION, GlueStub, Operations, now
from tests.quarantine_world import set_aside
from tests.reconcile_world import bad_lines, parquet
from tests.redrive_world import event

KEY = f"{DAY}-a [1].ndjson"
MANIFEST = "20261123T100000000Z-0000000a"
RUN = "jr_" + "1" * 64


class Glue(GlueStub):
    def get_job(self, JobName: str) -> dict[str, Any]:
        return {"Job": {"Command": {"Name": "glueetl"}, "ExecutionProperty": {"MaxConcurrentRuns": 5}}}

    def get_job_runs(self, **_: Any) -> dict[str, Any]:
        return {"JobRuns": []}


class Refusing:
    """A client of which these operations are refused."""

    def __init__(self, client: Any, *operations: str) -> None:
        self._client, self._operations = client, operations
        self.meta = client.meta

    def __getattr__(self, name: str) -> Any:
        if name not in self._operations:
            return getattr(self._client, name)

        def refuse(**_: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, name)

        return refuse


@pytest.fixture
def world(operations: Operations) -> Operations:
    operations.deploy()
    operations.clients["glue"] = Glue({RUN: ("SUCCEEDED", now() - timedelta(minutes=5))}, None)
    return operations


def put(world: Operations, key: str = KEY, body: bytes = b'{"a":1}\n') -> str:
    return str(world.s3.put_object(Bucket=NAMES.input_bucket, Key=key, Body=body)["ETag"]).strip('"')


def convert(world: Operations, rows: int = 3, parts: int = 2) -> None:
    """The file as a manifest that is done leaves it: its rows in the first of the parts, and one bad line."""
    uri, etag = s3_uri(NAMES.input_bucket, KEY), put(world)
    counts = {Attr.LINES: rows + 1, Attr.ROWS: rows, Attr.BAD_LINES: 1}
    about = {Attr.STATUS: COMPLETED, Attr.ETAG: etag, Attr.BATCH_ID: MANIFEST, Attr.RUN_ID: RUN, Attr.SIZE_BYTES: 8}
    world.put(DAY, KEY, **about, **counts, **{Attr.UPLOAD_TIME: iso_utc(now()), Attr.UPDATED_AT: iso_utc(now())})
    world.manifest(MANIFEST, DONE, run_id=RUN, parts=parts)
    file = ManifestFile(NAMES.input_bucket, KEY, 8, etag)
    stored = Manifest(MANIFEST, DAY, iso_utc(now()), (file,))
    world.s3.put_object(Bucket=NAMES.manifest_bucket, Key=manifest_key(DAY, MANIFEST), Body=stored.to_json())
    for number in range(parts):
        body = parquet({uri if number == 0 else "s3://x/other.ndjson": rows})
        world.s3.put_object(Bucket=NAMES.output_bucket, Key=part_key(DAY, MANIFEST, number), Body=body)
    quarantined = bad_lines(["s3://x/other.ndjson", uri])
    world.s3.put_object(Bucket=NAMES.quarantine_bucket, Key=bad_lines_key(DAY, MANIFEST, 0), Body=quarantined)
    entry = {"bucket": NAMES.input_bucket, "key": KEY, "etag": etag, "status": COMPLETED, "error": None}
    report = {
        "format": REPORT_FORMAT,
        "version": 1,
        "manifest_id": MANIFEST,
        "run_id": RUN,
        "completed_at": iso_utc(now()),
        "files": [{**entry, "lines": rows + 1, "rows": rows, "bad_lines": 1}],
        "parts": [{}] * parts,
    }
    body = json.dumps(report).encode()
    world.s3.put_object(Bucket=NAMES.manifest_bucket, Key=report_key(DAY, MANIFEST), Body=body)


def stage(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in document["stages"] if each["stage"] == name)


def test_an_object_of_a_manifest_that_is_none_is_a_fact_of_it(operations: Operations) -> None:
    operations.deploy()
    (file, *_) = operations.manifest(MANIFEST, "started", status="manifested").files
    place = {"Bucket": NAMES.manifest_bucket, "Key": manifest_key(DAY, MANIFEST)}

    def read() -> Any:
        return reads.read_manifest(operations.dynamodb, operations.s3, NAMES, DAY, MANIFEST, file.uri)

    assert (read().entry, read().fault) == (file, "")
    operations.s3.put_object(**place, Body=b"garbage")
    assert read().entry is None and read().fault.startswith("damaged (it is ") and "not JSON" in read().fault
    operations.s3.delete_object(**place)
    assert (read().entry, read().fault) == (None, "gone")


def test_a_converted_file_with_all_its_stages(world: Operations) -> None:
    convert(world)
    answer = world("explain", KEY, "--count", "--json")
    document = answer.document
    assert (answer.code, document["verdict"]["code"]) == (0, "completed")
    assert stage(document, "manifest")["facts"]["named_in_object"] is True
    assert stage(document, "run")["facts"]["attempts"][0]["state"] == "SUCCEEDED"
    output = stage(document, "output")["facts"]
    assert output["counted"]["rows"] == 3 and output["counted"]["bad_lines"] == 1
    assert output["counted"]["parts"] == [s3_uri(NAMES.output_bucket, part_key(DAY, MANIFEST, 0))]
    assert output["report"]["rows"] == 3 and output["parts_present"] == 2
    (example,) = stage(document, "quarantine")["facts"]["examples"]
    assert (example["line_number"], example["reason"]) == (1, "not JSON")


def test_how_many_quarantined_lines_were_released(world: Operations) -> None:
    convert(world)
    stored, uri = bad_lines_key(DAY, MANIFEST, 0), s3_uri(NAMES.input_bucket, KEY)
    # The same line twice, a line of another file, and one of another manifest.
    objects = (
        ReleasedObject(stored, ((uri, 0), ("s3://x/other.ndjson", 0))),
        ReleasedObject(bad_lines_key(DAY, "another", 0), ((uri, 7),)),
    )
    records = QuarantineRecords(world.s3, NAMES.manifest_bucket)
    for release_id in ("r1", "r2"):
        records.put_release(Release(release_id, DAY, iso_utc(now()), "me", objects), 0)
    told = stage(world("explain", KEY, "--json").document, "quarantine")
    assert (told["facts"]["lines"], told["facts"]["released"]) == (1, 1)
    assert told["sentence"].startswith("1 line of it that are no records, 1 of them released since")
    few = reads_of_lines.read_released(world.s3, NAMES, DAY, MANIFEST, uri, most_records=1)
    assert (few.lines, few.is_whole) == (1, False)


def test_rows_that_are_not_there_are_found_by_counting_alone(world: Operations) -> None:
    convert(world)
    uri = s3_uri(NAMES.input_bucket, KEY)
    world.s3.put_object(Bucket=NAMES.output_bucket, Key=part_key(DAY, MANIFEST, 0), Body=parquet({uri: 2}))
    assert world("explain", KEY).code == 0
    answer = world("explain", KEY, "--count", "--json")
    assert (answer.code, answer.document["verdict"]["code"]) == (1, "miscounted")
    assert answer.document["remedies"][0]["command"].endswith(f"reprocess --manifest {MANIFEST} --env dev")


def test_what_may_not_be_read_costs_its_own_stage(world: Operations) -> None:
    convert(world)
    world.clients["s3"] = Refusing(boto3.client("s3", REGION), "list_object_versions")
    world.clients["logs"] = Refusing(boto3.client("logs", REGION), "filter_log_events")
    answer = world("explain", KEY, "--json")
    document = answer.document
    assert (answer.code, document["verdict"]["code"]) == (0, "completed")
    assert stage(document, "function")["state"] in ("unknown", "wrong")
    assert {remark.split(":")[1].strip() for remark in document["remarks"]} >= {"its versions", "the function's log"}


def test_a_lost_event_and_a_dead_letter(world: Operations) -> None:
    put(world)
    document = world("explain", KEY, "--json").document
    assert document["verdict"]["code"] == "not-wired"
    assert "--prefix" in document["remedies"][-1]["command"]
    url = world.sqs.get_queue_url(QueueName=NAMES.dead_letter_queue)["QueueUrl"]
    for key in ("other.ndjson", KEY):
        world.sqs.send_message(QueueUrl=url, MessageBody=event(key))
    answer = world("explain", KEY, "--json")
    assert (answer.code, answer.document["verdict"]["code"]) == (1, "dead-letter")
    assert answer.document["remedies"][-1]["command"].endswith("redrive dlq --env dev")
    # Whatever was looked at is in view again.
    left = world.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    assert left["Attributes"]["ApproximateNumberOfMessages"] == "2"


def test_the_log_of_the_function_about_this_file_alone(world: Operations) -> None:
    put(world)
    logs = boto3.client("logs", REGION)
    logs.create_log_group(logGroupName=NAMES.function_log_group)
    logs.create_log_stream(logGroupName=NAMES.function_log_group, logStreamName="s")
    at_ms = int(now().timestamp() * 1000)
    told = [
        {"level": "ERROR", "event": "file_not_tracked", "file_key": key, "error": error}
        for key, error in (("b.ndjson", "other"), (KEY, "AccessDenied: no"))
    ]
    events = [{"timestamp": at_ms, "message": json.dumps(each)} for each in told]
    logs.put_log_events(logGroupName=NAMES.function_log_group, logStreamName="s", logEvents=events)
    document = world("explain", KEY, "--json").document
    assert stage(document, "function")["facts"]["lines"] == 1
    assert "AccessDenied: no" in stage(document, "function")["sentence"]
    assert [each["stage"] for each in document["timeline"]] == ["upload", "function"]


def test_a_file_that_the_ledger_has_forgotten(world: Operations) -> None:
    old = "2026-01-05-old.ndjson"
    entry = {"bucket": NAMES.input_bucket, "key": old, "etag": "e", "status": COMPLETED}
    report = {"format": REPORT_FORMAT, "version": 1, "manifest_id": MANIFEST, "run_id": RUN, "parts": [{}]}
    body = json.dumps({**report, "files": [{**entry, "lines": 4, "rows": 4, "bad_lines": 0}]}).encode()
    for number in range(3):
        key = report_key("2026-01-05", f"{MANIFEST}{number}")
        content = body if number == 2 else b"no report"
        world.s3.put_object(Bucket=NAMES.manifest_bucket, Key=key, Body=content)
    answer = world("explain", old, "--json")
    assert (answer.code, answer.document["verdict"]["code"]) == (0, "converted-and-forgotten")
    assert stage(answer.document, "output")["facts"]["report"]["rows"] == 4


def test_a_converted_file_whose_item_went_too_early_is_not_called_lost(world: Operations) -> None:
    """As after a restored table: `backfill` leaves it out, so explain must not send anybody there."""
    convert(world)
    item = {"date_prefix": {"S": DAY}, "file_key": {"S": KEY}}
    world.dynamodb.delete_item(TableName=NAMES.tracking_table, Key=item)
    assert world("explain", KEY, "--json").document["verdict"]["code"] == "not-wired"  # its event may still come
    answer = world("explain", KEY, "--grace", "0", "--json")
    verdict = answer.document["verdict"]
    assert (answer.code, verdict["code"], answer.document["remedies"]) == (0, "converted-and-forgotten", [])
    assert "has lost its item" in verdict["sentence"]
    # Another version than the report's was never converted.
    put(world, body=b"another\n")
    assert world("explain", KEY, "--grace", "0", "--json").document["verdict"]["code"] == "not-wired"


def test_a_ledger_that_is_gone_is_said_and_nothing_is_made_up_of_the_file(world: Operations) -> None:
    convert(world)
    world.dynamodb.delete_table(TableName=NAMES.tracking_table)
    answer = world("explain", KEY, "--json")
    document = answer.document
    assert (answer.code, document["verdict"]["code"]) == (1, "ledger-gone")
    assert document["remedies"][0]["command"].endswith("deploy --env dev")
    assert stage(document, "ledger")["state"] == "wrong"
    assert f"the table {NAMES.tracking_table} is not there" in stage(document, "ledger")["sentence"]
    for name in ("lock", "manifest", "run", "output", "quarantine"):
        assert stage(document, name)["state"] == "unknown", name


def test_a_pending_file_without_a_job_is_not_told_to_wait(world: Operations) -> None:
    class Jobless(Glue):
        def get_job(self, JobName: str) -> dict[str, Any]:
            raise ClientError({"Error": {"Code": "EntityNotFoundException", "Message": "no"}}, "GetJob")

    world.clients["glue"] = Jobless({}, None)
    about = {Attr.STATUS: "pending", Attr.ETAG: put(world), Attr.SIZE_BYTES: 8, Attr.UPLOAD_TIME: iso_utc(now())}
    world.put(DAY, KEY, **about)
    answer = world("explain", KEY, "--json")
    verdict = answer.document["verdict"]
    assert (answer.code, verdict["wrong"], verdict["waiting"], verdict["wait_until"]) == (1, True, False, None)
    assert f"The job {NAMES.job} is not there" in verdict["sentence"]
    commands = [each["command"] for each in answer.document["remedies"]]
    assert "deploy" in commands[0] and "sweep" in commands[-1]
    assert stage(answer.document, "run")["state"] == "wrong"
    assert "nothing is to be done" not in world("explain", KEY).out


def empty_and_delete(world: Operations, bucket: str) -> None:
    for each in world.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        world.s3.delete_object(Bucket=bucket, Key=each["Key"])
    world.s3.delete_bucket(Bucket=bucket)


def test_quarantined_lines_whose_bucket_is_gone(world: Operations) -> None:
    convert(world)
    empty_and_delete(world, NAMES.quarantine_bucket)
    answer = world("explain", KEY, "--json")
    document = answer.document
    assert (answer.code, document["verdict"]["code"]) == (1, "quarantine-gone")
    assert "what it held of this file is gone" in document["verdict"]["sentence"]
    assert document["remedies"][0]["command"].endswith("deploy --env dev")
    told = stage(document, "quarantine")
    assert (told["state"], told["sentence"]) == ("wrong", f"the bucket {NAMES.quarantine_bucket} is not there")


def test_a_file_set_aside_whose_bucket_is_gone(world: Operations) -> None:
    set_aside(world, KEY, b'{"a":1}\n')
    empty_and_delete(world, NAMES.quarantine_bucket)
    answer = world("explain", KEY, "--json")
    document = answer.document
    assert (answer.code, document["verdict"]["code"]) == (1, "quarantined")
    assert "what it held of this file is gone" in document["verdict"]["sentence"]
    commands = [each["command"] for each in document["remedies"]]
    assert commands[0].endswith("deploy --env dev") and "quarantine release" in commands[-1]
    assert stage(document, "quarantine")["state"] == "wrong"


# ---------------------------------------------------------------------------------------------- what is meant


def test_a_part_of_a_key(world: Operations) -> None:
    put(world)
    put(world, "in/2026-11-23-b.ndjson")
    world.put(f"{now():%Y-%m-%d}", "only-in-the-ledger.ndjson", status="pending", etag="e")
    assert world("explain", "a [1", "--json").document["key"] == KEY
    assert world("explain", "in-the-led", "--json").document["key"] == "only-in-the-ledger.ndjson"
    assert world("explain", f"s3://{NAMES.input_bucket}/{KEY}", "--json").document["key"] == KEY


def test_several_are_listed_with_what_to_type(world: Operations) -> None:
    for number in range(12):
        put(world, f"-{number:02d} x.ndjson")
    answer = world("explain", "0", "--json")
    assert answer.code == 2
    assert len(answer.document["candidates"]) == 10
    command = answer.document["candidates"][0]["command"]
    assert f"explain 's3://{NAMES.input_bucket}/-00 x.ndjson' --env dev" in command
    assert "11 files at least" in answer.document["error"]["message"]
    shown = world("explain", "0 x")
    assert (shown.code, len(shown.out.splitlines())) == (2, 2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("zzz", "No file has 'zzz' in its key; looked through the ledger's dates"),
        (" ", "KEY is empty"),
        ("s3://other/x.ndjson", "is not in this environment's input bucket"),
        ("s3://x", "is not s3://bucket/key"),
        ("é" * 513, "more than 1,024 bytes"),
        ("\udcff.ndjson", "not UTF-8"),
    ],
)
def test_what_names_no_file_is_said(world: Operations, text: str, told: str) -> None:
    answer = world("explain", text)
    assert (answer.code, answer.out.strip()) == (2, "")
    assert told in " ".join(answer.err.split())


def test_a_whole_key_that_was_never_seen_is_explained(world: Operations) -> None:
    answer = world("explain", "never.ndjson", "--json")
    assert (answer.code, answer.document["verdict"]["code"]) == (1, "never-uploaded")


def test_an_environment_that_is_not_deployed(operations: Operations) -> None:
    answer = operations("explain", KEY, "--json")
    assert answer.code == 2
    assert "is not deployed" in answer.document["error"]["message"]


def test_a_search_is_bounded_and_says_so(world: Operations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "LEDGER_PAGES", 2)
    for number in range(3):
        put(world, f"k{number}.ndjson")
    found = search.search(world.s3, world.dynamodb, NAMES, "nowhere", now())
    assert (found.keys, found.is_whole) == ([], False)
    assert "in part" in found.searched[0]


def test_a_key_is_asked_for_by_a_pattern_only_where_that_means_itself(world: Operations) -> None:
    asked: list[dict[str, Any]] = []

    class Logs:
        def filter_log_events(self, **request: Any) -> dict[str, Any]:
            asked.append(request)
            return {"events": []}

    for key in ("in/2026-11-23 a.ndjson", 'a"b.ndjson', "a*b.ndjson", "ü.ndjson", "[1].ndjson"):
        reads.read_log(Logs(), "g", key, now())
    assert [request.get("filterPattern", "") for request in asked] == [
        '{ $.file_key = "in/2026-11-23 a.ndjson" }',
        "",
        "",
        "",
        "",
    ]
