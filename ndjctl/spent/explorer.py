"""What AWS's own bill says: Cost Explorer's GetCostAndUsage by service. Each request costs 0.01 USD.

Source: AWS Cost Management pricing; AWS Billing API reference, GetCostAndUsage. Its figures come up to a day late, and
tags count only once they are activated as cost allocation tags, from then on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)
_PAGES = 5
SERVICES = {
    "AWS Glue": "AWS Glue",
    "AWS Lambda": "AWS Lambda",
    "Amazon Simple Queue Service": "Amazon SQS",
    "Amazon DynamoDB": "Amazon DynamoDB",
    "Amazon Simple Storage Service": "Amazon S3",
    "AmazonCloudWatch": "Amazon CloudWatch",
    "Amazon Simple Notification Service": "Amazon SNS",
    "AWS Key Management Service": "AWS KMS",
}
"""What the pipeline uses: as Cost Explorer spells it, and as it is called here."""


@dataclass(frozen=True)
class Bill:
    """usd: by service, as it is called here. by_tag: of what has the environment's tag; else of the whole account
    in the region, because nothing with the tag was billed. currency: of the figures. from_, to: dates, the second one
    excluded. requests: that were made. is_whole: whether all pages were read."""

    usd: Mapping[str, Decimal]
    by_tag: bool
    currency: str
    from_date: str
    to_date: str
    requests: int
    is_whole: bool

    @property
    def total(self) -> Decimal:
        return sum(self.usd.values(), ZERO)


def read_bill(explorer: Any, tag: tuple[str, str], region: str, since: datetime, now: datetime) -> Bill:
    """From the date of `since` on to today. First by the tag; where that has nothing, by service. Raises what boto3
    raises."""
    dates = (f"{since:%Y-%m-%d}", f"{now + timedelta(days=1):%Y-%m-%d}")
    of_tag = {"Tags": {"Key": tag[0], "Values": [tag[1]], "MatchOptions": ["EQUALS"]}}
    found, currency, requests, is_whole = _read(explorer, dates, of_tag)
    if found:
        return Bill(found, True, currency, *dates, requests, is_whole)
    of_services = {
        "And": [
            {"Dimensions": {"Key": "REGION", "Values": [region]}},
            {"Dimensions": {"Key": "SERVICE", "Values": list(SERVICES)}},
        ]
    }
    found, currency, more, is_whole = _read(explorer, dates, of_services)
    return Bill(found, False, currency, *dates, requests + more, is_whole)


def _read(
    explorer: Any, dates: tuple[str, str], wanted: Mapping[str, Any]
) -> tuple[dict[str, Decimal], str, int, bool]:
    """(amounts that are not zero by service, their currency, requests, whether that is all)."""
    request: dict[str, Any] = {
        "TimePeriod": {"Start": dates[0], "End": dates[1]},
        "Granularity": "MONTHLY",
        "Metrics": ["UnblendedCost"],
        "GroupBy": [{"Type": "DIMENSION", "Key": "SERVICE"}],
        "Filter": wanted,
    }
    found: dict[str, Decimal] = {}
    currency = "USD"
    for number in range(1, _PAGES + 1):
        answer = explorer.get_cost_and_usage(**request)
        for service, amount, unit in _groups(answer):
            if amount:
                service = SERVICES.get(service, service)
                found[service] = found.get(service, ZERO) + amount
                currency = unit
        if not answer.get("NextPageToken"):
            return found, currency, number, True
        request["NextPageToken"] = answer["NextPageToken"]
    return found, currency, _PAGES, False


def _groups(answer: Mapping[str, Any]) -> Iterator[tuple[str, Decimal, str]]:
    for period in answer.get("ResultsByTime", []):
        for group in period.get("Groups", []):
            cost = group["Metrics"]["UnblendedCost"]
            yield str(group["Keys"][0]), Decimal(str(cost["Amount"])), str(cost.get("Unit") or "USD")
