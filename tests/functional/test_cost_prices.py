"""`ndjctl cost prices`, and its --refresh against a Price List behind real HTTP."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ndjctl.cli import boundary
from ndjctl.cli.main import app
from ndjctl.prices.catalogue import ITEMS
from tests.functional.operations_world import Answer
from tests.price_list import PriceList, product, served

Run = Callable[..., Answer]
S3_TIERS = (("0.0230000000", "0"), ("0.0220000000", "51200"), ("0.0210000000", "512000"))
INDEXED = {"volumeType": "Amazon DynamoDB - Indexed DataStore"}
STANDARD = {"queueType": "Standard"}
PRODUCTS = [
    product("AWSGlue", "USE1-ETL-DPU-Hour", ("0.4500000000", "0")),
    product("AWSGlue", "USE1-ETL-DPU-Hour-Gen2", ("0.3100000000", "0")),
    product("AWSGlue", "USE1-Crawler-DPU-Hour", ("0.4400000000", "0")),
    product("AWSGlue", "USE2-ETL-DPU-Hour", ("0.9900000000", "0"), region="us-east-2"),
    product("AmazonS3", "TimedStorage-ByteHrs", *S3_TIERS, volumeType="Standard"),
    product("AmazonS3", "TimedStorage-ByteHrs", ("0.0210000000", "0"), volumeType="INTAAS3ObjectOverhead"),
    product("AmazonS3", "Requests-Tier1", ("0.0000050000", "0"), published="2026-08-31T09:23:18Z"),
    # With the free allowance in front, and the same price without it.
    product("AmazonDynamoDB", "TimedStorage-ByteHrs", ("0.0", "0"), ("0.2600000000", "25"), **INDEXED),
    product("AmazonDynamoDB", "USE1-TimedStorage-ByteHrs", ("0.2600000000", "0"), **INDEXED),
    # Two prices for one thing: neither is taken.
    product("AmazonDynamoDB", "WriteRequestUnits", ("0.0000006250", "0")),
    product("AmazonDynamoDB", "USE1-WriteRequestUnits", ("0.0000007000", "0")),
    product("AWSQueueService", "Requests-RBP", ("0.0000004000", "0"), ("0.0000003000", "100000000000"), **STANDARD),
    product("AWSQueueService", "Requests-FIFO-RBP", ("0.0000005000", "0"), queueType="FIFO (first-in, first-out)"),
    product("AmazonCloudWatch", "DashboardsUsageHour", ("3.0000000000", "0"), region="", published=None),
    product("AmazonCloudWatch", "USE1-CW:Requests", ("0.0000000000", "0")),  # costs nothing: no price
    product("AmazonAthena", "USE1-DataScannedInTB", ("32.00", "0"), currency="CNY"),
    product("AmazonECS", "USE1-Fargate-GB-Hours", ("0.005", "0"), effective="2999-01-01T00:00:00Z"),  # announced
    json.dumps({"serviceCode": "awskms", "product": {"productFamily": "", "attributes": {"regionCode": "us-east-1"}}}),
]  # fmt: skip
UPDATED = {
    *("glue.dpu_hour", "glue.v6_dpu_hour", "s3.storage_gb_month", "s3.put_requests", "dynamodb.storage_gb_month"),
    *("sqs.requests", "cloudwatch.dashboard_month"),
}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    for name, value in (("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x"), ("NDJ_DATA_DIR", str(tmp_path))):
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def command(*words: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["ndjctl", "cost", "prices", *words, "--env", "dev"])
        capsys.readouterr()
        code = boundary.run(app)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Answer(code, out, err)

    return command


def _by_key(answer: Answer) -> dict[str, Any]:
    return {each["key"]: each for each in answer.document["prices"]}


def test_the_built_in_prices_are_shown_without_aws(run: Run, tmp_path: Path) -> None:
    document = run("--json").document
    assert (document["region"], document["origin"], document["refreshed"]) == ("us-east-1", "built in", None)
    keys = [each["key"] for each in (*document["prices"], *document["missing"])]
    assert sorted(keys) == sorted(ITEMS)
    storage = next(each for each in document["prices"] if each["key"] == "s3.storage_gb_month")
    assert storage["tiers"] == [
        {"usd": "0.023", "up_to": "51200"},
        {"usd": "0.022", "up_to": "512000"},
        {"usd": "0.021"},
    ]
    as_of = datetime.fromisoformat(storage["as_of"]).date()
    assert storage["age_days"] == (datetime.now(timezone.utc).date() - as_of).days
    shown = run()
    assert shown.code == 0
    for part in ("AWS Glue", "0.308", "above 512,000", "the first 1,000,000", "missing, not guessed", "Fargate"):
        assert part in shown.out
    assert "\n[1] " in shown.out
    assert not (tmp_path / "prices").exists()


def test_a_part_of_a_region_says_what_it_lacks(run: Run) -> None:
    document = run("--region", "eu-west-1", "--json").document
    assert {"glue.flex_dpu_hour", "s3.storage_gb_month"} <= {each["key"] for each in document["missing"]}
    assert {each["key"]: each for each in document["prices"]}["cloudwatch.logs_ingested_gb"]["tiers"] == [
        {"usd": "0.57"}
    ]


def test_refresh_keeps_what_the_list_says_with_the_dates_of_the_list(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = _by_key(run("--json"))
    prices = PriceList(PRODUCTS)
    with served(prices) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", url)
        answer = run("--refresh", "--json")
    assert answer.code == 0
    refreshed = answer.document["refreshed"]
    assert set(refreshed["updated"]) == UPDATED
    after = _by_key(answer)
    assert after["glue.dpu_hour"]["tiers"] == [{"usd": "0.45"}]
    assert after["glue.dpu_hour"]["as_of"] == "2026-09-28"
    assert "published on 2026-09-28, asked on" in after["glue.dpu_hour"]["source"]
    assert after["s3.put_requests"]["as_of"] == "2026-08-31"
    assert after["s3.storage_gb_month"]["tiers"] == before["s3.storage_gb_month"]["tiers"]
    assert after["dynamodb.storage_gb_month"]["tiers"] == [{"usd": "0.26"}]
    assert after["dynamodb.storage_gb_month"]["free"]["quantity"] == "25"
    assert after["sqs.requests"]["free"] == before["sqs.requests"]["free"]
    assert after["cloudwatch.dashboard_month"]["as_of"] == "2026-09-01"  # since when it holds
    why = {each["key"]: each["why"] for each in refreshed["unanswered"]}
    assert set(why) == set(ITEMS) - UPDATED
    assert why["dynamodb.write_units"] == "2 products with different prices"
    assert why["fargate.spot_gb_hour_arm"] == "the Price List has no such item"
    for key in ("cloudwatch.api_requests", "athena.scanned_tb", "fargate.gb_hour_x86", "kms.requests"):
        assert why[key] == "not found"
        assert after[key] == before[key], "what is not answered keeps figure, date and source"
    assert all(request["FormatVersion"] == "aws_v1" for request in prices.requests)
    assert any("NextToken" in request for request in prices.requests)

    kept = json.loads((tmp_path / "prices/us-east-1.json").read_text())
    assert set(kept["prices"]) == UPDATED
    again = run("--json").document
    assert again["origin"] == "refreshed and built in"
    assert again["prices"] == answer.document["prices"]

    # What a later list lacks keeps the date of the earlier one.
    with served(PriceList(PRODUCTS[1:2])) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", url)
        shown = run("--refresh")
    assert "refreshed: 1 price\n" in shown.out
    assert "not refreshed: glue.dpu_hour: not found; the one of 2026-09-28 stays\n" in shown.out
    assert "not refreshed: emr.m7g.2xlarge_hour: not found; none is known\n" in shown.out
    assert _by_key(run("--json"))["glue.dpu_hour"]["tiers"] == [{"usd": "0.45"}]


@pytest.mark.parametrize(
    ("prices", "told"),
    [
        (
            PriceList([], (400, "AccessDeniedException", "not authorized to perform: pricing:GetProducts")),
            "ask for that",
        ),
        (PriceList([], (400, "", "")), "knows no Price List (HTTP 400)"),
        (PriceList([]), "knows no price of the region us-east-1"),
        pytest.param(None, "cannot be reached", marks=pytest.mark.slow),
    ],
    ids=["denied", "another service", "empty", "unreachable"],
)
def test_what_cannot_be_asked_is_one_sentence_and_changes_nothing(
    prices: PriceList | None, told: str, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with served(PriceList(PRODUCTS)) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", url)
        assert run("--refresh").code == 0
    kept = (tmp_path / "prices/us-east-1.json").read_bytes()
    if prices is None:
        answer = run("--refresh")
    else:
        with served(prices) as url:
            monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", url)
            answer = run("--refresh", "--json")
            assert answer.document["error"]["exit_code"] == 3
    assert answer.code == 3
    assert told in answer.err and len(answer.err.splitlines()) == 1
    assert (tmp_path / "prices/us-east-1.json").read_bytes() == kept
    assert [path.name for path in (tmp_path / "prices").iterdir()] == ["us-east-1.json"]


def test_a_region_that_is_not_built_in_can_be_refreshed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("--region", "us-east-2").code == 2
    with served(PriceList(PRODUCTS)) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", url)
        answer = run("--region", "us-east-2", "--refresh", "--json")
    # A dashboard costs the same in every region.
    assert answer.document["refreshed"]["updated"] == ["glue.dpu_hour", "cloudwatch.dashboard_month"]
    assert _by_key(run("--region", "us-east-2", "--json"))["glue.dpu_hour"]["tiers"] == [{"usd": "0.99"}]


def test_a_file_of_ones_own_and_what_is_wrong_with_it(run: Run, tmp_path: Path) -> None:
    entry = {"usd": "0.40", "unit": "DPU hour", "as_of": "2025-01-01", "source": "our contract [bold]"}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"version": 1, "region": "us-east-1", "prices": {"glue.dpu_hour": entry}}))
    shown = run("--prices", str(path))
    assert shown.code == 0 and "our contract [bold]" in shown.out
    assert "warning: The prices of us-east-1" in shown.err and "days old" in shown.err and "days old" not in shown.out
    assert len(run("--prices", str(path), "--json").document["missing"]) == len(ITEMS) - 1
    for words, told in (
        (("--prices", str(path), "--region", "eu-west-1"), "not of eu-west-1"),
        (("--prices", str(tmp_path / "none.json")), "cannot be read: No such file"),
        (("--prices", str(tmp_path)), "cannot be read: Is a directory"),
        (("--prices", str(path), "--refresh"), "leave one out"),
        (("--region", "mars"), "is no name of a region"),
    ):
        answer = run(*words)
        assert answer.code == 2 and told in answer.err, answer.err
