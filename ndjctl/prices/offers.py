"""One product as the AWS Price List writes it: its on-demand price in tiers. Pure.

{"product": {"attributes": {"usagetype": "EU-Requests-Tier1", ...}, ...}, "serviceCode": "AmazonS3",
 "terms": {"OnDemand": {"<sku>.<term>": {"effectiveDate": "2026-09-01T00:00:00Z", "priceDimensions": {
    "<sku>.<term>.<rate>": {"beginRange": "0", "endRange": "Inf", "unit": "Requests",
                            "pricePerUnit": {"USD": "0.0000050000"}}}}}},
 "publicationDate": "2026-09-28T23:04:16Z", "version": "20260928230416"}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from ndjctl.prices.book import Tier

_END = "Inf"


@dataclass(frozen=True)
class Offer:
    """tiers: as a price has them, without those in front that cost nothing. free_quantity: units that those were.
    as_of: when the list was published, or since when the price holds where it does not say that."""

    usage_type: str
    tiers: tuple[Tier, ...]
    free_quantity: Decimal
    as_of: date


def parse_offer(text: str, today: date) -> Offer | None:
    """None for a product without an on-demand price in USD above zero that holds today, and for what has another form
    than the one above: it is then not answered, and never half read."""
    try:
        document = json.loads(text)
        usage_type = str(document["product"]["attributes"]["usagetype"])
        term = _holding(document["terms"]["OnDemand"], today)
        if term is None:
            return None
        bands = _bands(term["priceDimensions"])
        as_of = min(_day(document.get("publicationDate") or term["effectiveDate"]), today)
    except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation, RecursionError):
        return None
    free_quantity = Decimal(0)
    while bands and not bands[0].usd:
        if bands[0].up_to is None:
            return None
        free_quantity = bands.pop(0).up_to or free_quantity
    return Offer(usage_type, tuple(bands), free_quantity, as_of) if bands else None


def _holding(terms: Mapping[str, Any], today: date) -> Mapping[str, Any] | None:
    """The latest that holds today: a price that was announced is in the list before its time."""
    holding = [term for term in terms.values() if _day(term["effectiveDate"]) <= today]
    return max(holding, key=lambda term: _day(term["effectiveDate"]), default=None)


def _bands(dimensions: Mapping[str, Any]) -> list[Tier]:
    """In rising order and without a gap. Raises ValueError where they are not."""
    found: list[Tier] = []
    begin = Decimal(0)
    for each in sorted(dimensions.values(), key=lambda each: Decimal(each["beginRange"])):
        if Decimal(each["beginRange"]) != begin or (found and found[-1].up_to is None):
            raise ValueError("a gap between tiers")
        end = None if each["endRange"] == _END else Decimal(each["endRange"])
        usd = Decimal(each["pricePerUnit"]["USD"])
        if not usd.is_finite() or usd < 0 or (end is not None and not end > begin):
            raise ValueError("no price")
        found.append(Tier(usd.normalize() if usd else Decimal(0), end))
        begin = begin if end is None else end
    if not found or found[-1].up_to is not None:
        raise ValueError("no last tier")
    return found


def _day(text: Any) -> date:
    return date.fromisoformat(str(text)[:10])
