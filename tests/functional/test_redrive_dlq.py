"""The dead-letter queue: what is in it and why, sent back and only then deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ndjctl.contracts import COMPLETED, PENDING, Attr
from ndjctl.redrive.choice import Choice
from ndjctl.redrive.dlq import DeadLetters
from ndjctl.redrive.pacing import Pacer
from tests.redrive_world import DAY, EVERYTHING, NAMES, RedriveWorld, dead, event, nothing, redrive_world

NEVER = "never entered in the ledger: the function failed on it each time (its log says why)"


@pytest.fixture
def world() -> Iterator[RedriveWorld]:
    with redrive_world() as made:
        yield made


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ndjctl.redrive.dlq._WAIT_S", 0)


def move(letters: DeadLetters, rate: float | None = None) -> Any:
    return letters.move(Pacer(rate, lambda: 0.0, lambda _s: None), nothing)


def test_a_look_tells_what_and_why_and_leaves_everything_in_view(world: RedriveWorld) -> None:
    world.track(world.put_object("done.ndjson"), COMPLETED, **{Attr.ETAG: "e"})
    world.track(world.put_object("other.ndjson"), PENDING, **{Attr.ETAG: "another"})
    world.send_dead(event("never.ndjson", size=100))
    world.send_dead(event("done.ndjson", size=20))
    world.send_dead(event("other.ndjson", "a b.ndjson", size=3))
    world.send_dead("no JSON")
    world.send_dead(json.dumps({"Event": "s3:TestEvent"}))
    before = world.bodies(world.dlq_url)
    preview = dead(world).look(nothing)
    assert (preview.messages, preview.seen, preview.chosen, preview.files, preview.size_bytes) == (5, 5, 3, 4, 126)
    assert {tuple(each.key for each in letter.objects): letter.why for letter in preview.examples} == {
        ("never.ndjson",): NEVER,
        ("done.ndjson",): "entered in the ledger all the same, now completed",
        ("other.ndjson", "a b.ndjson"): "of this version nothing is in the ledger, another one is pending there",
    }
    assert {letter.begins: letter.why for letter in preview.garbage} == {
        "no JSON": "the body is not JSON: the function does not understand it",
        '{"Event": "s3:TestEvent"}': "it announces no file: a test event announces no object",
    }
    assert world.bodies_in_view(world.dlq_url) == before  # at once, not after the time that a look may take


def test_all_that_is_an_event_goes_back_and_the_rest_stays(world: RedriveWorld) -> None:
    sent = [event(f"{number}.ndjson", size=10) for number in range(23)]
    for body in [*sent, "garbage one", "{}"]:
        world.send_dead(body)
    outcome = move(dead(world))
    assert (outcome.messages, outcome.files, outcome.size_bytes, outcome.is_whole) == (23, 23, 230, True)
    assert sorted(letter.begins for letter in outcome.garbage) == ["garbage one", "{}"]
    assert world.bodies(world.queue_url) == sorted(sent)
    assert world.bodies_in_view(world.dlq_url) == ["garbage one", "{}"]
    again = move(dead(world))
    assert (again.messages, len(again.garbage)) == (0, 2)
    assert world.bodies(world.queue_url) == sorted(sent)


def test_several_letters_about_one_file_are_about_one_file(world: RedriveWorld) -> None:
    for size in (10, 10, 30):  # the last is a newer version of it
        world.send_dead(event("a.ndjson", size=size))
    world.send_dead(event("a.ndjson", "b.ndjson", size=5))
    preview = dead(world).look(nothing)
    assert (preview.chosen, preview.files, preview.size_bytes) == (4, 2, 35)
    outcome = move(dead(world))
    assert (outcome.messages, outcome.files, outcome.size_bytes) == (4, 2, 35)


@pytest.mark.parametrize(
    ("choice", "keys"),
    [
        (Choice(date="2026-11-22"), ["2026-11-22-a"]),
        (Choice(reason="never entered"), ["2026-11-22-a", "b"]),
        (Choice(reason="*now completed"), ["done"]),
        (Choice(reason="never", date=DAY), ["b"]),
    ],
)
def test_only_what_is_chosen_goes_back(world: RedriveWorld, choice: Choice, keys: list[str]) -> None:
    world.track(world.put_object("done.ndjson"), COMPLETED, **{Attr.ETAG: "e"})
    everything = {key: event(f"{key}.ndjson") for key in ("2026-11-22-a", "b", "done")}
    for body in everything.values():
        world.send_dead(body)
    assert dead(world, choice).look(nothing).chosen == len(keys)
    outcome = move(dead(world, choice))
    assert (outcome.messages, outcome.passed) == (len(keys), 3 - len(keys))
    assert world.bodies(world.queue_url) == sorted(everything[key] for key in keys)
    assert world.bodies(world.dlq_url) == sorted(body for key, body in everything.items() if key not in keys)


def test_what_does_not_match_is_counted_and_not_said_to_stay(world: RedriveWorld) -> None:
    for body in (event("2026-11-22-a.ndjson"), event("b.ndjson"), "no JSON", "{}"):
        world.send_dead(body)

    def counts(choice: Choice) -> tuple[int, int, int, int]:
        found = dead(world, choice).look(nothing)
        assert len(found.garbage) == found.garbage_count
        return found.seen, found.chosen, found.garbage_count, found.not_chosen

    assert counts(EVERYTHING) == (4, 2, 2, 0)
    assert counts(Choice(date=DAY)) == (4, 1, 0, 3)
    assert counts(Choice(reason="not JSON")) == (4, 0, 1, 3)
    assert counts(Choice(reason="nothing like it")) == (4, 0, 0, 4)
    outcome = move(dead(world, Choice(reason="nothing like it")))
    assert (outcome.messages, outcome.passed, outcome.garbage) == (0, 4, [])


class Death(BaseException): ...


class Dying:
    """SQS, where the process dies at a call: before it, or after it is done."""

    def __init__(self, sqs: Any, at: int, is_after: bool) -> None:
        self._sqs, self._at, self._is_after = sqs, at, is_after
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            if self._at and len(self.calls) >= self._at:
                raise Death
            self.calls.append(name)
            is_mine = len(self.calls) == self._at
            if is_mine and not self._is_after:
                raise Death
            answer = getattr(self._sqs, name)(**arguments)
            if is_mine:
                raise Death
            return answer

        return call


def test_no_message_is_ever_lost_wherever_it_dies(world: RedriveWorld) -> None:
    sent = [event(f"{number}.ndjson") for number in range(12)]

    def fill() -> None:
        for url in (world.dlq_url, world.queue_url):
            world.empty(url)
        for body in [*sent, "garbage"]:
            world.send_dead(body)

    fill()
    counted = Dying(world.sqs, 0, False)
    move(dead(world, sqs=counted))
    assert {"receive_message", "send_message_batch", "delete_message_batch"} <= set(counted.calls)
    for at in range(1, len(counted.calls) + 1):
        for is_after in (False, True):
            fill()
            with pytest.raises(Death):
                move(dead(world, sqs=Dying(world.sqs, at, is_after)))
            world.show_all(world.dlq_url)
            held = [*world.bodies(world.queue_url), *world.bodies(world.dlq_url)]
            assert set(held) == {*sent, "garbage"}, (at, is_after)
            move(dead(world))
            assert set(world.bodies(world.queue_url)) == set(sent)
            assert world.bodies(world.dlq_url) == ["garbage"]


class Refusing:
    """SQS, whose queue does not take the messages whose body has this in it."""

    def __init__(self, sqs: Any, text: str) -> None:
        self._sqs, self._text = sqs, text

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sqs, name)

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:
        refused = [entry for entry in Entries if self._text in entry["MessageBody"]]
        taken = [entry for entry in Entries if entry not in refused]
        answer = self._sqs.send_message_batch(QueueUrl=QueueUrl, Entries=taken) if taken else {}
        failed = [{"Id": each["Id"], "SenderFault": True, "Code": "Bad", "Message": "no room"} for each in refused]
        return {"Successful": answer.get("Successful", []), "Failed": failed}


def test_what_the_queue_does_not_take_stays(world: RedriveWorld) -> None:
    for number in range(3):
        world.send_dead(event(f"{number}.ndjson"))
    outcome = move(dead(world, sqs=Refusing(world.sqs, "1.ndjson")))
    assert (outcome.messages, outcome.is_whole) == (2, False)
    assert [(letter.objects[0].key, why) for letter, why in outcome.refused] == [("1.ndjson", "no room")]
    assert world.bodies(world.dlq_url) == [event("1.ndjson")]


def test_attributes_travel_and_large_messages_go_alone(world: RedriveWorld) -> None:
    attribute = {"trace": {"DataType": "String", "StringValue": "x"}}
    world.sqs.send_message(QueueUrl=world.dlq_url, MessageBody=event("a.ndjson"), MessageAttributes=attribute)
    for number in range(3):
        world.send_dead(event(f"{number}{'k' * 900}.ndjson", *(f"{number}/{'x' * 900}{n}.ndjson" for n in range(90))))
    assert move(dead(world)).messages == 4
    received = []
    while messages := world.sqs.receive_message(
        QueueUrl=world.queue_url, MessageAttributeNames=["All"], MaxNumberOfMessages=10
    ).get("Messages"):
        received += messages
    assert len(received) == 4
    (small,) = [each for each in received if "a.ndjson" in each["Body"] and len(each["Body"]) < 2_000]
    assert small["MessageAttributes"]["trace"]["StringValue"] == "x"
    assert NAMES.queue in world.queue_url
