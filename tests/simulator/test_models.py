"""The models keep the promises of AWS that the simulator relies on."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from lambda_handler.dynamo import from_item, to_item
from tests.simulator.actors import Death, Process, Scheduler, SerialPool
from tests.simulator.dynamo import Billed, DynamoDB
from tests.simulator.expressions import BadExpression, condition, update
from tests.simulator.faults import Rates
from tests.simulator.s3 import S3
from tests.simulator.sqs import Queue

NOW = datetime(2026, 3, 14, tzinfo=timezone.utc)


class Clock:
    now_s = 0.0


def dynamo() -> tuple[DynamoDB, Clock, list[Billed]]:
    clock, bills = Clock(), []
    made = DynamoDB({"t": ("date_prefix", "file_key")}, "t", lambda: clock.now_s)
    made.bill = bills.append
    return made, clock, bills


def item(number: int, **more: Any) -> dict[str, Any]:
    return to_item({"date_prefix": "d", "file_key": f"k{number:03d}", **more})


def code(raised: pytest.ExceptionInfo[ClientError]) -> str:
    return str(raised.value.response["Error"]["Code"])


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("#a = :one", True),
        ("#a <> :one", False),
        ("#b = :one", False),
        ("attribute_not_exists(#b) AND attribute_exists(a)", True),
        ("attribute_not_exists(a) OR #a < :two", True),
        ("NOT (#a = :one OR #a = :two)", False),
        ("#a IN (:two, :one)", True),
        ("#a BETWEEN :one AND :two AND begins_with(text, :x)", True),
        ("#b < :two", False),  # what is not there compares with nothing
        ("text > :one", False),  # nor do values of other types
    ],
)
def test_conditions(text: str, held: bool) -> None:
    there = to_item({"a": 1, "text": "xyz"})
    values = to_item({":one": 1, ":two": 2, ":x": "x"})
    assert condition(text)(there, {"#a": "a", "#b": "b"}, values) is held


@pytest.mark.parametrize("text", ["#a = ", "#a == :one", "(#a = :one", "#a = :one :two", "size = "])
def test_conditions_that_are_none(text: str) -> None:
    with pytest.raises(BadExpression):
        condition(text)


def test_updates() -> None:
    there = to_item({"a": 1, "b": "x", "list": ["p"]})
    text = "SET #a = #a + :n, c = if_not_exists(c, #a), l = list_append(#l, :l) REMOVE b ADD d :n, #a2 :n"
    names = {"#a": "a", "#l": "list", "#a2": "e"}
    update(text)(there, names, to_item({":n": 5, ":l": ["q"]}))
    # Every operand is of the item as it was.
    assert from_item(there) == {"a": 6, "c": 1, "d": 5, "e": 5, "list": ["p"], "l": ["p", "q"]}


def test_names_that_are_not_used_are_refused() -> None:
    made, _, _ = dynamo()
    with pytest.raises(BadExpression):
        made.put_item(TableName="t", Item=item(1), ExpressionAttributeNames={"#a": "a"})


def test_a_transaction_is_all_or_nothing() -> None:
    made, _, _ = dynamo()
    made.put_item(TableName="t", Item=item(1))
    put = {"TableName": "t", "ConditionExpression": "attribute_not_exists(file_key)"}
    with pytest.raises(ClientError) as raised:
        made.transact_write_items([{"Put": {**put, "Item": item(2)}}, {"Put": {**put, "Item": item(1)}}])
    assert code(raised) == "TransactionCanceledException"
    reasons = [reason["Code"] for reason in raised.value.response["CancellationReasons"]]  # type: ignore[typeddict-item]
    assert reasons == ["None", "ConditionalCheckFailed"]
    assert len(list(made.tables["t"].items())) == 1


@given(st.integers(0, 9), st.integers(1, 4))
def test_pages_are_all_of_it_once(count: int, limit: int) -> None:
    made, _, _ = dynamo()
    for number in range(count):
        made.put_item(TableName="t", Item=item(number, status="pending", upload_time=f"t{number % 3}"))
    for index, name, value in (("", "date_prefix", "d"), ("status-index", "status", "pending")):
        request: dict[str, Any] = {
            "TableName": "t",
            "Limit": limit,
            "KeyConditionExpression": "#k = :v",
            "ExpressionAttributeNames": {"#k": name},
            "ExpressionAttributeValues": {":v": {"S": value}},
            **({"IndexName": index} if index else {"ConsistentRead": True}),
        }
        found: list[dict[str, Any]] = []
        while True:
            answer = made.query(**request)
            assert len(answer["Items"]) <= limit
            found += [from_item(each) for each in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                break
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        keys = [(each["upload_time"], each["file_key"]) if index else each["file_key"] for each in found]
        assert keys == sorted(keys) and len(set(keys)) == len(keys) == count


def test_the_index_is_late_and_keeps_the_order_of_one_item() -> None:
    made, clock, _ = dynamo()
    lags = iter([10.0, 0.0])
    made.lag = lambda: next(lags)
    made.put_item(TableName="t", Item=item(1, status="pending", upload_time="t"))
    made.put_item(TableName="t", Item=item(1, status="done", upload_time="t"))

    def shown(status: str) -> int:
        answer = made.query(
            TableName="t",
            IndexName="status-index",
            KeyConditionExpression="#k = :v",
            ExpressionAttributeNames={"#k": "status"},
            ExpressionAttributeValues={":v": {"S": status}},
        )
        return len(answer["Items"])

    assert (shown("pending"), shown("done")) == (0, 0)
    clock.now_s = 11.0
    assert (shown("pending"), shown("done")) == (0, 1)


def test_what_requests_are_billed() -> None:
    """1 KB a write and twice that in a transaction; the index takes one for a new entry and two for a moved one."""
    made, _, bills = dynamo()
    made.put_item(TableName="t", Item=item(1, status="pending", upload_time="t"))
    change = {
        "TableName": "t",
        "Key": item(1),
        "UpdateExpression": "SET #s = :s",
        "ExpressionAttributeNames": {"#s": "status"},
    }
    made.update_item(**change, ExpressionAttributeValues={":s": {"S": "manifested"}})
    made.update_item(**change, ExpressionAttributeValues={":s": {"S": "manifested"}})
    made.transact_write_items([{"Update": {**change, "ExpressionAttributeValues": {":s": {"S": "done"}}}}])
    made.put_item(TableName="t", Item=item(2, text="x" * 2_000))
    made.get_item(TableName="t", Key=item(2), ConsistentRead=True)
    made.put_item(TableName="t", Item=item(3, text="x" * 5_000))
    made.get_item(TableName="t", Key=item(3), ConsistentRead=True)
    assert [bill.write_units for bill in bills] == [2, 3, 2, 4, 2, 0, 5, 0]
    assert [bill.read_units for bill in bills] == [0, 0, 0, 0, 0, 1, 0, 2]


def test_s3_reads_and_writes_on_condition() -> None:
    s3 = S3(lambda: NOW)
    first = s3.put_object("b", "k", b"one", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError) as raised:
        s3.put_object("b", "k", b"two", IfNoneMatch="*")
    assert code(raised) == "PreconditionFailed"
    s3.put_object("b", "k", b"two", IfMatch=first)
    for key, wanted in (("k", "PreconditionFailed"), ("absent", "NoSuchKey")):
        with pytest.raises(ClientError) as raised:
            s3.put_object("b", key, b"x", IfMatch=first)
        assert code(raised) == wanted
    s3.put_object("b", "k", b"three")
    with pytest.raises(ClientError) as raised:
        s3.get_object("b", "k", IfMatch=first)
    assert code(raised) == "PreconditionFailed"
    answer = s3.get_object("b", "k", Range="bytes=1-99")
    assert (answer["Body"].read(), answer["ContentRange"]) == (b"hree", "bytes 1-4/5")


def test_an_upload_is_seen_when_it_is_completed_and_once() -> None:
    s3 = S3(lambda: NOW)
    upload = {"Bucket": "b", "Key": "k", "UploadId": s3.create_multipart_upload("b", "k")["UploadId"]}
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]}
        for number, body in ((1, b"x"), (2, b"y"))
    ]
    assert s3.list_objects_v2("b")["KeyCount"] == 0 and len(s3.list_multipart_uploads("b")["Uploads"]) == 1
    etag = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})["ETag"]
    assert s3.head_object("b", "k")["ETag"] == etag and etag.endswith('-2"')
    with pytest.raises(ClientError) as raised:
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert code(raised) == "NoSuchUpload"


def test_messages_come_back_and_go_to_the_dead_letters() -> None:
    import random

    queue, chance = Queue(visibility_s=10, max_receipts=2), random.Random(1)
    queue.send("a", 0.0)
    assert len(queue.receive(0.0, 10, chance)) == 1
    assert queue.receive(5.0, 10, chance) == []
    assert len(queue.receive(10.0, 10, chance)) == 1
    assert queue.receive(20.0, 10, chance) == [] and len(queue.dead) == 1
    assert queue.redrive(21.0) == 1
    queue.delete(queue.receive(21.0, 10, chance))
    assert not queue.messages and not queue.dead


def test_processes_take_turns_and_die_when_told() -> None:
    scheduler, said = Scheduler(NOW), []
    made: list[Process] = []

    def work(name: str, pauses: list[float]) -> None:
        for pause in pauses:
            made[ord(name) - ord("a")].pause(pause)
            said.append((name, round(scheduler.now_s)))

    for name, pauses in (("a", [1.0, 2.0]), ("b", [2.0, 100.0])):

        def begin(name: str = name, pauses: list[float] = pauses) -> None:
            work(name, pauses)

        made.append(scheduler.start(name, begin, lambda _, error: said.append(type(error))))
    made[1].deadline_s = 50.0
    scheduler.run()
    assert said == [("a", 1), ("b", 2), ("a", 3), type(None), Death]
    assert scheduler.now_s == 50.0 and scheduler.clock(60.0) == NOW + timedelta(seconds=110)
    assert threading.active_count() == 1 or not any(thread.name in "ab" for thread in threading.enumerate())


def test_a_pool_does_all_of_its_work_though_some_fails() -> None:
    done = []

    def act(number: int) -> int:
        done.append(number)
        return 6 // number

    with SerialPool() as pool, pytest.raises(ZeroDivisionError):
        list(pool.map(act, [0, 1, 2]))
    assert done == [0, 1, 2]


def test_every_kind_of_fault_is_drawn_by_some_seed() -> None:
    import random

    drawn = [Rates.drawn(random.Random(seed)) for seed in range(50)]
    for name in vars(drawn[0]):
        values = {getattr(rates, name) for rates in drawn}
        assert 0.0 in values and len(values) == 3, name
