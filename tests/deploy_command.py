"""`ndjctl` in this process, in an account of its own on the session's embedded cloud."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ndjctl.aws import Cloud
from ndjctl.bundles import Bundle
from ndjctl.cli import boundary
from ndjctl.cli.main import app
from ndjctl.contracts import Names
from ndjctl.embedded.provider import embedded_cloud
from ndjctl.profiles import load_profile
from tests.deploy_stops import MODELS, cheap
from tests.deploy_world import NOWHERE, READS, account_cloud


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Raises ValueError where there is not one document and nothing else."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one sentence on stderr."""
        (line,) = [line for line in self.err.splitlines() if line.startswith("error: ")]
        return line.removeprefix("error: ")


@dataclass
class Command:
    """hands: clients of somebody else in the account, whose id is `account_id`."""

    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    cloud_dir: Path
    folder: Path
    account_id: str
    suffix: str = ""
    hands: Cloud = field(init=False)

    def __post_init__(self) -> None:
        self.hands = cheap(account_cloud(self.cloud_dir, self.account_id, self.suffix))

    @property
    def names(self) -> Names:
        return self.hands.names

    def move_to(self, account_id: str) -> None:
        """Everything from here on is about another account."""
        self.quiet()
        self.account_id = account_id
        self.__post_init__()

    @contextmanager
    def writes(self) -> Iterator[list[str]]:
        """What the commands that are run meanwhile change: 'service:Operation' of every call that is no look."""
        calls: list[str] = []
        inner = Cloud.client

        def listening(cloud: Cloud, service: str) -> Any:
            client = inner(cloud, service)
            if cloud is not self.hands:
                client.meta.events.register("before-call", write_down, unique_id="writes")
            return client

        def write_down(model: Any, **_: Any) -> None:
            if not model.name.startswith(READS):
                calls.append(f"{model.service_model.service_name}:{model.name}")

        with self.monkeypatch.context() as patched:
            patched.setattr(Cloud, "client", listening)
            yield calls

    @contextmanager
    def meeting(self, service: str, operation: str, meet: Callable[..., None]) -> Iterator[None]:
        """Calls `meet` before each such call of the commands that are run meanwhile; what it raises is their error."""
        inner = Cloud.client

        def listening(cloud: Cloud, of: str) -> Any:
            client = inner(cloud, of)
            if cloud is not self.hands and of == service:
                client.meta.events.register(f"before-call.{service}.{operation}", meet, unique_id="meeting")
            return client

        with self.monkeypatch.context() as patched:
            patched.setattr(Cloud, "client", listening)
            yield

    def named(self, suffix: str) -> Names:
        return Names(self.account_id, suffix)

    def __call__(self, *words: str | Path, env: str = "dev", typed: str = "") -> Answer:
        """`ndjctl` with these words. typed: what is answered to its questions."""
        status = embedded_cloud(load_profile("local", working_dir=NOWHERE).profile, self.cloud_dir).status()
        for name in [name for name in os.environ if name.startswith(("AWS_", "NDJ_"))]:
            self.monkeypatch.delenv(name)
        for name, value in (
            ("AWS_ACCESS_KEY_ID", self.account_id),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_ENDPOINT_URL", str(status.endpoint_url)),
            ("NDJ_DATA_DIR", str(self.folder)),
        ):
            self.monkeypatch.setenv(name, value)
        self.monkeypatch.chdir(self.folder)
        given = ["--set", f"suffix={self.suffix}"] if self.suffix and "--plan" not in words else []
        chosen = ["--env", env] if "--plan" not in words else []
        self.monkeypatch.setattr(sys, "argv", ["ndjctl", *map(str, words), *chosen, *given])
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        self.capsys.readouterr()
        code = boundary.run(app)
        out, err = self.capsys.readouterr()
        assert "Traceback" not in err
        assert "bug in ndjctl" not in err, (self.folder / "bug.log").read_text()
        if "--json" in words and code != 130:
            json.loads(out)
        return Answer(code, out, err)

    def does(self, *words: str | Path, env: str = "dev", typed: str = "", code: int = 0) -> Answer:
        """The same, with this exit code."""
        answer = self(*words, env=env, typed=typed)
        assert answer.code == code, answer.err + answer.out
        return answer

    def changes(self, *words: str, env: str = "dev") -> dict[str, list[str]]:
        """What a plan would change: 'kind/name' -> the paths of its fields, or its action alone."""
        found = self.does("plan", "--json", *words, env=env).document["changes"]
        return {f"{c['kind']}/{c['name']}": [f["path"] for f in c.get("fields", [])] or [c["action"]] for c in found}

    def at_rest(self) -> None:
        """Waits until the function has taken the event that S3 sends when it is told where to send events.

        It does so while the deployment ends, or, on a busy machine, some seconds after. Raises AssertionError after
        a minute.
        """
        sqs, end_s = self.hands.client("sqs"), time.monotonic() + 60
        url = sqs.get_queue_url(QueueName=self.named(self.suffix).queue)["QueueUrl"]
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        while any(map(int, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values())):
            assert time.monotonic() < end_s, "the function does not take S3's test event"
            time.sleep(0.05)

    def quiet(self) -> None:
        """No schedule fires any more."""
        events = self.hands.client("events")
        for rule in events.list_rules()["Rules"]:
            targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
            if targets:
                events.remove_targets(Rule=rule["Name"], Ids=[target["Id"] for target in targets])


SECRET = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY"
"""What the tool signs with; it is to be found nowhere."""


def of_other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """The version of the tool has other code in both bundles from here on."""
    from ndjctl import bundles

    function, job = bundles.lambda_bundle(), bundles.glue_bundle()
    other_function = Bundle({name: body + b"\0" for name, body in function.files.items()})
    other_job = Bundle({**job.files, "glue_batch_job.py": job.files["glue_batch_job.py"] + b"# other\n"})
    monkeypatch.setattr(bundles, "lambda_bundle", lambda: other_function)
    monkeypatch.setattr(bundles, "glue_bundle", lambda: other_job)


@pytest.fixture
def command(
    cloud_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Command]:
    """In an account that no other test has."""
    monkeypatch.setattr("botocore.session.create_loader", lambda _path: MODELS)  # read once, not in every command
    number = _numbers.setdefault(request.node.nodeid, len(_numbers))
    made = Command(capsys, monkeypatch, cloud_dir, tmp_path, f"{731_946_250_000 + number:012d}")
    yield made
    made.quiet()


_numbers: dict[str, int] = {}
