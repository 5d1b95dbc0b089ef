"""`ndjctl cost --actual` on moto: pages of runs, the ledger, reports, CloudWatch, Cost Explorer's own wire format, and
what becomes of a source that is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from ndjctl.contracts import DONE, REPORT_FORMAT, REPORT_VERSION, Attr, iso_utc, report_key
from tests.functional.operations_world import NAMES, Operations, now
from tests.loopback import running
from tests.spent_world import DAY, job_run


class Wire(ThreadingHTTPServer):
    """Glue and Cost Explorer, which moto does not have as this needs them, as they answer over HTTP (JSON 1.1)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.runs: list[dict[str, Any]] = []
        self.page = 2
        self.has_job = True
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.bill: Callable[[dict[str, Any]], tuple[int, dict[str, Any]]] = lambda _: (400, denied())

    def requests(self, operation: str) -> list[dict[str, Any]]:
        return [request for name, request in self.asked if name == operation]


class _Handler(BaseHTTPRequestHandler):
    server: Wire

    def do_POST(self) -> None:
        target = self.headers["X-Amz-Target"]
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        operation = target.partition(".")[2]
        self.server.asked.append((operation, request))
        if target == "AWSInsightsIndexService.GetCostAndUsage":
            self._answer(*self.server.bill(request))
        elif not self.server.has_job:
            self._answer(400, {"__type": "EntityNotFoundException", "message": "no such job"})
        else:
            first = int(request.get("NextToken", 0))
            runs = self.server.runs[first : first + self.server.page]
            more = first + self.server.page < len(self.server.runs)
            self._answer(200, {"JobRuns": runs, **({"NextToken": str(first + self.server.page)} if more else {})})

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document, default=datetime.timestamp).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def denied() -> dict[str, Any]:
    return {"__type": "AccessDeniedException", "Message": "User is not authorized to perform: ce:GetCostAndUsage"}


@pytest.fixture
def wire() -> Iterator[Wire]:
    with running(Wire()) as server:
        yield server


@pytest.fixture
def ndjctl(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, wire: Wire, tmp_path: Any
) -> Iterator[Any]:
    for service in ("GLUE", "COST_EXPLORER"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", f"http://127.0.0.1:{wire.server_address[1]}")
    monkeypatch.setenv("NDJ_DATA_DIR", str(tmp_path / "data"))
    with mock_aws():
        operations = Operations(capsys, monkeypatch)
        operations.deploy()
        yield operations


def spent(ndjctl: Operations, *words: str, code: int = 0) -> dict[str, Any]:
    answer = ndjctl("cost", "--actual", "--json", *words)
    assert answer.code == code, answer.err
    return dict(answer.document)


def done(ndjctl: Operations, manifest: str, run_id: str, ended: datetime, files: int = 4) -> None:
    about = {Attr.RUN_ID: run_id, Attr.COMPLETED_AT: iso_utc(ended)}
    ndjctl.manifest(manifest, DONE, date=DAY, files=files, stored=False, **about)


@pytest.fixture
def hour(wire: Wire, ndjctl: Operations) -> datetime:
    """Three manifests: one with a report, one at the second attempt, one converted twice; the newest run first."""
    begun = now().replace(microsecond=0) - timedelta(hours=1)
    runs = [
        job_run("a", manifest="m1", started=begun),
        job_run("b", "FAILED", manifest="m2", started=begun, seconds=100),
        job_run("b_attempt_1", manifest="m2", started=begun + timedelta(minutes=2)),
        job_run("c", manifest="m3", started=begun),
        job_run("d", manifest="m3", started=begun + timedelta(minutes=20), seconds=30),
    ]
    wire.runs = sorted(runs, key=lambda each: each["StartedOn"], reverse=True)
    done(ndjctl, "m1", "a", begun + timedelta(minutes=10))
    done(ndjctl, "m2", "b_attempt_1", begun + timedelta(minutes=12))
    done(ndjctl, "m3", "c", begun + timedelta(minutes=10))
    report = {
        "format": REPORT_FORMAT,
        "version": REPORT_VERSION,
        "run_id": "a",
        "started_at": iso_utc(begun + timedelta(seconds=50)),
        "timings_s": {"spark": 10.0, "convert": 400.0},
        "parts": [{"seconds": 4_000.5}, {"seconds": 3_999.5}],
    }
    ndjctl.s3.put_object(Bucket=NAMES.manifest_bucket, Key=report_key(DAY, "m1"), Body=json.dumps(report).encode())
    return begun


def test_run_records_ledger_and_reports(ndjctl: Operations, wire: Wire, hour: datetime) -> None:
    found = spent(ndjctl, "--since", "2h")
    period = found["spent"]
    assert (period["runs"], period["dpu_s"]) == (5, 6_000 + 1_000 + 6_000 + 6_000 + 600)
    assert period["glue_usd"] == pytest.approx(19_600 / 3_600 * 0.44, abs=1e-6)
    parts = {name: (part["dpu_s"], part["runs"]) for name, part in period["parts"].items() if part["runs"]}
    # Of a: 60 s to its start, and 8,000 s of tasks at a quarter of a DPU. The start of the others is that of a.
    assert parts == {
        "useful": (2_000 + 2 * 5_400, 3),
        "start_up": (3 * 600, 3),
        "idle": (6_000 - 600 - 2_000, 1),
        "retried": (1_000, 1),
        "duplicate": (300, 1),
        "minimum": (300, 1),
    }
    amounts = [Decimal(str(part["usd"])) for part in period["parts"].values()]
    assert sum(amounts) == Decimal(str(period["glue_usd"]))
    assert (found["each"]["manifests"], found["each"]["files"]) == (3, 12)
    runs = found["runs"]
    assert (runs["later_attempts"], runs["starts_told"], runs["starts_assumed"], runs["idle_told"]) == (1, 1, 2, 1)
    assert (runs["assumed_start_s"], runs["all_read"]) == (60.0, True)
    assert len(wire.requests("GetJobRuns")) == 3  # pages of two
    reasons = found["beside_estimate"]["reasons"]
    total = sum(Decimal(str(reason["usd"])) for reason in reasons)
    assert total == Decimal(str(found["beside_estimate"]["difference_usd"]))
    screen = ndjctl("cost", "--actual", "--since", "2h").out
    assert "failed, made again" in screen and "1 run is a second or later attempt" in screen


def test_what_was_before_is_not_counted_nor_read(ndjctl: Operations, wire: Wire) -> None:
    wire.runs = [job_run(f"r{n}", manifest=f"m{n}", started=now() - timedelta(days=10 * n + 0.01)) for n in range(9)]
    found = spent(ndjctl, "--since", "15d")
    assert found["spent"]["runs"] == 2
    assert len(wire.requests("GetJobRuns")) < 5  # of 5 pages: what lies before the month is not asked for
    assert (found["today"]["runs"], found["each"]["manifests_not_in_ledger"]) == (1, 2)
    assert spent(ndjctl, "--since", "2020-01-01")["spent"]["runs"] == 9
    assert "Glue keeps the records of runs for 90 days" in ndjctl("cost", "--actual", "--since", "2020-01-01").out


def test_no_runs(ndjctl: Operations) -> None:
    found = spent(ndjctl)
    assert (found["spent"]["runs"], found["spent"]["glue_usd"], found["forecast"]["usd"]) == (0, 0.0, None)
    assert "No run of the job in this time" in ndjctl("cost", "--actual").out


def test_what_is_no_moment(ndjctl: Operations) -> None:
    for since in ("tomorrow", "3 weeks", "2999-01-01", "20261101"):
        answer = ndjctl("cost", "--actual", "--since", since)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err.startswith("error: --since ") and answer.err.count("\n") == 1


def test_options_of_an_estimate_are_none_of_what_was_spent(ndjctl: Operations) -> None:
    for words in (
        ("--actual", "--explain"),
        ("--actual", "--files-per-day", "9"),
        ("--since", "2h"),
        ("--cost-explorer",),
    ):
        answer = ndjctl("cost", *words)
        assert (answer.code, answer.out) == (2, ""), words


def test_a_region_without_prices_has_dpu_seconds(ndjctl: Operations, wire: Wire, hour: datetime) -> None:
    words = ("cost", "--actual", "--since", "2h", "--set", "region=ap-southeast-9")
    ndjctl.clients = {name: _client(name) for name in ("dynamodb", "s3", "cloudwatch", "sts", "glue")}
    found = ndjctl(*words, "--json")
    assert found.code == 0, found.err
    period = found.document["spent"]
    assert (period["dpu_s"], period["glue_usd"], period["usd"]) == (19_600.0, None, None)
    assert found.document["beside_estimate"] is None
    assert "The prices of ap-southeast-9 are not known" in found.err
    assert "USD are not known" in ndjctl(*words).out


def _client(name: str) -> Any:
    import boto3

    return boto3.client(name, "us-east-1")


class Refusing:
    """A client that is refused whatever it asks."""

    def __init__(self, code: str) -> None:
        self._code = code

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def refuse(**_: Any) -> Any:
            raise ClientError({"Error": {"Code": self._code, "Message": "not today"}}, operation)

        return refuse


def test_a_source_that_is_refused_costs_its_own_lines(ndjctl: Operations, wire: Wire, hour: datetime) -> None:
    found = {}
    for service, source in (("cloudwatch", "CloudWatch"), ("s3", "run reports"), ("dynamodb", "ledger")):
        ndjctl.clients = {service: Refusing("AccessDenied")}
        found[service] = spent(ndjctl, "--since", "2h")
        assert found[service]["spent"]["dpu_s"] == 19_600.0
        assert [each["source"] for each in found[service]["refused"]] == [source]
    assert f"not read: {source}: AWS refused " in ndjctl("cost", "--actual", "--since", "2h").out
    assert any(each["is_estimated"] for each in found["cloudwatch"]["spent"]["services"])
    # Nobody can say whether the second run of m3 was asked for.
    assert found["dynamodb"]["runs"]["duplicates_unsure"] == 1


def test_every_line_of_the_estimate_is_spent(ndjctl: Operations, hour: datetime) -> None:
    """What nothing measures is estimated by the same model for what came, says how, and is in the sum that is shown."""
    stated = ndjctl("cost", "--json", "--offline").document["cases"]["expected"]
    lines = {(each["service"], each["name"]) for each in stated["lines"] if each["service"] != "AWS Glue"}
    document = spent(ndjctl, "--since", "2h")
    services = {(each["service"], each["name"]): each for each in document["spent"]["services"]}
    assert lines and not lines - set(services)
    assert all(each["formula"] and each["inputs"] for each in services.values() if each["is_estimated"])
    assert sum(Decimal(str(each["usd"])) for each in services.values()) == Decimal(
        str(document["spent"]["services_usd"])
    )
    # The run an hour ago was before the tables were made: the environment was there then.
    assert document["first_deployment_known"] is True
    assert document["spent"]["environment_days"] == pytest.approx(1 / 24, rel=0.02)
    days = next(each for each in services["Amazon CloudWatch", "alarms"]["inputs"] if each["name"] == "days")
    assert days["value"] == pytest.approx(1 / 24, rel=0.02)
    others = [each for each in document["beside_estimate"]["reasons"] if each["code"] == "other"]
    assert {each["service"] for each in others} == {service for service, _ in services}
    screen = ndjctl("cost", "--actual", "--since", "2h").out
    assert "  input uploads *" in screen and "  dashboard *" in screen
    assert screen.count("\ntogether ") == 2  # of Glue's parts, and of all services


def test_a_first_deployment_that_is_not_told(ndjctl: Operations, hour: datetime) -> None:
    ndjctl.clients = {"dynamodb": Refusing("AccessDenied")}
    document = spent(ndjctl, "--since", "2h")
    assert (document["first_deployment_known"], document["spent"]["environment_days"]) == (
        False,
        pytest.approx(2 / 24, rel=0.01),
    )
    assert "when the environment was first deployed is not known" in ndjctl("cost", "--actual", "--since", "2h").out


def test_a_job_that_is_gone(ndjctl: Operations, wire: Wire, hour: datetime) -> None:
    wire.has_job = False
    found = spent(ndjctl, "--since", "2h")
    assert [each["source"] for each in found["refused"]] == ["run records"]
    # What is not known is not nothing.
    period = found["spent"]
    assert (period["runs"], period["dpu_s"], period["glue_usd"], period["usd"]) == (None, None, None, None)
    assert period["files_completed"] == 12
    screen = ndjctl("cost", "--actual", "--since", "2h").out
    assert "No run of the job" not in screen and "not known" in screen
    ndjctl.clients = {"dynamodb": Refusing("ResourceNotFoundException")}
    answer = ndjctl("cost", "--actual")
    assert answer.code == 2 and "is not deployed" in answer.err


def test_everything_refused(ndjctl: Operations) -> None:
    ndjctl.clients = {name: Refusing("AccessDenied") for name in ("glue", "dynamodb", "cloudwatch", "s3")}
    assert len(spent(ndjctl, code=3)["refused"]) == 3


def test_cloudwatch_counts(ndjctl: Operations, wire: Wire, hour: datetime) -> None:
    """As GetMetricData gives them: by hour for requests, by day for what is stored."""
    asked: list[dict[str, Any]] = []
    values = {"Invocations": 100.0, "Duration": 2_048_000.0, "NumberOfMessagesSent": 40.0, "BucketSizeBytes": 2.0**30}

    class Cloudwatch:
        def get_metric_data(self, **request: Any) -> dict[str, Any]:
            asked.append(request)
            results = [
                {
                    "Id": query["Id"],
                    "Timestamps": [hour],
                    "Values": [values[query["MetricStat"]["Metric"]["MetricName"]]],
                }
                for query in request["MetricDataQueries"]
                if query["MetricStat"]["Metric"]["MetricName"] in values
            ]
            if "NextToken" not in request:
                return {"MetricDataResults": results[:2], "NextToken": "2"}
            return {"MetricDataResults": results[2:]}

    ndjctl.clients = {"cloudwatch": Cloudwatch()}
    services = {(each["service"], each["name"]): each for each in spent(ndjctl, "--since", "2h")["spent"]["services"]}
    assert len(asked) == 2 and {query["MetricStat"]["Period"] for query in asked[0]["MetricDataQueries"]} == {
        3600,
        86_400,
    }
    assert services["AWS Lambda", "requests"]["quantity"] == 100
    # 2,048 s of a function of dev's 512 MB.
    assert services["AWS Lambda", "memory"]["quantity"] == 1_024
    assert services["AWS Lambda", "memory"]["usd"] == pytest.approx(1_024 * 0.0000166667, abs=1e-6)
    assert services["Amazon SQS", "requests"]["quantity"] == 80  # of both queues
    # 1 GiB in each of five buckets, for the hour that the environment is known to be there.
    stored = [each for each in services.values() if each["metric"] == "AWS/S3 BucketSizeBytes"]
    assert [each["quantity"] for each in stored] == [pytest.approx(1 / 30 / 24, rel=0.02)] * 5
    assert services["Amazon DynamoDB", "writes"]["is_estimated"]
    assert not services["AWS Lambda", "requests"]["is_estimated"]


def _group(service: str, amount: str) -> dict[str, Any]:
    return {"Keys": [service], "Metrics": {"UnblendedCost": {"Amount": amount, "Unit": "USD"}}}


def _months(*groups: dict[str, Any], **more: Any) -> tuple[int, dict[str, Any]]:
    """As the API reference has GetCostAndUsage's answer."""
    period = {"Start": "2026-11-01", "End": "2026-11-28"}
    results = [{"TimePeriod": period, "Total": {}, "Groups": list(groups), "Estimated": True}]
    return 200, {
        "GroupDefinitions": [{"Type": "DIMENSION", "Key": "SERVICE"}],
        "ResultsByTime": results,
        "DimensionValueAttributes": [],
        **more,
    }


def test_the_bill_by_tag(ndjctl: Operations, wire: Wire, hour: datetime) -> None:
    def bill(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if "NextPageToken" not in request:
            return _months(_group("AWS Glue", "2.3954321"), NextPageToken="more")
        return _months(_group("Amazon Simple Queue Service", "0.10"), _group("AWS Lambda", "0"))

    wire.bill = bill
    found = spent(ndjctl, "--since", "2026-11-01", "--cost-explorer")["cost_explorer"]
    assert found["services"] == {"AWS Glue": 2.3954321, "Amazon SQS": 0.1}
    assert (found["answered"], found["by"], found["requests"]) == (True, "tag", 2)
    asked = wire.requests("GetCostAndUsage")
    tomorrow = f"{now() + timedelta(days=1):%Y-%m-%d}"
    assert asked[0] == {
        "TimePeriod": {"Start": "2026-11-01", "End": tomorrow},
        "Granularity": "MONTHLY",
        "Metrics": ["UnblendedCost"],
        "GroupBy": [{"Type": "DIMENSION", "Key": "SERVICE"}],
        "Filter": {"Tags": {"Key": "ndjctl:environment", "Values": ["dev"], "MatchOptions": ["EQUALS"]}},
    }
    assert asked[1] == {**asked[0], "NextPageToken": "more"}
    screen = ndjctl("cost", "--actual", "--cost-explorer").out
    assert "Cost Explorer" in screen and "$2.40" in screen and "2 requests, $0.02" in screen


def test_a_bill_without_the_tag_is_that_of_the_account(ndjctl: Operations, wire: Wire, hour: datetime) -> None:
    wire.bill = lambda request: _months() if "Tags" in request["Filter"] else _months(_group("AWS Glue", "70.5"))
    found = spent(ndjctl, "--cost-explorer")["cost_explorer"]
    assert (found["by"], found["services"], found["requests"]) == ("service", {"AWS Glue": 70.5}, 2)
    assert "the whole account in this region" in ndjctl("cost", "--actual", "--cost-explorer").out


def test_a_bill_that_is_refused_is_one_line(ndjctl: Operations, wire: Wire, hour: datetime) -> None:
    found = spent(ndjctl, "--cost-explorer")
    assert (found["cost_explorer"]["answered"], found["refused"]) == (False, [])
    assert "AccessDeniedException" in found["cost_explorer"]["why"]
    answer = ndjctl("cost", "--actual", "--cost-explorer")
    assert answer.code == 0
    assert answer.out.count("Cost Explorer") == 1


def test_it_is_asked_only_when_that_is_wanted(ndjctl: Operations, wire: Wire, hour: datetime) -> None:
    assert spent(ndjctl)["cost_explorer"] is None
    assert wire.requests("GetCostAndUsage") == []


def test_a_report_that_is_none_tells_nothing(ndjctl: Operations, hour: datetime) -> None:
    for body in (b"", b"[]", b"{}", b'{"format": "ndjctl.run-report", "version": 99}', b"\xff"):
        ndjctl.s3.put_object(Bucket=NAMES.manifest_bucket, Key=report_key(DAY, "m1"), Body=body)
        found = spent(ndjctl, "--since", "2h")
        assert (found["runs"]["starts_told"], found["runs"]["assumed_start_s"]) == (0, 30.0)
        assert found["refused"] == []
