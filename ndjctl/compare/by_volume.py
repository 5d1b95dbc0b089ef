"""Services that convert by themselves and are billed by the volume: Firehose's conversion and Athena's CTAS. Pure."""

from __future__ import annotations

from decimal import Decimal
from math import ceil

from ndjctl.compare.model import TB, Work, amount
from ndjctl.contracts import MIB
from ndjctl.cost.line import DAYS_OF_A_MONTH
from ndjctl.prices import Price

ROUNDED_TO_BYTES = 5 * 1024
"""Firehose bills each record of Direct PUT in steps of 5 KB (Amazon Data Firehose pricing)."""

LARGEST_RECORD_BYTES = 1000 * 1024
"""Of Firehose, before base64 (developer guide, "Quota"): lines may be packed into one, as objects one after another
("Convert input data format": an array is no valid input)."""

FIREHOSE_KEYS = ("firehose.ingested_gb", "firehose.converted_gb")
LEAST_SCANNED_BYTES = 10 * MIB
"""Of a query of Athena, that are billed."""

ATHENA_KEY = "athena.scanned_tb"


def billed_share(record_bytes: int) -> Decimal:
    """How many times its size a record is billed. Raises ValueError for a record that Firehose does not take."""
    if not 0 < record_bytes <= LARGEST_RECORD_BYTES:
        raise ValueError(f"a record of {record_bytes} bytes is none that Firehose takes")
    return Decimal(ceil(record_bytes / ROUNDED_TO_BYTES) * ROUNDED_TO_BYTES) / record_bytes


def firehose_units(work: Work, record_bytes: int, price: Price | None) -> Decimal:
    """GB of a day, as they are billed. price: of either part; of none, a GB is one of 2**30 bytes."""
    return amount(work.bytes_per_day) * billed_share(record_bytes) / _unit_bytes(price, 10**9, 2**30)


def firehose_usd_per_day(work: Work, record_bytes: int, ingested: Price, converted: Price) -> Decimal:
    """The day's share of a month, because the tiers are a month's. Both are billed by what was ingested."""
    parts = (usd_per_day(price, firehose_units(work, record_bytes, price)) for price in (ingested, converted))
    return sum(parts, Decimal(0))


def firehose_mib_per_s(work: Work) -> float:
    """That come in the busiest hour."""
    return work.peak * work.file_mb / 3600


def athena_units(work: Work, price: Price | None) -> Decimal:
    """TB of a day, as they are billed: a query for each manifest, which scans uncompressed NDJSON whole, and 10 MB at
    least (Amazon Athena pricing). price: of none, a TB is one of 2**40 bytes."""
    query_bytes = max(work.bytes_per_day / work.runs_per_day, LEAST_SCANNED_BYTES)
    return amount(query_bytes * work.runs_per_day) / _unit_bytes(price, TB, 2**40)


def athena_usd_per_day(work: Work, scanned: Price) -> Decimal:
    return usd_per_day(scanned, athena_units(work, scanned))


def usd_per_day(price: Price, quantity: Decimal) -> Decimal:
    """Of so many units a day: the day's share of a month, because the tiers are a month's."""
    return price.cost(quantity * DAYS_OF_A_MONTH) / DAYS_OF_A_MONTH


def _unit_bytes(price: Price | None, decimal_unit: int, unknown: int) -> int:
    return unknown if price is None else unit_bytes(price, decimal_unit)


def unit_bytes(price: Price, decimal_unit: int) -> int:
    """Bytes of a price's GB or TB: of 2**30 or 2**40 where its unit says so."""
    return {"2**30": 2**30, "2**40": 2**40}.get(
        next((p for p in ("2**30", "2**40") if p in price.unit), ""), decimal_unit
    )
