"""Asks the AWS Price List for a region's prices (GetProducts). Takes its client; writes nothing.

Its own date stays with a price: the day on which the list was published, not the day on which it was asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from ndjctl.aws import error_code
from ndjctl.errors import CloudError
from ndjctl.prices.book import FreeAllowance, Price, PriceBook
from ndjctl.prices.catalogue import ITEMS, Item, Product
from ndjctl.prices.offers import Offer, parse_offer

PAGES = 100
"""Of 100 products each, the most that GetProducts gives; a region's list of any service here has fewer."""

_ONE_PAGE = 100


@dataclass(frozen=True)
class Refreshed:
    """book: of what was answered now and before. updated: keys that were answered now. unanswered: by key, why not;
    what was known of them keeps its date."""

    book: PriceBook
    updated: tuple[str, ...]
    unanswered: Mapping[str, str]


def ask_price_list(
    pricing: Any, region: str, before: PriceBook | None, known: PriceBook | None, today: date
) -> Refreshed:
    """before: what was refreshed earlier. known: that and what is built in, for free allowances that the Price List
    does not tell with a price. Raises what boto3 raises, and CloudError where nothing is known of the region."""
    found: dict[str, Price] = {}
    unanswered: dict[str, str] = {}
    pages: dict[str, list[str]] = {}
    for key, item in ITEMS.items():
        if item.product is None:
            unanswered[key] = "the Price List has no such item"
            continue
        request = _request(item.product, region)
        asked = json.dumps(request, sort_keys=True)
        if asked not in pages:
            pages[asked] = list(_products(pricing, request))
        offers = _offers(pages[asked], item.product, today)
        price = _price(item, offers, known, today)
        if isinstance(price, str):
            unanswered[key] = price
        else:
            found[key] = price
    if not found:
        raise CloudError(
            f"The Price List that answered knows no price of the region {region}: check its name, or name an "
            f"environment on AWS with --env. Nothing was changed."
        )
    earlier = {} if before is None else before.prices
    book = PriceBook(region, {**earlier, **found}, "refreshed")
    return Refreshed(book, tuple(found), unanswered)


def _request(product: Product, region: str) -> dict[str, Any]:
    filters = dict(product.attributes)
    if product.region_attribute:
        filters[product.region_attribute] = region
    return {
        "ServiceCode": product.service_code,
        "Filters": [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in filters.items()],
        "FormatVersion": "aws_v1",
        "MaxResults": _ONE_PAGE,
    }


def _products(pricing: Any, request: Mapping[str, Any]) -> Iterator[str]:
    """Products as the Price List writes them, each a JSON document in a string."""
    token: dict[str, str] = {}
    for _ in range(PAGES):
        answer = _answer(pricing, {**request, **token})
        yield from answer.get("PriceList", [])
        if not answer.get("NextToken"):
            return
        token = {"NextToken": answer["NextToken"]}
    raise CloudError(
        f"The Price List of {request['ServiceCode']} has no end after {PAGES * _ONE_PAGE:,} products: nothing was "
        f"changed."
    )


def _answer(pricing: Any, request: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = pricing.get_products(**request)
    except Exception as error:
        # AWS's errors have names; a bare HTTP status comes from something else, such as the embedded cloud.
        if error_code(error).isdecimal():
            raise CloudError(
                f"What answers here knows no Price List (HTTP {error_code(error)}), and nothing was changed: name an "
                f"environment on AWS with --env."
            ) from error
        raise
    return found


def _offers(products: list[str], product: Product, today: date) -> list[Offer]:
    """What is asked for it, without what costs nothing: that is not what is paid for."""
    parsed = (parse_offer(text, today) for text in products)
    return [each for each in parsed if each is not None and product.is_named(each.usage_type)]


def _price(item: Item, offers: list[Offer], known: PriceBook | None, today: date) -> Price | str:
    """The price; or why there is none."""
    if not offers:
        return "not found"
    if len({offer.tiers for offer in offers}) > 1:
        return f"{len(offers)} products with different prices"
    # The same price may be there with and without the free allowance in front.
    offer = max(offers, key=lambda each: each.free_quantity)
    service = "" if item.product is None else item.product.service_code
    source = f"AWS Price List, {service}, published on {offer.as_of.isoformat()}, asked on {today.isoformat()}"
    free = None if known is None or known.find(item.key) is None else known.prices[item.key].free
    if offer.free_quantity:
        free = FreeAllowance(offer.free_quantity, f"{source}: at 0")
    return Price(item.key, offer.tiers, item.unit, offer.as_of, source, free)
