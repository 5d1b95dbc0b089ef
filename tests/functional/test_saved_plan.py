"""A saved plan: exactly that is done, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy_command import Command, command, of_other_code
from tests.deploy_dump import dump

pytest.importorskip("psutil")
pytest.importorskip("ministack")

__all__ = ["command"]

CHANGED = ("--set", "function.memory_mb=768", "--set", "job.workers=3")
"""What the saved plan of these tests changes of a deployed environment."""


@pytest.fixture
def saved(command: Command) -> Path:
    """The plan of a change, saved and not done, in an account that these tests share."""
    command.move_to("731946240001")
    command.does("deploy")
    path = command.folder / "the plan.json"
    planned = command.does("plan", "--out", path, *CHANGED)
    assert f"ndjctl deploy --plan '{path}'" in planned.out
    return path


def refused(command: Command, path: Path, said: str, code: int = 1) -> None:
    """It says why, in one sentence, and changes nothing."""
    with command.writes() as writes:
        answer = command.does("deploy", "--plan", path, "--json", code=code)
    assert said in answer.error
    assert answer.document["error"]["message"] == answer.error
    assert writes == []


def test_exactly_that_is_done(command: Command, saved: Path) -> None:
    done = command.does("deploy", "--plan", saved, "--json").document
    changed = {r["kind"]: r["fields"] for r in done["resources"] if r["action"] == "updated"}
    assert changed == {
        "job": ["DefaultArguments.--TASK_SLOTS", "NumberOfWorkers"],
        "function": ["MemorySize"],
        "alias": ["Version.MemorySize"],
    }
    assert command.changes(*CHANGED) == {}
    newest, *_ = command.does("history", "--json").document["deployments"]
    assert newest["overrides"] == ["function.memory_mb=768", "job.workers=3"]
    # A second time it is done already.
    refused(command, saved, "all is as it should be already, and there is nothing to do")


def test_a_first_deployment_is_saved_too(command: Command) -> None:
    path = command.folder / "plan"
    command.does("plan", "--out", path)
    assert command.does("deploy", "--plan", path, "--json").document["created"] == 34
    assert command.changes() == {}


def test_a_plan_of_nothing_is_done_with_nothing(command: Command, saved: Path) -> None:
    command.does("plan", "--out", saved)
    with command.writes() as writes:
        assert command.does("deploy", "--plan", saved, "--json").document["unchanged"] == 34
    assert writes == []


def memory(command: Command, mb: int) -> None:
    command.hands.client("lambda").update_function_configuration(FunctionName=command.names.function, MemorySize=mb)


def attributes(command: Command) -> None:
    sqs = command.hands.client("sqs")
    url = sqs.get_queue_url(QueueName=command.names.queue)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "31"})


def no_alarm(command: Command) -> None:
    command.hands.client("cloudwatch").delete_alarms(AlarmNames=[command.names.alarm("no-sweep")])


def foreign_variable(command: Command, value: str = "s3cret") -> None:
    lambda_ = command.hands.client("lambda")
    there = lambda_.get_function_configuration(FunctionName=command.names.function)["Environment"]["Variables"]
    lambda_.update_function_configuration(
        FunctionName=command.names.function, Environment={"Variables": {**there, "TOKEN": value}}
    )


MOVES: tuple[tuple[Callable[[Command], None], str], ...] = (
    (lambda command: memory(command, 640), "function/"),  # in a field that was to be changed
    (lambda command: memory(command, 768), "function/"),  # done already, by hand
    (attributes, "queue/"),  # in a resource that was to be kept
    (no_alarm, "alarm/"),  # a resource is gone
    (foreign_variable, "function/"),  # something that deploy removes
)


def test_it_is_refused_when_the_world_moved(command: Command, saved: Path) -> None:
    for move, named in MOVES:
        move(command)
        refused(command, saved, named)
        command.does("deploy")


def test_a_foreign_value_that_changes_between_is_seen_without_being_told(command: Command, saved: Path) -> None:
    foreign_variable(command)
    told = command.does("plan", "--out", saved, "--json").out + saved.read_text()
    foreign_variable(command, "an0ther")
    refused(command, saved, "function/")
    assert "s3cret" not in told
    assert told.count("old_hidden") == 2


def test_it_is_refused_with_other_code(command: Command, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_other_code(monkeypatch)
    refused(command, saved, "artifact/")


def test_it_is_refused_in_another_account(command: Command, saved: Path) -> None:
    command.move_to("731946240002")
    assert "another account" in command.does("deploy", "--plan", saved, code=2).error
    assert dump(command.hands) == {}


def test_a_file_that_is_not_as_it_was_saved_is_refused(command: Command, saved: Path) -> None:
    text = saved.read_text()
    document = json.loads(text)
    spoilt = {
        "is not a saved plan": [
            text[: len(text) // 2],
            "",
            "[]",
            "{}",
            "null",
            '"x"',
            text.replace("digest", "sum"),
        ],
        "is not as it was saved": [
            text.replace('"memory_mb": 768', '"memory_mb": 10240'),
            text.replace(document["steps"][0]["wanted"], "0" * 64),
            json.dumps({**document, "settings": {}}),
            json.dumps({**document, "steps": []}),
            json.dumps({**document, "environment": "prod"}),
        ],
        "has the format 2, and this version of ndjctl reads 1": [json.dumps({**document, "format": 2, "more": True})],
    }
    for said, texts in spoilt.items():
        for each in texts:
            saved.write_text(each)
            assert said in command.does("deploy", "--plan", saved, code=2).error
    for path, said in ((command.folder / "none", "No such file"), (command.folder, "Is a directory")):
        assert said in command.does("deploy", "--plan", path, code=2).error
    saved.write_bytes(b"\xff\xfe\x00")
    assert "it is no text" in command.does("deploy", "--plan", saved, code=2).error
    saved.write_text(text)
    command.does("deploy", "--plan", saved)


def test_a_plan_has_its_settings_in_it(command: Command, saved: Path) -> None:
    for words, said in (
        (("--set", "job.workers=4"), "leave --set out"),
        (("--preset", "heavy"), "leave --preset out"),
        (("--env", "prod"), "is one for dev, not for prod"),
    ):
        assert said in command.does("deploy", "--plan", saved, *words, code=2).error
    command.does("deploy", "--plan", saved, "--env", "dev")


def test_a_plan_that_cannot_be_written_is_told(command: Command) -> None:
    answer = command.does("plan", "--out", command.folder / "no folder" / "plan", code=2)
    assert "name another file" in answer.error


def test_what_a_plan_does_to_data_needs_its_flag_all_the_same(command: Command, saved: Path) -> None:
    command.hands.client("s3").put_object(Bucket=command.names.quarantine_bucket, Key="a", Body=b"1")
    planned = command.does("plan", "--out", saved, "--set", "retention.quarantine_days=3")
    assert "This deletes data: it needs --allow-data-loss." in planned.out
    refused(command, saved, "say --allow-data-loss", code=2)
    command.does("deploy", "--plan", saved, "--allow-data-loss")


def test_prod_asks_for_its_name_before_a_saved_plan_too(command: Command) -> None:
    path = command.folder / "plan"
    command.does("plan", "--out", path, env="prod")
    answer = command.does("deploy", "--plan", path, typed="dev\n", code=2)
    assert "Nothing was changed" in answer.error
    assert dump(command.hands) == {}
    assert command.does("deploy", "--plan", path, typed="prod\n").code == 0
    assert command.changes(env="prod") == {}
