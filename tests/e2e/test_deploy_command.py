"""`ndjctl --env prod deploy`, `plan` and `drift` as an operator types them, with an endpoint override and a key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ndjctl.contracts import STATUS_INDEX, Names
from ndjctl.embedded.shell import client_variables
from ndjctl.profiles import BUILT_IN
from tests.deploy_world import REGION, account_cloud, quieten
from tests.drift.hands import Hands
from tests.e2e.conftest import Finished, Tool

ACCOUNT = "100000000006"
NAMES = Names(ACCOUNT)


class Operator:
    """Types commands for prod in a shell that `ndjctl local env --account` has set up."""

    def __init__(self, tool: Tool, endpoint_url: str) -> None:
        self._tool = tool
        self._variables = client_variables(endpoint_url, ACCOUNT, REGION).set

    def __call__(self, *words: str | Path) -> Finished:
        return self._tool("--env", "prod", *words, **self._variables)

    def json(self, *words: str | Path, code: int = 0) -> dict[str, Any]:
        """What a command prints: one document, which names no account."""
        finished = self(*words, "--json")
        assert finished.code == code, finished.err
        assert ACCOUNT not in finished.out
        return finished.document


def fields(document: dict[str, Any]) -> list[str]:
    return [f"{step['kind']} {field['path']}" for step in document["changes"] for field in step["fields"]]


@pytest.fixture
def operator(tool: Tool, cloud_dir: Path) -> Iterator[Operator]:
    cloud = account_cloud(cloud_dir, ACCOUNT)
    yield Operator(tool, str(cloud.endpoint_url))
    quieten(cloud)


def test_prod_is_deployed_drifts_and_is_mended(operator: Operator, cloud_dir: Path, tmp_path: Path) -> None:
    deployed = operator.json("deploy", "--yes")
    assert deployed["created"] == len(deployed["resources"]) > 30
    assert (deployed["not_done"], deployed["unchanged"]) == (0, 0)

    plan = operator.json("plan", "--exit-code")
    assert (plan["changes"], plan["dangers"], plan["next"]) == ([], [], None)
    assert plan["keep"] == deployed["created"]
    drift = operator.json("drift")
    assert (drift["drifted"], drift["changes"], drift["against"]) == (0, [], f"the deployment {deployed['id']}")

    hands = Hands(account_cloud(cloud_dir, ACCOUNT))
    hands.configure(MemorySize=777)
    hands.table(GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": STATUS_INDEX}}])
    by_hand = [f"table Indexes.{STATUS_INDEX}", "function MemorySize"]

    # A profile that was edited since is what the next deployment will do, and no drift.
    text = (BUILT_IN / "prod.yaml").read_text()
    (tmp_path / "prod.yaml").write_text(text.replace("timeout_min: 120", "timeout_min: 99"))
    edited = ("--profile-dir", tmp_path)
    assert sorted(fields(operator.json("plan", "--exit-code", *edited, code=1))) == sorted([*by_hand, "job Timeout"])
    drift = operator.json("drift", *edited, code=1)
    assert fields(drift) == by_hand
    (memory,) = [step for step in drift["changes"] if step["kind"] == "function"]
    assert (memory["fields"][0]["old"], memory["fields"][0]["new"]) == (777, 1024)
    assert memory["name"] == NAMES.function

    mended = operator.json("deploy", "--yes")
    changed = [each for each in mended["resources"] if each["action"] != "unchanged"]
    assert [(each["kind"], each["action"]) for each in changed] == [("table", "updated"), ("function", "updated")]
    told = operator("drift")
    assert (told.code, told.out) == (0, f"prod: everything is as the deployment {mended['id']} made it\n")
