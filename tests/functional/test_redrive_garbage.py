"""Messages that announce no file: deleted on request, exactly those that were listed, none before it is saved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ndjctl.errors import UsageError
from ndjctl.redrive.choice import Choice
from ndjctl.redrive.dlq import DeadLetters
from ndjctl.redrive.garbage import Deleted, Saved, delete_garbage
from tests.functional.test_redrive_dlq import Death, Dying
from tests.redrive_world import EVERYTHING, RedriveWorld, dead, event, nothing, redrive_world

GARBAGE = ["no JSON", "{}", "\x1b[31m[bold]\nü", '{"Event": "s3:TestEvent"}']


@pytest.fixture
def world() -> Iterator[RedriveWorld]:
    with redrive_world() as made:
        for number in range(11):
            made.send_dead(event(f"{number}.ndjson"))
        for body in GARBAGE:
            made.send_dead(body)
        yield made


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ndjctl.redrive.dlq._WAIT_S", 0)


def ids(world: RedriveWorld, choice: Choice = EVERYTHING) -> list[str]:
    return [letter.message_id for letter in dead(world, choice).look(nothing).garbage]


def delete(letters: DeadLetters, message_ids: list[str], path: Path) -> Deleted:
    with Saved(path) as saved:
        return delete_garbage(letters, message_ids, saved, nothing)


def bodies(path: Path) -> list[str]:
    return [json.loads(line)["body"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_what_was_listed_is_saved_and_deleted_and_every_event_stays(world: RedriveWorld, tmp_path: Path) -> None:
    attribute = {
        "text": {"DataType": "String", "StringValue": "x"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\xff"},
    }
    world.sqs.send_message(QueueUrl=world.dlq_url, MessageBody="attributed", MessageAttributes=attribute)
    listed = ids(world)
    world.send_dead("came later")
    deleted = delete(dead(world), listed, tmp_path / "saved.jsonl")
    assert (deleted.messages, deleted.kept, deleted.not_met, deleted.is_whole) == (5, [], [], True)
    assert sorted(bodies(tmp_path / "saved.jsonl")) == sorted([*GARBAGE, "attributed"])
    left = world.bodies_in_view(world.dlq_url)
    assert left == sorted([*(event(f"{number}.ndjson") for number in range(11)), "came later"])
    assert world.bodies(world.queue_url) == []
    saved = [json.loads(line) for line in (tmp_path / "saved.jsonl").read_text().splitlines()]
    assert {each["message_id"] for each in saved} == set(listed)
    (attributed,) = [each for each in saved if each["body"] == "attributed"]
    assert attributed["attributes"] == {
        "text": {"type": "String", "text": "x"},
        "bytes": {"type": "Binary", "base64": "/w=="},
    }


def test_only_what_was_asked_for_is_listed_and_so_deleted(world: RedriveWorld, tmp_path: Path) -> None:
    choice = Choice(reason="not JSON")
    delete(dead(world, choice), ids(world, choice), tmp_path / "saved")
    assert sorted(bodies(tmp_path / "saved")) == sorted(GARBAGE[:1] + GARBAGE[2:3])


def test_the_id_of_an_event_is_never_deleted(world: RedriveWorld, tmp_path: Path) -> None:
    events = [letter.message_id for letter in dead(world).look(nothing).examples]
    deleted = delete(dead(world), [*events, "nobody"], tmp_path / "saved")
    assert (deleted.messages, deleted.not_met, deleted.is_whole) == (0, sorted([*events, "nobody"]), False)
    assert len(world.bodies_in_view(world.dlq_url)) == 15


def test_a_file_that_is_there_or_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("kept")
    for path, problem in ((tmp_path / "there", "is there already"), (tmp_path / "no/file", "cannot be written")):
        with pytest.raises(UsageError, match=problem):
            Saved(path)
    assert (tmp_path / "there").read_text() == "kept"


def test_wherever_it_dies_each_is_in_the_queue_or_in_the_file(world: RedriveWorld, tmp_path: Path) -> None:
    def fill() -> list[str]:
        world.empty(world.dlq_url)
        for body in [*GARBAGE, event("a.ndjson")]:
            world.send_dead(body)
        return ids(world)

    counted = Dying(world.sqs, 0, False)
    listed = fill()
    delete(dead(world, sqs=counted), listed, tmp_path / "first")
    assert "delete_message_batch" in counted.calls
    for at in range(1, len(counted.calls) + 1):
        for is_after in (False, True):
            path = tmp_path / f"{at}{is_after}"
            listed = fill()
            with pytest.raises(Death):
                delete(dead(world, sqs=Dying(world.sqs, at, is_after)), listed, path)
            left = world.bodies(world.dlq_url)
            assert {*left, *bodies(path)} == {*GARBAGE, event("a.ndjson")}, (at, is_after)
            assert event("a.ndjson") in left
            if at == 1:
                assert len(left) == len(GARBAGE) + 1


def test_what_the_queue_does_not_delete_is_told(world: RedriveWorld, tmp_path: Path) -> None:
    class Keeping:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.sqs, name)

        def delete_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:
            failed = {"Id": Entries[0]["Id"], "SenderFault": False, "Code": "Busy"}
            rest = Entries[1:]
            if rest:
                world.sqs.delete_message_batch(QueueUrl=QueueUrl, Entries=rest)
            return {"Failed": [failed]}

    deleted = delete(dead(world, sqs=Keeping()), ids(world), tmp_path / "saved")
    assert not deleted.is_whole and {why for _, why in deleted.kept} == {"Busy"}
    assert deleted.messages + len(deleted.kept) == len(GARBAGE)
    kept = {letter.body for letter, _ in deleted.kept}
    assert kept < {*world.bodies_in_view(world.dlq_url)}
