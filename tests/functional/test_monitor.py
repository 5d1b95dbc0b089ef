"""`ndjctl monitor` on moto: what it counts, what it costs, and what becomes of a read that is refused."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lambda_handler.dynamo import to_item
from ndjctl.aws import Cloud, open_aws
from ndjctl.contracts import COMPLETED, FAILED, MANIFESTED, PENDING, PROCESSING, QUARANTINED, RUNNING, STATUSES, iso_utc
from ndjctl.health.checks import check
from ndjctl.health.looking import look
from ndjctl.monitor.model import Snapshot
from ndjctl.monitor.watching import MOST_CALLS, SERVICES, Monitor
from ndjctl.profiles import load_profile
from tests.functional.operations_world import NAMES, REGION, Operations, now
from tests.loopback import running
from tests.monitor_world import ODD_KEY


class Glue(ThreadingHTTPServer):
    """One job and its runs, the newest first: moto's Glue needs more than this project has."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _GlueHandler)
        self.runs: list[dict[str, Any]] = []
        self.has_job = True


class _GlueHandler(BaseHTTPRequestHandler):
    server: Glue

    def do_POST(self) -> None:
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        self.rfile.read(int(self.headers["Content-Length"]))
        answers: dict[str, dict[str, Any]] = {
            "GetJobRuns": {"JobRuns": self.server.runs},
            "GetJob": {"Job": {"Name": NAMES.job, "Command": {"Name": "glueetl"}, "MaxRetries": 0}},
        }
        answer = answers[operation] if self.server.has_job else {"__type": "EntityNotFoundException"}
        body = json.dumps(answer).encode()
        self.send_response(200 if self.server.has_job else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def glue() -> Iterator[Glue]:
    with running(Glue()) as server:
        yield server


@pytest.fixture
def ndjctl(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, glue: Glue) -> Iterator[Operations]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_GLUE", f"http://127.0.0.1:{glue.server_address[1]}")
    with mock_aws():
        yield Operations(capsys, monkeypatch)


@pytest.fixture
def world(ndjctl: Operations) -> Operations:
    """Tables, queues, buckets and a job; no function."""
    ndjctl.deploy()
    ndjctl.dynamodb.create_table(
        TableName=NAMES.metrics_table,
        KeySchema=[
            {"AttributeName": "metric_date", "KeyType": "HASH"},
            {"AttributeName": "metric_type", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("metric_date", "metric_type")],
        BillingMode="PAY_PER_REQUEST",
    )
    return ndjctl


def file(ops: Operations, key: str, status: str, age_min: float, **more: Any) -> None:
    uploaded = now() - timedelta(minutes=age_min)
    ops.put(
        f"{uploaded:%Y-%m-%d}",
        key,
        status=status,
        upload_time=iso_utc(uploaded),
        updated_at=iso_utc(now()),
        size_bytes=1_000,
        etag="e",
        **more,
    )


class Calls:
    """Every call of a cloud's clients. refuse: the error code for an operation and its parameters, or None."""

    def __init__(self, cloud: Cloud) -> None:
        self.made: list[str] = []
        self.refuse: Callable[[str, dict[str, Any]], str | None] = lambda operation, params: None
        for service in SERVICES:
            events = cloud.client(service).meta.events
            events.register("before-call", self._count)
            events.register("before-parameter-build", self._judge)

    def _count(self, model: Any, **_: Any) -> None:
        self.made.append(model.name)

    def _judge(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        code = self.refuse(model.name, params)
        if code is not None:
            raise ClientError({"Error": {"Code": code, "Message": "not today"}}, model.name)


@pytest.fixture
def watched(world: Operations) -> tuple[Monitor, Calls]:
    cloud, profile = open_aws(REGION, ""), load_profile("dev", working_dir=Path.cwd()).profile
    calls = Calls(cloud)
    pool = ThreadPoolExecutor(8)

    def looked(moment: datetime) -> Any:
        facts = look(cloud.client, cloud.names, profile, moment, pool)
        return facts, check(facts)

    steps = itertools.count()
    return Monitor(cloud, "dev", profile, looked, lambda: datetime.now(timezone.utc), lambda: float(next(steps))), calls


def test_an_environment_that_is_not_deployed_is_told_so(ndjctl: Operations, glue: Glue) -> None:
    glue.has_job = False
    for words in (("--json",), (), ("--web",)):
        answer = ndjctl("monitor", *words)
        assert answer.code == 2
        assert "The environment dev is not deployed: run 'ndjctl deploy --env dev' first." in answer.err


def test_every_file_is_counted_where_it_stands(world: Operations) -> None:
    ages = {
        PENDING: (2, 10, 45, 90),
        MANIFESTED: (20, 200),
        PROCESSING: (30,),
        COMPLETED: (3, 50, 70),
        FAILED: (5,),
        QUARANTINED: (1,),
    }
    for status, minutes in ages.items():
        for number, age_min in enumerate(minutes):
            file(world, f"{status}-{number}.ndjson", status, age_min)
    document = world("monitor", "--json").document
    assert document["arrivals"]["by_status"] == {
        **dict.fromkeys(STATUSES, 1),
        PENDING: 3,
        COMPLETED: 2,
    }
    assert document["arrivals"]["bytes_hour"] == 9_000
    assert sum(document["arrivals"]["files_per_minute"]) == 9
    assert document["arrivals"]["files_per_min_now"] == 3 / 5
    backlog = document["backlog"]
    assert (backlog["pending_under_5_min"], backlog["pending_5_to_30_min"], backlog["pending_over_30_min"]) == (1, 1, 2)
    assert (backlog["manifested"], backlog["processing"], backlog["files"]) == (2, 1, 7)
    assert backlog["is_late"] is True
    assert 200 * 60 <= backlog["lag_s"] < 201 * 60
    assert document["forecast"]["kind"] == "unknown"


def test_what_was_completed_is_told_by_manifests(world: Operations) -> None:
    today = f"{now():%Y-%m-%d}"
    for number, age_s in enumerate((60, 600, 6_000)):
        ended = now() - timedelta(seconds=age_s)
        made = f"{ended - timedelta(seconds=400):%Y%m%dT%H%M%S000Z}-0000000{number}"
        world.manifest(
            made,
            "done",
            date=today,
            files=10 * (number + 1),
            stored=False,
            created_at=iso_utc(ended - timedelta(seconds=400)),
            started_at=iso_utc(ended - timedelta(seconds=300)),
            completed_at=iso_utc(ended),
        )
    world.manifest("20261123T000000000Z-00000009", "abandoned", date=today, stored=False, completed_at=iso_utc(now()))
    document = world("monitor", "--json").document["completions"]
    assert (document["files_hour"], document["manifests_hour"]) == (30, 2)
    is_of_today = (now() - timedelta(seconds=6_000)).date() == now().date()
    assert document["files_today"] == (60 if is_of_today else 30)
    assert (document["manifest_total_s"]["median"], document["manifest_run_s"]["median"]) == (400.0, 300.0)
    assert document["files_per_min_now"] == 10 / 5


def test_runs_queue_and_counters(world: Operations, glue: Glue) -> None:
    path = f"s3://{NAMES.manifest_bucket}/manifests/2026-11-23/manifest-20261123T110000000Z-0a0a0a0a.json"
    run = {"Id": "jr_1", "JobRunState": "RUNNING", "StartedOn": now().timestamp() - 30, "MaxCapacity": 10.0}
    glue.runs = [{**run, "ExecutionTime": 90, "Arguments": {"--MANIFEST_PATH": path}}]
    world.manifest("20261123T110000000Z-0a0a0a0a", RUNNING, files=3, run_id="jr_1")
    file(world, "a.ndjson", PROCESSING, 1, batch_id="20261123T110000000Z-0a0a0a0a")
    queue = world.sqs.get_queue_url(QueueName=NAMES.queue)["QueueUrl"]
    for _ in range(3):
        world.sqs.send_message(QueueUrl=queue, MessageBody="{}")
    item = {"metric_date": f"{now():%Y-%m-%d}", "metric_type": "files_quarantined", "count": 4, "total_size_mb": 2}
    world.dynamodb.put_item(TableName=NAMES.metrics_table, Item=to_item(item))
    document = world("monitor", "--json").document
    assert (document["queue"]["visible"], document["queue"]["dead_letters"]) == (3, 0)
    assert document["manifests"]["running"] == 1
    assert document["counted_today"]["files_quarantined"] == 4
    assert document["counted_today"]["quarantined_bytes"] == 2 * 2**20
    (under_way,) = document["runs"]["under_way"]
    assert (under_way["manifest_id"], under_way["files"], under_way["files_at_rest"]) == (
        "20261123T110000000Z-0a0a0a0a",
        3,
        2,
    )
    assert (under_way["progress"], under_way["progress_is_estimate"]) == (round(2 / 3, 4), False)
    assert (document["cost"]["runs_today"], document["runs"]["dpus_in_use"]) == (1, 10.0)
    assert document["cost"]["usd_today"] == pytest.approx(900 / 3600 * 0.44, abs=1e-4)


def test_a_key_that_looks_like_something_else(world: Operations) -> None:
    file(world, ODD_KEY, FAILED, 5, error="[red]\nno\x1b[2J")
    shown = world("monitor", "--once")
    assert "\x1b" not in shown.out
    assert "in/[bold red]a[/]" in shown.out
    assert "\\n<script>" in shown.out
    assert world("monitor", "--json").document["newest_failed"][0]["key"] == ODD_KEY


def test_a_screen_in_a_pipe_is_plain_and_says_down(world: Operations) -> None:
    answer = world("monitor", "--once")
    assert answer.code == 1, "there is no function: nothing gets through"
    assert answer.out.startswith(" DOWN ")
    assert "type: ndjctl deploy --env dev" in answer.out
    assert not [line for line in answer.out.splitlines() if line != line.rstrip()]


def test_it_names_what_doctor_names(world: Operations) -> None:
    file(world, "a.ndjson", MANIFESTED, 200, batch_id="20261123T110000000Z-0a0a0a0a")
    dead = world.sqs.get_queue_url(QueueName=NAMES.dead_letter_queue)["QueueUrl"]
    world.sqs.send_message(QueueUrl=dead, MessageBody="{}")
    seen = world("monitor", "--json").document["health"]["checks"]
    told = world("doctor", "--quick", "--json").document
    wrong = [each["code"] for each in told["checks"] if each["verdict"] in ("warn", "fail")]
    assert "dead-letters" in wrong
    assert sorted(each["code"] for each in seen) == sorted(wrong)
    assert all(each["remedies"] for each in seen)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--web", "--once"), "exclude each other"),
        (("--port", "80"), "--port goes with --web"),
        (("--interval", "0"), "--interval"),
        (("--interval", "soon"), "--interval"),
        (("--web", "--port", "70000"), "--port"),
        (("now",), "now"),
    ],
)
def test_what_makes_no_sense_is_said(ndjctl: Operations, words: tuple[str, ...], said: str) -> None:
    answer = ndjctl("monitor", *words)
    assert answer.code == 2
    assert said in answer.err


# ---------------------------------------------------------------------------------------------- calls and refusals


def test_a_refresh_makes_so_many_calls_and_says_how_many(watched: tuple[Monitor, Calls], world: Operations) -> None:
    monitor, calls = watched
    for number in range(30):
        file(world, f"{number}.ndjson", STATUSES[number % 6], number * 3)
    for _ in range(2):
        calls.made.clear()
        snapshot = monitor.refresh()
        assert snapshot.calls == len(calls.made)
        assert 20 <= len(calls.made) <= MOST_CALLS // 2
    assert "Scan" not in calls.made


def test_the_help_says_how_many(ndjctl: Operations) -> None:
    answer = ndjctl("monitor", "--help")
    assert f"at most {MOST_CALLS} calls" in " ".join(answer.out.split())


def partition_of(params: dict[str, Any]) -> str:
    return str(params.get("ExpressionAttributeValues", {}).get(":partition", {}).get("S", ""))


REFUSALS: dict[str, tuple[Callable[[str, dict[str, Any]], bool], set[str]]] = {
    "the index": (lambda name, params: name == "Query" and "IndexName" in params, {"arrivals", "backlog"}),
    "closed manifests": (lambda _, params: partition_of(params).startswith("#manifests-closed#"), {"completions"}),
    "open manifests": (lambda _, params: partition_of(params) == "#manifests-open", {"manifests"}),
    "the metrics table": (lambda _, params: params.get("TableName") == NAMES.metrics_table, {"counted"}),
    "the queue": (lambda _, params: params.get("QueueName") == NAMES.queue, {"queue"}),
    "runs": (lambda name, _: name == "GetJobRuns", {"runs", "cost"}),
    "CloudWatch": (lambda name, _: name == "GetMetricData", {"trends"}),
    "dead letters": (lambda _, params: params.get("QueueName") == NAMES.dead_letter_queue, set()),
}


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
def test_a_read_that_is_refused_costs_its_own_panel(watched: tuple[Monitor, Calls], code: str) -> None:
    monitor, calls = watched
    for what, (is_meant, panels) in REFUSALS.items():
        calls.refuse = lambda name, params, is_meant=is_meant: code if is_meant(name, params) else None  # type: ignore[misc]
        snapshot = monitor.refresh()
        refused = {name: panel for name, panel in snapshot.panels.items() if not panel.was_read}
        assert set(refused) == panels, what
        assert {panel.why for panel in refused.values()} <= {"denied" if "Denied" in code else "throttled"}, what
        assert all("not today" in panel.sentence for panel in refused.values()), what
        if what == "dead letters":
            assert snapshot.queue.value is not None
            assert snapshot.queue.value.dead is None
            assert "not today" in snapshot.queue.value.dead_not_read
    calls.refuse = lambda name, params: None
    assert all(panel.was_read for panel in monitor.refresh().panels.values())


def test_nothing_is_healthy_that_nobody_may_see(watched: tuple[Monitor, Calls]) -> None:
    monitor, calls = watched
    calls.refuse = lambda name, params: "AccessDeniedException" if name != "GetCallerIdentity" else None
    snapshot: Snapshot = monitor.refresh()
    assert {panel.why for panel in snapshot.panels.values()} == {"denied"}
    assert snapshot.health.word == "DEGRADED"
    assert "9 of 9 panels could not be read" in snapshot.health.reasons[-1]


def test_a_bug_is_no_refusal(watched: tuple[Monitor, Calls]) -> None:
    monitor, calls = watched

    def break_it(name: str, params: dict[str, Any]) -> None:
        if name == "GetJobRuns":
            raise ZeroDivisionError

    calls.refuse = break_it
    with pytest.raises(ZeroDivisionError):
        monitor.refresh()


def test_the_second_refresh_tells_what_happened_in_between(watched: tuple[Monitor, Calls], world: Operations) -> None:
    monitor, _ = watched
    file(world, "a.ndjson", PENDING, 10)
    assert monitor.refresh().since_last is None
    file(world, "b.ndjson", PENDING, 8)
    file(world, "c.ndjson", COMPLETED, 1)
    today = f"{now():%Y-%m-%d}"
    world.manifest(
        f"{now():%Y%m%dT%H%M%S000Z}-00000001", "done", date=today, files=5, stored=False, completed_at=iso_utc(now())
    )
    since = monitor.refresh().since_last
    assert since is not None
    assert (since.files_in, since.files_out) == (2, 5)
    json.dumps(since.seconds)
