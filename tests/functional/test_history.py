"""What the history tells of deployments that failed, were interrupted or were killed: what was done, not what was
planned.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ndjctl.deploy.history import LONG_AGO, Deployment
from ndjctl.output.base import View, console
from ndjctl.output.history import deployment_view, history_view
from tests.deploy_stops import Accounts, How, Killed, Stop, carried_out, ready
from tests.deploy_world import Environment, utc_now

pytest.importorskip("psutil")
pytest.importorskip("ministack")

NUMBERS: dict[str, int] = {}


@pytest.fixture
def one(cloud_dir: Path, request: pytest.FixtureRequest) -> Iterator[Environment]:
    accounts = Accounts(cloud_dir, 310_000_000_001 + NUMBERS.setdefault(request.node.nodeid, len(NUMBERS)))
    yield accounts.new()
    accounts.quiet()


def listed(one: Environment, now: datetime | None = None) -> View:
    ids = one.history.ids()
    deployments, unreadable = one.history.readable(ids)
    return history_view("dev", "us-east-1", deployments, unreadable, ids, now or utc_now(), one.names.account_id)


def shown(one: Environment, record: Deployment) -> View:
    status = record.status(one.history.ids()[0], utc_now())
    return deployment_view("dev", record, status, one.names.account_id, None)


def text(view: View) -> str:
    """As a person sees it, on a screen that is wide."""
    screen = console()
    screen.width = 500
    with screen.capture() as captured:
        screen.print(view.render())
    return captured.get()


def newest(one: Environment) -> Deployment:
    return next(one.history.newest("dev"))


def stopped(one: Environment, operation: str, how: How, error: type[BaseException]) -> None:
    """A first deployment that ends after the first call of that operation."""
    stop = Stop(one.cloud)
    deploying = ready(one)
    stop.arm(None)

    def end(**_: Any) -> None:
        stop.arm(1, how)

    events = one.cloud.client(operation.split(".")[0]).meta.events
    events.register(f"before-call.{operation}", end)
    with pytest.raises(error):
        carried_out(deploying)
    events.unregister(f"before-call.{operation}", end)
    stop.arm(None)


def test_of_a_failed_one_it_tells_what_was_done_and_what_is_open(one: Environment) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutMetricAlarm")

    one.cloud.client("cloudwatch").meta.events.register("before-call.cloudwatch.PutMetricAlarm", refuse)
    deploying = carried_out(ready(one))
    failed, planned = len(deploying.execution.failed), len(deploying.plan.pending)
    assert failed == 8

    record = newest(one)
    assert (record.result, record.planned, record.done) == ("failed", planned, planned - failed)
    line = next(line for line in text(listed(one)).splitlines() if record.id in line)
    assert f"deploy: {planned - 8} of {planned} done; not done: alarm/" in line
    assert "and 5 more" in line
    assert "created" not in line
    told = text(shown(one, record))
    assert told.count("x not done: create alarm ") == 8
    assert told.count("+ created ") == planned - 8
    assert f"{planned} planned, {planned - 8} done" in told
    document = listed(one).document["deployments"][0]
    assert (document["planned"], document["done"], len(document["not_done"])) == (planned, planned - 8, 8)


def test_of_an_interrupted_one_too(one: Environment) -> None:
    stopped(one, "events.PutRule", "interrupted", KeyboardInterrupt)
    record = newest(one)
    assert record.result == "interrupted"
    there = sum(step.action == "keep" for step in one.plan().steps)
    assert record.done == there
    assert f"deploy: {there} of {record.planned} done; not done: rule/" in text(listed(one))


def test_a_killed_one_is_not_told_as_under_way_for_ever(one: Environment) -> None:
    stopped(one, "events.PutRule", "killed", Killed)
    record = newest(one)
    assert (record.result, record.done) == ("under way", None)
    now = datetime.strptime(record.at, "%Y-%m-%dT%H:%M:%S%z")
    young = listed(one, now + timedelta(minutes=5))
    assert young.document["deployments"][0]["result"] == "under way"
    told = text(young)
    assert f"deploy: {record.planned} to create" in told
    assert "created" not in told
    old = listed(one, now + LONG_AGO)
    assert old.document["deployments"][0]["result"] == "killed or still under way"
    assert "nobody wrote down what was done" in text(shown(one, record))
    assert "+ to create bucket" in text(shown(one, record))

    # A later one was begun, and that one is the word on what there is.
    carried_out(ready(one, "job.workers=3"))
    results = {each["id"]: each["result"] for each in listed(one, now).document["deployments"]}
    assert results[record.id] == "killed or still under way"
    assert results[newest(one).id] == "done"
    assert "killed or still under way" in text(shown(one, record))


def test_one_of_another_region_is_told_as_such(one: Environment) -> None:
    carried_out(ready(one))
    ids = one.history.ids()
    deployments, unreadable = one.history.readable(ids)
    view = history_view("dev", "eu-west-1", deployments, unreadable, ids, utc_now(), one.names.account_id)
    assert "deploy (environment 'dev' in us-east-1): " in text(view)
